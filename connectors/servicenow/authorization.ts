import { z } from "zod";
import type { ConnectorError } from "../errors.ts";
import type { HttpAnswer, HttpClient } from "../http.ts";
import type { ServiceNowSettings } from "./config.ts";
import { refusalOf } from "./errors.ts";

/** How calls are signed. */
export interface Authorization {
  /** The header's value; signs in when there is no session. */
  header(): Promise<string>;
  /** After 401 for a header: another one worth trying, or undefined. */
  renew(rejected: string): Promise<string | undefined>;
  /** A call was let through. */
  accepted(): void;
  /** What 401 means once nothing else is worth trying. */
  refusal(answer: HttpAnswer): ConnectorError;
}

export type Secrets = Readonly<Record<string, string>>;

export function authorizationFor(auth: ServiceNowSettings["auth"], secrets: Secrets, http: HttpClient): Authorization {
  // The form in which basic authentication carries them; proxies may show it although OAuth is used.
  if (auth.type !== "client-credentials") http.hide(basicCredentials(auth.username, secrets.password ?? ""));
  return auth.type === "basic" ? basic(auth.username, secrets.password ?? "", http) : oauth(auth, secrets, http);
}

function basic(username: string, password: string, http: HttpClient): Authorization {
  const credentials = basicCredentials(username, password);
  let worked = false;
  return {
    header: async () => `Basic ${credentials}`,
    // An account that was let in before may have met a passing fault; one that never was would only be locked out sooner.
    renew: async (rejected) => (worked ? rejected : undefined),
    accepted: () => {
      worked = true;
    },
    refusal: (answer) =>
      http.error(worked ? "AUTH_EXPIRED" : "AUTH_CONFIG", {
        message: worked ? `ServiceNow no longer lets the user ${username} in.` : `ServiceNow does not let the user ${username} in with this password.`,
        advice:
          "Check user name and password. Where basic authentication is restricted, the user needs the role snc_basic_auth_api_access; OAuth is the better way.",
        status: answer.status,
      }),
  };
}

function basicCredentials(username: string, password: string): string {
  return Buffer.from(`${username}:${password}`).toString("base64");
}

const tokenAnswer = z.looseObject({ access_token: z.string().min(1), expires_in: z.coerce.number().optional() });

/** The platform gives the same token until it ends [D], so it is fetched again only when it is refused or its time is over. */
function oauth(auth: Exclude<ServiceNowSettings["auth"], { type: "basic" }>, secrets: Secrets, http: HttpClient): Authorization {
  let session: { readonly header: string; readonly endsAt: number } | undefined;
  let signingIn: Promise<string> | undefined;
  const who = auth.type === "oauth-password" ? `client ${auth.clientId}, user ${auth.username}` : `client ${auth.clientId}`;
  const signIn = (): Promise<string> => {
    // All callers that wait for a session share one sign-in.
    signingIn ??= requestToken(auth, secrets, http, who)
      .then((fresh) => {
        session = fresh;
        return fresh.header;
      })
      .finally(() => {
        signingIn = undefined;
      });
    return signingIn;
  };
  return {
    header: async () => (session !== undefined && session.endsAt > Date.now() ? session.header : await signIn()),
    renew: async (rejected) => {
      if (session !== undefined && session.header !== rejected) return session.header;
      const fresh = await signIn();
      return fresh === rejected ? undefined : fresh;
    },
    accepted: () => undefined,
    refusal: (answer) =>
      http.error("AUTH_EXPIRED", {
        message: `ServiceNow refuses the session (${who}), also after a fresh sign-in.`,
        advice: "Check that the user is active, may use the REST API, and that the OAuth application is active.",
        status: answer.status,
      }),
  };
}

async function requestToken(
  auth: Exclude<ServiceNowSettings["auth"], { type: "basic" }>,
  secrets: Secrets,
  http: HttpClient,
  who: string,
): Promise<{ readonly header: string; readonly endsAt: number }> {
  const form = new URLSearchParams({ client_id: auth.clientId, client_secret: secrets.clientSecret ?? "" });
  if (auth.type === "client-credentials") form.set("grant_type", "client_credentials");
  else {
    form.set("grant_type", "password");
    form.set("username", auth.username);
    form.set("password", secrets.password ?? "");
  }
  const answer = await http.send({
    method: "POST",
    path: "/oauth_token.do",
    body: { type: "application/x-www-form-urlencoded", data: form.toString() },
    idempotent: true,
  });
  const token = tokenAnswer.safeParse(answer.body);
  if (token.success && answer.status < 300) {
    http.hide(token.data.access_token);
    return { header: `Bearer ${token.data.access_token}`, endsAt: Date.now() + (token.data.expires_in ?? 1800) * 1000 };
  }
  if (answer.status === 429 || answer.status >= 500) throw refusalOf(http, answer, { what: `sign in (${who})`, write: false });
  const said = z.looseObject({ error: z.string().optional(), error_description: z.string().optional() }).safeParse(answer.body);
  const words = said.success ? [said.data.error, said.data.error_description].filter((text) => text !== undefined).join(", ") : "";
  throw http.error("AUTH_CONFIG", {
    message: `ServiceNow refused the sign-in (${who})${words === "" ? "" : `: ${words}`}.`,
    advice:
      auth.type === "oauth-password"
        ? "Check client id, client secret, user name and password of the OAuth application."
        : "Check client id and secret, that glide.oauth.inbound.client.credential.grant_type.enabled is true, and that the OAuth application names its user.",
    status: answer.status,
  });
}
