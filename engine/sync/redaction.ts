import type { Json } from "../replica/json.ts";
import type { ActiveRule, SideRow } from "../store/configuration.ts";
import { HiddenTexts } from "../store/hidden-texts.ts";
import type { NewRun } from "../store/runs.ts";
import type { Withheld } from "../store/schema.ts";
import type { SyncContext } from "./context.ts";
import { cutToSize } from "./run-size.ts";

const redacted = "[redacted]";

/** Shorter texts stand in too many places by chance; a password of three letters keeps no secret anyway. */
const shortestSought = 4;

/**
 * A run as it may be recorded: without the secrets of the two instances, without the values of fields that the side marks as not
 * to be shown, and no larger than a run may be. What was withheld is said with it, because such a run goes through a rule
 * otherwise than the real one did.
 */
export async function recordable(context: SyncContext, side: SideRow, rule: Pick<ActiveRule, "redact" | "mappingsHash">, run: NewRun): Promise<NewRun> {
  const [here, there] = await Promise.all([context.connectors.secretsOf(side.instanceId), context.connectors.secretsOf(side.remote.instanceId)]);
  const withoutTables: NewRun = { ...run, input: { ...(run.input as object), mappings: {} }, mappingsHash: rule.mappingsHash };
  return cutToSize(redactRun(withoutTables, { fields: rule.redact, secrets: [...here, ...there] }));
}

/** What must not be seen: fields by their name, wherever they stand, and texts wherever they stand in other texts. */
export interface Hidden {
  readonly fields: readonly string[];
  readonly secrets: readonly string[];
}

/**
 * Replaces marked fields and secrets. The value of a marked field is replaced in other places too (a rule may have copied it to
 * another name, or printed it), if it is long enough not to stand there by chance.
 */
export function redactRun(run: NewRun, hidden: Hidden): NewRun {
  const secrets = hidden.secrets.filter((secret) => secret.length >= shortestSought).flatMap(spellings);
  const parts: Parts = { input: run.input, calls: run.calls, output: run.output, console: run.console, error: run.error, reason: run.reason };
  const text = JSON.stringify(parts);
  const secretThere = secrets.some((secret) => text.includes(JSON.stringify(secret).slice(1, -1)));
  const marked = hidden.fields.filter((field) => text.includes(`${JSON.stringify(field)}:`));
  if (!secretThere && marked.length === 0) return run;
  const values = new Set<string>();
  const found = new Set<string>();
  const names = new Set(marked);
  const masked = ofRecords(parts, (value) => maskFields(value, names, values, found));
  const longestFirst = [...secrets, ...values].sort((a, b) => b.length - a.length);
  // What goes in is JSON: it was just made text of.
  const clean = withFrame(parts, maskTexts(masked as unknown as Json, longestFirst, values) as unknown as Parts);
  const withheld: Withheld = { fields: [...found].sort(), secrets: secretThere, cut: run.withheld?.cut ?? [] };
  return { ...run, ...clean, withheld: found.size > 0 || secretThere ? withheld : (run.withheld ?? null), hidden: new HiddenTexts(longestFirst) };
}

/** A text or a value about runs, without what was withheld from their records: a failure's message, what a preview would write. */
export function withoutHidden<Shown>(runs: readonly Pick<NewRun, "hidden">[], value: Shown): Shown {
  const hidden = runs.flatMap((run) => run.hidden?.reveal() ?? []);
  // What is shown is JSON, and stays of its shape: texts are replaced by texts.
  return hidden.length === 0 ? value : (maskTexts(value as Json, hidden, new Set(hidden)) as Shown);
}

/** A value of records (a replica, fields to be written) without the values of marked fields. */
export function withoutMarked<Shown>(fields: readonly string[], value: Shown): Shown {
  return fields.length === 0 ? value : (maskFields(value as Json, new Set(fields), new Set(), new Set()) as Shown);
}

type Parts = Pick<NewRun, "input" | "calls" | "output" | "console" | "error" | "reason">;

/**
 * Applies a change to what comes from records: entities, replicas, arguments and answers. A marked field may be called `name` or
 * `kind`; the members of that name that a run itself is made of are something else.
 */
function ofRecords(parts: Parts, change: (value: Json) => Json): Parts {
  const members = (holder: unknown, names: readonly string[]): unknown => {
    if (typeof holder !== "object" || holder === null) return holder;
    // Members of JSON are JSON.
    return Object.fromEntries(Object.entries(holder).map(([name, value]) => [name, names.includes(name) ? change(value as Json) : (value as Json)]));
  };
  const calls = Array.isArray(parts.calls)
    ? parts.calls.map((each: { readonly call?: unknown; readonly answer?: unknown }) => ({
        ...each,
        call: members(each.call, ["args"]),
        answer: members(each.answer, ["value"]),
      }))
    : parts.calls;
  return { ...parts, input: members(parts.input, ["entity", "replica", "previous"]), calls, output: members(parts.output, ["entity", "replica"]) };
}

/** The words that say what kind of run and result it is stay what they are, whatever somebody's secret is. */
function withFrame(before: Parts, after: Parts): Parts {
  const keep = (from: unknown, to: unknown, name: string): unknown =>
    typeof from === "object" && from !== null && name in from ? { ...(to as object), [name]: (from as Record<string, unknown>)[name] } : to;
  return { ...after, input: keep(before.input, after.input, "direction"), output: keep(before.output, after.output, "kind") };
}

/** A secret as it may stand in what a platform answers or a rule prints: plain, in an address, in a header. */
function spellings(secret: string): string[] {
  return [...new Set([secret, encodeURIComponent(secret), Buffer.from(secret, "utf8").toString("base64")])];
}

function maskFields(value: Json, marked: ReadonlySet<string>, values: Set<string>, found: Set<string>): Json {
  if (Array.isArray(value)) return value.map((item: Json) => maskFields(item, marked, values, found));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => {
      if (!marked.has(name) || item === null || item === "") return [name, maskFields(item, marked, values, found)];
      found.add(name);
      collect(item, values);
      // A list stays one, so that a rule that goes through it can be replayed.
      return [name, Array.isArray(item) ? item.map(() => redacted) : redacted];
    }),
  );
}

function collect(value: Json, values: Set<string>): void {
  if (Array.isArray(value)) for (const item of value) collect(item, values);
  else if (typeof value === "object" && value !== null) for (const item of Object.values(value)) collect(item, values);
  else if ((typeof value === "string" || typeof value === "number") && String(value).length >= shortestSought && value !== redacted) values.add(String(value));
}

function maskTexts(value: Json, sought: readonly string[], numbers: ReadonlySet<string>): Json {
  if (typeof value === "string") return sought.reduce((text, each) => text.replaceAll(each, redacted), value);
  if (typeof value === "number") return numbers.has(String(value)) ? redacted : value;
  if (Array.isArray(value)) return value.map((item: Json) => maskTexts(item, sought, numbers));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [partNames.has(name) ? name : (maskTexts(name, sought, numbers) as string), maskTexts(item, sought, numbers)]),
  );
}

/** The names that a run itself is made of stay what they are, whatever somebody's secret is. */
const partNames: ReadonlySet<string> = new Set([
  "input",
  "calls",
  "output",
  "console",
  "error",
  "reason",
  "direction",
  "entity",
  "replica",
  "kind",
  "call",
  "answer",
  "name",
  "args",
  "value",
]);
