import { createHash } from "node:crypto";
import type { Json } from "./json.ts";

/** The one text of a JSON value: keys sorted, nothing optional. Equal values have equal texts, whatever order they were built in. */
export function canonicalText(value: Json): string {
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((item: Json) => canonicalText(item)).join(",")}]`;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonicalText(item)}`).join(",")}}`;
}

/** SHA-256 of the canonical text, in hex. */
export function contentHash(value: Json): string {
  return createHash("sha256").update(canonicalText(value)).digest("hex");
}

export function sameJson(a: Json, b: Json): boolean {
  return a === b || canonicalText(a) === canonicalText(b);
}
