import fc from "fast-check";
import { expect, test } from "vitest";
import { changedLines, compareLines } from "./compare.ts";

test("a comparison says which lines stay, go and come, with their numbers in both texts", () => {
  expect(compareLines("a\nb\nc\nd", "a\nc\nx\nd")).toEqual([
    { op: "=", text: "a", from: 1, to: 1 },
    { op: "-", text: "b", from: 2 },
    { op: "=", text: "c", from: 3, to: 2 },
    { op: "+", text: "x", to: 3 },
    { op: "=", text: "d", from: 4, to: 4 },
  ]);
  expect(changedLines("same\n", "same\n")).toEqual([]);
});

const text = fc.array(fc.constantFrom("a", "b", "c", "", "dd"), { maxLength: 25 }).map((lines) => lines.join("\n"));

test("whatever the texts, the lines that stay and go make the first one, those that stay and come the second one", () => {
  fc.assert(
    fc.property(text, text, (before, after) => {
      const lines = compareLines(before, after);
      const of = (ops: string): string[] => lines.filter((line) => ops.includes(line.op)).map((line) => line.text);
      expect(of("=-").join("\n")).toBe(before);
      expect(of("=+").join("\n")).toBe(after);
      expect(lines.flatMap((line) => line.from ?? [])).toEqual(before.split("\n").map((_, index) => index + 1));
      expect(lines.flatMap((line) => line.to ?? [])).toEqual(after.split("\n").map((_, index) => index + 1));
    }),
  );
});

test("the way from one text to the other is the shortest one", () => {
  fc.assert(
    fc.property(text, text, (before, after) => {
      const [a, b] = [before.split("\n"), after.split("\n")];
      expect(changedLines(before, after)).toHaveLength(a.length + b.length - 2 * longestCommon(a, b));
    }),
  );
});

test("texts that have next to nothing in common are compared as a whole, in bounded time", () => {
  const lines = (name: string): string => Array.from({ length: 5_000 }, (_, index) => `${name} ${index}`).join("\n");
  const compared = compareLines(lines("old"), lines("new"));
  expect(compared.filter((line) => line.op === "-")).toHaveLength(5_000);
  expect(compared.filter((line) => line.op === "+")).toHaveLength(5_000);
});

function longestCommon(a: readonly string[], b: readonly string[]): number {
  let row = new Array<number>(b.length + 1).fill(0);
  for (const line of a) {
    const next = [0];
    for (const [index, other] of b.entries()) next.push(line === other ? (row[index] ?? 0) + 1 : Math.max(row[index + 1] ?? 0, next[index] ?? 0));
    row = next;
  }
  return row[b.length] ?? 0;
}
