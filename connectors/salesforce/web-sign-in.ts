import { z } from "zod";
import { ConnectorError } from "../errors.ts";
import { Redactor } from "../http-redaction.ts";
import type { SalesforceConfig } from "./config.ts";
import { clientSecret, type Secrets } from "./grant.ts";
import { refusedSignIn } from "./sign-in-errors.ts";
import { FetchTransport } from "./transport.ts";

const timeoutMs = 60_000;
const granted = z.object({ access_token: z.string().min(1), refresh_token: z.string().min(1).optional() });
const refused = z.object({ error: z.string(), error_description: z.string().default("") });

/** Signing in to an org in the browser; undefined where the instance signs in by itself. */
export function salesforceWebSignIn(config: SalesforceConfig) {
  if (config.auth.type !== "web-server") return undefined;
  return {
    gives: ["refreshToken"],
    authorizeUrl: (request: Omit<AuthorizeRequest, "config">) => authorizeUrl({ config, ...request }),
    exchange: (request: Omit<ExchangeRequest, "config">) => exchangeCode({ config, ...request }),
  };
}

interface AuthorizeRequest {
  readonly config: SalesforceConfig;
  readonly redirectUri: string;
  readonly state: string;
  readonly challenge: string;
}

interface ExchangeRequest {
  readonly config: SalesforceConfig;
  readonly secrets: Secrets;
  readonly code: string;
  readonly verifier: string;
  readonly redirectUri: string;
}

/**
 * Where the browser of somebody goes to sign this node in to an org (web-server flow with PKCE [D]). `redirectUri` must be a callback URL of
 * the app, to the letter; `state` is what the callback has to bring back; `challenge` is the base64url SHA-256 of the verifier that
 * {@link exchangeCode} is given.
 */
export function authorizeUrl({ config, redirectUri, state, challenge }: AuthorizeRequest): string {
  const url = new URL("/services/oauth2/authorize", config.url);
  const parameters = { response_type: "code", client_id: clientIdOf(config), redirect_uri: redirectUri, scope: "api refresh_token", state };
  url.search = new URLSearchParams({ ...parameters, code_challenge: challenge, code_challenge_method: "S256" }).toString();
  return url.href;
}

/** Turns the code that the browser brought back into the secrets to keep (`refreshToken`). A code works once. Throws AUTH_CONFIG that says why where it does not. */
export async function exchangeCode({ config, secrets, code, verifier, redirectUri }: ExchangeRequest): Promise<Record<string, string>> {
  const redactor = new Redactor([...Object.values(secrets), code, verifier]);
  const transport = new FetchTransport(timeoutMs, (text) => redactor.redact(text));
  const parameters = { grant_type: "authorization_code", code, client_id: clientIdOf(config), redirect_uri: redirectUri, code_verifier: verifier };
  const body = new URLSearchParams({ ...parameters, ...clientSecret(secrets) }).toString();
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  const response = await transport.send({ method: "POST", url: `${config.url}/services/oauth2/token`, headers, body }, undefined);
  const answer: unknown = await response.json().catch(() => undefined);
  const refusal = refused.safeParse(answer);
  if (refusal.success) throw refusedSignIn(refusal.data.error, redactor.redact(refusal.data.error_description), config);
  const grant = granted.safeParse(answer);
  if (!grant.success)
    throw new ConnectorError("PROTOCOL", { message: `${config.url} does not answer a sign-in as Salesforce does.`, advice: "Check the address of the org." });
  if (grant.data.refresh_token === undefined)
    throw new ConnectorError("AUTH_CONFIG", {
      message: `The app “${clientIdOf(config)}” gave no refresh token.`,
      advice: "Add the scope “Perform requests at any time (refresh_token, offline_access)” to the app.",
    });
  return { refreshToken: grant.data.refresh_token };
}

function clientIdOf({ auth }: SalesforceConfig): string {
  if (auth.type === "web-server") return auth.clientId;
  throw new ConnectorError("BAD_REQUEST", { message: `This instance signs in by ${auth.type}, not in the browser.` });
}
