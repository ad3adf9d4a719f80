import type { ConnectorError } from "../errors.ts";
import type { HttpAnswer, HttpClient } from "../http.ts";
import type { ServiceNowSettings } from "./config.ts";
import { wordsOf } from "./errors.ts";
import { OAuthSessions } from "./oauth.ts";

/** The header that signs a call. */
export interface Credential {
  readonly name: "authorization" | "x-sn-apikey";
  readonly value: string;
}

/** How calls are signed. */
export interface Authorization {
  /** Signs in when there is no session. */
  credential(): Promise<Credential>;
  /** After 401 for a credential: another one worth trying, or undefined. */
  renew(rejected: Credential): Promise<Credential | undefined>;
  /** A call was let through with it. */
  accepted(credential: Credential): void;
  /** What 401 means once nothing else is worth trying. */
  refusal(answer: HttpAnswer): ConnectorError;
}

export type Secrets = Readonly<Record<string, string>>;

/** Keeps a secret that the platform exchanged for another one: a rotated refresh token. */
export type KeepSecret = (name: string, value: string) => Promise<void>;

export function authorizationFor(auth: ServiceNowSettings["auth"], secrets: Secrets, http: HttpClient, keepSecret?: KeepSecret): Authorization {
  switch (auth.type) {
    case "basic":
      return basic(auth.username, secrets.password ?? "", http);
    case "api-key":
      return apiKey(secrets.apiKey ?? "", http);
    default:
      // The form in which basic authentication carries them; proxies may show it although OAuth is used.
      if (auth.type === "oauth-password") http.hide(basicCredentials(auth.username, secrets.password ?? ""));
      return new OAuthSessions(auth, secrets, http, keepSecret);
  }
}

function basic(username: string, password: string, http: HttpClient): Authorization {
  const credentials = basicCredentials(username, password);
  http.hide(credentials);
  return fixed({ name: "authorization", value: `Basic ${credentials}` }, http, {
    shutOut: `ServiceNow no longer lets the user ${username} in`,
    neverIn: `ServiceNow does not let the user ${username} in with this password`,
    advice:
      "Check user name and password, and that the user is active and not locked out. Where basic authentication is restricted " +
      "(glide.authenticate.basic_auth.restriction), which the answer does not tell, the user needs the role snc_basic_auth_api_access; OAuth is the better way.",
  });
}

/** A key of the REST API access policies, in a header of its own [D]. */
function apiKey(key: string, http: HttpClient): Authorization {
  return fixed({ name: "x-sn-apikey", value: key }, http, {
    shutOut: "ServiceNow no longer takes the API key",
    neverIn: "ServiceNow does not take the API key",
    advice:
      "Check that the key (REST API Key) is active and names an active user, and that an inbound authentication profile of the type API key is " +
      "part of the REST API access policies for the Table, Attachment, Batch and Aggregate APIs, with x-sn-apikey as its header.",
  });
}

/** A credential that cannot be renewed. */
function fixed(
  credential: Credential,
  http: HttpClient,
  words: { readonly shutOut: string; readonly neverIn: string; readonly advice: string },
): Authorization {
  let worked = false;
  return {
    credential: async () => credential,
    // An account that was let in before may have met a passing fault; one that never was would only be locked out sooner.
    renew: async () => (worked ? credential : undefined),
    accepted: () => {
      worked = true;
    },
    refusal: (answer) => {
      const { message, detail } = wordsOf(answer.body);
      const said = [message, detail].filter((text) => text !== "" && !commonplace.test(text)).join(": ");
      const reason = secondFactor(answer) ? secondFactorReason : said;
      return http.error(worked ? "AUTH_EXPIRED" : "AUTH_CONFIG", {
        message: `${worked ? words.shutOut : words.neverIn}${reason === "" ? "" : `: ${reason}`}.`,
        advice: secondFactor(answer) ? secondFactorAdvice : words.advice,
        status: answer.status,
      });
    },
  };
}

/** What every 401 says [R]: it tells people nothing. */
const commonplace = /^(User Not Authenticated|Required to provide Auth information)$/i;

/** The platform asks for a second factor by this header [D]. */
function secondFactor(answer: HttpAnswer): boolean {
  return answer.headers["x-mfa_token"] !== undefined || /multi-?factor|\bMFA\b/i.test(JSON.stringify(answer.body ?? ""));
}

const secondFactorReason = "multi-factor authentication is asked of this user";
const secondFactorAdvice =
  "Exempt the integration user from multi-factor authentication (“Web service access only”), or sign in by OAuth with a JWT or client credentials.";

function basicCredentials(username: string, password: string): string {
  return Buffer.from(`${username}:${password}`).toString("base64");
}
