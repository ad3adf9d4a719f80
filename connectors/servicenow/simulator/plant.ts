import { type Instance, newSysId } from "./instance.ts";
import type { Row } from "./store.ts";

/** Puts a row straight into the database, without rights, rules or stamps of now: for large or odd beginnings. Gives its sys_id. */
export function plant(instance: Instance, table: string, given: Readonly<Record<string, string>>): string {
  const row = instance.schema.blank(table);
  const stamp = instance.stamp();
  Object.assign(row, {
    sys_id: newSysId(),
    sys_created_on: stamp,
    sys_created_by: "system",
    sys_updated_on: stamp,
    sys_updated_by: "system",
    sys_mod_count: "0",
  });
  if ("sys_class_name" in row) row.sys_class_name = table;
  Object.assign(row, given);
  if ("number" in row && row.number === "") row.number = instance.nextNumber(table) ?? "";
  if (table === "incident" && given.incident_state === undefined) row.incident_state = row.state ?? "";
  const frozen: Row = row;
  instance.store.put(table, frozen);
  return row.sys_id ?? "";
}
