import type { Column } from "./schema.ts";
import type { Row, Store } from "./store.ts";

/** The column at the end of a dot-walk; undefined when a step does not exist. */
export function columnAt(table: string, path: string, store: Store): Column | undefined {
  let current: string | undefined = table;
  let column: Column | undefined;
  for (const element of path.split(".")) {
    column = current === undefined ? undefined : store.schema.column(current, element);
    if (column === undefined) return undefined;
    current = column.reference;
  }
  return column;
}

/** Reads a dot-walked value; references that point nowhere are empty. */
export function reader(table: string, path: string, store: Store): (row: Row) => string {
  const [first = "", ...rest] = path.split(".");
  if (rest.length === 0) return (row) => row[first] ?? "";
  const target = store.schema.column(table, first)?.reference;
  if (target === undefined) return () => "";
  return (row) => {
    const referenced = store.find(target, row[first] ?? "");
    return referenced === undefined ? "" : reader(referenced.table, rest.join("."), store)(referenced.row);
  };
}
