import type { Connector, EntityRef, EntitySchema, Json } from "../../connectors/connector.ts";
import { platforms } from "../../connectors/platforms.ts";
import { meansTheSame } from "../rules/entity-difference.ts";
import { blankEntityView, type Effects, type EntityView, type IncomingResult, type IncomingRunInput } from "../rules/run-input.ts";
import type { ActiveRule, SideRow } from "../store/configuration.ts";
import type { Trace } from "../store/twins.ts";
import { type Applying, hasWritten } from "./apply.ts";
import { type Change, changeMade, isEmpty, isUntouched, onlyNews } from "./change.ts";
import type { SyncContext } from "./context.ts";
import { richTextsOf } from "./dialects.ts";
import { entityView } from "./entity-view.ts";
import { RuleFault } from "./rule-fault.ts";
import { ruleName, runIncoming } from "./rule-run.ts";

/** What is to be done with a message. */
export type Decision =
  | {
      readonly kind: "change";
      readonly change: Change;
      readonly effects: Effects;
      /** True when both sides had edited: the result here is news to the other side. */
      readonly mergedWithOurs: boolean;
    }
  /** Handled; there is nothing to write (any more, if an earlier try wrote it). */
  | { readonly kind: "nothing"; readonly why: string; readonly effects: Effects; readonly mergedWithOurs: boolean }
  | { readonly kind: "skip"; readonly why: string }
  /** Tie to this existing record, then ask again. */
  | { readonly kind: "link"; readonly ref: EntityRef }
  | { readonly kind: "waiting"; readonly remoteKey: string };

/** Runs the incoming rule on a copy of the local record and takes the difference. Throws {@link RuleFault} when the rule cannot be carried out. */
export async function decideChange(context: SyncContext, side: SideRow, rule: ActiveRule, connector: Connector, applying: Applying): Promise<Decision> {
  const { twin, message } = applying;
  const before: EntityView = applying.before === null ? blankEntityView : entityView(applying.before);
  const input: IncomingRunInput = {
    direction: "incoming",
    replica: message.body,
    previous: twin.sides.get(side.id)?.received ?? null,
    // A record that an earlier try of this first message created, or tied to, does not end the first sync.
    firstSync: applying.before === null || (twin.sides.get(side.id)?.received == null && twin.sides.get(side.id)?.sent == null),
    entity: before,
    traces: { comments: traceTable(side, applying.traces, "comment"), attachments: traceTable(side, applying.traces, "attachment") },
    platform: { name: platforms[connector.platform]?.label ?? connector.platform, impersonation: connector.capabilities.impersonation },
    connection: { name: side.connectionName, local: side.name, remote: side.remote.name },
    mappings: rule.mappings,
    now: context.now().getTime(),
    seed: context.newId(),
  };
  const result = await resultOf(context, side, rule, applying, input, true);
  if (result.kind === "skipped") return { kind: "skip", why: result.why };
  if (result.kind === "waiting") return { kind: "waiting", remoteKey: result.remoteKey };
  if (applying.before === null && result.effects.linkTo !== undefined) return { kind: "link", ref: result.effects.linkTo };
  if (applying.before === null) {
    if (isUntouched(result)) {
      const why = "The incoming rule left the new entity untouched; nothing was created.";
      note(applying, why);
      return { kind: "nothing", why, effects: result.effects, mergedWithOurs: false };
    }
    if (result.entity.entityType === "") {
      throw new RuleFault("NO_ENTITY_TYPE", `${ruleName(side, "incoming")} (version ${rule.number}) sets fields of a new entity but no entity.entityType.`, {
        rule: ruleName(side, "incoming"),
        version: rule.number,
      });
    }
  } else if (result.entity.entityType !== before.entityType) {
    throw new RuleFault(
      "ENTITY_TYPE_CHANGED",
      `${ruleName(side, "incoming")} (version ${rule.number}) turns the ${before.entityType} ${before.key} into a ${result.entity.entityType}; a record keeps its type.`,
      {
        rule: ruleName(side, "incoming"),
        version: rule.number,
      },
    );
  }
  const schema = await connector.describe(result.entity.entityType);
  const change = withoutCarriedOut(changeMade(before, result, schema, richTextsOf(applying.message)), applying);
  const both = editedOnBothSides(side, applying);
  const news = both ? onlyNews(change, await fromPrevious(context, side, rule, applying, input, before, schema)) : change;
  // One side has to have the last word where both edited the same field, or they would swap values: the left one tells its result again.
  const mergedWithOurs = both && side.position === "left";
  if (applying.before !== null && isEmpty(news)) {
    const why = "The incoming rule changed nothing.";
    note(applying, why);
    return { kind: "nothing", why, effects: result.effects, mergedWithOurs: mergedWithOurs && hasWritten(applying) };
  }
  return { kind: "change", change: news, effects: result.effects, mergedWithOurs };
}

