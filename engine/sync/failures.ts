import { wakeRunners } from "../lanes/wake.ts";
import { resolveFailure } from "../store/failures.ts";
import { settleMessage } from "../store/messages.ts";
import type { SyncContext } from "./context.ts";
import { parseJob } from "./jobs.ts";

/** Lets a parked lane try again, with the rules and the configuration of now. False when the failure is not open. */
export async function retryFailure(context: SyncContext, failureId: number): Promise<boolean> {
  return await context.db.transaction().execute(async (tx) => {
    const lane = await resolveFailure(tx, failureId, "retried");
    if (lane === undefined) return false;
    await context.lanes.retry(tx, lane);
    await wakeRunners(tx);
    return true;
  });
}

/** Lets a parked lane go on without the work that failed. False when the failure is not open. */
export async function skipFailure(context: SyncContext, failureId: number): Promise<boolean> {
  return await context.db.transaction().execute(async (tx) => {
    const lane = await resolveFailure(tx, failureId, "skipped");
    if (lane === undefined) return false;
    const skipped = await context.lanes.skip(tx, lane);
    if (skipped !== undefined) {
      const job = parseJob(skipped.kind, skipped.payload);
      if (job.kind === "apply") await settleMessage(tx, job.messageId, "skipped", `Skipped by a person (failure ${failureId}).`);
    }
    await wakeRunners(tx);
    return true;
  });
}
