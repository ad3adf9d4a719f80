import { createPublicKey, type KeyObject, randomBytes, X509Certificate } from "node:crypto";
import { decodeJwt, errors, jwtVerify } from "jose";
import type { Clock } from "../../simulation/clock.ts";
import type { Tables } from "../../simulation/tables.ts";
import type { Org, Row } from "./org.ts";
import { WebServerFlow } from "./web-server-flow.ts";

/** A connected app of the org. */
export interface SimulatedApp {
  readonly clientId: string;
  readonly clientSecret?: string;
  /** The certificate or public key (PEM) that signed assertions are checked with. */
  readonly publicKey?: string;
  /** The username that client credentials act as; absent = none set up. */
  readonly runAs?: string;
  /** Usernames that approved the app; absent = everybody. */
  readonly approved?: readonly string[];
  /** Where the web-server flow may send a browser back to; absent = anywhere. */
  readonly callbackUrls?: readonly string[];
}

export interface SimulatedUser {
  readonly username: string;
  readonly password: string;
  readonly firstName?: string;
  readonly lastName: string;
  readonly email: string;
  /** `System Administrator`, `Standard User` (unless said) or `API Only`. */
  readonly profile?: string;
}

/** The error of a token request: `{error, error_description}` with HTTP 400 [R]. */
export class TokenError extends Error {
  readonly error: string;

  constructor(error: string, description: string) {
    super(description);
    this.error = error;
  }
}

interface Session {
  readonly userId: string;
  readonly issuedAt: number;
}

const jwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const publicHosts = ["https://login.salesforce.com", "https://test.salesforce.com"];

/** Who may sign in, and the sessions that are open. Sessions are kept with the records, so that a restart does not end them. */
export class Accounts {
  /** How long a session lasts; the real policy is 15 minutes to 24 hours, two hours unless changed [D]. */
  lifetimeMs = 7_200_000;
  /** Codes and refresh tokens of people who agreed in a browser. */
  readonly web: WebServerFlow;
  /** The user who agrees to every request of the web-server flow at once, without being asked; set by control. */
  agreeing: string | undefined;
  readonly #apps: readonly SimulatedApp[];
  readonly #passwords: ReadonlyMap<string, string>;
  readonly #org: Org;
  readonly #sessions: Tables<Row>;
  readonly #clock: Clock;
  readonly #onLoginHost: boolean;

  constructor(org: Org, apps: readonly SimulatedApp[], users: readonly SimulatedUser[], onLoginHost: boolean) {
    this.#org = org;
    this.#sessions = org.tables;
    this.#clock = org.clock;
    this.web = new WebServerFlow(org.tables, () => org.clock.now().getTime());
    this.#apps = apps;
    this.#passwords = new Map(users.map(({ username, password }) => [username.toLowerCase(), password]));
    this.#onLoginHost = onLoginHost;
  }

