import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { comesToRest, messagesOf } from "../sync/facts.ts";
import { openSyncWorld, type SyncWorld } from "../sync/harness.ts";
import { seededRandom, seedOfThisRun } from "../sync/seed.ts";
import { type ChildNode, startChild } from "./child.ts";
import { type Expected, expectEverythingOnce } from "./once.ts";

const kills = 5;

let world: SyncWorld;
const children: ChildNode[] = [];

beforeAll(async () => {
  world = await openSyncWorld({ start: false });
});
afterEach(async () => {
  await Promise.all(children.splice(0).map(async (child) => await child.kill()));
});
afterAll(async () => {
  await world.close();
});

async function child(): Promise<ChildNode> {
  const started = await startChild({ folder: world.folder, databaseUrl: world.databaseUrl });
  children.push(started);
  return started;
}

test("a node killed with -9 at random moments in the middle of a hundred syncs, and started again, syncs every incident once and nothing twice", async () => {
  const seed = seedOfThisRun();
  console.log(`seed ${seed}`);
  const random = seededRandom(seed);
  const expected: Expected[] = [];
  for (let n = 0; n < 100; n++) {
    const subject = `Incident ${String(n).padStart(3, "0")}`;
    const comments = n % 5 === 0 ? [`${subject} spoken`] : [];
    const files = n % 10 === 0 ? [`file ${n}.txt`] : [];
    const incident = await world.desk.open({ short_description: subject, urgency: "1", ...(comments[0] === undefined ? {} : { comments: comments[0] }) });
    for (const file of files) await world.desk.attach(incident, file, "text/plain", Buffer.from(file));
    expected.push({ incident, subject, comments, files });
  }
  const made = (): number => world.salesforce.org.tables.count("Case");
  for (let kill = 0; kill < kills; kill++) {
    const victim = await child();
    // Not by the clock, since machines differ: each life has its share of the cases to make, and then a few calls more.
    const enough = Math.floor((100 * (kill + random())) / (kills + 1));
    await world.until(`${enough} cases are made`, async () => made() >= enough);
    await sleep(random() * 100);
    await victim.kill();
    console.log(`killed with ${made()} of 100 cases made`);
    expect(made()).toBeLessThan(100);
  }
  await child();
  await world.settled();
  await expectEverythingOnce(world, expected);
  expect(await world.sales.query("SELECT Id FROM Case")).toHaveLength(100);
  const [first] = expected;
  expect((await messagesOf(world, first?.incident ?? "")).filter(({ kind, from }) => kind === "replica" && from === "SN")).toHaveLength(1);
  const [only] = await world.sales.cases("Incident 000");
  await comesToRest(world, first?.incident ?? "", String(only?.["Id"]));
}, 120_000);
