import { z } from "zod";
import type { Instance } from "./instance.ts";
import { runQuery } from "./query.ts";
import { deleteRecord, updateRecord } from "./records.ts";

/** A script that runs on the server, with the ways of writing that leave less of a trace than people do. */
export const scriptSchema = z.strictObject({
  table: z.string(),
  /** Encoded query: which records. */
  query: z.string().default(""),
  set: z.record(z.string(), z.string()).default({}),
  /** `autoSysFields(false)`: neither sys_updated_on nor sys_mod_count moves [R]. */
  autoSysFields: z.boolean().default(true),
  /** `setWorkflow(false)`: no business rules, policies or hints [R]. */
  workflow: z.boolean().default(true),
  /** `deleteMultiple` leaves no tombstones in some cases; here in all [D, K]. */
  delete: z.enum(["deleteRecord", "deleteMultiple"]).optional(),
  userName: z.string().default("admin"),
});
export type Script = z.infer<typeof scriptSchema>;

/** Runs it; gives how many records it touched. */
export function runScript(instance: Instance, script: Script): number {
  const account = instance.accounts.get(script.userName);
  if (account === undefined) throw new SyntaxError(`There is no account ${script.userName}.`);
  const { rows } = runQuery(script.table, script.query, instance.queryContext(account));
  for (const row of rows) {
    const table = row.sys_class_name || script.table;
    if (script.delete !== undefined) deleteRecord(instance, account, table, row, { multiple: script.delete === "deleteMultiple" });
    else updateRecord(instance, account, table, row, script.set, { autoSysFields: script.autoSysFields, workflow: script.workflow });
  }
  return rows.length;
}
