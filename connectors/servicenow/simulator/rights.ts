import { type Account, isAdmin } from "./accounts.ts";
import type { Instance } from "./instance.ts";
import { matchesQuery } from "./query.ts";
import { refusals } from "./refusal.ts";
import type { Row } from "./store.ts";

/** Whether this account sees the row. Rows it may not see are absent, with 200 and totals that count them [R]. */
export function maySeeRow(instance: Instance, account: Account, table: string, row: Row): boolean {
  // Tombstones are for administrators, and the dictionary for those who maintain it [R].
  if (table === "sys_audit_delete" && !isAdmin(account)) return false;
  if ((table === "sys_dictionary" || table === "sys_dictionary_override") && dictionaryHidden(account)) return false;
  if (table === "sys_attachment") {
    const parent = instance.store.find(row.table_name ?? "", row.table_sys_id ?? "");
    if (parent !== undefined && !maySeeRow(instance, account, parent.table, parent.row)) return false;
  }
  return !named(instance, account, account.access.hiddenRows, table, row);
}

/** Columns of a table that are stripped from what this account reads. */
function hiddenFields(instance: Instance, account: Account, table: string): ReadonlySet<string> {
  const hidden = instance.schema.ancestry(table).flatMap((name) => account.access.hiddenFields[name] ?? []);
  const columns = instance.schema.columns(table);
  for (const column of columns.values()) if (column.type === "password") hidden.push(column.element);
  // Of choices, others than administrators get the labels only [R].
  if (table === "sys_choice" && dictionaryHidden(account)) hidden.push(...[...columns.keys()].filter((element) => element !== "label"));
  return new Set(hidden);
}

/** Whether a column, or one that a dot-walk to it passes through, is hidden from this account. */
export function isHidden(instance: Instance, account: Account, table: string, path: string): boolean {
  let current: string | undefined = table;
  for (const element of path.split(".")) {
    if (current === undefined) return false;
    if (hiddenFields(instance, account, current).has(element)) return true;
    current = instance.schema.column(current, element)?.reference;
  }
  return false;
}

export function requireRead(instance: Instance, account: Account, table: string): void {
  const denied = account.access.deniedTables.some((name) => instance.schema.ancestry(table).includes(name));
  if (denied || (table === "sys_db_object" && dictionaryHidden(account))) throw refusals.mayNotRead();
}

export type WriteRight = "create" | "write" | "delete";

/** Tables that only administrators write to. */
const administered = new Set([
  "sys_user",
  "sys_user_group",
  "sys_user_role",
  "sys_user_has_role",
  "sys_user_grmember",
  "sys_journal_field",
  "sys_audit_delete",
  "sys_db_object",
  "sys_dictionary",
  "sys_dictionary_override",
  "sys_choice",
  "sys_documentation",
]);

/** Whether this account has a right on a table as a whole. */
export function mayWrite(instance: Instance, account: Account, table: string, right: WriteRight = "write"): boolean {
  if (administered.has(table) && !isAdmin(account)) return false;
  // Nobody edits or deletes journal entries and tombstones by this API [R].
  if (table === "sys_journal_field" || table === "sys_audit_delete") return false;
  const classes = instance.schema.ancestry(table);
  if (classes.some((name) => account.access.deniedRights[name]?.includes(right) === true)) return false;
  return !account.access.readOnlyTables.some((name) => classes.includes(name));
}

/** Whether this account has a right on one record. */
export function mayWriteRow(instance: Instance, account: Account, table: string, row: Row, right: WriteRight = "write"): boolean {
  return mayWrite(instance, account, table, right) && !named(instance, account, account.access.readOnlyRows, table, row);
}

/** Roles that maintain the dictionary see it; those that integrations usually have do not [R]. */
function dictionaryHidden(account: Account): boolean {
  return account.access.dictionaryHidden ?? !(isAdmin(account) || account.roles.includes("personalize_dictionary"));
}

/** Whether one of the queries, by table, fits the row. */
function named(instance: Instance, account: Account, queries: Readonly<Record<string, string>>, table: string, row: Row): boolean {
  const entries = Object.entries(queries);
  if (entries.length === 0) return false;
  const classes = instance.schema.ancestry(table);
  const context = instance.queryContext(account);
  return entries.some(([name, query]) => classes.includes(name) && matchesQuery(table, row, query, context));
}
