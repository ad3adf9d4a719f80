import { afterAll, beforeAll, expect, test } from "vitest";
import { takeChore } from "../../engine/store/chores.ts";
import { hourlyDriftCheck } from "../../engine/sync/drift.ts";
import { openRuleDesk, type RuleDesk, rule } from "./desk.ts";

let desk: RuleDesk;
beforeAll(async () => {
  desk = await openRuleDesk({ start: false });
});
afterAll(async () => {
  await desk?.close();
});

const look = "/api/connections/support/sides/SN/drift";

async function metric(name: string): Promise<string | undefined> {
  return new RegExp(`^isobridge_${name} (\\d+)$`, "m").exec((await desk.call("GET", "/metrics")).text)?.[1];
}

test("as long as the schema is as it was, a look finds nothing", async () => {
  expect((await desk.call("GET", "/api/drift")).body.items).toEqual([]);
  expect((await desk.call("GET", "/api/rules?side=SN")).body.items).toMatchObject([{ drift: null }, { drift: null }]);
  const { items } = (await desk.call("POST", look)).body;
  expect(items).toMatchObject([
    { side: "SN", direction: "incoming", version: 1, changed: false, changes: [], breaks: [], problem: null },
    { side: "SN", direction: "outgoing", version: 1, changed: false, changes: [], breaks: [], problem: null },
  ]);
  expect((await desk.call("GET", "/api/rules?side=SN&direction=incoming")).body.items).toMatchObject([{ drift: { changed: false, breaks: 0, problem: null } }]);
  expect((await desk.call("POST", "/api/connections/support/sides/XX/drift")).status).toBe(404);
});

test("a new field is shown as a change that breaks nothing", async () => {
  desk.world.servicenow.define({ name: "incident", label: "Incident", columns: [{ element: "u_floor", label: "Floor" }] });
  const { items } = (await desk.call("POST", look)).body;
  for (const item of items) {
    expect(item).toMatchObject({ changed: true, breaks: [] });
    expect(item.changes.filter((line: { op: string }) => line.op === "+").map((line: { text: string }) => line.text.trim())).toContainEqual(
      expect.stringContaining("u_floor"),
    );
  }
  expect(await metric("rules_drifted")).toBe("2");
  expect(await metric("rules_broken_by_drift")).toBe("0");
});

test("a field that may no longer be written breaks the rule that writes it, at its line; publishing a mended rule settles it", async () => {
  desk.world.servicenow.define({ name: "incident", label: "Incident", columns: [{ element: "close_notes", label: "Close notes", readOnly: true }] });
  const { items } = (await desk.call("POST", look)).body;
  const broken = items.find((item: { direction: string }) => item.direction === "incoming");
  const source = await desk.activeSource("SN", "incoming");
  expect(broken.breaks).toMatchObject([{ message: expect.stringContaining("close_notes") }]);
  expect(source.split("\n")[broken.breaks[0].line - 1]).toContain("close_notes");
  expect(items.find((item: { direction: string }) => item.direction === "outgoing")).toMatchObject({ changed: true, breaks: [] });
  expect((await desk.call("GET", "/api/rules?side=SN&direction=incoming")).body.items).toMatchObject([{ drift: { changed: true, breaks: 1 } }]);
  expect(await metric("rules_broken_by_drift")).toBe("1");
  // The connector that publishing uses believes the old schema for some minutes yet; a new configuration makes another one.
  await desk.world.db
    .updateTable("instance")
    .set({ config: await configOf("helpdesk") })
    .where("name", "=", "helpdesk")
    .execute();
  const mended = source
    .split("\n")
    .filter((line: string) => !line.includes("close_notes"))
    .join("\n");
  expect(await desk.call("POST", rule("SN", "incoming", "/versions"), { source, note: "as it was" })).toMatchObject({ status: 422 });
  expect((await desk.call("POST", rule("SN", "incoming", "/versions"), { source: mended, note: "without close notes" })).status).toBe(201);
  expect(await metric("rules_broken_by_drift")).toBe("0");
  expect((await desk.call("GET", "/api/rules?side=SN&direction=incoming")).body.items).toMatchObject([{ drift: null }]);
  expect((await desk.call("POST", look)).body.items).toMatchObject([
    { direction: "incoming", version: 2, changed: false },
    { direction: "outgoing", changed: true },
  ]);
});

test("going back to a text that no longer checks is refused, unless somebody says why: then it runs as it ran", async () => {
  const versions = (await desk.call("GET", "/api/rule-versions?side=SN&direction=incoming")).body.items;
  const first = versions.find((version: { number: number }) => version.number === 1);
  expect(await desk.call("POST", `/api/rule-versions/${first.id}/activate`, {})).toMatchObject({ status: 422, body: { error: { code: "RULE_REFUSED" } } });
  const back = await desk.call("POST", `/api/rule-versions/${first.id}/activate`, { despite: "Comments are being lost." });
  expect(back.status).toBe(201);
  const version = (await desk.call("GET", `/api/rule-versions/${back.body.id}`)).body;
  expect(version).toMatchObject({
    active: true,
    declarationsHash: expect.any(String),
    report: { despite: "Comments are being lost.", diagnostics: [{ message: expect.stringContaining("close_notes") }] },
  });
  expect((await desk.call("POST", look)).body.items).toMatchObject([{ direction: "incoming", changed: true, breaks: [{}] }, {}]);
});

test("a platform that cannot be asked is told as such, and the rules are not said to have changed", async () => {
  await desk.world.servicenow.close();
  const { items } = (await desk.call("POST", look)).body;
  expect(items).toMatchObject([{ changed: false, problem: { code: expect.any(String), message: expect.any(String) } }, { changed: false }]);
});

test("of all runners one looks, once an hour", async () => {
  const { context, db } = desk.world;
  const turns = await Promise.all(Array.from({ length: 8 }, async () => await takeChore(db, "something", 3_600_000)));
  expect(turns.filter((turn) => turn)).toHaveLength(1);
  await db.deleteFrom("drift").execute();
  await hourlyDriftCheck(context);
  expect((await desk.call("GET", "/api/drift")).body.items).toHaveLength(4);
  await db.deleteFrom("drift").execute();
  await hourlyDriftCheck(context);
  expect((await desk.call("GET", "/api/drift")).body.items).toEqual([]);
});

async function configOf(name: string): Promise<string> {
  const { config } = await desk.world.db.selectFrom("instance").select("config").where("name", "=", name).executeTakeFirstOrThrow();
  return JSON.stringify({ ...config, url: `${String(config["url"])}/` });
}
