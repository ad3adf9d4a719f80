import { type ColumnDefinition, type Schema, stableId } from "./schema.ts";
import type { Row } from "./store.ts";

const longAgo = "2020-01-01 00:00:00";
const bookkeeping = { sys_created_on: longAgo, sys_created_by: "system", sys_updated_on: longAgo, sys_updated_by: "system", sys_mod_count: "0" };

/** The schema as the platform shows it: `sys_db_object`, `sys_dictionary` with its overrides, `sys_choice`, `sys_documentation` [D]. */
export function dictionaryRows(schema: Schema): ReadonlyMap<string, readonly Row[]> {
  const objects: Row[] = [];
  const dictionary: Row[] = [];
  const overrides: Row[] = [];
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
    dictionary.push({ ...dictionaryEntry(table.name, "", table.label), internal_type: "collection", attributes: table.attributes ?? "" });
    documentation.push(labelEntry(table.name, "", table.label, "en", undefined));
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
          dependent: column.dependent ?? "",
        });
      } else if (own.default !== undefined || own.mandatory !== undefined || own.readOnly !== undefined || own.display !== undefined) {
        overrides.push(overrideEntry(table.name, column.table, own));
      }
      const languages = [["en", { label: own.label }] as const, ...Object.entries(own.translations ?? {})];
      for (const [language, { label }] of languages) documentation.push(labelEntry(table.name, own.element, label, language, own.hint));
      const inactive = own.inactiveChoices ?? [];
      for (const [position, [value, label]] of [...(own.choices ?? []), ...inactive].entries()) {
        const entry = {
          ...bookkeeping,
          name: table.name,
          element: own.element,
          value,
          sequence: String(position + 1),
          inactive: String(position >= (own.choices?.length ?? 0)),
          dependent_value: own.dependentValues?.[value] ?? "",
        };
        choices.push({ ...entry, sys_id: stableId("choice", table.name, own.element, value), label, language: "en" });
        for (const [language, translation] of Object.entries(own.translations ?? {})) {
          const translated = translation.choices?.[value];
          if (translated !== undefined)
            choices.push({ ...entry, sys_id: stableId("choice", table.name, own.element, value, language), label: translated, language });
        }
      }
    }
  }
  return new Map([
    ["sys_db_object", objects],
    ["sys_dictionary", dictionary],
    ["sys_dictionary_override", overrides],
    ["sys_choice", choices],
    ["sys_documentation", documentation],
  ]);
}

function labelEntry(table: string, element: string, label: string, language: string, hint: string | undefined): Row {
  const names = [table, ...(element === "" ? [] : [element]), ...(language === "en" ? [] : [language])];
  return { sys_id: stableId("label", ...names), ...bookkeeping, name: table, element, label, hint: hint ?? "", help: "", language };
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
    attributes: "",
    dependent: "",
  };
}

/** What a class changes in a column that it inherited [D]; labels and choices stand in their own tables. */
function overrideEntry(table: string, base: string, own: ColumnDefinition): Row {
  return {
    sys_id: stableId("override", table, own.element),
    ...bookkeeping,
    name: table,
    element: own.element,
    base_table: base,
    default_value_override: String(own.default !== undefined),
    default_value: own.default ?? "",
    mandatory_override: String(own.mandatory !== undefined),
    mandatory: String(own.mandatory ?? false),
    read_only_override: String(own.readOnly !== undefined),
    read_only: String(own.readOnly ?? false),
    display_override: String(own.display ?? false),
  };
}
