import { sql } from "kysely";
import type { Db, Tx } from "./database.ts";
import type { Direction, SideId, VersionId } from "./schema.ts";

export interface NewVersion {
  readonly sideId: SideId;
  readonly direction: Direction;
  readonly source: string;
  readonly code: string;
  readonly declarationsHash: string;
  readonly note: string;
  readonly author: string;
}

/** Stores the next numbered version and makes it the one that runs. Two publishers at once get different numbers. */
export async function publishVersion(tx: Tx, version: NewVersion): Promise<{ readonly id: VersionId; readonly number: number }> {
  // Publishing for one side and direction goes one at a time, or two would draw the same number.
  await sql`select pg_advisory_xact_lock(hashtextextended(${`rule ${version.sideId} ${version.direction}`}, 0))`.execute(tx);
  const last = await tx
    .selectFrom("rule_version")
    .select(({ fn }) => fn.max("number").as("number"))
    .where("side_id", "=", version.sideId)
    .where("direction", "=", version.direction)
    .executeTakeFirst();
  const number = (last?.number ?? 0) + 1;
  const { id } = await tx
    .insertInto("rule_version")
    .values({
      side_id: version.sideId,
      direction: version.direction,
      number,
      source: version.source,
      code: version.code,
      declarations_hash: version.declarationsHash,
      note: version.note,
      author: version.author,
    })
    .returning("id")
    .executeTakeFirstOrThrow();
  await tx
    .insertInto("rule")
    .values({ side_id: version.sideId, direction: version.direction, active_version_id: id })
    .onConflict((conflict) => conflict.columns(["side_id", "direction"]).doUpdateSet({ active_version_id: id }))
    .execute();
  return { id, number };
}

/** The text that runs now, to compare with one about to be published. */
export async function activeSource(db: Db | Tx, sideId: SideId, direction: Direction): Promise<{ readonly number: number; readonly source: string } | undefined> {
  return await db
    .selectFrom("rule")
    .innerJoin("rule_version", "rule_version.id", "rule.active_version_id")
    .select(["rule_version.number", "rule_version.source"])
    .where("rule.side_id", "=", sideId)
    .where("rule.direction", "=", direction)
    .executeTakeFirst();
}
