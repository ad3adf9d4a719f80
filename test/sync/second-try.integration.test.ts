import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { CrashPoint } from "../../engine/sync/context.ts";
import { caseOf, comesToRest, messagesOf, openFailures } from "./facts.ts";
import { openSyncWorld, type SyncWorld } from "./harness.ts";

let world: SyncWorld;
/** Fails once at this point, after people did this. */
let stumble: { readonly point: CrashPoint; readonly meanwhile: () => Promise<unknown> } | undefined;
let meanwhile: Promise<unknown> = Promise.resolve();

beforeAll(async () => {
  world = await openSyncWorld({
    left: "SN",
    context: {
      passing(point) {
        if (stumble?.point !== point) return;
        meanwhile = stumble.meanwhile();
        stumble = undefined;
        throw new Error("stumbled, as the test asked");
      },
    },
  });
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

async function replicasFromSales(incident: string): Promise<number> {
  return (await messagesOf(world, incident)).filter(({ kind, from }) => kind === "replica" && from === "SF").length;
}

describe.each(["apply.intended", "apply.written", "apply.recorded", "apply.comments-written", "apply.read-back"] as const)(
  "a message whose first try broke off at %s",
  (point) => {
    test("is not taken for an edit of the other side when it is tried again", async () => {
      const { incident, caseId } = await pair(`Broken off at ${point}`);
      stumble = { point, meanwhile: async () => undefined };
      await world.desk.change(incident, { short_description: `Tried again after ${point}`, comments: "once" });
      await world.until("the edit arrives", async () => (await world.sales.case(caseId))["Subject"] === `Tried again after ${point}`);
      await world.settled();
      expect(stumble).toBeUndefined();
      expect(await replicasFromSales(incident)).toBe(0);
      expect(await world.sales.comments(caseId)).toHaveLength(1);
      await comesToRest(world, incident, caseId);
    });

    test("buries no edit that people made on either side in between", async () => {
      const { incident, caseId } = await pair(`Edited amid ${point}`);
      stumble = {
        point,
        async meanwhile() {
          await world.sales.change(caseId, { Description: `sales amid ${point}` });
          await world.desk.change(incident, { short_description: `desk amid ${point}` });
          await world.sales.comment(caseId, "sales amid");
        },
      };
      await world.desk.change(incident, { short_description: `desk before ${point}`, comments: "desk before" });
      await world.until("it stumbles", async () => stumble === undefined);
      await meanwhile;
      await world.settled();
      expect(await world.desk.incident(incident)).toMatchObject({ short_description: `desk amid ${point}`, description: `sales amid ${point}` });
      expect(await world.sales.case(caseId)).toMatchObject({ Subject: `desk amid ${point}`, Description: `sales amid ${point}` });
      expect(await world.sales.comments(caseId)).toHaveLength(2);
      expect(await world.desk.comments(incident)).toHaveLength(2);
      expect(await openFailures(world)).toEqual([]);
      await comesToRest(world, incident, caseId);
    });
  },
);

describe.each(["apply.written", "apply.recorded", "apply.comments-written", "apply.read-back"] as const)(
  "a first sync that broke off at %s after the case was created",
  (point) => {
    test("makes one case, and an edit of it in between reaches the incident", async () => {
      stumble = {
        point,
        async meanwhile() {
          const [record] = await world.sales.cases(`Created amid ${point}`);
          await world.sales.change(String(record?.["Id"]), { Status: "Working", Description: "sales was quick" });
        },
      };
      const incident = await world.desk.open({ short_description: `Created amid ${point}`, description: "as it was", urgency: "1", comments: "hello" });
      await world.until("it stumbles", async () => stumble === undefined);
      await meanwhile;
      const caseId = await caseOf(world, incident);
      await world.settled();
      expect(await world.sales.cases(`Created amid ${point}`)).toHaveLength(1);
      expect(await world.desk.incident(incident)).toMatchObject({ state: "2", description: "sales was quick" });
      expect(await world.sales.case(caseId)).toMatchObject({ Status: "Working", Description: "sales was quick" });
      expect(await world.sales.comments(caseId)).toHaveLength(1);
      await comesToRest(world, incident, caseId);
    });
  },
);
