import { sql } from "kysely";
import { isJsonObject, type Json } from "../replica/json.ts";
import { type Db, jsonText, type Tx } from "./database.ts";
import type { HiddenTexts } from "./hidden-texts.ts";
import type { ConnectionId, Direction, RunId, SideId, TwinId, VersionId, Withheld } from "./schema.ts";

/** One execution of a rule version, with all that is needed to look at it later or to replay it. */
export interface NewRun {
  readonly id: RunId;
  readonly connectionId: ConnectionId;
  readonly sideId: SideId;
  readonly twinId: TwinId | null;
  readonly versionId: VersionId;
  readonly direction: Direction;
  readonly outcome: "ok" | "skipped" | "failed" | "waiting" | "error";
  readonly reason: string | null;
  readonly input: unknown;
  readonly calls: unknown;
  readonly output: unknown;
  readonly console: readonly string[];
  readonly error: Json | null;
  /** Milliseconds. */
  readonly cpuMs: number;
  readonly wallMs: number;
  /** Names the tables of values in the input, which are stored once and not with each run. */
  readonly mappingsHash?: string | null;
  readonly withheld?: Withheld | null;
  /** Texts that were replaced in this record: whatever else is said of the run must not show them either. Not stored. */
  readonly hidden?: HiddenTexts;
}

export async function recordRuns(db: Db | Tx, runs: readonly NewRun[]): Promise<void> {
  if (runs.length === 0) return;
  await db
    .insertInto("run")
    .values(
      runs.map((run) => ({
        id: run.id,
        connection_id: run.connectionId,
        side_id: run.sideId,
        twin_id: run.twinId,
        version_id: run.versionId,
        direction: run.direction,
        outcome: run.outcome,
        reason: run.reason,
        input: jsonText(run.mappingsHash == null ? run.input : { ...(run.input as object), mappings: {} }),
        calls: jsonText(run.calls),
        output: run.output === null || run.output === undefined ? null : jsonText(run.output),
        console: jsonText(run.console),
        error: run.error === null ? null : jsonText(run.error),
        cpu_ms: run.cpuMs,
        wall_ms: run.wallMs,
        mappings_hash: run.mappingsHash ?? null,
        withheld: run.withheld == null ? null : jsonText(run.withheld),
      })),
    )
    .execute();
}

/** How much of the history is kept where a connection says nothing of its own. */
export interface Retention {
  readonly days: number;
  /** Runs of one connection. */
  readonly count: number;
}

/**
 * Removes runs that are older than their connection keeps them, or more than it keeps, at most `limit` of a connection at a time.
 * Returns whether there is more to remove. Found by the indexes run_age and run_list, whatever the other connections keep.
 */
export async function forgetRuns(db: Db, now: Date, usual: Retention, limit: number): Promise<boolean> {
  const connections = await db.selectFrom("connection").select(["id", "keep_runs_days as days", "keep_runs as count"]).execute();
  let more = false;
  for (const { id, days, count } of connections) {
    const before = new Date(now.getTime() - (days ?? usual.days) * 86_400_000);
    const old = await sql`delete from run where id in
      (select id from run where connection_id = ${id} and created_at < ${before} order by created_at limit ${limit})`.execute(db);
    const many = await sql`delete from run where id in (select id from run where connection_id = ${id}
      and number <= (select number from run where connection_id = ${id} order by number desc offset ${count ?? usual.count} limit 1)
      order by number limit ${limit})`.execute(db);
    if (Number(old.numAffectedRows ?? 0) >= limit || Number(many.numAffectedRows ?? 0) >= limit) more = true;
  }
  return more;
}

/** A run as it can be gone through again. */
export interface RecordedRun {
  readonly id: RunId;
  readonly number: number;
  readonly sideId: SideId;
  readonly direction: Direction;
  readonly versionId: VersionId;
  readonly version: number;
  readonly outcome: NewRun["outcome"];
  /** With its tables of values. */
  readonly input: Json;
  readonly calls: Json;
  readonly output: Json | null;
  readonly error: Json | null;
  readonly withheld: Withheld | null;
  /** Key of the record on this side, for people. */
  readonly key: string | null;
  readonly createdAt: Date;
}

/** The last runs of a side's rule, newest first; with `before`, those before that number. */
export async function lastRuns(
  db: Db,
  of: { readonly sideId: SideId; readonly direction: Direction; readonly limit: number; readonly before?: number | undefined },
): Promise<RecordedRun[]> {
  let query = recorded(db).where("run.side_id", "=", of.sideId).where("run.direction", "=", of.direction).orderBy("run.number", "desc").limit(of.limit);
  if (of.before !== undefined) query = query.where("run.number", "<", of.before);
  return (await query.execute()).map(whole);
}

export async function recordedRun(db: Db, id: string): Promise<RecordedRun | undefined> {
  const row = await recorded(db).where(sql<boolean>`run.id = ${id}::uuid`).executeTakeFirst();
  return row === undefined ? undefined : whole(row);
}

function recorded(db: Db) {
  return db
    .selectFrom("run")
    .innerJoin("rule_version", "rule_version.id", "run.version_id")
    .leftJoin("mapping_set", "mapping_set.hash", "run.mappings_hash")
    .leftJoin("twin_side", (join) => join.onRef("twin_side.twin_id", "=", "run.twin_id").onRef("twin_side.side_id", "=", "run.side_id"))
    .select([
      "run.id",
      "run.number",
      "run.side_id as sideId",
      "run.direction",
      "run.version_id as versionId",
      "rule_version.number as version",
      "run.outcome",
      "run.input",
      "run.calls",
      "run.output",
      "run.error",
      "run.withheld",
      "mapping_set.tables",
      "twin_side.entity_key as key",
      "run.created_at as createdAt",
    ]);
}

function whole({ tables, ...run }: RecordedRun & { readonly tables: unknown }): RecordedRun {
  // Tables of values are JSON by construction; their interface does not count as such.
  return tables === null || !isJsonObject(run.input) ? run : { ...run, input: { ...run.input, mappings: tables as Json } };
}
