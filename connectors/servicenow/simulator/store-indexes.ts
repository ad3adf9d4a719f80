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

export interface TimeEntry {
  readonly stamp: string;
  readonly id: string;
}

/** Ids in the order of a stamp. Stamps nearly always come in order, so adding is appending; the rest is sorted in when somebody asks. */
export class TimeIndex {
  #entries: TimeEntry[] = [];
  #sorted = true;

  add(stamp: string, id: string): void {
    const last = this.#entries.at(-1);
    if (last !== undefined && last.stamp > stamp) this.#sorted = false;
    this.#entries.push({ stamp, id });
  }

  remove(stamp: string, id: string): void {
    for (let position = this.#first(stamp); this.#entries[position]?.stamp === stamp; position++) {
      if (this.#entries[position]?.id !== id) continue;
      this.#entries.splice(position, 1);
      return;
    }
  }

  /** Entries from one stamp on, up to another. */
  *between(from: string, to: string | undefined): Generator<TimeEntry> {
    // What is added while somebody reads belongs to the next reading.
    const end = this.#entries.length;
    for (let position = this.#first(from); position < end; position++) {
      const entry = this.#entries[position];
      if (entry === undefined || (to !== undefined && entry.stamp > to)) return;
      yield entry;
    }
  }

  /** Where a stamp begins. */
  #first(stamp: string): number {
    if (!this.#sorted) {
      this.#entries.sort((a, b) => (a.stamp < b.stamp ? -1 : a.stamp > b.stamp ? 1 : 0));
      this.#sorted = true;
    }
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#entries[middle]?.stamp ?? "") < stamp) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
