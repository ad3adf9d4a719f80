import type { EntitySchema, FieldSchema } from "../connector.ts";
import { ConnectorError } from "../errors.ts";
import { hasCatalogVariables, variablesField } from "./catalog-variables.ts";
import { statusFieldOf } from "./status-field.ts";
import type { Column } from "./values.ts";

/** All that is known of a table. */
export interface TableSchema {
  readonly entity: EntitySchema;
  readonly columns: ReadonlyMap<string, Column>;
  /** Journal columns: read and written as comments, never as fields. */
  readonly journals: ReadonlySet<string>;
  /** The column that names a record for people. */
  readonly displayColumn: string;
  /** The table and those that it extends, nearest first, as far as known. */
  readonly lineage: readonly string[];
  /** Columns that can carry our marker, the best first. */
  readonly markerColumns: readonly string[];
  /** Its records carry the answers of a catalog form, seen as the field `variables`. */
  readonly catalogVariables: boolean;
  /** Sampled from no record at all: to be looked at again before long. */
  readonly provisional: boolean;
}

export const publicJournal = "comments";
export const internalJournal = "work_notes";
/** Made for the id of a record in another system; task tables and configuration items have it [D]. */
export const correlationColumn = "correlation_id";

/** Puts together what the dictionary or a sample told. */
export function tableSchema(table: {
  readonly name: string;
  readonly label: string;
  readonly sampled: boolean;
  readonly fields: readonly FieldSchema[];
  readonly columns: ReadonlyMap<string, Column>;
  readonly journals: ReadonlySet<string>;
  readonly displayColumn: string | undefined;
  readonly lineage?: readonly string[];
}): TableSchema {
  const { name, columns, journals } = table;
  const statusField = statusFieldOf(name, columns);
  const catalogVariables = hasCatalogVariables(name);
  return {
    entity: {
      entityType: name,
      label: table.label,
      fields: catalogVariables ? [...table.fields.filter((field) => field.name !== variablesField), catalogField] : table.fields,
      ...(statusField === undefined ? {} : { statusField }),
      sampled: table.sampled,
      comments: journals.has(publicJournal),
      internalComments: journals.has(internalJournal),
      attachments: true,
    },
    columns,
    journals,
    lineage: table.lineage ?? [name],
    catalogVariables,
    markerColumns: columns.has(correlationColumn) ? [correlationColumn] : [],
    provisional: false,
    displayColumn: table.displayColumn ?? (columns.has("number") ? "number" : columns.has("name") ? "name" : "sys_id"),
  };
}

const catalogField: FieldSchema = {
  name: variablesField,
  label: "Catalog variables",
  help: "What was filled into the form of the item: an object of texts by the variables' names. Answers that the item has can be changed, others not added.",
  type: "other",
  custom: false,
  nullable: true,
  readOnly: false,
  requiredOnCreate: false,
};

/** What an administrator said of a table beside its columns. */
export function adapted(schema: TableSchema, settings: { readonly markerField: string; readonly statusFields: Readonly<Record<string, string>> }): TableSchema {
  const { entity, columns, markerColumns } = schema;
  const statusField = settings.statusFields[entity.entityType];
  return {
    ...schema,
    entity: statusField === undefined ? entity : { ...entity, statusField },
    markerColumns: columns.has(settings.markerField) ? [...markerColumns, settings.markerField] : markerColumns,
  };
}

export function unknownTable(name: string): ConnectorError {
  return new ConnectorError("BAD_REQUEST", {
    message: `This ServiceNow instance has no table “${name}”.`,
    advice: "Use the table's name, such as incident, not its label.",
  });
}

/** Table names become part of addresses and queries. */
export function requireTableName(name: string): void {
  if (!/^[a-z][a-z0-9_]*$/.test(name)) throw unknownTable(name);
}
