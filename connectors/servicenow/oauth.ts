import { z } from "zod";
import type { ConnectorError } from "../errors.ts";
import type { HttpAnswer, HttpClient } from "../http.ts";
import { jwtAssertion } from "./assertion.ts";
import type { Authorization, Credential, KeepSecret, Secrets } from "./authorization.ts";
import type { ServiceNowSettings } from "./config.ts";
import { refusalOf } from "./errors.ts";

export type OAuthSettings = Exclude<ServiceNowSettings["auth"], { type: "basic" | "api-key" }>;

interface Session {
  readonly credential: Credential;
  readonly endsAt: number;
  /** A call was let through with it. */
  proven: boolean;
}

/** After a new session was refused at once, no other is asked for until this has passed: it would only burn sign-ins. */
const quarantineMs = 30_000;
const tokenAnswer = z.looseObject({
  access_token: z.string().min(1),
  refresh_token: z.string().min(1).optional(),
  expires_in: z.coerce.number().optional(),
});
const jwtGrant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/** Beyond it, a clock that differs from the instance's is why an assertion was refused: the platform has no tolerance [D]. */
const clockDifferenceMs = 1500;

/**
 * Keeps one session: signs in when needed, once for all who wait. The platform gives the same token until it ends [D], so a
 * token is fetched again only when it is refused or its time is over; by the refresh token first, where one was given.
 */
export class OAuthSessions implements Authorization {
  readonly #auth: OAuthSettings;
  readonly #secrets: Secrets;
  readonly #http: HttpClient;
  readonly #keepSecret: KeepSecret | undefined;
  #session: Session | undefined;
  #refreshToken: string | undefined;
  /** The refresh token that the next start of the node would begin with. */
  #keptToken: string | undefined;
  #signingIn: Promise<Credential> | undefined;
  #refusedUntil = 0;

  constructor(auth: OAuthSettings, secrets: Secrets, http: HttpClient, keepSecret: KeepSecret | undefined) {
    this.#auth = auth;
    this.#secrets = secrets;
    this.#http = http;
    this.#keepSecret = keepSecret;
    if (auth.type === "refresh-token") {
      this.#refreshToken = secrets.refreshToken;
      this.#keptToken = secrets.refreshToken;
    }
  }

  async credential(): Promise<Credential> {
    if (Date.now() < this.#refusedUntil) throw this.refusal({ status: 401, headers: {}, body: undefined });
    const session = this.#session;
    return session !== undefined && session.endsAt > Date.now() ? session.credential : await this.#signIn();
  }

  async renew(rejected: Credential): Promise<Credential | undefined> {
    if (this.#signingIn !== undefined) return await this.#signingIn;
    const session = this.#session;
    if (session !== undefined && session.credential.value !== rejected.value) return session.credential;
    // A session that never worked would be followed by others that do not.
    const fresh = session?.proven === false || Date.now() < this.#refusedUntil ? rejected : await this.#signIn();
    if (fresh.value !== rejected.value) return fresh;
    if (this.#session?.proven === true) {
      // The platform says that a session which has worked still lives: the refusal may pass, and is believed the second time.
      this.#session.proven = false;
      return fresh;
    }
    this.#refusedUntil = Math.max(this.#refusedUntil, Date.now() + quarantineMs);
    this.#session = undefined;
    return undefined;
  }

  accepted(credential: Credential): void {
    if (this.#session?.credential.value === credential.value) this.#session.proven = true;
    this.#refusedUntil = 0;
  }

  refusal(answer: HttpAnswer): ConnectorError {
    return this.#http.error("AUTH_EXPIRED", {
      message: `ServiceNow refuses the session (${this.#who}), also after a fresh sign-in.`,
      advice: "Check that the user is active, may use the REST API, and that the OAuth application is active.",
      status: answer.status,
    });
  }

  get #who(): string {
    return "username" in this.#auth ? `client ${this.#auth.clientId}, user ${this.#auth.username}` : `client ${this.#auth.clientId}`;
  }

