import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { messagesOf, openFailures } from "./facts.ts";
import { openSyncWorld, type SyncWorld } from "./harness.ts";

const many = 100;
let world: SyncWorld;

beforeAll(async () => {
  // Triggers on both sides, so that each record that we make fits one as well.
  world = await openSyncWorld({ runners: 2, caseQuery: "Priority != 'Low'", runner: { lanesAtOnce: 10 } });
});
afterAll(async () => {
  await world.close();
});

describe("two runners on one database", () => {
  test("give each of a hundred incidents one case, keep the messages of each in order, and bring each comment once", async () => {
    const { desk, sales } = world;
    const incidents: string[] = [];
    for (let n = 0; n < many; n++) incidents.push(await desk.open({ short_description: `Many ${String(n).padStart(3, "0")}`, urgency: "1" }));
    for (let edit = 1; edit <= 3; edit++) {
      for (const [n, incident] of incidents.entries())
        await desk.change(incident, { description: `edit ${edit} of ${n}`, ...(n % 10 === 0 ? { comments: `word ${edit}` } : {}) });
    }
    await world.settled();

    const cases = await sales.cases("Many ");
    expect(cases).toHaveLength(many);
    expect(new Set(cases.map((record) => record["Subject"])).size).toBe(many);
    for (const record of cases) expect(record["Description"]).toBe(`edit 3 of ${Number(String(record["Subject"]).slice("Many ".length))}`);
    // Were a case of ours taken for a new one, there would be more of either.
    expect(await sales.query("SELECT Id FROM Case")).toHaveLength(many);
    expect(world.servicenow.rows("incident")).toHaveLength(many);
    const comments = await sales.query("SELECT Id, CommentBody, ParentId FROM CaseComment");
    expect(comments.map((comment) => `${String(comment["ParentId"])} ${String(comment["CommentBody"]).slice(-6)}`).toSorted()).toEqual(
      cases
        .filter((record) => String(record["Subject"]).endsWith("0"))
        .flatMap((record) => [1, 2, 3].map((edit) => `${String(record["Id"])} word ${edit}`))
        .toSorted(),
    );
    expect(await openFailures(world)).toEqual([]);
    for (const incident of incidents) {
      const messages = await messagesOf(world, incident);
      for (const from of ["SN", "SF"])
        expect(messages.filter((message) => message.from === from).map((message) => message.sequence)).toEqual(
          messages.filter((message) => message.from === from).map((_, n) => n + 1),
        );
      expect(messages.every((message) => message.state === "applied")).toBe(true);
      expect(
        messages.filter((message) => message.kind === "replica" && message.from === "SF"),
        world.log.join("\n"),
      ).toEqual([]);
    }
    const applied = await world.db
      .selectFrom("message")
      .select(["twin_id", "sequence", "settled_at"])
      .where("kind", "=", "replica")
      .orderBy("twin_id")
      .orderBy("sequence")
      .execute();
    for (const [n, message] of applied.entries()) {
      const before = applied[n - 1];
      if (before?.twin_id === message.twin_id)
        expect(message.settled_at?.getTime() ?? 0).toBeGreaterThanOrEqual(before.settled_at?.getTime() ?? Number.POSITIVE_INFINITY);
    }
  });

  test("sync a case that a person opens just as one that an incident brought about", async () => {
    const caseId = await world.sales.open({ Subject: "Opened by sales", Priority: "High" });
    await world.until("it has an incident", async () => world.servicenow.rows("incident").some((row) => row["short_description"] === "Opened by sales"));
    await world.settled();
    expect(world.servicenow.rows("incident").filter((row) => row["short_description"] === "Opened by sales")).toHaveLength(1);
    expect(await world.sales.cases("Opened by sales")).toHaveLength(1);
    expect((await messagesOf(world, caseId)).filter(({ kind, from }) => kind === "replica" && from === "SN")).toEqual([]);
  });
});
