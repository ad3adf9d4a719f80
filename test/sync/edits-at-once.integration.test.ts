import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { caseOf, comesToRest } from "./facts.ts";
import { openSyncWorld, type SyncWorld } from "./harness.ts";

/** Each pair of edits is made while the node stands still, so both sides edit without knowing of each other. */
describe.each([{ left: "SF" as const }, { left: "SN" as const }])("edits on both sides at the same time, with $left on the left", ({ left }) => {
  let world: SyncWorld;
  beforeAll(async () => {
    world = await openSyncWorld({ left });
  });
  afterAll(async () => {
    await world.close();
  });

  async function pair(subject: string): Promise<{ incident: string; caseId: string }> {
    const incident = await world.desk.open({ short_description: subject, description: "as it was", urgency: "1" });
    const caseId = await caseOf(world, incident);
    await world.settled();
    return { incident, caseId };
  }

  async function whileNobodySyncs(edits: () => Promise<void>): Promise<void> {
    await world.stopRunners();
    await edits();
    await world.startRunners(1);
    await world.settled();
  }

  test("of different fields, both survive", async () => {
    const { incident, caseId } = await pair("Different fields");
    await whileNobodySyncs(async () => {
      await world.desk.change(incident, { short_description: "Different fields: from the desk" });
      await world.sales.change(caseId, { Description: "from sales" });
    });
    expect(await world.desk.incident(incident)).toMatchObject({ short_description: "Different fields: from the desk", description: "from sales" });
    expect(await world.sales.case(caseId)).toMatchObject({ Subject: "Different fields: from the desk", Description: "from sales" });
    await comesToRest(world, incident, caseId);
  });

  test("of different fields, both survive also when the other side has just brought about the present state", async () => {
    const { incident, caseId } = await pair("Again");
    await world.desk.change(incident, { short_description: "Again: said by the desk" });
    await world.settled();
    // The case now holds what the desk said, and sales has not sent anything of its own yet.
    await whileNobodySyncs(async () => {
      await world.desk.change(incident, { short_description: "Again: said better by the desk" });
      await world.sales.change(caseId, { Description: "from sales" });
    });
    expect(await world.desk.incident(incident)).toMatchObject({ short_description: "Again: said better by the desk", description: "from sales" });
    expect(await world.sales.case(caseId)).toMatchObject({ Subject: "Again: said better by the desk", Description: "from sales" });
    await whileNobodySyncs(async () => {
      await world.desk.change(incident, { description: "from the desk" });
      await world.sales.change(caseId, { Subject: "Again: from sales" });
    });
    expect(await world.desk.incident(incident)).toMatchObject({ short_description: "Again: from sales", description: "from the desk" });
    expect(await world.sales.case(caseId)).toMatchObject({ Subject: "Again: from sales", Description: "from the desk" });
    await comesToRest(world, incident, caseId);
  });

  test("of the same field, both sides end with one of the two values", async () => {
    const { incident, caseId } = await pair("Same field");
    for (let round = 0; round < 3; round++) {
      const values = [`from the desk ${round}`, `from sales ${round}`];
      await whileNobodySyncs(async () => {
        await world.desk.change(incident, { description: values[0] ?? "" });
        await world.sales.change(caseId, { Description: values[1] ?? "" });
      });
      const { description } = await world.desk.incident(incident);
      expect(values).toContain(description);
      expect(await world.sales.case(caseId)).toMatchObject({ Description: description });
    }
    await comesToRest(world, incident, caseId);
  });

  test("comments and files of both arrive once", async () => {
    const { incident, caseId } = await pair("Both talk");
    await whileNobodySyncs(async () => {
      await world.desk.change(incident, { comments: "the desk speaks" });
      await world.sales.comment(caseId, "sales speaks");
      await world.desk.attach(incident, "desk.txt", "text/plain", Buffer.from("desk"));
      await world.sales.attach(caseId, "sales.txt", Buffer.from("sales"));
      await world.desk.change(incident, { comments: "the desk speaks again" });
    });
    expect(await world.desk.comments(incident)).toHaveLength(3);
    expect(await world.sales.comments(caseId)).toHaveLength(3);
    expect(await world.desk.attachments(incident)).toHaveLength(2);
    expect(await world.sales.files(caseId)).toHaveLength(2);
    await comesToRest(world, incident, caseId);
  });
});
