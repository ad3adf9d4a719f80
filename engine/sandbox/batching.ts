/**
 * How many runs of a version enter their isolate together. One frame, one announcement and one entry for many runs are most of what makes a run cheap [M],
 * in µs of computing (child + parent) a run, alone and in batches of up to 64: a mapping of 2 KB in 75 keys 130 + 88 and 24 + 18, three helper
 * calls 470 + 244 and 51 + 21.
 *
 * Together also means: a batch that passes a limit or dies does not say which of its runs it was. Then each of them is run again alone, where blame
 * is exact, and the version goes alone for a while. A rule that looks at the clock after it has waited cannot be in a batch at all (see guest/runs.ts).
 */
export class Batching {
  readonly #versions = new Map<string, Habits>();

  /** The most runs of this version that may enter together now. */
  most(version: string, now: number): number {
    const habits = this.#versions.get(version);
    if (habits === undefined) return carefulBatch;
    if (now < habits.aloneUntil) return 1;
    return Math.max(1, Math.min(largestBatch, Math.floor(batchMs / habits.msPerRun)));
  }

  /** What a batch took. */
  measured(version: string, runs: number, cpuMs: number): void {
    const msPerRun = Math.max(cpuMs / runs, 0.001);
    const habits = this.#versions.get(version);
    if (habits === undefined) this.#learn(version, { msPerRun, aloneUntil: 0 });
    // Slower at once, faster by and by.
    else habits.msPerRun = msPerRun > habits.msPerRun ? msPerRun : habits.msPerRun * 0.8 + msPerRun * 0.2;
  }

  /** A batch of this version came to nothing. `forGood` when the rule itself, not one input, is unfit. */
  failed(version: string, now: number, forGood: boolean): void {
    const aloneUntil = forGood ? Number.POSITIVE_INFINITY : now + aloneMs;
    const habits = this.#versions.get(version);
    if (habits === undefined) this.#learn(version, { msPerRun: batchMs, aloneUntil });
    else habits.aloneUntil = Math.max(habits.aloneUntil, aloneUntil);
  }

  #learn(version: string, habits: Habits): void {
    if (this.#versions.size >= mostVersions) {
      const [oldest] = this.#versions.keys();
      if (oldest !== undefined) this.#versions.delete(oldest);
    }
    this.#versions.set(version, habits);
  }
}

interface Habits {
  msPerRun: number;
  aloneUntil: number;
}

export const largestBatch = 64;
/** Bytes of inputs and answers that enter together: with their results they must fit an isolate of 64 MB many times over. */
export const largestBatchBytes = 256 * 1024;
/** A version that nobody has seen running yet. */
const carefulBatch = 8;
/** Whoever waits behind a batch waits this long at most, as far as one can tell. */
const batchMs = 10;
const aloneMs = 60_000;
const mostVersions = 5_000;
