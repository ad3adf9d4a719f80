import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { twinPage } from "../../engine/store/lists.ts";
import { retryFailure } from "../../engine/sync/failures.ts";
import { defaultRule } from "../../engine/sync/publish.ts";
import { caseOf, messagesOf, openFailures } from "./facts.ts";
import { openSyncWorld, type SyncWorld } from "./harness.ts";

let world: SyncWorld;
const rules = { SF: { incoming: "", outgoing: "" }, SN: { incoming: "", outgoing: "" } };

/** The desk writes the number of the parent into the close notes; the case waits for the parent's. */
const child = `if (replica.parent) {
  const parent = await twins.localFor(replica.parent, "Case");
  if (!parent) waitFor(replica.parent);
  if (firstSync) entity.entityType = "Case";
  if (entity.entityType === "Case") entity.ParentId = parent;
}
`;

beforeAll(async () => {
  // No clock wakes anything within these tests: a lane that goes on was woken.
  world = await openSyncWorld({ caseQuery: "Origin = 'Phone'", context: { pace: { stoppedMs: 500, waitingMs: 3_600_000, doubtMs: 1_000 } } });
  for (const direction of ["incoming", "outgoing"] as const) {
    rules.SF[direction] = await defaultRule("salesforce", direction);
    rules.SN[direction] = await defaultRule("servicenow", direction);
  }
  await world.publish("SN", "outgoing", `${rules.SN.outgoing}\nif (entity.entityType === "incident") replica.parent = entity.close_notes;\n`);
});
afterEach(async () => {
  await world.publish("SF", "incoming", rules.SF.incoming);
});
afterAll(async () => {
  await world.close();
});

async function waits(what: string): Promise<void> {
  await world.until(
    `something waits for ${what}`,
    async () => (await world.db.selectFrom("lane").select("key").where("waiting_for", "=", what).executeTakeFirst()) !== undefined,
  );
}

