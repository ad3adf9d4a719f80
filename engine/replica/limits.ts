import type { Json } from "./json.ts";

/** Bounds of a replica or a result. Named alike in docs, errors and metrics. */
const replicaLimits = { bytes: 2 * 1024 * 1024, depth: 64, keys: 100_000 } as const;

/**
 * Says what is wrong with a replica that is about to travel or has arrived, or undefined. The walk keeps its own stack:
 * JSON nested 10 000 deep overflows a recursive one.
 */
export function overLimit(value: Json, limits: { readonly bytes: number; readonly depth: number; readonly keys: number } = replicaLimits): string | undefined {
  let keys = 0;
  const open: { value: Json; depth: number }[] = [{ value, depth: 1 }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (next.value === null || typeof next.value !== "object") continue;
    if (next.depth > limits.depth) return `is nested deeper than ${limits.depth} levels`;
    const children: readonly Json[] = Array.isArray(next.value) ? next.value : Object.values(next.value);
    keys += children.length;
    if (keys > limits.keys) return `has more than ${limits.keys} keys`;
    for (const child of children) open.push({ value: child, depth: next.depth + 1 });
  }
  const bytes = Buffer.byteLength(JSON.stringify(value));
  return bytes > limits.bytes ? `is ${bytes} bytes long; the limit is ${limits.bytes}` : undefined;
}
