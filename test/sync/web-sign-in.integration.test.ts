import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import axios from "axios";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type SalesforceSimulator, simulatedAccounts, startSalesforceSimulator } from "../../connectors/salesforce/simulator/simulator.ts";
import { type ServiceNowSimulator, seededAccounts, startServiceNowSimulator } from "../../connectors/servicenow/simulator/simulator.ts";
import { applyConfiguration } from "../../engine/configuration/apply.ts";
import { parseConfiguration } from "../../engine/configuration/file.ts";
import type { Plan } from "../../engine/configuration/plan.ts";
import { createApp } from "../../engine/server/app.ts";
import { listen } from "../../engine/server/listen.ts";
import { type OpenNode, openNode } from "../../engine/server/node.ts";
import { listInstances } from "../../engine/store/configuration.ts";
import { replaceToken } from "../../engine/store/tokens.ts";
import { createDatabase } from "../database.ts";

let salesforce: SalesforceSimulator;
let servicenow: ServiceNowSimulator;
let database: Awaited<ReturnType<typeof createDatabase>>;
let node: OpenNode;
let server: Awaited<ReturnType<typeof listen>>;
let folder: string;
let token: string;
const log: string[] = [];

beforeAll(async () => {
  [salesforce, servicenow, database] = await Promise.all([startSalesforceSimulator(), startServiceNowSimulator(), createDatabase()]);
  folder = await mkdtemp(join(tmpdir(), "isobridge-sign-in-"));
  node = await openNode({ folder, databaseUrl: database.url, log: pino({ level: "debug" }, { write: (line: string) => void log.push(line) }), join: false });
  server = await listen(createApp({ context: await node.context(), compiler: node.compiler }), { host: "127.0.0.1", port: 0 });
  token = await replaceToken(node.db, "test", "admin");
});
afterAll(async () => {
  await server.close();
  await node.close();
  await Promise.all([salesforce.close(), servicenow.close()]);
  await database.drop();
  await rm(folder, { recursive: true, force: true });
});

async function apply(given?: string): Promise<Plan> {
  const text = `
version: 1
instances:
  sales:
    platform: salesforce
    url: ${salesforce.url}
    auth: { type: web-server, clientId: ${simulatedAccounts.app.clientId}, confidential: true }
    secrets: { clientSecret: { env: SF_SECRET }${given === undefined ? "" : ", refreshToken: { env: SF_REFRESH }"} }
  helpdesk:
    platform: servicenow
    url: ${servicenow.url}
    auth: { type: basic, username: ${seededAccounts.integration.userName} }
    secrets: { password: { env: SN_PASSWORD } }
connections:
  support:
    left: { instance: sales, name: SF }
    right: { instance: helpdesk, name: SN, triggers: [{ entityType: incident, query: urgency=1 }] }
`;
  const environment = { SF_SECRET: simulatedAccounts.app.clientSecret, SN_PASSWORD: seededAccounts.integration.password, SF_REFRESH: given };
  const means = { db: node.db, vault: node.vault, compiler: await node.compiler(), environment };
  return await applyConfiguration(means, parseConfiguration(text, join(folder, "isobridge.yaml")), { dryRun: false, author: "test" });
}

async function begin(instance = "sales") {
  const headers = { authorization: `Bearer ${token}` };
  return await axios.post(`${server.url}/api/instances/${instance}/sign-in`, {}, { headers, validateStatus: () => true, proxy: false });
}

/** What a browser does: the person agrees, and it follows the way back. */
async function agree(url: string, user: { username: string; password: string }): Promise<string> {
  const form = new URLSearchParams({ username: user.username, password: user.password });
  const { headers } = await axios.post(url, form, { maxRedirects: 0, validateStatus: () => true, proxy: false });
  return String(headers["location"]);
}

async function open(url: string) {
  return await axios.get<string>(url, { validateStatus: () => true, proxy: false });
}

async function salesInstance() {
  const row = (await listInstances(node.db)).find(({ name }) => name === "sales");
  if (row === undefined) throw new Error("The instance is gone.");
  return await (await node.context()).connectors.instance(row.id);
}

async function refreshToken(): Promise<string> {
  const row = await node.db.selectFrom("secret").select(["sealed", "kept"]).where("name", "=", "refreshToken").executeTakeFirstOrThrow();
  expect(row.kept).toBe(true);
  return node.vault.open(row.sealed, "sales/refreshToken").reveal();
}

