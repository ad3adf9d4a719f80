import type { ListPage, ServiceNowClient } from "./client.ts";
import { narrowed } from "./query.ts";
import { type RawRow, stampOf, textOf } from "./values.ts";

/** A table read in the order of a stamp. */
export interface StreamSource {
  readonly table: string;
  /** The column that orders it; behind a reference, dot-walked. */
  readonly stamp: string;
  /** The column with the sys_id of the record that a row tells of. */
  readonly record: string;
  /** A column whose change makes a row new again; absent where rows never change. */
  readonly mark?: string;
  /** Encoded query: which rows belong to it. */
  readonly query: string;
  /** Columns wanted beside sys_id, record, stamp and mark. */
  readonly fields?: readonly string[];
}

/** How far a table was read: every row up to (at, id) is settled, and those after it that were given already are in `seen`. */
export interface StreamPosition {
  readonly at: string;
  /** Empty = nothing of that second yet. */
  readonly id: string;
  readonly seen: Readonly<Record<string, string>>;
}

export interface StreamStep {
  readonly rows: readonly RawRow[];
  readonly position: StreamPosition;
  readonly more: boolean;
}

const largestPage = 10_000;
/** Beyond the overlap, when hidden rows force us to trust the clock instead of a row. */
const clockToleranceMs = 60_000;

/** The records that one page may speak of: a row of one that is on it already takes no further place. */
export class Room {
  readonly #records = new Set<string>();
  readonly limit: number;

  constructor(limit: number) {
    this.limit = limit;
  }

  get isFull(): boolean {
    return this.#records.size >= this.limit;
  }

  /** True when the record has, or gets, a place. */
  admits(recordId: string): boolean {
    if (this.#records.has(recordId)) return true;
    if (this.isFull) return false;
    this.#records.add(recordId);
    return true;
  }
}

/** Asks for the first page of what follows. Several sources may be asked at once, so that they share a call. */
export async function firstPage(client: ServiceNowClient, source: StreamSource, from: StreamPosition, limit: number): Promise<ListPage> {
  return await client.list({ table: source.table, query: queryAfter(source, from), fields: columnsOf(source), limit: pageSizeOf(limit, from), offset: 0 });
}

/**
 * Gives the next new rows of a table, as far as there is room for the records they belong to. Nothing is lost and little is
 * repeated, because
 * - rows are asked for after the last (stamp, sys_id), so those that share a second go on where the page ended, and rows
 *   that change meanwhile move behind us instead of shifting the others (offsets would skip one for each that moves);
 * - what is younger than the overlap is read again the next time, for rows that commit late: their stamp is that of their
 *   making, not of their appearing. `seen` keeps out what was given already;
 * - a page may be short or empty although more follows, since hidden rows count for limit and total [R]: the end is where
 *   the total says, and pages of nothing but hidden rows are asked for again with more room.
 */
export async function nextRows(
  client: ServiceNowClient,
  source: StreamSource,
  from: StreamPosition,
  first: ListPage,
  room: Room,
  overlapMs: number,
): Promise<StreamStep> {
  const pageSize = pageSizeOf(room.limit, from);
  const fresh: RawRow[] = [];
  const scanned: { readonly at: string; readonly id: string; readonly mark: string }[] = [];
  let after: { readonly at: string; readonly id: string } = from;
  let size = pageSize;
  let offset = 0;
  let hidden = 0;
  for (let page = first; ; ) {
    for (const row of page.rows) {
      const entry = { at: textOf(row, source.stamp), id: textOf(row, "sys_id"), mark: markOf(source, row) };
      const isNew = from.seen[entry.id] !== entry.mark;
      if (isNew && !room.admits(textOf(row, source.record)))
        return { rows: fresh, position: settled(from, scanned, false, false, client.now(), overlapMs), more: true };
      if (isNew) fresh.push(row);
      scanned.push(entry);
    }
    if (offset + size >= page.total) {
      hidden = Math.min(size, page.total - offset) - page.rows.length;
      break;
    }
    // What follows would hardly find a place.
    if (room.isFull) return { rows: fresh, position: settled(from, scanned, false, false, client.now(), overlapMs), more: true };
    const last = page.rows.at(-1);
    if (last !== undefined) {
      after = { at: textOf(last, source.stamp), id: textOf(last, "sys_id") };
      size = pageSize;
      offset = 0;
    } else if (size < largestPage) size = Math.min(size * 4, largestPage);
    else offset += size;
    page = await client.list({ table: source.table, query: queryAfter(source, after), fields: columnsOf(source), limit: size, offset });
  }
  return { rows: fresh, position: settled(from, scanned, true, hidden > 0, client.now(), overlapMs), more: false };
}

/** Room for what is read again as well: in a busy moment the overlap alone would fill page after page. */
function pageSizeOf(limit: number, from: StreamPosition): number {
  return Math.min(Math.max(limit, 100) + Object.keys(from.seen).length, largestPage);
}

function queryAfter(source: StreamSource, after: { readonly at: string; readonly id: string }): string {
  const { stamp } = source;
  const conditions = after.id === "" ? [`${stamp}>=${after.at}`] : [`${stamp}=${after.at}^sys_id>${after.id}`, `${stamp}>${after.at}`];
  return `${narrowed(source.query, ...conditions)}^ORDERBY${stamp}^ORDERBYsys_id`;
}

function columnsOf(source: StreamSource): string[] {
  return [...new Set(["sys_id", source.record, source.stamp, ...(source.mark === undefined ? [] : [source.mark]), ...(source.fields ?? [])])];
}

function markOf(source: StreamSource, row: RawRow): string {
  return source.mark === undefined ? "" : textOf(row, source.mark);
}

/** The position is always that of a row, never of the clock: a clock that runs ahead would skip rows. */
function settled(
  from: StreamPosition,
  scanned: readonly { readonly at: string; readonly id: string; readonly mark: string }[],
  exhausted: boolean,
  hiddenAtEnd: boolean,
  now: Date,
  overlapMs: number,
): StreamPosition {
  const boundary = stampOf(new Date(now.getTime() - overlapMs));
  const last = scanned.findLast(({ at }) => at < boundary);
  let position = last === undefined ? { at: from.at, id: from.id } : { at: last.at, id: last.id };
  if (exhausted && hiddenAtEnd) {
    // Nothing visible marks how far we are, and the hidden rows would be paged through each time: go by the clock, with room.
    const byClock = stampOf(new Date(now.getTime() - overlapMs - clockToleranceMs));
    if (byClock > position.at) position = { at: byClock, id: "" };
  }
  const seen: Record<string, string> = exhausted ? {} : { ...from.seen };
  for (const { at, id, mark } of scanned) if (at > position.at || (at === position.at && id > position.id)) seen[id] = mark;
  return { ...position, seen };
}
