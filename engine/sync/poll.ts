import { ConnectorError } from "../../connectors/errors.ts";
import { wakeRunners } from "../lanes/wake.ts";
import { type SideRow, setInstanceStopped } from "../store/configuration.ts";
import { transact } from "../store/database.ts";
import { createCandidates, type KnownRecord, twinsOfRecords } from "../store/twins.ts";
import { advanceWatch, type ClaimedWatch, releaseWatch, restartWatch } from "../store/watches.ts";
import type { LiveInstance } from "./connector-pool.ts";
import { paceOf, type SyncContext } from "./context.ts";
import { observeJob } from "./jobs.ts";
import { delayAfter } from "./settle.ts";

/** Pages read in one go; what is left waits for the next turn, so that one busy watch cannot hold a runner for ever. */
const pagesAtOnce = 25;
const lostCursorBackMs = 24 * 3_600_000;

/**
 * Asks a platform what changed and queues a look at each record concerned. The cursor moves in the transaction that queues, so
 * a crash between the two repeats a page rather than losing it.
 */
export async function poll(context: SyncContext, side: SideRow, instance: LiveInstance, watch: ClaimedWatch): Promise<void> {
  try {
    let cursor = watch.cursor;
    for (let page = 0; page < pagesAtOnce; page++) {
      const found = await instance.connector.poll(
        { entityType: watch.entityType, query: watch.query },
        cursor ?? undefined,
        instance.connector.capabilities.batchSize,
        watch.since.toISOString(),
      );
      const ours = await transact(context.db, async (tx) => {
        if (!(await advanceWatch(tx, watch, found.cursor))) return false;
        const versions = new Map(found.changes.map((change) => [change.ref.id, change.version]));
        const known = await twinsOfRecords(tx, side.id, watch.entityType, [...versions.keys()]);
        // A deleted record concerns its twin, if it has one; it does not start a sync.
        const deleted = new Set(found.changes.filter((change) => change.deleted === true).map((change) => change.ref.id));
        const withTwin = new Set(known.map((record) => record.entityId));
        const started =
          watch.kind === "trigger"
            ? await createCandidates(
                tx,
                side,
                watch.entityType,
                [...versions.keys()].filter((id) => !withTwin.has(id) && !deleted.has(id)),
              )
            : [];
        // A state that was handled already, most often the one that we brought about ourselves, needs no look.
        const news = [...known, ...started].filter(
          (record: KnownRecord) => record.seenVersion === null || record.seenVersion !== versions.get(record.entityId),
        );
        await context.lanes.enqueue(
          tx,
          news.map((record) => observeJob({ connectionId: side.connectionId, twinId: record.twinId, sideId: side.id })),
        );
        if (news.length > 0) await wakeRunners(tx);
        return true;
      });
      if (!ours) return;
      cursor = found.cursor;
      if (!found.more) break;
    }
    if (instance.stopped !== null) await setInstanceStopped(context.db, instance.id, null);
    await releaseWatch(context.db, watch, instance.pollIntervalMs, null);
  } catch (error) {
    await pollFailed(context, side, instance, watch, error);
  }
}

async function pollFailed(context: SyncContext, side: SideRow, instance: LiveInstance, watch: ClaimedWatch, error: unknown): Promise<void> {
  const where = { connection: side.connectionName, side: side.name, entityType: watch.entityType };
  if (!(error instanceof ConnectorError)) {
    context.log.error({ ...where, err: error }, "A poll failed inside Isobridge.");
    await releaseWatch(context.db, watch, delayAfter(context, 3), { code: "INTERNAL", message: "The poll failed inside Isobridge; the node's log says why." });
    return;
  }
  const problem = { code: error.code, message: error.message, ...(error.advice === undefined ? {} : { advice: error.advice }) };
  context.log.warn({ ...where, code: error.code }, error.message);
  if (error.code === "AUTH_EXPIRED" || error.code === "AUTH_CONFIG") await setInstanceStopped(context.db, instance.id, problem);
  if (error.code === "CURSOR_LOST") await restartWatch(context.db, watch, lostCursorBackMs);
  const delay =
    error.retryAfterMs ??
    (error.code === "AUTH_EXPIRED" || error.code === "AUTH_CONFIG" ? paceOf(context).stoppedMs : Math.max(instance.pollIntervalMs, delayAfter(context, 2)));
  await releaseWatch(context.db, watch, delay, problem);
}
