import type { Entity } from "../../connectors/connector.ts";
import { contentHash } from "../replica/canonical.ts";
import { isJsonObject, type Json } from "../replica/json.ts";
import { overLimit } from "../replica/limits.ts";
import type { Effects } from "../rules/run-input.ts";
import type { ActiveRule, SideRow } from "../store/configuration.ts";
import type { NewRun } from "../store/runs.ts";
import type { Trace, TwinState } from "../store/twins.ts";
import type { SyncContext } from "./context.ts";
import { entityView } from "./entity-view.ts";
import { RuleFault } from "./rule-fault.ts";
import { ruleName, runOutgoing } from "./rule-run.ts";

/** What an outgoing rule says about the present state of a record. */
export type Said =
  | { readonly kind: "replica"; readonly replica: Json; readonly hash: string; readonly effects: Effects }
  | { readonly kind: "skipped"; readonly why: string }
  | { readonly kind: "waiting"; readonly remoteKey: string };

export interface OutgoingStep {
  readonly run: NewRun;
  /** Undefined when the rule erred: see `fault`. */
  readonly said: Said | undefined;
  readonly fault: RuleFault | undefined;
}

/** Runs the outgoing rule over a record that was read. Comments and attachments that came from the other side are not sent back to it. */
export async function askOutgoing(
  context: SyncContext,
  side: SideRow,
  rule: ActiveRule,
  twin: TwinState,
  traces: readonly Trace[],
  entity: Entity,
): Promise<OutgoingStep> {
  const { run, result, fault } = await runOutgoing(context, side, rule, twin.id, {
    direction: "outgoing",
    entity: entityView(entity),
    previous: twin.sides.get(side.id)?.sent ?? null,
    firstSync: twin.state !== "tied",
    connection: { name: side.connectionName, local: side.name, remote: side.remote.name },
    mappings: rule.mappings,
    now: context.now().getTime(),
    seed: context.newId(),
  });
  if (result === undefined) return { run, said: undefined, fault };
  if (result.kind !== "replica") return { run, said: result, fault: undefined };
  const replica = withoutMirrored(result.replica, side, traces);
  const wrong = overLimit(replica);
  if (wrong !== undefined) {
    const tooMuch = new RuleFault(
      "LIMIT_REPLICA",
      `${ruleName(side, "outgoing")} (version ${rule.number}): the replica ${wrong}.`,
      { rule: ruleName(side, "outgoing"), version: rule.number },
      run.id,
    );
    return { run: { ...run, outcome: "error", reason: tooMuch.message }, said: undefined, fault: tooMuch };
  }
  return { run, said: { kind: "replica", replica, hash: contentHash(replica), effects: result.effects }, fault: undefined };
}

function withoutMirrored(replica: Json, side: SideRow, traces: readonly Trace[]): Json {
  if (!isJsonObject(replica)) return replica;
  const mirrored = new Set(traces.filter((trace) => trace.mirrorSideId === side.id).map((trace) => `${trace.kind} ${trace.mirrorId}`));
  if (mirrored.size === 0) return replica;
  const keep = (kind: Trace["kind"], items: Json | undefined): Json | undefined =>
    Array.isArray(items) ? items.filter((item: Json) => !(isJsonObject(item) && mirrored.has(`${kind} ${String(item["id"])}`))) : items;
  const comments = keep("comment", replica["comments"]);
  const attachments = keep("attachment", replica["attachments"]);
  return { ...replica, ...(comments === undefined ? {} : { comments }), ...(attachments === undefined ? {} : { attachments }) };
}
