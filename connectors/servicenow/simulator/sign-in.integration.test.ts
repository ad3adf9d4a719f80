import { generateKeyPairSync } from "node:crypto";
import { SignJWT } from "jose";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { PersonAtWork } from "./person.ts";
import { type ServiceNowSimulator, seededAccounts, seededClient, startServiceNowSimulator } from "./simulator.ts";

const keys = generateKeyPairSync("rsa", { modulusLength: 2048 });
const incident = "/api/now/table/incident";
let simulator: ServiceNowSimulator;
let maya: PersonAtWork;
let admin: PersonAtWork;

beforeAll(async () => {
  simulator = await startServiceNowSimulator({
    oauthClients: [{ clientId: "jwt-client", clientSecret: "jwt-secret", publicKey: keys.publicKey.export({ type: "spki", format: "pem" }).toString() }],
  });
  maya = new PersonAtWork(simulator.url, seededAccounts.maya);
  admin = new PersonAtWork(simulator.url, seededAccounts.admin);
});
afterAll(() => simulator.close());
afterEach(() => {
  simulator.clock.set({ offsetMs: 0 });
  Object.assign(simulator.settings, { basicAuthRestricted: false, clientCredentialsEnabled: true });
});

async function token(form: Record<string, string>) {
  const response = await fetch(`${simulator.url}/oauth_token.do`, { method: "POST", body: new URLSearchParams(form) });
  // The fields are checked by the tests.
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}
const client = { client_id: seededClient.clientId, client_secret: seededClient.clientSecret };

describe("signing in", () => {
  test("without credentials or with wrong ones the answer is 401 in the recorded words [R]", async () => {
    const answer = await new PersonAtWork(simulator.url, { userName: "admin", password: "wrong" }).call("GET", incident);
    expect(answer.status).toBe(401);
    expect(answer.body).toEqual({ error: { message: "User Not Authenticated", detail: "Required to provide Auth information" }, status: "failure" });
  });

  test("a restriction of basic authentication shuts out accounts without the role, and does not say why [R]", async () => {
    simulator.settings.basicAuthRestricted = true;
    expect((await maya.call("GET", incident)).status).toBe(401);
    expect((await admin.call("GET", incident)).status).toBe(200);
  });

  test("the password grant gives a bearer token, and the same one again while it lives [D]", async () => {
    const form = { ...client, grant_type: "password", username: seededAccounts.maya.userName, password: seededAccounts.maya.password };
    const first = await token(form);
    const second = await token(form);
    expect(first.body).toMatchObject({ token_type: "Bearer", scope: "useraccount", expires_in: 1800 });
    expect(second.body.access_token).toBe(first.body.access_token);
    const answer = await maya.call("GET", `${incident}?sysparm_limit=1`, undefined, { authorization: `Bearer ${first.body.access_token}` });
    expect(answer.status).toBe(200);
  });

  test("a token ends with its time, and the refresh grant keeps the refresh token [D]", async () => {
    const first = await token({ ...client, grant_type: "password", username: seededAccounts.tom.userName, password: seededAccounts.tom.password });
    simulator.clock.set({ offsetMs: 1_801_000 });
    expect((await maya.call("GET", incident, undefined, { authorization: `Bearer ${first.body.access_token}` })).status).toBe(401);
    const second = await token({ ...client, grant_type: "refresh_token", refresh_token: String(first.body.refresh_token) });
    expect(second.body.refresh_token).toBe(first.body.refresh_token);
    expect(second.body.access_token).not.toBe(first.body.access_token);
  });

  test("client credentials act as the application's user, and only where the property allows them [D]", async () => {
    const granted = await token({ ...client, grant_type: "client_credentials" });
    const me = await maya.call("GET", "/api/now/table/sys_user?sysparm_query=sys_id=javascript:gs.getUserID()&sysparm_fields=user_name", undefined, {
      authorization: `Bearer ${granted.body.access_token}`,
    });
    expect(me.body.result).toEqual([{ user_name: "isobridge" }]);
    simulator.settings.clientCredentialsEnabled = false;
    expect((await token({ ...client, grant_type: "client_credentials" })).status).toBe(401);
  });

  test("a JWT assertion is verified, and its jti counts once [D]", async () => {
    const assertion = await new SignJWT({ jti: "one" })
      .setProtectedHeader({ alg: "RS256" })
      .setSubject(seededAccounts.tom.userName)
      .setIssuer("jwt-client")
      .setAudience("jwt-client")
      .setExpirationTime("1m")
      .sign(keys.privateKey);
    const form = { client_id: "jwt-client", client_secret: "jwt-secret", grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion };
    expect((await token(form)).status).toBe(200);
    expect((await token(form)).status).toBe(401);
    expect((await token({ ...form, assertion: `${assertion}x` })).status).toBe(401);
  });

  test("the token endpoint refuses JSON with an unspecified error [D]", async () => {
    const response = await fetch(`${simulator.url}/oauth_token.do`, { method: "POST", headers: { "content-type": "application/json" }, body: "{}" });
    expect(await response.json()).toMatchObject({ error_description: "unspecified error" });
  });
});
