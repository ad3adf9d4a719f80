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

/**
 * Ids in the order of a stamp. Stamps nearly always come in order, so adding is appending; what came out of order is
 * sorted in when somebody asks. Old stamps of a record stay behind: an id may be given twice, never left out.
 */
export class TimeIndex {
  #entries: { readonly stamp: string; readonly id: string }[] = [];
  #sorted = true;

  add(stamp: string, id: string): void {
    const last = this.#entries.at(-1);
    if (last !== undefined && last.stamp > stamp) this.#sorted = false;
    this.#entries.push({ stamp, id });
  }

  *since(stamp: string): Generator<string> {
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
    const given = new Set<string>();
    for (let position = low; position < this.#entries.length; position++) {
      const id = this.#entries[position]?.id;
      if (id === undefined || given.has(id)) continue;
      given.add(id);
      yield id;
    }
  }
}
