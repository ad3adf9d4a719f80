import type { FieldSchema, FieldType } from "../connector.ts";
import type { ListRequest, ServiceNowClient } from "./client.ts";
import { isSysId } from "./ids.ts";
import { type TableSchema, tableSchema } from "./table-schema.ts";
import { extendsTask } from "./task-columns.ts";
import { type Column, type RawRow, textOf } from "./values.ts";

/** How far up the inheritance is followed; configuration items go deepest. */
const deepest = 9;

/** Journal columns and what else is no field: `collection` rows are the table itself [D], passwords are not read. */
const journalTypes = new Set(["journal", "journal_input", "journal_list"]);
const noFieldTypes = new Set(["collection", "password", "password2", ...journalTypes]);

export interface DictionaryReading {
  readonly schema: TableSchema;
  /** False when the tables that it extends are guessed: columns may be missing. */
  readonly parentsKnown: boolean;
  /** False when columns have choices that could not be read. */
  readonly choicesKnown: boolean;
  /** Columns that are no fields: passwords and the like. */
  readonly hidden: ReadonlySet<string>;
}

/**
 * The schema as the dictionary tells it: five calls, whatever the depth. Undefined when this account may not read it, or
 * when nothing says which tables this one extends. Without sys_documentation, labels are those of the dictionary, and hints are missing.
 * Inherited columns stand under the parent's name, so the whole line is asked for at once [D].
 */
