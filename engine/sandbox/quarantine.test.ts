import { expect, test } from "vitest";
import { Quarantine } from "./quarantine.ts";

const minute = 60_000;

test("a version is held after three kills within ten minutes, until fewer lie within that time", () => {
  const quarantine = new Quarantine();
  quarantine.charge("v1", 0);
  quarantine.charge("v1", 4 * minute);
  expect(quarantine.holds("v1", 9 * minute)).toBe(false);
  quarantine.charge("v1", 9 * minute);
  expect(quarantine.holds("v1", 9 * minute)).toBe(true);
  expect(quarantine.holds("v2", 9 * minute)).toBe(false);
  expect(quarantine.count(9 * minute)).toBe(1);
  expect(quarantine.holds("v1", 10 * minute)).toBe(false);
});

test("three kills spread over more than ten minutes hold nobody", () => {
  const quarantine = new Quarantine();
  for (const at of [0, 6, 12, 18]) quarantine.charge("v1", at * minute);
  expect(quarantine.holds("v1", 18 * minute)).toBe(false);
});

test("a version that is released starts anew", () => {
  const quarantine = new Quarantine();
  for (let time = 0; time < 3; time += 1) quarantine.charge("v1", 0);
  quarantine.release("v1");
  expect(quarantine.holds("v1", 0)).toBe(false);
});
