import type { ClaimedLane } from "../lanes/lanes.ts";
import { beforeWaiting, circleOf, wakeWaiting } from "../lanes/waiting.ts";
import type { SideRow } from "../store/configuration.ts";
import type { Tx } from "../store/database.ts";
import { localRecordFor, type RecordRef } from "../store/twins.ts";
import { paceOf, type SyncContext } from "./context.ts";
import { twinLanePrefix } from "./jobs.ts";
import { RuleFault } from "./rule-fault.ts";
import { delayAfter } from "./settle.ts";

/** How often a rule may wait for a twin that is there. The first time it may just have come. */
const mostInVain = 5;

/**
 * Parks a lane whose rule said `waitFor` until the twin is there. Later work of the lane waits behind it. The tie wakes the lane, whoever makes
 * it and whenever; no clock is needed but for what nobody foresaw. Throws {@link RuleFault} `WAITING_IN_CIRCLE` when what it waits for waits
 * for it, and `NOTHING_TO_WAIT_FOR` when the rule goes on waiting for a twin that is there.
 */
export async function waitForTwin(context: SyncContext, tx: Tx, side: SideRow, lane: ClaimedLane, remoteKey: string): Promise<void> {
  await beforeWaiting(tx, side.connectionId);
  const wait = { sideId: side.id, remoteKey: remoteKey.toWellFormed().replaceAll("\0", "\ufffd") };
  const local = await localRecordFor(tx, side, wait.remoteKey);
  if (local !== undefined) {
    if (lane.attempts + 1 < mostInVain) {
      await context.lanes.putBack(tx, lane, delayAfter(context, lane.attempts), true);
      return;
    }
    throw new RuleFault(
      "NOTHING_TO_WAIT_FOR",
      `The rule waits for ${remoteKey}, which has a twin already: ${local.type} ${local.key ?? local.id}. Ask twins.localFor(${JSON.stringify(remoteKey)}) first, for a record of that type, and wait only where it finds none.`,
      { remoteKey, entityType: local.type, entityId: local.id },
    );
  }
  const circle = await circleOf(tx, twinLanePrefix, lane.key, wait);
  if (circle !== undefined) {
    const others = circle.slice(0, -1);
    throw new RuleFault(
      "WAITING_IN_CIRCLE",
      others.length === 0
        ? `The record waits for itself (${remoteKey}).`
        : `The record (${circle.at(-1)}) waits for ${others.join(", which waits for ")}, which waits for this one: none of them would ever go on.`,
      { circle: [...circle] },
    );
  }
  await context.lanes.putBack(tx, lane, paceOf(context).waitingMs, false, wait);
}

interface Known {
  readonly ref: RecordRef | null;
  readonly key: string | null;
}

/** Wakes what waits for a twin of these two records, now that both are there; `here` is the record of `side`. */
export async function wakeThoseWaiting(tx: Tx, side: SideRow, here: Known, there: Known | undefined): Promise<void> {
  if (here.ref === null || there?.ref == null) return;
  await wakeWaiting(tx, side.connectionId, [
    { sideId: side.id, remoteKeys: namesOf(there) },
    { sideId: side.remote.id, remoteKeys: namesOf(here) },
  ]);
}

function namesOf({ ref, key }: Known): string[] {
  return [ref?.id, key].filter((name) => name !== null && name !== undefined);
}
