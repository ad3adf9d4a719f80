import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { simulatedAccounts } from "../../connectors/salesforce/simulator/simulator.ts";
import { twinPage } from "../../engine/store/lists.ts";
import { defaultRule } from "../../engine/sync/publish.ts";
import { Runner } from "../../engine/sync/runner.ts";
import { caseOf, messagesOf, openFailures, twinOf } from "./facts.ts";
import { openSyncWorld, type SyncWorld } from "./harness.ts";

let world: SyncWorld;
const rules = { SF: { incoming: "", outgoing: "" }, SN: { incoming: "", outgoing: "" } };
const [human] = simulatedAccounts.humans;

beforeAll(async () => {
  world = await openSyncWorld();
  for (const direction of ["incoming", "outgoing"] as const) {
    rules.SF[direction] = await defaultRule("salesforce", direction);
    rules.SN[direction] = await defaultRule("servicenow", direction);
  }
});
afterEach(async () => {
  for (const side of ["SF", "SN"] as const)
    for (const direction of ["incoming", "outgoing"] as const) await world.publish(side, direction, rules[side][direction]);
});
afterAll(async () => {
  await world.close();
});

describe("a comment whose author the rule chose", () => {
  const signed = (incoming: string): string =>
    `const writer = await users.byUsername("${human.username}");\n${incoming.replace("comments.merge(entity, replica);", "comments.merge(entity, replica, (comment) => ({ ...comment, author: writer }));")}`;

  test("is written with his name in front where the platform writes in nobody else's name", async () => {
    await world.publish("SF", "incoming", signed(rules.SF.incoming));
    const incident = await world.desk.open({ short_description: "In whose name", urgency: "1", comments: "I did it." });
    const caseId = await caseOf(world, incident);
    await world.settled();
    expect(await world.sales.comments(caseId)).toEqual([`[${human.firstName} ${human.lastName}] I did it.`]);
  });

  test("is given to a platform that can write in his name with his id and no name in front", async () => {
    await world.publish("SF", "incoming", signed(rules.SF.incoming));
    await world.stopRunners();
    const { context } = world;
    // The connector as it is, but for what it says of itself: what is looked at is what the engine asks of it.
    const runner = await Runner.start(
      {
        ...context,
        connectors: {
          instance: async (id) => {
            const live = await context.connectors.instance(id);
            const capabilities = { ...live.connector.capabilities, impersonation: live.platform === "salesforce" };
            return { ...live, connector: Object.assign(Object.create(live.connector) as typeof live.connector, { capabilities }) };
          },
          fresh: async (id) => await context.connectors.fresh(id),
          secretsOf: async (id) => await context.connectors.secretsOf(id),
          usage: () => context.connectors.usage(),
          hookKey: (id) => context.connectors.hookKey(id),
        },
      },
      { databaseUrl: world.databaseUrl, idleMs: 50 },
    );
    try {
      const incident = await world.desk.open({ short_description: "In his name", urgency: "1", comments: "He did it." });
      const caseId = await caseOf(world, incident);
      await world.settled();
      expect(await world.sales.comments(caseId)).toEqual(["He did it."]);
      const [user] = await world.sales.query(`SELECT Id FROM User WHERE Username = '${human.username}'`);
      const twinId = await twinOf(world, incident);
      const intents = await world.db
        .selectFrom("intent")
        .select("operation")
        .where("twin_id", "in", twinId === undefined ? [] : [twinId])
        .execute();
      expect(intents.map(({ operation }) => operation)).toContainEqual(
        expect.objectContaining({ kind: "addComment", body: "He did it.", author: user?.["Id"] }),
      );
    } finally {
      await runner.stop();
      await world.startRunners(1);
    }
  });
});

