import type { z } from "zod";
import type { Connector, Json } from "./connector.ts";
import { salesforceConfig, salesforceSecrets } from "./salesforce/config.ts";
import { salesforceConnector } from "./salesforce/connector.ts";
import { salesforceWebSignIn } from "./salesforce/web-sign-in.ts";
import { servicenowConfig, servicenowSecrets } from "./servicenow/config.ts";
import { servicenowConnector } from "./servicenow/connector.ts";

/** What the node does for a connector beside calling it. */
export interface ConnectOptions {
  /** Keeps a secret that the platform has just replaced, such as a refresh token that is good for one use. The one before may be void already. */
  readonly keepSecret?: (name: string, value: string) => Promise<void>;
}

/** Signing in by a person's browser: OAuth 2.0 authorization code with PKCE (RFC 7636). */
export interface WebSignIn {
  /** Names of the secrets that it obtains: those need not be given beforehand. */
  readonly gives: readonly string[];
  /** Where to send the browser. `challenge` is the S256 code challenge in base64url, `state` comes back with the code. */
  authorizeUrl(request: { readonly redirectUri: string; readonly state: string; readonly challenge: string }): string;
  /** Trades the code for secrets to be kept, by name. Throws a ConnectorError in words for the person at the browser. */
  exchange(request: {
    readonly secrets: Readonly<Record<string, string>>;
    readonly code: string;
    readonly verifier: string;
    readonly redirectUri: string;
  }): Promise<Readonly<Record<string, string>>>;
}

/** What the engine needs to know of a platform before it talks to an instance of it. */
export interface Platform {
  readonly name: string;
  readonly label: string;
  /** Configuration of an instance as it stands in the file, without secrets. */
  readonly config: z.ZodType;
  /** The secrets that such a configuration needs, by name. */
  secretsOf(config: Json): readonly string[];
  connect(config: Json, secrets: Readonly<Record<string, string>>, options?: ConnectOptions): Connector;
  /** How a person signs in for an instance that is configured so; undefined for one that is not. */
  webSignIn?(config: Json): WebSignIn | undefined;
  /** The entity types that the default rules speak of. */
  readonly defaultEntityTypes: readonly string[];
}

/** Every platform, by the name that configuration files use. */
export const platforms: Readonly<Record<string, Platform>> = {
  salesforce: {
    name: "salesforce",
    label: "Salesforce",
    config: salesforceConfig,
    secretsOf: (config) => salesforceSecrets(salesforceConfig.parse(config)),
    connect: (config, secrets, options) => salesforceConnector(salesforceConfig.parse(config), secrets, options),
    webSignIn: (config) => salesforceWebSignIn(salesforceConfig.parse(config)),
    defaultEntityTypes: ["Case", "Task"],
  },
  servicenow: {
    name: "servicenow",
    label: "ServiceNow",
    config: servicenowConfig,
    secretsOf: (config) => servicenowSecrets(servicenowConfig.parse(config)),
    connect: (config, secrets, options) => servicenowConnector(servicenowConfig.parse(config), secrets, options),
    defaultEntityTypes: ["incident", "sn_customerservice_case", "problem", "change_request"],
  },
};
