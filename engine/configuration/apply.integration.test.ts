import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type SalesforceSimulator, simulatedAccounts, startSalesforceSimulator } from "../../connectors/salesforce/simulator/simulator.ts";
import { type ServiceNowSimulator, seededAccounts, startServiceNowSimulator } from "../../connectors/servicenow/simulator/simulator.ts";
import { createDatabase } from "../../test/database.ts";
import { type OpenNode, openNode } from "../server/node.ts";
import { listConnections, listInstances, listSides, listTriggers } from "../store/configuration.ts";
import { rulePage } from "../store/lists.ts";
import { applyConfiguration } from "./apply.ts";
import { ConfigurationError, parseConfiguration } from "./file.ts";
import type { Plan } from "./plan.ts";

let salesforce: SalesforceSimulator;
let servicenow: ServiceNowSimulator;
let folder: string;
let database: { url: string; drop(): Promise<void> };
let node: OpenNode;

beforeAll(async () => {
  salesforce = await startSalesforceSimulator();
  servicenow = await startServiceNowSimulator();
});
afterAll(async () => {
  await salesforce?.close();
  await servicenow?.close();
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "isobridge-apply-"));
  database = await createDatabase();
  node = await openNode({ folder, databaseUrl: database.url, log: pino({ level: "silent" }), join: false });
});
afterEach(async () => {
  await node?.close();
  await database?.drop();
  await rm(folder, { recursive: true, force: true });
});

const secrets = { SF: simulatedAccounts.app.clientSecret, SN: seededAccounts.integration.password };

function yaml(changes: readonly (readonly [string, string])[] = []): string {
  const text = `version: 1
instances:
  sales: { platform: salesforce, url: "${salesforce.url}", auth: { type: client-credentials, clientId: ${simulatedAccounts.app.clientId} }, secrets: { clientSecret: { env: SF } } }
  helpdesk: { platform: servicenow, url: "${servicenow.url}", auth: { type: basic, username: ${seededAccounts.integration.userName} }, secrets: { password: { env: SN } } }
connections:
  support:
    active: true
    left: { instance: sales, name: SF }
    right: { instance: helpdesk, name: SN, triggers: [{ entityType: incident, query: urgency=1 }] }
`;
  return changes.reduce((before, [from, to]) => {
    if (!before.includes(from)) throw new Error(`The file has no ${from}.`);
    return before.replace(from, to);
  }, text);
}

async function apply(text: string, options: { readonly dryRun?: boolean; readonly environment?: Record<string, string> } = {}): Promise<Plan> {
  const means = { db: node.db, vault: node.vault, compiler: await node.compiler(), environment: options.environment ?? secrets };
  return await applyConfiguration(means, parseConfiguration(text, join(folder, "isobridge.yaml")), { dryRun: options.dryRun ?? false, author: "test" });
}

async function refusal(text: string, environment?: Record<string, string>): Promise<string> {
  try {
    await apply(text, environment === undefined ? {} : { environment });
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message;
    throw error;
  }
  throw new Error("It was not refused.");
}

function lines(plan: Plan): string[] {
  return plan.steps.map((step) => `${step.action} ${step.what}`);
}

const everything = [
  "create instance sales",
  "create instance helpdesk",
  "create connection support",
  "publish rule support/SF/outgoing.ts",
  "publish rule support/SF/incoming.ts",
  "create trigger incident on support/SN",
  "publish rule support/SN/outgoing.ts",
  "publish rule support/SN/incoming.ts",
];

async function expectNothing(): Promise<void> {
  expect(await listInstances(node.db)).toEqual([]);
  expect(await listConnections(node.db)).toEqual([]);
  expect(await listTriggers(node.db)).toEqual([]);
}