test("work notes travel when the rule names them, and not with the entity as a whole", async () => {
  await world.publish(
    "SN",
    "outgoing",
    `${rules.SN.outgoing}\nreplica.custom = { ...entity };\nif (entity.short_description === "Named") replica.comments = [...entity.comments, ...entity.internalComments];\n`,
  );
  const kept = await world.desk.open({ short_description: "Not named", urgency: "1", comments: "Said to all.", work_notes: "Said among us." });
  const told = await world.desk.open({ short_description: "Named", urgency: "1", comments: "Said to all.", work_notes: "Said among us." });
  await caseOf(world, kept);
  const caseId = await caseOf(world, told);
  await world.settled();
  expect(JSON.stringify(await messagesOf(world, kept))).not.toContain("Said among us.");
  const arrived = await world.sales.query(`SELECT CommentBody, IsPublished FROM CaseComment WHERE ParentId = '${caseId}'`);
  expect(arrived.map((row) => [String(row["CommentBody"]).replace(/^\[.*?\] /, ""), row["IsPublished"]]).toSorted()).toEqual([
    ["Said among us.", false],
    ["Said to all.", true],
  ]);
});

test("status, priority and type may travel as {name}, and mean the choice of that name", async () => {
  await world.publish(
    "SN",
    "outgoing",
    `replica.summary = entity.entityType === "incident" ? entity.short_description : "";\nreplica.status = { name: "Working" };\nreplica.priority = { name: "High" };\nreplica.type = { name: "Problem" };\n`,
  );
  await world.publish(
    "SF",
    "incoming",
    `if (firstSync) entity.entityType = "Case";\nif (entity.entityType === "Case") {\n  entity.Subject = replica.summary;\n  status(replica.status);\n  entity.Priority = replica.priority;\n}\n`,
  );
  const incident = await world.desk.open({ short_description: "By name", urgency: "1" });
  const caseId = await caseOf(world, incident);
  await world.settled();
  expect(await world.sales.case(caseId)).toMatchObject({ Subject: "By name", Status: "Working", Priority: "High" });
  expect(await openFailures(world)).toEqual([]);
  // What is there already is not written again.
  const { SystemModstamp } = await world.sales.case(caseId);
  await world.desk.change(incident, { comments: "Nothing that this rule sends" });
  await world.settled();
  expect((await world.sales.case(caseId))["SystemModstamp"]).toBe(SystemModstamp);
});

test("worklogs of the other side can be read, and merging them parks the record with the platform, the code and the place", async () => {
  await world.publish(
    "SN",
    "outgoing",
    `${rules.SN.outgoing}\nreplica.worklogs = [{ id: "w1", seconds: 5400, started: "2026-01-01T09:00:00Z", body: "Looked into it", author: null }];\n`,
  );
  await world.publish(
    "SF",
    "incoming",
    `${rules.SF.incoming}\nif (entity.entityType === "Case") entity.Description = replica.worklogs.map((each) => \`\${each.seconds / 3600} h: \${each.body}\`).join();\n`,
  );
  const incident = await world.desk.open({ short_description: "Took its time", urgency: "1" });
  const caseId = await caseOf(world, incident);
  await world.settled();
  expect(await world.sales.case(caseId)).toMatchObject({ Description: "1.5 h: Looked into it" });

  await expect(world.publish("SF", "incoming", "worklogs.merge(entity, replica);\n")).rejects.toThrow(
    "Property 'merge' does not exist on type 'PlatformWithoutWorklogs'",
  );
  await world.publish("SF", "incoming", "// @ts-ignore\nworklogs.merge(entity, replica);\n");
  await world.desk.change(incident, { description: "More work" });
  const failure = await world.until("the record is parked", async () => (await openFailures(world))[0]);
  expect(failure).toMatchObject({ code: "NO_WORKLOGS", fault: "rule", detail: { line: 2 } });
  expect(failure.message).toContain("Salesforce has no worklogs");
  await world.db.updateTable("failure").set({ resolved_at: new Date(), resolution: "skipped" }).execute();
});

test("changes.attachments tell what was added and removed since the last replica", async () => {
  await world.publish(
    "SF",
    "incoming",
    `${rules.SF.incoming}\nif (entity.entityType === "Case") entity.Description = [changes.attachments.added, changes.attachments.edited, changes.attachments.removed].map((list) => list.map((file) => file.filename).join("+")).join("|");\n`,
  );
  const incident = await world.desk.open({ short_description: "With files", urgency: "1" });
  const caseId = await caseOf(world, incident);
  await world.settled();
  await world.desk.attach(incident, "one.txt", "text/plain", Buffer.from("one"));
  await world.until("the file is news", async () => (await world.sales.case(caseId))["Description"] === "one.txt||");
  await world.settled();
  const [file] = await world.desk.attachments(incident);
  await world.desk.detach(String(file?.["sys_id"]));
  await world.desk.change(incident, { short_description: "Without files" });
  await world.until("the file's going is news", async () => (await world.sales.case(caseId))["Description"] === "||one.txt");
  await world.settled();
  expect(await world.sales.files(caseId)).toEqual([]);
});

