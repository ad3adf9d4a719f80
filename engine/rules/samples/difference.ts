import { canonicalText, sameJson } from "../../replica/canonical.ts";
import { isJsonObject, type Json, type JsonObject } from "../../replica/json.ts";
import type { Outcome } from "./outcome.ts";

/** One place where two outcomes differ. A member that is absent: there is nothing at that place. */
export interface Difference {
  /** `fields.priority`, `replica.comments[c1].body`; empty when the outcomes are of different kinds. */
  readonly path: string;
  readonly expected?: Json;
  readonly actual?: Json;
  /** For people: `fields.priority: expected "1", got "2"`. */
  readonly text: string;
}

/** Where the outcomes differ, place by place, in the order of the expected one. Empty when they are the same. */
export function differences(expected: Outcome, actual: Outcome): Difference[] {
  // Outcomes are JSON by construction, which TypeScript does not see in interfaces.
  const [left, right] = [expected, actual] as unknown as [Json, Json];
  if (sameJson(left, right)) return [];
  if (kindOf(expected) !== kindOf(actual)) {
    return [{ path: "", expected: left, actual: right, text: `expected ${outcomeInWords(expected)}, got ${outcomeInWords(actual)}` }];
  }
  const found: Difference[] = [];
  compare("", left, right, found);
  return found;
}

/** An outcome in a few words: `a replica of 6 names`, `skipped: not ours`, `RULE_ERROR at 3:5: …`. */
export function outcomeInWords(outcome: Outcome): string {
  if ("replica" in outcome) return `a replica (${Object.keys(outcome.replica).join(", ") || "empty"})`;
  if ("skipped" in outcome) return `skipped: ${outcome.skipped}`;
  if ("failed" in outcome) return `failed: ${outcome.failed}`;
  if ("waiting" in outcome) return `waiting for ${outcome.waiting}`;
  if ("nothing" in outcome) return "nothing to write";
  if ("error" in outcome) {
    const { code, message, line, column } = outcome.error;
    return `the error ${code}${line === undefined ? "" : ` at ${line}${column === undefined ? "" : `:${column}`}`}: ${message}`;
  }
  const parts = [
    outcome.entityType === undefined ? undefined : `a new ${outcome.entityType}`,
    outcome.fields === undefined ? undefined : `fields ${Object.keys(outcome.fields).join(", ")}`,
    count(outcome.comments?.added, "new comment"),
    count(outcome.comments?.edited, "edited comment"),
    count(outcome.comments?.removed, "removed comment"),
    count(outcome.attachments?.added, "new attachment"),
    count(outcome.attachments?.removed, "removed attachment"),
    outcome.status === undefined ? undefined : `status ${JSON.stringify(outcome.status)}`,
    outcome.linkTo === undefined ? undefined : `a link to ${outcome.linkTo.type} ${outcome.linkTo.id}`,
    count(outcome.startSync, "sync started"),
    outcome.syncBack === true ? "a sync back" : undefined,
    outcome.unlink === true ? "an unlink" : undefined,
  ];
  return `a change (${parts.filter((part) => part !== undefined).join("; ")})`;
}

function count(list: readonly unknown[] | undefined, what: string): string | undefined {
  if (list === undefined) return undefined;
  return `${list.length} ${what}${list.length === 1 ? "" : "s"}`;
}

function kindOf(outcome: Outcome): string {
  return ["replica", "skipped", "failed", "waiting", "nothing", "error"].find((kind) => kind in outcome) ?? "change";
}

function compare(path: string, expected: Json | undefined, actual: Json | undefined, found: Difference[]): void {
  if (expected !== undefined && actual !== undefined) {
    if (sameJson(expected, actual)) return;
    if (Array.isArray(expected) && Array.isArray(actual)) {
      compareLists(path, expected, actual, found);
      return;
    }
    if (isJsonObject(expected) && isJsonObject(actual)) {
      for (const key of new Set([...Object.keys(expected), ...Object.keys(actual)])) compare(member(path, key), own(expected, key), own(actual, key), found);
      return;
    }
  }
  found.push({
    path,
    ...(expected === undefined ? {} : { expected }),
    ...(actual === undefined ? {} : { actual }),
    text: `${path}: ${inWords(expected, actual)}`,
  });
}

/** A name such as `toString` is there only if somebody put it there. */
function own(value: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(value, key) ? value[key] : undefined;
}

/** Comments and attachments are compared by their ids, so that one that is missing does not make all after it differ; other lists by position. */
function compareLists(path: string, expected: readonly Json[], actual: readonly Json[], found: Difference[]): void {
  const left = byId(expected);
  const right = byId(actual);
  if (left === undefined || right === undefined) {
    for (let index = 0; index < Math.max(expected.length, actual.length); index++) compare(`${path}[${index}]`, expected[index], actual[index], found);
    return;
  }
  const before = found.length;
  for (const id of new Set([...left.keys(), ...right.keys()])) compare(`${path}[${id}]`, left.get(id), right.get(id), found);
  if (found.length > before) return;
  const [was, is] = [[...left.keys()], [...right.keys()]];
  found.push({ path, expected: was, actual: is, text: `${path}: expected the order ${was.join(", ")}, got ${is.join(", ")}` });
}

function byId(list: readonly Json[]): Map<string, Json> | undefined {
  const known = new Map<string, Json>();
  for (const item of list) {
    const id = isJsonObject(item) ? (item["id"] ?? item["remoteId"]) : undefined;
    if (typeof id !== "string" || known.has(id)) return undefined;
    known.set(id, item);
  }
  return known;
}

function member(path: string, key: string): string {
  if (!/^[A-Za-z_$][\w$]*$/.test(key)) return `${path}[${JSON.stringify(key)}]`;
  return path === "" ? key : `${path}.${key}`;
}

function inWords(expected: Json | undefined, actual: Json | undefined): string {
  if (expected === undefined) return `not expected, got ${shown(actual)}`;
  if (actual === undefined) return `expected ${shown(expected)}, got nothing`;
  if (typeof expected === "string" && typeof actual === "string" && Math.max(expected.length, actual.length) > longestShown) {
    const same = commonStart(expected, actual);
    if (same > context) {
      return `differs from character ${same + 1} on: expected ${shown(`…${expected.slice(same - context)}`)}, got ${shown(`…${actual.slice(same - context)}`)}`;
    }
  }
  return `expected ${shown(expected)}, got ${shown(actual)}`;
}

const longestShown = 160;
/** How much of what is the same is shown before a difference in a long text. */
const context = 20;

function commonStart(a: string, b: string): number {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length += 1;
  return length;
}

function shown(value: Json | undefined): string {
  const text = value === undefined ? "nothing" : typeof value === "string" ? JSON.stringify(value) : canonicalText(value);
  return text.length > longestShown ? `${text.slice(0, longestShown)}… (${text.length} characters)` : text;
}
