import { createPrivateKey, type KeyObject } from "node:crypto";
import { SignJWT } from "jose";
import type { Connection } from "jsforce";
import { ConnectorError } from "../errors.ts";
import type { SalesforceConfig } from "./config.ts";

type Auth = SalesforceConfig["auth"];

/** After a new session was refused at once, no other is asked for until this has passed: it would only burn sign-ins. */
const quarantineMs = 30_000;

/** Keeps one session of one account: signs in when needed, once for all who wait, and stops when new sessions are refused too. */
export class Session {
  readonly #connection: Connection;
  readonly #config: SalesforceConfig;
  readonly #secrets: Readonly<Record<string, string>>;
  readonly #hide: (secret: string) => void;
  readonly #now: () => number;
  #signingIn: Promise<void> | undefined;
  #fresh = false;
  #refusedUntil = 0;

  constructor(connection: Connection, config: SalesforceConfig, secrets: Readonly<Record<string, string>>, hide: (secret: string) => void, now: () => number) {
    this.#connection = connection;
    this.#config = config;
    this.#secrets = secrets;
    this.#hide = hide;
    this.#now = now;
  }

  /** The token to call with. Signs in first where there is none. */
  async token(): Promise<string> {
    if (!this.#connection.accessToken) await this.#signIn();
    return this.#connection.accessToken ?? "";
  }

  /** A token other than the one that was refused. Throws AUTH_EXPIRED when that one was brand new. */
  async renewed(refused: string): Promise<string> {
    if (this.#connection.accessToken === refused) {
      if (this.#fresh) this.#refusedUntil = this.#now() + quarantineMs;
      this.#fresh = false;
      if (this.#now() < this.#refusedUntil) throw expired();
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
      if (auth.type === "password" && auth.clientId === undefined) await this.#connection.loginBySoap(auth.username, this.#secret("password"));
      else this.#establish(await this.#connection.oauth2.requestToken(await this.#grant(auth)));
    } catch (error) {
      throw signInError(error, this.#config);
    }
    this.#hide(this.#connection.accessToken ?? "");
    this.#fresh = true;
  }

  /** jsforce's own `authorize` fails where the reply lacks the address of the user; the token is what counts. */
  #establish(reply: unknown): void {
    const { access_token, instance_url, id } = (reply ?? {}) as { access_token?: unknown; instance_url?: unknown; id?: unknown }; // each is looked at
    if (typeof access_token !== "string" || access_token === "") throw new TypeError("no token");
    const [organizationId, userId] = typeof id === "string" ? id.split("/").slice(-2) : [];
    this.#connection._establish({
      accessToken: access_token,
      instanceUrl: typeof instance_url === "string" && instance_url !== "" ? instance_url : this.#config.url,
      ...(typeof id === "string" && organizationId !== undefined && userId !== undefined && { userInfo: { id: userId, organizationId, url: id } }),
    });
  }

  async #grant(auth: Auth): Promise<{ grant_type: string; [name: string]: string }> {
    switch (auth.type) {
      case "jwt-bearer":
        return { grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion: await this.#assertion(auth) };
      case "client-credentials":
        return { grant_type: "client_credentials", client_id: auth.clientId, client_secret: this.#secret("clientSecret") };
      case "password":
        return {
          grant_type: "password",
          client_id: auth.clientId ?? "",
          client_secret: this.#secret("clientSecret"),
          username: auth.username,
          password: this.#secret("password"),
        };
    }
  }

  async #assertion(auth: Extract<Auth, { type: "jwt-bearer" }>): Promise<string> {
    const jwt = new SignJWT({}).setProtectedHeader({ alg: "RS256" }).setIssuer(auth.clientId).setSubject(auth.username);
    const key = privateKeyOf(this.#secret("privateKey"));
    // Salesforce takes assertions that end within five minutes [D]; three leave room for clocks that differ.
    return await jwt
      .setAudience(auth.audience ?? this.#config.url)
      .setExpirationTime("3m")
      .sign(key);
  }

  #secret(name: string): string {
    const secret = this.#secrets[name];
    if (secret === undefined || secret === "")
      throw new ConnectorError("AUTH_CONFIG", { message: `The secret “${name}” of the Salesforce account is not set.` });
    return secret;
  }
}

function privateKeyOf(pem: string): KeyObject {
  let key: KeyObject | undefined;
  try {
    key = createPrivateKey(pem);
  } catch {
    // The parser's own message may quote the key; the one below says enough.
  }
  if (key?.asymmetricKeyType === "rsa") return key;
  throw new ConnectorError("AUTH_CONFIG", {
    message: "The private key of the Salesforce account is not an RSA key in PEM form.",
    advice: "Give the whole key, from -----BEGIN to END-----, without a passphrase.",
  });
}

/** The session was refused although it was renewed. */
export function expired(): ConnectorError {
  return new ConnectorError("AUTH_EXPIRED", {
    message: "Salesforce refused the session, and a new one too.",
    status: 401,
    advice: "Check the session and IP policies of the connected app, and that the user may use the API.",
  });
}

/** What a refused sign-in means, by the error and description that Salesforce gives [R]. */
function signInError(error: unknown, { auth, url }: SalesforceConfig): ConnectorError {
  if (error instanceof ConnectorError) return error;
  // jsforce takes both from the answer, whatever that holds.
  const name = error instanceof Error ? String(error.name ?? "") : "";
  const message = error instanceof Error ? String(error.message ?? "") : "";
  if (name.startsWith("ERROR_HTTP_") || error instanceof TypeError || !/^[\w .':,;/-]{1,200}$/.test(message)) {
    return new ConnectorError("PROTOCOL", { message: `${url} does not answer a sign-in as Salesforce does.`, advice: "Check the address of the org." });
  }
  const app = auth.clientId ?? "";
  const known = signInRefusals.find(({ sign }) => sign.test(`${name} ${message}`));
  if (known === undefined)
    return new ConnectorError("AUTH_CONFIG", { message: `Salesforce refused the sign-in at ${url}: ${message} (${name}).`, platformCode: name, status: 400 });
  return new ConnectorError("AUTH_CONFIG", {
    message: known.say(app, "username" in auth ? auth.username : ""),
    advice: known.advice,
    platformCode: name,
    status: 400,
  });
}

interface Refusal {
  readonly sign: RegExp;
  readonly say: (app: string, username: string) => string;
  readonly advice: string;
}

const signInRefusals: readonly Refusal[] = [
  {
    sign: /invalid_client_id|client identifier invalid/,
    say: (app) => `Salesforce does not know the app with the client id “${app}”.`,
    advice: "Copy the consumer key of the connected app; a new app takes up to ten minutes to be known.",
  },
  {
    sign: /invalid_client\b|invalid client credentials/,
    say: (app) => `Salesforce refused the client secret of the app “${app}”.`,
    advice: "Copy the consumer secret again.",
  },
  {
    sign: /hasn't approved|not approved/,
    say: (app, user) => `The user “${user}” may not use the app “${app}”.`,
    advice: "In the app's policies, choose “Admin approved users are pre-authorized” and add the user's profile or permission set.",
  },
  {
    sign: /audience is invalid/,
    say: () => "Salesforce refused the audience of the signed assertion.",
    advice: "Set `audience` to https://login.salesforce.com, or https://test.salesforce.com for a sandbox.",
  },
  {
    sign: /invalid assertion|expired authorization code/,
    say: (app) =>
      `Salesforce refused the signed assertion: the private key does not belong to the certificate of the app “${app}”, or the clock of this machine is wrong.`,
    advice: "Upload the certificate of this key to the app, and check the clock.",
  },
  {
    sign: /no client credentials user/,
    say: (app) => `The app “${app}” has no user to run as.`,
    advice: "In the app's policies, set “Run As” under client credentials.",
  },
  {
    sign: /not supported on this domain/,
    say: () => "Client credentials do not work at this address.",
    advice: "Use the org's My Domain address (…my.salesforce.com) as url.",
  },
  {
    sign: /authentication failure|INVALID_LOGIN/,
    say: (_, user) => `Salesforce refused the password of “${user}”.`,
    advice:
      "The password must be followed by the security token, unless this machine's address is trusted. Newer orgs block this way of signing in: use jwt-bearer.",
  },
];
