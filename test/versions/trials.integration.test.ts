import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readOnly } from "../../engine/sync/read-only.ts";
import { openRuleDesk, type RuleDesk, rule } from "./desk.ts";

let desk: RuleDesk;
beforeAll(async () => {
  desk = await openRuleDesk();
});
afterAll(async () => {
  await desk?.close();
});

const nextVersion = rule("SN", "outgoing", "/versions");

async function lastRun(side: "SF" | "SN", direction: "outgoing" | "incoming"): Promise<{ id: string; number: number }> {
  return (await desk.call("GET", `/api/runs?side=${side}&direction=${direction}&limit=1`)).body.items[0];
}

describe("samples", () => {
  test("are recorded from real runs with what came out, and pass on the text that ran", async () => {
    await desk.syncedIncident({ short_description: "Printer on fire" });
    const run = await lastRun("SN", "outgoing");
    const kept = await desk.call("POST", rule("SN", "outgoing", "/samples"), { name: "printer", run: run.id });
    expect(kept).toMatchObject({
      status: 201,
      body: {
        name: "printer",
        pinned: true,
        runId: run.id,
        author: "ada",
        content: {
          direction: "outgoing",
          entity: { entityType: "incident", short_description: "Printer on fire" },
          expected: { replica: { summary: "Printer on fire" } },
        },
      },
    });
    expect(await desk.call("POST", rule("SN", "outgoing", "/samples"), { name: "printer", run: run.id })).toMatchObject({ status: 409 });
    const incoming = await desk.call("POST", rule("SF", "incoming", "/samples"), { name: "first", run: (await lastRun("SF", "incoming")).id });
    expect(incoming).toMatchObject({ status: 201, body: { content: { direction: "incoming", expected: { entityType: "Case" } } } });
    expect((await desk.call("POST", rule("SN", "outgoing", "/try"), {})).body).toMatchObject({
      passed: 1,
      failed: 0,
      results: [{ name: "printer", passed: true }],
    });
    expect((await desk.call("POST", rule("SF", "incoming", "/try"), {})).body).toMatchObject({ passed: 1, failed: 0 });
    expect(await desk.call("POST", rule("SN", "outgoing", "/samples"), { name: "not mine", run: incoming.body.runId })).toMatchObject({ status: 404 });
  });

  test("are written by hand, listed page by page, changed and removed; what is no sample is refused", async () => {
    const at = rule("SN", "incoming", "/samples");
    const content = { direction: "incoming", replica: { summary: "x" } };
    expect(await desk.call("POST", at, { name: "a", content, pinned: false })).toMatchObject({ status: 201, body: { pinned: false, runId: null } });
    expect((await desk.call("POST", at, { name: "b", content })).status).toBe(201);
    expect(await desk.call("POST", at, { name: "c", content: { direction: "incoming", replica: {}, enttiy: {} } })).toMatchObject({
      status: 422,
      body: { error: { code: "BAD_SAMPLE" } },
    });
    expect(await desk.call("POST", at, { name: "c", content: { direction: "outgoing", entity: { entityType: "incident" } } })).toMatchObject({ status: 422 });
    expect((await desk.call("POST", at, { name: "../c", content })).status).toBe(400);
    const page = (await desk.call("GET", `${at}?limit=1`)).body;
    expect(page).toMatchObject({ items: [{ name: "a" }], next: "a" });
    expect((await desk.call("GET", `${at}?limit=1&after=${page.next}`)).body).toMatchObject({ items: [{ name: "b" }], next: null });
    expect(await desk.asBen("PUT", `${at}/a`, { pinned: true, content: { ...content, expected: { nothing: true } } })).toMatchObject({
      status: 200,
      body: { pinned: true, author: "ben" },
    });
    expect((await desk.call("GET", `${at}/a`)).body.content.expected).toEqual({ nothing: true });
    expect((await desk.call("DELETE", `${at}/a`)).status).toBe(200);
    expect((await desk.call("DELETE", `${at}/a`)).status).toBe(404);
    await desk.call("DELETE", `${at}/b`);
  });

  test("that are pinned and fail keep a text from being published, with what differs, until somebody says why", async () => {
    const good = await desk.activeSource("SN", "outgoing");
    const worse = good.replace("replica.summary = ", "replica.summary = 'Incident: ' + ");
    expect(worse).not.toBe(good);
    const tried = (await desk.call("POST", rule("SN", "outgoing", "/try"), { source: worse })).body;
    expect(tried).toMatchObject({
      text: "the given text",
      failed: 1,
      results: [{ differences: [{ path: "replica.summary", expected: "Printer on fire", actual: "Incident: Printer on fire" }] }],
    });
    const refused = await desk.call("POST", nextVersion, { source: worse, note: "prefix" });
    expect(refused).toMatchObject({ status: 422, body: { error: { code: "SAMPLES_FAIL", detail: { samples: [{ name: "printer" }] } } } });
    expect(refused.body.error.message).toContain('replica.summary: expected "Printer on fire", got "Incident: Printer on fire"');
    expect(await desk.activeSource("SN", "outgoing")).toBe(good);
    const published = await desk.call("POST", nextVersion, { source: worse, note: "prefix", despite: "The desk asked for the prefix." });
    expect(published.status).toBe(201);
    expect((await desk.call("GET", `/api/rule-versions/${published.body.id}`)).body.report).toMatchObject({
      despite: "The desk asked for the prefix.",
      samples: { passed: 0, failed: [{ name: "printer" }] },
    });
    expect((await desk.call("POST", nextVersion, { source: good, note: "back" })).status).toBe(201);
  });

  test("that are pinned hold for rules in files too", async () => {
    const { world } = desk;
    const folder = join(world.folder, "rules", "support", "SN");
    await mkdir(folder, { recursive: true });
    const good = await desk.activeSource("SN", "outgoing");
    await writeFile(join(folder, "outgoing.ts"), good.replace("replica.summary = ", "replica.summary = 'File: ' + "));
    await expect(world.configure()).rejects.toThrow(
      /a pinned sample fails: printer \(replica\.summary: expected "Printer on fire".*isobridge publish --despite-failures/,
    );
    await writeFile(join(folder, "outgoing.ts"), `${good}// from a file\n`);
    await world.configure();
    expect(await desk.activeSource("SN", "outgoing")).toBe(`${good}// from a file\n`);
    await rm(folder, { recursive: true });
  });
});

describe("a preview", () => {
  test("of an outgoing draft shows the replica of a live record and where it differs from the last one sent; nothing is sent", async () => {
    const { number, twin, sysId } = await desk.syncedIncident({ short_description: "Slow network" });
    const source = (await desk.activeSource("SN", "outgoing")).replace("replica.summary = ", "replica.summary = '! ' + ");
    const messages = (await desk.call("GET", `/api/messages?twin=${twin}`)).body.items.length;
    const writes = desk.world.servicenow.rows("incident").find((row) => row["sys_id"] === sysId)?.["sys_mod_count"];
    const shown = await desk.call("POST", rule("SN", "outgoing", "/preview"), { source, entityType: "incident", key: number });
    expect(shown).toMatchObject({
      status: 200,
      body: {
        text: "the given text",
        record: { key: number },
        firstSync: false,
        outcome: "would",
        words: ["Send a replica that differs in one place"],
        replica: { summary: "! Slow network" },
        differences: [{ path: "replica.summary", expected: "Slow network", actual: "! Slow network" }],
      },
    });
    expect((await desk.call("POST", rule("SN", "outgoing", "/preview"), { entityType: "incident", key: number })).body).toMatchObject({
      outcome: "nothing",
      text: expect.stringMatching(/^version /),
    });
    await desk.world.settled();
    expect((await desk.call("GET", `/api/messages?twin=${twin}`)).body.items).toHaveLength(messages);
    expect(desk.world.servicenow.rows("incident").find((row) => row["sys_id"] === sysId)?.["sys_mod_count"]).toBe(writes);
    expect((await desk.call("POST", rule("SN", "outgoing", "/preview"), { entityType: "incident", key: "INC9999999" })).status).toBe(404);
  });

  test("of an incoming rule says in words and as data what would be written, and writes none of it", async () => {
    const incident = await desk.syncedIncident({ short_description: "Screen flickers", description: "left one" });
    const replica = {
      summary: "Screen is black",
      description: "left one",
      comments: [{ id: "r1", body: "Please look at it.", author: { displayName: "Sam" } }],
    };
    const before = desk.world.servicenow.rows("incident").find((row) => row["sys_id"] === incident.sysId);
    const shown = await desk.call("POST", rule("SN", "incoming", "/preview"), { entityType: "incident", key: incident.number, replica });
    expect(shown.body).toMatchObject({
      outcome: "would",
      change: { entityType: "incident", fields: { short_description: "Screen is black" }, addComments: [{ internal: false, remoteId: "r1" }] },
    });
    expect(shown.body.words[0]).toBe(`Update Incident ${incident.number}: Short description "Screen flickers" → "Screen is black"`);
    expect(shown.body.words[1]).toContain(`Add a comment to Incident ${incident.number}: `);
    expect(shown.body.words[1]).toContain("Please look at it.");
    const created = await desk.call("POST", rule("SN", "incoming", "/preview"), { replica: { summary: "Brand new" } });
    expect(created.body).toMatchObject({ record: null, firstSync: true, outcome: "would", change: { entityType: "incident" } });
    expect(created.body.words[0]).toMatch(/^Create an Incident: .*Short description "Brand new"/);
    await desk.world.settled();
    expect(desk.world.servicenow.rows("incident").find((row) => row["sys_id"] === incident.sysId)).toEqual(before);
    expect(desk.world.servicenow.rows("incident").some((row) => row["short_description"] === "Brand new")).toBe(false);
  });

  test("without a replica takes the last one that the record's twin received", async () => {
    const incident = await desk.syncedIncident({ short_description: "Received before" });
    const key = (await desk.call("GET", `/api/twins/${incident.twin}`)).body.sides[0].key;
    const shown = await desk.call("POST", rule("SF", "incoming", "/preview"), { entityType: "Case", key });
    expect(shown.body).toMatchObject({ outcome: "nothing", record: { entityType: "Case", key } });
    expect(await desk.call("POST", rule("SN", "incoming", "/preview"), { entityType: "incident", key: incident.number })).toMatchObject({ status: 404 });
  });

  test("of a rule that errs names the place; one that would write through the platform's API is refused that call", async () => {
    const { number } = await desk.syncedIncident({ short_description: "Refused" });
    const erring = await desk.call("POST", rule("SN", "outgoing", "/preview"), {
      source: "if (entity.key) {\n  throw new Error('on purpose');\n}",
      entityType: "incident",
      key: number,
    });
    expect(erring.body).toMatchObject({ outcome: "error", error: { message: expect.stringContaining("on purpose"), detail: { line: 2 } } });
    const writes = await desk.call("POST", rule("SN", "outgoing", "/preview"), {
      source: `await platform.request("POST", "/api/now/table/incident", { short_description: "smuggled" });`,
      entityType: "incident",
      key: number,
    });
    expect(writes.body).toMatchObject({ outcome: "error", error: { code: "PERMISSION" } });
    expect(desk.world.servicenow.rows("incident").some((row) => row["short_description"] === "smuggled")).toBe(false);
  });

  test("has connectors that refuse every write, and answer null to every request but a read without sending it", async () => {
    const { world } = desk;
    const instance = await world.db.selectFrom("instance").select("id").where("name", "=", "helpdesk").executeTakeFirstOrThrow();
    const { connector } = await readOnly(world.context).connectors.instance(instance.id);
    await expect(connector.write([{ kind: "create", entityType: "incident", fields: {}, marker: "m" }])).rejects.toThrow("A preview only reads");
    const before = world.servicenow.rows("incident").length;
    for (const method of ["POST", "PATCH", "PUT", "DELETE", "post", "HEAD"]) expect(await connector.request(method, "/api/now/table/incident", {})).toBe(null);
    expect(await connector.request("GET", "/api/now/table/incident", {})).toBe(null);
    expect(world.servicenow.rows("incident")).toHaveLength(before);
    expect(await connector.request("GET", "/api/now/table/incident?sysparm_limit=1")).toMatchObject({ result: [expect.anything()] });
  });
});

describe("a shadow run", () => {
  test("finds which of the last recorded runs would differ with another text, and how, without asking a platform", async () => {
    const incident = await desk.syncedIncident({ short_description: "Shadowed", description: "long ago" });
    const good = await desk.activeSource("SN", "outgoing");
    // Polls would ask the platform too.
    await desk.world.stopRunners();
    const calls = desk.world.servicenow.requests.length;
    const same = await desk.call("POST", rule("SN", "outgoing", "/shadow"), { source: `${good}\n// nothing else`, runs: 3 });
    expect(same.body).toMatchObject({ text: "the given text", compared: 3, same: 3, different: [], notReplayable: [] });
    const changed = good.replace("replica.description = ", "replica.description = entity.short_description === 'Shadowed' ? 'cut' : ");
    const differing = (await desk.call("POST", rule("SN", "outgoing", "/shadow"), { source: changed, runs: 100 })).body;
    expect(differing.compared).toBeGreaterThan(3);
    // A record may have been looked at more than once.
    expect(differing.different.length).toBeGreaterThanOrEqual(1);
    for (const each of differing.different) {
      expect(each).toMatchObject({
        key: incident.number,
        differences: [{ path: "replica.description", expected: "long ago", actual: "cut" }],
        redacted: false,
      });
    }
    expect(differing.same).toBe(differing.compared - differing.different.length);
    // Checking the text may ask for the schema; no record is read.
    const asked = desk.world.servicenow.requests.slice(calls).map((request) => request.path);
    expect(asked.filter((path) => path.includes("/table/incident"))).toEqual([]);
    const one = await desk.call("POST", `/api/runs/${differing.different[0].run}/replay`, { source: changed });
    expect(one.body).toMatchObject({ compared: 1, same: 0, different: [{ run: differing.different[0].run }] });
  });

  test("goes through a thousand runs in one call", async () => {
    const { db } = desk.world;
    const columns = sql.raw("connection_id, side_id, twin_id, version_id, direction, outcome, reason, input, calls, output, console, error, cpu_ms, wall_ms");
    const { id } = await lastRun("SN", "outgoing");
    await sql`insert into run (${columns}) select ${columns} from run, generate_series(1, 1000) where run.id = ${id}`.execute(db);
    const changed = (await desk.activeSource("SN", "outgoing")).replace("replica.description = ", "replica.description = 'x' + ");
    const answer = (await desk.call("POST", rule("SN", "outgoing", "/shadow"), { source: changed, runs: 1_000 })).body;
    expect({ compared: answer.compared, different: answer.different.length, same: answer.same }).toEqual({ compared: 1_000, different: 1_000, same: 0 });
    expect(new Set(answer.different.map((each: { number: number }) => each.number)).size).toBe(1_000);
  });
});
