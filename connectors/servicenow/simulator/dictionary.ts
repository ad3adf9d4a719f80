import { type Schema, stableId } from "./schema.ts";
import type { Row } from "./store.ts";

const longAgo = "2020-01-01 00:00:00";
const bookkeeping = { sys_created_on: longAgo, sys_created_by: "system", sys_updated_on: longAgo, sys_updated_by: "system", sys_mod_count: "0" };

/** The schema as the platform shows it: `sys_db_object`, `sys_dictionary`, `sys_choice`, `sys_documentation` [D]. */
export function dictionaryRows(schema: Schema): ReadonlyMap<string, readonly Row[]> {
  const objects: Row[] = [];
  const dictionary: Row[] = [];
  const choices: Row[] = [];
  const documentation: Row[] = [];
  for (const table of schema.tables()) {
    objects.push({
      sys_id: stableId("table", table.name),
      ...bookkeeping,
      name: table.name,
      label: table.label,
      super_class: table.extends === undefined ? "" : stableId("table", table.extends),
    });
    // The row without an element is the table itself.
    dictionary.push({ ...dictionaryEntry(table.name, "", table.label), internal_type: "collection" });
    documentation.push({
      sys_id: stableId("label", table.name),
      ...bookkeeping,
      name: table.name,
      element: "",
      label: table.label,
      hint: "",
      help: "",
      language: "en",
    });
    for (const own of table.columns ?? []) {
      const column = schema.column(table.name, own.element);
      if (column === undefined) continue;
      // An inherited column has its entry on the table that brought it; a class only adds labels and choices.
      if (column.table === table.name) {
        dictionary.push({
          ...dictionaryEntry(table.name, column.element, column.label),
          internal_type: column.type,
          max_length: String(column.maxLength ?? (column.type === "reference" ? 32 : 40)),
          mandatory: String(column.mandatory ?? false),
          read_only: String(column.readOnly ?? false),
          reference: column.reference ?? "",
          default_value: column.default ?? "",
          display: String(column.display ?? false),
          choice: String(column.choice ?? 0),
          unique: String(column.element === "sys_id"),
        });
      }
      documentation.push({
        sys_id: stableId("label", table.name, own.element),
        ...bookkeeping,
        name: table.name,
        element: own.element,
        label: own.label,
        hint: own.hint ?? "",
        help: "",
        language: "en",
      });
      for (const [position, [value, label]] of (own.choices ?? []).entries()) {
        choices.push({
          sys_id: stableId("choice", table.name, own.element, value),
          ...bookkeeping,
          name: table.name,
          element: own.element,
          value,
          label,
          sequence: String(position + 1),
          inactive: "false",
          language: "en",
          dependent_value: "",
        });
      }
    }
  }
  return new Map([
    ["sys_db_object", objects],
    ["sys_dictionary", dictionary],
    ["sys_choice", choices],
    ["sys_documentation", documentation],
  ]);
}

function dictionaryEntry(table: string, element: string, label: string): Row {
  return {
    sys_id: stableId("dictionary", table, element),
    ...bookkeeping,
    name: table,
    element,
    column_label: label,
    internal_type: "",
    max_length: "",
    mandatory: "false",
    read_only: "false",
    reference: "",
    default_value: "",
    display: "false",
    choice: "0",
    unique: "false",
    active: "true",
  };
}
