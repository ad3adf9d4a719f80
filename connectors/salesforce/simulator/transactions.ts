import { AsyncLocalStorage } from "node:async_hooks";
import type { Row } from "./org.ts";

/** Who saves, and by which door: change events tell it to others. */
export interface Origin {
  /** `com/salesforce/api/rest/60.0;client=<Sforce-Call-Options>` for a request; the mark by which a client knows its own changes [D]. */
  readonly changeOrigin: string;
  /** `Sforce-Duplicate-Rule-Header: allowSave=true`: save in spite of a duplicate rule that lets itself be overruled [D]. */
  readonly allowDuplicates: boolean;
  /** The user whose rights count; absent = nobody's: the org itself. */
  readonly caller?: string;
  /** False for `Sforce-Auto-Assign: FALSE`: no assignment rules [D]. */
  readonly autoAssign: boolean;
}

/** A row before and after one step of a transaction; absent = it was not there, or is not any more. */
export interface RowChange {
  readonly type: string;
  readonly before: Row | undefined;
  readonly after: Row | undefined;
  readonly undo: () => void;
}

export interface Transaction {
  readonly origin: Origin;
  readonly changes: RowChange[];
  /** Nobody is told, and nothing can be taken back. */
  readonly silent?: boolean;
}

/** What the org does by itself, and what people do on its screens. */
const screenOrigin: Origin = { changeOrigin: "com/salesforce/api/soap/60.0;client=SfdcInternalAPI/", allowDuplicates: false, autoAssign: true };

/**
 * Saves that are told of together once they are done: all of one request. A part of them can be taken back, as a failed save or a failed
 * collection must leave nothing behind. A transaction goes with its asynchronous calls, so that requests at the same time do not mix.
 */
export class Transactions {
  readonly #current = new AsyncLocalStorage<Transaction>();
  readonly #listeners: ((transaction: Transaction) => void)[] = [];

  /** Hears of every transaction that changed something, after its end. */
  listen(listener: (transaction: Transaction) => void): void {
    this.#listeners.push(listener);
  }

  /** Whether the work at hand is part of one already. */
  get active(): boolean {
    return this.#current.getStore() !== undefined;
  }

  get origin(): Origin {
    return this.#current.getStore()?.origin ?? screenOrigin;
  }

  async run<T>(origin: Origin, work: () => Promise<T>): Promise<T> {
    const transaction: Transaction = { origin, changes: [] };
    try {
      return await this.#current.run(transaction, work);
    } finally {
      this.#tell(transaction);
    }
  }

  /** Does work in the present transaction, or in one of its own. What it changed is taken back when it throws. */
  save<T>(work: () => T, origin: Origin = screenOrigin): T {
    const present = this.#current.getStore();
    if (present !== undefined) return attempt(present, work);
    const transaction: Transaction = { origin, changes: [] };
    const result = this.#current.run(transaction, () => attempt(transaction, work));
    this.#tell(transaction);
    return result;
  }

  /** Does work that succeeds as a whole or is taken back as a whole. */
  together<T>(work: () => T, failed: (result: T) => boolean): T {
    return this.save(() => {
      const { changes } = this.#current.getStore() as Transaction; // `save` has opened one
      const mark = changes.length;
      const result = work();
      if (failed(result)) takeBack(changes, mark);
      return result;
    });
  }

  /** The same for work that waits; only inside of {@link run}. */
  async togetherAsync<T>(work: () => Promise<T>, failed: (result: T) => boolean): Promise<T> {
    const changes = this.#current.getStore()?.changes ?? [];
    const mark = changes.length;
    const result = await work();
    if (failed(result)) takeBack(changes, mark);
    return result;
  }

  /** Does work that nobody is told of: an org's history. */
  silently(work: () => void): void {
    this.#current.run({ origin: screenOrigin, changes: [], silent: true }, work);
  }

  record(change: RowChange): void {
    const present = this.#current.getStore();
    if (present?.silent) return;
    if (present !== undefined) present.changes.push(change);
    else this.#tell({ origin: screenOrigin, changes: [change] });
  }

  #tell(transaction: Transaction): void {
    if (transaction.changes.length === 0) return;
    for (const listener of this.#listeners) listener(transaction);
  }
}

function attempt<T>(transaction: Transaction, work: () => T): T {
  const mark = transaction.changes.length;
  try {
    return work();
  } catch (error) {
    takeBack(transaction.changes, mark);
    throw error;
  }
}

function takeBack(changes: RowChange[], mark: number): void {
  for (const change of changes.splice(mark).reverse()) change.undo();
}
