import { z } from "zod";
import type { FieldSchema, FieldType } from "../connector.ts";
import { isCustom, isSystem } from "./dictionary.ts";
import { internalJournal, publicJournal, type TableSchema, tableSchema } from "./table-schema.ts";
import type { Column } from "./values.ts";

const fieldTypes = [
  "text",
  "longText",
  "richText",
  "integer",
  "decimal",
  "boolean",
  "date",
  "instant",
  "duration",
  "choice",
  "choices",
  "reference",
  "references",
  "computed",
  "other",
] as const satisfies readonly FieldType[];

const elementName = z.string().regex(/^[a-z_][a-z0-9_]*$/, "must be a column's name, not its label");

const suppliedField = z.strictObject({
  type: z.enum(fieldTypes),
  label: z.string().min(1).optional(),
  help: z.string().optional(),
  mandatory: z.boolean().default(false),
  readOnly: z.boolean().default(false),
  maxLength: z.int().positive().optional(),
  /** The table that a reference or a list points at. */
  references: elementName.optional(),
  /** Labels by value, in order. */
  choices: z.record(z.string(), z.string()).optional(),
  /** False when other values are taken too. */
  closed: z.boolean().default(true),
});

/**
 * Tables as an administrator describes them, for accounts that may not read the dictionary. It goes before what records show,
 * and over what the dictionary says. `complete: false` adds to what records show instead of standing for the whole table.
 */
export const suppliedSchema = z.record(
  elementName,
  z.strictObject({
    label: z.string().min(1).optional(),
    /** Another table of this description whose fields it has too. */
    extends: elementName.optional(),
    fields: z.record(elementName, suppliedField),
    comments: z.boolean().optional(),
    workNotes: z.boolean().optional(),
    /** The column that names a record for people; `number` or `name` when it is not given. */
    display: elementName.optional(),
    complete: z.boolean().default(true),
  }),
);

export type SuppliedSchema = z.output<typeof suppliedSchema>;
type SuppliedTable = SuppliedSchema[string];
type SuppliedField = z.output<typeof suppliedField>;

/** The table and those whose fields it has, nearest first; undefined when nothing is said of it. */
export function suppliedLine(supplied: SuppliedSchema, name: string): readonly SuppliedTable[] | undefined {
  const line: SuppliedTable[] = [];
  for (
    let current = supplied[name];
    current !== undefined && !line.includes(current);
    current = current.extends === undefined ? undefined : supplied[current.extends]
  )
    line.push(current);
  return line.length === 0 ? undefined : line;
}

/** The description by itself, with the columns that every table has. */
export function suppliedTable(name: string, line: readonly SuppliedTable[]): TableSchema {
  const nothing = tableSchema({ name, label: name, sampled: false, fields: [], columns: new Map(), journals: new Set(), displayColumn: undefined });
  const system: Record<string, SuppliedField> = {};
  for (const [element, type] of Object.entries(systemColumns)) system[element] = suppliedField.parse({ type, readOnly: true });
  return withSupplied(nothing, name, [...line, { fields: system, complete: true }]);
}

/** What is known otherwise, with the description over it. */
export function withSupplied(known: TableSchema, name: string, line: readonly SuppliedTable[]): TableSchema {
  const columns = new Map(known.columns);
  const fields = new Map(known.entity.fields.map((field) => [field.name, field]));
  const journals = new Set(known.journals);
  for (const table of line.toReversed()) {
    for (const [element, field] of Object.entries(table.fields)) {
      const column = columnOf(element, field);
      columns.set(element, column);
      fields.set(element, fieldOf(column, field));
    }
    for (const [journal, has] of [[publicJournal, table.comments] as const, [internalJournal, table.workNotes] as const]) {
      if (has === true) journals.add(journal);
      if (has === false) journals.delete(journal);
    }
  }
  const { label, display } = Object.assign({}, ...line.toReversed().map(named)) as { label?: string; display?: string }; // both come from `named`
  return {
    ...tableSchema({
      name,
      label: label ?? known.entity.label,
      sampled: known.entity.sampled,
      fields: [...fields.values()],
      columns,
      journals,
      lineage: known.lineage,
      displayColumn: display ?? (known.columns.size === 0 ? undefined : known.displayColumn),
    }),
    provisional: known.provisional,
  };
}

const systemColumns: Readonly<Record<string, FieldType>> = {
  sys_id: "computed",
  sys_created_on: "instant",
  sys_created_by: "text",
  sys_updated_on: "instant",
  sys_updated_by: "text",
  sys_mod_count: "integer",
};

function named({ label, display }: SuppliedTable): { label?: string; display?: string } {
  return { ...(label === undefined ? {} : { label }), ...(display === undefined ? {} : { display }) };
}

function columnOf(name: string, field: SuppliedField): Column {
  const choices = field.choices === undefined ? undefined : Object.entries(field.choices).map(([value, label]) => ({ value, label }));
  return {
    name,
    label: field.label ?? name,
    type: field.type,
    internalType: "",
    ...(field.references === undefined ? {} : { reference: field.references }),
    ...(choices === undefined ? {} : { choices }),
    closed: choices !== undefined && field.closed,
  };
}

function fieldOf(column: Column, field: SuppliedField): FieldSchema {
  return {
    name: column.name,
    label: column.label,
    ...(field.help === undefined ? {} : { help: field.help }),
    type: column.type,
    custom: isCustom(column.name),
    nullable: !field.mandatory && column.type !== "computed",
    readOnly: field.readOnly || isSystem(column.name),
    requiredOnCreate: field.mandatory,
    ...(field.maxLength === undefined ? {} : { maxLength: field.maxLength }),
    ...(column.choices === undefined ? {} : { choices: column.choices, closed: column.closed }),
    ...(column.reference === undefined ? {} : { references: [column.reference] }),
  };
}
