import type { Connector, Entity } from "../../connectors/connector.ts";
import type { ConnectorError } from "../../connectors/errors.ts";
import type { ClaimedLane } from "../lanes/lanes.ts";
import { type ActiveRule, type SideRow, setInstanceStopped } from "../store/configuration.ts";
import { type Tx, transact } from "../store/database.ts";
import { type Intent, intentsOf, loadMessages, type Message, settleMessage } from "../store/messages.ts";
import { type NewRun, recordRuns } from "../store/runs.ts";
import type { TwinId } from "../store/schema.ts";
import { loadTraces, loadTwins, type Trace, type TwinState, tieRecord } from "../store/twins.ts";
import { watchTwins } from "../store/watches.ts";
import type { LiveInstance } from "./connector-pool.ts";
import type { SyncContext } from "./context.ts";
import { finish, whatTheyKnow } from "./finish.ts";
import { type Decision, decideChange } from "./incoming.ts";
import { settleLeftOver } from "./left-over.ts";
import { readMany } from "./observe.ts";
import { askOutgoing, type Said } from "./outgoing.ts";
import { ruleOf } from "./rule-run.ts";
import { settleError } from "./settle.ts";
import { waitForTwin, wakeThoseWaiting } from "./waiting.ts";
import { type DoneWrites, writeAttached, writeRecords } from "./write.ts";

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
  /** The local record as this try found it; null on a first sync. */
  before: Entity | null;
  /** The same before the first write of any try of this message: what differs from it later is our doing or somebody's edit. Null when this message created the record. */
  found: Entity | null;
  /** True when an earlier try created the record and nobody looked at it since: what a person edited meanwhile cannot be told from what was created. */
  createdUnseen: boolean;
  /** True once `found` was written down. */
  kept: boolean;
  /** Why attachments of the other side could not be fetched there, by their ids. */
  readonly unfetched: Map<string, ConnectorError>;
  /** What was read before the rule ran, if it differs from what the other side knows: a local edit not yet sent. */
  unsent: Extract<Said, { kind: "replica" }> | undefined;
  /** True when somebody edited the local record between an earlier try of this message and this one. */
  editedMeanwhile: boolean;
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
    await findEditedMeanwhile(context, side, connector, rules.outgoing, applying);
    applying.decision = await decideChange(context, side, rules.incoming, connector, applying);
    if (applying.decision.kind === "link") {
      await linkTo(context, side, connector, applying, applying.decision.ref);
      applying.decision = await decideChange(context, side, rules.incoming, connector, applying);
    }
    if (applying.decision.kind === "waiting") {
      const { remoteKey } = applying.decision;
      await context.db.transaction().execute(async (tx) => {
        await waitForTwin(context, tx, side, applying.item.lane, remoteKey);
        await recordRuns(tx, applying.runs);
      });
      group.leave(applying);
    }
  });
  await group.together(async (all) => await writeRecords(context, side, connector, all));
  await group.together(async (all) => await readCreated(connector, all));
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
class ApplyGroup {
  open: Applying[];
  readonly #context: SyncContext;
  readonly #side: SideRow;

  constructor(context: SyncContext, side: SideRow, open: Applying[]) {
    this.#context = context;
    this.#side = side;
    this.open = open;
  }

  /** A step for all at once. It returns the errors of single messages; if it throws, all have failed. */
  async together(step: (all: readonly Applying[]) => Promise<ReadonlyMap<Applying, unknown> | undefined>): Promise<void> {
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
    loaded.push(beginning({ item, message, twin, traces: traces.get(twin.id) ?? [], intents: intents.filter((intent) => intent.messageId === message.id) }));
  }
  return loaded;
}

/** A message that nothing was done about yet in this try. */
export function beginning({ item, message, twin, traces, intents }: Pick<Applying, "item" | "message" | "twin" | "traces" | "intents">): Applying {
  return {
    item,
    message,
    twin,
    traces,
    runs: [],
    intents,
    before: null,
    found: null,
    createdUnseen: false,
    kept: false,
    unfetched: new Map(),
    unsent: undefined,
    editedMeanwhile: false,
    decision: undefined,
    done: { created: undefined, traces: [], touched: new Set(), fields: {}, landed: {} },
    after: undefined,
  };
}

/** True when this try or an earlier one wrote something for the message. */
export function hasWritten({ done }: Applying): boolean {
  return done.created !== undefined || done.touched.size > 0 || Object.keys(done.fields).length > 0;
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
  const outcomes = await readMany(
    connector,
    tied.map(({ ref }) => ref),
  );
  const errors = new Map<Applying, unknown>();
  for (const [index, { applying }] of tied.entries()) {
    const outcome = outcomes[index];
    if (outcome?.ok === true) {
      applying.before = outcome.entity;
      // Written by recordFound alone, from an Entity.
      const found = applying.message.found as Entity | null;
      applying.createdUnseen = applying.done.created !== undefined && found === null;
      applying.found = applying.createdUnseen ? null : (found ?? outcome.entity);
    } else errors.set(applying, outcome?.error ?? new Error("The connector answered fewer records than it was asked for."));
  }
  return errors;
}

