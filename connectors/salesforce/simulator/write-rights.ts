import { ApiError } from "./api-error.ts";
import type { Org, Row } from "./org.ts";
import type { OrgObject } from "./schema.ts";
import type { Value } from "./values.ts";

/** Throws where the profile of the present caller does not let it do this with the object. */
export function assertMay(org: Org, right: "create" | "update" | "delete", object: string): void {
  const { caller } = org.transactions.origin;
  if (caller !== undefined) org.access.assertMay(right, object, caller);
}

/** Throws where the present caller may only read the row. */
export function assertWritable(org: Org, object: string, row: Row): void {
  const { caller } = org.transactions.origin;
  if (org.rules.readOnly.has(row.Id) || (caller !== undefined && !org.access.mayWrite(object, row, caller)))
    throw new ApiError(403, "INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id");
}

/** Throws UNABLE_TO_LOCK_ROW where somebody else is at one of these rows: the row itself, or those that it belongs to [R]. */
export function assertUnlocked(org: Org, ids: readonly string[]): void {
  for (const id of ids) {
    const times = org.rules.locked.get(id) ?? 0;
    if (times <= 0) continue;
    org.rules.locked.set(id, times - 1);
    throw new ApiError(org.rules.lockStatus, "UNABLE_TO_LOCK_ROW", `unable to obtain exclusive access to this record or 1 records: ${id}`, []);
  }
}

/** The rows that a new row belongs to: saving it locks them. */
export function ownersOf(object: OrgObject, fields: Readonly<Record<string, Value>>): string[] {
  return [...object.fields.values()].flatMap(({ name, cascadeDelete }) => (cascadeDelete && typeof fields[name] === "string" ? [fields[name]] : []));
}
