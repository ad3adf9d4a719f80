import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createDatabase } from "../../test/database.ts";
import { type Db, openDatabase } from "../store/database.ts";
import type { ConnectionId, RunnerId } from "../store/schema.ts";
import { type ClaimedLane, Lanes, LeaseLost, type NewJob } from "./lanes.ts";

const leaseMs = 30_000;
const here = "00000000-0000-4000-8000-000000000001" as RunnerId;
const there = "00000000-0000-4000-8000-000000000002" as RunnerId;

let database: { url: string; drop(): Promise<void> };
let db: Db;
let lanes: Lanes;
let connectionId: ConnectionId;

beforeAll(async () => {
  database = await createDatabase();
  db = openDatabase(database.url);
  lanes = new Lanes(db);
  connectionId = (await db.insertInto("connection").values({ name: "test" }).returning("id").executeTakeFirstOrThrow()).id;
});
afterAll(async () => {
  await db.destroy();
  await database.drop();
});
beforeEach(async () => {
  await db.deleteFrom("lane").execute();
});

function job(laneKey: string, payload: number, dedupeKey?: string): NewJob {
  return { laneKey, connectionId, kind: "test", payload, ...(dedupeKey === undefined ? {} : { dedupeKey }) };
}

async function enqueue(...jobs: NewJob[]): Promise<void> {
  await db.transaction().execute(async (tx) => await lanes.enqueue(tx, jobs));
}

async function complete(lane: ClaimedLane): Promise<void> {
  await db.transaction().execute(async (tx) => await lanes.complete(tx, lane));
}

async function claimOne(runner = here): Promise<ClaimedLane> {
  const [lane] = await lanes.claim(runner, 1, leaseMs);
  if (lane === undefined) throw new Error("No lane was ready.");
  return lane;
}

describe("a lane", () => {
  test("gives its jobs in the order they were queued, one at a time", async () => {
    await enqueue(job("a", 1), job("a", 2));
    await enqueue(job("a", 3));
    const seen: unknown[] = [];
    for (let turn = 0; turn < 3; turn++) {
      const lane = await claimOne();
      expect(await lanes.claim(there, 10, leaseMs)).toEqual([]);
      seen.push(lane.payload);
      await complete(lane);
    }
    expect(seen).toEqual([1, 2, 3]);
    expect(await lanes.claim(here, 10, leaseMs)).toEqual([]);
  });

  test("keeps a job that is put back at its head and counts the try", async () => {
    await enqueue(job("a", 1), job("a", 2));
    const first = await claimOne();
    await db.transaction().execute(async (tx) => await lanes.putBack(tx, first, 0));
    const again = await claimOne();
    expect(again).toMatchObject({ payload: 1, attempts: 1, jobId: first.jobId });
    await db.transaction().execute(async (tx) => await lanes.putBack(tx, again, 60_000, false));
    expect(await lanes.claim(here, 10, leaseMs)).toEqual([]);
  });

  test("stands still when it is blocked, while others go on, and goes on with the same job after a retry", async () => {
    await enqueue(job("bad", 1), job("bad", 2), job("good", 3));
    const claimed = await lanes.claim(here, 10, leaseMs);
    const bad = claimed.find((lane) => lane.key === "bad");
    const good = claimed.find((lane) => lane.key === "good");
    if (bad === undefined || good === undefined) throw new Error("Both lanes should have been ready.");
    await db.transaction().execute(async (tx) => await lanes.block(tx, bad));
    await complete(good);
    await enqueue(job("bad", 4));
    expect(await lanes.claim(here, 10, leaseMs)).toEqual([]);
    expect(await db.transaction().execute(async (tx) => await lanes.retry(tx, "bad"))).toBe(true);
    expect(await db.transaction().execute(async (tx) => await lanes.retry(tx, "bad"))).toBe(false);
    expect(await claimOne()).toMatchObject({ key: "bad", payload: 1 });
  });

  test("goes on with the next job after a skip", async () => {
    await enqueue(job("a", 1), job("a", 2));
    const lane = await claimOne();
    await db.transaction().execute(async (tx) => await lanes.block(tx, lane));
    expect(await db.transaction().execute(async (tx) => await lanes.skip(tx, "a"))).toMatchObject({ payload: 1 });
    const next = await claimOne();
    expect(next.payload).toBe(2);
    await complete(next);
    expect(await db.selectFrom("lane").select("pending").where("key", "=", "a").executeTakeFirst()).toEqual({ pending: 0 });
  });

  test("takes a job with the same dedupe key once while it waits, and again once it was claimed", async () => {
    await enqueue(job("a", 1, "look"), job("a", 2, "look"));
    await enqueue(job("a", 3, "look"));
    const lane = await claimOne();
    expect(lane.payload).toBe(1);
    await enqueue(job("a", 4, "look"));
    await complete(lane);
    const next = await claimOne();
    expect(next.payload).toBe(4);
    await complete(next);
    expect(await lanes.claim(here, 10, leaseMs)).toEqual([]);
  });
});

