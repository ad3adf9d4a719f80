import { z } from "zod";
import type { Json } from "../replica/json.ts";
import {
  type IncomingResult,
  type IncomingRunInput,
  incomingResult,
  type OutgoingResult,
  type OutgoingRunInput,
  outgoingResult,
  runInputAsJson,
} from "../rules/run-input.ts";
import type { Completion } from "../sandbox/completion.ts";
import type { RunLimits } from "../sandbox/limits.ts";
import { type ActiveRule, activeRule, type SideRow } from "../store/configuration.ts";
import type { NewRun } from "../store/runs.ts";
import type { Direction, RunId, TwinId } from "../store/schema.ts";
import type { SyncContext } from "./context.ts";
import { answerCalls } from "./helper-answers.ts";
import { recordable, withoutHidden } from "./redaction.ts";
import { RuleFault } from "./rule-fault.ts";

/** The rule that a side runs now, or a fault that says that there is none. */
export async function ruleOf(context: SyncContext, side: SideRow, direction: Direction): Promise<ActiveRule> {
  const rule = await activeRule(context.db, side.id, direction);
  if (rule !== undefined) return rule;
  throw new RuleFault("NO_RULE", `${side.connectionName}: the side ${side.name} has no published ${direction} rule.`);
}

/** `support/SN/incoming.ts`, as people see it in errors. */
export function ruleName(side: SideRow, direction: Direction): string {
  return `${side.connectionName}/${side.name}/${direction}.ts`;
}

export interface RunOutcome<Result> {
  readonly run: NewRun;
  /** Present unless the run erred or failed; the fault says why then. */
  readonly result: Exclude<Result, { kind: "failed" }> | undefined;
  readonly fault: RuleFault | undefined;
}

/** Runs an outgoing rule. Never throws for what the rule does; the run is handed back to be recorded with what follows from it. */
export async function runOutgoing(
  context: SyncContext,
  side: SideRow,
  rule: ActiveRule,
  twinId: TwinId,
  input: OutgoingRunInput,
): Promise<RunOutcome<OutgoingResult>> {
  return await recorded(context, side, rule, await run(context, side, rule, twinId, input, outgoingResult));
}

/** Runs an incoming rule, likewise. */
export async function runIncoming(
  context: SyncContext,
  side: SideRow,
  rule: ActiveRule,
  twinId: TwinId,
  input: IncomingRunInput,
): Promise<RunOutcome<IncomingResult>> {
  return await recorded(context, side, rule, await run(context, side, rule, twinId, input, incomingResult));
}

/** What is kept of the run is not always all of it; the result is. */
async function recorded<Result>(context: SyncContext, side: SideRow, rule: ActiveRule, outcome: RunOutcome<Result>): Promise<RunOutcome<Result>> {
  const run = await recordable(context, side, rule, outcome.run);
  const { fault } = outcome;
  if (fault === undefined || run.hidden === undefined) return { ...outcome, run };
  return { ...outcome, run, fault: new RuleFault(fault.code, withoutHidden([run], fault.message), withoutHidden([run], fault.detail), fault.runId) };
}

async function run<Result extends OutgoingResult | IncomingResult>(
  context: SyncContext,
  side: SideRow,
  rule: ActiveRule,
  twinId: TwinId,
  input: OutgoingRunInput | IncomingRunInput,
  schema: z.ZodType<Result>,
): Promise<RunOutcome<Result>> {
  const id = context.newId() as RunId;
  const name = ruleName(side, input.direction);
  // By the names of the sandbox's limits: the configuration's schema has seen them.
  const limits = rule.limits as RunLimits | undefined;
  const completion = await context.sandbox.run(
    { versionId: rule.versionId, name, code: rule.code },
    runInputAsJson(input),
    (calls) => answerCalls(context, side, calls),
    limits === undefined || Object.keys(limits).length === 0 ? undefined : limits,
  );
  const record = (outcome: NewRun["outcome"], reason: string | null, output: unknown, error: Json | null): NewRun => ({
    id,
    connectionId: side.connectionId,
    sideId: side.id,
    twinId,
    versionId: rule.versionId,
    direction: input.direction,
    outcome,
    reason,
    input,
    calls: completion.calls,
    output,
    console: completion.console,
    error,
    cpuMs: completion.cpuMs,
    wallMs: completion.wallMs,
  });
  if (!completion.ok) {
    const fault = faultOf(name, rule, completion, id);
    return { run: record("error", fault.message, null, completion.error as unknown as Json), result: undefined, fault };
  }
  const parsed = schema.safeParse(completion.value);
  if (!parsed.success) {
    const fault = new RuleFault(
      "BAD_RESULT",
      `${name} (version ${rule.number}) gave a result that cannot be used: ${z.prettifyError(parsed.error)}`,
      { rule: name, version: rule.number },
      id,
    );
    return { run: record("error", fault.message, null, { code: fault.code, message: fault.message }), result: undefined, fault };
  }
  const result = parsed.data;
  if (result.kind === "failed") {
    const fault = new RuleFault("RULE_FAILED", `${name} (version ${rule.number}) said fail: ${result.why}`, { rule: name, version: rule.number }, id);
    return { run: record("failed", result.why, result, null), result: undefined, fault };
  }
  const outcome = result.kind === "skipped" ? "skipped" : result.kind === "waiting" ? "waiting" : "ok";
  const reason = result.kind === "skipped" ? result.why : result.kind === "waiting" ? `waits for ${result.remoteKey}` : null;
  // TypeScript does not narrow a type parameter by its discriminant; the kind "failed" has returned above.
  return { run: record(outcome, reason, result, null), result: result as Exclude<Result, { kind: "failed" }>, fault: undefined };
}

function faultOf(name: string, rule: ActiveRule, completion: Extract<Completion, { ok: false }>, runId: RunId): RuleFault {
  const { error } = completion;
  const place = error.line === undefined ? "" : `, line ${error.line}${error.column === undefined ? "" : `, column ${error.column}`}`;
  return new RuleFault(
    error.code,
    `${name} (version ${rule.number}${place}): ${error.message}`,
    {
      rule: name,
      version: rule.number,
      kind: error.kind,
      ...(error.line === undefined ? {} : { line: error.line }),
      ...(error.column === undefined ? {} : { column: error.column }),
      frames: [...error.frames],
    },
    runId,
  );
}
