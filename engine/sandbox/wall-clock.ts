/** Something that may last until `deadline`, on the clock of `performance.now()`. */
interface Timed {
  readonly deadline: number;
}

/**
 * One timer for all that is under way: nearly no run ever needs one, and one for each would be set, cleared and collected each time.
 * When it rings, whoever is late is told, and it is set for the earliest of the others.
 */
export class WallClock<Entry extends Timed> {
  readonly #entries: ReadonlyMap<number, Entry>;
  readonly #onLate: (entry: Entry) => void;
  #timer: NodeJS.Timeout | undefined;
  #ringsAt = Number.POSITIVE_INFINITY;

  constructor(entries: ReadonlyMap<number, Entry>, onLate: (entry: Entry) => void) {
    this.#entries = entries;
    this.#onLate = onLate;
  }

  /** Minds an entry, which must be among the entries when its time is over, unless it has come to its end. */
  mind(entry: Entry): void {
    if (entry.deadline < this.#ringsAt) this.#set(entry.deadline);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#ringsAt = Number.POSITIVE_INFINITY;
  }

  #set(deadline: number): void {
    clearTimeout(this.#timer);
    this.#ringsAt = deadline;
    this.#timer = setTimeout(() => this.#ring(), Math.max(1, Math.ceil(deadline - performance.now())));
    // Whoever waits for a run keeps the process alive; this clock may ring when nothing is under way any more.
    this.#timer.unref();
  }

  #ring(): void {
    this.#ringsAt = Number.POSITIVE_INFINITY;
    const now = performance.now();
    let earliest = Number.POSITIVE_INFINITY;
    const late: Entry[] = [];
    for (const entry of this.#entries.values()) {
      if (entry.deadline <= now) late.push(entry);
      else if (entry.deadline < earliest) earliest = entry.deadline;
    }
    if (earliest < Number.POSITIVE_INFINITY) this.#set(earliest);
    for (const entry of late) this.#onLate(entry);
  }
}
