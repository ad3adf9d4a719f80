import type { Json } from "../connector.ts";
import type { Call } from "./client.ts";

/** A record to save; `place` is that of its operation in the list that was given. */
export interface Item {
  readonly place: number;
  readonly type: string;
  /** With `id` for an update. */
  readonly record: Readonly<Record<string, Json>>;
  /** In words, for errors. */
  readonly what: string;
  /** The external id field that the record is saved by, so that saving it twice makes one record. */
  readonly upsertBy?: string;
}

/** A record, comment or file to delete. */
export interface Removal {
  readonly place: number;
  readonly type: string;
  readonly id: string;
  readonly what: string;
}

/** One collection call with the outcomes that it stands for, in order, and the same as calls of their own for where there are no collections. */
export interface Shipment {
  readonly call: Call;
  readonly singles: readonly Call[];
  readonly items: readonly (Item | Removal)[];
  /** The item of each record that is sent: an id is deleted once even where it was named twice. */
  readonly sentAs: readonly number[];
  /** The way of saving by external id, by which its absence is remembered. */
  readonly upserts?: string;
}

/** A collection takes 200 records [D], in at most ten runs of one type. */
const collectionLimit = 200;
const mostRuns = 10;

/** Collections for one wave: what may be saved or deleted at one time. Inserts go first, so that their order among comments stays. */
export function shipmentsOf(items: readonly Item[], removals: readonly Removal[]): Shipment[] {
  const updates = items.filter(isUpdate);
  const upserts = Map.groupBy(
    items.filter(({ upsertBy }) => upsertBy !== undefined),
    ({ type, upsertBy }) => `${type}/${upsertBy}`,
  );
  const inserts = items.filter((item) => !isUpdate(item) && item.upsertBy === undefined);
  return [
    ...[...upserts.values()].flatMap(batches).map(upsertOf),
    ...batches(inserts).map((batch) => saveOf("POST", batch)),
    ...batches(updates).map((batch) => saveOf("PATCH", batch)),
    ...inParts(removals, collectionLimit).map(removalOf),
  ];
}

/** The same items in smaller shipments. */
export function split(items: Shipment["items"], size: number): Shipment[] {
  return inParts(items, size).flatMap((part) =>
    shipmentsOf(
      part.filter((item) => "record" in item),
      part.filter((item): item is Removal => !("record" in item)),
    ),
  );
}

function isUpdate({ record }: Item): boolean {
  return record.id !== undefined;
}

/** Items of one type stand together, and no collection holds the same record twice. */
function batches(items: readonly Item[]): Item[][] {
  const sorted = [...Map.groupBy(items, ({ type }) => type).values()].flat();
  const result: Item[][] = [];
  let batch: Item[] = [];
  let ids = new Set<Json>();
  for (const item of sorted) {
    const id = item.record.id;
    const types = new Set([...batch, item].map(({ type }) => type)).size;
    if (batch.length >= collectionLimit || types > mostRuns || (id !== undefined && ids.has(id))) {
      result.push(batch);
      batch = [];
      ids = new Set();
    }
    batch.push(item);
    if (id !== undefined) ids.add(id);
  }
  return batch.length === 0 ? result : [...result, batch];
}

function saveOf(method: "POST" | "PATCH", items: readonly Item[]): Shipment {
  const repeatable = method === "PATCH";
  const singles = items.map(({ type, record: { id, ...fields }, what }): Call => {
    const path = `/sobjects/${type}${method === "PATCH" ? `/${encodeURIComponent(String(id))}` : ""}`;
    return { method, path, body: fields, what, write: true, repeatable };
  });
  return {
    call: { method, path: "/composite/sobjects", body: bodyOf(items), what: whatOf(items), write: true, repeatable },
    singles,
    items,
    sentAs: inOrder(items),
  };
}

/**
 * Creates by external id: should the same one have been carried out before, unknown to us, it is found instead of made twice. Not repeated
 * by the client all the same, as the first one may still be under way. The values stand in the body, where nothing has to be encoded.
 */
function upsertOf(items: readonly Item[]): Shipment {
  const [{ type = "", upsertBy = "" } = {}] = items;
  const path = `/composite/sobjects/${type}/${upsertBy}`;
  const call: Call = { method: "PATCH", path, body: bodyOf(items), what: whatOf(items), write: true, repeatable: false };
  return { ...saveOf("POST", items), call, upserts: `upserts of ${type}` };
}

function removalOf(items: readonly Removal[]): Shipment {
  const ids = [...new Set(items.map(({ id }) => id))];
  const path = `/composite/sobjects?ids=${ids.map(encodeURIComponent).join(",")}&allOrNone=false`;
  const singles = ids.map((id): Call => {
    const { type = "", what = "" } = items.find((removal) => removal.id === id) ?? {};
    return { method: "DELETE", path: `/sobjects/${type}/${encodeURIComponent(id)}`, what, write: true, repeatable: true };
  });
  const call: Call = { method: "DELETE", path, what: whatOf(items), write: true, repeatable: true };
  return { call, singles, items, sentAs: items.map(({ id }) => ids.indexOf(id)) };
}

/** The type has to come first in each record [R]. */
function bodyOf(items: readonly Item[]): object {
  return { allOrNone: false, records: items.map(({ type, record }) => ({ attributes: { type }, ...record })) };
}

function inOrder(items: readonly unknown[]): number[] {
  return items.map((_, i) => i);
}

function inParts<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));
}

function whatOf(items: readonly { readonly what: string }[]): string {
  return items.length === 1 ? (items[0]?.what ?? "") : `write ${items.length} records`;
}
