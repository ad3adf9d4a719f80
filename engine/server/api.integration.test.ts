import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type SalesforceSimulator, simulatedAccounts, startSalesforceSimulator } from "../../connectors/salesforce/simulator/simulator.ts";
import { type ServiceNowSimulator, seededAccounts, startServiceNowSimulator } from "../../connectors/servicenow/simulator/simulator.ts";
import { createDatabase } from "../../test/database.ts";
import { applyConfiguration } from "../configuration/apply.ts";
import { parseConfiguration } from "../configuration/file.ts";
import { replaceToken } from "../store/tokens.ts";
import { Runner } from "../sync/runner.ts";
import { createApp } from "./app.ts";
import { bodyLimit } from "./body.ts";
import { listen } from "./listen.ts";
import { type OpenNode, openNode } from "./node.ts";
import { leastRoles } from "./roles.ts";

let folder: string;
let database: { url: string; drop(): Promise<void> };
let salesforce: SalesforceSimulator;
let servicenow: ServiceNowSimulator;
let node: OpenNode;
let server: { url: string; close(): Promise<void> };
let runner: Runner;
let token: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "isobridge-api-"));
  database = await createDatabase();
  salesforce = await startSalesforceSimulator();
  servicenow = await startServiceNowSimulator();
  node = await openNode({ folder, databaseUrl: database.url, log: pino({ level: "silent" }), join: false });
  const yaml = `version: 1
instances:
  sales: { platform: salesforce, url: "${salesforce.url}", auth: { type: client-credentials, clientId: ${simulatedAccounts.app.clientId} }, secrets: { clientSecret: { env: SF } }, poll: 1s }
  helpdesk: { platform: servicenow, url: "${servicenow.url}", auth: { type: basic, username: ${seededAccounts.integration.userName} }, secrets: { password: { env: SN } }, poll: 1s }
connections:
  support:
    left: { instance: sales, name: SF }
    right: { instance: helpdesk, name: SN, triggers: [{ entityType: incident, query: urgency=1 }] }
`;
  const means = {
    db: node.db,
    vault: node.vault,
    compiler: await node.compiler(),
    environment: { SF: simulatedAccounts.app.clientSecret, SN: seededAccounts.integration.password },
  };
  await applyConfiguration(means, parseConfiguration(yaml, join(folder, "isobridge.yaml")), { dryRun: false, author: "test" });
  const context = await node.context();
  server = await listen(createApp({ context, compiler: node.compiler }), { host: "127.0.0.1", port: 0 });
  runner = await Runner.start(context, { databaseUrl: node.databaseUrl, idleMs: 100 });
  token = await replaceToken(node.db, "test");
});
afterAll(async () => {
  await runner?.stop();
  await server?.close();
  await node?.close();
  await salesforce?.close();
  await servicenow?.close();
  await database?.drop();
  await rm(folder, { recursive: true, force: true });
});

interface Answer {
  readonly status: number;
  /** Whatever JSON came: tests look into it freely, its shape is what is being tested. */
  readonly body: ReturnType<typeof JSON.parse>;
  readonly text: string;
}

