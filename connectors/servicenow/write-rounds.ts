import type { WriteOperation } from "../connector.ts";
import { batchBytes, type RestCall } from "./batch.ts";

/** Each round takes the next operation of every record, so that those of one record keep their order. */
export function rounds(operations: readonly WriteOperation[]): number[][] {
  const result: number[][] = [];
  const depth = new Map<string, number>();
  for (const [index, operation] of operations.entries()) {
    const key = recordOf(operation, index);
    const round = depth.get(key) ?? 0;
    depth.set(key, round + 1);
    const group = result[round] ?? [];
    group.push(index);
    result[round] = group;
  }
  return result;
}

/** Creates belong to a record of their own each. */
export function recordOf(operation: WriteOperation, index: number): string {
  return operation.kind === "create" ? `new ${index}` : operation.ref.id;
}

/** Calls in groups that fit one batch; what is too large for any goes alone. */
export function batches<Pending extends { readonly call: RestCall }>(calls: readonly Pending[], most: number): Pending[][] {
  const groups: Pending[][] = [];
  let room = 0;
  for (const pending of calls) {
    const size = sizeOf(pending.call);
    const group = groups.at(-1);
    if (group === undefined || group.length >= most || size > room) {
      groups.push([pending]);
      room = batchBytes - size;
    } else {
      group.push(pending);
      room -= size;
    }
  }
  return groups;
}

function sizeOf(call: RestCall): number {
  return Math.ceil((Buffer.byteLength(JSON.stringify(call.body ?? "")) * 4) / 3) + call.path.length + 200;
}
