import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { caseOf, comesToRest, incidentOf, messagesOf } from "./facts.ts";
import { openSyncWorld, type SyncWorld } from "./harness.ts";

let world: SyncWorld;

beforeAll(async () => {
  world = await openSyncWorld();
});
afterAll(async () => {
  await world.close();
});

describe("one change, from end to end", () => {
  test("an incident becomes a case, and fields, comments, files and status travel both ways with nothing echoed", async () => {
    const { desk, sales } = world;
    const incident = await desk.open({ short_description: "Ferry page is down", description: "Since seven.", urgency: "1", impact: "1" });
    const caseId = await caseOf(world, incident);
    expect(await sales.case(caseId)).toMatchObject({ Subject: "Ferry page is down", Description: "Since seven.", Priority: "High", Status: "New" });

    await desk.change(incident, { comments: "We look into it." });
    await desk.change(incident, { work_notes: "Secret: the gateway is to blame." });
    const picture = Buffer.from(Array.from({ length: 5_000 }, (_, index) => (index * 7919) % 256));
    await desk.attach(incident, "seen – 1.png", "image/png", picture);
    await sales.comment(caseId, "When will it work?");
    await sales.comment(caseId, "Between us: they are slow.", false);
    await sales.attach(caseId, "log.txt", Buffer.from("a log"));
    await sales.change(caseId, { Status: "Working" });
    await world.settled();

    expect(await desk.incident(incident)).toMatchObject({ state: "2", short_description: "Ferry page is down" });
    expect((await desk.comments(incident)).filter((text) => text.includes("When will it work?"))).toHaveLength(1);
    expect((await sales.comments(caseId)).filter((text) => text.includes("We look into it."))).toHaveLength(1);
    expect(await sales.comments(caseId)).toHaveLength(3);
    expect(await desk.comments(incident)).toHaveLength(2);
    const files = await sales.files(caseId);
    expect(files.map((file) => file["PathOnClient"]).toSorted()).toEqual(["log.txt", "seen – 1.png"]);
    const copy = await sales.download(String(files.find((file) => file["PathOnClient"] === "seen – 1.png")?.["Id"]));
    expect(sha256(copy)).toBe(sha256(picture));
    const attached = await desk.attachments(incident);
    expect(attached.map((file) => file["file_name"]).toSorted()).toEqual(["log.txt", "seen – 1.png"]);
    expect((await desk.download(String(attached.find((file) => file["file_name"] === "log.txt")?.["sys_id"]))).toString()).toBe("a log");

    await comesToRest(world, incident, caseId);
    for (const message of await messagesOf(world, incident)) {
      const text = JSON.stringify(message.body);
      expect(text).not.toContain("Secret");
      expect(text).not.toContain("Between us");
    }
    expect(JSON.stringify(world.salesforce.server.requests)).not.toContain("Secret: the gateway");
    expect(JSON.stringify(world.servicenow.requests)).not.toContain("Between us: they are slow");
  });

  test("a replica goes only from the side where a person did something: what arrives is not sent back", async () => {
    const incident = await world.desk.open({ short_description: "No echo", urgency: "1", comments: "First word." });
    const caseId = await caseOf(world, incident);
    await world.settled();
    await world.desk.attach(incident, "a.txt", "text/plain", Buffer.from("a"));
    await world.desk.change(incident, { short_description: "No echo at all", comments: "Second word." });
    await world.settled();
    const sent = await messagesOf(world, incident);
    expect(sent.filter((message) => message.kind === "replica").map((message) => message.from)).not.toContain("SF");
    await world.sales.change(caseId, { Subject: "Told from sales" });
    await world.settled();
    const after = await messagesOf(world, incident);
    expect(after.filter((message) => message.kind === "replica" && message.from === "SF")).toHaveLength(1);
    expect(after.filter((message) => message.kind === "replica" && message.from === "SN")).toHaveLength(
      sent.filter((message) => message.kind === "replica").length,
    );
    expect(await incidentOf(world, caseId)).toMatchObject({ short_description: "Told from sales" });
    await comesToRest(world, incident, caseId);
  });

  test("five edits while the record waits are read once and sent as one message", async () => {
    const incident = await world.desk.open({ short_description: "Edited in a hurry", urgency: "1" });
    const caseId = await caseOf(world, incident);
    await world.settled();
    const before = (await messagesOf(world, incident)).length;
    await world.stopRunners();
    for (const n of [1, 2, 3, 4, 5]) await world.desk.change(incident, { short_description: `Edited in a hurry ${n}` });
    await world.startRunners(1);
    await world.settled();
    const sent = (await messagesOf(world, incident)).slice(before);
    expect(sent.map(({ from, kind }) => `${kind} from ${from}`)).toEqual(["replica from SN", "ack from SF"]);
    expect(await world.sales.case(caseId)).toMatchObject({ Subject: "Edited in a hurry 5" });
  });

  test("an edit that the outgoing rule does not speak of sends nothing", async () => {
    const incident = await world.desk.open({ short_description: "Quiet edit", urgency: "1" });
    const caseId = await caseOf(world, incident);
    await world.settled();
    const before = (await messagesOf(world, incident)).length;
    await world.desk.change(incident, { close_notes: "nobody's business", work_notes: "still nobody's" });
    await world.settled();
    expect(await messagesOf(world, incident)).toHaveLength(before);
    await comesToRest(world, incident, caseId);
  });

  test("an edit by a person who uses the integration's own account travels all the same", async () => {
    const incident = await world.desk.open({ short_description: "Shared account", urgency: "1" });
    const caseId = await caseOf(world, incident);
    await world.settled();
    await world.desk.changeAsIntegration(incident, { short_description: "Edited from the desk by the shared account", comments: "Typed by hand." });
    await world.until("the edit arrives", async () => (await world.sales.case(caseId))["Subject"] === "Edited from the desk by the shared account");
    await world.sales.changeAsIntegration(caseId, { Subject: "Edited from sales by the shared account" });
    await world.until("the edit arrives", async () => (await world.desk.incident(incident))["short_description"] === "Edited from sales by the shared account");
    await world.settled();
    expect((await world.sales.comments(caseId)).filter((text) => text.includes("Typed by hand."))).toHaveLength(1);
    await comesToRest(world, incident, caseId);
  });

  test("a record that no longer fits the trigger goes on being synced", async () => {
    const incident = await world.desk.open({ short_description: "Cooling down", urgency: "1" });
    const caseId = await caseOf(world, incident);
    await world.desk.change(incident, { urgency: "3", impact: "3" });
    await world.until("the priority arrives", async () => (await world.sales.case(caseId))["Priority"] === "Low");
    await world.desk.change(incident, { comments: "Still here." });
    await world.until("the comment arrives", async () => (await world.sales.comments(caseId)).some((text) => text.includes("Still here.")));
  });

  test("an edited and a removed comment change on the other side too", async () => {
    // Only Salesforce can edit and remove comments, so the copies are there as well: two orgs' worth of rules in one direction.
    const incident = await world.desk.open({ short_description: "Second thoughts", urgency: "1" });
    const caseId = await caseOf(world, incident);
    const commentId = await world.sales.comment(caseId, "Wrong word.");
    await world.until("the comment arrives", async () => (await world.desk.comments(incident)).some((text) => text.includes("Wrong word.")));
    await world.sales.editComment(commentId, "Right word.");
    await world.settled();
    await world.sales.removeComment(commentId);
    await world.settled();
    // ServiceNow's journal cannot be changed: what was said there stays, once, and the twin goes on.
    expect(await world.desk.comments(incident)).toHaveLength(1);
    await world.desk.change(incident, { short_description: "Third thoughts" });
    await world.until("the edit arrives", async () => (await world.sales.case(caseId))["Subject"] === "Third thoughts");
    await world.settled();
    await comesToRest(world, incident, caseId);
  });
});

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
