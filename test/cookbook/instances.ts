import type { Connector, EntitySchema } from "../../connectors/connector.ts";
import { salesforceConfig, salesforceConnector } from "../../connectors/salesforce/connector.ts";
import { boolean, longText, type ObjectDefinition, picklist, reference, string } from "../../connectors/salesforce/simulator/definitions.ts";
import { type SalesforceSimulatorOptions, simulatedAccounts, startSalesforceSimulator } from "../../connectors/salesforce/simulator/simulator.ts";
import { servicenowConnector } from "../../connectors/servicenow/connector.ts";
import type { ColumnDefinition, TableDefinition } from "../../connectors/servicenow/simulator/schema.ts";
import { type ServiceNowSimulatorOptions, seededAccounts, startServiceNowSimulator } from "../../connectors/servicenow/simulator/simulator.ts";

export type Platform = "salesforce" | "servicenow";

/** A Salesforce org and a ServiceNow instance as grown companies have them: with fields, objects and tables of their own. */
export interface Instances {
  /** What describe says of these types; each is asked for once. */
  schemas(platform: Platform, entityTypes: readonly string[]): Promise<EntitySchema[]>;
  close(): Promise<void>;
}

export async function openInstances(): Promise<Instances> {
  const [org, instance] = await Promise.all([startSalesforceSimulator(grownOrg()), startServiceNowSimulator(grownInstance())]);
  const { app } = simulatedAccounts;
  const connectors: Readonly<Record<Platform, Connector>> = {
    salesforce: salesforceConnector(salesforceConfig.parse({ url: org.url, auth: { type: "client-credentials", clientId: app.clientId } }), {
      clientSecret: app.clientSecret,
    }),
    servicenow: servicenowConnector(
      { url: instance.url, auth: { type: "basic", username: seededAccounts.integration.userName } },
      { password: seededAccounts.integration.password },
    ),
  };
  return {
    schemas: async (platform, entityTypes) => await Promise.all(entityTypes.map(async (type) => await connectors[platform].describe(type))),
    close: async () => {
      await Promise.all(Object.values(connectors).map(async (connector) => await connector.close()));
      await Promise.all([org.close(), instance.close()]);
    },
  };
}

/** What an org of a grown company has beside the standard objects. */
export function grownOrg(): SalesforceSimulatorOptions {
  return { objects: ownObjects, fields: { Case: ownCaseFields } };
}

export function grownInstance(): ServiceNowSimulatorOptions {
  return { tables: ownTables };
}

const ownCaseFields = [
  string("ServiceNow_Number__c", "ServiceNow number", 40),
  { name: "ServiceNow_Url__c", label: "ServiceNow link", type: "url", length: 255 },
  {
    name: "Tags__c",
    label: "Tags",
    type: "multipicklist",
    picklist: [{ value: "VIP" }, { value: "Data loss" }, { value: "Security" }, { value: "Needs triage" }],
  },
  picklist("Product_Area__c", "Product area", ["Billing", "Login", "Mobile app", "Reporting"], { restricted: true }),
  { name: "Affected_Since__c", label: "Affected since", type: "datetime" },
  { name: "Affected_Users__c", label: "Affected users", type: "double" },
  string("Cost_Center__c", "Cost center", 20),
  boolean("Workaround_Known__c", "Workaround known"),
] as const;

const ownObjects: readonly ObjectDefinition[] = [
  {
    name: "Opportunity",
    labelPlural: "Opportunities",
    keyPrefix: "006",
    feedEnabled: true,
    fields: [
      string("Name", "Name", 120, { nillable: false, nameField: true }),
      picklist("StageName", "Stage", ["Prospecting", "Proposal", "Negotiation", "Closed Won", "Closed Lost"], { nillable: false }),
      { name: "Amount", label: "Amount", type: "currency", scale: 2 },
      { name: "CloseDate", label: "Close Date", type: "date", nillable: false },
      longText("Description", "Description"),
      reference("AccountId", "Account ID", ["Account"]),
      boolean("IsClosed", "Closed", { createable: false, updateable: false }),
    ],
  },
  {
    name: "Business_Application__c",
    labelPlural: "Business Applications",
    keyPrefix: "a01",
    fields: [
      string("Name", "Name", 80, { nillable: false, nameField: true }),
      picklist("Criticality__c", "Criticality", ["Low", "Medium", "High"], { restricted: true }),
      { name: "Owner_Email__c", label: "Owner's e-mail", type: "email", length: 80 },
      boolean("Retired__c", "Retired"),
    ],
  },
];

const systemColumns: readonly ColumnDefinition[] = [
  { element: "sys_id", label: "Sys ID", type: "GUID", maxLength: 32, readOnly: true },
  { element: "sys_created_on", label: "Created", type: "glide_date_time", readOnly: true },
  { element: "sys_updated_on", label: "Updated", type: "glide_date_time", readOnly: true },
  { element: "sys_mod_count", label: "Updates", type: "integer", readOnly: true },
];

const ownTables: readonly TableDefinition[] = [
  {
    name: "incident",
    label: "Incident",
    extends: "task",
    columns: [
      { element: "problem_id", label: "Problem", type: "reference", reference: "problem" },
      { element: "parent_incident", label: "Parent Incident", type: "reference", reference: "incident" },
      { element: "u_salesforce_case", label: "Salesforce case", maxLength: 40 },
      { element: "u_labels", label: "Labels", maxLength: 200 },
      { element: "u_affected_since", label: "Affected since", type: "glide_date_time" },
      { element: "u_affected_users", label: "Affected users", type: "integer" },
      { element: "u_cost_center", label: "Cost center", maxLength: 20 },
      { element: "u_workaround_known", label: "Workaround known", type: "boolean" },
    ],
  },
  { name: "sc_task", label: "Catalog Task", extends: "task", numbers: { prefix: "SCTASK", first: 10_001 } },
  { name: "rm_enhancement", label: "Enhancement", extends: "task", numbers: { prefix: "ENHC", first: 10_001 } },
  {
    name: "core_company",
    label: "Company",
    columns: [{ element: "u_salesforce_id", label: "Salesforce id", maxLength: 18 }],
  },
  {
    name: "cmdb_ci_business_app",
    label: "Business Application",
    extends: "cmdb_ci",
    columns: [
      {
        element: "business_criticality",
        label: "Business criticality",
        choice: 1,
        choices: [
          ["1 - most critical", "1 - most critical"],
          ["2 - somewhat critical", "2 - somewhat critical"],
          ["3 - less critical", "3 - less critical"],
          ["4 - not critical", "4 - not critical"],
        ],
      },
      { element: "it_application_owner", label: "IT Application Owner", type: "reference", reference: "sys_user" },
    ],
  },
  {
    name: "u_opportunity",
    label: "Opportunity",
    columns: [
      ...systemColumns,
      { element: "u_name", label: "Name", maxLength: 120, display: true },
      { element: "u_stage", label: "Stage", maxLength: 40 },
      { element: "u_amount", label: "Amount", type: "decimal" },
      { element: "u_close_date", label: "Close date", type: "glide_date" },
      { element: "u_company", label: "Company", type: "reference", reference: "core_company" },
    ],
  },
];
