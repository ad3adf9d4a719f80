import { createPublicKey, type KeyObject, randomBytes, X509Certificate } from "node:crypto";
import { decodeJwt, errors, jwtVerify } from "jose";
import type { Clock } from "../../simulation/clock.ts";
import type { Tables } from "../../simulation/tables.ts";
import type { Org, Row } from "./org.ts";

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
}

export interface SimulatedUser {
  readonly username: string;
  readonly password: string;
  readonly firstName?: string;
  readonly lastName: string;
  readonly email: string;
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
    this.#apps = apps;
    this.#passwords = new Map(users.map(({ username, password }) => [username.toLowerCase(), password]));
    this.#onLoginHost = onLoginHost;
  }

  /** Answers a token request. Throws {@link TokenError}. */
  async grant(params: URLSearchParams, instanceUrl: string): Promise<Record<string, string>> {
    const userId = await this.#userOf(params, instanceUrl);
    const session = this.open(userId);
    const id = `${instanceUrl}/id/${organizationId}/${userId}`;
    return {
      access_token: session,
      signature: randomBytes(32).toString("base64"),
      scope: "api refresh_token",
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

  open(userId: string): string {
    const token = `${organizationId.slice(0, 15)}!${randomBytes(48).toString("base64url").replaceAll(/[-_]/g, ".")}`;
    this.#sessions.put("__sessions", token, { Id: token, userId, issuedAt: this.#clock.now().getTime() });
    return token;
  }

  /** The user of a session that is still open. */
  userOf(token: string): string | undefined {
    const session = this.#sessions.get("__sessions", token) as (Row & Session) | undefined; // written by `open` alone
    if (session === undefined || this.#clock.now().getTime() - session.issuedAt > this.lifetimeMs) return undefined;
    return session.userId;
  }

  revoke(token: string): boolean {
    return this.#sessions.delete("__sessions", token);
  }

  revokeAll(): void {
    for (const { Id } of [...this.#sessions.rows("__sessions")]) this.revoke(Id);
  }

  async #userOf(params: URLSearchParams, instanceUrl: string): Promise<string> {
    switch (params.get("grant_type")) {
      case jwtBearer:
        return await this.#byAssertion(params.get("assertion") ?? "", instanceUrl);
      case "client_credentials":
        return this.#byClient(params);
      case "password":
        this.#app(params);
        return this.byPassword(params.get("username") ?? "", params.get("password") ?? "");
      case "refresh_token": {
        this.#app(params);
        const row = this.#sessions.get("__refresh", params.get("refresh_token") ?? "");
        if (typeof row?.userId !== "string") throw new TokenError("invalid_grant", "expired access/refresh token");
        return row.userId;
      }
      default:
        throw new TokenError("unsupported_grant_type", "grant type not supported");
    }
  }

  /** A refresh token as the web-server flow would have given it, for tests and demos. */
  refreshToken(username: string): string {
    const token = `5Aep861${randomBytes(40).toString("hex")}`;
    this.#sessions.put("__refresh", token, { Id: token, userId: this.#user(username)?.Id ?? null });
    return token;
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

  #app(params: URLSearchParams): SimulatedApp {
    const app = this.#apps.find(({ clientId }) => clientId === params.get("client_id"));
    if (app === undefined) throw new TokenError("invalid_client_id", "client identifier invalid");
    if (app.clientSecret !== undefined && app.clientSecret !== params.get("client_secret"))
      throw new TokenError("invalid_client", "invalid client credentials");
    return app;
  }

  #user(username: string): Row | undefined {
    return this.#org.rowsWith("User", "Username", username).find(({ IsActive }) => IsActive === true);
  }
}

export const organizationId = "00D5g000000SIMUEA4";

function publicKeyOf(pem: string): KeyObject {
  return pem.includes("CERTIFICATE") ? new X509Certificate(pem).publicKey : createPublicKey(pem);
}
