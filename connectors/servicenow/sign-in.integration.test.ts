import { generateKeyPairSync } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ServiceNowConfig } from "./config.ts";
import { servicenowConnector } from "./connector.ts";
import { seededApiKey } from "./simulator/simulator.ts";
import { openTestbed, secrets, type Testbed } from "./testbed.ts";

const keys = generateKeyPairSync("rsa", {
  modulusLength: 2048,
  publicKeyEncoding: { type: "spki", format: "pem" },
  privateKeyEncoding: { type: "pkcs8", format: "pem" },
});
const jwt = { auth: { type: "jwt-bearer", clientId: "jwt-client", username: "isobridge" } } as const;
const jwtSecrets = { clientSecret: "jwt-secret", privateKey: keys.privateKey };
const oauth = { auth: { type: "oauth-password", clientId: "isobridge-client", username: "isobridge" } } as const;

let bed: Testbed;
beforeEach(async () => {
  bed = await openTestbed({ oauthClients: [{ clientId: "jwt-client", clientSecret: "jwt-secret", publicKey: keys.publicKey }] });
});
afterEach(() => bed.close());

const signIns = () => bed.simulator.requests.filter(({ path }) => path === "/oauth_token.do").map(({ body }) => new URLSearchParams(body).get("grant_type"));

describe("signing in by a JWT [D]", () => {
  test("lets the user of the assertion in, with issuer and audience both the client id", async () => {
    expect(await bed.connect(jwt, jwtSecrets).check()).toMatchObject({ account: "isobridge (Isobridge Integration)" });
  });

  test("works on an instance whose clock is three minutes behind, as its answers tell the time", async () => {
    bed.simulator.clock.set({ offsetMs: -180_000 });
    expect(await bed.connect(jwt, jwtSecrets).check()).toMatchObject({ account: "isobridge (Isobridge Integration)" });
    bed.simulator.clock.set({ offsetMs: -1_000_000 });
    expect(await bed.connect(jwt, jwtSecrets).check()).toMatchObject({ account: "isobridge (Isobridge Integration)" });
  });

  test("uses each assertion once: a second session has one of its own", async () => {
    const connector = bed.connect(jwt, jwtSecrets);
    await connector.check();
    bed.simulator.expireSessions(true);
    await connector.check();
    expect(signIns()).toEqual(["urn:ietf:params:oauth:grant-type:jwt-bearer", "urn:ietf:params:oauth:grant-type:jwt-bearer"]);
  });

  test.each([
    ["a key that is none", { ...jwtSecrets, privateKey: "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----" }, /not an RSA private key/],
    ["another key", { ...jwtSecrets, privateKey: otherKey() }, /refused the sign-in \(client jwt-client, user isobridge\)/],
    ["another client secret", { ...jwtSecrets, clientSecret: "wrong" }, /refused the sign-in/],
  ])("with %s is AUTH_CONFIG, and shows neither key nor assertion", async (_what, given, message) => {
    const error = await bed
      .connect(jwt, given)
      .check()
      .catch((reason: Error) => reason);
    expect(error).toMatchObject({ code: "AUTH_CONFIG", message: expect.stringMatching(message) });
    expect(`${JSON.stringify(error)} ${String(error)} ${(error as Error).stack}`).not.toMatch(/AAAA|MII|eyJ/);
  });
});

describe("a refresh token", () => {
  test("given with a session is used when the session's time is over, so that the password is not sent again", async () => {
    const short = await openTestbed({ settings: { accessTokenSeconds: 1 } });
    const connector = short.connect(oauth);
    await connector.check();
    await expect
      .poll(
        async () => {
          await connector.find("incident", [], 1);
          return short.simulator.requests.filter(({ path }) => path === "/oauth_token.do").map(({ body }) => new URLSearchParams(body).get("grant_type"));
        },
        { timeout: 5000 },
      )
      .toContain("refresh_token");
    await short.close();
  });

  test("that was revoked too gives way to the password", async () => {
    const connector = bed.connect(oauth);
    await connector.check();
    bed.simulator.expireSessions(true);
    expect(await connector.find("incident", [], 1)).toEqual([]);
    expect(signIns()).toEqual(["password", "password"]);
  });

  test("is a way of signing in by itself, and AUTH_CONFIG with advice once it is refused", async () => {
    const { refresh_token } = await token({ grant_type: "password", username: "isobridge", password: secrets.password });
    const config = { auth: { type: "refresh-token", clientId: "isobridge-client" } } as const;
    const connector = bed.connect(config, { clientSecret: secrets.clientSecret, refreshToken: refresh_token });
    expect(await connector.check()).toMatchObject({ account: "isobridge (Isobridge Integration)" });
    bed.simulator.expireSessions(true);
    await expect(connector.find("incident", [], 1)).rejects.toMatchObject({ code: "AUTH_CONFIG", advice: expect.stringContaining("hundred days") });
    await expect(bed.connect(config, { clientSecret: secrets.clientSecret, refreshToken: "" }).check()).rejects.toMatchObject({ code: "AUTH_CONFIG" });
  });

  async function token(form: Record<string, string>): Promise<{ refresh_token: string }> {
    const body = new URLSearchParams({ ...form, client_id: "isobridge-client", client_secret: secrets.clientSecret });
    return (await (await fetch(`${bed.simulator.url}/oauth_token.do`, { method: "POST", body })).json()) as { refresh_token: string };
  }
});

