import { sql } from "kysely";
import { type Db, jsonText, type Tx } from "./database.ts";
import { keepLibrariesOfVersion } from "./libraries.ts";
import type { Direction, LibraryVersionId, SideId, VersionId } from "./schema.ts";

export interface NewVersion {
  readonly sideId: SideId;
  readonly direction: Direction;
  readonly source: string;
  readonly code: string;
  readonly declarationsHash: string;
  readonly note: string;
  readonly author: string;
  /** What the check before publishing found. */
  readonly report?: unknown;
  /** Those whose text is part of `code`. */
  readonly libraries: readonly LibraryVersionId[];
}

/** Stores the next numbered version and makes it the one that runs. Two publishers at once get different numbers. */
export async function publishVersion(tx: Tx, version: NewVersion): Promise<{ readonly id: VersionId; readonly number: number }> {
  await lockRule(tx, version.sideId, version.direction);
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
      report: version.report === undefined ? null : jsonText(version.report),
    })
    .returning("id")
    .executeTakeFirstOrThrow();
  await keepLibrariesOfVersion(tx, id, version.libraries);
  await tx
    .insertInto("rule")
    .values({ side_id: version.sideId, direction: version.direction, active_version_id: id })
    .onConflict((conflict) => conflict.columns(["side_id", "direction"]).doUpdateSet({ active_version_id: id }))
    .execute();
  return { id, number };
}

/**
 * Publishing for one side and direction goes one at a time, or two would draw the same number; and never while libraries are published. Both locks are
 * held until the transaction ends, and always taken in this order.
 */
export async function lockRule(tx: Tx, sideId: SideId, direction: Direction): Promise<void> {
  await sql`select pg_advisory_xact_lock_shared(hashtextextended('libraries', 0))`.execute(tx);
  await sql`select pg_advisory_xact_lock(hashtextextended(${`rule ${sideId} ${direction}`}, 0))`.execute(tx);
}

/** A version as it was published, with what ran. */
export async function publishedVersion(db: Db | Tx, id: string) {
  return await db
    .selectFrom("rule_version")
    .select(["id", "side_id as sideId", "direction", "number", "source", "code", "declarations_hash as declarationsHash"])
    .where(sql<boolean>`id = ${id}::uuid`)
    .executeTakeFirst();
}

/** The text that runs now, to compare with one about to be published. */
export async function activeSource(
  db: Db | Tx,
  sideId: SideId,
  direction: Direction,
): Promise<{ readonly number: number; readonly source: string } | undefined> {
  return await db
    .selectFrom("rule")
    .innerJoin("rule_version", "rule_version.id", "rule.active_version_id")
    .select(["rule_version.number", "rule_version.source"])
    .where("rule.side_id", "=", sideId)
    .where("rule.direction", "=", direction)
    .executeTakeFirst();
}

/** The text of a rule's version by its number. */
export async function sourceOfVersion(db: Db | Tx, sideId: SideId, direction: Direction, number: number): Promise<string | undefined> {
  const row = await db
    .selectFrom("rule_version")
    .select("source")
    .where("side_id", "=", sideId)
    .where("direction", "=", direction)
    .where("number", "=", number)
    .executeTakeFirst();
  return row?.source;
}
