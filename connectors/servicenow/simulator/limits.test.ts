import { expect, test } from "vitest";
import { Clock } from "../../simulation/clock.ts";
import { Limits } from "./limits.ts";

test("calls beyond the pool wait their turn in order, beyond the queue they are refused, and a place that is free again is used [R, K]", async () => {
  const limits = new Limits(new Clock());
  const pool = { slots: 1, queue: 1, holdMs: 0 };
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const call = (name: string) =>
    limits.within(pool, async () => {
      begun.push(name);
      await new Promise<void>((resolve) => ends.set(name, resolve));
      return new Response(name);
    });
  const first = call("first");
  const second = call("second");
  await expect(call("third")).rejects.toMatchObject({ status: 503 });
  expect(begun).toEqual(["first"]);
  ends.get("first")?.();
  expect(await (await first).text()).toBe("first");
  await expect.poll(() => begun).toEqual(["first", "second"]);
  ends.get("second")?.();
  expect(await (await second).text()).toBe("second");
  const fourth = call("fourth");
  ends.get("fourth")?.();
  expect((await fourth).status).toBe(200);
});
