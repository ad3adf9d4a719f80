import type { EntitySchema, FieldSchema } from "../connector.ts";
import { ConnectorError } from "../errors.ts";
import type { Column } from "./values.ts";

/** All that is known of a table. */
export interface TableSchema {
  readonly entity: EntitySchema;
  readonly columns: ReadonlyMap<string, Column>;
  /** Journal columns: read and written as comments, never as fields. */
  readonly journals: ReadonlySet<string>;
  /** The column that names a record for people. */
  readonly displayColumn: string;
  /** Sampled from no record at all: to be looked at again before long. */
  readonly provisional: boolean;
}

export const publicJournal = "comments";
export const internalJournal = "work_notes";

/** Puts together what the dictionary or a sample told. */
export function tableSchema(table: {
  readonly name: string;
  readonly label: string;
  readonly sampled: boolean;
  readonly fields: readonly FieldSchema[];
  readonly columns: ReadonlyMap<string, Column>;
  readonly journals: ReadonlySet<string>;
  readonly displayColumn: string | undefined;
}): TableSchema {
  const { name, columns, journals } = table;
  // Journals, states and numbers come with the task table, and with everything below it.
  const isTask = columns.has("state") && columns.has("number");
  return {
    entity: {
      entityType: name,
      label: table.label,
      fields: table.fields,
      ...(isTask ? { statusField: "state" } : {}),
      sampled: table.sampled,
      comments: journals.has(publicJournal),
      internalComments: journals.has(internalJournal),
      attachments: true,
    },
    columns,
    journals,
    provisional: false,
    displayColumn: table.displayColumn ?? (columns.has("number") ? "number" : columns.has("name") ? "name" : "sys_id"),
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