/** Says in the record of the run why nothing came of it. */
function note(applying: Applying, reason: string): void {
  const index = applying.runs.findLastIndex((run) => run.direction === "incoming" && run.outcome === "ok");
  const run = applying.runs[index];
  if (run !== undefined) applying.runs[index] = { ...run, reason };
}

/** Leaves out fields that an earlier try of this message wrote: if they hold something else by now, somebody has edited them since. */
function withoutCarriedOut(change: Change, { done, found, before }: Applying): Change {
  const isCarriedOut = (name: string, value: Json): boolean => {
    if (Object.hasOwn(done.landed, name)) return meansTheSame(done.landed[name] ?? null, value);
    // Nobody knows whether this one was written. A field that is still as it was found was not.
    if (!Object.hasOwn(done.fields, name) || found === null || before === null) return false;
    return meansTheSame(done.fields[name] ?? null, value) && !meansTheSame(before.fields[name] ?? null, found.fields[name] ?? null);
  };
  return { ...change, fields: Object.fromEntries(Object.entries(change.fields).filter(([name, value]) => !isCarriedOut(name, value))) };
}

/** True when the sender made this message without knowing our latest replica. */
function editedOnBothSides(side: SideRow, applying: Applying): boolean {
  if (applying.before === null) return false;
  if (applying.unsent !== undefined || applying.editedMeanwhile) return true;
  return (applying.twin.sides.get(side.id)?.replicaSequence ?? 0) > applying.message.basis;
}

/** What the same rule makes of the same record with what the sender held us to know before: the part of its change that is not news. */
async function fromPrevious(
  context: SyncContext,
  side: SideRow,
  rule: ActiveRule,
  applying: Applying,
  input: IncomingRunInput,
  before: EntityView,
  schema: EntitySchema,
): Promise<Change> {
  const nothing: Change = {
    entityType: before.entityType,
    fields: {},
    addComments: [],
    editComments: [],
    removeComments: [],
    addAttachments: [],
    removeAttachments: [],
  };
  const { previous } = applying.message;
  if (previous === null) return nothing;
  const result = await resultOf(context, side, rule, applying, { ...input, replica: previous }, false);
  return result.kind === "changed" && result.entity.entityType === before.entityType
    ? changeMade(before, result, schema, richTextsOf(applying.message))
    : nothing;
}

async function resultOf(
  context: SyncContext,
  side: SideRow,
  rule: ActiveRule,
  applying: Applying,
  input: IncomingRunInput,
  record: boolean,
): Promise<Exclude<IncomingResult, { kind: "failed" }>> {
  const { run, result, fault } = await runIncoming(context, side, rule, applying.twin.id, input);
  if (record || fault !== undefined) applying.runs.push(run);
  if (result === undefined) throw fault ?? new Error("A run ended with neither result nor fault.");
  return result;
}

/** Local ids by remote ids, wherever the original is. */
function traceTable(side: SideRow, traces: readonly Trace[], kind: Trace["kind"]): Record<string, { localId: string }> {
  const table: Record<string, { localId: string }> = Object.create(null) as Record<string, { localId: string }>;
  for (const trace of traces) {
    if (trace.kind !== kind) continue;
    if (trace.mirrorSideId === side.id) table[trace.originId] = { localId: trace.mirrorId };
    else table[trace.mirrorId] = { localId: trace.originId };
  }
  return table;
}
