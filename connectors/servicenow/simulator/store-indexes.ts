/** Ids by value; values are compared without case, as the database does [K]. */
export class ValueIndex {
  readonly #ids = new Map<string, Set<string>>();

  add(value: string, id: string): void {
    const key = value.toLowerCase();
    const ids = this.#ids.get(key);
    if (ids === undefined) this.#ids.set(key, new Set([id]));
    else ids.add(id);
  }

  remove(value: string, id: string): void {
    const key = value.toLowerCase();
    const ids = this.#ids.get(key);
    ids?.delete(id);
    if (ids?.size === 0) this.#ids.delete(key);
  }

  *ids(values: readonly string[]): Generator<string> {
    for (const value of new Set(values.map((text) => text.toLowerCase()))) yield* this.#ids.get(value) ?? [];
  }
}

/** A part of an ordered index: all values when nothing is given. */
export interface Range {
  readonly from?: string;
  readonly fromExcluded?: boolean;
  readonly to?: string;
  readonly toExcluded?: boolean;
}

interface Entry {
  readonly value: string;
  readonly id: string;
}

/** Below that, late entries are put in their places one by one; above, sorting all anew is quicker. */
const fewEntries = 200;

/**
 * Ids in the order of a value, and of the id where values are the same. Stamps nearly always come in order, so adding
 * is appending; what came out of order is sorted in when somebody asks.
 */
export class OrderedIndex {
  #entries: Entry[] = [];
  #late: Entry[] = [];

  add(value: string, id: string): void {
    const entry = { value, id };
    const last = this.#entries.at(-1);
    if (last === undefined || compare(last, entry) < 0) this.#entries.push(entry);
    else this.#late.push(entry);
  }

  remove(value: string, id: string): void {
    this.#settle();
    const position = this.#first({ value, id });
    const found = this.#entries[position];
    if (found?.value === value && found.id === id) this.#entries.splice(position, 1);
  }

  count(range: Range): number {
    this.#settle();
    return Math.max(0, this.#end(range) - this.#start(range));
  }

  /** Ids with their values, in order. What is added while somebody reads belongs to the next reading. */
  *within(range: Range): Generator<Entry> {
    this.#settle();
    const end = this.#end(range);
    for (let position = this.#start(range); position < end; position++) {
      const entry = this.#entries[position];
      if (entry === undefined) return;
      yield entry;
    }
  }

  #start(range: Range): number {
    if (range.from === undefined) return 0;
    return this.#first(range.fromExcluded === true ? { value: range.from, id: "\uffff" } : { value: range.from, id: "" });
  }

  #end(range: Range): number {
    if (range.to === undefined) return this.#entries.length;
    return this.#first(range.toExcluded === true ? { value: range.to, id: "" } : { value: range.to, id: "\uffff" });
  }

  #settle(): void {
    if (this.#late.length === 0) return;
    if (this.#late.length <= fewEntries) for (const entry of this.#late) this.#entries.splice(this.#first(entry), 0, entry);
    else this.#entries = [...this.#entries, ...this.#late].sort(compare);
    this.#late = [];
  }

  /** Where the first entry stands that is not before this one. */
  #first(wanted: Entry): number {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const entry = this.#entries[middle];
      if (entry !== undefined && compare(entry, wanted) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function compare(a: Entry, b: Entry): number {
  if (a.value !== b.value) return a.value < b.value ? -1 : 1;
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}