describe("an API key", () => {
  test("in the header x-sn-apikey lets its user in, for batches too [D]", async () => {
    const connector = bed.connect({ auth: { type: "api-key", username: "isobridge" } }, { apiKey: seededApiKey });
    expect(await connector.check()).toMatchObject({ account: "isobridge (Isobridge Integration)", problems: [] });
    const [one, two] = [await bed.create({ short_description: "a" }), await bed.create({ short_description: "b" })];
    expect((await connector.read([one, two])).map(({ ok }) => ok)).toEqual([true, true]);
  });

  test("that is not taken is AUTH_CONFIG, and is not shown", async () => {
    const error = await bed
      .connect({ auth: { type: "api-key" } }, { apiKey: "wrong-key" })
      .check()
      .catch((reason: Error) => reason);
    expect(error).toMatchObject({ code: "AUTH_CONFIG", message: expect.stringContaining("API key"), advice: expect.stringContaining("x-sn-apikey") });
    expect(JSON.stringify(error)).not.toContain("wrong-key");
  });
});

describe("basic authentication", () => {
  test("that is restricted is explained, although the answer does not say why [R]", async () => {
    Object.assign(bed.simulator.settings, { basicAuthRestricted: true });
    await expect(bed.connect().check()).rejects.toMatchObject({ code: "AUTH_CONFIG", advice: expect.stringContaining("snc_basic_auth_api_access") });
  });

  test("of a user who has to give a second factor is explained [D]", async () => {
    bed.simulator.addAccount({ userName: "mfa", password: "mfa-password", firstName: "M", lastName: "F", email: "m@example.com", multiFactor: true });
    const connector = bed.connect({ auth: { type: "basic", username: "mfa" } }, { password: "mfa-password" });
    await expect(connector.check()).rejects.toMatchObject({ code: "AUTH_CONFIG", message: expect.stringContaining("multi-factor") });
  });
});

describe("an instance that gives every session and takes none", () => {
  let server: Server;
  let asked: string[];
  let rotated = 0;
  const config = (): ServiceNowConfig => ({
    // Its address is a port, as it listens on one.
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    auth: { type: "refresh-token", clientId: "c" },
    retry: { tries: 1 },
  });
  beforeEach(async () => {
    asked = [];
    rotated = 0;
    server = createServer((request, response) => {
      request.resume();
      asked.push(request.url?.split("?", 1)[0] ?? "");
      const signIn = request.url === "/oauth_token.do";
      if (signIn) rotated++;
      response.writeHead(signIn ? 200 : 401, { "content-type": "application/json" });
      response.end(
        JSON.stringify(
          signIn ? { access_token: `t${rotated}`, refresh_token: `r${rotated}`, expires_in: 1800 } : { error: { message: "User Not Authenticated" } },
        ),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  test("is asked for two sessions at most, however many calls there are", async () => {
    const connector = servicenowConnector(config(), { clientSecret: "s", refreshToken: "r0" });
    const errors = await Promise.all(Array.from({ length: 5 }, () => connector.find("incident", [], 1).catch((error: unknown) => error)));
    for (const error of errors) expect(error).toMatchObject({ code: "AUTH_EXPIRED" });
    await expect(connector.find("incident", [], 1)).rejects.toMatchObject({ code: "AUTH_EXPIRED" });
    expect(asked.filter((path) => path === "/oauth_token.do").length).toBeLessThanOrEqual(2);
    await connector.close();
  });

  test("and exchanges refresh tokens has each new one kept", async () => {
    const kept: [string, string][] = [];
    const connector = servicenowConnector(
      config(),
      { clientSecret: "s", refreshToken: "r0" },
      { keepSecret: async (name, value) => void kept.push([name, value]) },
    );
    await connector.find("incident", [], 1).catch(() => undefined);
    expect(kept[0]).toEqual(["refreshToken", "r1"]);
    await connector.close();
  });

  test("and whose new refresh token cannot be kept fails the calls that wait for it, and nothing else", async () => {
    const keepSecret = async () => {
      throw new Error("the database is away");
    };
    const connector = servicenowConnector(config(), { clientSecret: "s", refreshToken: "r0" }, { keepSecret });
    const errors = await Promise.all(["a", "b"].map((name) => connector.findUser({ username: name }).catch((error: unknown) => error)));
    expect(errors).toEqual([new Error("the database is away"), new Error("the database is away")]);
    await connector.close();
  });
});

function otherKey(): string {
  return generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  }).privateKey;
}
