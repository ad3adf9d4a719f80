import { createHash, generateKeyPairSync, randomBytes } from "node:crypto";
import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { platforms } from "../platforms.ts";
import { type SalesforceConfig, salesforceConfig, salesforceSecrets } from "./config.ts";
import { ines, integration, type SimulatedOrg, simulatedOrg } from "./simulator/simulated-org.ts";
import { authorizeUrl, exchangeCode } from "./web-sign-in.ts";

let org: SimulatedOrg;

beforeEach(async () => {
  org = await simulatedOrg();
});
afterEach(() => org.close());

const redirectUri = "https://node.example/sign-in/callback";
const auth = { type: "web-server", clientId: "3MVG9simulated" } as const;
const secrets = { clientSecret: "simulated-client-secret" };
const configured = (): SalesforceConfig => salesforceConfig.parse({ url: org.simulator.url, auth });
const failureOf = async (work: Promise<unknown>) =>
  await work.then(
    () => expect.fail("no error"),
    (error: Error) => error,
  );

/** What the browser does: goes there, agrees as somebody, and comes back. */
async function browse(config: SalesforceConfig, verifier: string, state = "s"): Promise<URL> {
  org.simulator.accounts.agreeing = ines;
  const challenge = createHash("sha256").update(verifier).digest("base64url");
  const answer = await fetch(authorizeUrl({ config, redirectUri, state, challenge }), { redirect: "manual" });
  return new URL(answer.headers.get("location") ?? "");
}

async function signedIn(config: SalesforceConfig): Promise<Record<string, string>> {
  const verifier = randomBytes(32).toString("base64url");
  const code = (await browse(config, verifier)).searchParams.get("code") ?? "";
  return await exchangeCode({ config, secrets, code, verifier, redirectUri });
}

describe("signing in in the browser", () => {
  it("sends the browser to the org with a challenge, and trades the code for a refresh token [D]", async () => {
    const url = new URL(authorizeUrl({ config: configured(), redirectUri, state: "a/b", challenge: "c-_" }));
    expect(url.origin + url.pathname).toBe(`${org.simulator.url}/services/oauth2/authorize`);
    expect(Object.fromEntries(url.searchParams)).toEqual({
      response_type: "code",
      client_id: "3MVG9simulated",
      redirect_uri: redirectUri,
      scope: "api refresh_token",
      state: "a/b",
      code_challenge: "c-_",
      code_challenge_method: "S256",
    });
    const kept = await signedIn(configured());
    expect(Object.keys(kept)).toEqual(["refreshToken"]);
    expect((await org.connector({ auth }, { ...secrets, ...kept }).check()).account).toContain("Ines Duarte");
  });

  it("is what the platform offers for an instance configured so, and for no other", async () => {
    const platform = platforms["salesforce"];
    expect(platform?.webSignIn?.({ url: org.simulator.url, auth: { type: "client-credentials", clientId: "x" } })).toBeUndefined();
    const flow = platform?.webSignIn?.({ url: org.simulator.url, auth });
    expect(flow?.authorizeUrl({ redirectUri, state: "s", challenge: "c" })).toContain("code_challenge=c");
    await expect(flow?.exchange({ secrets, code: "none", verifier: "v", redirectUri })).rejects.toMatchObject({ code: "AUTH_CONFIG" });
    expect(salesforceSecrets(configured())).toEqual(["refreshToken"]);
    expect(salesforceSecrets(salesforceConfig.parse({ url: org.simulator.url, auth: { ...auth, confidential: true } }))).toEqual([
      "refreshToken",
      "clientSecret",
    ]);
  });

  it("takes a code once, with the verifier and callback that it was asked for with", async () => {
    const config = configured();
    const code = async () => (await browse(config, "right")).searchParams.get("code") ?? "";
    const trade = (given: string, more: { verifier?: string; redirectUri?: string } = {}) =>
      exchangeCode({ config, secrets, code: given, verifier: "right", redirectUri, ...more });
    await expect(trade(await code(), { verifier: "wrong" })).rejects.toMatchObject({ code: "AUTH_CONFIG", advice: expect.stringContaining("again") });
    await expect(trade(await code(), { redirectUri: "https://other.example/" })).rejects.toMatchObject({ code: "AUTH_CONFIG" });
    const once = await code();
    await trade(once);
    const error = await failureOf(trade(once));
    expect(error).toMatchObject({ code: "AUTH_CONFIG" });
    expect(inspect(error, { depth: 10, showHidden: true })).not.toMatch(new RegExp(`${once}|simulated-client-secret`));
  });

  it("says what is missing where the app gives no refresh token, or what answers is no Salesforce", async () => {
    const { faults } = org.simulator.server;
    faults.arm({ path: "/oauth2/token", effect: { kind: "status", status: 200, body: { access_token: "x" } } });
    const trade = () => exchangeCode({ config: configured(), secrets, code: "c", verifier: "v", redirectUri });
    await expect(trade()).rejects.toMatchObject({ code: "AUTH_CONFIG", advice: expect.stringContaining("refresh_token") });
    faults.arm({ path: "/oauth2/token", effect: { kind: "html" } });
    await expect(trade()).rejects.toMatchObject({ code: "PROTOCOL" });
    faults.arm({ path: "/oauth2/token", effect: { kind: "status", status: 200, body: [] } });
    await expect(trade()).rejects.toMatchObject({ code: "PROTOCOL" });
  });
});

