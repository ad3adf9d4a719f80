import { createPrivateKey } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SignJWT } from "jose";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Caller, integration, type SimulatedOrg, simulatedOrg } from "./simulated-org.ts";
import { simulatedAccounts, startSalesforceSimulator } from "./simulator.ts";

let org: SimulatedOrg;
let call: Caller;

const start = Date.parse("2026-05-01T10:00:00Z");
const control = async (path: string, body: unknown) => {
  expect((await fetch(`${org.simulator.url}/__control/${path}`, { method: "POST", body: JSON.stringify(body) })).ok).toBe(true);
};

beforeEach(async () => {
  org = await simulatedOrg();
  call = await org.caller();
});
afterEach(() => org.close());

describe("a signed assertion", () => {
  const assert = async (claims: { iss?: string; sub?: string; aud?: string; exp?: string } = {}) => {
    const assertion = await new SignJWT({})
      .setProtectedHeader({ alg: "RS256" })
      .setIssuer(claims.iss ?? simulatedAccounts.app.clientId)
      .setSubject(claims.sub ?? integration)
      .setAudience(claims.aud ?? "https://login.salesforce.com")
      .setExpirationTime(claims.exp ?? "3m")
      .sign(createPrivateKey(org.keys.privateKey));
    const body = new URLSearchParams({ grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion });
    const response = await fetch(`${org.simulator.url}/services/oauth2/token`, { method: "POST", body });
    return [response.status, ((await response.json()) as { error_description?: string }).error_description];
  };

  it.each([
    ["for the login host", { aud: "https://login.salesforce.com" }, [200, undefined]],
    ["for another audience", { aud: "https://other.example" }, [400, "audience is invalid"]],
    ["of an unknown app", { iss: "other" }, [400, "client identifier invalid"]],
    ["for a user who has not approved the app", { sub: "tom@service.example" }, [400, "user hasn't approved this consumer"]],
    ["that is expired", { exp: "-1m" }, [400, "expired authorization code"]],
    ["that would be good for too long", { exp: "10m" }, [400, "invalid assertion"]],
  ])("%s is answered %j with %j [D,R]", async (_, claims, answer) => {
    expect(await assert(claims)).toEqual(answer);
  });
});

describe("client credentials", () => {
  it("of an app that nobody is set up for are refused [R]", async () => {
    const { clientId, clientSecret } = simulatedAccounts.app;
    const other = await simulatedOrg({ apps: [{ clientId, clientSecret }] });
    const body = new URLSearchParams({ grant_type: "client_credentials", client_id: clientId, client_secret: clientSecret });
    const response = await fetch(`${other.simulator.url}/services/oauth2/token`, { method: "POST", body });
    expect([response.status, await response.json()]).toEqual([400, { error: "invalid_grant", error_description: "no client credentials user enabled" }]);
    await other.close();
  });
});

describe("an API version", () => {
  it("that is retired is gone, one to come is not found; old ones answer an upsert without a body [D]", async () => {
    expect(await call("GET", "/services/data/v30.0/limits")).toMatchObject({ status: 410, body: [{ errorCode: "UNSUPPORTED_API_VERSION" }] });
    expect((await call("GET", "/services/data/v68.0/limits")).status).toBe(404);
    expect((await call("GET", "/services/data/v67.0/limits")).status).toBe(200);
    const path = "/services/data/v45.0/sobjects/Case/Isobridge_Marker__c/m";
    expect([(await call("PATCH", path, { Subject: "a" })).status, (await call("PATCH", path, { Subject: "b" })).status]).toEqual([201, 204]);
  });
});

describe("a conditional request", () => {
  it("for a describe is answered with 304 until the object changes [D]", async () => {
    org.simulator.server.clock.set({ frozenAt: Date.now() + 60_000 });
    const first = await call("GET", "/sobjects/Case/describe");
    const since = { "if-modified-since": first.headers.get("last-modified") ?? "" };
    expect((await call("GET", "/sobjects/Case/describe", undefined, since)).status).toBe(304);
    await control("fields/Case", { name: "New__c", type: "string" });
    expect((await call("GET", "/sobjects/Case/describe", undefined, since)).status).toBe(200);
    expect((await call("GET", "/sobjects/Account/describe", undefined, since)).status).toBe(304);
  });

  it("by entity tag works for accounts only [D]", async () => {
    org.simulator.server.clock.set({ frozenAt: start });
    const { id } = (await call("POST", "/sobjects/Account", { Name: "a" })).body;
    const tag = (await call("GET", `/sobjects/Account/${id}`)).headers.get("etag") ?? "";
    expect((await call("GET", `/sobjects/Account/${id}`, undefined, { "if-none-match": tag })).status).toBe(304);
    org.simulator.server.clock.set({ frozenAt: start + 1000 });
    expect((await call("PATCH", `/sobjects/Account/${id}`, { Name: "b" }, { "if-match": tag })).status).toBe(204);
    expect((await call("PATCH", `/sobjects/Account/${id}`, { Name: "c" }, { "if-match": tag })).status).toBe(412);
    const made = (await call("POST", "/sobjects/Case", {})).body.id;
    expect((await call("GET", `/sobjects/Case/${made}`)).headers.get("etag")).toBeNull();
    expect((await call("PATCH", `/sobjects/Case/${made}`, {}, { "if-match": '"x"' })).status).toBe(204);
  });
});