export async function readDictionary(client: ServiceNowClient, name: string): Promise<DictionaryReading | undefined> {
  const line = await lineage(client, name);
  if (line === undefined) return undefined;
  const within = `nameIN${line.names.join(",")}`;
  const [entries, choices, labels, overrides] = await Promise.all([
    readable(client, { table: "sys_dictionary", query: `${within}^active=true^ORDERBYname^ORDERBYelement`, fields: dictionaryFields }),
    readable(client, {
      table: "sys_choice",
      query: `${within}^inactive=false^language=en^ORDERBYsequence^ORDERBYsys_id`,
      fields: ["name", "element", "value", "label", "dependent_value"],
    }),
    readable(client, { table: "sys_documentation", query: `${within}^language=en^ORDERBYsys_id`, fields: ["name", "element", "label", "hint"] }),
    readable(client, { table: "sys_dictionary_override", query: `${within}^ORDERBYsys_id`, fields: overrideFields }),
  ]);
  if (entries === undefined || entries.length === 0) return undefined;
  const nearestFirst = (rows: readonly RawRow[]) => rows.toSorted((a, b) => line.names.indexOf(textOf(a, "name")) - line.names.indexOf(textOf(b, "name")));
  const choicesOf = choicesByElement(nearestFirst(choices ?? []));
  // Who is no administrator may be shown the labels alone [R].
  const choicesKnown = choicesOf.size > 0 || !entries.some(offersChoices);
  const hidden = new Set<string>();
  const labelOf = firstByElement(nearestFirst(labels ?? []));
  const fields: FieldSchema[] = [];
  const columns = new Map<string, Column>();
  const journals = new Set<string>();
  let displayColumn: string | undefined;
  for (const original of nearestFirst(entries)) {
    const entry = overridden(original, nearestFirst(overrides ?? []));
    const element = textOf(entry, "element");
    const internalType = textOf(entry, "internal_type");
    if (element === "" || columns.has(element)) continue;
    if (journalTypes.has(internalType)) journals.add(element);
    if (noFieldTypes.has(internalType)) {
      hidden.add(element);
      continue;
    }
    if (textOf(entry, "display") === "true") displayColumn ??= element;
    const words = labelOf.get(element);
    const column = columnOf(entry, words === undefined ? "" : textOf(words, "label"), choicesOf.get(element), choicesKnown);
    columns.set(element, column);
    fields.push(fieldOf(entry, column, words === undefined ? "" : textOf(words, "hint")));
  }
  const schema = tableSchema({ name, label: line.label, sampled: false, fields, columns, journals, displayColumn, lineage: line.names });
  return { schema, parentsKnown: line.known, choicesKnown, hidden };
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

/** What a class says otherwise of a column that it inherits; each attribute counts only where its switch is on [K]. */
const overridable = ["mandatory", "read_only", "default_value"] as const;
const overrideFields = ["name", "element", ...overridable.flatMap((attribute) => [attribute, `${attribute}_override`])];

function overridden(entry: RawRow, nearestFirst: readonly RawRow[]): RawRow {
  const ofElement = nearestFirst.filter((row) => textOf(row, "element") === textOf(entry, "element"));
  const changes = overridable.flatMap((attribute) => {
    const row = ofElement.find((candidate) => textOf(candidate, `${attribute}_override`) === "true");
    return row === undefined ? [] : [[attribute, textOf(row, attribute)] as const];
  });
  return changes.length === 0 ? entry : { ...entry, ...Object.fromEntries(changes) };
}

interface Line {
  readonly label: string;
  /** The table and those it extends, nearest first. */
  readonly names: readonly string[];
  /** False when they are guessed. */
  readonly known: boolean;
}

/** Walks up by dot-walking, so one call serves. Undefined when the list of tables is out of reach, or does not tell. */
async function lineage(client: ServiceNowClient, name: string): Promise<Line | undefined> {
  const ancestors = Array.from({ length: deepest }, (_, depth) => `${"super_class.".repeat(depth)}name`);
  const guessed: Line | undefined = extendsTask(name) ? { label: name, names: [...new Set([name, "task"])], known: false } : undefined;
  const row = await tableRow(client, `name=${name}`, ["label", "super_class", ...ancestors]);
  if (row === undefined) return guessed;
  const label = textOf(row, "label") || name;
  const walked = ancestors.map((path) => textOf(row, path)).filter((found) => /^[a-z0-9_]+$/.test(found));
  const names = walked.includes(name) ? walked : [name, ...walked];
  if (names.length > 1 || name === "task") return { label, names, known: true };
  if (row.super_class === undefined) return guessed && { ...guessed, label };
  const parent = textOf(row, "super_class");
  if (parent === "") return guessed === undefined ? { label, names, known: true } : { ...guessed, label };
  const above = await climbed(client, parent);
  return above === undefined ? guessed && { ...guessed, label } : { label, names: [...new Set([...names, ...above])], known: true };
}

/** Systems without dot-walking give the reference alone: a sys_id, or the very name. One call for each level. */
async function climbed(client: ServiceNowClient, first: string): Promise<string[] | undefined> {
  const names: string[] = [];
  for (let parent = first; parent !== "" && names.length < deepest; ) {
    if (!/^[a-z0-9_]+$/.test(parent)) return undefined;
    const row = await tableRow(client, isSysId(parent) ? `sys_id=${parent}` : `name=${parent}`, ["sys_id", "name", "super_class"]);
    const name = row === undefined ? "" : textOf(row, "name");
    if (row === undefined || !/^[a-z0-9_]+$/.test(name)) return undefined;
    if (names.includes(name)) break;
    names.push(name);
    parent = textOf(row, "super_class");
  }
  return names;
}

async function tableRow(client: ServiceNowClient, query: string, fields: readonly string[]): Promise<RawRow | undefined> {
  const request: ListRequest = { table: "sys_db_object", query, fields, limit: 1 };
  return (await client.absences.unlessOutOfReach("sys_db_object", () => client.list(request, "read the list of tables")))?.rows[0];
}

/** Rows, or undefined where the table is out of reach. */
async function readable(client: ServiceNowClient, request: Omit<ListRequest, "limit" | "offset">): Promise<RawRow[] | undefined> {
  return await client.absences.unlessOutOfReach(request.table, () => client.listAll({ ...request, apart: true }));
}

type Choices = readonly { readonly value: string; readonly label: string }[];

/** A class that has choices for an element has all of them: those of its parents no longer count [R]. */
function choicesByElement(nearestFirst: readonly RawRow[]): Map<string, Choices> {
  const found = new Map<string, { readonly table: string; readonly choices: { value: string; label: string }[] }>();
  for (const row of nearestFirst) {
    const element = textOf(row, "element");
    const value = textOf(row, "value");
    const table = textOf(row, "name");
    if (element === "" || value === "") continue;
    const entry = found.get(element) ?? { table, choices: [] };
    found.set(element, entry);
    // The same value may be listed once for each value that it depends on.
    if (entry.table === table && !entry.choices.some((choice) => choice.value === value)) entry.choices.push({ value, label: textOf(row, "label") });
  }
  return new Map([...found].map(([element, { choices }]) => [element, choices]));
}

function firstByElement(nearestFirst: readonly RawRow[]): Map<string, RawRow> {
  const found = new Map<string, RawRow>();
  for (const row of nearestFirst) if (!found.has(textOf(row, "element"))) found.set(textOf(row, "element"), row);
  return found;
}

function offersChoices(entry: RawRow): boolean {
  return textOf(entry, "choice") !== "0" && textOf(entry, "choice") !== "";
}

function columnOf(entry: RawRow, label: string, choices: Choices | undefined, choicesKnown: boolean): Column {
  const internalType = textOf(entry, "internal_type");
  const offers = offersChoices(entry) && choices !== undefined && choices.length > 0;
  const reference = textOf(entry, "reference");
  return {
    name: textOf(entry, "element"),
    label: label || textOf(entry, "column_label") || textOf(entry, "element"),
    type: fieldType(internalType, Number(textOf(entry, "max_length")) || 0, offers || (offersChoices(entry) && !choicesKnown), reference !== ""),
    internalType,
    ...(reference === "" ? {} : { reference }),
    ...(offers ? { choices } : {}),
    // 1 and 3 are drop-downs, 2 only suggests [K].
    closed: offers && textOf(entry, "choice") !== "2",
  };
}

function fieldType(internalType: string, maxLength: number, isChoice: boolean, refers: boolean): FieldType {
  const fixed = typeOf[internalType];
  if (internalType === "glide_list") return refers ? "references" : isChoice ? "choices" : "text";
  if (isChoice && (fixed === undefined || fixed === "integer" || fixed === "choice" || fixed === "text")) return "choice";
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
  // Rules see `USD;12.30`, as the platform keeps it.
  currency: "text",
  price: "text",
  currency2: "text",
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
