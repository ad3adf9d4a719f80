import fc from "fast-check";
import { expect, test } from "vitest";
import { canonicalText, contentHash, sameJson } from "./canonical.ts";
import type { Json } from "./json.ts";
import { overLimit } from "./limits.ts";

test("equal values have one text and one hash, whatever order their keys were set in", () => {
  expect(canonicalText({ b: 1, a: [true, null, "x"] })).toBe('{"a":[true,null,"x"],"b":1}');
  expect(contentHash({ b: 1, a: 2 })).toBe(contentHash({ a: 2, b: 1 }));
  expect(sameJson([1, 2], [2, 1])).toBe(false);
  expect(sameJson({ a: null }, {})).toBe(false);
});

test("the canonical text parses back to the value, for any JSON", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      // -0 has no JSON text of its own: it is written as 0.
      const plain = JSON.parse(JSON.stringify(value)) as Json;
      expect(JSON.parse(canonicalText(plain))).toEqual(plain);
    }),
  );
});

test("a replica within its limits is let through; past one, the limit and its value are named", () => {
  expect(overLimit({ summary: "ok", comments: [{ id: "1" }] })).toBeUndefined();
  let deep: Json = 1;
  for (let level = 0; level < 10_000; level++) deep = [deep];
  expect(overLimit(deep)).toBe("is nested deeper than 64 levels");
  expect(overLimit(Array.from({ length: 100_001 }, () => 1))).toBe("has more than 100000 keys");
  expect(overLimit({ text: "ä".repeat(1_100_000) })).toMatch(/^is 22\d{5} bytes long; the limit is 2097152$/);
});
