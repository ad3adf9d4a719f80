import { describe, expect, test } from "vitest";
import { Batching, largestBatch } from "./batching.ts";

describe("the runs of a version that enter together", () => {
  test("are few at first, and more the quicker they are", () => {
    const batching = new Batching();
    expect(batching.most("v", 0)).toBe(8);
    batching.measured("v", 8, 0.08);
    expect(batching.most("v", 0)).toBe(largestBatch);
    batching.measured("v", 10, 20);
    expect(batching.most("v", 0)).toBe(5);
    batching.measured("v", 1, 300);
    expect(batching.most("v", 0)).toBe(1);
    for (let time = 0; time < 60; time += 1) batching.measured("v", 1, 0.05);
    expect(batching.most("v", 0)).toBe(largestBatch);
  });

  test("go alone for a minute after a batch of theirs came to nothing, and only theirs", () => {
    const batching = new Batching();
    batching.measured("bad", 8, 0.08);
    batching.measured("good", 8, 0.08);
    batching.failed("bad", 1_000, false);
    expect([batching.most("bad", 1_001), batching.most("good", 1_001)]).toEqual([1, largestBatch]);
    expect(batching.most("bad", 61_001)).toBe(largestBatch);
  });

  test("go alone for ever when their rule looks at the clock after it has waited", () => {
    const batching = new Batching();
    batching.failed("clock", 0, true);
    batching.failed("clock", 0, false);
    expect(batching.most("clock", 1e12)).toBe(1);
  });

  test("are remembered for a bounded number of versions", () => {
    const batching = new Batching();
    for (let version = 0; version < 6_000; version += 1) batching.failed(`v${version}`, 0, true);
    expect([batching.most("v0", 0), batching.most("v5999", 0)]).toEqual([8, 1]);
  });
});