describe("an external id in an address", () => {
  it("may mislead where it ends like the name of a file [D]", async () => {
    await call("PATCH", "/sobjects/Case/Isobridge_Marker__c/a%40x.inc", { Subject: "s" });
    expect((await call("GET", "/sobjects/Case/Isobridge_Marker__c/a%40x.inc")).status).toBe(200);
    await control("options", { extensionsMislead: true });
    expect((await call("GET", "/sobjects/Case/Isobridge_Marker__c/a%40x.inc")).status).toBe(404);
  });

  it("that is unknown is not inserted by updateOnly [K]", async () => {
    expect((await call("PATCH", "/sobjects/Case/Isobridge_Marker__c/none?updateOnly=true", {})).status).toBe(404);
  });
});

describe("a describe", () => {
  it("lists record types beside the master, and which fields need a value on create [R]", async () => {
    const id = (await call("POST", "/sobjects/RecordType", { Name: "Incident", DeveloperName: "Incident", SobjectType: "Case" })).body.id;
    const { recordTypeInfos, fields } = (await call("GET", "/sobjects/Case/describe")).body;
    expect(recordTypeInfos).toMatchObject([
      { recordTypeId: id, developerName: "Incident", master: false, active: true, available: true },
      { recordTypeId: "012000000000000AAA", developerName: "Master", master: true },
    ]);
    expect(fields.find(({ name }: { name: string }) => name === "Status")).toMatchObject({ nillable: false, defaultedOnCreate: true, createable: true });
    expect((await call("GET", "/sobjects/Account")).body).toMatchObject({ objectDescribe: { name: "Account", keyPrefix: "001" }, recentItems: [] });
  });
});

describe("a fault", () => {
  const count = async () => (await call("GET", "/query?q=SELECT+COUNT()+FROM+Case")).body.totalSize as number;
  const create = async () => {
    try {
      const { status, body } = await call("POST", "/sobjects/Case", { Subject: "s" });
      return [status, body];
    } catch (error) {
      return [error instanceof SyntaxError ? "no JSON" : "broken"];
    }
  };
  const unavailable = [{ message: "Server Unavailable", errorCode: "SERVER_UNAVAILABLE" }];

  it.each([
    ["503 before the record is created", { kind: "status", status: 503, body: unavailable }, [503, unavailable], 0],
    ["503 after it was", { kind: "status", status: 503, body: unavailable, applied: true }, [503, unavailable], 1],
    ["a connection that ends before", { kind: "reset" }, ["broken"], 0],
    ["a reply that is lost after", { kind: "lost-reply" }, ["broken"], 1],
    ["a reply cut off in its middle", { kind: "truncate" }, ["broken"], 1],
    ["half of the JSON as if it were all", { kind: "truncate", complete: true }, ["no JSON"], 1],
    ["a login page instead", { kind: "html", status: 200 }, [200, expect.stringContaining("Log in")], 0],
    ["a reply that drips", { kind: "drip", bytes: 8, ms: 1 }, [201, expect.objectContaining({ success: true })], 1],
    ["a session that stays invalid", { kind: "status", status: 401, body: [{ errorCode: "INVALID_SESSION_ID" }] }, [401, expect.anything()], 0],
  ])("may be %s", async (_, effect, answer, created) => {
    await control("faults", { method: "POST", path: "/sobjects/Case", effect });
    expect(await create()).toEqual(answer);
    expect(await count()).toBe(created);
    expect((await create())[0]).toBe(201);
  });
});

