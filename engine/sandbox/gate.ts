import type { Json } from "./completion.ts";

export interface GateLimits {
  readonly bytes: number;
  readonly depth: number;
  readonly keys: number;
}

export type Gated = { readonly ok: true; readonly value: Json } | { readonly ok: false; readonly code: string; readonly message: string };

/**
 * Parses text from a child that may lie. A long text is measured before anything is built of it; a short one is parsed first (V8's parser keeps its own
 * stack) and the value looked through, which takes a tenth of the time [M]. Either way nothing deeper than the limit gets out:
 * code of ours overflows its stack on objects nested 10 000 deep [M].
 */
export function parseUntrusted(text: string, label: string, limits: GateLimits): Gated {
  // Three bytes are the most that a UTF-16 unit takes: only a text near the limit is measured.
  if (text.length * 3 > limits.bytes && Buffer.byteLength(text) > limits.bytes) {
    return { ok: false, code: "LIMIT_RESULT", message: `${label} is larger than ${limits.bytes} bytes, which is the limit` };
  }
  if (text.length > shortText) {
    const refusal = refusalOf(measure(text), label, limits);
    if (refusal !== undefined) return refusal;
  }
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch {
    return { ok: false, code: "PROTOCOL", message: `${label} is not JSON` };
  }
  const shape: Shape = { depth: 0, values: 0, hasProto: false };
  if (typeof value === "object" && value !== null) look(value, 1, limits.depth, shape);
  return refusalOf(shape, label, limits) ?? { ok: true, value: shape.hasProto ? withoutProto(value) : value };
}

/** Characters. What is parsed of a text that is no longer takes less than 2 MB, whatever stands in it. */
const shortText = 64 * 1024;

interface Shape {
  depth: number;
  values: number;
  hasProto: boolean;
}

function refusalOf({ depth, values }: Pick<Shape, "depth" | "values">, label: string, limits: GateLimits): Extract<Gated, { ok: false }> | undefined {
  if (depth > limits.depth) return { ok: false, code: "LIMIT_RESULT", message: `${label} goes deeper than ${limits.depth} levels, which is the limit` };
  if (values > limits.keys + 1) return { ok: false, code: "LIMIT_RESULT", message: `${label} has more than ${limits.keys} keys, which is the limit` };
  return undefined;
}

/** Looks through a parsed object or list, one level further than it may go at most. */
function look(value: object, depth: number, most: number, shape: Shape): void {
  if (depth > shape.depth) shape.depth = depth;
  if (depth > most) return;
  let members = 0;
  if (Array.isArray(value)) {
    members = value.length;
    for (let index = 0; index < members; index += 1) {
      const member: unknown = value[index];
      if (typeof member === "object" && member !== null) look(member, depth + 1, most, shape);
    }
  } else {
    // A list of the keys would cost four times as much as the walk [M].
    for (const key in value) {
      members += 1;
      // `JSON.parse` makes an own member of it.
      if (key === "__proto__") shape.hasProto = true;
      const member = (value as Readonly<Record<string, unknown>>)[key];
      if (typeof member === "object" && member !== null && Object.hasOwn(value, key)) look(member, depth + 1, most, shape);
    }
  }
  shape.values += members === 0 ? 1 : members;
}

/** Counts members and elements by their separators; text inside quotes does not count. */
function measure(text: string): { depth: number; values: number } {
  let depth = 0;
  let deepest = 0;
  let values = 0;
  for (let index = 0; index < text.length; index += 1) {
    switch (text.charCodeAt(index)) {
      case 34:
        index = endOfText(text, index);
        break;
      case 44:
        values += 1;
        break;
      case 91:
      case 123:
        depth += 1;
        values += 1;
        if (depth > deepest) deepest = depth;
        break;
      case 93:
      case 125:
        depth -= 1;
        break;
    }
  }
  return { depth: deepest, values };
}

/** The closing quote: the first one that does not stand behind an odd number of backslashes. */
function endOfText(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (end !== -1) {
    let slashes = 0;
    while (text.charCodeAt(end - 1 - slashes) === 92) slashes += 1;
    if (slashes % 2 === 0) return end;
    end = text.indexOf('"', end + 1);
  }
  return text.length;
}

/** `JSON.parse` makes an own `__proto__` member, which sets the prototype when somebody copies it with `Object.assign` [M]. */
function withoutProto(value: Json): Json {
  if (Array.isArray(value)) return value.map(withoutProto);
  if (typeof value !== "object" || value === null) return value;
  const clean: Record<string, Json> = {};
  for (const [key, member] of Object.entries(value)) {
    if (key !== "__proto__") clean[key] = withoutProto(member as Json);
  }
  return clean;
}