describe("applying a configuration", () => {
  test("makes what it says, and a second time changes nothing and asks no platform", async () => {
    expect(lines(await apply(yaml()))).toEqual(everything);
    expect((await listSides(node.db)).map((side) => `${side.connectionName}/${side.name} ${side.position}`)).toEqual(["support/SF left", "support/SN right"]);
    const calls = salesforce.server.requests.length + servicenow.requests.length;
    expect(await apply(yaml())).toEqual({ steps: [], leftAlone: [], notes: [], waiting: [] });
    expect(salesforce.server.requests.length + servicenow.requests.length).toBe(calls);
  });

  test("as a dry run gives the same plan and writes nothing", async () => {
    expect(lines(await apply(yaml(), { dryRun: true }))).toEqual(everything);
    await expectNothing();
  });

  test("changes what changed: a secret, an interval, a pause, a trigger", async () => {
    await apply(yaml());
    servicenow.setAccess(seededAccounts.integration.userName, {});
    const changed = yaml([
      ["secrets: { password: { env: SN } } }", "secrets: { password: { env: SN } }, poll: 45s }"],
      ["active: true", "active: false"],
      ["query: urgency=1", "query: urgency=2"],
    ]);
    expect(lines(await apply(changed))).toEqual([
      "change instance helpdesk",
      "change connection support",
      "create trigger incident on support/SN",
      "stop trigger incident on support/SN",
    ]);
    expect((await listTriggers(node.db)).map(({ query, active }) => `${query} ${active}`).sort()).toEqual(["urgency=1 false", "urgency=2 true"]);
    expect(lines(await apply(changed))).toEqual([]);
  });

  test("publishes the rules of the folder as new versions, and leaves what is right alone", async () => {
    await apply(yaml());
    await mkdir(join(folder, "rules", "support", "SN"), { recursive: true });
    await writeFile(
      join(folder, "rules", "support", "SN", "outgoing.ts"),
      'if (entity.entityType == "incident") {\n  replica.key = entity.number\n  replica.summary = entity.short_description\n}\n',
    );
    expect(lines(await apply(yaml()))).toEqual(["publish rule support/SN/outgoing.ts"]);
    expect(lines(await apply(yaml()))).toEqual([]);
    const { items } = await rulePage(node.db, { limit: 50 }, { connection: "support", side: "SN", direction: "outgoing", versions: true });
    expect(items.map((version) => `${version.number} ${version.active}`).sort()).toEqual(["1 false", "2 true"]);
  });

  test("leaves alone what the node has and the file does not name, and says so", async () => {
    await apply(yaml());
    const other = yaml([["  support:\n", "  other:\n"]]);
    expect((await apply(other)).leftAlone).toEqual(["connection support"]);
    expect((await listConnections(node.db)).map(({ name }) => name)).toEqual(["other", "support"]);
  });
});

describe("a configuration is refused, and nothing half-done stays behind,", () => {
  test("when a secret's variable or file is missing", async () => {
    expect(await refusal(yaml(), { SF: secrets.SF })).toMatch(/instances\.helpdesk\.secrets\.password: the environment variable SN is not set/);
    expect(await refusal(yaml([["{ env: SN }", "{ file: nowhere }"]]))).toMatch(/nowhere cannot be read \(ENOENT\)/);
    await expectNothing();
  });

  test("when the credentials are wrong; the secret is not shown", async () => {
    const message = await refusal(yaml(), { ...secrets, SN: "hunter2hunter2" });
    expect(message).toMatch(/instances\.helpdesk: .*user name and password/);
    expect(message).not.toContain("hunter2");
    expect(await refusal(yaml(), { ...secrets, SF: "hunter2hunter2" })).toMatch(/instances\.sales: /);
    await expectNothing();
  });

  test("when a host cannot be reached", async () => {
    expect(await refusal(yaml([[servicenow.url, "http://127.0.0.1:1"]]))).toMatch(/instances\.helpdesk: .*127\.0\.0\.1:1.*refused/);
    await expectNothing();
  });

  test("when a platform answers with a page for people", async () => {
    servicenow.arm({ times: 0, effect: { kind: "html" } });
    try {
      expect(await refusal(yaml())).toMatch(/instances\.helpdesk: .*web page/);
    } finally {
      servicenow.clearFaults();
    }
    await expectNothing();
  });

  test("when a rule does not check, with its name, line and column", async () => {
    await mkdir(join(folder, "rules", "support", "SN"), { recursive: true });
    await writeFile(
      join(folder, "rules", "support", "SN", "outgoing.ts"),
      'replica.key = "x"\nif (entity.entityType == "incident") replica.summary = entity.short_descripton\n',
    );
    expect(await refusal(yaml())).toMatch(/rules\/support\/SN\/outgoing\.ts:2:\d+: .*short_descripton.*short_description/);
    await expectNothing();
  });

  test("when a trigger asks for a field or a type that is not there", async () => {
    expect(await refusal(yaml([["query: urgency=1", "query: urgencie=1"]]))).toMatch(/connections\.support\.right\.triggers\.0: .*urgencie/);
    expect(await refusal(yaml([["entityType: incident", "entityType: incidnt"]]))).toMatch(/connections\.support\.right\.triggers\.0: .*incidnt/);
    await expectNothing();
  });

  test("when a side is to move to another instance, since its twins point at the old one", async () => {
    await apply(yaml());
    expect(await refusal(yaml([["left: { instance: sales", "left: { instance: helpdesk"]]))).toMatch(/cannot become helpdesk/);
  });
});
