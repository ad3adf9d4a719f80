import type { Clock } from "../../simulation/clock.ts";
import type { Tables } from "../../simulation/tables.ts";
import { dictionaryRows } from "./dictionary.ts";
import type { Schema } from "./schema.ts";
import { OrderedIndex, type Range, ValueIndex } from "./store-indexes.ts";

/** A record as the database holds it: strings throughout. */
export type Row = Readonly<Record<string, string>>;

/** Columns that connectors look records up by; without an index 100 000 records would be walked for each. */
export const indexedColumns: readonly string[] = [
  "number",
  "correlation_id",
  "element_id",
  "table_sys_id",
  "user_name",
  "email",
  "documentkey",
  "request_item",
  "request",
];

/** Columns whose order is kept, so that a part of it can be read without the rest. */
export const orderedColumns = ["sys_updated_on", "sys_created_on", "sys_id"] as const;
export type OrderedColumn = (typeof orderedColumns)[number];

/** How a query narrows a table before its terms are evaluated. */
export type Narrowing =
  | { readonly kind: "ids"; readonly ids: readonly string[] }
  | { readonly kind: "values"; readonly column: string; readonly values: readonly string[] }
  | { readonly kind: "range"; readonly column: OrderedColumn; readonly range: Range };

interface Uncommitted {
  /** What readers see until then. */
  readonly before: Row | undefined;
  readonly visibleAt: number;
  /** Places in ordered indexes that are those of the state before. */
  readonly stale: readonly { readonly table: string; readonly column: OrderedColumn; readonly value: string }[];
}

/**
 * The records by class. A table and those that extend it are one when read from above: an incident is found through `task`.
 * A record may be written long before others can see it, as in a transaction that commits late: readers get the state before.
 */
export class Store {
  readonly schema: Schema;
  readonly #tables: Tables<Row>;
  readonly #clock: Clock;
  readonly #values = new Map<string, ValueIndex>();
  readonly #orders = new Map<string, OrderedIndex>();
  readonly #uncommitted = new Map<string, Uncommitted>();
  #dictionary: { readonly revision: number; readonly rows: ReadonlyMap<string, readonly Row[]> } | undefined;
  /** Milliseconds until what is written from now on can be seen. */
  commitDelayMs = 0;
  /** How many rows were looked at to answer queries: what an index saves shows here. */
  rowsVisited = 0;

  constructor(tables: Tables<Row>, schema: Schema, clock: Clock) {
    this.#tables = tables;
    this.schema = schema;
    this.#clock = clock;
    for (const table of tables.names()) if (!table.startsWith("__")) for (const row of tables.rows(table)) this.#index(table, row, orderedColumns);
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
    this.#commit();
    const virtual = this.#virtualRows(table);
    for (const row of virtual ?? this.#rowsOfClasses(table, narrowing)) {
      this.rowsVisited++;
      yield row;
    }
  }

  /**
   * The first `count` rows of a range in the order of its column, and of the ids where its values are the same, with how
   * many there are in all, from the index alone. Undefined where the index alone cannot tell.
   */
  firstOf(table: string, column: OrderedColumn, range: Range, count: number): { readonly rows: Row[]; readonly total: number } | undefined {
    this.#commit();
    if (this.#uncommitted.size > 0 || this.#virtualRows(table) !== undefined) return undefined;
    const found: Row[] = [];
    let total = 0;
    for (const name of this.schema.classes(table)) {
      const index = this.#order(name, column);
      total += index.count(range);
      let taken = 0;
      for (const { id } of index.within(range)) {
        if (taken++ >= count) break;
        this.rowsVisited++;
        const row = this.#tables.get(name, id);
        if (row !== undefined) found.push(row);
      }
    }
    const key = (row: Row) => `${row[column]} ${row.sys_id}`;
    return { rows: found.sort((a, b) => (key(a) < key(b) ? -1 : 1)).slice(0, count), total };
  }

  put(table: string, row: Row): void {
    const id = row.sys_id ?? "";
    const before = this.#tables.get(table, id);
    const moved = orderedColumns.filter((column) => before === undefined || before[column] !== row[column]);
    if (this.commitDelayMs > 0) {
      const stale = before === undefined ? [] : moved.map((column) => ({ table, column, value: before[column] ?? "" }));
      const pending = this.#uncommitted.get(id);
      this.#uncommitted.set(id, {
        before: this.#visible(id, before),
        visibleAt: this.#clock.now().getTime() + this.commitDelayMs,
        stale: [...(pending?.stale ?? []), ...stale],
      });
      if (before !== undefined) this.#unindex(table, before, []);
    } else if (before !== undefined) this.#unindex(table, before, moved);
    this.#tables.put(table, id, row);
    this.#index(table, row, moved);
  }

  delete(table: string, id: string): void {
    const before = this.#tables.get(table, id);
    if (before !== undefined) this.#unindex(table, before, orderedColumns);
    this.#tables.delete(table, id);
  }

  count(table: string): number {
    return this.schema.classes(table).reduce((sum, name) => sum + this.#tables.count(name), 0);
  }

  *#rowsOfClasses(table: string, narrowing: Narrowing | undefined): Generator<Row> {
    for (const name of this.schema.classes(table)) yield* this.#rowsOfClass(name, narrowing);
  }

  *#rowsOfClass(table: string, narrowing: Narrowing | undefined): Generator<Row> {
    if (narrowing === undefined || (narrowing.kind === "values" && !indexedColumns.includes(narrowing.column))) {
      for (const row of this.#tables.rows(table)) {
        const seen = this.#visible(row.sys_id ?? "", row);
        if (seen !== undefined) yield seen;
      }
      return;
    }
    if (narrowing.kind === "range") {
      for (const { value, id } of this.#order(table, narrowing.column).within(narrowing.range)) {
        const row = this.#visible(id, this.#tables.get(table, id));
        // A record whose change is not visible yet stands under both stamps: only that of the state seen counts.
        if (row !== undefined && row[narrowing.column] === value) yield row;
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
    return pending !== undefined && this.#clock.now().getTime() < pending.visibleAt ? pending.before : row;
  }

  /** Lets go of the states before, where what came after can be seen by now. */
  #commit(): void {
    if (this.#uncommitted.size === 0) return;
    const now = this.#clock.now().getTime();
    for (const [id, { visibleAt, stale }] of this.#uncommitted) {
      if (now < visibleAt) continue;
      this.#uncommitted.delete(id);
      for (const { table, column, value } of stale) if (this.#tables.get(table, id)?.[column] !== value) this.#order(table, column).remove(value, id);
    }
  }

  #index(table: string, row: Row, ordered: readonly OrderedColumn[]): void {
    const id = row.sys_id ?? "";
    for (const column of indexedColumns) if (row[column] !== undefined && row[column] !== "") this.#valueIndex(table, column).add(row[column], id);
    for (const column of ordered) this.#order(table, column).add(row[column] ?? "", id);
  }

  #unindex(table: string, row: Row, ordered: readonly OrderedColumn[]): void {
    const id = row.sys_id ?? "";
    for (const column of indexedColumns) if (row[column] !== undefined && row[column] !== "") this.#valueIndex(table, column).remove(row[column], id);
    for (const column of ordered) this.#order(table, column).remove(row[column] ?? "", id);
  }

  #valueIndex(table: string, column: string): ValueIndex {
    return entry(this.#values, `${table}.${column}`, () => new ValueIndex());
  }

  #order(table: string, column: OrderedColumn): OrderedIndex {
    return entry(this.#orders, `${table}.${column}`, () => new OrderedIndex());
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
