import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { WriteOperation } from "../connector.ts";
import { wavesOf } from "./waves.ts";

const update = (id: string): WriteOperation => ({ kind: "update", ref: { type: "Case", id }, fields: {} });
const comment = (id: string): WriteOperation => ({ kind: "addComment", ref: { type: "Case", id }, body: "", internal: false, marker: "" });
const create: WriteOperation = { kind: "create", entityType: "Case", fields: {}, marker: "" };

describe("the waves of a batch", () => {
  it("are one for operations on different records", () => {
    expect(places([update("a"), create, comment("b"), create])).toEqual([[0, 1, 2, 3]]);
  });

  it("put an operation after the one before it on the same record", () => {
    expect(places([update("a"), comment("a"), update("b"), update("a")])).toEqual([[0, 2], [1], [3]]);
  });

  it("keep comments added one after another together, in their order", () => {
    expect(places([comment("a"), comment("a"), comment("b")])).toEqual([[0, 1, 2]]);
  });

  it("know a record by its 15 and by its 18 characters", () => {
    expect(places([update("500D000000IqhSL"), update("500D000000IqhSLIAZ")])).toEqual([[0], [1]]);
  });

  it("never put two operations of one record in the wrong order, and lose none", () => {
    const operation = fc.oneof(fc.constantFrom("a", "b", "c").map(update), fc.constantFrom("a", "b", "c").map(comment), fc.constant(create));
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 40 }), (operations) => {
        const order = wavesOf(operations).flat();
        expect(order.map(({ place }) => place).toSorted((a, b) => a - b)).toEqual(operations.map((_, i) => i));
        for (const id of ["a", "b", "c"]) {
          const own = order.filter(({ operation }) => operation.kind !== "create" && operation.ref.id === id).map(({ place }) => place);
          expect(own).toEqual(own.toSorted((a, b) => a - b));
        }
      }),
    );
  });
});

function places(operations: readonly WriteOperation[]): number[][] {
  return wavesOf(operations).map((wave) => wave.map(({ place }) => place));
}
