import { describe, expect, test } from "vitest";
import { readSteps } from "./steps.ts";

const read = (text: string, count: number) => readSteps(Buffer.from(text), count);

describe("what a child says about the runs of one entry", () => {
  test("has a mark, a header and a body for each run", () => {
    expect(read('dcx\n\n{"a":"é😀"}\n{"state":"calls","console":["x"]}\n[]\n\n', 3)).toEqual([
      { mark: "done", header: "", body: '{"a":"é😀"}' },
      { mark: "calls", header: '{"state":"calls","console":["x"]}', body: "[]" },
      { mark: "gone", header: "", body: "" },
    ]);
  });

  test.each([
    ["nothing", "", 1],
    ["no lines", "d", 1],
    ["too few marks", "d\n\n1\n\n2", 2],
    ["too many marks", "dd\n\n1", 1],
    ["a mark that there is not", "q\n\n1", 1],
    ["a header without a body", "d\n{}", 1],
    ["a line too few", "dd\n\n1\n", 2],
    ["a line too many", "d\n\n1\n", 1],
    ["a run too many", "d\n\n1\n\n2", 1],
    ["nothing but line feeds", "\n\n\n", 1],
  ])("PRO-04: is refused when it is %s", (_what, text, count) => {
    expect(read(text, count)).toBeUndefined();
  });
});
