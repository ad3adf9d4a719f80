import type { FieldSchema, FieldType } from "../connector.ts";
import { ConnectorError } from "../errors.ts";
import type { ListRequest, ServiceNowClient } from "./client.ts";
import { type TableSchema, tableSchema, unknownTable } from "./table-schema.ts";
import { type Column, type RawRow, textOf } from "./values.ts";

/** How far up the inheritance is followed; configuration items go deepest. */
const deepest = 9;

/** Journal columns and what else is no field: `collection` rows are the table itself [D], passwords are not read. */
const journalTypes = new Set(["journal", "journal_input", "journal_list"]);
const noFieldTypes = new Set(["collection", "password", "password2", ...journalTypes]);

/**
 * The schema as the dictionary tells it: four calls, whatever the depth. Undefined when this account may not read it.
 * Inherited columns stand under the parent's name, so the whole line is asked for at once [D].
 */
export async function readDictionary(client: ServiceNowClient, name: string): Promise<TableSchema | undefined> {
  const line = await lineage(client, name);
  if (line === undefined) return undefined;
  const within = `nameIN${line.names.join(",")}`;
  const [entries, choices, labels] = await Promise.all([
    readable(client, { table: "sys_dictionary", query: `${within}^active=true^ORDERBYname^ORDERBYelement`, fields: dictionaryFields }),
    readable(client, {
      table: "sys_choice",
      query: `${within}^inactive=false^language=en^ORDERBYsequence^ORDERBYsys_id`,
      fields: ["name", "element", "value", "label", "dependent_value"],
    }),
    readable(client, { table: "sys_documentation", query: `${within}^language=en^ORDERBYsys_id`, fields: ["name", "element", "label", "hint"] }),
  ]);
  if (entries === undefined || entries.length === 0) return undefined;
  const nearestFirst = (rows: readonly RawRow[]) => rows.toSorted((a, b) => line.names.indexOf(textOf(a, "name")) - line.names.indexOf(textOf(b, "name")));
  const choicesOf = choicesByElement(nearestFirst(choices ?? []));
  const labelOf = firstByElement(nearestFirst(labels ?? []));
  const fields: FieldSchema[] = [];
  const columns = new Map<string, Column>();
  const journals = new Set<string>();
  let displayColumn: string | undefined;
  for (const entry of nearestFirst(entries)) {
    const element = textOf(entry, "element");
    const internalType = textOf(entry, "internal_type");
    if (element === "" || columns.has(element)) continue;
    if (journalTypes.has(internalType)) journals.add(element);
    if (noFieldTypes.has(internalType)) continue;
    if (textOf(entry, "display") === "true") displayColumn ??= element;
    const words = labelOf.get(element);
    const column = columnOf(entry, words === undefined ? "" : textOf(words, "label"), choicesOf.get(element));
    columns.set(element, column);
    fields.push(fieldOf(entry, column, words === undefined ? "" : textOf(words, "hint")));
  }
  return tableSchema({ name, label: line.label, sampled: false, fields, columns, journals, displayColumn });
}

const dictionaryFields = [
  "name",
  "element",
  "column_label",
  "internal_type",
  "max_length",
  "mandatory",
  "read_only",
  "reference",
  "default_value",
  "display",
  "choice",
];

interface Line {
  readonly label: string;
  /** The table and those it extends, nearest first. */
  readonly names: readonly string[];
}

/** Walks up by dot-walking, so one call serves. Undefined when the account may not see the list of tables. */
async function lineage(client: ServiceNowClient, name: string): Promise<Line | undefined> {
  const ancestors = Array.from({ length: deepest }, (_, depth) => `${"super_class.".repeat(depth)}name`);
  const request: ListRequest = { table: "sys_db_object", query: `name=${name}`, fields: ["label", ...ancestors], limit: 1 };
  try {
    const { rows, total } = await client.list(request, "read the list of tables");
    const [row] = rows;
    if (row === undefined) {
      if (total > 0) return undefined;
      throw unknownTable(name);
    }
    const names = ancestors.map((path) => textOf(row, path)).filter((found) => /^[a-z0-9_]+$/.test(found));
    return { label: textOf(row, "label") || name, names: names.includes(name) ? names : [name, ...names] };
  } catch (error) {
    if (error instanceof ConnectorError && error.code === "PERMISSION") return undefined;
    throw error;
  }
}

