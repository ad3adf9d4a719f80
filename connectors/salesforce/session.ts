import type { Connection } from "jsforce";
import { ConnectorError } from "../errors.ts";
import type { SalesforceConfig } from "./config.ts";
import { grantOf, privateKeys, type Secrets, secretOf } from "./grant.ts";
import { signInError } from "./sign-in-errors.ts";

/** After a new session was refused at once, no other is asked for until this has passed: it would only burn sign-ins. */
const quarantineMs = 30_000;

export interface SessionOptions {
  /** Told of each secret that came up, so that it stays out of errors. */
  readonly hide: (secret: string) => void;
  /** Takes secrets out of the platform's own words. */
  readonly redact: (text: string) => string;
  readonly now: () => number;
  /** Keeps a secret that the platform replaced; it is used only once that is done. */
  readonly keepSecret: (name: string, value: string) => Promise<void>;
}

/** Keeps one session of one account: signs in when needed, once for all who wait, and stops when new sessions are refused too. */
export class Session {
  readonly #connection: Connection;
  readonly #config: SalesforceConfig;
  readonly #options: SessionOptions;
  #secrets: Secrets;
  /** Which of several private keys the app knows. */
  #key = 0;
  #signingIn: Promise<void> | undefined;
  #fresh = false;
  #refusedUntil = 0;

  constructor(connection: Connection, config: SalesforceConfig, secrets: Secrets, options: SessionOptions) {
    this.#connection = connection;
    this.#config = config;
    this.#secrets = secrets;
    this.#options = options;
  }

  /** The token to call with. Signs in first where there is none. */
  async token(): Promise<string> {
    if (!this.#connection.accessToken) await this.#signIn();
    return this.#connection.accessToken ?? "";
  }

  /** A token other than the one that was refused. Throws AUTH_EXPIRED when that one was brand new. */
  async renewed(refused: string): Promise<string> {
    if (this.#connection.accessToken === refused) {
      if (this.#fresh) this.#refusedUntil = this.#options.now() + quarantineMs;
      this.#fresh = false;
      if (this.#options.now() < this.#refusedUntil) throw expired();
      await this.#signIn();
    } else if (this.#signingIn !== undefined) await this.#signingIn;
    return this.#connection.accessToken ?? "";
  }

  /** Says that a call was let in with the present session. */
  worked(): void {
    this.#fresh = false;
    this.#refusedUntil = 0;
  }

  async #signIn(): Promise<void> {
    this.#signingIn ??= this.#authorize().finally(() => {
      this.#signingIn = undefined;
    });
    await this.#signingIn;
  }

  async #authorize(): Promise<void> {
    const { auth } = this.#config;
    try {
      if (auth.type === "password" && auth.clientId === undefined) await this.#connection.loginBySoap(auth.username, secretOf(this.#secrets, "password"));
      else await this.#establish(await this.#token());
    } catch (error) {
      throw signInError(error, this.#config, this.#options.redact);
    }
    this.#options.hide(this.#connection.accessToken ?? "");
    this.#fresh = true;
  }

  /** Asks for a token; with each of several private keys in turn, until one is the app's. */
  async #token(): Promise<unknown> {
    const { auth } = this.#config;
    const keys = auth.type === "jwt-bearer" ? privateKeys(secretOf(this.#secrets, "privateKey")).length : 1;
    for (let tried = 1; ; tried++) {
      try {
        return await this.#connection.oauth2.requestToken(await grantOf(this.#config, this.#secrets, this.#key));
      } catch (error) {
        if (tried >= keys || !(error instanceof Error) || !/invalid assertion/.test(error.message)) throw error;
        this.#key = (this.#key + 1) % keys;
      }
    }
  }

  /** jsforce's own `authorize` fails where the reply lacks the address of the user [X]; the token is what counts. */
  async #establish(reply: unknown): Promise<void> {
    const { access_token, instance_url, id, refresh_token } = (reply ?? {}) as Record<string, unknown>; // each is looked at
    if (typeof access_token !== "string" || access_token === "") throw new TypeError("no token");
    if (typeof refresh_token === "string" && refresh_token !== "" && refresh_token !== this.#secrets["refreshToken"]) await this.#replaced(refresh_token);
    const [organizationId, userId] = typeof id === "string" ? id.split("/").slice(-2) : [];
    this.#connection._establish({
      accessToken: access_token,
      instanceUrl: typeof instance_url === "string" && instance_url !== "" ? instance_url : this.#config.url,
      ...(typeof id === "string" && organizationId !== undefined && userId !== undefined && { userInfo: { id: userId, organizationId, url: id } }),
    });
  }

  /** An app may give a new refresh token with each use and end the old one: the new one must not be lost. */
  async #replaced(refreshToken: string): Promise<void> {
    if (this.#config.auth.type !== "web-server") return;
    this.#options.hide(refreshToken);
    this.#secrets = { ...this.#secrets, refreshToken };
    await this.#options.keepSecret("refreshToken", refreshToken);
  }
}

/** The session was refused although it was renewed. */
export function expired(): ConnectorError {
  return new ConnectorError("AUTH_EXPIRED", {
    message: "Salesforce refused the session, and a new one too.",
    status: 401,
    advice: "Check the session and IP policies of the connected app, and that the user may use the API.",
  });
}
