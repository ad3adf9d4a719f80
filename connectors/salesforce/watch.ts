import type { EntityRef, Watch, WatchedChange, WatchPage } from "../connector.ts";
import { deletedVersion, deletionsOf, deletionsPath } from "./deletions.ts";
import { spareCalls } from "./limits.ts";
import { type Reader, readWhole } from "./read.ts";
import { roomsOf } from "./rooms.ts";
import type { SalesforceObject } from "./schema.ts";
import { instant } from "./soql.ts";
import { streamsOf, windowOf } from "./streams.ts";
import { conditionOf } from "./trigger-query.ts";
import { type Cursor, closedWindow, firstCursor, openWindow, parsedCursor } from "./watch-cursor.ts";
import { compare, mostRows, ordered, type Seen, take } from "./watch-rows.ts";

/** Stamps are cut to seconds, and the answer's time is taken after the rows were chosen. */
const tickMs = 1000;
/** So many deleted records are remembered as told of; beyond that they may be told of twice. */
const mostTold = 5000;
/** So many states that were reported early in a long window are remembered; beyond that they may be reported twice. */
const mostEarlier = 1000;

/**
 * Lists what changed: records by SystemModstamp, comments, e-mails and files by theirs, as those need not touch their record. All are asked
 * in one call, and with them the platform's own list of deleted records; a second call reads what is new, a third one, only where files are
 * new, which records they belong to. Stamps have whole seconds and are set before the commit, so the newest `overlapSeconds` are looked at
 * again by every poll, and what was reported from them is remembered by content. A state is reported with the version that `read` gives it.
 * Deleted records are reported whatever they held: out of the recycle bin, and where they are gone from it too, from the list.
 */
export async function pollChanges(reader: Reader, watch: Watch, given: string | undefined, limit: number, since: string | undefined): Promise<WatchPage> {
  const { client } = reader;
  const condition = conditionOf(watch);
  await spareCalls(client, reader.config);
  const now = await client.orgTime();
  const cursor = given === undefined ? firstCursor(since ?? new Date(now).toISOString()) : parsedCursor(given);
  const begun = cursor.begun ?? instant(new Date(now - tickMs).toISOString());
  const object = await reader.schemas.object(watch.entityType);
  const streams = streamsOf(object, condition, roomsOf(object, reader.config));
  const size = Math.max(1, Math.min(limit, mostRows));
  const ask = async () => {
    const statements = streams.map((stream) => stream.statement(windowOf(stream, cursor), mostRows));
    const { rows, answer } = await client.rows.rowsBeside(statements, deletionsPath(client, object, cursor, now), `watch ${watch.entityType}`);
    return { fetched: await ordered(reader, object, streams, rows), answer };
  };
  const ahead = reader.lookahead.of(given);
  const { fetched, answer = undefined } = ahead !== undefined && take(ahead, size).taken.length > 0 ? { fetched: ahead } : await ask();
  const heard = await client.orgTime();
  const { taken, rest } = take(fetched, size);
  // Rows that were fetched earlier end no window: what was committed since, behind them, is asked for once more.
  const complete = fetched !== ahead && rest.length === 0 && fetched.end === undefined;
  const { seen, read } = await seenRecords(
    reader,
    object,
    condition,
    taken.filter((row) => !fetched.covered.has(row)),
  );
  const reported = new Map(cursor.reported.map((entry) => [entry[0], entry]));
  const changes: WatchedChange[] = [];
  const report = ({ change, stamp }: SeenRecord) => {
    const { id } = change.ref;
    if (reported.get(id)?.[1] !== fingerprint(change.version)) changes.push(change);
    reported.set(id, [id, fingerprint(change.version), stamp]);
  };
  for (const record of seen.toSorted((a, b) => compare(a.stamp, b.stamp))) report(record);
  // A row that told nothing new may come again in the next window: its record has to be known until then.
  for (const { records, stamp } of taken)
    for (const [id, print, before] of records.flatMap((id) => [reported.get(id)].filter((entry) => entry !== undefined)))
      if (stamp > before) reported.set(id, [id, print, stamp]);

  const next = complete ? closedWindow(cursor, begun, reader.config.overlapSeconds) : openWindow(cursor, begun, lastOf(taken));
  const gone = seen.flatMap(({ change }) => (change.deleted ? [change.ref.id] : []));
  const known = { ...cursor, deletions: withTold(cursor, gone, new Set(seen.flatMap(({ change }) => (change.deleted ? [] : [change.ref.id])))) };
  const { found, deletions, more } = complete
    ? await deletionsOf(reader, object, known, { now: heard, list: answer, until: now }, size - changes.length)
    : { found: [], deletions: known.deletions, more: false };
  for (const { id, stamp, master } of found) report({ stamp, change: deletedChange({ type: object.name, id }, master) });
  const { deletions: _, ...position } = next;
  const after: Cursor = { ...position, reported: worthKeeping([...reported.values()], next, reader.config), ...(deletions !== undefined && { deletions }) };
  const text = JSON.stringify(after);
  if (!complete) reader.lookahead.keep(text, { rows: rest, end: fetched.end, covered: coveredBy(rest, read, fetched.covered) });
  return { changes, cursor: text, more: !complete || more };
}