describe("a lease", () => {
  test("that ran out passes the lane on, and the late owner can record nothing", async () => {
    await enqueue(job("a", 1));
    const [late] = await lanes.claim(here, 1, 1);
    if (late === undefined) throw new Error("The lane should have been ready.");
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await lanes.sweep()).toBe(1);
    const now = await claimOne(there);
    expect(now.fence).toBeGreaterThan(late.fence);
    await expect(complete(late)).rejects.toThrow(LeaseLost);
    await expect(db.transaction().execute(async (tx) => await lanes.putBack(tx, late, 0))).rejects.toThrow(LeaseLost);
    await expect(db.transaction().execute(async (tx) => await lanes.block(tx, late))).rejects.toThrow(LeaseLost);
    await complete(now);
  });

  test("that is renewed does not run out", async () => {
    await enqueue(job("a", 1));
    const [lane] = await lanes.claim(here, 1, 200);
    if (lane === undefined) throw new Error("The lane should have been ready.");
    await lanes.renew(here, [lane.key], 60_000);
    await new Promise((resolve) => setTimeout(resolve, 250));
    expect(await lanes.sweep()).toBe(0);
    await complete(lane);
  });

  test("of a runner that is gone is freed at once", async () => {
    await enqueue(job("a", 1), job("b", 2));
    await lanes.claim(here, 1, leaseMs);
    await lanes.claim(there, 1, leaseMs);
    expect(await lanes.sweep([here])).toBe(1);
  });
});

test("four runners draining lanes that many writers fill keep the order of every key", async () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  console.info(`seed ${seed}`);
  let state = seed;
  // A small linear congruential generator: the order of writers is all that is random here.
  const random = (): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return state / 0x7fffffff;
  };
  const keys = Array.from({ length: 12 }, (_, index) => `key-${index}`);
  const perWriter = 40;
  const writers = 6;
  // Each writer numbers its own jobs per key; they must come out in that order, whatever happens between writers.
  const writing = Array.from({ length: writers }, async (_, writer) => {
    const counts = new Map<string, number>();
    for (let turn = 0; turn < perWriter; turn++) {
      const chosen = keys.filter(() => random() < 0.3);
      const jobs = chosen.map((key) => {
        const count = (counts.get(key) ?? 0) + 1;
        counts.set(key, count);
        return { ...job(key, 0), payload: { writer, count } };
      });
      await enqueue(...jobs);
    }
    return [...counts.values()].reduce((sum, count) => sum + count, 0);
  });
  const last = new Map<string, number>();
  const inHand = new Set<string>();
  let handled = 0;
  let writersDone = false;
  const drain = async (runner: RunnerId): Promise<void> => {
    for (;;) {
      const claimed = await lanes.claim(runner, 3, leaseMs);
      if (claimed.length === 0) {
        if (writersDone && (await db.selectFrom("job").select("id").limit(1).execute()).length === 0) return;
        await new Promise((resolve) => setTimeout(resolve, 2));
        continue;
      }
      for (const lane of claimed) {
        expect(inHand.has(lane.key)).toBe(false);
        inHand.add(lane.key);
      }
      for (const lane of claimed) {
        const { writer, count } = lane.payload as { writer: number; count: number };
        const before = last.get(`${lane.key} ${writer}`) ?? 0;
        expect(count).toBe(before + 1);
        last.set(`${lane.key} ${writer}`, count);
        inHand.delete(lane.key);
        await complete(lane);
        handled++;
      }
    }
  };
  const runners = ["11", "12", "13", "14"].map((suffix) => drain(`00000000-0000-4000-8000-0000000000${suffix}` as RunnerId));
  const written = (await Promise.all(writing)).reduce((sum, count) => sum + count, 0);
  writersDone = true;
  await Promise.all(runners);
  expect(handled).toBe(written);
});