describe("an org that a person signs in to with a browser", () => {
  let back: string;

  test("is made by the first apply, which says what is to be done before its connection can be", async () => {
    const plan = await apply();
    expect(plan.steps.map(({ what }) => what)).toEqual(["instance sales", "instance helpdesk"]);
    expect(plan.waiting).toEqual(["connection support: nobody has signed in to sales yet; isobridge sign-in sales, then apply again"]);
    await expect((await salesInstance()).connector.check()).rejects.toMatchObject({ code: "AUTH_CONFIG" });
  });

  test("is signed in to by the address that the node gives, with a challenge and a state of its own", async () => {
    const { status, data } = await begin();
    expect(status).toBe(200);
    const url = new URL(data.url);
    expect(data.redirectUri).toBe(`${server.url}/sign-in/callback`);
    expect(url.searchParams.get("code_challenge_method")).toBe("S256");
    expect(url.searchParams.get("redirect_uri")).toBe(data.redirectUri);
    back = await agree(data.url, simulatedAccounts.integration);
    const page = await open(back);
    expect(page.status).toBe(200);
    expect(page.data).toContain("signed in to sales");
    expect(page.headers["cache-control"]).toBe("no-store");
    await expect((await salesInstance()).connector.check()).resolves.toMatchObject({ account: expect.stringContaining("integration@") });
  });

  test("cannot be signed in to with the same answer twice, nor with a state that nobody was given", async () => {
    for (const address of [back, `${server.url}/sign-in/callback?code=x&state=guessed`]) {
      const page = await open(address);
      expect(page.status).toBe(400);
      expect(page.data).toContain("Begin again");
    }
  });

  test("is connected by the second apply, which keeps the sign-in, as does a third", async () => {
    const before = await refreshToken();
    const plan = await apply();
    expect(plan.waiting).toEqual([]);
    expect(plan.steps.map(({ what }) => what)).toContain("connection support");
    expect((await apply()).steps).toEqual([]);
    expect(await refreshToken()).toBe(before);
  });

  test("stays signed in to where each refresh replaces the token: the new one is kept, also for a node that starts later", async () => {
    salesforce.accounts.web.rotate = true;
    const before = await refreshToken();
    salesforce.accounts.revokeAll();
    await (await salesInstance()).connector.check();
    const after = await refreshToken();
    expect(after).not.toBe(before);
    salesforce.accounts.revokeAll();
    const { id } = await salesInstance();
    const later = await (await node.context()).connectors.fresh(id);
    await expect(later.check()).resolves.toBeDefined();
    await later.close();
  });

  test("may be given a refresh token by the configuration: what takes its place goes before it, until the configuration says another one", async () => {
    const given = await refreshToken();
    expect((await apply(given)).steps.map(({ detail }) => detail)).toEqual(["secret refreshToken"]);
    salesforce.accounts.revokeAll();
    await (await salesInstance()).connector.check();
    const renewed = await refreshToken();
    expect(renewed).not.toBe(given);
    // The first one is void by now.
    expect((await apply(given)).steps).toEqual([]);
    expect(await refreshToken()).toBe(renewed);
    salesforce.accounts.revokeAll();
    await expect((await salesInstance()).connector.check()).resolves.toBeDefined();
    await expect(apply("another one")).rejects.toThrow(/refresh token|expired/i);
  });

  test("tells the person who declines so, without believing what the address says", async () => {
    const page = await open(`${server.url}/sign-in/callback?error=access_denied&error_description=${encodeURIComponent("<script>alert(1)</script>")}`);
    expect(page.status).toBe(400);
    expect(page.data).not.toContain("<script>");
    expect(page.headers["content-security-policy"]).toContain("default-src 'none'");
  });

  test("is the only kind that this is for, and the node's log has no secret of it", async () => {
    const { status, data } = await begin("helpdesk");
    expect(status).toBe(502);
    expect(data.error.message).toContain("not configured to sign in with a browser");
    const texts = log.join("\n");
    for (const secret of [await refreshToken(), simulatedAccounts.app.clientSecret, new URL(back).searchParams.get("code") ?? "?"])
      expect(texts).not.toContain(secret);
  });
});
