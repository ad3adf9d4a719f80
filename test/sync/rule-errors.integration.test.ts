import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { retryFailure, skipFailure } from "../../engine/sync/failures.ts";
import { defaultRule } from "../../engine/sync/publish.ts";
import { caseOf, messagesOf, openFailures, twinOf } from "./facts.ts";
import { openSyncWorld, type SyncWorld } from "./harness.ts";

let world: SyncWorld;
let incoming: string;
let outgoing: string;

beforeAll(async () => {
  world = await openSyncWorld();
  incoming = await defaultRule("salesforce", "incoming");
  outgoing = await defaultRule("servicenow", "outgoing");
});
afterEach(async () => {
  await world.publish("SF", "incoming", incoming);
  await world.publish("SN", "outgoing", outgoing);
});
afterAll(async () => {
  await world.close();
});

describe("a rule that errs", () => {
  test("parks its twin with rule, version, line and column; others go on; the fixed rule and a retry heal it", async () => {
    const { number } = await world.publish("SF", "incoming", `${incoming}\nif (replica.summary === "Bad") {\n  JSON.parse("{");\n}\n`);
    const bad = await world.desk.open({ short_description: "Bad", urgency: "1" });
    const good = await world.desk.open({ short_description: "Good", urgency: "1" });
    await caseOf(world, good);
    await world.settled();

    const line = incoming.split("\n").length + 2;
    const [failure, ...more] = await openFailures(world);
    expect(more).toEqual([]);
    expect(failure).toMatchObject({
      laneKey: `twin:${await twinOf(world, bad)}`,
      fault: "rule",
      detail: { rule: "support/SF/incoming.ts", version: number, line, column: 8 },
    });
    expect(failure?.message).toContain(`support/SF/incoming.ts (version ${number}, line ${line}, column 8): `);
    expect(await world.sales.cases("Bad")).toEqual([]);

    // What happens meanwhile waits behind it.
    await world.desk.change(bad, { comments: "Said while parked." });
    await world.desk.change(good, { comments: "Not parked." });
    await world.settled();
    await world.publish("SF", "incoming", incoming);
    expect(await retryFailure(world.context, failure?.id ?? 0)).toBe(true);
    const caseId = await caseOf(world, bad);
    await world.settled();
    expect(await world.sales.comments(caseId)).toEqual([expect.stringContaining("Said while parked.")]);
    expect(await openFailures(world)).toEqual([]);
    expect(await retryFailure(world.context, failure?.id ?? 0)).toBe(false);
  });

  test("on the outgoing side parks likewise, and a skip goes on without what failed", async () => {
    const incident = await world.desk.open({ short_description: "Leaves", urgency: "1" });
    const caseId = await caseOf(world, incident);
    await world.settled();
    const { number } = await world.publish("SN", "outgoing", `${outgoing}\nif (entity.short_description === "Cannot leave") fail("not this one");\n`);
    await world.desk.change(incident, { short_description: "Cannot leave" });
    const failure = await world.until("the twin is parked", async () => (await openFailures(world))[0]);
    expect(failure).toMatchObject({ code: "RULE_FAILED", fault: "rule", detail: { rule: "support/SN/outgoing.ts", version: number } });
    expect(failure.message).toContain("not this one");

    await world.desk.change(incident, { short_description: "Can leave" });
    expect(await skipFailure(world.context, failure.id)).toBe(true);
    await world.until("the next state leaves", async () => (await world.sales.case(caseId))["Subject"] === "Can leave");
    await world.settled();
    expect(await openFailures(world)).toEqual([]);
  });

  test("a skipped message is marked as such and later ones are applied", async () => {
    await world.publish("SF", "incoming", `${incoming}\nif (replica.summary === "Skip me") fail("no");\n`);
    const incident = await world.desk.open({ short_description: "Skip me", urgency: "1" });
    const failure = await world.until("the twin is parked", async () => (await openFailures(world))[0]);
    expect(await skipFailure(world.context, failure.id)).toBe(true);
    await world.settled();
    expect((await messagesOf(world, incident)).map(({ kind, state }) => `${kind} ${state}`)).toEqual(["replica skipped"]);
    await world.desk.change(incident, { short_description: "Take me" });
    const caseId = await caseOf(world, incident);
    expect(await world.sales.case(caseId)).toMatchObject({ Subject: "Take me" });
  });

  test.each([
    { name: "that never ends", code: "while (true) {}", subject: "Loop" },
    { name: "that eats all memory", code: "const heap = [];\n  while (true) heap.push(new Array(100_000).fill(heap.length));", subject: "Bomb" },
  ])("a rule $name parks only its own twin", async ({ code, subject }) => {
    await world.publish("SF", "incoming", `${incoming}\nif (replica.summary === "${subject}") {\n  ${code}\n}\n`);
    const bad = await world.desk.open({ short_description: subject, urgency: "1" });
    const others = await Promise.all([1, 2, 3].map(async (n) => await world.desk.open({ short_description: `Beside ${subject} ${n}`, urgency: "1" })));
    for (const other of others) await caseOf(world, other);
    await world.settled();
    const failures = await openFailures(world);
    expect(failures.map(({ laneKey, fault }) => ({ laneKey, fault }))).toEqual([{ laneKey: `twin:${await twinOf(world, bad)}`, fault: "rule" }]);
    await world.publish("SF", "incoming", incoming);
    await retryFailure(world.context, failures[0]?.id ?? 0);
    await caseOf(world, bad);
  });

  test("a comment of the rule's own is written once and stays at home, unless it is tracked", async () => {
    await world.publish(
      "SF",
      "incoming",
      `${incoming}\nif (firstSync) {\n  comments.add("Welcome at home");\n  comments.add("Welcome abroad", { track: true });\n}\n`,
    );
    const incident = await world.desk.open({ short_description: "Welcomed", urgency: "1" });
    const caseId = await caseOf(world, incident);
    await world.settled();
    await world.sales.comment(caseId, "Something to send");
    await world.settled();
    expect((await world.sales.comments(caseId)).toSorted()).toEqual(["Something to send", "Welcome abroad", "Welcome at home"]);
    const there = await world.desk.comments(incident);
    expect(there.filter((text) => text.includes("Something to send"))).toHaveLength(1);
    expect(there.filter((text) => text.includes("Welcome abroad"))).toHaveLength(1);
    expect(there.filter((text) => text.includes("Welcome at home"))).toHaveLength(0);
  });
});
