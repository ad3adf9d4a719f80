import type { WriteOperation } from "../connector.ts";
import { salesforceId } from "./id.ts";

/** An operation with its place in the list that was given. */
export interface Placed {
  readonly place: number;
  readonly operation: WriteOperation;
}

/**
 * Sorts operations into waves: all of one wave may be sent together, a wave only after the one before. Operations on the same record come
 * in different waves, in the order given; only comments added one after another share one, as a collection is saved in its order.
 */
export function wavesOf(operations: readonly WriteOperation[]): Placed[][] {
  const waves: Placed[][] = [];
  const last = new Map<string, { readonly wave: number; readonly kind: string }>();
  for (const [place, operation] of operations.entries()) {
    let wave = 0;
    if (operation.kind !== "create") {
      const record = salesforceId(operation.ref.id) ?? operation.ref.id;
      const earlier = last.get(record);
      if (earlier !== undefined) wave = earlier.kind === "addComment" && operation.kind === "addComment" ? earlier.wave : earlier.wave + 1;
      last.set(record, { wave, kind: operation.kind });
    }
    const together = waves[wave] ?? [];
    together.push({ place, operation });
    waves[wave] = together;
  }
  return waves;
}
