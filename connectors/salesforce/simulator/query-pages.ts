import { randomBytes } from "node:crypto";
import { ApiError } from "./api-error.ts";
import type { QueryResult } from "./soql-run.ts";

/** Locators live for two days [D]. */
const keptMs = 2 * 86_400_000;

/** Keeps the rest of long query results under locators; a locator lives for two days [D], and does not survive a restart. */
export class QueryPages {
  readonly #now: () => number;
  /** Most records of one answer; real orgs shrink it for wide rows [R]. */
  batchSize = 2000;
  readonly #held = new Map<string, { readonly result: QueryResult; readonly version: string; readonly batch: number; readonly since: number }>();

  constructor(now: () => number) {
    this.#now = now;
  }

  first(result: QueryResult, version: string, batch = this.batchSize): Record<string, unknown> {
    if (result.rows.length <= batch) return { totalSize: result.totalSize, done: true, records: result.rows.map((show) => show()) };
    const locator = `0r8${randomBytes(8).toString("hex").slice(0, 15)}`;
    this.#held.set(locator, { result, version, batch, since: this.#now() });
    if (this.#held.size > 500) for (const oldest of [...this.#held.keys()].slice(0, 100)) this.#held.delete(oldest);
    return this.next(`${locator}-0`);
  }

  next(locator: string): Record<string, unknown> {
    const [, id = "", start = ""] = /^(0r8[0-9a-f]+)-(\d+)$/.exec(locator) ?? [];
    const held = this.#held.get(id);
    const from = Number(start);
    if (held === undefined || this.#now() - held.since > keptMs || from > held.result.rows.length)
      throw new ApiError(400, "INVALID_QUERY_LOCATOR", "invalid query locator");
    const to = from + held.batch;
    const done = to >= held.result.rows.length;
    const records = held.result.rows.slice(from, to).map((show) => show());
    return { totalSize: held.result.totalSize, done, ...(!done && { nextRecordsUrl: `/services/data/v${held.version}/query/${id}-${to}` }), records };
  }
}
