import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { SimulatedApp } from "../../connectors/salesforce/simulator/accounts.ts";
import { simulatedAccounts } from "../../connectors/salesforce/simulator/simulator.ts";
import { seededAccounts } from "../../connectors/servicenow/simulator/simulator.ts";
import type { Fault } from "../../connectors/simulation/faults.ts";
import { listInstances } from "../../engine/store/configuration.ts";
import { retryFailure } from "../../engine/sync/failures.ts";
import { caseOf, comesToRest, openFailures, twinOf } from "./facts.ts";
import { openSyncWorld, type SyncWorld } from "./harness.ts";

let world: SyncWorld;
/** The connected app, whose secret an administrator may change. */
const app: { -readonly [Key in keyof SimulatedApp]: SimulatedApp[Key] } = { ...simulatedAccounts.app };

beforeAll(async () => {
  world = await openSyncWorld({
    salesforce: { apps: [app] },
    servicenow: { policies: [{ table: "incident", when: "short_descriptionLIKEneeds notes", mandatory: ["close_notes"] }] },
  });
});
afterEach(() => {
  world.salesforce.server.faults.clear();
  world.servicenow.clearFaults();
});
afterAll(async () => {
  await world.close();
});

async function pair(subject: string): Promise<{ incident: string; caseId: string }> {
  const incident = await world.desk.open({ short_description: subject, urgency: "1" });
  const caseId = await caseOf(world, incident);
  await world.settled();
  return { incident, caseId };
}

describe("a platform that refuses what is written", () => {
  test("parks that twin with the field named, while others go on; a retry heals it once the platform lets it pass", async () => {
    world.salesforce.org.rules.validations = [{ object: "Case", field: "Subject", equals: "Forbidden word", message: "This word is not used here." }];
    const bad = await world.desk.open({ short_description: "Forbidden word", urgency: "1" });
    const good = await world.desk.open({ short_description: "Fine words", urgency: "1" });
    await caseOf(world, good);
    await world.settled();
    const [failure, ...more] = await openFailures(world);
    expect(more).toEqual([]);
    expect(failure).toMatchObject({ laneKey: `twin:${await twinOf(world, bad)}`, code: "VALIDATION", fault: "platform", detail: { fields: ["Subject"] } });
    expect(failure?.message).toContain("This word is not used here.");
    world.salesforce.org.rules.validations = [];
    await retryFailure(world.context, failure?.id ?? 0);
    await caseOf(world, bad);
    expect(await world.sales.cases("Forbidden word")).toHaveLength(1);
  });

  test("by a data policy of ServiceNow likewise", async () => {
    const { incident, caseId } = await pair("Well categorised");
    await world.sales.change(caseId, { Subject: "This needs notes" });
    const failure = await world.until("the twin is parked", async () => (await openFailures(world))[0]);
    expect(failure).toMatchObject({ code: "VALIDATION", fault: "platform", detail: { fields: ["close_notes"] } });
    await world.desk.changeAsIntegration(incident, { close_notes: "network" });
    await retryFailure(world.context, failure.id);
    await world.until("the subject arrives", async () => (await world.desk.incident(incident))["short_description"] === "This needs notes");
    await comesToRest(world, incident, caseId);
  });
});

