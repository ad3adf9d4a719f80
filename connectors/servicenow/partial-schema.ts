import type { FieldSchema } from "../connector.ts";
import type { DictionaryReading } from "./dictionary.ts";
import { type TableSchema, tableSchema } from "./table-schema.ts";
import type { Column } from "./values.ts";

/**
 * A dictionary that was read in part, with what records show: choices where sys_choice is out of reach, and columns where
 * the parents of the table are only guessed. In that case it counts as sampled, so nothing is refused for not being in it.
 */
export function completed(reading: DictionaryReading, sample: TableSchema): TableSchema {
  const { schema } = reading;
  const columns = new Map<string, Column>();
  for (const [name, column] of schema.columns) {
    const choices = column.type === "choice" && column.choices === undefined ? sample.columns.get(name)?.choices : undefined;
    columns.set(name, choices === undefined ? column : { ...column, choices });
  }
  const fields: FieldSchema[] = schema.entity.fields.map((field) => {
    const choices = columns.get(field.name)?.choices;
    return field.choices === undefined && choices !== undefined ? { ...field, choices, closed: false } : field;
  });
  const journals = new Set(schema.journals);
  if (!reading.parentsKnown) {
    for (const [name, column] of sample.columns) if (!columns.has(name) && !reading.hidden.has(name)) columns.set(name, column);
    fields.push(...sample.entity.fields.filter(({ name }) => !schema.columns.has(name) && columns.has(name)));
    for (const name of sample.journals) journals.add(name);
  }
  const { entityType, label } = schema.entity;
  return {
    ...tableSchema({
      name: entityType,
      label,
      sampled: !reading.parentsKnown,
      fields,
      columns,
      journals,
      displayColumn: schema.displayColumn,
      lineage: schema.lineage,
    }),
    provisional: sample.provisional,
  };
}
