import { z } from "zod";
import type { Watch, WatchedChange, WatchPage } from "../connector.ts";
import { ConnectorError } from "../errors.ts";
import type { SoqlRecord, Statement } from "./client.ts";
import { type Reader, readWhole } from "./read.ts";
import { type Rooms, roomsOf } from "./rooms.ts";
import { instant, list, quoted } from "./soql.ts";
import { isoInstant } from "./values.ts";

const position = z.object({ stamp: z.string(), id: z.string() });
const cursorSchema = z.object({
  version: z.literal(1),
  /** No row stamped before this can be new any more. */
  floor: z.string(),
  /** Where each stream goes on inside the window; absent = at the floor. */
  at: z.record(z.string(), position),
  /** Since when the window was begun: becomes the next floor once its end is reached. */
  begun: z.string().optional(),
  /** What was reported of the rows that the window may give again: record, fingerprint, stamp. */
  reported: z.array(z.tuple([z.string(), z.string(), z.string()])),
});
type Cursor = z.infer<typeof cursorSchema>;

/** One kind of rows that tell of changes: the records, their comments, their files. */
interface Stream {
  readonly name: string;
  /** From SELECT to the conditions, which end in a place for the position. */
  readonly statement: (window: string, limit: number) => Statement;
  /** The records that a row tells of; a file may be shown by many. */
  readonly recordsOf: (row: SoqlRecord) => readonly string[];
}

interface Seen {
  readonly stream: Stream;
  readonly row: SoqlRecord;
  readonly stamp: string;
  readonly records: readonly string[];
}

/** A statement gives at most so many rows at once. */
const mostRows = 2000;
/** Stamps are cut to seconds, and the answer's time is taken after the rows were chosen. */
const tickMs = 1000;

/**
 * Lists what changed: records by SystemModstamp, comments and files by theirs, as those need not touch their record. All are asked in one
 * call; a second one reads what is new, a third one, only where files are new, which records they belong to. Stamps have whole seconds and are set before the commit, so the newest `overlapSeconds` are looked at again by every poll, and
 * what was reported from them is remembered by content. A state is reported with the version that `read` gives it.
 */
export async function pollChanges(reader: Reader, watch: Watch, given: string | undefined, limit: number, since: string | undefined): Promise<WatchPage> {
  const cursor = given === undefined ? firstCursor(since ?? new Date(await reader.client.orgTime()).toISOString()) : parsedCursor(given);
  const begun = cursor.begun ?? instant(new Date((await reader.client.orgTime()) - tickMs).toISOString());
  const object = await reader.schemas.object(watch.entityType);
  const rooms = roomsOf(object, reader.config.comments);
  const condition = conditionOf(watch.query);
  const streams = streamsOf(watch.entityType, condition, rooms);
  const size = Math.max(1, Math.min(limit, mostRows));
  const pages = await reader.client.queries(
    streams.map((stream) => stream.statement(windowOf(stream, cursor), size)),
    `watch ${watch.entityType}`,
  );
  const links = await linksOf(reader, streams, pages);
  const { taken, complete } = take(streams, pages, links, size);
  const newest = newestStamps(taken);
  const changes: WatchedChange[] = [];
  const reported = new Map(cursor.reported.map((entry) => [entry[0], entry]));
  const prefix = object.keyPrefix ?? "";
  const ids = [...newest.keys()].filter((id) => id.startsWith(prefix));
  for (const entity of await whole(reader, watch.entityType, ids, condition)) {
    const { id } = entity.ref;
    if (reported.get(id)?.[1] !== fingerprint(entity.version)) changes.push({ ref: entity.ref, version: entity.version });
    reported.set(id, [id, fingerprint(entity.version), newest.get(id) ?? cursor.floor]);
  }
  changes.sort((a, b) => compare(newest.get(a.ref.id) ?? "", newest.get(b.ref.id) ?? ""));
  const next = complete ? closedWindow(cursor, begun, reader.config.overlapSeconds) : openWindow(cursor, begun, taken);
  const kept = [...reported.values()].filter(([, , stamp]) => stamp >= next.floor);
  return { changes, cursor: JSON.stringify({ ...next, reported: kept } satisfies Cursor), more: !complete };
}

