import type { Connector, Entity, EntitySchema } from "../../connectors/connector.ts";
import { sameJson } from "../replica/canonical.ts";
import type { Json } from "../replica/json.ts";
import type { ClaimedLane } from "../lanes/lanes.ts";
import { type ActiveRule, setInstanceStopped, type SideRow } from "../store/configuration.ts";
import type { Tx } from "../store/database.ts";
import { type Intent, intentsOf, loadMessages, type Message, settleMessage, storeMessage } from "../store/messages.ts";
import { type NewRun, recordRuns } from "../store/runs.ts";
import type { TwinId } from "../store/schema.ts";
import { loadTraces, loadTwins, recordAcknowledged, recordReceived, recordSeen, recordSent, type Trace, tieRecord, type TwinState } from "../store/twins.ts";
import { watchTwins } from "../store/watches.ts";
import { wakeRunners } from "../lanes/wake.ts";
import type { LiveInstance } from "./connector-pool.ts";
import type { SyncContext } from "./context.ts";
import { runEffects } from "./effects.ts";
import { expectedAfter } from "./entity-view.ts";
import { decideChange, type Decision } from "./incoming.ts";
import { readMany, waitingDelayMs } from "./observe.ts";
import { askOutgoing, type Said } from "./outgoing.ts";
import { ruleOf } from "./rule-run.ts";
import { sendReplica } from "./send.ts";
import { settleError } from "./settle.ts";
import { type DoneWrites, settleLeftOver, writeAttached, writeRecords } from "./write.ts";

/** A lane whose head is a message to be carried into a record of a side. */
export interface ApplyItem {
  readonly lane: ClaimedLane;
  readonly twinId: TwinId;
  readonly messageId: number;
}

/** One message on its way through the steps of {@link apply}. */
export interface Applying {
  readonly item: ApplyItem;
  readonly message: Message;
  readonly twin: TwinState;
  traces: readonly Trace[];
  readonly runs: NewRun[];
  /** The intents of earlier tries. */
  intents: readonly Intent[];
  /** The local record before the write; null on a first sync. */
  before: Entity | null;
  /** What was read before the rule ran, if it differs from what the other side knows: a local edit not yet sent. */
  unsent: Extract<Said, { kind: "replica" }> | undefined;
  decision: Decision | undefined;
  done: DoneWrites;
  after: Entity | undefined;
}

/**
 * Carries messages into records of one side, in steps that each work on all of them at once, because platform calls are the
 * scarce thing: settle what an earlier try left open, read, run the incoming rules, write records, write comments and
 * attachments, read back, record. A message that fails leaves the group; the others go on.
 */
export async function apply(context: SyncContext, side: SideRow, instance: LiveInstance, items: readonly ApplyItem[]): Promise<void> {
  const group = new ApplyGroup(context, side, await loadItems(context, side, items));
  const { connector } = instance;
  await group.together(async (all) => await settleLeftOver(context, side, connector, all));
  await group.together(async (all) => await readBefore(side, connector, all));
  if (instance.stopped !== null && group.open.length > 0) await setInstanceStopped(context.db, instance.id, null);
  context.passing("apply.start");
  const rules: Rules = { incoming: undefined, outgoing: undefined };
  await group.together(async () => {
    rules.incoming = await ruleOf(context, side, "incoming");
    rules.outgoing = await ruleOf(context, side, "outgoing");
  });
  await group.each(async (applying) => {
    if (rules.incoming === undefined || rules.outgoing === undefined) return;
    await findUnsent(context, side, rules.outgoing, applying);
    applying.decision = await decideChange(context, side, rules.incoming, connector, applying);
    if (applying.decision.kind === "link") {
      await linkTo(context, side, connector, applying, applying.decision.ref);
      applying.decision = await decideChange(context, side, rules.incoming, connector, applying);
    }
    if (applying.decision.kind === "waiting") {
      await context.db.transaction().execute(async (tx) => {
        await context.lanes.putBack(tx, applying.item.lane, waitingDelayMs, false);
        await recordRuns(tx, applying.runs);
      });
      group.leave(applying);
    }
  });
  await group.together(async (all) => await writeRecords(context, side, connector, all));
  await group.together(async (all) => await writeAttached(context, side, connector, all));
  await group.together(async (all) => await readAfter(side, connector, all));
  context.passing("apply.read-back");
  await group.each(async (applying) => {
    if (rules.outgoing !== undefined) await finish(context, side, connector, rules.outgoing, applying);
  });
  context.passing("apply.finished");
}