describe("trouble that passes by itself is waited for, without anything being parked", () => {
  const requestLimit = [{ errorCode: "REQUEST_LIMIT_EXCEEDED", message: "ConcurrentPerOrgLongTxn Limit exceeded." }];
  const onSalesforce: { name: string; fault: Fault }[] = [
    { name: "503 answers", fault: { path: "/services/data", times: 5, effect: { kind: "status", status: 503, body: "" } } },
    { name: "connections that are reset", fault: { path: "/services/data", times: 4, effect: { kind: "reset" } } },
    { name: "pages of HTML", fault: { path: "/services/data", times: 3, effect: { kind: "html" } } },
    { name: "answers cut short", fault: { path: "/services/data", times: 3, effect: { kind: "truncate" } } },
    {
      name: "a request limit",
      fault: { path: "/services/data", times: 2, effect: { kind: "status", status: 403, headers: { "retry-after": "1" }, body: requestLimit } },
    },
  ];
  const onServiceNow: { name: string; fault: Fault }[] = [
    { name: "503 answers", fault: { path: "/api/now", times: 5, effect: { kind: "status", status: 503, body: "" } } },
    {
      name: "throttling",
      fault: {
        path: "/api/now",
        times: 2,
        effect: {
          kind: "status",
          status: 429,
          headers: { "retry-after": "1" },
          body: { error: { message: "Rate limit exceeded", detail: "" }, status: "failure" },
        },
      },
    },
    { name: "connections that are reset", fault: { path: "/api/now", times: 4, effect: { kind: "reset" } } },
    { name: "pages of HTML", fault: { path: "/api/now", times: 3, effect: { kind: "html" } } },
    { name: "answers cut short", fault: { path: "/api/now", times: 3, effect: { kind: "truncate" } } },
  ];

  test("on Salesforce: 5xx, resets, HTML, cut answers, a request limit, an ended session", async () => {
    const { incident, caseId } = await pair("Salesforce is unwell");
    for (const { name, fault } of onSalesforce) {
      // Made while the node stands still: people's own requests must not meet the fault.
      await world.stopRunners();
      await world.desk.change(incident, { short_description: `Salesforce is unwell: ${name}`, comments: `During ${name}` });
      world.salesforce.server.faults.arm(fault);
      await world.startRunners(1);
      await world.settled();
      world.salesforce.server.faults.clear();
    }
    expect(await world.sales.case(caseId)).toMatchObject({ Subject: "Salesforce is unwell: a request limit" });
    const comments = await world.sales.comments(caseId);
    for (const { name } of onSalesforce)
      expect(
        comments.filter((text) => text.includes(`During ${name}`)),
        name,
      ).toHaveLength(1);
    expect(comments).toHaveLength(onSalesforce.length);
    expect(await openFailures(world)).toEqual([]);
    expect(await world.sales.cases("Salesforce is unwell")).toHaveLength(1);
  });

  test("on ServiceNow: 5xx, throttling, resets, HTML, cut answers", async () => {
    const { incident, caseId } = await pair("ServiceNow is unwell");
    for (const { name, fault } of onServiceNow) {
      await world.stopRunners();
      await world.sales.change(caseId, { Subject: `ServiceNow is unwell: ${name}` });
      await world.sales.comment(caseId, `During ${name}`);
      world.servicenow.arm(fault);
      await world.startRunners(1);
      await world.settled();
      world.servicenow.clearFaults();
    }
    expect(await world.desk.incident(incident)).toMatchObject({ short_description: "ServiceNow is unwell: answers cut short" });
    const comments = await world.desk.comments(incident);
    for (const { name } of onServiceNow)
      expect(
        comments.filter((text) => text.includes(`During ${name}`)),
        name,
      ).toHaveLength(1);
    expect(comments).toHaveLength(onServiceNow.length);
    expect(await openFailures(world)).toEqual([]);
  });

  test("a session that ended is renewed without a word", async () => {
    const { incident } = await pair("Session");
    world.salesforce.accounts.revokeAll();
    await world.desk.change(incident, { short_description: "Session ended" });
    await world.until("the edit arrives", async () => [...world.salesforce.org.rows("Case")].some((row) => row["Subject"] === "Session ended"));
    expect((await listInstances(world.db)).map(({ stopped }) => stopped)).toEqual([null, null]);
  });

  test("credentials that stop working stop the instance, and with the right ones nothing is lost", async () => {
    const incident = await world.desk.open({ short_description: "Before the secret changed", urgency: "1" });
    await caseOf(world, incident);
    await world.settled();
    app.clientSecret = "a new secret";
    world.salesforce.accounts.revokeAll();
    await world.desk.change(incident, { short_description: "After the secret changed", comments: "Said in the dark." });
    const fresh = await world.desk.open({ short_description: "New in the dark", urgency: "1" });
    const stopped = await world.until("the instance is stopped", async () =>
      (await listInstances(world.db)).find(({ name, stopped }) => name === "sales" && stopped !== null),
    );
    expect(stopped.stopped).toMatchObject({ code: expect.stringMatching(/^AUTH_/) });
    expect(JSON.stringify(stopped)).not.toContain(simulatedAccounts.app.clientSecret);
    expect(await openFailures(world)).toEqual([]);
    expect((await listInstances(world.db)).find(({ name }) => name === "helpdesk")?.stopped).toBeNull();

    await world.configure({ SF_SECRET: "a new secret", SN_PASSWORD: seededAccounts.integration.password });
    await caseOf(world, fresh);
    await world.settled();
    expect((await listInstances(world.db)).map(({ stopped: now }) => now)).toEqual([null, null]);
    expect(await openFailures(world)).toEqual([]);
    expect([...world.salesforce.org.rows("Case")].filter((row) => row["Subject"] === "After the secret changed")).toHaveLength(1);
    expect([...world.salesforce.org.rows("CaseComment")].filter((row) => String(row["CommentBody"]).includes("Said in the dark."))).toHaveLength(1);
  });
});
