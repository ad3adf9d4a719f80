import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { simulatedAccounts } from "../../connectors/salesforce/simulator/simulator.ts";
import { seededAccounts } from "../../connectors/servicenow/simulator/simulator.ts";
import { applyConfiguration } from "../../engine/configuration/apply.ts";
import { parseConfiguration } from "../../engine/configuration/file.ts";
import { forgetRuns } from "../../engine/store/runs.ts";
import { configurationText } from "../sync/harness.ts";
import { openRuleDesk, type RuleDesk, rule } from "./desk.ts";

let desk: RuleDesk;
beforeAll(async () => {
  desk = await openRuleDesk();
});
afterAll(async () => {
  await desk?.close();
});

/** Applies the world's configuration with changes to its text; says what was done. */
async function reconfigure(changes: readonly (readonly [string, string])[]): Promise<string[]> {
  const { world } = desk;
  const text = changes.reduce(
    (before, [from, to]) => {
      if (!before.includes(from)) throw new Error(`The configuration has no ${from}:\n${before}`);
      return before.replace(from, to);
    },
    configurationText(world.salesforce.url, world.servicenow.url),
  );
  const environment = { SF_SECRET: simulatedAccounts.app.clientSecret, SN_PASSWORD: seededAccounts.integration.password };
  const means = { db: world.db, vault: world.node.vault, compiler: await world.node.compiler(), environment };
  const plan = await applyConfiguration(means, parseConfiguration(text, join(world.folder, "isobridge.yaml")), { dryRun: false, author: "test" });
  return plan.steps.map((step) => `${step.action} ${step.what}: ${step.detail}`);
}

/** The first run for a twin: a record may be looked at more than once. */
async function runOf(twin: string, direction: "outgoing" | "incoming") {
  const item = (await desk.call("GET", `/api/runs?twin=${twin}&direction=${direction}`)).body.items.at(-1);
  return (await desk.call("GET", `/api/runs/${item.id}`)).body;
}

test("runs are listed by either record's key or id, side, direction, version and outcome", async () => {
  const one = await desk.syncedIncident({ short_description: "One" });
  const two = await desk.syncedIncident({ short_description: "Two" });
  const caseKey = (await desk.call("GET", `/api/twins/${one.twin}`)).body.sides[0].key;
  for (const entity of [one.number, one.sysId, caseKey]) {
    const { items } = (await desk.call("GET", `/api/runs?entity=${entity}`)).body;
    expect(items.length).toBeGreaterThanOrEqual(2);
    expect(new Set(items.map((item: { twin: string }) => item.twin))).toEqual(new Set([one.twin]));
  }
  const sideways = (await desk.call("GET", `/api/runs?entity=${two.number}&side=SN&direction=outgoing&outcome=ok`)).body.items;
  expect(sideways.length).toBeGreaterThanOrEqual(1);
  for (const item of sideways) expect(item).toMatchObject({ side: "SN", direction: "outgoing", outcome: "ok", twin: two.twin });
  expect((await desk.call("GET", `/api/runs?entity=${two.number}&version=${sideways[0].versionId}`)).body.items).toHaveLength(sideways.length);
  expect((await desk.call("GET", `/api/runs?entity=${two.number}&outcome=failed`)).body.items).toEqual([]);
  expect((await desk.call("GET", "/api/runs?entity=INC9999999")).body.items).toEqual([]);
});