interface Rules {
  incoming: ActiveRule | undefined;
  outgoing: ActiveRule | undefined;
}

/** The messages that are still in the running; one that errs is settled and leaves. */
export class ApplyGroup {
  open: Applying[];
  readonly #context: SyncContext;
  readonly #side: SideRow;

  constructor(context: SyncContext, side: SideRow, open: Applying[]) {
    this.#context = context;
    this.#side = side;
    this.open = open;
  }

  /** A step for all at once. It returns the errors of single messages; if it throws, all have failed. */
  async together(step: (all: readonly Applying[]) => Promise<ReadonlyMap<Applying, unknown> | void>): Promise<void> {
    if (this.open.length === 0) return;
    const errors = await step(this.open).catch((error: unknown) => new Map(this.open.map((applying) => [applying, error])));
    if (errors === undefined) return;
    await Promise.all([...errors].map(async ([applying, error]) => await this.#fail(applying, error)));
  }

  /** A step for each by itself. */
  async each(step: (applying: Applying) => Promise<void>): Promise<void> {
    await Promise.all(
      this.open.map(async (applying) => {
        try {
          await step(applying);
        } catch (error) {
          await this.#fail(applying, error);
        }
      }),
    );
  }

  leave(applying: Applying): void {
    this.open = this.open.filter((other) => other !== applying);
  }

  async #fail(applying: Applying, error: unknown): Promise<void> {
    this.leave(applying);
    await settleError(this.#context, { lane: applying.item.lane, side: this.#side, twinId: applying.twin.id, runs: applying.runs }, error);
  }
}

async function loadItems(context: SyncContext, side: SideRow, items: readonly ApplyItem[]): Promise<Applying[]> {
  const twinIds = items.map((item) => item.twinId);
  const messageIds = items.map((item) => item.messageId);
  const [twins, traces, messages, intents] = await Promise.all([
    loadTwins(context.db, twinIds),
    loadTraces(context.db, twinIds),
    loadMessages(context.db, messageIds),
    intentsOf(context.db, messageIds),
  ]);
  const loaded: Applying[] = [];
  for (const item of items) {
    const message = messages.get(item.messageId);
    const twin = twins.get(item.twinId);
    if (message === undefined || message.state !== "received" || twin === undefined || twin.state === "ended") {
      // Handled already, or the twin ended meanwhile.
      await context.db
        .transaction()
        .execute(async (tx) => {
          await context.lanes.complete(tx, item.lane);
          if (message?.state === "received") await settleMessage(tx, message.id, "skipped", "The twin had ended.");
        })
        .catch(async (error: unknown) => await settleError(context, { lane: item.lane, side, twinId: item.twinId, runs: [] }, error));
      continue;
    }
    loaded.push({
      item,
      message,
      twin,
      traces: traces.get(twin.id) ?? [],
      runs: [],
      intents: intents.filter((intent) => intent.messageId === message.id),
      before: null,
      unsent: undefined,
      decision: undefined,
      done: { created: undefined, traces: [], touched: new Set(), fields: {} },
      after: undefined,
    });
  }
  return loaded;
}

/** Where the twin's record on this side is, by what was known when it was loaded or by what this try created. */
function localRef(side: SideRow, applying: Applying): { type: string; id: string } | undefined {
  return applying.done.created ?? applying.twin.sides.get(side.id)?.ref ?? undefined;
}

async function readBefore(side: SideRow, connector: Connector, all: readonly Applying[]): Promise<Map<Applying, unknown>> {
  const tied = all.flatMap((applying) => {
    const ref = localRef(side, applying);
    return ref === undefined ? [] : [{ applying, ref }];
  });
  const outcomes = await readMany(connector, tied.map(({ ref }) => ref));
  const errors = new Map<Applying, unknown>();
  for (const [index, { applying }] of tied.entries()) {
    const outcome = outcomes[index];
    if (outcome?.ok === true) applying.before = outcome.entity;
    else errors.set(applying, outcome?.error ?? new Error("The connector answered fewer records than it was asked for."));
  }
  return errors;
}

/** A person may have edited the local record since it was last looked at: what the other side does not know yet must be told, not buried under what we write now. */
async function findUnsent(context: SyncContext, side: SideRow, rule: ActiveRule, applying: Applying): Promise<void> {
  const local = applying.twin.sides.get(side.id);
  if (applying.before === null || local?.sentHash == null) return;
  const { run, said, fault } = await askOutgoing(context, side, rule, applying.twin, applying.traces, applying.before);
  if (fault !== undefined) {
    applying.runs.push(run);
    throw fault;
  }
  if (said?.kind !== "replica" || said.hash === local.sentHash) return;
  applying.runs.push(run);
  applying.unsent = said;
}

/** Ties the twin to a record that exists already, as the rule asked on the first sync. */
async function linkTo(context: SyncContext, side: SideRow, connector: Connector, applying: Applying, ref: { readonly type: string; readonly id: string }): Promise<void> {
  const [outcome] = await connector.read([ref]);
  if (outcome?.ok !== true) throw outcome?.error ?? new Error("The connector answered fewer records than it was asked for.");
  await context.db.transaction().execute(async (tx) => {
    await context.lanes.holdFence(tx, applying.item.lane);
    await tie(tx, side, applying.twin, outcome.entity.ref);
  });
  applying.done.created = outcome.entity.ref;
  applying.before = outcome.entity;
}

async function readAfter(side: SideRow, connector: Connector, all: readonly Applying[]): Promise<Map<Applying, unknown>> {
  const written = all.flatMap((applying) => {
    const ref = localRef(side, applying);
    return ref === undefined || applying.decision?.kind !== "change" ? [] : [{ applying, ref }];
  });
  const outcomes = await readMany(connector, written.map(({ ref }) => ref));
  const errors = new Map<Applying, unknown>();
  for (const [index, { applying }] of written.entries()) {
    const outcome = outcomes[index];
    if (outcome?.ok === true) applying.after = outcome.entity;
    else errors.set(applying, outcome?.error ?? new Error("The connector answered fewer records than it was asked for."));
  }
  return errors;
}

/**
 * Records that the message was handled: what the other side knows now, the acknowledgement, the runs, and the next job of the
 * lane, in one transaction. A local edit found on the way is sent in the same transaction.
 */
async function finish(context: SyncContext, side: SideRow, connector: Connector, rule: ActiveRule, applying: Applying): Promise<void> {
  const { message, twin, decision } = applying;
  const local = twin.sides.get(side.id);
  if (decision === undefined || decision.kind === "waiting" || decision.kind === "link" || local === undefined) throw new Error("A message reached its end without a decision.");
  const schema = applying.after === undefined ? undefined : await connector.describe(applying.after.ref.type);
  const known = applying.after === undefined || schema === undefined ? undefined : await whatTheyKnow(context, side, rule, applying, applying.after, schema);
  await context.db.transaction().execute(async (tx) => {
    await context.lanes.complete(tx, applying.item.lane);
    let sequence = local.sentSequence;
    if (applying.unsent !== undefined) {
      // Its basis is what had been handled before this message: the edit was made without knowing it.
      sequence += 1;
      await sendReplica(context, tx, side, { twinId: twin.id, replica: applying.unsent.replica, hash: applying.unsent.hash, sequence, basis: local.receivedSequence });
    }
    await recordReceived(tx, twin.id, side.id, { replica: message.body, sequence: message.sequence });
    if (known !== undefined) {
      await recordSent(tx, twin.id, side.id, { replica: known.expected.replica, hash: known.expected.hash });
      const news = known.actual.hash !== known.expected.hash || (decision.kind === "change" && decision.mergedWithOurs);
      if (news) {
        sequence += 1;
        await sendReplica(context, tx, side, { twinId: twin.id, replica: known.actual.replica, hash: known.actual.hash, sequence, basis: message.sequence });
      }
    }
    const entity = applying.after ?? applying.before;
    if (entity !== null && entity !== undefined) {
      // Without knowing what the other side knows, this state has to be looked at once more: no poll may pass over it.
      const lookAgain = decision.kind === "change" && known === undefined;
      await recordSeen(tx, twin.id, side.id, { key: entity.key, url: entity.url, version: lookAgain ? "" : entity.version });
    }
    await settleMessage(tx, message.id, decision.kind === "skip" ? "skipped" : "applied", decision.kind === "change" ? null : decision.why);
    await acknowledge(tx, side, applying, sequence + 1, entity ?? null);
    await recordRuns(tx, applying.runs);
    if (decision.kind !== "skip") await runEffects(context, tx, side, twin.id, decision.effects);
    await wakeRunners(tx);
  });
}

interface Known {
  readonly expected: { readonly replica: Json; readonly hash: string };
  readonly actual: { readonly replica: Json; readonly hash: string };
}

/** The replica as the other side may take it to be after our write, and as it is. They differ when somebody else changed something. */
async function whatTheyKnow(context: SyncContext, side: SideRow, rule: ActiveRule, applying: Applying, after: Entity, schema: EntitySchema): Promise<Known | undefined> {
  const expectedEntity = expectedAfter(after, { before: applying.before, fields: applying.done.fields, touched: applying.done.touched }, schema);
  const traces = [...applying.traces, ...applying.done.traces];
  const actual = await askOutgoing(context, side, rule, applying.twin, traces, after);
  if (actual.said?.kind !== "replica") {
    // The rule erred or skips such a record: the next look at it will say so by itself.
    return undefined;
  }
  if (sameJson(asJson(expectedEntity), asJson(after))) return { expected: actual.said, actual: actual.said };
  const expected = await askOutgoing(context, side, rule, applying.twin, traces, expectedEntity);
  return expected.said?.kind === "replica" ? { expected: expected.said, actual: actual.said } : { expected: actual.said, actual: actual.said };
}

function asJson(entity: Entity): Json {
  // An Entity is JSON by its fields; interfaces are not assignable to an index signature.
  return JSON.parse(JSON.stringify(entity)) as Json;
}

/** Tells the origin the record's id, key and address here, and the traces of what was mirrored. */
async function acknowledge(tx: Tx, side: SideRow, applying: Applying, sequence: number, entity: Entity | null): Promise<void> {
  const { message, twin } = applying;
  await storeMessage(tx, {
    connectionId: side.connectionId,
    twinId: twin.id,
    fromSideId: side.id,
    toSideId: side.remote.id,
    sequence,
    kind: "ack",
    body: {
      of: message.sequence,
      entity: entity === null ? null : { type: entity.ref.type, id: entity.ref.id, key: entity.key, url: entity.url },
      traces: applying.done.traces.map((trace) => ({ kind: trace.kind, originId: trace.originId, mirrorId: trace.mirrorId })),
    },
    basis: message.sequence,
    state: "applied",
  });
  await recordAcknowledged(tx, twin.id, side.id, sequence);
}

/** Ties the twin to the record that was created or found for it, and has both sides watched from now on. */
export async function tie(tx: Tx, side: SideRow, twin: TwinState, ref: { readonly type: string; readonly id: string }): Promise<void> {
  await tieRecord(tx, twin.id, side.id, ref);
  await watchTwins(tx, side.id, ref.type);
  const remote = twin.sides.get(side.remote.id)?.ref;
  if (remote != null) await watchTwins(tx, side.remote.id, remote.type);
}