describe("a value", () => {
  it("of a choice of many keeps what is on its list, once each; a restricted one refuses the rest [K]", async () => {
    await control("fields/Case", { name: "Tags__c", type: "multipicklist", restricted: true, picklist: [{ value: "a" }, { value: "b" }] });
    const { id } = (await call("POST", "/sobjects/Case", { Tags__c: "b;a;b" })).body;
    expect((await call("GET", `/sobjects/Case/${id}`)).body.Tags__c).toBe("b;a");
    expect((await call("PATCH", `/sobjects/Case/${id}`, { Tags__c: "a;c" })).body[0].errorCode).toBe("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST");
  });

  it.each([
    ["Subject", '👩‍🚒 \u200fעברית e\u0301 "quoted" \\ \n line'],
    ["Subject", "a\r\nb"],
  ])("of %s keeps what people write: %j", async (field, text) => {
    const { id } = (await call("POST", "/sobjects/Case", { [field]: text })).body;
    expect((await call("GET", `/sobjects/Case/${id}`)).body[field]).toBe(text);
  });

  it.each(["ünï 'quo\"te'.tar.gz", "../../etc/passwd", "no extension", ".hidden", "a".repeat(200)])(
    "that names a file may be %j, and is only a name",
    async (name) => {
      const { id } = (await call("POST", "/sobjects/ContentVersion", { PathOnClient: name, VersionData: "" })).body;
      const { Title, ContentSize } = (await call("GET", `/sobjects/ContentVersion/${id}`)).body;
      expect([Title.includes("/"), ContentSize]).toEqual([false, 0]);
      expect((await call("GET", `/sobjects/ContentVersion/${id}/VersionData`)).status).toBe(200);
    },
  );
});

describe("the quota", () => {
  it("is one of 24 hours, and shown by limits and by every answer [R]", async () => {
    org.simulator.server.clock.set({ frozenAt: start });
    await control("limits", { max: 3, used: 0 });
    expect((await call("GET", "/limits")).body.DailyApiRequests).toEqual({ Max: 3, Remaining: 2 });
    expect((await call("GET", "/limits")).headers.get("sforce-limit-info")).toBe("api-usage=2/3");
    await call("GET", "/limits");
    expect((await call("GET", "/limits")).body[0].message).toBe("TotalRequests Limit exceeded.");
    org.simulator.accounts.lifetimeMs = Number.MAX_SAFE_INTEGER;
    org.simulator.server.clock.set({ frozenAt: start + 86_400_000 });
    expect((await call("GET", "/limits")).status).toBe(200);
  });
});

describe("rows of one second", () => {
  it("can be made in a storm, and are told apart by their ids", async () => {
    org.simulator.server.clock.set({ frozenAt: start });
    await control("seed", { object: "Case", count: 250, fields: { Subject: "storm {n}" } });
    const soql = "SELECT Id, Subject, CaseNumber FROM Case WHERE SystemModstamp = 2026-05-01T10:00:00Z ORDER BY SystemModstamp, Id";
    const { records } = (await call("GET", `/query?q=${encodeURIComponent(soql)}`)).body;
    expect([records.length, records[249].Subject, new Set(records.map(({ CaseNumber }: { CaseNumber: string }) => CaseNumber)).size]).toEqual([
      250,
      "storm 250",
      250,
    ]);
  });
});

describe("the simulator", () => {
  it("says at its address what it is and how it is controlled, and refuses controls that make no sense", async () => {
    const page = await (await fetch(`${org.simulator.url}/`)).text();
    for (const part of ["Simulated Salesforce org", "POST /__control/events/faults", "POST /__control/merge"]) expect(page).toContain(part);
    const refused = await fetch(`${org.simulator.url}/__control/merge`, { method: "POST", body: "{}" });
    expect([refused.status, ((await refused.json()) as { error: string }).error]).toEqual([400, expect.stringContaining("master")]);
  });

  it("starts with rows, a key for assertions that stays the same, and a token for its control API", async () => {
    const folder = await mkdtemp(join(tmpdir(), "simulated-org-"));
    const options = { folder, withKey: true, controlToken: "t", seed: [{ object: "Case", count: 5, fields: { Subject: "Case {n}" } }] };
    const first = await startSalesforceSimulator(options);
    expect(first.credentials).toMatchObject({ clientId: "3MVG9simulated", username: integration, privateKeyFile: join(folder, "integration.key") });
    expect((await fetch(`${first.url}/__control/tables`)).status).toBe(401);
    expect(await (await fetch(`${first.url}/__control/tables`, { headers: { "x-control-token": "t" } })).json()).toMatchObject({ Case: 5 });
    await first.close();
    const second = await startSalesforceSimulator(options);
    expect([second.credentials.privateKey, second.org.tables.count("Case")]).toEqual([first.credentials.privateKey, 5]);
    await second.close();
    await rm(folder, { recursive: true });
  });
});
