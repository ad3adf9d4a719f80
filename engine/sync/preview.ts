import type { Connector, Entity, EntityRef } from "../../connectors/connector.ts";
import type { Json } from "../replica/json.ts";
import type { RuleCompiler } from "../rules/compile.ts";
import { type Difference, differences } from "../rules/samples/difference.ts";
import type { SideRow } from "../store/configuration.ts";
import type { NewRun } from "../store/runs.ts";
import type { Direction, TwinId } from "../store/schema.ts";
import { loadTraces, loadTwins, type TwinState, twinsOfRecords } from "../store/twins.ts";
import { type Applying, beginning } from "./apply.ts";
import { candidate, type Which } from "./candidate.ts";
import type { Change } from "./change.ts";
import type { SyncContext } from "./context.ts";
import { type Decision, decideChange } from "./incoming.ts";
import { askOutgoing } from "./outgoing.ts";
import { requestsInWords } from "./platform-request.ts";
import { readOnly } from "./read-only.ts";
import { withoutHidden, withoutMarked } from "./redaction.ts";
import { RuleFault } from "./rule-fault.ts";
import { UnknownName } from "./unknown-name.ts";
import { changeInWords, effectsInWords } from "./words.ts";

/** What is to be tried, on what. */
export interface PreviewOf extends Which {
  /** The local record by its key or id. An incoming rule may go without: then it is a first sync. */
  readonly record?: { readonly entityType: string; readonly key: string } | undefined;
  /** For an incoming rule; if not given, the replica that the record's twin received last. */
  readonly replica?: Readonly<Record<string, Json>> | undefined;
}

/** What a rule would do now. Nothing of it was done. */
export interface Preview {
  /** Which text ran: `the draft`, `version 3`. */
  readonly text: string;
  readonly record: { readonly entityType: string; readonly id: string; readonly key: string; readonly url: string } | null;
  readonly firstSync: boolean;
  /** `would`: there is something to send or to write. */
  readonly outcome: "would" | "nothing" | "skipped" | "waiting" | "error";
  /** A line for each thing that would be done, or why there is nothing. */
  readonly words: readonly string[];
  /** Outgoing: what would be sent, what was sent last, and where they differ. */
  readonly replica?: Json;
  readonly lastSent?: Json | null;
  readonly differences?: readonly Difference[];
  /** Incoming: what would be written. */
  readonly change?: Change;
  readonly error?: { readonly code: string; readonly message: string; readonly detail: Readonly<Record<string, Json>> };
  readonly console: readonly string[];
  readonly calls: unknown;
  /** Milliseconds. */
  readonly cpuMs: number;
  readonly wallMs: number;
}

/** Runs a text against a live record: reads only. Whatever would write to a platform is refused, and the database is left alone. */
export async function preview(
  context: SyncContext,
  compiler: () => Promise<RuleCompiler>,
  side: SideRow,
  direction: Direction,
  of: PreviewOf,
): Promise<Preview> {
  const reading = readOnly(context);
  const { label, rule } = await candidate(reading, compiler, side, direction, of);
  const { connector, name } = await reading.connectors.instance(side.instanceId);
  const entity = of.record === undefined ? null : await readRecord(connector, name, of.record);
  const twin = entity === null ? undefined : await twinOf(reading, side, entity.ref);
  const traces = twin === undefined ? [] : ((await loadTraces(reading.db, [twin.id])).get(twin.id) ?? []);
  const shown = { text: label, record: entity === null ? null : { entityType: entity.ref.type, id: entity.ref.id, key: entity.key, url: entity.url } };

  if (direction === "outgoing") {
    if (entity === null) throw new UnknownName("An outgoing rule is tried on a record: say its entityType and key.");
    const present = twin ?? untied(reading, side, entity.ref);
    const { run, said, fault } = await askOutgoing(reading, side, rule, present, traces, entity);
    const base = { ...shown, firstSync: present.state !== "tied", ...whatRan(run) };
    const hide = <Shown>(value: Shown): Shown => withoutHidden([run], withoutMarked(rule.redact, value));
    if (said === undefined) return { ...base, ...failure(fault, run) };
    if (said.kind === "skipped") return { ...base, outcome: "skipped", words: [withoutHidden([run], `Skip: ${said.why}`)] };
    if (said.kind === "waiting") return { ...base, outcome: "waiting", words: [`Wait until ${said.remoteKey} has a twin`] };
    const lastSent = present.sides.get(side.id)?.sent ?? null;
    const found = lastSent === null ? [] : differencesOf(lastSent, said.replica);
    const isNews = said.hash !== present.sides.get(side.id)?.sentHash;
    const words = isNews
      ? [lastSent === null ? "Send the first replica" : `Send a replica that differs in ${found.length === 1 ? "one place" : `${found.length} places`}`]
      : ["Send nothing: the replica equals the last one sent"];
    return {
      ...base,
      outcome: isNews ? "would" : "nothing",
      words: [...words, ...requestsInWords(run.calls), ...effectsInWords(said.effects)],
      replica: hide(said.replica),
      lastSent: hide(lastSent),
      differences: found.map((difference) => shownDifference(rule.redact, run, difference)),
    };
  }

  const replica = of.replica ?? twin?.sides.get(side.id)?.received ?? undefined;
  if (replica === undefined || replica === null)
    throw new UnknownName("An incoming rule is tried on a replica: give one, or name a record whose twin received one.");
  const applying = pretendedMessage(side, twin ?? untied(reading, side, entity?.ref ?? null), traces, entity, replica);
  const base = { ...shown, firstSync: entity === null };
  try {
    const decision = await decideChange(reading, side, rule, connector, applying);
    const found = await decided(connector, entity, decision, { marked: rule.redact, runs: applying.runs });
    return { ...base, ...whatRan(applying.runs[0]), ...found };
  } catch (error) {
    if (!(error instanceof RuleFault)) throw error;
    return { ...base, ...whatRan(applying.runs[0]), ...failure(error, applying.runs[0]) };
  }
}