/** Rows, or undefined where the account may not read the table. */
async function readable(client: ServiceNowClient, request: Omit<ListRequest, "limit" | "offset">): Promise<RawRow[] | undefined> {
  try {
    return await client.listAll(request);
  } catch (error) {
    if (error instanceof ConnectorError && error.code === "PERMISSION") return undefined;
    throw error;
  }
}

type Choices = readonly { readonly value: string; readonly label: string }[];

/** A class that has choices for an element has all of them: those of its parents no longer count [R]. */
function choicesByElement(nearestFirst: readonly RawRow[]): Map<string, Choices> {
  const found = new Map<string, { readonly table: string; readonly choices: { value: string; label: string }[] }>();
  for (const row of nearestFirst) {
    const element = textOf(row, "element");
    const value = textOf(row, "value");
    const table = textOf(row, "name");
    const entry = found.get(element) ?? { table, choices: [] };
    found.set(element, entry);
    // The same value may be listed once for each value that it depends on.
    if (entry.table === table && value !== "" && !entry.choices.some((choice) => choice.value === value))
      entry.choices.push({ value, label: textOf(row, "label") });
  }
  return new Map([...found].map(([element, { choices }]) => [element, choices]));
}

function firstByElement(nearestFirst: readonly RawRow[]): Map<string, RawRow> {
  const found = new Map<string, RawRow>();
  for (const row of nearestFirst) if (!found.has(textOf(row, "element"))) found.set(textOf(row, "element"), row);
  return found;
}

function columnOf(entry: RawRow, label: string, choices: Choices | undefined): Column {
  const internalType = textOf(entry, "internal_type");
  const offers = textOf(entry, "choice") !== "0" && textOf(entry, "choice") !== "" && choices !== undefined && choices.length > 0;
  const reference = textOf(entry, "reference");
  return {
    name: textOf(entry, "element"),
    label: label || textOf(entry, "column_label") || textOf(entry, "element"),
    type: fieldType(internalType, Number(textOf(entry, "max_length")) || 0, offers, reference !== ""),
    internalType,
    ...(reference === "" ? {} : { reference }),
    ...(offers ? { choices } : {}),
    // 1 and 3 are drop-downs, 2 only suggests [K].
    closed: offers && textOf(entry, "choice") !== "2",
  };
}

function fieldType(internalType: string, maxLength: number, offersChoices: boolean, refers: boolean): FieldType {
  const fixed = typeOf[internalType];
  if (internalType === "glide_list") return refers ? "references" : offersChoices ? "choices" : "text";
  if (offersChoices && (fixed === undefined || fixed === "integer" || fixed === "choice" || fixed === "text")) return "choice";
  if (fixed !== undefined) return fixed;
  if (internalType !== "string") return "other";
  return maxLength > 255 ? "longText" : "text";
}

const typeOf: Readonly<Record<string, FieldType>> = {
  boolean: "boolean",
  integer: "integer",
  longint: "integer",
  decimal: "decimal",
  float: "decimal",
  percent_complete: "decimal",
  glide_date: "date",
  glide_date_time: "instant",
  due_date: "instant",
  glide_duration: "duration",
  timer: "duration",
  reference: "reference",
  choice: "choice",
  html: "richText",
  translated_html: "richText",
  email: "text",
  url: "text",
  ph_number: "text",
  GUID: "computed",
  sys_class_name: "computed",
  translated_text: "text",
  translated_field: "text",
  multi_two_lines: "longText",
};

function fieldOf(entry: RawRow, column: Column, hint: string): FieldSchema {
  const maxLength = Number(textOf(entry, "max_length"));
  const mandatory = textOf(entry, "mandatory") === "true";
  return {
    name: column.name,
    label: column.label,
    ...(hint === "" ? {} : { help: hint }),
    type: column.type,
    custom: isCustom(column.name),
    nullable: !mandatory && column.type !== "computed",
    readOnly: textOf(entry, "read_only") === "true" || isSystem(column.name),
    requiredOnCreate: mandatory && textOf(entry, "default_value") === "",
    ...((column.type === "text" || column.type === "longText" || column.type === "richText") && maxLength > 0 ? { maxLength } : {}),
    ...(column.choices === undefined ? {} : { choices: column.choices, closed: column.closed }),
    ...(column.reference === undefined ? {} : { references: [column.reference] }),
  };
}

export function isCustom(element: string): boolean {
  return element.startsWith("u_") || element.startsWith("x_");
}

/** Kept by the platform itself. */
export function isSystem(element: string): boolean {
  return element.startsWith("sys_") && element !== "sys_domain";
}
