import { generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import type { Context, Hono } from "hono";
import { importSPKI, jwtVerify } from "jose";
import type { SimulatorBindings } from "../../simulation/server.ts";
import { htmlAnswer } from "../../simulation/trouble.ts";
import type { Instance, OAuthClient } from "./instance.ts";
import { mayEnter } from "./sign-in.ts";

const refreshSeconds = 8_640_000;

/**
 * `/oauth_token.do` with the grants password, refresh_token, client_credentials and jwt-bearer, `/oauth_revoke_token.do` and the
 * keys at `/api/now/oauth/jwks` [D]. What is refused is 401 with `error` and `error_description` [K].
 */
export function oauthRoutes(app: Hono<SimulatorBindings>, instance: Instance): void {
  app.post("/oauth_token.do", async (c) => {
    if (instance.settings.hibernating) return htmlAnswer("hibernating", 200);
    if (!(c.req.header("content-type") ?? "").includes("application/x-www-form-urlencoded"))
      return c.json({ error_description: "unspecified error", error: "server_error" }, 401);
    const form = new URLSearchParams(await c.req.text());
    const client = instance.oauthClients.find(({ clientId, clientSecret }) => clientId === form.get("client_id") && clientSecret === form.get("client_secret"));
    if (client === undefined) return refused(c);
    const userName = await userOf(instance, client, form);
    if (userName === undefined || !mayEnter(instance, userName)) return refused(c);
    return c.json(grant(instance, client, userName, form.get("grant_type") === "refresh_token" ? (form.get("refresh_token") ?? "") : undefined));
  });
  app.all("/oauth_revoke_token.do", async (c) => {
    const form = c.req.method === "POST" ? new URLSearchParams(await c.req.text()) : undefined;
    instance.tables.delete("__token", c.req.query("token") ?? form?.get("token") ?? "");
    return c.body(null, 200);
  });
  let key: KeyObject | undefined;
  app.get("/api/now/oauth/jwks", (c) => {
    key ??= generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey;
    return c.json({ keys: [{ ...key.export({ format: "jwk" }), kid: "instance", use: "sig", alg: "RS256" }] });
  });
}

/** Ends every session at once; with `refresh`, refresh tokens too. */
export function endSessions(instance: Instance, withRefreshTokens: boolean): void {
  for (const [token, row] of [...instance.tables.rows("__token")].map((row) => [row.token ?? "", row] as const)) {
    if (row.kind === "access" || (withRefreshTokens && row.kind === "refresh")) instance.tables.delete("__token", token);
  }
}

function refused(c: Context): Response {
  return c.json({ error_description: "access_denied", error: "server_error" }, 401);
}

async function userOf(instance: Instance, client: OAuthClient, form: URLSearchParams): Promise<string | undefined> {
  switch (form.get("grant_type")) {
    case "password": {
      const account = instance.accounts.get(form.get("username") ?? "");
      // Who has to give a second factor cannot sign in with a password alone.
      return account !== undefined && !account.multiFactor && account.password === form.get("password") ? account.userName : undefined;
    }
    case "refresh_token": {
      const row = instance.tables.get("__token", form.get("refresh_token") ?? "");
      const lives = row?.kind === "refresh" && row.clientId === client.clientId && Number(row.expires) > instance.clock.now().getTime();
      return lives ? row.userName : undefined;
    }
    case "client_credentials":
      return instance.settings.clientCredentialsEnabled ? client.userName : undefined;
    case "urn:ietf:params:oauth:grant-type:jwt-bearer":
      return await userOfAssertion(instance, client, form.get("assertion") ?? "");
    default:
      return undefined;
  }
}

/** iss and aud must be the client id, the clock has no tolerance, and a `jti` counts once [D]. */
async function userOfAssertion(instance: Instance, client: OAuthClient, assertion: string): Promise<string | undefined> {
  if (client.publicKey === undefined) return undefined;
  try {
    const key = await importSPKI(client.publicKey, "RS256");
    const { payload } = await jwtVerify(assertion, key, {
      issuer: client.clientId,
      audience: client.clientId,
      clockTolerance: 0,
      currentDate: instance.clock.now(),
      requiredClaims: ["sub", "exp", "jti"],
    });
    const jti = `jti:${payload.jti ?? ""}`;
    if (instance.tables.get("__token", jti) !== undefined || instance.accounts.get(payload.sub ?? "") === undefined) return undefined;
    instance.tables.put("__token", jti, { token: jti, kind: "jti" });
    return payload.sub;
  } catch {
    // Which check failed is not told to whoever asks.
    return undefined;
  }
}

/** Asking again while a token lives gives the same token; a refresh keeps the refresh token [D], unless they are set to rotate. */
function grant(instance: Instance, client: OAuthClient, userName: string, refreshToken: string | undefined): object {
  const now = instance.clock.now().getTime();
  const access =
    living(instance, "access", client, userName, now) ?? issue(instance, "access", client, userName, now + instance.settings.accessTokenSeconds * 1000);
  if (refreshToken !== undefined && instance.settings.refreshTokenRotates) instance.tables.delete("__token", refreshToken);
  const kept = instance.settings.refreshTokenRotates ? undefined : (refreshToken ?? living(instance, "refresh", client, userName, now)?.token);
  const refresh = kept ?? issue(instance, "refresh", client, userName, now + refreshSeconds * 1000).token;
  return {
    access_token: access.token,
    refresh_token: refresh,
    scope: "useraccount",
    token_type: "Bearer",
    expires_in: Math.max(1, Math.floor((access.expires - now) / 1000)),
  };
}

interface Token {
  readonly token: string;
  readonly expires: number;
}

function living(instance: Instance, kind: string, client: OAuthClient, userName: string, now: number): Token | undefined {
  for (const row of instance.tables.rows("__token")) {
    if (row.kind === kind && row.clientId === client.clientId && row.userName === userName && Number(row.expires) > now)
      return { token: row.token ?? "", expires: Number(row.expires) };
  }
  return undefined;
}

function issue(instance: Instance, kind: string, client: OAuthClient, userName: string, expires: number): Token {
  const token = randomBytes(43).toString("base64url");
  instance.tables.put("__token", token, { token, kind, clientId: client.clientId, userName, expires: String(expires) });
  return { token, expires };
}
