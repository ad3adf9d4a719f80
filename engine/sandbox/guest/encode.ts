/** Turns what a rule made into plain JSON text, or says where it cannot: under the rule's own clock, so that hostile getters cost the rule only. */

export interface EncodeLimits {
  readonly bytes: number;
  readonly depth: number;
  readonly keys: number;
}

/** What was wrong, as data: `limit` for a limit that was passed, `value` for something that JSON cannot hold. */
export class EncodeFailure {
  readonly fault: "limit" | "value";
  readonly message: string;

  constructor(fault: "limit" | "value", message: string) {
    this.fault = fault;
    this.message = message;
  }
}

/**
 * `label` names the value in messages; when it is empty the path alone does: `replica.summary`.
 *
 * `wrapping` levels are not the rule's and do not count. A date becomes its ISO text; `undefined` members are left out; `-0` is 0. `NaN`, infinities, invalid dates, functions,
 * symbols, big integers and objects of a class are refused with their path: silently losing them would write wrong data.
 * @throws EncodeFailure
 */
export function encode(value: unknown, label: string, limits: EncodeLimits, wrapping = 0): string {
  const text = encodeQuickly(value, limits, wrapping);
  return text ?? encodeCarefully(value, label, limits, wrapping);
}

/**
 * Nearly all values are small trees of text and numbers: those are looked through and given to `JSON.stringify` as they are. All others, and
 * whatever is wrong, goes the careful way, which copies, converts and names the place.
 * Without a compiler (`--jitless`) a result of 2 KB in 75 keys takes 8 µs this way, 30 µs the careful way [M].
 *
 * A proxy or a getter may answer something else the second time. That gains nothing: the text is JSON all the same, and the parent measures it again.
 */
function encodeQuickly(value: unknown, limits: EncodeLimits, wrapping: number): string | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const most = limits.keys * keyWeight;
  if (weigh(value, limits.depth + wrapping, most < limits.bytes ? most : limits.bytes) < 0) return undefined;
  const text: string | undefined = JSON.stringify(value);
  // A text of six characters is looked for sixteen times as fast as the whole key [M]: V8 has a machine instruction for its first.
  return text === undefined || text.length > limits.bytes || text.includes("__prot") ? undefined : text;
}

/** What a key counts beside its characters, so that one number bounds both. */
const keyWeight = 16;

const { getPrototypeOf, prototype: objectPrototype } = Object;
const { isArray } = Array;

/** Characters and keys below an object; negative when it is heavier than `most` or holds anything but plain values. */
function weigh(value: object, depth: number, most: number): number {
  if (depth <= 0) return -1;
  if (isArray(value)) return weighList(value, depth, most);
  const prototype: unknown = getPrototypeOf(value);
  if (prototype !== objectPrototype && prototype !== null) return -1;
  let weight = 0;
  for (const key in value) {
    const member = (value as Record<string, unknown>)[key];
    weight += key.length + keyWeight;
    if (typeof member === "string") weight += member.length;
    else if (typeof member === "object") {
      if (member === null) continue;
      const inner = weigh(member, depth - 1, most - weight);
      if (inner < 0) return -1;
      weight += inner;
    } else if (!isPlainValue(member)) return -1;
  }
  return weight > most ? -1 : weight;
}

function weighList(value: readonly unknown[], depth: number, most: number): number {
  const { length } = value;
  let weight = length * keyWeight;
  if (weight > most) return -1;
  for (let index = 0; index < length; index += 1) {
    const member = value[index];
    if (typeof member === "string") weight += member.length;
    else if (typeof member === "object") {
      if (member === null) continue;
      const inner = weigh(member, depth - 1, most - weight);
      if (inner < 0) return -1;
      weight += inner;
    } else if (!isPlainValue(member)) return -1;
  }
  return weight > most ? -1 : weight;
}

function isPlainValue(value: unknown): boolean {
  switch (typeof value) {
    case "boolean":
    case "undefined":
      return true;
    case "number":
      return value - value === 0;
    default:
      return false;
  }
}

function encodeCarefully(value: unknown, label: string, limits: EncodeLimits, wrapping: number): string {
  const measure: Measure = { limits, label, characters: 0, keys: 0 };
  const text = JSON.stringify(plain(value, measure, undefined, -wrapping));
  // Characters were counted while copying; bytes differ from them for text beyond ASCII and for escapes.
  if (text.length > limits.bytes) throw tooLarge(measure);
  return text;
}

