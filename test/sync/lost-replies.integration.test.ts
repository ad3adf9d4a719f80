import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Fault } from "../../connectors/simulation/faults.ts";
import { caseOf, comesToRest, openFailures, twinOf } from "./facts.ts";
import { openSyncWorld, type SyncWorld } from "./harness.ts";

let world: SyncWorld;

beforeAll(async () => {
  world = await openSyncWorld();
});
afterEach(() => {
  world.salesforce.server.faults.clear();
  world.servicenow.clearFaults();
});
afterAll(async () => {
  await world.close();
});

const lost = (path: string, times = 2): Fault => ({ method: "POST", path, times, effect: { kind: "lost-reply" } });
/** Creates go by PATCH where the org keeps our marker, and by POST where it does not. */
const lostSave = (times = 2): Fault => ({ path: "/composite/sobjects", times, effect: { kind: "lost-reply" } });

describe("a write whose answer is lost", () => {
  test("is not repeated, be it a case, a comment or a file in Salesforce", async () => {
    await world.stopRunners();
    const incident = await world.desk.open({ short_description: "Lost in Salesforce", urgency: "1", comments: "only once" });
    await world.desk.attach(incident, "once.txt", "text/plain", Buffer.from("once"));
    world.salesforce.server.faults.arm(lostSave());
    world.salesforce.server.faults.arm(lost("/sobjects/ContentVersion"));
    await world.startRunners(1);
    const caseId = await caseOf(world, incident);
    await world.settled();
    expect(await world.sales.cases("Lost in Salesforce")).toHaveLength(1);
    expect(await world.sales.comments(caseId)).toHaveLength(1);
    expect(await world.sales.files(caseId)).toHaveLength(1);
    expect(await tracesOf(incident)).toEqual(["attachment", "comment"]);
    expect(await openFailures(world)).toEqual([]);
    await comesToRest(world, incident, caseId);
  });

  test("is not repeated, be it a comment or a file in ServiceNow", async () => {
    const incident = await world.desk.open({ short_description: "Lost in ServiceNow", urgency: "1" });
    const caseId = await caseOf(world, incident);
    await world.settled();
    await world.stopRunners();
    await world.sales.comment(caseId, "only once");
    await world.sales.comment(caseId, "this one too");
    await world.sales.attach(caseId, "once.txt", Buffer.from("once"));
    world.servicenow.arm(lost("/attachment/file", 1));
    world.servicenow.arm(lost("/batch", 1));
    world.servicenow.arm({ method: "PATCH", path: "/table/incident", times: 1, effect: { kind: "lost-reply" } });
    await world.startRunners(1);
    await world.settled();
    expect((await world.desk.comments(incident)).length).toBe(2);
    expect(await world.desk.attachments(incident)).toHaveLength(1);
    expect(await tracesOf(incident)).toEqual(["attachment", "comment", "comment"]);
    expect(await openFailures(world)).toEqual([]);
    await comesToRest(world, incident, caseId);
  });

  test("is not repeated either when the platform is still at it while we ask", async () => {
    await world.stopRunners();
    const incident = await world.desk.open({ short_description: "Slow create", urgency: "1" });
    // The connection breaks at once, and the case appears 0.9 seconds later, when the second of doubt is not over: asked for in between, it is not there.
    world.salesforce.org.rules.lateCommits = { ms: 900, times: 1 };
    world.salesforce.server.faults.arm(lostSave(1));
    await world.startRunners(1);
    await caseOf(world, incident);
    await world.settled();
    // A second one would be seen at once, the first one only by now.
    await sleep(1_000);
    expect(await world.sales.cases("Slow create")).toHaveLength(1);
  });

  test("does not keep others waiting when a file is gone before it could be copied", async () => {
    const incident = await world.desk.open({ short_description: "Vanishing file", urgency: "1" });
    const caseId = await caseOf(world, incident);
    await world.settled();
    await world.stopRunners();
    await world.sales.comment(caseId, "see the file");
    await world.sales.attach(caseId, "gone.txt", Buffer.from("gone"));
    // Seen by the read, gone when its bytes are asked for.
    world.salesforce.server.faults.arm({
      path: "VersionData",
      times: 0,
      effect: { kind: "status", status: 404, body: [{ errorCode: "NOT_FOUND", message: "The requested resource does not exist" }] },
    });
    await world.startRunners(1);
    await world.settled();
    expect(await openFailures(world)).toEqual([]);
    expect(await world.desk.comments(incident)).toHaveLength(1);
    expect(await world.desk.attachments(incident)).toEqual([]);
    await world.sales.change(caseId, { Subject: "Vanished file" });
    await world.until("the twin goes on", async () => (await world.desk.incident(incident))["short_description"] === "Vanished file");
  });
});

describe.each([
  { org: "keeps our marker", marker: true },
  { org: "has no field for it", marker: false },
])("where the Salesforce org $org, and a trigger on cases", ({ marker }) => {
  test("takes a case whose answer was lost neither for a new one nor for that of a look-alike", async () => {
    const there = await openSyncWorld({ caseQuery: "Priority != 'Low'", salesforce: { marker } });
    try {
      const first = await there.desk.open({ short_description: "Alike", urgency: "1" });
      await caseOf(there, first);
      await there.settled();
      await there.stopRunners();
      const second = await there.desk.open({ short_description: "Alike", urgency: "1" });
      there.salesforce.server.faults.arm(lostSave(1));
      await there.startRunners(1);
      await caseOf(there, second);
      await there.settled();
      expect(await there.sales.cases("Alike")).toHaveLength(2);
      expect(there.servicenow.rows("incident")).toHaveLength(2);
      expect(await caseOf(there, first)).not.toBe(await caseOf(there, second));
      expect(await there.db.selectFrom("twin").select("id").execute()).toHaveLength(2);
    } finally {
      await there.close();
    }
  });
});

async function tracesOf(incident: string): Promise<string[]> {
  const twinId = await twinOf(world, incident);
  return (
    await world.db
      .selectFrom("trace")
      .select("kind")
      .where("twin_id", "=", twinId ?? ("" as never))
      .orderBy("kind")
      .execute()
  ).map(({ kind }) => kind);
}
