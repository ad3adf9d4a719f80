import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { listSides } from "../../engine/store/configuration.ts";
import { reconcileSide } from "../../engine/sync/reconcile.ts";
import { caseOf, openFailures, twinOf } from "./facts.ts";
import { openSyncWorld, type SyncWorld } from "./harness.ts";

let world: SyncWorld;

beforeAll(async () => {
  world = await openSyncWorld({ caseQuery: "Origin = 'Phone'" });
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

async function failureOf(entityId: string) {
  const twin = await twinOf(world, entityId);
  return await world.until(`the twin of ${entityId} is parked`, async () => (await openFailures(world)).find(({ laneKey }) => laneKey === `twin:${twin}`));
}

async function sweep(side: "SF" | "SN"): Promise<number> {
  const row = (await listSides(world.db)).find(({ name }) => name === side);
  if (row === undefined) throw new Error(`There is no side ${side}.`);
  return await reconcileSide(world.context, row, 0);
}

describe("a record that was deleted on its platform", () => {
  test("in Salesforce parks its own twin with a message that says so, and its incident stays", async () => {
    const { incident, caseId } = await pair("A case to be deleted");
    await world.sales.remove(caseId);
    expect(await failureOf(caseId)).toMatchObject({ code: "DELETED", fault: "platform", message: expect.stringContaining(caseId) });
    expect((await world.desk.incident(incident))["short_description"]).toBe("A case to be deleted");
  });

  test("in ServiceNow, where the account may not read the list of deleted records, is found by looking for it, and told once", async () => {
    const { incident, caseId } = await pair("An incident to be deleted");
    const { incident: kept } = await pair("An incident that stays");
    await world.desk.remove(incident);
    expect(await sweep("SN")).toBe(1);
    expect(await failureOf(incident)).toMatchObject({ fault: "platform", message: expect.stringContaining(incident) });
    expect(await sweep("SN")).toBe(0);
    const twin = await twinOf(world, kept);
    expect((await openFailures(world)).filter(({ laneKey }) => laneKey === `twin:${twin}`)).toEqual([]);
    expect((await world.sales.case(caseId))["Subject"]).toBe("An incident to be deleted");
  });

  test("starts no sync where it was never in one", async () => {
    const caseId = await world.sales.open({ Subject: "Made and deleted at once", Origin: "Web" });
    await world.sales.remove(caseId);
    await world.settled();
    expect(await twinOf(world, caseId)).toBeUndefined();
  });
});