/** What is left of rows once records were read whole: those tell nothing new that tell only of them, but for the records' own that say that they were deleted. */
function coveredBy(rest: readonly Seen[], read: ReadonlySet<string>, before: ReadonlySet<Seen>): Set<Seen> {
  const isCovered = (seen: Seen) => before.has(seen) || (!isOwn(seen) && seen.records.every((id) => read.has(id)));
  return new Set(rest.filter(isCovered));
}

/** What the next window gives again must be known. While this one is open, what it has given before may come again too; that is worth knowing, but no more than the cursor can carry. */
function worthKeeping(reported: readonly Cursor["reported"][number][], { floor, begun }: Cursor, { overlapSeconds }: Reader["config"]): Cursor["reported"] {
  const again = begun === undefined ? floor : instant(new Date(Date.parse(begun) - overlapSeconds * 1000).toISOString());
  const needed = reported.filter(([, , stamp]) => stamp >= again);
  const earlier = reported.filter(([, , stamp]) => stamp >= floor && stamp < again);
  return [...earlier.slice(-mostEarlier), ...needed];
}

function isOwn({ stream }: Seen): boolean {
  return stream.name === "records" || stream.name === "deleted";
}

interface SeenRecord {
  readonly stamp: string;
  readonly change: WatchedChange;
}

/** What became of the records that rows tell of: deleted as their own row says, or read whole; those that do not meet the condition are left out. */
async function seenRecords(
  reader: Reader,
  object: SalesforceObject,
  condition: string,
  taken: readonly Seen[],
): Promise<{ readonly seen: readonly SeenRecord[]; readonly read: ReadonlySet<string> }> {
  const newest = new Map(taken.flatMap(({ records, stamp }) => records.map((id) => [id, stamp] as const)));
  const own = taken.filter(isOwn);
  // A record that was deleted and restored between two pages has two rows: the later one counts.
  const masters = new Map(own.map(({ row }) => [String(row.Id), row.IsDeleted === true ? { master: row.MasterRecordId } : undefined]));
  const seen: SeenRecord[] = [];
  for (const [id, gone] of masters)
    if (gone !== undefined) {
      const master = typeof gone.master === "string" ? gone.master : undefined;
      seen.push({ stamp: newest.get(id) ?? "", change: deletedChange({ type: object.name, id }, master) });
    }
  const ids = [...newest.keys()].filter((id) => masters.get(id) === undefined);
  for (let i = 0; i < ids.length; i += 200)
    for (const { ref, version } of await readWhole(reader, object.name, ids.slice(i, i + 200), condition))
      seen.push({ stamp: newest.get(ref.id) ?? "", change: { ref, version } });
  return { seen, read: new Set(ids) };
}

function deletedChange(ref: EntityRef, master: string | undefined): WatchedChange {
  const into = master !== undefined && { mergedInto: { type: ref.type, id: master } };
  return { ref, version: deletedVersion(master), deleted: true, ...into };
}

/** The platform's list of deleted records need not tell again of what the recycle bin told of, unless it was restored. */
function withTold({ deletions, floor }: Cursor, ids: readonly string[], alive: ReadonlySet<string>): Cursor["deletions"] {
  if (deletions === undefined && ids.length === 0) return undefined;
  const { told, ...kept } = deletions ?? { covered: floor, asked: floor, told: [] };
  return { ...kept, told: [...new Set([...told.filter((id) => !alive.has(id)), ...ids])].slice(-mostTold) };
}

/** The last row taken of each stream. */
function lastOf(taken: readonly Seen[]): Map<string, { readonly stamp: string; readonly id: string }> {
  return new Map(taken.map(({ stream, row, stamp }) => [stream.name, { stamp, id: String(row.Id) }]));
}

/** The part of a version that tells states apart; the stamp before it is for people. */
function fingerprint(version: string): string {
  return version.slice(version.lastIndexOf("/") + 1);
}
