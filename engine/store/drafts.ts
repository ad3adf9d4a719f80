import { sql } from "kysely";
import type { Db, Tx } from "./database.ts";
import type { Direction, SideId } from "./schema.ts";

/** A rule's text in the making, as it was last saved. */
export interface Draft {
  readonly source: string;
  /** Number of the version that was active when it was begun; null when there was none. */
  readonly basedOn: number | null;
  /** Changes with each save; whoever saves next has to name it. */
  readonly revision: number;
  readonly author: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export async function readDraft(db: Db | Tx, sideId: SideId, direction: Direction): Promise<Draft | undefined> {
  return await db.selectFrom("draft").select(columns).where("side_id", "=", sideId).where("direction", "=", direction).executeTakeFirst();
}

/** Begins a draft. Undefined when there is one already: nothing was written. */
export async function beginDraft(
  db: Db | Tx,
  draft: { readonly sideId: SideId; readonly direction: Direction; readonly source: string; readonly basedOn: number | null; readonly author: string },
): Promise<Draft | undefined> {
  return await db
    .insertInto("draft")
    .values({ side_id: draft.sideId, direction: draft.direction, source: draft.source, based_on: draft.basedOn, author: draft.author })
    .onConflict((conflict) => conflict.columns(["side_id", "direction"]).doNothing())
    .returning(columns)
    .executeTakeFirst();
}

/** Saves over the revision that the editor had. Undefined when the draft is at another one by now, or gone: nothing was written. */
export async function saveDraft(
  db: Db | Tx,
  draft: {
    readonly sideId: SideId;
    readonly direction: Direction;
    readonly source: string;
    readonly revision: number;
    readonly basedOn?: number | null;
    readonly author: string;
  },
): Promise<Draft | undefined> {
  return await db
    .updateTable("draft")
    .set({
      source: draft.source,
      author: draft.author,
      revision: sql<number>`nextval('draft_revision')`,
      updated_at: sql<Date>`clock_timestamp()`,
      ...(draft.basedOn === undefined ? {} : { based_on: draft.basedOn }),
    })
    .where("side_id", "=", draft.sideId)
    .where("direction", "=", draft.direction)
    .where("revision", "=", draft.revision)
    .returning(columns)
    .executeTakeFirst();
}

/** Throws a draft away, if it is still at this revision. False when it is not. */
export async function discardDraft(
  db: Db | Tx,
  draft: { readonly sideId: SideId; readonly direction: Direction; readonly revision: number },
): Promise<boolean> {
  const gone = await db
    .deleteFrom("draft")
    .where("side_id", "=", draft.sideId)
    .where("direction", "=", draft.direction)
    .where("revision", "=", draft.revision)
    .returning("revision")
    .execute();
  return gone.length > 0;
}

const columns = ["source", "based_on as basedOn", "revision", "author", "created_at as createdAt", "updated_at as updatedAt"] as const;
