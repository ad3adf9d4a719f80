import { type ChildProcess, spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Connector } from "../connector.ts";
import { createCase, idOf, type SimulatedOrg, simulatedOrg } from "./simulator/simulated-org.ts";

let org: SimulatedOrg;
let connector: Connector;

beforeEach(async () => {
  org = await simulatedOrg();
  connector = org.connector();
});
afterEach(() => org.close());

const requests = (path: string) => org.simulator.server.requests.filter((request) => request.path.includes(path));
const arm = (fault: Parameters<SimulatedOrg["simulator"]["server"]["faults"]["arm"]>[0]) => org.simulator.server.faults.arm(fault);
const invalid = { kind: "status", status: 401, body: [{ message: "Session expired or invalid", errorCode: "INVALID_SESSION_ID" }] } as const;

/** What jsforce does when it is used as it comes [X], and what must not come through here. */
describe("the connector does not", () => {
  it("1: renew a refused session for ever", async () => {
    await connector.check();
    arm({ path: "/services/data", times: 0, effect: invalid });
    const before = org.simulator.server.requests.length;
    await expect(connector.findUser({ email: "a@b.example" })).rejects.toMatchObject({ code: "AUTH_EXPIRED" });
    expect(org.simulator.server.requests.length - before).toBeLessThanOrEqual(4);
  });

  it("2: repeat in two layers, nor write again what may have been written, nor overlook how long to wait", async () => {
    await connector.describe("Case");
    const outage = { kind: "status", status: 503, body: [{ errorCode: "SERVER_UNAVAILABLE", message: "x" }] } as const;
    arm({ path: "/query", times: 0, effect: outage });
    await expect(connector.findUser({ email: "a@b.example" })).rejects.toMatchObject({ code: "TRANSIENT" });
    expect(requests("/query")).toHaveLength(3);
    org.simulator.server.faults.clear();
    arm({ path: "/query", effect: { kind: "status", status: 429, body: "", headers: { "retry-after": "17" } } });
    await expect(connector.findUser({ email: "a@b.example" })).rejects.toMatchObject({ code: "THROTTLED", retryAfterMs: 17_000 });
    expect(requests("/query")).toHaveLength(4);
  });

  it("3: lose the status and the headers of an answer", async () => {
    arm({ path: "/sobjects/Foo", effect: { kind: "status", status: 503, body: "" } });
    await expect(connector.request("POST", "/services/data/v60.0/sobjects/Foo", {})).rejects.toMatchObject({ status: 503, uncertain: true });
    await connector.request("GET", "/services/data/v60.0/limits");
    expect(connector.allowance?.()?.max).toBe(15_000);
  });

  it.each(["a/b #1?x", "x@y.inc", "100%", "a\\b'c", "ä/ö 🖨", "../Account"])("4: hit another record by an external id such as %j", async (marker) => {
    await createCase(connector, { Subject: "other" }, "a");
    const ref = await createCase(connector, { Subject: "mine" }, marker);
    const again = await createCase(connector, { Subject: "mine again" }, marker);
    expect(again).toEqual(ref);
    expect([...org.simulator.org.rows("Case")].map(({ Isobridge_Marker__c }) => Isobridge_Marker__c)).toEqual(["a", marker]);
    const lost = { operation: { kind: "create", entityType: "Case", fields: {}, marker }, since: new Date().toISOString(), known: [] } as const;
    expect(await connector.locate([lost])).toEqual([ref.id]);
  });

  it("5: let a value end its quotes, print dates in words, or read the whole table for a list of nothing", async () => {
    await createCase(connector, { Subject: "x" });
    const found = async (value: string) => await connector.find("Case", [{ field: "Subject", operator: "=", value }], 10);
    for (const value of ["x\\", "x\\' OR Id != '", "' OR Id != '", "x' LIMIT 1 //"]) expect(await found(value)).toEqual([]);
    await connector.find("Case", [{ field: "CreatedDate", operator: ">", value: "1970-01-01T00:00:00.000Z" }], 1);
    expect(decodeURIComponent(requests("/query").at(-1)?.path ?? "")).toContain("CreatedDate > 1970-01-01T00:00:00Z");
    const before = requests("/query").length;
    expect(await connector.find("Case", [{ field: "Subject", operator: "in", value: [] }], 10)).toEqual([]);
    expect(requests("/query")).toHaveLength(before);
  });

  it("6: stop at ten thousand rows", async () => {
    await fetch(`${org.simulator.url}/__control/seed`, {
      method: "POST",
      body: JSON.stringify({ object: "Account", count: 10_050, fields: { Name: "Acme" } }),
    });
    expect(await connector.find("Account", [], 20_000)).toHaveLength(10_050);
  }, 30_000);

  it("7: send what is meant for this machine to a proxy", async () => {
    const proxies = { http_proxy: "http://127.0.0.1:9", HTTP_PROXY: "http://127.0.0.1:9", https_proxy: "http://127.0.0.1:9" };
    expect(await checkedBy(org, proxies)).toBe("Isobridge Integration (integration@isobridge.example)");
  }, 30_000);

  it("8: follow a redirect with the session in hand, nor take an answer without an id for one", async () => {
    await connector.describe("Case");
    arm({ path: "/query", effect: { kind: "status", status: 302, body: "", headers: { location: `${org.simulator.url}/elsewhere` } } });
    await expect(connector.findUser({ email: "a@b.example" })).rejects.toMatchObject({ code: "PROTOCOL" });
    expect(requests("/elsewhere")).toEqual([]);
    arm({ path: "/composite/sobjects", effect: { kind: "status", status: 200, body: [{ success: true, errors: [] }] } });
    const [outcome] = await connector.write([{ kind: "create", entityType: "Case", fields: {}, marker: "m" }]);
    expect(outcome).toMatchObject({ ok: false, error: { code: "PROTOCOL", uncertain: true } });
    arm({ path: "/sobjects/Case/Isobridge_Marker__c", effect: { kind: "status", status: 300, body: ["/a", "/b"] } });
    await expect(connector.request("GET", "/services/data/v60.0/sobjects/Case/Isobridge_Marker__c/m")).rejects.toMatchObject({ code: "DUPLICATE" });
  });

  it("9: leave the streaming client behind when listening ends, which would hold its poll and ask for ever", async () => {
    const stopper = new AbortController();
    const listening = org.connector({ push: { type: "cdc" } });
    const ended = listening.listen?.(undefined, ["Case"], async () => {}, stopper.signal);
    await expect.poll(() => requests("/cometd").filter(({ body }) => body.includes("/meta/subscribe")).length).toBe(1);
    stopper.abort();
    await ended;
    await expect.poll(() => requests("/cometd").filter(({ body }) => body.includes("/meta/disconnect")).length).toBe(1);
    const before = requests("/cometd").length;
    await fetch(`${org.simulator.url}/__control/streaming/drop`, { method: "POST" });
    await createCase(connector);
    expect(requests("/cometd")).toHaveLength(before);
  });

  it("need the address of the user in a token's reply", async () => {
    const session = org.simulator.accounts.open([...org.simulator.org.rows("User")][0]?.Id ?? "");
    arm({ path: "/oauth2/token", effect: { kind: "status", status: 200, body: { access_token: session, instance_url: org.simulator.url } } });
    expect(idOf((await org.connector().write([{ kind: "create", entityType: "Case", fields: {}, marker: "m" }]))[0])).toMatch(/^500/);
  });
});

/** The account, as a process of its own finds it in another environment: jsforce reads that when it is loaded. */
async function checkedBy({ simulator }: SimulatedOrg, environment: Record<string, string>): Promise<string> {
  const source = `
    const { salesforceConnector, salesforceConfig } = await import(${JSON.stringify(new URL("connector.ts", import.meta.url).href)});
    const config = salesforceConfig.parse({ url: ${JSON.stringify(simulator.url)}, auth: { type: "client-credentials", clientId: "3MVG9simulated" } });
    process.stdout.write((await salesforceConnector(config, { clientSecret: "simulated-client-secret" }).check()).account);
    process.exit(0);`;
  const child: ChildProcess = spawn(process.execPath, ["--input-type=module", "--no-warnings", "--eval", source], {
    cwd: fileURLToPath(new URL("../..", import.meta.url)),
    env: { PATH: process.env["PATH"] ?? "", ...environment },
    stdio: ["ignore", "pipe", "inherit"],
  });
  return child.stdout === null ? "" : await text(child.stdout);
}
