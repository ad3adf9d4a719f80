import type { Row } from "./org.ts";

/**
 * Finds rows of one table by the values of a few fields, and in the order of their SystemModstamp, so that polls and reads of children stay
 * quick at 100 000 records. Entries of older states stay in the stamp list and are skipped; the list is cleaned once half of it is stale.
 */
export class RowIndex {
  readonly #fields: readonly string[];
  readonly #byValue = new Map<string, Map<string, Set<string>>>();
  #stamps: { readonly stamp: string; readonly id: string }[] = [];
  #live = 0;

  constructor(fields: readonly string[]) {
    this.#fields = fields;
    for (const field of fields) this.#byValue.set(field, new Map());
  }

  replace(before: Row | undefined, after: Row): void {
    for (const field of this.#fields) {
      const was = before === undefined ? undefined : indexKey(before[field]);
      const is = indexKey(after[field]);
      if (was === is) continue;
      const values = this.#byValue.get(field);
      if (was !== undefined) values?.get(was)?.delete(after.Id);
      if (is === undefined || values === undefined) continue;
      const ids = values.get(is);
      if (ids === undefined) values.set(is, new Set([after.Id]));
      else ids.add(after.Id);
    }
    if (before === undefined) this.#live++;
    if (before?.SystemModstamp !== after.SystemModstamp) this.#insertStamp(String(after.SystemModstamp), after.Id);
  }

  remove(row: Row): void {
    for (const field of this.#fields)
      this.#byValue
        .get(field)
        ?.get(indexKey(row[field]) ?? "")
        ?.delete(row.Id);
    this.#live--;
  }

  has(field: string): boolean {
    return this.#byValue.has(field);
  }

  /** Ids of the rows whose field has one of these values, regardless of case. */
  idsWith(field: string, values: readonly unknown[]): string[] {
    const rows = this.#byValue.get(field);
    const ids = new Set<string>();
    for (const value of values) for (const id of rows?.get(indexKey(value) ?? "") ?? []) ids.add(id);
    return [...ids];
  }

  /** Rows from this stamp on, in the order of stamp and id; `current` gives a row's present stamp. */
  *idsFrom(stamp: string, current: (id: string) => unknown): Generator<string> {
    for (let i = this.#lowerBound(stamp, ""); i < this.#stamps.length; i++) {
      const entry = this.#stamps[i];
      if (entry !== undefined && current(entry.id) === entry.stamp) yield entry.id;
    }
  }

  /** At most so many rows have this stamp or a later one. */
  countFrom(stamp: string): number {
    return this.#stamps.length - this.#lowerBound(stamp, "");
  }

  clean(current: (id: string) => unknown): void {
    if (this.#stamps.length > 2 * this.#live + 1000) this.#stamps = this.#stamps.filter(({ id, stamp }) => current(id) === stamp);
  }

  #insertStamp(stamp: string, id: string): void {
    const last = this.#stamps.at(-1);
    if (last === undefined || before(last, { stamp, id })) this.#stamps.push({ stamp, id });
    else this.#stamps.splice(this.#lowerBound(stamp, id), 0, { stamp, id });
  }

  #lowerBound(stamp: string, id: string): number {
    let low = 0;
    let high = this.#stamps.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const entry = this.#stamps[middle];
      if (entry !== undefined && before(entry, { stamp, id })) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function before(a: { stamp: string; id: string }, b: { stamp: string; id: string }): boolean {
  return a.stamp < b.stamp || (a.stamp === b.stamp && a.id < b.id);
}

function indexKey(value: unknown): string | undefined {
  return value === null || value === undefined ? undefined : String(value).toLowerCase();
}