describe("a refresh token", () => {
  it("that nobody has brought yet is asked for in so many words", async () => {
    await expect(org.connector({ auth }, {}).check()).rejects.toMatchObject({ code: "AUTH_CONFIG", message: "Nobody has signed in to this org yet." });
  });

  it("that was revoked stops the instance, saying that somebody has to sign in again", async () => {
    const kept = await signedIn(configured());
    org.simulator.accounts.web.revokeAll();
    await expect(org.connector({ auth }, { ...secrets, ...kept }).check()).rejects.toMatchObject({
      code: "AUTH_CONFIG",
      message: expect.stringContaining("revoked"),
      advice: expect.stringContaining("Sign in again"),
    });
  });

  it("that is replaced with each use is handed back before it is used, and the new one serves for the next session", async () => {
    const first = await signedIn(configured());
    org.simulator.accounts.web.rotate = true;
    const given: [string, string][] = [];
    const keepSecret = async (name: string, value: string) => {
      given.push([name, value]);
    };
    const connector = org.connector({ auth }, { ...secrets, ...first }, { keepSecret });
    await connector.check();
    org.simulator.accounts.revokeAll();
    await Promise.all(Array.from({ length: 5 }, () => connector.findUser({ email: "x@y.example" })));
    expect(given.map(([name]) => name)).toEqual(["refreshToken", "refreshToken"]);
    expect(new Set([first["refreshToken"], ...given.map(([, value]) => value)]).size).toBe(3);
    expect((await org.connector({ auth }, { ...secrets, refreshToken: given[1]?.[1] ?? "" }).check()).problems).toEqual([]);
    await expect(org.connector({ auth }, { ...secrets, ...first }).check()).rejects.toMatchObject({ code: "AUTH_CONFIG" });
    expect(inspect(connector, { depth: 10, showHidden: true })).not.toContain(given[1]?.[1]);
  });
});

describe("a private key", () => {
  const other = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  }).privateKey;
  const jwt = { type: "jwt-bearer", clientId: "3MVG9simulated", username: integration } as const;

  it("may stand beside its successor while the app's certificate is exchanged: the one that the app knows is used", async () => {
    const connector = org.connector({ auth: jwt }, { privateKey: `${other}\n${org.keys.privateKey}` });
    expect((await connector.check()).account).toContain(integration);
    org.simulator.accounts.revokeAll();
    const tokens = () => org.simulator.server.requests.filter(({ path }) => path.includes("/oauth2/token")).length;
    const before = tokens();
    await connector.findUser({ email: "x@y.example" });
    expect(tokens() - before).toBe(1);
  });

  it("that is neither is refused after each was tried once", async () => {
    await expect(org.connector({ auth: jwt }, { privateKey: `${other}\n${other}` }).check()).rejects.toMatchObject({ code: "AUTH_CONFIG" });
    expect(org.simulator.server.requests.filter(({ path }) => path.includes("/oauth2/token"))).toHaveLength(2);
  });
});

describe("a sign-in that the platform refuses", () => {
  it.each([
    ["inactive_org", "organization inactive", /not active/],
    ["invalid_app_access", "user is not admin approved to access this app", /may not use the app/],
    ["invalid_grant", "ip restricted", /address/],
    ["OAUTH_EC_APP_NOT_FOUND", "external client app is not installed in this org", /not installed/],
    ["unsupported_grant_type", "grant type not supported", /way of signing in/],
  ])("as %s (%s) is told in words that help [K]", async (error, error_description, words) => {
    org.simulator.server.faults.arm({ path: "/oauth2/token", effect: { kind: "status", status: 400, body: { error, error_description } } });
    await expect(org.connector().check()).rejects.toMatchObject({ code: "AUTH_CONFIG", message: expect.stringMatching(words) });
  });

  it.each([
    ["in words with any signs", { error: "invalid_grant", error_description: 'policy "MFA" (all users) = on; see <setup>' }],
    ["without a word", { error: "invalid_grant" }],
  ])("%s is a matter of configuration, not of another platform [K]", async (_, body) => {
    org.simulator.server.faults.arm({ path: "/oauth2/token", effect: { kind: "status", status: 400, body } });
    await expect(org.connector().check()).rejects.toMatchObject({ code: "AUTH_CONFIG", platformCode: "invalid_grant" });
  });

  it("shows no secret, even where the platform repeats it", async () => {
    const body = { error: "invalid_grant", error_description: "not this one: simulated-client-secret" };
    org.simulator.server.faults.arm({ path: "/oauth2/token", effect: { kind: "status", status: 400, body } });
    const error = await failureOf(org.connector().check());
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain("simulated-client-secret");
  });

  it("for a fault of its own is tried again later [K]", async () => {
    const body = { error: "unknown_error", error_description: "retry your request" };
    org.simulator.server.faults.arm({ path: "/oauth2/token", effect: { kind: "status", status: 400, body } });
    await expect(org.connector().check()).rejects.toMatchObject({ code: "TRANSIENT" });
    org.simulator.server.faults.arm({ path: "/oauth2/token", effect: { kind: "status", status: 429, headers: { "retry-after": "7" }, body: "" } });
    await expect(org.connector().check()).rejects.toMatchObject({ code: "THROTTLED", retryAfterMs: 7000 });
  });

  it("as too many at a time is waited for", async () => {
    const body = { error: "rate_limit_exceeded", error_description: "login rate exceeded" };
    org.simulator.server.faults.arm({ path: "/oauth2/token", effect: { kind: "status", status: 400, body } });
    await expect(org.connector().check()).rejects.toMatchObject({ code: "THROTTLED", retryAfterMs: 300_000 });
  });

  it("at an address that is gone, as of a sandbox that has ended, names the address", async () => {
    org.simulator.server.faults.arm({ path: "/oauth2/token", effect: { kind: "html", status: 404 } });
    await expect(org.connector().check()).rejects.toMatchObject({
      code: "PROTOCOL",
      message: expect.stringContaining(org.simulator.url),
      advice: expect.stringContaining("sandbox"),
    });
  });
});
