import type { SoqlRecord } from "./queries.ts";
import type { Reader } from "./read.ts";
import type { SalesforceObject } from "./schema.ts";
import { list } from "./soql.ts";
import { type Stream, stampOf, versionsStream } from "./streams.ts";

/** A row with the watched records that it tells of. */
export interface Seen {
  readonly stream: Stream;
  readonly row: SoqlRecord;
  readonly stamp: string;
  readonly records: readonly string[];
}

/** Rows of all streams, oldest first. */
export interface Fetched {
  readonly rows: readonly Seen[];
  /** Where a stream has more behind it: nothing newer than this may be taken from the others. */
  readonly end: string | undefined;
  /** Rows that a record was read after: they tell nothing new of it. */
  readonly covered: ReadonlySet<Seen>;
}

/** A statement gives at most so many rows at once. */
export const mostRows = 2000;
/** What was fetched is good for so long: everything that changes meanwhile is stamped anew, and found at the end of the window. */
const freshMs = 60_000;
const mostKept = 8;

/** Puts what the statements gave in order. Files are shown by records of their own, which are looked up. */
export async function ordered(
  reader: Reader,
  { keyPrefix }: SalesforceObject,
  streams: readonly Stream[],
  pages: readonly (readonly SoqlRecord[])[],
): Promise<Fetched> {
  const links = await linksOf(reader, pages[streams.indexOf(versionsStream)] ?? []);
  const rows = streams.flatMap((stream, i) =>
    (pages[i] ?? []).map((row): Seen => {
      const records = stream === versionsStream ? (links.get(row.ContentDocumentId) ?? []) : stream.recordsOf(row);
      return { stream, row, stamp: stampOf(row), records: records.filter((id) => id.startsWith(keyPrefix ?? "")) };
    }),
  );
  const ends = pages.flatMap((page) => (page.length >= mostRows ? page.slice(-1).map(stampOf) : []));
  return { rows: rows.toSorted((a, b) => compare(a.stamp, b.stamp)), end: ends.toSorted(compare)[0], covered: new Set() };
}

/** Takes rows in the order of their stamps until so many records are named. */
export function take({ rows, end, covered }: Fetched, limit: number): { readonly taken: readonly Seen[]; readonly rest: readonly Seen[] } {
  const named = new Set<string>();
  for (const [i, seen] of rows.entries()) {
    const naming = covered.has(seen) ? [] : seen.records.filter((id) => !named.has(id));
    if ((named.size + naming.length > limit && named.size > 0 && naming.length > 0) || (end !== undefined && seen.stamp > end))
      return { taken: rows.slice(0, i), rest: rows.slice(i) };
    for (const id of naming) named.add(id);
  }
  return { taken: rows, rest: [] };
}

/**
 * Rows that were fetched and not taken yet, by the cursor that goes on with them: a catch-up then costs one call for two thousand rows, and
 * one for two hundred records. Kept in memory alone; without them the cursor says what to ask for.
 */
export class Lookahead {
  readonly #now: () => number;
  readonly #kept = new Map<string, { readonly at: number; readonly fetched: Fetched }>();

  constructor(now: () => number) {
    this.#now = now;
  }

  of(cursor: string | undefined): Fetched | undefined {
    const kept = this.#kept.get(cursor ?? "");
    return kept !== undefined && this.#now() - kept.at < freshMs ? kept.fetched : undefined;
  }

  keep(cursor: string, fetched: Fetched): void {
    if (fetched.rows.length === 0) return;
    this.#kept.set(cursor, { at: this.#now(), fetched });
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > mostKept && oldest !== undefined) this.#kept.delete(oldest);
  }
}

/** The records that show files, by document. */
async function linksOf({ client }: Reader, versions: readonly SoqlRecord[]): Promise<ReadonlyMap<unknown, readonly string[]>> {
  const documents = [...new Set(versions.map(({ ContentDocumentId }) => String(ContentDocumentId)))];
  const parts = Array.from({ length: Math.ceil(documents.length / 200) }, (_, i) => documents.slice(i * 200, i * 200 + 200));
  const statements = parts.map((part) => ({
    soql: `SELECT ContentDocumentId, LinkedEntityId FROM ContentDocumentLink WHERE ContentDocumentId IN ${list(part)}`,
    optional: "ContentDocumentLink",
  }));
  const links = new Map<unknown, string[]>();
  if (statements.length === 0) return links;
  for (const { ContentDocumentId, LinkedEntityId } of (await client.queries(statements, "look up the records of new files")).flat())
    links.set(ContentDocumentId, [...(links.get(ContentDocumentId) ?? []), String(LinkedEntityId)]);
  return links;
}

export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