test("a helper that fails and is not caught parks the record with the platform's words, at the call in the rule", async () => {
  const { number } = await world.publish(
    "SF",
    "incoming",
    `if (replica.summary === "Asks wrongly") {\n  const name = "NoSuchThing__c";\n  await lookup.one(name,\n    { Name: "x" });\n}\n${rules.SF.incoming}`,
  );
  await world.desk.open({ short_description: "Asks wrongly", urgency: "1" });
  const failure = await world.until("the record is parked", async () => (await openFailures(world))[0]);
  expect(failure).toMatchObject({ code: "BAD_REQUEST", fault: "rule", detail: { rule: "support/SF/incoming.ts", version: number, line: 3, column: 16 } });
  expect(failure.message).toContain("NoSuchThing__c");
  await world.db.updateTable("failure").set({ resolved_at: new Date(), resolution: "skipped" }).execute();
});

test("a run that comes to nothing says why: skipped, left untouched, nothing changed, equal to what was sent", async () => {
  await world.publish(
    "SN",
    "outgoing",
    `if (entity.entityType === "incident" && entity.short_description === "Stays") skip("stays here");\n${rules.SN.outgoing}`,
  );
  await world.publish(
    "SF",
    "incoming",
    `if (replica.summary === "Unwanted") return;\nif (replica.summary === "Refused") skip("not ours");\nif (firstSync) entity.entityType = "Case";\nif (entity.entityType === "Case" && firstSync) entity.Subject = replica.summary;\n`,
  );
  const said = async (summary: string, change?: Readonly<Record<string, string>>): Promise<string[]> => {
    const incident = await world.desk.open({ short_description: summary, urgency: "1" });
    await world.settled();
    if (change !== undefined) {
      await world.desk.change(incident, change);
      await world.settled();
    }
    const twinId = await twinOf(world, incident);
    const runs = await world.db
      .selectFrom("run")
      .select(["direction", "outcome", "reason"])
      .where("twin_id", "in", twinId === undefined ? [] : [twinId])
      .orderBy("number")
      .execute();
    return runs.map(({ direction, outcome, reason }) => `${direction} ${outcome}: ${reason}`);
  };
  // A poll may bring a record up once more.
  expect(new Set(await said("Stays"))).toEqual(new Set(["outgoing skipped: stays here"]));
  expect(await said("Unwanted")).toContain("incoming ok: The incoming rule left the new entity untouched; nothing was created.");
  expect(await said("Refused")).toContain("incoming skipped: not ours");
  expect(await said("Wanted", { description: "more" })).toContain("incoming ok: The incoming rule changed nothing.");
  expect(await said("Wanted as well", { close_notes: "not sent" })).toContain("outgoing ok: The replica equals the last one sent; nothing was sent.");
  expect(await world.sales.cases("Unwanted")).toEqual([]);
});

test("a tie to a record that another one is tied to is allowed and marked as shared", async () => {
  await world.publish(
    "SF",
    "incoming",
    `if (firstSync) {\n  const found = await lookup.one("Case", { Subject: "Everybody's" });\n  if (found) linkTo(found);\n}\n${rules.SF.incoming}`,
  );
  const caseId = await world.sales.open({ Subject: "Everybody's" });
  for (const summary of ["Everybody's", "Everybody's"]) await caseOf(world, await world.desk.open({ short_description: summary, urgency: "1" }));
  await world.settled();
  const { items } = await twinPage(world.db, { limit: 5 }, { key: caseId });
  expect(items.map(({ sides }) => sides.map(({ side, shared }) => `${side} ${shared}`))).toEqual([
    ["SF true", "SN false"],
    ["SF true", "SN false"],
  ]);
});
