import type { FieldSchema, FieldType } from "../connector.ts";
import { isAbsent } from "./absence.ts";
import type { ServiceNowClient } from "./client.ts";
import { isCustom, isSystem } from "./dictionary.ts";
import { type TableSchema, tableSchema, unknownTable } from "./table-schema.ts";
import { extendsTask, shippedColumns, taskJournals } from "./task-columns.ts";
import type { Column, RawRow, RawValue } from "./values.ts";

const sampleSize = 50;
const journalNames = new Set(["comments", "work_notes", "comments_and_work_notes", "approval_history"]);
const stamp = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/;

/**
 * Fields as the newest records show them, for accounts that may not read the dictionary [R]. An answer lists every column
 * that the account may read, empty or not, so names are complete; types and choices are only as good as the values seen.
 * What a shipped task table surely has stands in where no record, or no value, was there to be seen.
 */
export async function sampledTable(client: ServiceNowClient, name: string): Promise<TableSchema> {
  const rows = await sample(client, name);
  const names = new Set(rows.flatMap((row) => Object.keys(row)));
  const shipped = shippedColumns(name);
  const columns = new Map<string, Column>(rows.length === 0 ? shipped : []);
  // Without a record, nothing says that the table has no journal.
  const journals = new Set<string>(rows.length === 0 || extendsTask(name) ? taskJournals : []);
  for (const element of names) {
    if (journalNames.has(element)) journals.add(element);
    else
      columns.set(
        element,
        withShipped(
          columnOf(
            element,
            rows.map((row) => row[element]).filter((raw) => raw !== undefined),
          ),
          shipped.get(element),
        ),
      );
  }
  const fields = [...columns.values()].map(fieldOf);
  return { ...tableSchema({ name, label: name, sampled: true, fields, columns, journals, displayColumn: undefined }), provisional: rows.length === 0 };
}

async function sample(client: ServiceNowClient, name: string): Promise<readonly RawRow[]> {
  try {
    return (await client.list({ table: name, query: "ORDERBYDESCsys_updated_on", display: true, limit: sampleSize })).rows;
  } catch (error) {
    if (isAbsent(error)) throw unknownTable(name);
    throw error;
  }
}

/** A column of which the records tell no more than that it is text is what it is as shipped; labels that were seen go before shipped ones. */
function withShipped(seen: Column, shipped: Column | undefined): Column {
  if (shipped === undefined || (seen.type !== "text" && seen.type !== shipped.type)) return seen;
  if (shipped.choices === undefined) return seen.type === "text" ? shipped : seen;
  const choices = [...(seen.choices ?? []), ...shipped.choices.filter(({ value }) => !seen.choices?.some((choice) => choice.value === value))];
  return { ...shipped, choices };
}

function columnOf(element: string, seen: readonly RawValue[]): Column {
  const filled = seen.filter((raw) => typeof raw !== "string").filter((raw) => raw.value !== "");
  const values = filled.map((raw) => raw.value);
  const linked = filled.map((raw) => /\/table\/(\w+)\/\w+$/.exec(raw.link ?? "")?.[1]).find((table) => table !== undefined);
  const column = { name: element, label: element, closed: false, internalType: "" };
  if (linked !== undefined) return { ...column, type: "reference", reference: linked };
  const every = (test: (value: string) => boolean) => values.length > 0 && values.every(test);
  if (every((value) => value === "true" || value === "false")) return { ...column, type: "boolean" };
  if (filled.some((raw) => raw.value.startsWith("1970-01-") && /\d (Day|Hour|Minute|Second)/.test(raw.display_value))) return { ...column, type: "duration" };
  if (every((value) => stamp.test(value))) return { ...column, type: "instant" };
  if (every((value) => /^\d{4}-\d\d-\d\d$/.test(value))) return { ...column, type: "date" };
  if (every((value) => /^[0-9a-f]{32}(,[0-9a-f]{32})*$/.test(value)) && element !== "sys_id" && filled.some((raw) => raw.display_value !== raw.value))
    return { ...column, type: "references" };
  const counted = element === "sys_mod_count" || element.endsWith("_count");
  if (counted && every((value) => /^\d+$/.test(value))) return { ...column, type: "integer" };
  // A value shown under another name is a choice. Digits alone prove no number: `00123` may be a code.
  const shownOtherwise = filled.filter((raw) => raw.display_value !== raw.value && raw.display_value !== "");
  if (shownOtherwise.length === 0 || isSystem(element)) return { ...column, type: longest(values) > 255 ? "longText" : "text" };
  const labels = new Map(shownOtherwise.map((raw) => [raw.value, raw.display_value]));
  return { ...column, type: "choice", choices: [...labels].map(([value, label]) => ({ value, label })) };
}

function longest(values: readonly string[]): number {
  return values.reduce((length, value) => Math.max(length, value.length), 0);
}

const computed: ReadonlySet<string> = new Set(["sys_id", "sys_class_name"]);

function fieldOf(column: Column): FieldSchema {
  const type: FieldType = computed.has(column.name) ? "computed" : column.type;
  return {
    name: column.name,
    label: column.label,
    type,
    custom: isCustom(column.name),
    nullable: true,
    readOnly: isSystem(column.name),
    requiredOnCreate: false,
    ...(column.choices === undefined ? {} : { choices: column.choices, closed: false }),
    ...(column.reference === undefined ? {} : { references: [column.reference] }),
  };
}
