import { createHash, randomBytes } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ines, type SimulatedOrg, simulatedOrg } from "./simulated-org.ts";
import { simulatedAccounts } from "./simulator.ts";

const { clientId, clientSecret } = simulatedAccounts.app;
const redirect_uri = "https://client.example/callback";
const verifier = randomBytes(64).toString("base64url");
const code_challenge = createHash("sha256").update(verifier).digest("base64url");

let org: SimulatedOrg;

beforeEach(async () => {
  org = await simulatedOrg({ apps: [{ ...simulatedAccounts.app, callbackUrls: [redirect_uri] }] });
});
afterEach(() => org.close());

const authorizeUrl = (query: Record<string, string> = {}) =>
  `${org.simulator.url}/services/oauth2/authorize?${new URLSearchParams({ response_type: "code", client_id: clientId, redirect_uri, state: "s", code_challenge, code_challenge_method: "S256", scope: "api refresh_token", ...query })}`;
const submit = async (form: Record<string, string>) => await fetch(authorizeUrl(), { method: "POST", body: new URLSearchParams(form), redirect: "manual" });
const token = async (params: Record<string, string>) => {
  const response = await fetch(`${org.simulator.url}/services/oauth2/token`, { method: "POST", body: new URLSearchParams({ client_id: clientId, ...params }) });
  return { status: response.status, body: (await response.json()) as Record<string, string> };
};
const code = async () => {
  await fetch(`${org.simulator.url}/__control/oauth`, { method: "POST", body: JSON.stringify({ agreeing: ines }) });
  const response = await fetch(authorizeUrl(), { redirect: "manual" });
  return new URL(response.headers.get("location") ?? "").searchParams.get("code") ?? "";
};
const exchange = async (more: Record<string, string> = {}) =>
  await token({ grant_type: "authorization_code", code: await code(), redirect_uri, code_verifier: verifier, ...more });
const limits = async (session: string | undefined) =>
  (await fetch(`${org.simulator.url}/services/data/v60.0/limits`, { headers: { authorization: `Bearer ${session}` } })).status;
const refused = (error: string, error_description: string) => ({ status: 400, body: { error, error_description } });

describe("the web-server flow", () => {
  it("asks a person, who may allow or deny it [D]", async () => {
    expect(await (await fetch(authorizeUrl())).text()).toContain("Allow access?");
    expect((await submit({ username: ines, password: "wrong" })).status).toBe(401);
    const denied = new URL((await submit({ deny: "1" })).headers.get("location") ?? "");
    expect(Object.fromEntries(denied.searchParams)).toEqual({ error: "access_denied", error_description: "end-user denied authorization", state: "s" });
    const allowed = new URL((await submit({ username: ines, password: simulatedAccounts.humans[0].password })).headers.get("location") ?? "");
    expect(Object.fromEntries(allowed.searchParams)).toEqual({ code: expect.any(String), state: "s" });
  });

  it("shows an error instead of sending a browser to an unknown app or place [D]", async () => {
    for (const query of [{ client_id: "x" }, { redirect_uri: "https://evil.example/" }] as Record<string, string>[])
      expect((await fetch(authorizeUrl(query), { redirect: "manual" })).status).toBe(400);
    const wrong = await fetch(authorizeUrl({ response_type: "nothing" }), { redirect: "manual" });
    expect(new URL(wrong.headers.get("location") ?? "").searchParams.get("error")).toBe("unsupported_response_type");
  });

  it("exchanges a code once, for a session and a refresh token [D]", async () => {
    const given = await code();
    const params = { grant_type: "authorization_code", code: given, redirect_uri, code_verifier: verifier };
    const { status, body } = await token(params);
    expect([status, body]).toMatchObject([
      200,
      { token_type: "Bearer", refresh_token: expect.any(String), instance_url: org.simulator.url, scope: "api refresh_token" },
    ]);
    expect(body).not.toHaveProperty("expires_in");
    expect(await limits(body.access_token)).toBe(200);
    expect(await token(params)).toEqual(refused("invalid_grant", "invalid authorization code"));
  });

  it("refuses a code with the wrong verifier, place, secret or age [K]", async () => {
    expect(await exchange({ code_verifier: "x" })).toEqual(refused("invalid_grant", "invalid code verifier"));
    expect(await exchange({ redirect_uri: "https://other.example/" })).toEqual(refused("redirect_uri_mismatch", "redirect_uri must match configuration"));
    expect(await exchange({ client_secret: "wrong" })).toEqual(refused("invalid_client", "invalid client credentials"));
    expect((await exchange({ client_secret: clientSecret })).status).toBe(200);
    const old = await code();
    org.simulator.server.clock.set({ offsetMs: 16 * 60_000 });
    expect(await token({ grant_type: "authorization_code", code: old, redirect_uri, code_verifier: verifier })).toEqual(
      refused("invalid_grant", "expired authorization code"),
    );
  });

  it("refreshes, until the refresh token is revoked with the sessions that came of it [K]", async () => {
    const { refresh_token = "", access_token = "" } = (await exchange()).body;
    const again = await token({ grant_type: "refresh_token", refresh_token });
    expect(again.body).not.toHaveProperty("refresh_token");
    expect(await limits(again.body.access_token)).toBe(200);
    const revoke = await fetch(`${org.simulator.url}/services/oauth2/revoke`, { method: "POST", body: new URLSearchParams({ token: refresh_token }) });
    expect(revoke.status).toBe(200);
    expect([await limits(access_token), await limits(again.body.access_token)]).toEqual([401, 401]);
    expect(await token({ grant_type: "refresh_token", refresh_token })).toEqual(refused("invalid_grant", "expired access/refresh token"));
  });

  it("may rotate refresh tokens: each is good once [D]", async () => {
    await fetch(`${org.simulator.url}/__control/oauth`, { method: "POST", body: JSON.stringify({ rotate: true }) });
    const { refresh_token: first = "" } = (await exchange()).body;
    const { refresh_token: second = "" } = (await token({ grant_type: "refresh_token", refresh_token: first })).body;
    expect(second).not.toBe(first);
    expect(await token({ grant_type: "refresh_token", refresh_token: first })).toEqual(refused("invalid_grant", "expired access/refresh token"));
    expect((await token({ grant_type: "refresh_token", refresh_token: second })).status).toBe(200);
    await fetch(`${org.simulator.url}/__control/oauth/revoke`, { method: "POST" });
    expect((await token({ grant_type: "refresh_token", refresh_token: second })).status).toBe(400);
  });

  it("gives no refresh token where none was asked for [D]", async () => {
    org.simulator.accounts.agreeing = ines;
    const response = await fetch(authorizeUrl({ scope: "api" }), { redirect: "manual" });
    const given = new URL(response.headers.get("location") ?? "").searchParams.get("code") ?? "";
    const { body } = await token({ grant_type: "authorization_code", code: given, redirect_uri, code_verifier: verifier });
    expect(body).not.toHaveProperty("refresh_token");
  });
});
