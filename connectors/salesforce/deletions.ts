import { z } from "zod";
import { ConnectorError } from "../errors.ts";
import type { SalesforceClient } from "./client.ts";
import type { PartAnswer } from "./composite.ts";
import { salesforceId } from "./id.ts";
import { answerError } from "./platform-errors.ts";
import { besides } from "./queries.ts";
import type { Reader } from "./read.ts";
import type { SalesforceObject } from "./schema.ts";
import { instant, list } from "./soql.ts";
import { isoInstant } from "./values.ts";
import type { Cursor } from "./watch-cursor.ts";

/** A record that the platform says is gone. */
export interface Deletion {
  readonly id: string;
  readonly stamp: string;
  /** The record that it was merged into. */
  readonly master: string | undefined;
}

/** The list takes minutes, not seconds, and at least one of them [D]; it is asked from a little before. */
const slackMs = 120_000;
/** It reaches 30 days back [D]; an hour less, as clocks differ. */
const furthestMs = 30 * 86_400_000 - 3_600_000;
/** Where it costs a call of its own it is asked so often. */
const alonePauseMs = 600_000;
const mostTold = 5000;

const deletedAnswer = z.object({
  deletedRecords: z.array(z.object({ id: z.string(), deletedDate: z.string() })),
  latestDateCovered: z.string(),
});
type DeletedAnswer = z.infer<typeof deletedAnswer>;

/** How a deletion is named as a version: the state is the same whenever it is looked at. */
export function deletedVersion(master: string | undefined): string {
  return master === undefined ? "deleted" : `deleted/into ${master}`;
}

/** The path that lists what was deleted, and when: in the recycle bin or gone from it, which no query shows. Undefined where the object keeps no such list. */
export function deletionsPath(client: SalesforceClient, object: SalesforceObject, cursor: Cursor, now: number): string | undefined {
  if (!object.replicateable || client.absences.has(absence(object))) return undefined;
  return pathOf(client, object, startOf(cursor, now), now);
}

/**
 * The records of the list that were not reported yet and are truly gone: a record restored since is not. The second part is what the cursor
 * keeps; `latestDateCovered` is where to go on, as the list may lag for hours behind a long transaction [D].
 */
export async function deletionsOf(
  reader: Reader,
  object: SalesforceObject,
  cursor: Cursor,
  { now, list: given, until }: { readonly now: number; readonly list: PartAnswer | undefined; readonly until: number },
  limit: number,
): Promise<{ readonly found: readonly Deletion[]; readonly deletions: Cursor["deletions"]; readonly more: boolean }> {
  const { client } = reader;
  const kept = cursor.deletions ?? { covered: cursor.floor, asked: cursor.floor, told: [] };
  const same = { found: [], deletions: kept, more: false };
  if (!object.replicateable || client.absences.has(absence(object))) return same;
  const list = given !== undefined && isForeign(given) ? undefined : given;
  if (given !== undefined && list === undefined) client.absences.note(besides);
  if (list === undefined && now - Date.parse(kept.asked) < alonePauseMs) return same;
  // A clock that was put forward, or an answer that took minutes: the list then ends before what the rows tell of.
  const late = list !== undefined && now - until > slackMs / 2;
  const answer = await listOf(client, object, startOf(cursor, now), now, late ? undefined : list);
  if (answer === undefined) return same;
  const told = new Set(kept.told);
  const from = instant(new Date(cursor.deletions === undefined ? Date.parse(cursor.floor) : startOf(cursor, now)).toISOString());
  const listed = answer.deletedRecords
    .map(({ id, deletedDate }) => ({ id: salesforceId(id) ?? id, stamp: instant(isoInstant(deletedDate)) }))
    .toSorted((a, b) => (a.stamp === b.stamp ? (a.id < b.id ? -1 : 1) : a.stamp < b.stamp ? -1 : 1));
  const unreported = new Map(listed.filter(({ id, stamp }) => !told.has(id) && stamp >= from).map((entry) => [entry.id, entry]));
  const fresh = [...unreported.values()].slice(0, limit);
  const more = unreported.size > fresh.length;
  const deletions = {
    covered: more ? kept.covered : instant(isoInstant(answer.latestDateCovered)),
    asked: instant(new Date(now).toISOString()),
    // What is listed again next time must be known; what is not, need not.
    told: [...listed.filter(({ id }) => told.has(id)), ...fresh].map(({ id }) => id).slice(-mostTold),
  };
  return { found: await confirmed(client, object, fresh), deletions, more };
}

