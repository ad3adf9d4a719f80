import { wakeRunners } from "../lanes/wake.ts";
import type { Effects } from "../rules/run-input.ts";
import type { SideRow } from "../store/configuration.ts";
import type { Tx } from "../store/database.ts";
import type { TwinId } from "../store/schema.ts";
import { createCandidates, endTwin, twinsOfRecords } from "../store/twins.ts";
import type { SyncContext } from "./context.ts";
import { observeJob } from "./jobs.ts";

/** Carries out what a rule asked for beside its result: syncs of other records, of this one back, or the end of the tie. */
export async function runEffects(context: SyncContext, tx: Tx, side: SideRow, twinId: TwinId, effects: Effects): Promise<void> {
  for (const ref of effects.startSync) await startSync(context, tx, side, ref);
  if (effects.syncBack) await context.lanes.enqueue(tx, [observeJob({ connectionId: side.connectionId, twinId, sideId: side.id, anyway: true })]);
  if (effects.unlink) await endTwin(tx, twinId);
  if (effects.startSync.length > 0 || effects.syncBack) await wakeRunners(tx);
}

/** Queues a look at a record, starting a twin for it when it has none. Returns the twin. */
export async function startSync(context: SyncContext, tx: Tx, side: SideRow, ref: { readonly type: string; readonly id: string }): Promise<TwinId> {
  const known = await twinsOfRecords(tx, side.id, ref.type, [ref.id]);
  const [twin] = known.length > 0 ? known : await createCandidates(tx, side, ref.type, [ref.id]);
  // Somebody else started it between our two looks: it is there now.
  const twinId = twin?.twinId ?? (await twinsOfRecords(tx, side.id, ref.type, [ref.id]))[0]?.twinId;
  if (twinId === undefined) throw new Error(`No twin could be started for ${ref.type} ${ref.id}.`);
  await context.lanes.enqueue(tx, [observeJob({ connectionId: side.connectionId, twinId, sideId: side.id })]);
  return twinId;
}
