import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { defaultRule } from "../../engine/sync/publish.ts";
import { caseOf, messagesOf, openFailures, twinOf } from "./facts.ts";
import { openSyncWorld, type SyncWorld } from "./harness.ts";

let world: SyncWorld;
const rules = { SF: { incoming: "", outgoing: "" }, SN: { incoming: "", outgoing: "" } };

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

describe("what a rule asks for beside its result", () => {
  test("linkTo ties to a record that is there, and many incidents may share one case", async () => {
    await world.publish(
      "SF",
      "incoming",
      `if (firstSync) {\n  const found = await lookup.one("Case", { Subject: replica.summary });\n  if (found) linkTo(found);\n}\n${rules.SF.incoming}`,
    );
    const caseId = await world.sales.open({ Subject: "Storm damage" });
    const first = await world.desk.open({ short_description: "Storm damage", urgency: "1", comments: "first" });
    const second = await world.desk.open({ short_description: "Storm damage", urgency: "1", comments: "second" });
    expect(await caseOf(world, first)).toBe(caseId);
    expect(await caseOf(world, second)).toBe(caseId);
    await world.settled();
    expect(await world.sales.cases("Storm damage")).toHaveLength(1);
    expect(await world.sales.comments(caseId)).toHaveLength(2);
    await world.sales.comment(caseId, "to both");
    await world.settled();
    for (const incident of [first, second]) expect((await world.desk.comments(incident)).filter((text) => text.includes("to both"))).toHaveLength(1);
    expect(await openFailures(world)).toEqual([]);
  });

  test("syncBack sends the record back once, though the other side is held to know it", async () => {
    await world.publish("SF", "incoming", `${rules.SF.incoming}\nif (firstSync) syncBack();\n`);
    await world.publish("SN", "incoming", `${rules.SN.incoming}\nif (entity.entityType === "incident") entity.close_notes = \`is case \${replica.key}\`;\n`);
    const incident = await world.desk.open({ short_description: "Tell me your number", urgency: "1" });
    const caseId = await caseOf(world, incident);
    await world.settled();
    const [record] = await world.sales.query(`SELECT CaseNumber FROM Case WHERE Id = '${caseId}'`);
    expect(await world.desk.incident(incident)).toMatchObject({ close_notes: `is case ${String(record?.["CaseNumber"])}` });
    expect((await messagesOf(world, incident)).filter(({ kind, from }) => kind === "replica" && from === "SF")).toHaveLength(1);
  });

  test("startSync brings a record along that no trigger fits", async () => {
    await world.publish(
      "SN",
      "outgoing",
      `${rules.SN.outgoing}\nif (entity.short_description === "Parent") {\n  const child = await lookup.one("incident", { short_description: "Child" });\n  if (child) startSync(child);\n}\n`,
    );
    const child = await world.desk.open({ short_description: "Child", urgency: "3" });
    await world.settled();
    expect(await twinOf(world, child)).toBeUndefined();
    await world.desk.open({ short_description: "Parent", urgency: "1" });
    await caseOf(world, child);
    await world.settled();
    expect(await world.sales.cases("Child")).toHaveLength(1);
  });

  test("waitFor holds a child back until its parent has a case", async () => {
    await world.publish("SN", "outgoing", `${rules.SN.outgoing}\nif (entity.entityType === "incident") replica.parent = entity.close_notes;\n`);
    await world.publish(
      "SF",
      "incoming",
      `if (replica.parent) {\n  const parent = await twins.localFor(replica.parent);\n  if (!parent) waitFor(replica.parent);\n  if (parent && entity.entityType !== "Task") entity.ParentId = parent.id;\n}\n${rules.SF.incoming}`,
    );
    const parent = await world.desk.report({ short_description: "The parent", urgency: "3" });
    const child = await world.desk.open({ short_description: "The child", urgency: "1", close_notes: String(parent["number"]) });
    await world.until(
      "the child waits",
      async () => (await world.db.selectFrom("run").select("id").where("outcome", "=", "waiting").executeTakeFirst()) !== undefined,
    );
    expect(await world.sales.cases("The child")).toEqual([]);
    await world.desk.change(String(parent["sys_id"]), { urgency: "1" });
    const caseId = await caseOf(world, child);
    const [record] = await world.sales.query(`SELECT ParentId FROM Case WHERE Id = '${caseId}'`);
    expect(record?.["ParentId"]).toBe(await caseOf(world, String(parent["sys_id"])));
  });

  test("unlink ends the tie and leaves both records as they are", async () => {
    const incident = await world.desk.open({ short_description: "Let go", urgency: "1" });
    const caseId = await caseOf(world, incident);
    await world.desk.change(incident, { urgency: "3" });
    await world.settled();
    await world.publish("SF", "incoming", `${rules.SF.incoming}\nif (replica.description === "goodbye") unlink();\n`);
    await world.desk.change(incident, { description: "goodbye" });
    await world.settled();
    expect(await world.sales.case(caseId)).toMatchObject({ Description: "goodbye" });
    const messages = (await messagesOf(world, incident)).length;
    await world.desk.change(incident, { description: "unheard" });
    await world.sales.change(caseId, { Subject: "On its own" });
    await world.settled();
    expect(await world.sales.case(caseId)).toMatchObject({ Description: "goodbye", Subject: "On its own" });
    expect(await world.desk.incident(incident)).toMatchObject({ short_description: "Let go" });
    expect(await messagesOf(world, incident)).toHaveLength(messages);
  });
});