async function readRecord(connector: Connector, instance: string, wanted: { readonly entityType: string; readonly key: string }): Promise<Entity> {
  const ref = await connector.findByKey(wanted.entityType, wanted.key);
  if (ref === undefined) throw new UnknownName(`${instance} has no ${wanted.entityType} ${wanted.key}, or the account may not see it.`);
  const [outcome] = await connector.read([ref]);
  if (outcome === undefined) throw new Error("The connector answered fewer records than it was asked for.");
  if (!outcome.ok) throw outcome.error;
  return outcome.entity;
}

async function twinOf(context: SyncContext, side: SideRow, ref: EntityRef): Promise<TwinState | undefined> {
  const [known] = await twinsOfRecords(context.db, side.id, ref.type, [ref.id]);
  return known === undefined ? undefined : (await loadTwins(context.db, [known.twinId])).get(known.twinId);
}

/** What the engine would start with for a record that is not in sync yet. */
function untied(context: SyncContext, side: SideRow, ref: EntityRef | null): TwinState {
  const blank = {
    key: null,
    url: null,
    seenVersion: null,
    sent: null,
    sentHash: null,
    sentSequence: 0,
    replicaSequence: 0,
    received: null,
    receivedSequence: 0,
  };
  return {
    id: context.newId() as TwinId,
    connectionId: side.connectionId,
    state: "candidate",
    sides: new Map([
      [side.id, { ...blank, sideId: side.id, ref }],
      [side.remote.id, { ...blank, sideId: side.remote.id, ref: null }],
    ]),
  };
}

/** A message as if it had just arrived, made by a sender who knows all that we have sent. It has no lane: nothing of it is ever finished. */
function pretendedMessage(side: SideRow, twin: TwinState, traces: Applying["traces"], before: Entity | null, replica: Json): Applying {
  const local = twin.sides.get(side.id);
  const lane = { key: "preview", connectionId: side.connectionId, jobId: 0, kind: "apply", payload: null, fence: 0, attempts: 0 };
  const message = {
    id: 0,
    connectionId: side.connectionId,
    twinId: twin.id,
    fromSideId: side.remote.id,
    toSideId: side.id,
    sequence: (local?.receivedSequence ?? 0) + 1,
    kind: "replica" as const,
    body: replica,
    previous: null,
    rich: null,
    basis: local?.replicaSequence ?? 0,
    state: "received" as const,
    found: null,
  };
  const applying = beginning({ item: { lane, twinId: twin.id, messageId: message.id }, message, twin, traces, intents: [] });
  return Object.assign(applying, { before, found: before });
}

/** What is not to be seen of a preview: values of fields by name, and what was withheld from its runs. */
interface NotShown {
  readonly marked: readonly string[];
  readonly runs: readonly NewRun[];
}

async function decided(
  connector: Connector,
  before: Entity | null,
  decision: Decision,
  { marked, runs }: NotShown,
): Promise<Pick<Preview, "outcome" | "words" | "change">> {
  const requests = requestsInWords(runs[0]?.calls);
  switch (decision.kind) {
    case "change": {
      const schema = await connector.describe(decision.change.entityType);
      const change = { ...decision.change, fields: withoutMarked(marked, decision.change.fields) };
      const shown = before === null ? null : { ...before, fields: withoutMarked(marked, before.fields), display: withoutMarked(marked, before.display) };
      const words = [...changeInWords(change, shown, schema), ...requests, ...effectsInWords(decision.effects)];
      return { outcome: "would", words: withoutHidden(runs, words), change: withoutHidden(runs, change) };
    }
    case "nothing":
      return { outcome: "nothing", words: withoutHidden(runs, [`Write nothing: ${decision.why}`, ...requests, ...effectsInWords(decision.effects)]) };
    case "skip":
      return { outcome: "skipped", words: withoutHidden(runs, [`Skip: ${decision.why}`]) };
    case "link":
      return { outcome: "would", words: [`Tie to the existing ${decision.ref.type} ${decision.ref.id}, then run the rule on it`, ...requests] };
    case "waiting":
      return { outcome: "waiting", words: withoutHidden(runs, [`Wait until ${decision.remoteKey} has a twin`]) };
  }
}

function whatRan(run: NewRun | undefined): Pick<Preview, "console" | "calls" | "cpuMs" | "wallMs"> {
  return { console: run?.console ?? [], calls: run?.calls ?? [], cpuMs: run?.cpuMs ?? 0, wallMs: run?.wallMs ?? 0 };
}

function failure(fault: RuleFault | undefined, run: NewRun | undefined): Pick<Preview, "outcome" | "words" | "error"> {
  const message = run?.reason ?? fault?.message ?? "The rule gave no result.";
  return { outcome: "error", words: [message], error: { code: fault?.code ?? "INTERNAL", message, detail: fault?.detail ?? {} } };
}

/** A difference at a marked field says only that there is one. */
function shownDifference(marked: readonly string[], run: NewRun, difference: Difference): Difference {
  const isMarked = difference.path.split(/[.[\]]+/).some((step) => marked.includes(step));
  return isMarked ? { path: difference.path, text: `${difference.path}: differs (its values are not shown)` } : withoutHidden([run], difference);
}

function differencesOf(before: Json, after: Json): Difference[] {
  // Replicas are objects: the schema of results says so.
  return differences({ replica: before as Record<string, Json> }, { replica: after as Record<string, Json> });
}
