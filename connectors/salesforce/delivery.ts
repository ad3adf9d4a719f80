import type { WriteOutcome } from "../connector.ts";
import { ConnectorError } from "../errors.ts";
import { isMissingEndpoint, isRefused } from "./absence.ts";
import type { SalesforceClient } from "./client.ts";
import { salesforceId } from "./id.ts";
import { type SavedItem, savedItems } from "./items.ts";
import { answerError } from "./platform-errors.ts";
import { type Shipment, shipmentsOf, split } from "./shipments.ts";

/** A composite takes five collections [D]. */
const collectionsPerComposite = 5;
/** Composites of collections, by which their absence is remembered. */
const composites = "collections in composites";
/** Records that others hold are tried again in parts of this size, then one by one: a lock held on one parent fails all that share a call. */
const lockedParts = [20, 1] as const;

/** Carries out shipments in their order: one by a call of its own, several together in composites. Fills in the outcome of each item. */
export async function deliver(client: SalesforceClient, shipments: readonly Shipment[], outcomes: WriteOutcome[]): Promise<void> {
  for (let i = 0; i < shipments.length; i += collectionsPerComposite) {
    const group = shipments.slice(i, i + collectionsPerComposite);
    if (group.length > 1 && !client.absences.has(composites)) await together(client, group, outcomes);
    else for (const shipment of group) await alone(client, shipment, outcomes);
  }
}

async function together(client: SalesforceClient, group: readonly Shipment[], outcomes: WriteOutcome[]): Promise<void> {
  const parts = group.map(({ call: { method, path, body } }) => ({ method, url: client.versioned(path), ...(body !== undefined && { body }) }));
  const what = `write ${group.reduce((sum, { items }) => sum + items.length, 0)} records`;
  const repeatable = group.every(({ call }) => call.repeatable);
  let answers: Awaited<ReturnType<SalesforceClient["composite"]>>;
  try {
    answers = await client.composite(parts, { what, write: true, repeatable });
  } catch (error) {
    if (isRefused(error)) client.absences.note(composites);
    else if (!(error instanceof ConnectorError && error.code === "TOO_LARGE")) {
      for (const shipment of group) fail(shipment, error, outcomes);
      return;
    }
  }
  for (const [i, shipment] of group.entries()) {
    const answer = answers?.[i];
    if (answer === undefined) {
      await alone(client, shipment, outcomes);
      continue;
    }
    try {
      if (answer.httpStatusCode >= 300) throw answerError(answer.httpStatusCode, answer.body, { what: shipment.call.what, write: true });
      settle(shipment, savedItems(answer.body, shipment.singles.length, shipment.call), outcomes);
    } catch (error) {
      // What is not there, or was refused as a whole, did nothing; a call of its own finds out how else it can be done. But not for records
      // that a later part has written to: they would be given the older values last.
      if (!isMissingEndpoint(error) && !isDivisible(error)) {
        fail(shipment, error, outcomes);
        continue;
      }
      const later = new Set(group.slice(i + 1).flatMap(({ items }) => items.flatMap(recordsOf)));
      const [overtaken, free] = partition(shipment.items, (item) => recordsOf(item).some((id) => later.has(id)));
      for (const item of overtaken) outcomes[item.place] = refusalOf(error, item, shipment);
      for (const part of split(free, shipment.items.length)) await alone(client, part, outcomes);
    }
  }
}

/** Sends one shipment; in halves where it is too large, and what was locked once more in smaller parts. */
async function alone(client: SalesforceClient, shipment: Shipment, outcomes: WriteOutcome[], tried = 0): Promise<void> {
  const { items, upserts } = shipment;
  if (upserts !== undefined && client.absences.has(upserts)) return await asInserts(client, shipment, outcomes);
  try {
    settle(shipment, await saved(client, shipment), outcomes);
  } catch (error) {
    // One record with a field that the object does not have is refused together with all that share its call: without it they may go.
    const [guilty, innocent] = partition(items, (item) => hasUnknownField(error, item));
    if (guilty.length > 0) {
      for (const item of guilty) outcomes[item.place] = refusalOf(error, item, shipment);
      for (const part of split(innocent, items.length)) await alone(client, part, outcomes, tried);
      return;
    }
    if (upserts !== undefined && (isMissingEndpoint(error) || (isRefused(error) && !isUnreadable(error)))) {
      client.absences.note(upserts);
      return await asInserts(client, shipment, outcomes);
    }
    if (!isDivisible(error) || items.length === 1) return fail(shipment, error, outcomes);
    for (const half of split(items, Math.ceil(items.length / 2))) await alone(client, half, outcomes, tried);
    return;
  }
  const size = lockedParts[tried];
  const locked = items.filter(({ place }) => isLocked(outcomes[place]));
  if (size === undefined || locked.length === 0) return;
  await client.pause(tried + 1);
  for (const part of split(locked, size)) await alone(client, part, outcomes, tried + 1);
}

async function saved(client: SalesforceClient, { call, singles, upserts }: Shipment): Promise<readonly SavedItem[]> {
  if (upserts === undefined) return await client.collection(call, singles);
  return savedItems(await client.data(call), singles.length, call);
}