describe("what a run must not show", () => {
  test("marked fields are redacted in the record and sent all the same; the run can still be replayed", async () => {
    expect(await reconfigure([["name: SN,", "name: SN, redact: [description, short_description],"]])).toEqual([
      "change redaction of support/SN: description, short_description",
    ]);
    const incident = await desk.syncedIncident({ short_description: "Salary of 78 000", description: "IBAN DE02 1203 0000" });
    const outgoing = await runOf(incident.twin, "outgoing");
    expect(JSON.stringify(outgoing)).not.toMatch(/78 000|DE02/);
    expect(outgoing.input.entity).toMatchObject({ short_description: "[redacted]", description: "[redacted]" });
    expect(outgoing.output.replica.summary).toBe("[redacted]");
    expect(outgoing.withheld).toEqual({ fields: ["description", "short_description"], secrets: false, cut: [] });
    expect((await desk.call("GET", `/api/twins/${incident.twin}`)).body.replicas[0].received.summary).toBe("Salary of 78 000");

    const source = await desk.activeSource("SN", "outgoing");
    expect((await desk.call("POST", `/api/runs/${outgoing.id}/replay`, { source })).body).toMatchObject({
      compared: 1,
      same: 1,
      different: [],
      notReplayable: [],
    });
    const changed = source.replace("replica.summary = ", "replica.summary = '!' + ");
    expect((await desk.call("POST", `/api/runs/${outgoing.id}/replay`, { source: changed })).body).toMatchObject({
      different: [{ redacted: true, differences: [{ path: "replica.summary", expected: "[redacted]", actual: "![redacted]" }] }],
    });
    const sample = await desk.call("POST", rule("SN", "outgoing", "/samples"), { name: "redacted", run: outgoing.id, pinned: false });
    expect(sample.body.content.expected).toBeUndefined();
    expect(sample.body.content.note).toContain("values are withheld");
    expect(await reconfigure([])).toEqual(["change redaction of support/SN: nothing"]);
  });

  test("marked fields are shown by no preview and in no failure's message", async () => {
    const incident = await desk.syncedIncident({ short_description: "Salary of 91 000", description: "IBAN DE77 0000 1111" });
    await desk.world.settled();
    await reconfigure([["name: SN,", "name: SN, redact: [description, short_description, urgency],"]]);
    const secret = /91 000|64 000|DE77|DE88/;
    const outgoing = await desk.call("POST", rule("SN", "outgoing", "/preview"), {
      source: `console.log(entity.description);\nreplica.summary = "!" + entity.short_description;\nreplica.urgency = entity.urgency;\nreplica.number = entity.number;`,
      entityType: "incident",
      key: incident.number,
    });
    expect(outgoing.text).not.toMatch(secret);
    expect(outgoing.body).toMatchObject({ outcome: "would", replica: { summary: "![redacted]", urgency: "[redacted]", number: incident.number } });
    expect(outgoing.body.differences.find(({ path }: { path: string }) => path === "replica.summary")).toMatchObject({
      expected: "[redacted]",
      actual: "![redacted]",
    });

    const incoming = await desk.call("POST", rule("SN", "incoming", "/preview"), {
      source: `if (entity.entityType === "incident") { entity.short_description = "Salary of 64 000"; entity.urgency = "3"; entity.category = "software"; comments.add(entity.description ?? ""); }`,
      entityType: "incident",
      key: incident.number,
      replica: { summary: "DE88 9999 2222" },
    });
    expect(incoming.text).not.toMatch(secret);
    expect(incoming.body).toMatchObject({ outcome: "would" });
    expect(incoming.body.change.fields).toMatchObject({ short_description: "[redacted]", urgency: "[redacted]", category: "software" });
    expect(incoming.body.words[0]).toContain("Short description [redacted] → [redacted]".replaceAll("[redacted]", '"[redacted]"'));
    expect(incoming.body.words[0]).toContain('Urgency "[redacted]" → "[redacted]"');

    const before = await desk.activeSource("SN", "outgoing");
    await desk.call("POST", rule("SN", "outgoing", "/versions"), { source: `fail("cannot send " + entity.short_description);`, note: "fails" });
    const sysId = desk.world.servicenow.plant("incident", { short_description: "Salary of 64 000", description: "", urgency: "1", impact: "1" });
    const failure = await desk.world.until("it fails", async () => (await desk.call("GET", "/api/failures")).body.items[0]);
    expect(failure.message).toContain("said fail: cannot send [redacted]");
    expect(desk.world.log.join("\n")).not.toMatch(secret);
    await desk.call("POST", rule("SN", "outgoing", "/versions"), { source: `throw new Error("broken by " + entity.short_description);`, note: "errs" });
    await desk.call("POST", `/api/failures/${failure.id}/retry`);
    const next = await desk.world.until("it errs", async () =>
      (await desk.call("GET", "/api/failures")).body.items.find(({ id }: { id: number }) => id !== failure.id),
    );
    expect(next.message).toContain("broken by [redacted]");
    const stored = await sql<{ n: number }>`select count(*)::int as n from failure where (failure.*)::text like '%64 000%'`.execute(desk.world.db);
    expect(stored.rows).toEqual([{ n: 0 }]);
    await desk.call("POST", rule("SN", "outgoing", "/versions"), { source: before, note: "back" });
    await desk.call("POST", `/api/failures/${next.id}/retry`);
    await desk.world.until("it is sent after all", async () =>
      (await desk.call("GET", `/api/twins?key=${sysId}`)).body.items.find(({ state }: { state: string }) => state === "tied"),
    );
    await desk.world.settled();
    expect(await reconfigure([])).toEqual(["change redaction of support/SN: nothing"]);
  });

  test("the secrets of the instances appear in no run, even when a platform hands one to a rule", async () => {
    const { password } = seededAccounts.integration;
    const incident = await desk.syncedIncident({ short_description: `my password is ${password}`, description: Buffer.from(password).toString("base64") });
    for (const direction of ["outgoing", "incoming"] as const) {
      const run = await runOf(incident.twin, direction);
      expect(JSON.stringify(run)).not.toContain(password);
      expect(JSON.stringify(run)).not.toContain(Buffer.from(password).toString("base64"));
      expect(run.withheld).toMatchObject({ secrets: true });
    }
    const stored = await sql<{ n: number }>`select count(*)::int as n from run where (run.*)::text like ${`%${password}%`}`.execute(desk.world.db);
    expect(stored.rows).toEqual([{ n: 0 }]);
  });

  test("a run that is too large keeps what fits, says what was left out, and is not passed off as replayable", async () => {
    const source = `replica.summary = entity.short_description;\nconsole.log("kept");\nreplica.big = "b".repeat(200_000);\nreplica.other = "c".repeat(200_000);\n`;
    const before = await desk.activeSource("SN", "outgoing");
    expect((await desk.call("POST", rule("SN", "outgoing", "/versions"), { source, note: "big" })).status).toBe(201);
    const incident = await desk.syncedIncident({ short_description: "Large" });
    const outgoing = await runOf(incident.twin, "outgoing");
    expect(outgoing.withheld.cut).toEqual([expect.stringMatching(/^output\.replica\.(big|other)$/)]);
    expect(outgoing).toMatchObject({ input: { entity: { short_description: "Large" } }, console: ["kept"] });
    // Only the result was cut: what the rule was given is whole, and both texts can be run on it.
    expect((await desk.call("POST", `/api/runs/${outgoing.id}/replay`, { version: outgoing.versionId })).body).toMatchObject({ compared: 1, same: 1 });
    const incoming = await runOf(incident.twin, "incoming");
    expect(incoming.withheld.cut[0]).toMatch(/^input\.replica\.(big|other)$/);
    expect((await desk.call("POST", `/api/runs/${incoming.id}/replay`, {})).body).toMatchObject({
      compared: 0,
      notReplayable: [{ run: incoming.id, why: expect.stringContaining("too large to be recorded whole") }],
    });
    expect(await desk.call("POST", rule("SF", "incoming", "/samples"), { name: "large", run: incoming.id })).toMatchObject({
      status: 422,
      body: { error: { code: "NOT_REPLAYABLE" } },
    });
    await desk.call("POST", rule("SN", "outgoing", "/versions"), { source: before, note: "back" });
  });
});

