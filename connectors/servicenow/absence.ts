import { ConnectorError } from "../errors.ts";
import { WebPage } from "./errors.ts";

/** The table or endpoint does not exist here: 400 with the platform's words for it [R], 404, 405 or 501. Outages, throttling and HTML are none of this. */
export function isAbsent(error: unknown): error is ConnectorError {
  if (!(error instanceof ConnectorError) || error.cause instanceof WebPage) return false;
  if (error.code === "BAD_REQUEST") return error.status === 405 || /Invalid table|does not represent any resource|Method not supported/i.test(error.message);
  return (error.code === "NOT_FOUND_OR_HIDDEN" && error.status === 404) || (error.code === "TRANSIENT" && error.status === 501);
}

/** Absent, or not for this account. */
export function isOutOfReach(error: unknown): error is ConnectorError {
  return isAbsent(error) || (error instanceof ConnectorError && error.code === "PERMISSION" && !(error.cause instanceof WebPage));
}

/** Tables that this account does without. Each refusal is believed for a while, so that not every poll pays for the failing call. */
export class Absences {
  readonly #keepMs: number;
  readonly #refused = new Map<string, { readonly error: ConnectorError; readonly until: number }>();
  readonly #answered = new Set<string>();

  constructor(keepMs: number) {
    this.#keepMs = keepMs;
  }

  /** What `read` gives, or undefined where the table is out of reach. */
  async unlessOutOfReach<Value>(table: string, read: () => Promise<Value>): Promise<Value | undefined> {
    return await this.#unless(table, read, isOutOfReach);
  }

  /**
   * The same, but only a table that was never there counts: to take what is closed to us, or gone all at once, for empty
   * would make comments and files look removed.
   */
  async unlessNeverThere<Value>(table: string, read: () => Promise<Value>): Promise<Value | undefined> {
    return await this.#unless(table, read, (error) => isAbsent(error) && !this.#answered.has(table));
  }

  async #unless<Value>(table: string, read: () => Promise<Value>, counts: (error: unknown) => boolean): Promise<Value | undefined> {
    const known = this.#refused.get(table);
    if (known !== undefined && known.until > Date.now() && counts(known.error)) return undefined;
    try {
      return await read();
    } catch (error) {
      if (!counts(error)) throw error;
      // What counts is a ConnectorError: both tests say so.
      this.#refused.set(table, { error: error as ConnectorError, until: Date.now() + this.#keepMs });
      return undefined;
    }
  }

  /** The table is there after all. */
  answered(table: string): void {
    this.#answered.add(table);
    this.#refused.delete(table);
  }
}