async function listOf(
  client: SalesforceClient,
  object: SalesforceObject,
  start: number,
  end: number,
  given: PartAnswer | undefined,
): Promise<DeletedAnswer | undefined> {
  const what = `list the deleted records of ${object.name}`;
  try {
    if (given !== undefined && given.httpStatusCode >= 300) throw answerError(given.httpStatusCode, given.body, { what, write: false });
    const path = pathOf(client, object, start, end);
    const body = given?.body ?? (await client.data({ method: "GET", path, what, write: false, repeatable: true }));
    const parsed = deletedAnswer.safeParse(body);
    if (parsed.success) return parsed.data;
    client.absences.note(absence(object));
    return undefined;
  } catch (error) {
    if (!(error instanceof ConnectorError)) throw error;
    // More than 600 000 at once [D]: half of the time, and the rest with the next poll.
    if (error.code === "TOO_LARGE" && end - start > 2 * slackMs) return await listOf(client, object, start, start + (end - start) / 2, undefined);
    if (error.code === "THROTTLED" || error.code === "AUTH_EXPIRED" || error.code === "AUTH_CONFIG") throw error;
    // The list is a check beside the recycle bin: where it cannot be had, polls go on without it.
    client.absences.note(absence(object));
    return undefined;
  }
}

/** Whether a composite did not take the call at all, as against having an answer that is an error of the list itself. */
function isForeign({ httpStatusCode, body }: PartAnswer): boolean {
  if (httpStatusCode < 300) return false;
  const { code } = answerError(httpStatusCode, body, { what: "", write: false });
  return code !== "TOO_LARGE" && code !== "THROTTLED" && code !== "AUTH_EXPIRED";
}

/** Leaves out what was restored since; of what the recycle bin still holds it tells what it was merged into. */
async function confirmed(
  client: SalesforceClient,
  object: SalesforceObject,
  fresh: readonly { readonly id: string; readonly stamp: string }[],
): Promise<Deletion[]> {
  const masters = object.byName.has("MasterRecordId");
  const found: Deletion[] = [];
  for (let i = 0; i < fresh.length; i += 200) {
    const part = fresh.slice(i, i + 200);
    const soql = `SELECT Id, IsDeleted${masters ? ", MasterRecordId" : ""} FROM ${object.name} WHERE Id IN ${list(part.map(({ id }) => id))}`;
    const [rows = []] = await client.queries([{ soql, all: true }], `look into the recycle bin of ${object.name}`);
    const byId = new Map(rows.map((row) => [row.Id, row]));
    for (const { id, stamp } of part) {
      const row = byId.get(id);
      if (row !== undefined && row.IsDeleted !== true) continue;
      found.push({ id, stamp, master: typeof row?.MasterRecordId === "string" ? row.MasterRecordId : undefined });
    }
  }
  return found;
}

function startOf(cursor: Cursor, now: number): number {
  const covered = Date.parse(cursor.deletions?.covered ?? cursor.floor);
  return Math.max(Math.min(covered, now) - slackMs, now - furthestMs);
}

function pathOf(client: SalesforceClient, { name }: SalesforceObject, start: number, end: number): string {
  const text = (at: number) => encodeURIComponent(`${new Date(at).toISOString().slice(0, 19)}+00:00`);
  return client.versioned(`/sobjects/${name}/deleted?start=${text(start)}&end=${text(end)}`);
}

function absence({ name }: SalesforceObject): string {
  return `deleted ${name}`;
}
