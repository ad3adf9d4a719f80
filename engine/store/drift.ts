import { sql } from "kysely";
import { type Db, jsonText, type Tx } from "./database.ts";
import type { Direction, DriftTable, Problem, SideId, VersionId } from "./schema.ts";

type Change = DriftTable["changes"]["__select__"][number];
type Break = DriftTable["breaks"]["__select__"][number];

/** What a look at the live schema found about one active rule. */
export interface FoundDrift {
  readonly sideId: SideId;
  readonly direction: Direction;
  readonly versionId: VersionId;
  /** Hash of today's declarations; null when they could not be made. */
  readonly declarationsHash: string | null;
  readonly changed: boolean;
  readonly changes: readonly Change[];
  readonly breaks: readonly Break[];
  readonly problem: Problem | null;
}

export async function recordDrift(db: Db | Tx, found: FoundDrift): Promise<void> {
  const values = {
    version_id: found.versionId,
    declarations_hash: found.declarationsHash,
    changed: found.changed,
    changes: jsonText(found.changes),
    breaks: jsonText(found.breaks),
    problem: found.problem === null ? null : jsonText(found.problem),
  };
  await db
    .insertInto("drift")
    .values({ side_id: found.sideId, direction: found.direction, ...values })
    .onConflict((conflict) => conflict.columns(["side_id", "direction"]).doUpdateSet({ ...values, checked_at: sql<Date>`clock_timestamp()` }))
    .execute();
}

export interface ActiveVersion {
  readonly versionId: VersionId;
  readonly number: number;
  readonly sideId: SideId;
  readonly direction: Direction;
  readonly source: string;
  readonly declarationsHash: string;
}

/** The versions that run now, of one side or of all. */
export async function activeVersions(db: Db | Tx, sideId?: SideId): Promise<ActiveVersion[]> {
  let query = db
    .selectFrom("rule")
    .innerJoin("rule_version", "rule_version.id", "rule.active_version_id")
    .select([
      "rule_version.id as versionId",
      "rule_version.number",
      "rule.side_id as sideId",
      "rule.direction",
      "rule_version.source",
      "rule_version.declarations_hash as declarationsHash",
    ])
    .orderBy("rule.side_id")
    .orderBy("rule.direction");
  if (sideId !== undefined) query = query.where("rule.side_id", "=", sideId);
  return await query.execute();
}

/** The last look at each rule whose active version it was about, by connection and side. */
export async function listDrift(db: Db, filter: { readonly connection?: string; readonly side?: string } = {}) {
  let query = db
    .selectFrom("drift")
    .innerJoin("rule", (join) =>
      join.onRef("rule.side_id", "=", "drift.side_id").onRef("rule.direction", "=", "drift.direction").onRef("rule.active_version_id", "=", "drift.version_id"),
    )
    .innerJoin("rule_version", "rule_version.id", "drift.version_id")
    .innerJoin("side", "side.id", "drift.side_id")
    .innerJoin("connection", "connection.id", "side.connection_id")
    .select([
      "connection.name as connection",
      "side.name as side",
      "rule_version.direction",
      "rule_version.number as version",
      "drift.version_id as versionId",
      "drift.checked_at as checkedAt",
      "drift.changed",
      "drift.changes",
      "drift.breaks",
      "drift.problem",
    ])
    .orderBy("connection.name")
    .orderBy("side.name")
    .orderBy("rule_version.direction");
  if (filter.connection !== undefined) query = query.where("connection.name", "=", filter.connection);
  if (filter.side !== undefined) query = query.where("side.name", "=", filter.side);
  return await query.execute();
}

/** How many active rules were checked against a schema that has changed since, and how many of them no longer check. */
export async function driftCounts(db: Db): Promise<{ readonly drifted: number; readonly broken: number }> {
  const { rows } = await sql<{ drifted: number; broken: number }>`select count(*) filter (where drift.changed)::integer as drifted,
    count(*) filter (where jsonb_array_length(drift.breaks) > 0)::integer as broken
    from drift join rule on rule.side_id = drift.side_id and rule.direction = drift.direction and rule.active_version_id = drift.version_id`.execute(db);
  return rows[0] ?? { drifted: 0, broken: 0 };
}

export async function keepDeclarations(db: Db | Tx, hash: string, content: string): Promise<void> {
  await db
    .insertInto("declaration")
    .values({ hash, content })
    .onConflict((conflict) => conflict.column("hash").doNothing())
    .execute();
}

/** The declarations that a version was checked against; undefined for versions made before they were kept. */
export async function declarationsBy(db: Db | Tx, hash: string): Promise<string | undefined> {
  return (await db.selectFrom("declaration").select("content").where("hash", "=", hash).executeTakeFirst())?.content;
}
