import { systemColumns } from "./platform-tables.ts";
import type { TableDefinition } from "./schema.ts";

/** People, groups and companies [K]. */
export const directoryTables: readonly TableDefinition[] = [
  {
    name: "sys_user",
    label: "User",
    columns: [
      ...systemColumns,
      { element: "sys_class_name", label: "Class", type: "sys_class_name", readOnly: true },
      { element: "user_name", label: "User ID", maxLength: 40 },
      { element: "name", label: "Name", maxLength: 151, display: true, readOnly: true },
      { element: "first_name", label: "First name", maxLength: 50 },
      { element: "last_name", label: "Last name", maxLength: 50 },
      { element: "email", label: "Email", type: "email", maxLength: 100 },
      { element: "active", label: "Active", type: "boolean", default: "true" },
      { element: "locked_out", label: "Locked out", type: "boolean", default: "false" },
      { element: "time_zone", label: "Time zone" },
      { element: "date_format", label: "Date format" },
      { element: "time_format", label: "Time format" },
      { element: "phone", label: "Business phone", type: "ph_number", maxLength: 40 },
      { element: "user_password", label: "Password", type: "password" },
      { element: "title", label: "Title", maxLength: 60 },
      { element: "roles", label: "Roles", type: "user_roles", maxLength: 255, readOnly: true },
      { element: "company", label: "Company", type: "reference", reference: "core_company" },
    ],
  },
  {
    name: "sys_user_group",
    label: "Group",
    columns: [
      ...systemColumns,
      { element: "name", label: "Name", maxLength: 80, display: true },
      { element: "email", label: "Group email", type: "email" },
      { element: "active", label: "Active", type: "boolean", default: "true" },
    ],
  },
  {
    name: "core_company",
    label: "Company",
    columns: [
      ...systemColumns,
      { element: "sys_class_name", label: "Class", type: "sys_class_name", readOnly: true },
      { element: "name", label: "Name", maxLength: 80, display: true },
      { element: "street", label: "Street", maxLength: 255 },
      { element: "city", label: "City", maxLength: 50 },
      { element: "website", label: "Website", type: "url", maxLength: 1024 },
      { element: "customer", label: "Customer", type: "boolean", default: "false" },
      { element: "notes", label: "Notes", maxLength: 4000 },
    ],
  },
  {
    name: "customer_account",
    label: "Account",
    extends: "core_company",
    numbers: { prefix: "ACCT", first: 10_001 },
    columns: [
      { element: "number", label: "Number", maxLength: 40 },
      { element: "account_code", label: "Account code", maxLength: 100 },
      { element: "account_parent", label: "Account parent", type: "reference", reference: "customer_account" },
    ],
  },
  {
    name: "customer_contact",
    label: "Contact",
    extends: "sys_user",
    columns: [{ element: "account", label: "Account", type: "reference", reference: "customer_account" }],
  },
  {
    name: "sys_user_role",
    label: "Role",
    columns: [...systemColumns, { element: "name", label: "Name", maxLength: 100, display: true }],
  },
  {
    name: "sys_user_has_role",
    label: "User Role",
    columns: [
      ...systemColumns,
      { element: "user", label: "User", type: "reference", reference: "sys_user" },
      { element: "role", label: "Role", type: "reference", reference: "sys_user_role" },
    ],
  },
  {
    name: "sys_user_grmember",
    label: "Group Member",
    columns: [
      ...systemColumns,
      { element: "user", label: "User", type: "reference", reference: "sys_user" },
      { element: "group", label: "Group", type: "reference", reference: "sys_user_group" },
    ],
  },
];
