import type { Clock } from "../../simulation/clock.ts";
import type { Tables } from "../../simulation/tables.ts";
import { dictionaryRows } from "./dictionary.ts";
import type { Schema } from "./schema.ts";
import { TimeIndex, ValueIndex } from "./store-indexes.ts";

/** A record as the database holds it: strings throughout. */
export type Row = Readonly<Record<string, string>>;

/** Columns that connectors look records up by; without an index 100 000 records would be walked for each. */
export const indexedColumns: readonly string[] = ["number", "correlation_id", "element_id", "table_sys_id", "user_name", "email", "documentkey"];

/** How a query narrows a table before its terms are evaluated. */
export type Narrowing =
  | { readonly kind: "ids"; readonly ids: readonly string[] }
  | { readonly kind: "values"; readonly column: string; readonly values: readonly string[] }
  | { readonly kind: "time"; readonly column: TimeColumn; readonly from: string; readonly to: string | undefined };

type TimeColumn = (typeof timeColumns)[number];
const timeColumns = ["sys_updated_on", "sys_created_on"] as const;

/**
 * The records by class. A table and those that extend it are one when read from above: an incident is found through `task`.
 * A record may be written long before others can see it, as in a transaction that commits late: readers get the state before.
 */
export class Store {
  readonly schema: Schema;
  readonly #tables: Tables<Row>;
  readonly #clock: Clock;
  readonly #values = new Map<string, ValueIndex>();
  readonly #times = new Map<string, TimeIndex>();
  readonly #uncommitted = new Map<string, { readonly before: Row | undefined; readonly visibleAt: number }>();
  #dictionary: { readonly revision: number; readonly rows: ReadonlyMap<string, readonly Row[]> } | undefined;
  /** Milliseconds until what is written from now on can be seen. */
  commitDelayMs = 0;

  constructor(tables: Tables<Row>, schema: Schema, clock: Clock) {
    this.#tables = tables;
    this.schema = schema;
    this.#clock = clock;
    for (const table of tables.names()) if (!table.startsWith("__")) for (const row of tables.rows(table)) this.#index(table, row, timeColumns);
  }

  /** The record and the class that it is of. */
  find(table: string, id: string): { readonly row: Row; readonly table: string } | undefined {
    const virtual = this.#virtualRows(table);
    if (virtual !== undefined) {
      const row = virtual.find((candidate) => candidate.sys_id === id);
      return row === undefined ? undefined : { row, table };
    }
    for (const name of this.schema.classes(table)) {
      const row = this.#visible(id, this.#tables.get(name, id));
      if (row !== undefined) return { row, table: name };
    }
    return undefined;
  }

  /** Rows of a table and of those that extend it, in no order that means anything. */
  *rows(table: string, narrowing?: Narrowing): Generator<Row> {
    const virtual = this.#virtualRows(table);
    if (virtual !== undefined) {
      yield* virtual;
      return;
    }
    for (const name of this.schema.classes(table)) yield* this.#rowsOfClass(name, narrowing);
  }

  put(table: string, row: Row): void {
    const id = row.sys_id ?? "";
    const before = this.#tables.get(table, id);
    const delayed = this.commitDelayMs > 0;
    if (delayed) this.#uncommitted.set(id, { before: this.#visible(id, before), visibleAt: this.#clock.now().getTime() + this.commitDelayMs });
    if (before !== undefined) this.#unindex(table, before, delayed ? [] : timeColumns.filter((column) => before[column] !== row[column]));
    this.#tables.put(table, id, row);
    this.#index(
      table,
      row,
      timeColumns.filter((column) => before?.[column] !== row[column]),
    );
  }

  delete(table: string, id: string): void {
    const before = this.#tables.get(table, id);
    if (before !== undefined) this.#unindex(table, before, timeColumns);
    this.#tables.delete(table, id);
  }

  count(table: string): number {
    return this.schema.classes(table).reduce((sum, name) => sum + this.#tables.count(name), 0);
  }

  *#rowsOfClass(table: string, narrowing: Narrowing | undefined): Generator<Row> {
    if (narrowing === undefined || (narrowing.kind === "values" && !indexedColumns.includes(narrowing.column))) {
      for (const row of this.#tables.rows(table)) {
        const seen = this.#visible(row.sys_id ?? "", row);
        if (seen !== undefined) yield seen;
      }
      return;
    }
    if (narrowing.kind === "time") {
      for (const { stamp, id } of this.#timeIndex(table, narrowing.column).between(narrowing.from, narrowing.to)) {
        const row = this.#visible(id, this.#tables.get(table, id));
        // A record whose change is not visible yet stands under both stamps: only that of the state seen counts.
        if (row !== undefined && row[narrowing.column] === stamp) yield row;
      }
      return;
    }
    for (const id of narrowing.kind === "ids" ? narrowing.ids : this.#valueIndex(table, narrowing.column).ids(narrowing.values)) {
      const row = this.#visible(id, this.#tables.get(table, id));
      if (row !== undefined) yield row;
    }
  }

  #visible(id: string, row: Row | undefined): Row | undefined {
    const pending = this.#uncommitted.size === 0 ? undefined : this.#uncommitted.get(id);
    if (pending === undefined) return row;
    if (this.#clock.now().getTime() < pending.visibleAt) return pending.before;
    this.#uncommitted.delete(id);
    return row;
  }

  #index(table: string, row: Row, times: readonly TimeColumn[]): void {
    const id = row.sys_id ?? "";
    for (const column of indexedColumns) if (row[column] !== undefined && row[column] !== "") this.#valueIndex(table, column).add(row[column], id);
    for (const column of times) this.#timeIndex(table, column).add(row[column] ?? "", id);
  }

  #unindex(table: string, row: Row, times: readonly TimeColumn[]): void {
    const id = row.sys_id ?? "";
    for (const column of indexedColumns) if (row[column] !== undefined && row[column] !== "") this.#valueIndex(table, column).remove(row[column], id);
    for (const column of times) this.#timeIndex(table, column).remove(row[column] ?? "", id);
  }

  #valueIndex(table: string, column: string): ValueIndex {
    return entry(this.#values, `${table}.${column}`, () => new ValueIndex());
  }

  #timeIndex(table: string, column: string): TimeIndex {
    return entry(this.#times, `${table}.${column}`, () => new TimeIndex());
  }

  /** The dictionary tables are views of the schema. */
  #virtualRows(table: string): readonly Row[] | undefined {
    if (this.#dictionary?.revision !== this.schema.revision) this.#dictionary = { revision: this.schema.revision, rows: dictionaryRows(this.schema) };
    return this.#dictionary.rows.get(table);
  }
}

function entry<Value>(map: Map<string, Value>, key: string, make: () => Value): Value {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}
