import { ConnectorError } from "../../connectors/errors.ts";
import { wakeRunners } from "../lanes/wake.ts";
import { takeChore } from "../store/chores.ts";
import { listSides, type SideRow } from "../store/configuration.ts";
import { transact } from "../store/database.ts";
import { recordMissing, takeSweep } from "../store/sweeps.ts";
import type { SyncContext } from "./context.ts";
import { observeJob } from "./jobs.ts";

const everyMinuteMs = 60_000;
const everyHourMs = 3_600_000;
/** Tied records looked for in one go: a few platform calls a minute and side. */
const atOnce = 500;

/**
 * Looks for tied records that are gone without a word, on platforms whose connector can tell: some hundred a minute, each about
 * once an hour. One that is gone is looked at, and its twin parked with what the platform says.
 */
export async function reconcile(context: SyncContext, stopping: () => boolean = () => false): Promise<void> {
  if (!(await takeChore(context.db, "reconcile", everyMinuteMs))) return;
  for (const side of await listSides(context.db)) {
    if (stopping()) return;
    if (side.active) await reconcileSide(context, side, everyHourMs);
  }
}

/** One part of one side's sweep; gives how many records turned out to be gone. `everyMs` lies between the beginnings of two sweeps. */
export async function reconcileSide(context: SyncContext, side: SideRow, everyMs: number): Promise<number> {
  const where = { connection: side.connectionName, side: side.name };
  try {
    const { connector, stopped } = await context.connectors.instance(side.instanceId);
    if (connector.missing === undefined || stopped !== null) return 0;
    const records = (await takeSweep(context.db, side.id, atOnce, everyMs)) ?? [];
    if (records.length === 0) return 0;
    const gone = new Set((await connector.missing(records.map(({ type, id }) => ({ type, id })))).map(({ type, id }) => `${type}/${id}`));
    const lost = records.filter(({ type, id }) => gone.has(`${type}/${id}`));
    if (lost.length === 0) return 0;
    await transact(context.db, async (tx) => {
      const news = [];
      for (const { twinId } of lost) if (await recordMissing(tx, side.id, twinId)) news.push(twinId);
      await context.lanes.enqueue(
        tx,
        news.map((twinId) => observeJob({ connectionId: side.connectionId, twinId, sideId: side.id })),
      );
      await wakeRunners(tx);
    });
    return lost.length;
  } catch (error) {
    if (error instanceof ConnectorError) context.log.warn({ ...where, code: error.code }, `Looking for records that are gone: ${error.message}`);
    else context.log.error({ ...where, err: error }, "Looking for records that are gone failed inside Isobridge.");
    return 0;
  }
}
