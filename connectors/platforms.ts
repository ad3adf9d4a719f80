import type { z } from "zod";
import type { Connector, Json } from "./connector.ts";
import { salesforceConfig, salesforceSecrets } from "./salesforce/config.ts";
import { salesforceConnector } from "./salesforce/connector.ts";
import { servicenowConfig, servicenowSecrets } from "./servicenow/config.ts";
import { servicenowConnector } from "./servicenow/connector.ts";

/** What the engine needs to know of a platform before it talks to an instance of it. */
export interface Platform {
  readonly name: string;
  readonly label: string;
  /** Configuration of an instance as it stands in the file, without secrets. */
  readonly config: z.ZodType;
  /** The secrets that such a configuration needs, by name. */
  secretsOf(config: Json): readonly string[];
  connect(config: Json, secrets: Readonly<Record<string, string>>): Connector;
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
    connect: (config, secrets) => salesforceConnector(salesforceConfig.parse(config), secrets),
    defaultEntityTypes: ["Case", "Task"],
  },
  servicenow: {
    name: "servicenow",
    label: "ServiceNow",
    config: servicenowConfig,
    secretsOf: (config) => servicenowSecrets(servicenowConfig.parse(config)),
    connect: (config, secrets) => servicenowConnector(servicenowConfig.parse(config), secrets),
    defaultEntityTypes: ["incident", "sn_customerservice_case", "problem", "change_request"],
  },
};