interface Measure {
  readonly limits: EncodeLimits;
  readonly label: string;
  characters: number;
  keys: number;
}

/** Where a value stands: a linked list, turned into text only when something is wrong. */
interface Path {
  readonly parent: Path | undefined;
  readonly key: string | number;
}

function plain(value: unknown, measure: Measure, path: Path | undefined, depth: number): unknown {
  switch (typeof value) {
    case "string":
      measure.characters += value.length;
      if (measure.characters > measure.limits.bytes) throw tooLarge(measure);
      return value;
    case "boolean":
      return value;
    case "number":
      if (value - value !== 0) throw refused(measure, path, String(value));
      return value;
    case "undefined":
      return null;
    case "object":
      return value === null ? null : plainObject(value, measure, path, depth);
    case "function":
      throw refused(measure, path, "a function");
    default:
      throw refused(measure, path, `a ${typeof value}`);
  }
}

function plainObject(value: object, measure: Measure, path: Path | undefined, depth: number): unknown {
  if (depth >= measure.limits.depth) {
    throw new EncodeFailure(
      "limit",
      `${labelOf(measure)} goes deeper than ${measure.limits.depth} levels (or contains itself); ${measure.limits.depth} is the limit`,
    );
  }
  if (Array.isArray(value)) return plainArray(value, measure, path, depth);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    if (value instanceof Date) return plainDate(value, measure, path);
    throw refused(measure, path, describeClass(value));
  }
  const copy: Record<string, unknown> = {};
  for (const key of Object.keys(value)) {
    const member = (value as Record<string, unknown>)[key];
    if (member === undefined) continue;
    count(measure, key.length);
    const plainMember = plain(member, measure, { parent: path, key }, depth + 1);
    // Assigning `__proto__` would set the prototype; it is not data anybody may rely on, so it is left out.
    if (key !== "__proto__") copy[key] = plainMember;
  }
  return copy;
}

function plainArray(value: readonly unknown[], measure: Measure, path: Path | undefined, depth: number): unknown[] {
  const { length } = value;
  if (length > measure.limits.keys) throw tooManyKeys(measure);
  const copy: unknown[] = [];
  for (let index = 0; index < length; index += 1) {
    count(measure, 0);
    copy[index] = plain(value[index], measure, { parent: path, key: index }, depth + 1);
  }
  return copy;
}

function plainDate(value: Date, measure: Measure, path: Path | undefined): string {
  const time = Date.prototype.getTime.call(value);
  if (time - time !== 0) throw refused(measure, path, "an invalid date");
  return new Date(time).toISOString();
}

function count(measure: Measure, characters: number): void {
  measure.keys += 1;
  measure.characters += characters;
  if (measure.keys > measure.limits.keys) throw tooManyKeys(measure);
}

function tooManyKeys(measure: Measure): EncodeFailure {
  return new EncodeFailure("limit", `${labelOf(measure)} has more than ${measure.limits.keys} keys, which is the limit`);
}

function tooLarge(measure: Measure): EncodeFailure {
  return new EncodeFailure("limit", `${labelOf(measure)} is larger than ${measure.limits.bytes} bytes, which is the limit`);
}

function refused(measure: Measure, path: Path | undefined, what: string): EncodeFailure {
  const place = `${measure.label}${pathText(path)}`.replace(/^\./, "") || labelOf(measure);
  return new EncodeFailure("value", `${place} is ${what}, which cannot travel: use text, numbers, true and false, null, lists and plain objects`);
}

function labelOf(measure: Measure): string {
  return measure.label === "" ? "the result" : measure.label;
}

function pathText(path: Path | undefined): string {
  const parts: string[] = [];
  for (let each = path; each !== undefined && parts.length < 20; each = each.parent) {
    parts.unshift(
      typeof each.key === "number" ? `[${each.key}]` : /^[A-Za-z_$][\w$]*$/.test(each.key) ? `.${each.key}` : `[${JSON.stringify(each.key.slice(0, 100))}]`,
    );
  }
  return parts.join("");
}

function describeClass(value: object): string {
  const { name } = (value as { constructor?: { name?: unknown } }).constructor ?? {};
  return typeof name === "string" && name !== "" ? `an object of class ${name.slice(0, 100)}` : "an object of a class";
}
