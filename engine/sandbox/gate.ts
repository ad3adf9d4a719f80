import type { Json } from "./completion.ts";

export interface GateLimits {
  readonly bytes: number;
  readonly depth: number;
  readonly keys: number;
}

export type Gated = { readonly ok: true; readonly value: Json } | { readonly ok: false; readonly code: string; readonly message: string };

/**
 * Parses text from a child that may lie. Size, depth and number of values are measured on the text, before anything is built:
 * code of ours overflows its stack on objects nested 10 000 deep [M].
 */
export function parseUntrusted(text: string, label: string, limits: GateLimits): Gated {
  // Three bytes are the most that a UTF-16 unit takes: only a text near the limit is measured.
  if (text.length * 3 > limits.bytes && Buffer.byteLength(text) > limits.bytes) {
    return { ok: false, code: "LIMIT_RESULT", message: `${label} is larger than ${limits.bytes} bytes, which is the limit` };
  }
  const shape = measure(text);
  if (shape.depth > limits.depth) return { ok: false, code: "LIMIT_RESULT", message: `${label} goes deeper than ${limits.depth} levels, which is the limit` };
  if (shape.values > limits.keys + 1) return { ok: false, code: "LIMIT_RESULT", message: `${label} has more than ${limits.keys} keys, which is the limit` };
  try {
    const value = JSON.parse(text) as Json;
    return { ok: true, value: mayHoldProto(text) ? withoutProto(value) : value };
  } catch {
    return { ok: false, code: "PROTOCOL", message: `${label} is not JSON` };
  }
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

/** The key may be written with escapes. */
function mayHoldProto(text: string): boolean {
  return text.includes("__proto__") || text.includes("\\u005f") || text.includes("\\u005F") || /\\u00[67]/.test(text);
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
