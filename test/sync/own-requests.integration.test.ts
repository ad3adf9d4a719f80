import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { simulatedAccounts } from "../../connectors/salesforce/simulator/simulator.ts";
import { seededAccounts } from "../../connectors/servicenow/simulator/simulator.ts";
import { applyConfiguration } from "../../engine/configuration/apply.ts";
import { ConfigurationError, parseConfiguration } from "../../engine/configuration/file.ts";
import { openRuleDesk, type RuleDesk, rule } from "../versions/desk.ts";
import { configurationText } from "./harness.ts";

/** What rules send to their platform's own API, and that an administrator has to open each path for writing. */
let desk: RuleDesk;
beforeAll(async () => {
  desk = await openRuleDesk();
});
afterAll(async () => {
  await desk?.close();
});

async function allow(text: string): Promise<string[]> {
  const { world } = desk;
  const yaml = configurationText(world.salesforce.url, world.servicenow.url).replace("name: SN,", `name: SN, allow: ${text},`);
  const environment = { SF_SECRET: simulatedAccounts.app.clientSecret, SN_PASSWORD: seededAccounts.integration.password };
  const means = { db: world.db, vault: world.node.vault, compiler: await world.node.compiler(), environment };
  const plan = await applyConfiguration(means, parseConfiguration(yaml, join(world.folder, "isobridge.yaml")), { dryRun: false, author: "test" });
  return plan.steps.map(({ action, what, detail }) => `${action} ${what}: ${detail}`);
}

const writing = `
if (entity.short_description === "Write") {
  const made = await platform.request("POST", "/api/now/table/problem", { short_description: "Made by a rule of " + entity.number });
  replica.custom = { made: made.result.number };
}`;
const problems = () => desk.world.servicenow.rows("problem").filter((row) => row["short_description"]?.startsWith("Made by a rule"));

test("nothing is open for writing to begin with; the refusal names what to add", async () => {
  const outgoing = await desk.activeSource("SN", "outgoing");
  expect((await desk.call("POST", rule("SN", "outgoing", "/versions"), { source: `${outgoing}\n${writing}`, note: "writes" })).status).toBe(201);
  desk.world.servicenow.plant("incident", { short_description: "Write", urgency: "1", impact: "1" });
  const failure = await desk.world.until("it fails", async () => (await desk.call("GET", "/api/failures")).body.items[0]);
  expect(failure).toMatchObject({ code: "PERMISSION", fault: "rule" });
  expect(failure.message).toContain("no path is open for writing on this side");
  expect(failure.message).toContain('allow: [{ method: POST, path: "/api/now/table/problem" }]');
  expect(problems()).toEqual([]);
});

describe("a path that is opened in the configuration", () => {
  test("is shown with its side, and applying the same again changes nothing", async () => {
    expect(await allow('[{ method: POST, path: "/api/now/table/problem" }]')).toEqual([
      "change paths that rules of support/SN may write to: POST /api/now/table/problem",
    ]);
    expect(await allow('[{ method: POST, path: "/api/now/table/problem" }]')).toEqual([]);
    const { sides } = (await desk.call("GET", "/api/connections/support")).body;
    expect(sides).toMatchObject([
      { name: "SF", allow: [] },
      { name: "SN", allow: [{ method: "POST", path: "/api/now/table/problem" }] },
    ]);
  });

  test("may be written to by rules, with a body, and they see the answer", async () => {
    const [failure] = (await desk.call("GET", "/api/failures")).body.items;
    expect((await desk.call("POST", `/api/failures/${failure.id}/retry`)).status).toBe(200);
    const twin = await desk.world.until("it is sent", async () =>
      (await desk.call("GET", `/api/twins/${failure.twin}`)).body.replicas.find(
        ({ side, sent }: { side: string; sent: unknown }) => side === "SN" && sent !== null,
      ),
    );
    expect(problems()).toMatchObject([{ short_description: expect.stringMatching(/^Made by a rule of INC/) }]);
    expect(twin.sent.custom).toEqual({ made: problems()[0]?.["number"] });
  });

  test("opens nothing beside it", async () => {
    await desk.world.settled();
    const before = desk.world.servicenow.rows("problem").length;
    for (const [method, path] of [
      ["DELETE", "/api/now/table/problem"],
      ["POST", "/api/now/table/incident"],
      ["POST", "/api/now/table/problem/../incident"],
    ]) {
      const source = `try { await platform.request("${method}", "${path}", {}) } catch (error) { replica.code = error.code }`;
      const { body } = await desk.call("POST", rule("SN", "outgoing", "/preview"), { source, entityType: "incident", key: await anIncident() });
      expect(body.replica).toEqual({ code: "PERMISSION" });
    }
    expect(desk.world.servicenow.rows("problem")).toHaveLength(before);
  });

  test("is not written to by a preview, which says what would be sent", async () => {
    const before = problems().length;
    const source = `const answer = await platform.request("POST", "/api/now/table/problem", { short_description: "x" });\nreplica.answer = answer;`;
    const { body } = await desk.call("POST", rule("SN", "outgoing", "/preview"), { source, entityType: "incident", key: await anIncident() });
    expect(body.words).toContain('Send POST /api/now/table/problem {"short_description":"x"}; the preview answered null');
    expect(body.replica).toEqual({ answer: null });
    expect(problems()).toHaveLength(before);
  });

  test("is not written to by a replay: what it answered then is the answer", async () => {
    const before = problems().length;
    const [run] = (await desk.call("GET", "/api/runs?side=SN&direction=outgoing&limit=200")).body.items.filter(
      ({ outcome }: { outcome: string }) => outcome === "ok",
    );
    const shadow = await desk.call("POST", rule("SN", "outgoing", "/shadow"), { version: run.versionId, runs: 50 });
    expect(shadow.body.compared).toBeGreaterThan(0);
    expect(problems()).toHaveLength(before);
  });
});

test.each([
  ['[{ method: GET, path: "/a" }]', "must be POST, PUT, PATCH or DELETE; rules may read every path"],
  ['[{ method: POST, path: "/a/../b" }]', "a path has no . or .. as a segment"],
  ['[{ method: POST, path: "/*" }]', "must name at least one segment"],
  ['[{ method: POST, path: "/a", body: any }]', "is not a known key here"],
])("a configuration with allow: %s is refused", async (text, message) => {
  await expect(allow(text)).rejects.toThrow(ConfigurationError);
  await expect(allow(text)).rejects.toThrow(message);
});

async function anIncident(): Promise<string> {
  return desk.world.servicenow.rows("incident").find((row) => row["short_description"] === "Write")?.["number"] ?? "";
}