describe("tables of values", () => {
  test("are applied from the file and mappings.yaml, given to runs on both sides, and stay readable in old runs after a change", async () => {
    const folder = join(desk.world.folder, "rules", "support", "SN");
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "mappings.yaml"), `floor: { rows: { "1": ground, "2": first } }\n`);
    const shared = [["support:", 'support:\n    mappings: { urgency: { rows: { Low: "3", High: "1" } } }']] as const;
    expect(await reconfigure(shared)).toEqual(["change mappings of support/SF: urgency", "change mappings of support/SN: floor, urgency"]);
    expect(await reconfigure(shared)).toEqual([]);
    expect((await desk.call("GET", "/api/connections/support/sides/SN/mappings")).body.tables).toEqual({
      floor: { outgoing: { "1": "ground", "2": "first" }, incoming: { ground: "1", first: "2" } },
      urgency: { outgoing: { "1": "High", "3": "Low" }, incoming: { High: "1", Low: "3" } },
    });
    const before = await desk.activeSource("SN", "outgoing");
    const source = `replica.summary = entity.short_description;\nreplica.level = mapping("urgency", entity.urgency);\nreplica.floor = mapping("floor", "2");\n`;
    await desk.call("POST", rule("SN", "outgoing", "/versions"), { source, note: "tables" });
    const incident = await desk.syncedIncident({ short_description: "Mapped" });
    const outgoing = await runOf(incident.twin, "outgoing");
    expect(outgoing.output.replica).toMatchObject({ level: "High", floor: "first" });
    expect(outgoing.input.mappings.urgency.outgoing).toEqual({ "1": "High", "3": "Low" });

    await writeFile(join(folder, "mappings.yaml"), `floor: { rows: { "1": basement, "2": first } }\n`);
    // A table that an active rule asks for is not taken away from under it.
    await expect(reconfigure([])).rejects.toThrow(/support\/SN\/outgoing\.ts:2:25: .*"urgency".* \(TS2345\)/);
    await writeFile(join(folder, "mappings.yaml"), `floor: { rows: { "1": basement } }\n`);
    await expect(reconfigure(shared)).rejects.toThrow(/support\/SN\/outgoing\.ts:3:34: .*"2".* \(TS2345\)/);
    await writeFile(join(folder, "mappings.yaml"), `floor: { rows: { "1": basement, "2": first } }\n`);
    await desk.call("POST", rule("SN", "outgoing", "/versions"), { source: before, note: "back" });
    expect(await reconfigure([])).toEqual(["change mappings of support/SF: urgency", "change mappings of support/SN: floor, urgency"]);
    expect((await desk.call("GET", `/api/runs/${outgoing.id}`)).body.input.mappings).toEqual(outgoing.input.mappings);
    expect((await desk.call("POST", `/api/runs/${outgoing.id}/replay`, { version: outgoing.versionId })).body).toMatchObject({ compared: 1, same: 1 });
  });

  test("that are wrong are refused with their place, and nothing is changed", async () => {
    const file = join(desk.world.folder, "rules", "support", "SN", "mappings.yaml");
    await writeFile(file, `floor:\n  rows:\n    "1": ground\n    "2": ground\n`);
    await expect(reconfigure([])).rejects.toThrow(/mappings\.yaml:4:5: floor\.rows\.2: "ground" is the partner of "1" already/);
    await writeFile(file, "");
    expect(await reconfigure([])).toEqual(["change mappings of support/SN: floor"]);
  });
});

