import type { AccountInput } from "./accounts.ts";
import { plant } from "./control-api.ts";
import type { DataPolicy, ImportMap, Instance, OAuthClient } from "./instance.ts";

/** Who a fresh instance knows. The passwords are the simulator's own and open nothing else. */
export const seededAccounts = {
  integration: {
    userName: "isobridge",
    password: "isobridge-password",
    firstName: "Isobridge",
    lastName: "Integration",
    email: "isobridge@servicenow.example",
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

/** Resolving and holding an incident need their reasons. */
export const shippedPolicies: readonly DataPolicy[] = [
  { table: "incident", when: "stateIN6,7", mandatory: ["close_code", "close_notes"] },
  { table: "incident", when: "state=3", mandatory: ["hold_reason"] },
];

export const shippedImportMaps: readonly ImportMap[] = [{ staging: "u_incident_import", target: "incident", coalesce: "correlation_id" }];

/** Fills a new instance; one that was started before keeps what it has. */
export function seed(instance: Instance, more: readonly AccountInput[]): void {
  for (const account of [...Object.values(seededAccounts), ...more])
    if (instance.accounts.get(account.userName) === undefined)
      instance.addAccount({ ...account, roles: "roles" in account && account.roles !== undefined ? [...account.roles] : ["itil"] });
  if (instance.store.count("core_company") > 0) return;
  plant(instance, "core_company", { name: "Northwind Ferries", city: "Gothenburg", customer: "true" });
  plant(instance, "core_company", { name: "Brightwater Clinics", city: "Lagos", customer: "true" });
  plant(instance, "sys_user_group", { name: "Service Desk", email: "desk@servicenow.example" });
  plant(instance, "sys_user_group", { name: "Network", email: "network@servicenow.example" });
  plant(instance, "cmdb_ci", { name: "mail-gateway-01", serial_number: "MG-0001" });
}