/** Where records cannot be saved by their external id, they are simply made. */
async function asInserts(client: SalesforceClient, { items }: Shipment, outcomes: WriteOutcome[]): Promise<void> {
  const plain = items.flatMap((item) => ("record" in item ? [{ place: item.place, type: item.type, record: item.record, what: item.what }] : []));
  for (const shipment of shipmentsOf(plain, [])) await alone(client, shipment, outcomes);
}

/** Refused as a whole, for its size or for one record in it: nothing was done, and parts of it may go. */
function isDivisible(error: unknown): boolean {
  // What no record of the call can be blamed for would be refused two hundred times.
  return isUnreadable(error) || (isRefused(error) && !/^(INVALID_TYPE|HTTP_|API_)/.test(error.platformCode ?? "HTTP_"));
}

/** Too much for one call, or with a record that could not be parsed [R]. */
function isUnreadable(error: unknown): boolean {
  return error instanceof ConnectorError && (error.code === "TOO_LARGE" || (error.platformCode === "JSON_PARSER_ERROR" && !error.uncertain));
}

/** Whether a refusal names a column of this record. The field that records are saved by is none of theirs. */
function hasUnknownField(error: unknown, item: Shipment["items"][number]): boolean {
  if (!(error instanceof ConnectorError) || error.platformCode !== "INVALID_FIELD" || error.uncertain || !("record" in item)) return false;
  const [, column = ""] = /No such column '([^']+)'/.exec(error.message) ?? [];
  const same = (name: string) => name.toLowerCase() === column.toLowerCase();
  return Object.keys(item.record).some(same) && !same(item.upsertBy ?? "");
}

/** The records whose order matters to an item: its own, and the one that it hangs on. */
function recordsOf(item: Shipment["items"][number]): string[] {
  const ids = "record" in item ? [item.record.id, item.record.ParentId] : [item.id];
  return ids.flatMap((id) => (typeof id === "string" ? [salesforceId(id) ?? id] : []));
}

/** What became of one item of a shipment that was refused as a whole. */
function refusalOf(error: unknown, item: Shipment["items"][number], { call }: Shipment): WriteOutcome {
  return error instanceof ConnectorError ? outcomeOf(error, item, call.what) : failure(error, true);
}

function partition<T>(items: readonly T[], isFirst: (item: T) => boolean): readonly [T[], T[]] {
  return [items.filter(isFirst), items.filter((item) => !isFirst(item))];
}

function isLocked(outcome: WriteOutcome | undefined): boolean {
  return outcome?.ok === false && outcome.error.platformCode === "UNABLE_TO_LOCK_ROW";
}

function settle({ call, items, sentAs }: Shipment, saved: readonly SavedItem[], outcomes: WriteOutcome[]): void {
  for (const [i, item] of items.entries()) {
    const outcome = outcomeOf(saved[sentAs[i] ?? -1], item, call.what);
    // What is gone already is as gone as was wanted.
    const gone = !("record" in item) && !outcome.ok && outcome.error.code === "DELETED";
    outcomes[item.place] = gone ? { ok: true, id: item.id } : outcome;
  }
}

function fail({ items }: Shipment, error: unknown, outcomes: WriteOutcome[]): void {
  for (const { place } of items) outcomes[place] = failure(error, true);
}

function outcomeOf(saved: SavedItem | undefined, item: Shipment["items"][number], whatOfCall: string): WriteOutcome {
  if (saved === undefined) return failure(undefined, true);
  if (!(saved instanceof ConnectorError)) return { ok: true, id: saved.id };
  const { code, message, fields, advice, platformCode, uncertain, retryAfterMs } = saved;
  return {
    ok: false,
    error: new ConnectorError(codeFor(saved, item) ?? code, {
      message: message.replace(whatOfCall, item.what),
      fields,
      uncertain,
      ...(advice !== undefined && { advice }),
      ...(platformCode !== undefined && { platformCode }),
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    }),
  };
}

function codeFor({ platformCode, fields, message }: ConnectorError, item: Shipment["items"][number]): "VALIDATION" | "CONFLICT" | undefined {
  const record = "record" in item ? item.record : { id: item.id };
  // An unknown id is the record itself in an update, but a value given for a field where the complaint names one or the record is new.
  if (platformCode === "INVALID_CROSS_REFERENCE_KEY" && !item.what.startsWith("add a comment") && (record.id === undefined || fields.length > 0))
    return "VALIDATION";
  // The same create is being saved at this moment: once it is through, a repeat finds it.
  const marked = "upsertBy" in item && item.upsertBy !== undefined && (fields.includes(item.upsertBy) || message.includes(item.upsertBy));
  return platformCode === "DUPLICATE_VALUE" && marked ? "CONFLICT" : undefined;
}

/** What a write that came to nothing is answered with; `sent` says that it may have happened where nothing else tells. */
export function failure(error: unknown, sent: boolean): WriteOutcome {
  if (error instanceof ConnectorError) return { ok: false, error };
  return { ok: false, error: new ConnectorError("PROTOCOL", { message: "Salesforce gave no outcome for this record.", uncertain: sent }) };
}