async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = { authorization: `Bearer ${token}` }): Promise<Answer> {
  const response = await fetch(`${server.url}${path}`, {
    method,
    headers,
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, text, body: text.startsWith("{") ? JSON.parse(text) : undefined };
}

async function until<Found>(ask: () => Promise<Found | undefined>): Promise<Found> {
  for (let turn = 0; turn < 300; turn++) {
    const found = await ask();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("It did not happen within 15 seconds.");
}

/** Makes an incident and waits until its case is there and acknowledged. */
async function syncedIncident(summary: string): Promise<{ readonly twin: { readonly id: string }; readonly sysId: string; readonly number: string }> {
  const sysId = servicenow.plant("incident", { short_description: summary, urgency: "1", impact: "1" });
  const twin = await until(async () => (await call("GET", `/api/twins?key=${sysId}`)).body.items.find((item: { state: string }) => item.state === "tied"));
  await until(async () => (await call("GET", `/api/messages?twin=${twin.id}`)).body.items.find((item: { kind: string }) => item.kind === "ack"));
  const number = servicenow.rows("incident").find((row) => row["sys_id"] === sysId)?.["number"] ?? "";
  return { twin, sysId, number };
}

describe("the node over HTTP", () => {
  test("offers the cookbook's recipes as templates, by the platforms that they are for", async () => {
    const all = (await call("GET", "/api/recipes")).body.items;
    const some = (await call("GET", "/api/recipes?outgoing=salesforce&incoming=servicenow")).body.items;
    expect(some.length).toBeGreaterThan(10);
    expect(some.length).toBeLessThan(all.length);
    const { status, body } = await call("GET", `/api/recipes/${some[0].name}`);
    expect(status).toBe(200);
    expect(body.rules.outgoing).toContain("replica");
    expect(body.samples.length).toBeGreaterThan(0);
    expect((await call("GET", "/api/recipes/none")).status).toBe(404);
  });

  test("says without a token whether process, database, runners and instances work", async () => {
    const { status, body } = await call("GET", "/healthz", undefined, {});
    expect(status).toBe(200);
    expect(body).toMatchObject({
      status: "ok",
      database: { ok: true },
      instances: [
        { name: "helpdesk", stopped: null },
        { name: "sales", stopped: null },
      ],
      openFailures: 0,
    });
    expect(body.runners).toHaveLength(1);
  });

  test("gives its figures in the form that Prometheus reads", async () => {
    const { status, text } = await call("GET", "/metrics", undefined, {});
    expect(status).toBe(200);
    expect(text).toMatch(/^isobridge_runners 1$/m);
    expect(text).toMatch(/^isobridge_platform_calls_total\{instance="helpdesk"\} \d+$/m);
  });

  test("refuses every call of the API without a token, and with a wrong one", async () => {
    for (const path of [
      "/api/instances",
      "/api/connections",
      "/api/rules",
      "/api/rule-versions",
      "/api/triggers",
      "/api/twins",
      "/api/messages",
      "/api/runs",
      "/api/failures",
    ]) {
      expect((await call("GET", path, undefined, {})).status).toBe(401);
      expect((await call("GET", path, undefined, { authorization: "Bearer ib_wrong" })).body.error.code).toBe("UNAUTHORIZED");
    }
    expect((await call("POST", "/api/failures/1/retry", undefined, {})).status).toBe(401);
    expect((await call("POST", "/api/connections/support/sides/SN/sync", {}, {})).status).toBe(401);
  });

  test("describes every call, with its security, at /api/openapi.json", async () => {
    const { status, body } = await call("GET", "/api/openapi.json", undefined, {});
    expect(status).toBe(200);
    const described = Object.entries<object>(body.paths).flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method} ${path}`));
    expect(described.sort()).toEqual(Object.keys(leastRoles).sort());
    for (const path of Object.values<Record<string, { security?: unknown }>>(body.paths))
      for (const operation of Object.values(path)) expect(operation.security).toEqual([{ token: [] }]);
  });

  test("lists and reads instances without their secrets, connections, triggers and rules", async () => {
    const instances = await call("GET", "/api/instances");
    expect(instances.body.items.map((item: { name: string }) => item.name)).toEqual(["helpdesk", "sales"]);
    expect(instances.text).not.toContain(seededAccounts.integration.password);
    expect((await call("GET", "/api/instances/sales")).body).toMatchObject({ platform: "salesforce", stopped: null });
    expect((await call("GET", "/api/instances/salse")).status).toBe(404);
    expect((await call("GET", "/api/connections/support")).body.sides).toEqual([
      { position: "left", name: "SF", instance: "sales", allow: [] },
      { position: "right", name: "SN", instance: "helpdesk", allow: [] },
    ]);
    const triggers = (await call("GET", "/api/triggers")).body.items;
    expect(triggers).toMatchObject([{ side: "SN", entityType: "incident", query: "urgency=1", problem: null }]);
    expect((await call("GET", `/api/triggers/${triggers[0].id}`)).body).toMatchObject({ id: triggers[0].id, query: "urgency=1" });
    const rules = (await call("GET", "/api/rules?connection=support")).body.items;
    expect(rules).toHaveLength(4);
    const version = await call("GET", `/api/rule-versions/${rules[0].id}`);
    expect(version.body.source).toContain("entity");
  });

  test("pages every list by what comes after the last item", async () => {
    await syncedIncident("first");
    await syncedIncident("second");
    const all = (await call("GET", "/api/messages?limit=200")).body.items.map((item: { id: number }) => item.id);
    const paged: number[] = [];
    let next: string | null = "";
    while (next !== null) {
      const page: Answer = await call("GET", `/api/messages?limit=1${next === "" ? "" : `&after=${next}`}`);
      paged.push(...page.body.items.map((item: { id: number }) => item.id));
      next = page.body.next;
    }
    expect(paged).toEqual(all);
    expect(paged.length).toBeGreaterThanOrEqual(4);
    const names: string[] = [];
    for (let after: string | null = ""; after !== null; ) {
      const page: Answer = await call("GET", `/api/instances?limit=1${after === "" ? "" : `&after=${after}`}`);
      names.push(...page.body.items.map((item: { name: string }) => item.name));
      after = page.body.next;
    }
    expect(names).toEqual(["helpdesk", "sales"]);
  });

  test("shows a twin with both records and replicas, its messages with bodies and its runs with input, output and console", async () => {
    const { twin, number } = await syncedIncident("shown whole");
    const read = (await call("GET", `/api/twins/${twin.id}`)).body;
    expect(read.sides.map((side: { entityType: string }) => side.entityType)).toEqual(["Case", "incident"]);
    expect(read.sides[1].key).toBe(number);
    expect(read.replicas[1].sent).toMatchObject({ key: number, summary: "shown whole" });
    const messages = (await call("GET", `/api/messages?twin=${twin.id}`)).body.items;
    expect(messages.map((message: { from: string; kind: string; state: string }) => `${message.from} ${message.kind} ${message.state}`)).toEqual([
      "SF ack applied",
      "SN replica applied",
    ]);
    expect((await call("GET", `/api/messages/${messages[0].id}`)).body.body.entity.type).toBe("Case");
    // Newest first; a poll of the new case may have come before this question, and given a run of its own.
    const runs = (await call("GET", `/api/runs?twin=${twin.id}`)).body.items.slice(-2);
    expect(runs.map((run: { side: string; direction: string; outcome: string }) => `${run.side} ${run.direction} ${run.outcome}`)).toEqual([
      "SF incoming ok",
      "SN outgoing ok",
    ]);
    expect((await call("GET", `/api/runs/${runs[1].id}`)).body).toMatchObject({
      input: { firstSync: true, entity: { short_description: "shown whole" } },
      output: { kind: "replica" },
      console: [],
    });
  });

  test("syncs one record by its key, whether or not a trigger fits it", async () => {
    const sysId = servicenow.plant("incident", { short_description: "by hand", urgency: "3", impact: "3" });
    const number = servicenow.rows("incident").find((row) => row["sys_id"] === sysId)?.["number"];
    const { status, body } = await call("POST", "/api/connections/support/sides/SN/sync", { entityType: "incident", key: number });
    expect(status).toBe(202);
    await until(async () => ((await call("GET", `/api/twins/${body.twin}`)).body.state === "tied" ? true : undefined));
    expect((await call("POST", "/api/connections/support/sides/SN/sync", { entityType: "incident", key: "INC9999999" })).status).toBe(404);
    expect((await call("POST", "/api/connections/support/sides/XX/sync", { entityType: "incident", key: "x" })).body.error.message).toContain(
      "its sides are SF and SN",
    );
  });

  test("publishes a rule as the next version, and refuses one that does not check with every error and its place", async () => {
    const path = "/api/connections/support/sides/SN/rules/outgoing/versions";
    const refused = await call("POST", path, { source: 'replica.summary = "a"\nreplica.x = entity.nope', note: "broken" });
    expect(refused.status).toBe(422);
    expect(refused.body.error.diagnostics[0]).toMatchObject({ line: 2, column: expect.any(Number) });
    const before = (await call("GET", "/api/rule-versions?connection=support&side=SN&direction=outgoing")).body.items;
    expect(before).toHaveLength(1);
    const source = (await call("GET", `/api/rule-versions/${before[0].id}`)).body.source as string;
    const published = await call("POST", path, { source: `${source}\n// reviewed\n`, note: "reviewed" });
    expect(published).toMatchObject({ status: 201, body: { number: 2 } });
    expect((await call("GET", "/api/rules?connection=support&side=SN&direction=outgoing")).body.items).toMatchObject([
      { number: 2, note: "reviewed", active: true },
    ]);
  });

  test("parks a twin whose rule errs, names the place, and goes on after the rule is mended and the failure retried", async () => {
    const path = "/api/connections/support/sides/SN/rules/outgoing/versions";
    const [active] = (await call("GET", "/api/rules?connection=support&side=SN&direction=outgoing")).body.items;
    const good = (await call("GET", `/api/rule-versions/${active.id}`)).body.source as string;
    expect((await call("POST", path, { source: 'if (entity.key) {\n  throw new Error("broken on purpose")\n}', note: "errs" })).status).toBe(201);
    const sysId = servicenow.plant("incident", { short_description: "parked", urgency: "1", impact: "1" });
    const failure = await until(async () => (await call("GET", "/api/failures")).body.items[0]);
    expect(failure).toMatchObject({ fault: "rule", side: "SN", detail: { rule: "support/SN/outgoing.ts", line: 2 } });
    expect(failure.message).toContain("broken on purpose");
    expect((await call("POST", path, { source: good, note: "mended" })).status).toBe(201);
    expect((await call("POST", `/api/failures/${failure.id}/retry`)).body).toEqual({ id: failure.id, resolution: "retried" });
    await until(async () => (await call("GET", `/api/twins?key=${sysId}`)).body.items.find((item: { state: string }) => item.state === "tied"));
    expect((await call("POST", `/api/failures/${failure.id}/retry`)).status).toBe(409);
    expect((await call("POST", "/api/failures/999999/skip")).status).toBe(404);
    expect((await call("GET", "/api/failures?state=resolved")).body.items).toMatchObject([{ id: failure.id, resolution: "retried" }]);
  });

  test("answers bad requests with one error that says what is wrong", async () => {
    expect((await call("GET", "/api/twins?limit=0")).status).toBe(400);
    expect((await call("GET", "/api/twins?after=x")).body.error.message).toContain("after");
    expect((await call("GET", "/api/twins/not-an-id")).status).toBe(400);
    expect((await call("GET", "/api/nothing")).body.error.code).toBe("NOT_FOUND");
    const sync = "/api/connections/support/sides/SN/sync";
    expect((await call("POST", sync, "{not json")).body.error.code).toBe("BAD_JSON");
    expect((await call("POST", sync, { entityType: "incident", key: "x", extra: 1 })).status).toBe(400);
    const tooLong = await call("POST", sync, { entityType: "incident", key: "x".repeat(bodyLimit) });
    expect(tooLong.status).toBe(413);
  });
});
