import type { Json } from "../replica/json.ts";
import { type Db, jsonText, type Tx } from "./database.ts";
import type { ConnectionId, Direction, RunId, SideId, TwinId, VersionId } from "./schema.ts";

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
        input: jsonText(run.input),
        calls: jsonText(run.calls),
        output: run.output === null || run.output === undefined ? null : jsonText(run.output),
        console: jsonText(run.console),
        error: run.error === null ? null : jsonText(run.error),
        cpu_ms: run.cpuMs,
        wall_ms: run.wallMs,
      })),
    )
    .execute();
}

/** Removes runs older than the date, a bounded number at a time. Returns how many. */
export async function forgetRuns(db: Db, before: Date, limit: number): Promise<number> {
  const result = await db
    .deleteFrom("run")
    .where("id", "in", (select) => select.selectFrom("run").select("id").where("created_at", "<", before).orderBy("created_at").limit(limit))
    .executeTakeFirst();
  return Number(result.numDeletedRows);
}
