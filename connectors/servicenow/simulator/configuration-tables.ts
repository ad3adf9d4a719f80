import { systemColumns } from "./platform-tables.ts";
import type { TableDefinition } from "./schema.ts";

/** Configuration items: a tree of classes below `cmdb_ci` [K]. */
export const configurationTables: readonly TableDefinition[] = [
  {
    name: "cmdb",
    label: "Base Configuration Item",
    columns: [
      ...systemColumns,
      { element: "sys_class_name", label: "Class", type: "sys_class_name", readOnly: true },
      { element: "name", label: "Name", maxLength: 255, display: true },
      { element: "install_date", label: "Installed", type: "glide_date_time" },
      { element: "assigned_to", label: "Assigned to", type: "reference", reference: "sys_user" },
      { element: "company", label: "Company", type: "reference", reference: "core_company" },
    ],
  },
  {
    name: "cmdb_ci",
    label: "Configuration Item",
    extends: "cmdb",
    columns: [
      { element: "short_description", label: "Description", maxLength: 1000 },
      { element: "serial_number", label: "Serial number", maxLength: 255 },
      {
        element: "operational_status",
        label: "Operational status",
        type: "integer",
        choice: 1,
        default: "1",
        choices: [
          ["1", "Operational"],
          ["2", "Non-Operational"],
        ],
      },
      { element: "cost", label: "Cost", type: "currency" },
      { element: "attributes", label: "Attributes", maxLength: 65_000 },
      { element: "correlation_id", label: "Correlation ID", maxLength: 512 },
    ],
  },
  { name: "cmdb_ci_appl", label: "Application", extends: "cmdb_ci", columns: [{ element: "version", label: "Version", maxLength: 100 }] },
  {
    name: "cmdb_ci_business_app",
    label: "Business Application",
    extends: "cmdb_ci",
    columns: [{ element: "url", label: "URL", type: "url", maxLength: 1024 }],
  },
  {
    name: "cmdb_ci_service",
    label: "Service",
    extends: "cmdb_ci",
    columns: [
      {
        element: "busines_criticality",
        label: "Business criticality",
        choice: 3,
        choices: [
          ["1 - most critical", "1 - most critical"],
          ["2 - somewhat critical", "2 - somewhat critical"],
          ["3 - less critical", "3 - less critical"],
        ],
      },
    ],
  },
  { name: "cmdb_ci_hardware", label: "Hardware", extends: "cmdb_ci", columns: [{ element: "virtual", label: "Is Virtual", type: "boolean" }] },
  {
    name: "cmdb_ci_computer",
    label: "Computer",
    extends: "cmdb_ci_hardware",
    columns: [
      { element: "os", label: "Operating System", maxLength: 255 },
      { element: "ram", label: "RAM (MB)", type: "integer" },
    ],
  },
  { name: "cmdb_ci_server", label: "Server", extends: "cmdb_ci_computer", columns: [{ element: "classification", label: "Classification", maxLength: 40 }] },
  { name: "cmdb_ci_linux_server", label: "Linux Server", extends: "cmdb_ci_server" },
  { name: "cmdb_ci_win_server", label: "Windows Server", extends: "cmdb_ci_server" },
];
