import type { Connector, Entity } from "../../connectors/connector.ts";
import type { ClaimedLane } from "../lanes/lanes.ts";
import { type ActiveRule, type SideRow, setInstanceStopped } from "../store/configuration.ts";
import type { Tx } from "../store/database.ts";
import { recordRuns } from "../store/runs.ts";
import type { TwinId } from "../store/schema.ts";
import { dropCandidate, loadTraces, loadTwins, recordSeen, type Trace, type TwinState } from "../store/twins.ts";
import type { LiveInstance } from "./connector-pool.ts";
import type { SyncContext } from "./context.ts";
import { richTextIn } from "./dialects.ts";
import { runEffects } from "./effects.ts";
import { makerOf } from "./maker.ts";
import { askOutgoing } from "./outgoing.ts";
import { RuleFault } from "./rule-fault.ts";
import { ruleOf } from "./rule-run.ts";
import { sendReplica } from "./send.ts";
import { settleError } from "./settle.ts";
import { waitForTwin, wakeThoseWaiting } from "./waiting.ts";

/** How soon a record is looked at again that a create under way may turn out to have made, in milliseconds. */
const undecidedDelayMs = 1_000;

/** A lane whose head asks to look at one record of a side. */
export interface ObserveItem {
  readonly lane: ClaimedLane;
  readonly twinId: TwinId;
  /** Send the replica even if the other side is held to know it. */
  readonly anyway: boolean;
}

/**
 * Looks at records of one side and sends what is new: reads them together, runs the outgoing rule on each, and records each
 * outcome in a transaction of its own. An error of one record concerns its lane alone.
 */
export async function observe(context: SyncContext, side: SideRow, instance: LiveInstance, items: readonly ObserveItem[]): Promise<void> {
  const twinIds = items.map((item) => item.twinId);
  const [twins, traces] = await Promise.all([loadTwins(context.db, twinIds), loadTraces(context.db, twinIds)]);
  const readable: { item: ObserveItem; twin: TwinState; ref: { type: string; id: string } }[] = [];
  for (const item of items) {
    const twin = twins.get(item.twinId);
    const ref = twin?.sides.get(side.id)?.ref;
    // The twin gave way or ended meanwhile: nothing to look at any more.
    if (twin === undefined || twin.state === "ended" || ref == null)
      await context.db
        .transaction()
        .execute(async (tx) => await context.lanes.complete(tx, item.lane))
        .catch((error) => fail(context, side, item, error));
    else readable.push({ item, twin, ref });
  }
  if (readable.length === 0) return;
  try {
    const rule = await ruleOf(context, side, "outgoing");
    const outcomes = await readMany(
      instance.connector,
      readable.map(({ ref }) => ref),
    );
    if (instance.stopped !== null) await setInstanceStopped(context.db, instance.id, null);
    context.passing("observe.read");
    await Promise.all(
      readable.map(async ({ item, twin }, index) => {
        const outcome = outcomes[index];
        try {
          if (outcome === undefined) throw new Error("The connector answered fewer records than it was asked for.");
          if (!outcome.ok) throw outcome.error;
          await observeOne(context, side, instance.connector, rule, item, twin, traces.get(twin.id) ?? [], outcome.entity);
        } catch (error) {
          await fail(context, side, item, error);
        }
      }),
    );
  } catch (error) {
    await Promise.all(readable.map(async ({ item }) => await fail(context, side, item, error)));
  }
}

/** Reads in as many calls as the platform's batch size asks for. */
export async function readMany(connector: Connector, refs: readonly { type: string; id: string }[]): Promise<Awaited<ReturnType<Connector["read"]>>> {
  const size = connector.capabilities.batchSize;
  const parts = [];
  for (let start = 0; start < refs.length; start += size) parts.push(await connector.read(refs.slice(start, start + size)));
  return parts.flat();
}

async function observeOne(
  context: SyncContext,
  side: SideRow,
  connector: Connector,
  rule: ActiveRule,
  item: ObserveItem,
  twin: TwinState,
  traces: readonly Trace[],
  entity: Entity,
): Promise<void> {
  const maker = twin.state === "candidate" && (twin.sides.get(side.id)?.sentSequence ?? 0) === 0 ? await makerOf(context.db, side, entity) : "somebody";
  if (maker !== "somebody") {
    await context.db.transaction().execute(async (tx) => {
      if (maker === "perhaps us") {
        await context.lanes.putBack(tx, item.lane, undecidedDelayMs, false);
        return;
      }
      // We made this record for a message that is still being applied; a poll saw it first. Its twin is the other one.
      await context.lanes.complete(tx, item.lane);
      await dropCandidate(tx, twin.id);
    });
    return;
  }
  const { run, said, fault } = await askOutgoing(context, side, rule, twin, traces, entity);
  if (fault !== undefined || said === undefined) {
    await settleError(context, { lane: item.lane, side, twinId: twin.id, runs: [run] }, fault);
    return;
  }
  const local = twin.sides.get(side.id);
  const rich = said.kind === "replica" ? await richTextIn(connector, entity, said.replica) : [];
  context.passing("observe.before-send");
  const handle = async (tx: Tx): Promise<void> => {
    if (said.kind === "waiting") await waitForTwin(context, tx, side, item.lane, said.remoteKey);
    else await context.lanes.complete(tx, item.lane);
    await recordSeen(tx, twin.id, side.id, { key: entity.key, url: entity.url, version: entity.version });
    if (entity.key !== local?.key) await wakeThoseWaiting(tx, side, { ref: entity.ref, key: entity.key }, twin.sides.get(side.remote.id));
    const news = said.kind === "replica" && (item.anyway || said.hash !== local?.sentHash);
    await recordRuns(tx, [news || said.kind !== "replica" ? run : { ...run, reason: "The replica equals the last one sent; nothing was sent." }]);
    if (said.kind !== "replica") return;
    if (news) {
      await sendReplica(context, tx, side, {
        twinId: twin.id,
        replica: said.replica,
        hash: said.hash,
        previous: local?.sent ?? null,
        rich,
        sequence: (local?.sentSequence ?? 0) + 1,
        basis: local?.receivedSequence ?? 0,
      });
    }
    await runEffects(context, tx, side, twin.id, said.effects);
  };
  try {
    await context.db.transaction().execute(handle);
  } catch (error) {
    if (!(error instanceof RuleFault)) throw error;
    // The record is known by its key all the same: others may wait for it.
    await context.db.transaction().execute(async (tx) => await recordSeen(tx, twin.id, side.id, { key: entity.key, url: entity.url, version: entity.version }));
    await settleError(context, { lane: item.lane, side, twinId: twin.id, runs: [run] }, error);
    return;
  }
  context.passing("observe.sent");
}

async function fail(context: SyncContext, side: SideRow, item: ObserveItem, error: unknown): Promise<void> {
  await settleError(context, { lane: item.lane, side, twinId: item.twinId, runs: [] }, error);
}
