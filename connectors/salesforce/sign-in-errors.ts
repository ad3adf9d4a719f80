import { ConnectorError, type ConnectorErrorCode } from "../errors.ts";
import type { SalesforceConfig } from "./config.ts";

/** What a refused sign-in means, by the error and description that Salesforce gives [R]; for anything but an error of jsforce or ours it is no answer of Salesforce. */
export function signInError(error: unknown, { auth, url }: Pick<SalesforceConfig, "auth" | "url">, redact: (text: string) => string): ConnectorError {
  if (error instanceof ConnectorError) return error;
  // jsforce takes both from the answer, whatever that holds.
  const name = error instanceof Error ? String(error.name ?? "") : "";
  const message = error instanceof Error ? String(error.message ?? "") : "";
  // An error of OAuth has a code for a name, and may be described in any words; a fault of SOAP has words alone.
  const isCode = /^[a-z]\w{2,60}$/i.test(name) && !/^(ERROR_HTTP_|(\w*Error)$)/.test(name);
  if (error instanceof TypeError || !(isCode || /^[\w .':,;/-]{1,200}$/.test(message)) || name.startsWith("ERROR_HTTP_")) {
    return new ConnectorError("PROTOCOL", { message: `${url} does not answer a sign-in as Salesforce does.`, advice: "Check the address of the org." });
  }
  return refusedSignIn(name, redact(message).replace(/\s+/g, " ").slice(0, 300), { auth, url });
}

/** The same for a refusal whose error and description are known. */
export function refusedSignIn(name: string, message: string, { auth, url }: Pick<SalesforceConfig, "auth" | "url">): ConnectorError {
  const app = auth.clientId ?? "";
  const known = refusals.find(({ sign }) => sign.test(`${name} ${message}`));
  if (known === undefined)
    return new ConnectorError("AUTH_CONFIG", {
      message: `Salesforce refused the sign-in at ${url}: ${message === "" ? "no reason was given" : message} (${name}).`,
      platformCode: name,
      status: 400,
    });
  return new ConnectorError(known.code ?? "AUTH_CONFIG", {
    message: known.say(app, "username" in auth ? auth.username : "", url),
    advice: known.advice,
    platformCode: name,
    status: 400,
    ...(known.code === "THROTTLED" && { retryAfterMs: 300_000 }),
  });
}

interface Refusal {
  readonly sign: RegExp;
  readonly say: (app: string, username: string, url: string) => string;
  readonly advice: string;
  readonly code?: ConnectorErrorCode;
}

const refusals: readonly Refusal[] = [
  {
    sign: /unknown_error|retry your request|server_error|temporarily_unavailable/i,
    say: (_app, _user, url) => `The sign-in at ${url} does not work for now.`,
    advice: "Nothing has to be done unless this lasts.",
    code: "TRANSIENT",
  },
  {
    sign: /invalid_client_id|client identifier invalid/,
    say: (app) => `Salesforce does not know the app with the client id “${app}”.`,
    advice: "Copy the consumer key of the connected app; a new app takes up to ten minutes to be known. An app of a sandbox is not known elsewhere.",
  },
  {
    sign: /invalid_client\b|invalid client credentials/,
    say: (app) => `Salesforce refused the client secret of the app “${app}”.`,
    advice: "Copy the consumer secret again.",
  },
  {
    sign: /hasn't approved|not approved|invalid_app_access|not admin approved/,
    say: (app, user) => (user === "" ? `This user may not use the app “${app}”.` : `The user “${user}” may not use the app “${app}”.`),
    advice: "In the app's policies, choose “Admin approved users are pre-authorized” and add the user's profile or permission set.",
  },
  {
    sign: /audience is invalid/,
    say: () => "Salesforce refused the audience of the signed assertion.",
    advice: "Set `audience` to https://login.salesforce.com, or https://test.salesforce.com for a sandbox.",
  },
  {
    sign: /expired access\/refresh token|inactive refresh token|token validity expired/,
    say: (app) => `The sign-in to the app “${app}” has ended: its refresh token was revoked, replaced or ran out.`,
    advice: "Sign in again in the console; let the app's policies keep refresh tokens until they are revoked.",
  },
  {
    sign: /invalid authorization code|invalid code verifier|redirect_uri_mismatch|redirect_uri must match/,
    say: (app) => `Salesforce did not accept what the browser brought back for the app “${app}”.`,
    advice: "Start the sign-in again, and check that the app's callback URL is the one that the console shows.",
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
    sign: /app_not_found|OAUTH_EC_APP_NOT_FOUND|must be installed into|app (is )?blocked|oauth_app_blocked/i,
    say: (app) => `The app “${app}” is not installed in this org, or blocked there.`,
    advice:
      "Install the app in the org and unblock it in “Connected Apps OAuth Usage”; new connected apps are disabled by default, external client apps are not.",
  },
  {
    sign: /inactive_org|organization (is )?(locked|inactive)|org(anization)? under maintenance/i,
    say: (_app, _user, url) => `The org behind ${url} is not active: it is locked, under maintenance, or a sandbox or trial that has ended.`,
    advice: "Refresh or reactivate it, then take over its new address and app.",
  },
  {
    sign: /inactive_user|user is inactive|LOGIN_MUST_USE_SECURITY_TOKEN|PASSWORD_LOCKOUT/i,
    say: (_, user) => `The user${user === "" ? "" : ` “${user}”`} may not sign in: inactive, locked out, or without the security token.`,
    advice: "Look into the user's login history in Setup.",
  },
  {
    sign: /ip restricted|not in valid ip range/i,
    say: () => "Salesforce does not let this machine's address sign in.",
    advice: "Relax the IP restrictions of the app, or add this machine's address to the trusted ones.",
  },
  {
    sign: /rate_limit_exceeded|login rate exceeded|LOGIN_RATE_EXCEEDED/i,
    say: () => "Salesforce takes no more sign-ins of this user for now.",
    advice: "Wait; it takes 3600 sign-ins of a user in an hour.",
    code: "THROTTLED",
  },
  {
    sign: /unsupported_grant_type|grant type not supported/,
    say: (app) => `The app “${app}” does not offer this way of signing in.`,
    advice: "Enable the flow in the app's OAuth settings; Salesforce blocks username-password sign-in by default: use jwt-bearer.",
  },
  {
    sign: /authentication failure|INVALID_LOGIN/,
    say: (_, user) => `Salesforce refused the password of “${user}”.`,
    advice:
      "The password must be followed by the security token, unless this machine's address is trusted. Newer orgs block this way of signing in: use jwt-bearer.",
  },
];