describe("a rule that waits for another twin", () => {
  test("goes on as soon as that twin is tied, with everything that happened meanwhile behind it in order", async () => {
    await world.publish("SF", "incoming", `${child}${rules.SF.incoming}`);
    const parent = await world.desk.report({ short_description: "Parent of one", urgency: "3" });
    const incident = await world.desk.open({ short_description: "Child of one", urgency: "1", close_notes: String(parent["number"]) });
    await waits(String(parent["number"]));
    const shown = async (): Promise<unknown> => (await twinPage(world.db, { limit: 1 }, { key: incident })).items[0]?.waitingFor;
    expect(await shown()).toEqual({ side: "SF", remoteKey: parent["number"] });
    await world.desk.change(incident, { short_description: "Child, renamed" });
    await world.desk.change(incident, { comments: "Said while waiting." });
    await world.desk.change(String(parent["sys_id"]), { urgency: "1" });

    const caseId = await caseOf(world, incident);
    await world.settled();
    const [record] = await world.sales.query(`SELECT ParentId, Subject FROM Case WHERE Id = '${caseId}'`);
    expect(record).toMatchObject({ ParentId: await caseOf(world, String(parent["sys_id"])), Subject: "Child, renamed" });
    expect(await world.sales.comments(caseId)).toEqual([expect.stringContaining("Said while waiting.")]);
    expect(await shown()).toBeNull();
    const sent = (await messagesOf(world, incident)).filter(({ from, kind }) => from === "SN" && kind === "replica");
    expect(sent.map(({ sequence, state }) => `${sequence} ${state}`)).toEqual(sent.map((_, index) => `${index + 1} applied`));
    expect(await openFailures(world)).toEqual([]);
  });

  test("holds a record back on the outgoing side likewise, and reads it anew when it is woken", async () => {
    const plain = rules.SN.outgoing;
    await world.publish(
      "SN",
      "outgoing",
      `${plain}\nif (entity.entityType === "incident" && entity.close_notes && !(await twins.localFor(entity.close_notes))) waitFor(entity.close_notes);\n`,
    );
    const caseId = await world.sales.open({ Subject: "Comes first", Origin: "Web" });
    const [{ CaseNumber } = {}] = await world.sales.query(`SELECT CaseNumber FROM Case WHERE Id = '${caseId}'`);
    const incident = await world.desk.open({ short_description: "Comes second", urgency: "1", close_notes: String(CaseNumber) });
    await waits(String(CaseNumber));
    await world.desk.change(incident, { short_description: "Comes second, renamed" });
    await world.sales.change(caseId, { Origin: "Phone" });
    expect(await world.sales.case(await caseOf(world, incident))).toMatchObject({ Subject: "Comes second, renamed" });
    await world.settled();
    expect((await messagesOf(world, incident)).filter(({ from, kind }) => from === "SN" && kind === "replica")).toHaveLength(1);
    await world.publish("SN", "outgoing", `${plain}\nif (entity.entityType === "incident") replica.parent = entity.close_notes;\n`);
  });

  test("is woken after a restart too", async () => {
    await world.publish("SF", "incoming", `${child}${rules.SF.incoming}`);
    const parent = await world.desk.report({ short_description: "Parent of two", urgency: "3" });
    const incident = await world.desk.open({ short_description: "Child of two", urgency: "1", close_notes: String(parent["number"]) });
    await waits(String(parent["number"]));
    await world.stopRunners();
    await world.startRunners(1);
    await world.desk.change(String(parent["sys_id"]), { urgency: "1" });
    await caseOf(world, incident);
    await world.settled();
  });

  test("misses no tie that is made while it begins to wait, with two runners at work", async () => {
    await world.publish("SF", "incoming", `${child}${rules.SF.incoming}`);
    await world.startRunners(1);
    const parents = await Promise.all(
      Array.from({ length: 20 }, async (_, n) => await world.desk.report({ short_description: `Racing parent ${n}`, urgency: "3" })),
    );
    const children = await Promise.all(
      parents.flatMap((parent) => [
        world.desk.open({ short_description: "Racing child", urgency: "1", close_notes: String(parent["number"]) }),
        world.desk.change(String(parent["sys_id"]), { urgency: "1" }),
      ]),
    );
    for (const incident of children) if (incident !== undefined) await caseOf(world, incident);
    await world.settled();
    const cases = await world.sales.query("SELECT Id, ParentId FROM Case WHERE Subject = 'Racing child'");
    expect(cases).toHaveLength(20);
    expect(new Set(cases.map((row) => row["ParentId"])).size).toBe(20);
    await world.stopRunners();
    await world.startRunners(1);
  });

  test("is woken by a tie to a record that was there before", async () => {
    await world.publish(
      "SF",
      "incoming",
      `if (firstSync && replica.summary === "Parent of three") {\n  const found = await lookup.one("Case", { Subject: "Known before" });\n  if (found) linkTo(found);\n}\n${child}${rules.SF.incoming}`,
    );
    const known = await world.sales.open({ Subject: "Known before" });
    const parent = await world.desk.report({ short_description: "Parent of three", urgency: "3" });
    const incident = await world.desk.open({ short_description: "Child of three", urgency: "1", close_notes: String(parent["number"]) });
    await waits(String(parent["number"]));
    await world.desk.change(String(parent["sys_id"]), { urgency: "1" });
    const [record] = await world.sales.query(`SELECT ParentId FROM Case WHERE Id = '${await caseOf(world, incident)}'`);
    expect(record?.["ParentId"]).toBe(known);
    await world.settled();
  });

  test("is run again by a new version of its rule", async () => {
    await world.publish("SF", "incoming", `${child}${rules.SF.incoming}`);
    const incident = await world.desk.open({ short_description: "Waits for nobody", urgency: "1", close_notes: "INC7777777" });
    await waits("INC7777777");
    await world.publish("SF", "incoming", rules.SF.incoming);
    await caseOf(world, incident);
    await world.settled();
  });

  test("fails, naming both, when the two wait for each other, and both go on once one of them need not", async () => {
    await world.publish("SF", "incoming", `${child}${rules.SF.incoming}`);
    const one = await world.desk.report({ short_description: "First of a circle", urgency: "3" });
    const other = await world.desk.report({ short_description: "Second of a circle", urgency: "3", close_notes: String(one["number"]) });
    await world.desk.change(String(one["sys_id"]), { close_notes: String(other["number"]) });
    for (const { sys_id } of [one, other]) await world.desk.change(String(sys_id), { urgency: "1" });

    const failure = await world.until("the circle is found", async () => (await openFailures(world))[0]);
    expect(failure).toMatchObject({ code: "WAITING_IN_CIRCLE", fault: "rule" });
    for (const { number } of [one, other]) expect(failure.message).toContain(String(number));
    await world.db
      .selectFrom("lane")
      .select("key")
      .where("waiting_for", "in", [String(one["number"]), String(other["number"])])
      .executeTakeFirstOrThrow();
    expect(await openFailures(world)).toHaveLength(1);

    await world.publish("SF", "incoming", `if (replica.summary !== "First of a circle") {\n${child}}\n${rules.SF.incoming}`);
    await retryFailure(world.context, failure.id);
    await Promise.all([one, other].map(async ({ sys_id }) => await caseOf(world, String(sys_id))));
    await world.settled();
    expect(await openFailures(world)).toEqual([]);
  });

  test("fails when it waits for itself, or for what is there already", async () => {
    await world.publish(
      "SF",
      "incoming",
      `if (replica.summary === "Waits for itself") waitFor(replica.key);\nif (replica.parent) waitFor(replica.parent);\n${rules.SF.incoming}`,
    );
    const there = await world.desk.report({ short_description: "Is there", urgency: "1" });
    await caseOf(world, String(there["sys_id"]));
    await world.desk.open({ short_description: "Waits for itself", urgency: "1" });
    await world.desk.open({ short_description: "Waits in vain", urgency: "1", close_notes: String(there["number"]) });
    const failures = await world.until("both are parked", async () => {
      const open = await openFailures(world);
      return open.length === 2 ? open : undefined;
    });
    expect(failures.map(({ code }) => code).toSorted()).toEqual(["NOTHING_TO_WAIT_FOR", "WAITING_IN_CIRCLE"]);
    expect(failures.find(({ code }) => code === "NOTHING_TO_WAIT_FOR")?.message).toMatch(/has a twin already: Case 0\d+\. Ask twins\.localFor/);
    expect(failures.find(({ code }) => code === "WAITING_IN_CIRCLE")?.message).toMatch(/waits for itself \(INC/);
  });
});
