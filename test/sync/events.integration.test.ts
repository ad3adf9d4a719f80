import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { incidentOf } from "./facts.ts";
import { openSyncWorld, type SyncWorld } from "./harness.ts";

let world: SyncWorld;

beforeAll(async () => {
  // So rare that nothing below can come from a poll that was due by itself.
  world = await openSyncWorld({ poll: "60m", caseQuery: "Origin = 'Phone'", push: { salesforce: "{ type: cdc }" } });
  await world.until("the node listens", async () => (await listening())?.owner !== null && (await subscribed()));
});
afterAll(async () => {
  await world.close();
});

async function listening() {
  return await world.db.selectFrom("listening").selectAll().executeTakeFirst();
}

async function subscribed(): Promise<boolean> {
  return world.salesforce.server.requests.some(({ path, body }) => path.startsWith("/cometd/") && body.includes("/meta/subscribe"));
}

async function arrives(subject: string): Promise<void> {
  const caseId = await world.sales.open({ Subject: subject, Origin: "Phone" });
  expect(await incidentOf(world, caseId)).toMatchObject({ short_description: subject });
}

describe("a change event of Salesforce", () => {
  test("brings the next poll forward, so that a new case becomes an incident at once; where to go on is kept", async () => {
    await arrives("Told by an event");
    const row = await listening();
    expect(row?.position).toContain("CaseChangeEvent");
    expect(row?.heard_at).toBeInstanceOf(Date);
    expect(row?.problem).toBeNull();
  });

  test("without data, because the platform had to leave it out, does the same", async () => {
    world.salesforce.changes.gaps = 1;
    await arrives("Told by a gap");
  });

  test("that came while nobody listened is replayed to the runner that listens next", async () => {
    await world.stopRunners();
    const caseId = await world.sales.open({ Subject: "Nobody heard it", Origin: "Phone" });
    await world.db
      .updateTable("watch")
      .set({ poll_after: new Date(Date.now() + 3_600_000) })
      .execute();
    await world.startRunners(1);
    expect(await incidentOf(world, caseId)).toMatchObject({ short_description: "Nobody heard it" });
  });

  test("that is too old to be replayed costs nothing but a poll", async () => {
    await world.stopRunners();
    const caseId = await world.sales.open({ Subject: "Lost among old events", Origin: "Phone" });
    await world.db
      .updateTable("listening")
      .set({ position: JSON.stringify({ "/data/CaseChangeEvent": 999_999_999 }) })
      .execute();
    await world.startRunners(1);
    expect(await incidentOf(world, caseId)).toMatchObject({ short_description: "Lost among old events" });
    await world.until("the position that was lost is forgotten", async () => !(await listening())?.position?.includes("999999999"));
    await arrives("Heard again");
  });

  test("is listened to by one of several runners, and by another when that one goes", async () => {
    await world.startRunners(1);
    const first = (await listening())?.owner;
    await arrives("With two runners");
    expect((await listening())?.owner).toBe(first);
    await world.stopRunners();
    expect((await listening())?.owner).toBeNull();
    await world.startRunners(1);
    await world.until("somebody listens again", async () => (await listening())?.owner);
    expect((await listening())?.owner).not.toBe(first);
    await arrives("With the other one");
  });
});
