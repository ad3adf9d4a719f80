import { describe, expect, test } from "vitest";
import { WallClock } from "./wall-clock.ts";

interface Entry {
  readonly name: string;
  readonly deadline: number;
}

function clockOf(): { add(name: string, inMs: number): void; remove(name: string): void; stop(): void; readonly told: string[] } {
  const entries = new Map<number, Entry>();
  const told: string[] = [];
  const remove = (name: string): void => {
    for (const [id, entry] of entries) if (entry.name === name) entries.delete(id);
  };
  const clock = new WallClock<Entry>(entries, ({ name }) => {
    told.push(name);
    remove(name);
  });
  const add = (name: string, inMs: number): void => {
    const entry = { name, deadline: performance.now() + inMs };
    entries.set(entries.size, entry);
    clock.mind(entry);
  };
  return { add, remove, stop: () => clock.stop(), told };
}

describe("the one clock of all runs", () => {
  test("tells of each that is late, the earliest first, whatever the order in which they came", async () => {
    const clock = clockOf();
    clock.add("late", 60);
    clock.add("early", 5);
    clock.add("between", 30);
    await expect.poll(() => clock.told, { timeout: 20_000 }).toEqual(["early", "between", "late"]);
  });

  test("tells of none that has come to its end, and goes on with those that have not", async () => {
    const clock = clockOf();
    clock.add("ends", 5);
    clock.add("lasts", 20);
    clock.remove("ends");
    await expect.poll(() => clock.told, { timeout: 20_000 }).toEqual(["lasts"]);
    clock.add("next", 5);
    await expect.poll(() => clock.told, { timeout: 20_000 }).toEqual(["lasts", "next"]);
  });

  test("tells nothing any more once it is stopped, until there is somebody to mind again", async () => {
    const clock = clockOf();
    clock.add("first", 5);
    clock.stop();
    clock.remove("first");
    clock.add("second", 5);
    await expect.poll(() => clock.told, { timeout: 20_000 }).toEqual(["second"]);
  });
});
