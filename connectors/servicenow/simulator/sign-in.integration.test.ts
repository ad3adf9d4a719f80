import { generateKeyPairSync, type KeyObject, randomUUID } from "node:crypto";
import { SignJWT } from "jose";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { PersonAtWork } from "./person.ts";
import { type ServiceNowSimulator, seededAccounts, seededApiKey, seededClient, startServiceNowSimulator } from "./simulator.ts";

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
  Object.assign(simulator.settings, {
    basicAuthRestricted: false,
    clientCredentialsEnabled: true,
    refreshTokenRotates: false,
    singleSignOn: null,
    hibernating: false,
  });
});

async function token(form: Record<string, string>) {
  const response = await fetch(`${simulator.url}/oauth_token.do`, { method: "POST", body: new URLSearchParams(form) });
  // The fields are checked by the tests.
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}
interface Claims {
  readonly issuer?: string;
  readonly audience?: string;
  readonly subject?: string;
  readonly jti?: string | null;
  /** Seconds from now. */
  readonly expires?: number;
  readonly key?: KeyObject;
}
async function assertionForm(claims: Claims) {
  const { issuer = "jwt-client", audience = "jwt-client", subject = seededAccounts.tom.userName, jti = randomUUID(), expires = 60 } = claims;
  const assertion = await new SignJWT(jti === null ? {} : { jti })
    .setProtectedHeader({ alg: "RS256" })
    .setSubject(subject)
    .setIssuer(issuer)
    .setAudience(audience)
    .setExpirationTime(Math.floor(Date.now() / 1000) + expires)
    .sign(claims.key ?? keys.privateKey);
  return { client_id: "jwt-client", client_secret: "jwt-secret", grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion };
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
    simulator.clock.set({ offsetMs: 8_640_001_000 });
    expect((await token({ ...client, grant_type: "refresh_token", refresh_token: String(first.body.refresh_token) })).status).toBe(401);
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
    const form = await assertionForm({});
    const granted = await token(form);
    expect(granted.status).toBe(200);
    const me = await maya.call("GET", "/api/now/table/sys_user?sysparm_query=sys_id=javascript:gs.getUserID()&sysparm_fields=user_name", undefined, {
      authorization: `Bearer ${granted.body.access_token}`,
    });
    expect(me.body.result).toEqual([{ user_name: "tom.okafor" }]);
    expect((await token(form)).status).toBe(401);
  });

  test.each([
    ["another issuer", { issuer: "somebody" }],
    ["another audience", { audience: "https://elsewhere.example" }],
    ["a subject that nobody has", { subject: "nobody" }],
    ["an expiry that has passed, were it by a second: the clock has no tolerance", { expires: -1 }],
    ["no jti", { jti: null }],
    ["a key that is not the registered one", { key: generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey }],
  ])("a JWT assertion with %s is refused [D]", async (_what, changes) => {
    expect(await token(await assertionForm(changes))).toMatchObject({ status: 401, body: { error_description: "access_denied" } });
  });

  test("the token endpoint refuses JSON with an unspecified error [D]", async () => {
    const response = await fetch(`${simulator.url}/oauth_token.do`, { method: "POST", headers: { "content-type": "application/json" }, body: "{}" });
    expect(await response.json()).toMatchObject({ error_description: "unspecified error" });
  });

  test("an API key acts as its user [D]", async () => {
    const call = async (key: string) =>
      await fetch(`${simulator.url}/api/now/table/sys_user?sysparm_query=sys_id=javascript:gs.getUserID()&sysparm_fields=user_name`, {
        headers: { "x-sn-apikey": key },
      });
    expect(await (await call(seededApiKey)).json()).toEqual({ result: [{ user_name: "isobridge" }] });
    expect((await call("another")).status).toBe(401);
  });

  test("who has to give a second factor is told so by a header, and gets no token by password [D]", async () => {
    simulator.addAccount({ userName: "careful", password: "p", firstName: "Care", lastName: "Ful", email: "c@servicenow.example", multiFactor: true });
    const answer = await new PersonAtWork(simulator.url, { userName: "careful", password: "p" }).call("GET", incident);
    expect([answer.status, answer.headers.get("x-mfa_token")]).toEqual([401, "invalid"]);
    expect((await token({ ...client, grant_type: "password", username: "careful", password: "p" })).status).toBe(401);
  });

  test("inactive and locked users are shut out, sessions included [K]", async () => {
    const form = { ...client, grant_type: "password", username: seededAccounts.tom.userName, password: seededAccounts.tom.password };
    const { access_token: session } = (await token(form)).body;
    const call = async () => (await maya.call("GET", incident, undefined, { authorization: `Bearer ${session}` })).status;
    const user = simulator.rows("sys_user").find(({ user_name }) => user_name === "tom.okafor")?.sys_id;
    expect(await call()).toBe(200);
    await admin.change("sys_user", user ?? "", { locked_out: "true" });
    expect([await call(), (await token(form)).status]).toEqual([401, 401]);
    await admin.change("sys_user", user ?? "", { locked_out: "false" });
    expect(await call()).toBe(200);
  });

  test("a token that was revoked is worth nothing, whether sent in the address or as a form [D]", async () => {
    const form = { ...client, grant_type: "password", username: seededAccounts.maya.userName, password: seededAccounts.maya.password };
    for (const revoke of ["address", "form"]) {
      const { access_token: session } = (await token(form)).body;
      const path = `${simulator.url}/oauth_revoke_token.do`;
      if (revoke === "address") await fetch(`${path}?token=${session}`);
      else await fetch(path, { method: "POST", body: new URLSearchParams({ token: String(session) }) });
      expect((await maya.call("GET", incident, undefined, { authorization: `Bearer ${session}` })).status).toBe(401);
    }
  });

  test("refresh tokens that rotate are good for one refresh", async () => {
    simulator.settings.refreshTokenRotates = true;
    const first = await token({ ...client, grant_type: "password", username: seededAccounts.maya.userName, password: seededAccounts.maya.password });
    const refresh = { ...client, grant_type: "refresh_token", refresh_token: String(first.body.refresh_token) };
    const second = await token(refresh);
    expect(second.status).toBe(200);
    expect(second.body.refresh_token).not.toBe(first.body.refresh_token);
    expect((await token(refresh)).status).toBe(401);
  });

  test("an instance behind single sign-on shows its login page, an instance asleep says so to everybody, both as HTML [R]", async () => {
    const stranger = new PersonAtWork(simulator.url, { userName: "admin", password: "wrong" });
    simulator.settings.singleSignOn = 200;
    expect(await stranger.call("GET", incident)).toMatchObject({ status: 200, body: expect.stringContaining("<html>") });
    simulator.settings.singleSignOn = 302;
    const sent = await stranger.call("GET", incident);
    expect([sent.status, sent.headers.get("location")]).toEqual([302, "/login.do"]);
    simulator.settings.hibernating = true;
    expect(await admin.call("GET", incident)).toMatchObject({ status: 200, body: expect.stringContaining("hibernating") });
    const asleep = await fetch(`${simulator.url}/oauth_token.do`, {
      method: "POST",
      body: new URLSearchParams({ ...client, grant_type: "client_credentials" }),
    });
    expect(asleep.headers.get("content-type")).toContain("text/html");
  });

  test("the instance's own keys can be read by anybody [D]", async () => {
    const { keys: published } = (await (await fetch(`${simulator.url}/api/now/oauth/jwks`)).json()) as { keys: object[] };
    expect(published).toMatchObject([{ kty: "RSA", alg: "RS256" }]);
  });
});
