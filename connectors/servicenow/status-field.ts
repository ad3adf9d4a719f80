import type { Column } from "./values.ts";

/**
 * The column that says where a record stands. Tasks have `state`; a request shows people its `request_state`, and
 * configuration items and assets have `install_status` [K]. Undefined where a table has none of them.
 */
export function statusFieldOf(table: string, columns: ReadonlyMap<string, Column>): string | undefined {
  if (table === "sc_request" && columns.has("request_state")) return "request_state";
  return ["state", "install_status"].find((name) => columns.has(name));
}

/** Labels of shipped data policies [R], for accounts to which the dictionary does not tell them. */
export const shippedLabels: Readonly<Record<string, string>> = {
  "Resolution code": "close_code",
  "Resolution notes": "close_notes",
  "Close code": "close_code",
  "Close notes": "close_notes",
  "On hold reason": "hold_reason",
  Caller: "caller_id",
  "Short description": "short_description",
};