/** Looks at the records just created that are to get comments or files, which may take a while: a person may edit them meanwhile. */
async function readCreated(connector: Connector, all: readonly Applying[]): Promise<undefined> {
  const created = all.flatMap((applying) => {
    const ref = applying.done.created;
    if (ref === undefined || applying.before !== null || applying.decision?.kind !== "change") return [];
    const { addComments, addAttachments } = applying.decision.change;
    return addComments.length + addAttachments.length === 0 ? [] : [{ applying, ref }];
  });
  const outcomes = await readMany(
    connector,
    created.map(({ ref }) => ref),
  );
  for (const [index, { applying }] of created.entries()) {
    const outcome = outcomes[index];
    // Whatever hinders this will hinder what follows, and is said there.
    if (outcome?.ok === true) applying.found = outcome.entity;
  }
}

/** A person may have edited the local record since it was last looked at: what the other side does not know yet must be told, not buried under what we write now. */
async function findUnsent(context: SyncContext, side: SideRow, rule: ActiveRule, applying: Applying): Promise<void> {
  const local = applying.twin.sides.get(side.id);
  if (applying.found === null || local?.sentHash == null) return;
  const { run, said, fault } = await askOutgoing(context, side, rule, applying.twin, applying.traces, applying.found);
  if (fault !== undefined) {
    applying.runs.push(run);
    throw fault;
  }
  if (said?.kind !== "replica" || said.hash === local.sentHash) return;
  applying.runs.push(run);
  applying.unsent = said;
}

/** After a try that broke off, the record may differ from how that try found it by more than what it wrote. */
async function findEditedMeanwhile(context: SyncContext, side: SideRow, connector: Connector, rule: ActiveRule, applying: Applying): Promise<void> {
  if (applying.before === null || (applying.message.found === null && !applying.createdUnseen)) return;
  const known = await whatTheyKnow(context, side, rule, applying, applying.before, await connector.describe(applying.before.ref.type));
  applying.editedMeanwhile = known !== undefined && known.expected.hash !== known.actual.hash;
}

/** Ties the twin to a record that exists already, as the rule asked on the first sync. */
async function linkTo(
  context: SyncContext,
  side: SideRow,
  connector: Connector,
  applying: Applying,
  ref: { readonly type: string; readonly id: string },
): Promise<void> {
  const [outcome] = await connector.read([ref]);
  if (outcome?.ok !== true) throw outcome?.error ?? new Error("The connector answered fewer records than it was asked for.");
  await transact(context.db, async (tx) => {
    await context.lanes.holdFence(tx, applying.item.lane);
    await tie(tx, side, applying.twin, outcome.entity.ref);
  });
  applying.done.created = outcome.entity.ref;
  applying.before = outcome.entity;
  applying.found = outcome.entity;
}

async function readAfter(side: SideRow, connector: Connector, all: readonly Applying[]): Promise<Map<Applying, unknown>> {
  for (const applying of all) {
    // Nothing was left to do, because an earlier try had done it: what this one found is what came of it.
    if (applying.decision?.kind !== "change" && hasWritten(applying)) applying.after = applying.before ?? undefined;
  }
  const written = all.flatMap((applying) => {
    const ref = localRef(side, applying);
    return ref === undefined || applying.decision?.kind !== "change" ? [] : [{ applying, ref }];
  });
  const outcomes = await readMany(
    connector,
    written.map(({ ref }) => ref),
  );
  const errors = new Map<Applying, unknown>();
  for (const [index, { applying }] of written.entries()) {
    const outcome = outcomes[index];
    if (outcome?.ok === true) applying.after = outcome.entity;
    else errors.set(applying, outcome?.error ?? new Error("The connector answered fewer records than it was asked for."));
  }
  return errors;
}

/** Ties the twin to the record that was created or found for it, and has both sides watched from now on. */
export async function tie(tx: Tx, side: SideRow, twin: TwinState, ref: { readonly type: string; readonly id: string }): Promise<void> {
  await tieRecord(tx, twin.id, side.id, ref);
  await watchTwins(tx, side.id, ref.type);
  const remote = twin.sides.get(side.remote.id);
  if (remote?.ref != null) await watchTwins(tx, side.remote.id, remote.ref.type);
  await wakeThoseWaiting(tx, side, { ref, key: null }, remote);
}
