import type { AccountInput } from "./accounts.ts";
import type { ImportMap, Instance, OAuthClient } from "./instance.ts";
import { plant } from "./plant.ts";
import { type DataPolicy, dataPolicySchema } from "./rules.ts";
import { stampOf } from "./stamps.ts";

/** Who a fresh instance knows. The passwords are the simulator's own and open nothing else. */
export const seededAccounts = {
  integration: {
    userName: "isobridge",
    password: "isobridge-password",
    firstName: "Isobridge",
    lastName: "Integration",
    email: "isobridge@servicenow.example",
    roles: ["itil", "personalize_dictionary", "snc_platform_rest_api_access"],
  },
  admin: {
    userName: "admin",
    password: "admin-password",
    firstName: "System",
    lastName: "Administrator",
    email: "admin@servicenow.example",
    roles: ["admin", "itil", "snc_basic_auth_api_access"],
  },
  maya: {
    userName: "maya.lindqvist",
    password: "maya-password",
    firstName: "Maya",
    lastName: "Lindqvist",
    email: "maya.lindqvist@servicenow.example",
    timeZone: "Europe/Stockholm",
  },
  tom: {
    userName: "tom.okafor",
    password: "tom-password",
    firstName: "Tom",
    lastName: "Okafor",
    email: "tom.okafor@servicenow.example",
    timeZone: "Africa/Lagos",
  },
} as const satisfies Record<string, AccountInput>;

export const seededClient: OAuthClient = { clientId: "isobridge-client", clientSecret: "isobridge-client-secret", userName: "isobridge" };

/** An inbound REST API key that acts as the integration user. */
export const seededApiKey = "isobridge-api-key";

/** Resolving and holding an incident need their reasons. */
export const shippedPolicies: readonly DataPolicy[] = [
  dataPolicySchema.parse({ table: "incident", when: "stateIN6,7", mandatory: ["close_code", "close_notes"] }),
  dataPolicySchema.parse({ table: "incident", when: "state=3", mandatory: ["hold_reason"] }),
];

export const shippedImportMaps: readonly ImportMap[] = [{ staging: "u_incident_import", target: "incident", coalesce: "correlation_id", fields: {} }];

/** Fills a new instance; one that was started before keeps what it has. */
export function seed(instance: Instance, more: readonly AccountInput[], incidents: number): void {
  for (const account of [...Object.values(seededAccounts), ...more])
    if (instance.accounts.get(account.userName) === undefined)
      instance.addAccount({ ...account, roles: "roles" in account && account.roles !== undefined ? [...account.roles] : ["itil"] });
  if (instance.store.count("core_company") > 0) return;
  instance.tables.put("__api_key", seededApiKey, { userName: seededAccounts.integration.userName });
  plant(instance, "core_company", { name: "Northwind Ferries", city: "Gothenburg", customer: "true" });
  plant(instance, "core_company", { name: "Brightwater Clinics", city: "Lagos", customer: "true" });
  plant(instance, "sys_user_group", { name: "Service Desk", email: "desk@servicenow.example" });
  plant(instance, "sys_user_group", { name: "Network", email: "network@servicenow.example" });
  plant(instance, "cmdb_ci", { name: "mail-gateway-01", serial_number: "MG-0001" });
  plant(instance, "cmdb_ci_linux_server", { name: "web-01", serial_number: "WB-0001", os: "Linux", classification: "Production" });
  for (let n = 1; n <= incidents; n++) plant(instance, "incident", seededIncident(instance.clock.now(), n, incidents));
  const laptop = plant(instance, "sc_cat_item", { name: "Developer laptop", short_description: "A laptop for developers", price: "USD;1499.00" });
  plant(instance, "item_option_new", { name: "memory", question_text: "How much memory?", type: "5", cat_item: laptop, order: "100", default_value: "16" });
  plant(instance, "item_option_new", { name: "reason", question_text: "Why do you need it?", type: "2", cat_item: laptop, order: "200", mandatory: "true" });
}

const subjects = ["Mail is slow", "VPN drops every hour", "Printer on the third floor jams", "Cannot sign in", "Laptop does not wake up"] as const;

/** One of many incidents: the last one was changed a second ago, two share each second. */
function seededIncident(now: Date, n: number, of: number): Record<string, string> {
  const stamp = stampOf(new Date(now.getTime() - 1000 * (1 + Math.floor((of - n) / 2))));
  const level = String(1 + (n % 3));
  return {
    short_description: `${subjects[n % subjects.length]} (${n})`,
    correlation_id: `seed-${n}`,
    impact: level,
    urgency: level,
    priority: String(2 * Number(level) - 1),
    state: n % 4 === 0 ? "2" : "1",
    sys_created_on: stamp,
    sys_updated_on: stamp,
    opened_at: stamp,
  };
}