/** Runs a person's condition for one record. Throws BAD_REQUEST with the platform's words and the column in that person's text. */
export async function checkWatch({ client, schemas }: Reader, watch: Watch): Promise<void> {
  await schemas.object(watch.entityType);
  const condition = conditionOf(watch.query);
  if (condition === "") return;
  const start = `SELECT Id FROM ${watch.entityType} WHERE (`;
  try {
    await client.query(`${start}${condition}\n) LIMIT 1`, `check the query of ${watch.entityType}`);
  } catch (error) {
    if (!(error instanceof ConnectorError) || error.code !== "BAD_REQUEST") throw error;
    // The platform counts columns from the start of the statement, the person from the start of the query.
    const shift = watch.query.indexOf(condition) - start.length;
    const message = error.message.replace(/ at column (\d+)/, (_, column: string) => ` at column ${Number(column) + shift}`);
    throw new ConnectorError("BAD_REQUEST", { message, ...(error.platformCode !== undefined && { platformCode: error.platformCode }) });
  }
}

/** The conditions alone: people paste them with their WHERE. */
function conditionOf(query: string): string {
  return query
    .trim()
    .replace(/^where\s+/i, "")
    .trim();
}

function streamsOf(type: string, condition: string, rooms: Rooms): Stream[] {
  const filter = condition === "" ? "" : `(${condition}\n) AND `;
  // A sub-select of everything would be slow in a big org, and one inside another is refused: rows of all records are then sifted on reading.
  const sifted = condition === "" || /\(\s*select\b/i.test(condition);
  const ofWatched = (field: string) => (sifted ? "" : `${field} IN (SELECT Id FROM ${type} WHERE ${condition}\n) AND `);
  // With the recycle bin, as a comment taken away is a change of its record.
  const rows = (name: string, table: string, field: string): Stream => ({
    name,
    statement: (window, limit) => ({
      soql: `SELECT Id, ${field}, SystemModstamp FROM ${table} WHERE ${ofWatched(field)}${window} ORDER BY SystemModstamp, Id LIMIT ${limit}`,
      all: true,
      optional: table,
    }),
    recordsOf: (row) => [String(row[field])],
  });
  const streams: Stream[] = [
    {
      name: "records",
      statement: (window, limit) => ({ soql: `SELECT Id, SystemModstamp FROM ${type} WHERE ${filter}${window} ORDER BY SystemModstamp, Id LIMIT ${limit}` }),
      recordsOf: (row) => [String(row.Id)],
    },
  ];
  if (rooms.comments.kind === "caseComments") streams.push(rows("comments", "CaseComment", "ParentId"));
  if (rooms.comments.kind === "feed") streams.push(rows("posts", "FeedItem", "ParentId"), rows("replies", "FeedComment", "ParentId"));
  if (rooms.files !== undefined) streams.push(versionsStream);
  // Links can be listed only by their records [K]; without this, a file uploaded long ago and linked to another record now goes unnoticed.
  if (rooms.files !== undefined && !sifted) streams.push(rows("links", "ContentDocumentLink", "LinkedEntityId"));
  return streams;
}

/** New files and new versions of files, whichever record they belong to: that is looked up by {@link linksOf}. */
const versionsStream: Stream = {
  name: "versions",
  statement: (window, limit) => ({
    soql: `SELECT Id, ContentDocumentId, SystemModstamp FROM ContentVersion WHERE IsLatest = true AND ${window} ORDER BY SystemModstamp, Id LIMIT ${limit}`,
    optional: "ContentVersion",
  }),
  recordsOf: () => [],
};

/** The records that show the files of a page, by document. */
async function linksOf(
  { client }: Reader,
  streams: readonly Stream[],
  pages: readonly (readonly SoqlRecord[])[],
): Promise<ReadonlyMap<unknown, readonly string[]>> {
  const documents = [...new Set((pages[streams.indexOf(versionsStream)] ?? []).map(({ ContentDocumentId }) => String(ContentDocumentId)))];
  const links = new Map<unknown, string[]>();
  for (let i = 0; i < documents.length; i += 200) {
    const soql = `SELECT ContentDocumentId, LinkedEntityId FROM ContentDocumentLink WHERE ContentDocumentId IN ${list(documents.slice(i, i + 200))}`;
    const [rows = []] = await client.queries([{ soql, optional: "ContentDocumentLink" }], "look up the records of new files");
    for (const { ContentDocumentId, LinkedEntityId } of rows) links.set(ContentDocumentId, [...(links.get(ContentDocumentId) ?? []), String(LinkedEntityId)]);
  }
  return links;
}

/** The rows of a stream that are still to be seen, oldest first: the stamp bounds the index range, the id breaks ties inside one second. */
function windowOf({ name }: Stream, cursor: Cursor): string {
  const at = cursor.at[name];
  if (at === undefined) return `SystemModstamp >= ${cursor.floor}`;
  return `SystemModstamp >= ${at.stamp} AND (SystemModstamp > ${at.stamp} OR Id > ${quoted(at.id)})`;
}

/** Takes rows of all streams in the order of their stamps until so many records are named. */
function take(
  streams: readonly Stream[],
  pages: readonly (readonly SoqlRecord[])[],
  links: ReadonlyMap<unknown, readonly string[]>,
  limit: number,
): { taken: Seen[]; complete: boolean } {
  const rows = streams.flatMap((stream, i) =>
    (pages[i] ?? []).map(
      (row): Seen => ({
        stream,
        row,
        stamp: stampOf(row),
        records: stream === versionsStream ? (links.get(row.ContentDocumentId) ?? []) : stream.recordsOf(row),
      }),
    ),
  );
  // A stream that filled its page has more rows behind it: nothing newer than its last one is taken from the others.
  const ends = pages.flatMap((page) => (page.length >= limit ? page.slice(-1).map(stampOf) : []));
  const end = ends.toSorted(compare)[0];
  const taken: Seen[] = [];
  const named = new Set<string>();
  for (const seen of rows.toSorted((a, b) => compare(a.stamp, b.stamp))) {
    const full = named.size >= limit && !seen.records.every((id) => named.has(id));
    if (full || (end !== undefined && seen.stamp > end)) return { taken, complete: false };
    for (const id of seen.records) named.add(id);
    taken.push(seen);
  }
  return { taken, complete: end === undefined };
}

function stampOf(row: SoqlRecord): string {
  return instant(isoInstant(String(row.SystemModstamp)));
}

function openWindow(cursor: Cursor, begun: string, taken: readonly Seen[]): Omit<Cursor, "reported"> {
  const at = { ...cursor.at };
  for (const { stream, row, stamp } of taken) at[stream.name] = { stamp, id: String(row.Id) };
  return { version: 1, floor: cursor.floor, at, begun };
}

/** The end was reached: all that was committed when the window was begun has been seen, so only the overlap before that is looked at again. */
function closedWindow(cursor: Cursor, begun: string, overlapSeconds: number): Omit<Cursor, "reported"> {
  const floor = Math.max(Date.parse(begun) - overlapSeconds * 1000, Date.parse(cursor.floor));
  return { version: 1, floor: instant(new Date(floor).toISOString()), at: {} };
}

function firstCursor(since: string): Cursor {
  return { version: 1, floor: instant(since), at: {}, reported: [] };
}

function parsedCursor(text: string): Cursor {
  try {
    return cursorSchema.parse(JSON.parse(text));
  } catch {
    throw new ConnectorError("CURSOR_LOST", { message: "The position of this trigger cannot be read; it has to start again." });
  }
}

async function whole(reader: Reader, type: string, ids: readonly string[], condition: string) {
  const entities = [];
  for (let i = 0; i < ids.length; i += 200) entities.push(...(await readWhole(reader, type, ids.slice(i, i + 200), condition)));
  return entities;
}

function newestStamps(taken: readonly Seen[]): Map<string, string> {
  return new Map(taken.flatMap(({ records, stamp }) => records.map((id) => [id, stamp] as const)));
}

/** The part of a version that tells states apart; the stamp before it is for people. */
function fingerprint(version: string): string {
  return version.slice(version.lastIndexOf("/") + 1);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
