import { type Account, isAdmin } from "./accounts.ts";
import type { Instance } from "./instance.ts";
import { matchesQuery } from "./query.ts";
import { refusals } from "./refusal.ts";
import type { Row } from "./store.ts";

/** Whether this account sees the row. Rows it may not see are absent, with 200 and totals that count them [R]. */
export function maySeeRow(instance: Instance, account: Account, table: string, row: Row): boolean {
  if (table === "sys_audit_delete" && !isAdmin(account)) return false;
  if (table === "sys_dictionary" && account.access.dictionaryHidden) return false;
  for (const [hiddenIn, query] of Object.entries(account.access.hiddenRows)) {
    if (instance.schema.ancestry(table).includes(hiddenIn) && matchesQuery(table, row, query, instance.queryContext(account))) return false;
  }
  return true;
}

/** Columns that are stripped from what this account reads. */
export function hiddenFields(instance: Instance, account: Account, table: string): ReadonlySet<string> {
  const hidden = instance.schema.ancestry(table).flatMap((name) => account.access.hiddenFields[name] ?? []);
  const columns = instance.schema.columns(table);
  for (const column of columns.values()) if (column.type === "password") hidden.push(column.element);
  if (table === "sys_choice" && account.access.dictionaryHidden) hidden.push(...[...columns.keys()].filter((element) => element !== "label"));
  return new Set(hidden);
}

export function requireRead(instance: Instance, account: Account, table: string): void {
  const denied = account.access.deniedTables.some((name) => instance.schema.ancestry(table).includes(name));
  if (denied || (table === "sys_db_object" && account.access.dictionaryHidden)) throw refusals.mayNotRead();
}

const administered = new Set([
  "sys_user",
  "sys_user_group",
  "sys_journal_field",
  "sys_audit_delete",
  "sys_db_object",
  "sys_dictionary",
  "sys_choice",
  "sys_documentation",
]);

export function mayWrite(instance: Instance, account: Account, table: string): boolean {
  if (administered.has(table) && !isAdmin(account)) return false;
  if (table === "sys_journal_field" || table === "sys_audit_delete") return false;
  return !account.access.readOnlyTables.some((name) => instance.schema.ancestry(table).includes(name));
}
