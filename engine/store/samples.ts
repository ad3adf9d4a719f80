import { sql } from "kysely";
import type { Json } from "../replica/json.ts";
import { type Db, jsonText, type Tx } from "./database.ts";
import type { Direction, RunId, SampleId, SideId } from "./schema.ts";

/** A sample as it is kept: the content is that of a sample file. */
export interface StoredSample {
  readonly id: SampleId;
  readonly name: string;
  readonly content: Json;
  readonly pinned: boolean;
  readonly runId: RunId | null;
  readonly author: string;
  readonly updatedAt: Date;
}

export interface NewSample {
  readonly sideId: SideId;
  readonly direction: Direction;
  readonly name: string;
  readonly content: unknown;
  readonly pinned: boolean;
  readonly runId: RunId | null;
  readonly author: string;
}

/** By name. With `pinned`, those alone that publishing waits for; with `names`, those alone. */
export async function listSamples(
  db: Db | Tx,
  of: {
    readonly sideId: SideId;
    readonly direction: Direction;
    readonly pinned?: boolean;
    readonly names?: readonly string[];
    readonly after?: string;
    readonly limit?: number;
  },
): Promise<StoredSample[]> {
  let query = db.selectFrom("sample").select(columns).where("side_id", "=", of.sideId).where("direction", "=", of.direction).orderBy("name");
  if (of.pinned !== undefined) query = query.where("pinned", "=", of.pinned);
  if (of.names !== undefined) query = query.where("name", "in", [...of.names, ""]);
  if (of.after !== undefined) query = query.where("name", ">", of.after);
  if (of.limit !== undefined) query = query.limit(of.limit);
  return await query.execute();
}

/** Keeps a sample. Undefined when the name is taken: nothing was written. */
export async function createSample(db: Db | Tx, sample: NewSample): Promise<StoredSample | undefined> {
  return await db
    .insertInto("sample")
    .values({
      side_id: sample.sideId,
      direction: sample.direction,
      name: sample.name,
      content: jsonText(sample.content),
      pinned: sample.pinned,
      run_id: sample.runId,
      author: sample.author,
    })
    .onConflict((conflict) => conflict.columns(["side_id", "direction", "name"]).doNothing())
    .returning(columns)
    .executeTakeFirst();
}

/** Changes a sample, whoever made it. Undefined when there is none of that name. */
export async function replaceSample(
  db: Db | Tx,
  sample: Pick<NewSample, "sideId" | "direction" | "name" | "content" | "pinned" | "author">,
): Promise<StoredSample | undefined> {
  return await db
    .updateTable("sample")
    .set({ content: jsonText(sample.content), pinned: sample.pinned, author: sample.author, updated_at: sql<Date>`clock_timestamp()` })
    .where("side_id", "=", sample.sideId)
    .where("direction", "=", sample.direction)
    .where("name", "=", sample.name)
    .returning(columns)
    .executeTakeFirst();
}

export async function removeSample(db: Db | Tx, sample: Pick<NewSample, "sideId" | "direction" | "name">): Promise<boolean> {
  const gone = await db
    .deleteFrom("sample")
    .where("side_id", "=", sample.sideId)
    .where("direction", "=", sample.direction)
    .where("name", "=", sample.name)
    .returning("id")
    .execute();
  return gone.length > 0;
}

const columns = ["id", "name", "content", "pinned", "run_id as runId", "author", "updated_at as updatedAt"] as const;