  /** Answers a token request. Throws {@link TokenError}. */
  async grant(params: URLSearchParams, instanceUrl: string): Promise<Record<string, string>> {
    const { userId, refreshToken, scope = "api refresh_token" } = await this.#granted(params, instanceUrl);
    const session = this.open(userId, params.get("client_id") ?? undefined);
    const id = `${instanceUrl}/id/${organizationId}/${userId}`;
    return {
      access_token: session,
      ...(refreshToken !== undefined && { refresh_token: refreshToken }),
      signature: randomBytes(32).toString("base64"),
      scope,
      instance_url: instanceUrl,
      id,
      token_type: "Bearer",
      issued_at: String(this.#clock.now().getTime()),
    };
  }

  /** A user's id by password, for SOAP sign-in. Throws {@link TokenError}. */
  byPassword(username: string, password: string): string {
    const user = this.#user(username);
    if (user === undefined || this.#passwords.get(username.toLowerCase()) !== password) throw new TokenError("invalid_grant", "authentication failure");
    return user.Id;
  }

  open(userId: string, clientId?: string): string {
    const token = `${organizationId.slice(0, 15)}!${randomBytes(48).toString("base64url").replaceAll(/[-_]/g, ".")}`;
    this.#sessions.put("__sessions", token, { Id: token, userId, clientId: clientId ?? null, issuedAt: this.#clock.now().getTime() });
    return token;
  }

  /** The user of a session that is still open. */
  userOf(token: string): string | undefined {
    const session = this.#sessions.get("__sessions", token) as (Row & Session) | undefined; // written by `open` alone
    if (session === undefined || this.#clock.now().getTime() - session.issuedAt > this.lifetimeMs) return undefined;
    return session.userId;
  }

  /** Ends a session, or a refresh token with the sessions that its app has of its user. False where it is neither. */
  revoke(token: string): boolean {
    const ended = this.web.revoke(token);
    if (ended === undefined) return this.#sessions.delete("__sessions", token);
    for (const { Id, userId, clientId } of [...this.#sessions.rows("__sessions")])
      if (userId === ended.userId && clientId === ended.clientId) this.#sessions.delete("__sessions", Id);
    return true;
  }

  revokeAll(): void {
    for (const { Id } of [...this.#sessions.rows("__sessions")]) this.revoke(Id);
  }

  async #granted(params: URLSearchParams, instanceUrl: string): Promise<{ userId: string; refreshToken?: string | undefined; scope?: string }> {
    switch (params.get("grant_type")) {
      case jwtBearer:
        return { userId: await this.#byAssertion(params.get("assertion") ?? "", instanceUrl) };
      case "client_credentials":
        return { userId: this.#byClient(params) };
      case "password":
        this.#app(params);
        return { userId: this.byPassword(params.get("username") ?? "", params.get("password") ?? "") };
      case "authorization_code":
        this.#app(params, true);
        return this.web.exchange(params);
      case "refresh_token":
        this.#app(params, true);
        return this.web.refresh(params);
      default:
        throw new TokenError("unsupported_grant_type", "grant type not supported");
    }
  }

  /** A refresh token as the web-server flow would have given it, for tests and demos. */
  refreshToken(username: string): string {
    return this.web.refreshToken(this.#user(username)?.Id ?? "", this.#apps[0]?.clientId ?? "");
  }

  /** The app that a browser was sent by. Throws {@link TokenError} where it is unknown or may not be sent back there. */
  appFor(clientId: string, redirectUri: string): SimulatedApp {
    const app = this.#apps.find((app) => app.clientId === clientId);
    if (app === undefined) throw new TokenError("invalid_client_id", "client identifier invalid");
    if (app.callbackUrls !== undefined && !app.callbackUrls.includes(redirectUri))
      throw new TokenError("redirect_uri_mismatch", "redirect_uri must match configuration");
    return app;
  }

  /** The id of a user who may sign in. */
  idOf(username: string): string | undefined {
    return this.#user(username)?.Id;
  }

  async #byAssertion(assertion: string, instanceUrl: string): Promise<string> {
    let claims: ReturnType<typeof decodeJwt>;
    try {
      claims = decodeJwt(assertion);
    } catch {
      throw new TokenError("invalid_grant", "invalid assertion");
    }
    const app = this.#apps.find(({ clientId }) => clientId === claims.iss);
    if (app === undefined) throw new TokenError("invalid_client_id", "client identifier invalid");
    if (app.publicKey === undefined) throw new TokenError("invalid_grant", "invalid assertion");
    const audiences = [instanceUrl, ...publicHosts];
    try {
      await jwtVerify(assertion, publicKeyOf(app.publicKey), { algorithms: ["RS256"], audience: audiences, clockTolerance: 5 });
    } catch (error) {
      if (error instanceof errors.JWTClaimValidationFailed && error.claim === "aud") throw new TokenError("invalid_grant", "audience is invalid");
      if (error instanceof errors.JWTExpired) throw new TokenError("invalid_grant", "expired authorization code");
      throw new TokenError("invalid_grant", "invalid assertion");
    }
    // Real time, not the simulator's clock: a test that stops the clock still has to sign in.
    const ahead = (claims.exp ?? 0) - Date.now() / 1000;
    if (ahead > 305) throw new TokenError("invalid_grant", "invalid assertion");
    const username = claims.sub ?? "";
    const user = this.#user(username);
    const approved = app.approved === undefined || app.approved.some((name) => name.toLowerCase() === username.toLowerCase());
    if (user === undefined || !approved) throw new TokenError("invalid_grant", "user hasn't approved this consumer");
    return user.Id;
  }

  #byClient(params: URLSearchParams): string {
    if (this.#onLoginHost) throw new TokenError("invalid_grant", "request not supported on this domain");
    const user = this.#user(this.#app(params).runAs ?? "");
    if (user === undefined) throw new TokenError("invalid_grant", "no client credentials user enabled");
    return user.Id;
  }

  /** The app of a token request. One that proves itself by PKCE need not send its secret [D]. */
  #app(params: URLSearchParams, publicToo = false): SimulatedApp {
    const app = this.#apps.find(({ clientId }) => clientId === params.get("client_id"));
    if (app === undefined) throw new TokenError("invalid_client_id", "client identifier invalid");
    const secret = params.get("client_secret");
    if (app.clientSecret !== undefined && app.clientSecret !== secret && !(publicToo && secret === null && provesItself(params)))
      throw new TokenError("invalid_client", "invalid client credentials");
    return app;
  }

  #user(username: string): Row | undefined {
    return this.#org.rowsWith("User", "Username", username).find(({ IsActive }) => IsActive === true);
  }
}

function provesItself(params: URLSearchParams): boolean {
  return params.has("code_verifier") || params.get("grant_type") === "refresh_token";
}

export const organizationId = "00D5g000000SIMUEA4";

function publicKeyOf(pem: string): KeyObject {
  return pem.includes("CERTIFICATE") ? new X509Certificate(pem).publicKey : createPublicKey(pem);
}