  #signIn(): Promise<Credential> {
    // All callers that wait for a session share one sign-in.
    this.#signingIn ??= this.#authorize().finally(() => {
      this.#signingIn = undefined;
    });
    return this.#signingIn;
  }

  async #authorize(): Promise<Credential> {
    // A session that was refused before its time was revoked, and its refresh token with it; where there is nothing else, it is tried.
    const ended = this.#session === undefined || this.#session.endsAt <= Date.now();
    if (this.#refreshToken !== undefined && (ended || this.#auth.type === "refresh-token")) {
      const answer = await this.#ask({ grant_type: "refresh_token", refresh_token: this.#refreshToken });
      if (isToken(answer) || this.#auth.type === "refresh-token") return await this.#established(answer);
      this.#refreshToken = undefined;
    }
    const assumed = this.#http.now().getTime();
    const answer = await this.#ask(await this.#grant());
    const learnt = Math.abs(this.#http.now().getTime() - Date.now()) > clockDifferenceMs && Math.abs(assumed - Date.now()) <= clockDifferenceMs;
    // Only now is it known what time the instance has.
    if (!isToken(answer) && this.#auth.type === "jwt-bearer" && learnt) return await this.#established(await this.#ask(await this.#grant()));
    return await this.#established(answer);
  }

  async #grant(): Promise<Record<string, string>> {
    const auth = this.#auth;
    switch (auth.type) {
      case "oauth-password":
        return { grant_type: "password", username: auth.username, password: this.#secrets.password ?? "" };
      case "client-credentials":
        return { grant_type: "client_credentials" };
      case "jwt-bearer": {
        const assertion = await jwtAssertion(auth, this.#secrets.privateKey ?? "", this.#http.now());
        this.#http.hide(assertion);
        return { grant_type: jwtGrant, assertion };
      }
      case "refresh-token":
        throw this.#http.error("AUTH_CONFIG", { message: `The secret “refreshToken” of the ServiceNow account (${this.#who}) is not set.` });
    }
  }

  async #ask(grant: Readonly<Record<string, string>>): Promise<HttpAnswer> {
    const form = new URLSearchParams({ ...grant, client_id: this.#auth.clientId, client_secret: this.#secrets.clientSecret ?? "" });
    const answer = await this.#http.send({
      method: "POST",
      path: "/oauth_token.do",
      // JSON is answered with “unspecified error” [D].
      body: { type: "application/x-www-form-urlencoded", data: form.toString() },
      idempotent: true,
      changes: false,
    });
    if (answer.status === 429 || answer.status >= 500) throw refusalOf(this.#http, answer, { what: `sign in (${this.#who})`, write: false });
    return answer;
  }

  async #established(answer: HttpAnswer): Promise<Credential> {
    const token = tokenAnswer.safeParse(answer.body);
    if (!token.success || answer.status >= 300) throw this.#refused(answer);
    const { access_token, refresh_token, expires_in = 1800 } = token.data;
    this.#http.hide(access_token);
    if (refresh_token !== undefined && refresh_token !== this.#refreshToken) {
      this.#http.hide(refresh_token);
      this.#refreshToken = refresh_token;
    }
    // The one before no longer counts; without this one the next start of the node could not sign in.
    if (this.#auth.type === "refresh-token" && refresh_token !== undefined && refresh_token !== this.#keptToken) {
      await this.#keepSecret?.("refreshToken", refresh_token);
      this.#keptToken = refresh_token;
    }
    const credential: Credential = { name: "authorization", value: `Bearer ${access_token}` };
    const known = this.#session?.credential.value === credential.value && this.#session.proven;
    this.#session = { credential, endsAt: Date.now() + expires_in * 1000, proven: known };
    return credential;
  }

  #refused(answer: HttpAnswer): ConnectorError {
    const said = z.looseObject({ error: z.unknown(), error_description: z.unknown() }).safeParse(answer.body);
    const words = said.success ? [said.data.error, said.data.error_description].filter((text) => typeof text === "string").join(", ") : "";
    return this.#http.error("AUTH_CONFIG", {
      message: `ServiceNow refused the sign-in (${this.#who})${words === "" ? "" : `: ${words}`}.`,
      advice: adviceFor[this.#auth.type],
      status: answer.status,
    });
  }
}

const adviceFor: Readonly<Record<OAuthSettings["type"], string>> = {
  "oauth-password": "Check client id, client secret, user name and password of the OAuth application, and that no second factor is asked of the user.",
  "client-credentials":
    "Check client id and secret, that glide.oauth.inbound.client.credential.grant_type.enabled is true, and that the OAuth application names its user.",
  "jwt-bearer":
    "Check client id and secret, that the certificate of the private key is a verifier of the OAuth JWT endpoint (with this key id, if one is given), " +
    "that its user field holds this user name, and that the clocks agree.",
  "refresh-token":
    "Refresh tokens end after a hundred days, or when they are revoked: have a new one given out for this OAuth application, and check client id and secret.",
};

function isToken(answer: HttpAnswer): boolean {
  return answer.status < 300 && tokenAnswer.safeParse(answer.body).success;
}
