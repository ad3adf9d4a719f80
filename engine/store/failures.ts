import type { Json } from "../replica/json.ts";
import { jsonText, type Tx } from "./database.ts";
import type { ConnectionId, RunId, SideId, TwinId } from "./schema.ts";

export type Fault = "rule" | "platform" | "operator" | "isobridge";

/** Why a lane is parked, for the person who is to act. */
export interface NewFailure {
  readonly laneKey: string;
  readonly jobId: number;
  readonly connectionId: ConnectionId;
  readonly twinId: TwinId | null;
  readonly sideId: SideId | null;
  readonly runId: RunId | null;
  readonly code: string;
  readonly fault: Fault;
  readonly message: string;
  readonly advice: string | null;
  readonly detail: Readonly<Record<string, Json>>;
}

export async function recordFailure(tx: Tx, failure: NewFailure): Promise<number> {
  const row = await tx
    .insertInto("failure")
    .values({
      lane_key: failure.laneKey,
      job_id: failure.jobId,
      connection_id: failure.connectionId,
      twin_id: failure.twinId,
      side_id: failure.sideId,
      run_id: failure.runId,
      code: failure.code,
      fault: failure.fault,
      message: failure.message,
      advice: failure.advice,
      detail: jsonText(failure.detail),
    })
    .returning("id")
    .executeTakeFirstOrThrow();
  return row.id;
}

/** Marks an open failure as dealt with. Its lane's key, or undefined when there is no such open failure. */
export async function resolveFailure(tx: Tx, id: number, resolution: "retried" | "skipped"): Promise<string | undefined> {
  const row = await tx
    .updateTable("failure")
    .set({ resolved_at: new Date(), resolution })
    .where("id", "=", id)
    .where("resolved_at", "is", null)
    .returning("lane_key")
    .executeTakeFirst();
  return row?.lane_key;
}