describe("recorded runs are forgotten", () => {
  test("by age and by number, as the connection says or else as the node does", async () => {
    const { db } = desk.world;
    await desk.world.stopRunners();
    const columns = sql.raw("connection_id, side_id, twin_id, version_id, direction, outcome, reason, input, calls, output, console, error, cpu_ms, wall_ms");
    await db
      .deleteFrom("run")
      .where("number", "<", (select) => select.selectFrom("run").select(({ fn }) => fn.max("number").as("last")))
      .execute();
    await sql`insert into run (${columns}, created_at) select ${columns}, now() - n * interval '1 day' from (select * from run limit 1) as run, generate_series(99, 1, -1) as n`.execute(
      db,
    );
    const count = async (): Promise<number> =>
      (
        await db
          .selectFrom("run")
          .select(({ fn }) => fn.countAll<number>().as("n"))
          .executeTakeFirstOrThrow()
      ).n;
    const now = new Date();
    expect(await count()).toBe(100);
    expect(await forgetRuns(db, now, { days: 90, count: 1_000 }, 5)).toBe(true);
    expect(await count()).toBe(95);
    while (await forgetRuns(db, now, { days: 90, count: 1_000 }, 5));
    expect(await count()).toBe(90);
    await forgetRuns(db, now, { days: 90, count: 50 }, 1_000);
    expect(await count()).toBe(50);
    expect(await reconfigure([["support:", "support:\n    runs: { keepDays: 30, keep: 20 }"]])).toEqual(["change connection support: how long runs are kept"]);
    await forgetRuns(db, now, { days: 90, count: 50 }, 1_000);
    expect(await count()).toBe(20);
    const oldest = await db.selectFrom("run").select("created_at").orderBy("created_at").limit(1).executeTakeFirstOrThrow();
    expect(now.getTime() - oldest.created_at.getTime()).toBeLessThan(21 * 86_400_000);
  });
});
