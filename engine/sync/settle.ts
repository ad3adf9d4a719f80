import { ConnectorError, reactionTo } from "../../connectors/errors.ts";
import { type ClaimedLane, LeaseLost } from "../lanes/lanes.ts";
import { type SideRow, setInstanceStopped } from "../store/configuration.ts";
import { type Fault, type NewFailure, recordFailure } from "../store/failures.ts";
import type { NewRun } from "../store/runs.ts";
import { recordRuns } from "../store/runs.ts";
import type { RunId, TwinId } from "../store/schema.ts";
import { paceOf, type SyncContext } from "./context.ts";
import { StillInDoubt } from "./doubt.ts";
import { withoutHidden } from "./redaction.ts";
import { RuleFault } from "./rule-fault.ts";

/** After how many tries an error that may pass by itself, but says nothing of an outage, parks the lane. */
const patience = 8;
const longestDelayMs = 300_000;

/** What the error was about. */
export interface Work {
  readonly lane: ClaimedLane;
  readonly side: SideRow;
  readonly twinId: TwinId;
  /** Runs to be recorded all the same. */
  readonly runs: readonly NewRun[];
}

/**
 * Decides what becomes of a lane whose head could not be finished: later, parked, or (when another runner has it now) nothing.
 * The one place where this is decided.
 */
export async function settleError(context: SyncContext, work: Work, error: unknown): Promise<void> {
  const { lane, side } = work;
  if (error instanceof LeaseLost) {
    context.log.warn({ lane: lane.key }, error.message);
    return;
  }
  try {
    if (error instanceof StillInDoubt) await later(context, work, error.waitMs, false);
    else if (error instanceof ConnectorError) await settleConnectorError(context, work, error);
    else if (error instanceof RuleFault)
      await park(context, work, { code: error.code, fault: "rule", message: error.message, advice: null, detail: error.detail, runId: error.runId });
    else {
      context.log.error({ err: error, lane: lane.key, connection: side.connectionName }, "Isobridge itself failed at a piece of work.");
      if (lane.attempts + 1 < patience) await later(context, work, delayAfter(context, lane.attempts), true);
      else await park(context, work, ours(error));
    }
  } catch (settling) {
    if (settling instanceof LeaseLost) context.log.warn({ lane: lane.key }, settling.message);
    else context.log.error({ err: settling, lane: lane.key }, "A lane could not be put back; it is freed when its lease ends.");
  }
}

async function settleConnectorError(context: SyncContext, work: Work, error: ConnectorError): Promise<void> {
  const { lane, side } = work;
  const reaction = reactionTo[error.code];
  if (reaction === "stop-instance") {
    context.log.error({ connection: side.connectionName, side: side.name, code: error.code }, error.message);
    await setInstanceStopped(context.db, side.instanceId, {
      code: error.code,
      message: error.message,
      ...(error.advice === undefined ? {} : { advice: error.advice }),
    });
    await later(context, work, paceOf(context).stoppedMs, false);
    return;
  }
  const passing = error.code === "TRANSIENT" || error.code === "THROTTLED" || error.code === "CURSOR_LOST";
  if (reaction === "retry" && (passing || lane.attempts + 1 < patience)) {
    context.log.warn({ lane: lane.key, connection: side.connectionName, side: side.name, code: error.code, attempt: lane.attempts + 1 }, error.message);
    await later(context, work, error.retryAfterMs ?? delayAfter(context, lane.attempts), true);
    return;
  }
  await park(context, work, {
    code: error.code,
    fault: "platform",
    message: `${side.connectionName}, side ${side.name}: ${error.message}`,
    advice: error.advice ?? null,
    detail: {
      ...(error.fields.length === 0 ? {} : { fields: [...error.fields] }),
      ...(error.status === undefined ? {} : { status: error.status }),
      ...(error.platformCode === undefined ? {} : { platformCode: error.platformCode }),
    },
    runId: null,
  });
}

/** Exponential with full jitter, in milliseconds: 1 s, 2 s, 4 s … at most five minutes. */
export function delayAfter(context: Pick<SyncContext, "random">, attempts: number): number {
  return 250 + context.random() * Math.min(longestDelayMs, 1000 * 2 ** Math.min(attempts, 16));
}

async function later(context: SyncContext, work: Work, delayMs: number, counts: boolean): Promise<void> {
  await context.db.transaction().execute(async (tx) => {
    await context.lanes.putBack(tx, work.lane, delayMs, counts);
    await recordRuns(tx, work.runs);
  });
}

type Parked = Pick<NewFailure, "code" | "message" | "advice" | "detail"> & { readonly fault: Fault; readonly runId: RunId | null };

async function park(context: SyncContext, work: Work, said: Parked): Promise<void> {
  const { lane, side, twinId } = work;
  // Platforms quote what they refuse, and rules what they looked at.
  const parked = { ...said, ...withoutHidden(work.runs, { message: said.message, advice: said.advice, detail: said.detail }) };
  context.log.warn({ lane: lane.key, connection: side.connectionName, side: side.name, code: parked.code }, parked.message);
  await context.db.transaction().execute(async (tx) => {
    await context.lanes.block(tx, lane);
    await recordRuns(tx, work.runs);
    await recordFailure(tx, { laneKey: lane.key, jobId: lane.jobId, connectionId: side.connectionId, twinId, sideId: side.id, ...parked });
  });
}

function ours(error: unknown): Parked {
  const name = error instanceof Error ? error.message : String(error);
  return {
    code: "INTERNAL",
    fault: "isobridge",
    message: `Isobridge could not finish this after ${patience} tries: ${name}`,
    advice: "Look into the node's log, then retry.",
    detail: {},
    runId: null,
  };
}
