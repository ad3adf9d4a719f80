import type { Json, WriteOperation, WriteOutcome } from "../connector.ts";
import { ConnectorError } from "../errors.ts";
import { addAttachments, removalIds } from "./attachments.ts";
import type { Call } from "./client.ts";
import { salesforceId } from "./id.ts";
import type { Reader } from "./read.ts";
import { roomsOf } from "./rooms.ts";
import type { SalesforceObject } from "./schema.ts";
import { writeValue } from "./values.ts";
import { type Placed, wavesOf } from "./waves.ts";

type Operation<Kind extends WriteOperation["kind"]> = Extract<WriteOperation, { kind: Kind }>;
/** What a collection call carries for one operation: a record, or the id to delete. */
type Item = { readonly place: number; readonly type: string; readonly record: Readonly<Record<string, Json>>; readonly what: string };
type Removal = { readonly place: number; readonly type: string; readonly id: string; readonly what: string };

/** A collection takes 200 records [D], in at most ten runs of one type. */
const collectionLimit = 200;

/** Writes many, each with its own outcome, in as few calls as the order of operations on one record allows. */
export async function writeMany(reader: Reader, operations: readonly WriteOperation[]): Promise<WriteOutcome[]> {
  const outcomes: WriteOutcome[] = new Array(operations.length);
  for (const wave of wavesOf(operations)) await writeWave(reader, wave, outcomes);
  return outcomes;
}

async function writeWave(reader: Reader, wave: readonly Placed[], outcomes: WriteOutcome[]): Promise<void> {
  const inserts: Item[] = [];
  const updates: Item[] = [];
  const removals: Removal[] = [];
  for (const { place, operation } of wave) {
    try {
      const prepared = await prepare(reader, operation);
      if (prepared === undefined) continue;
      if ("remove" in prepared) removals.push({ place, id: prepared.remove, type: prepared.type, what: prepared.what });
      else (prepared.insert ? inserts : updates).push({ place, ...prepared });
    } catch (error) {
      outcomes[place] = failure(error, false);
    }
  }
  const files = wave.filter((placed): placed is Placed & { operation: Operation<"removeAttachment"> } => placed.operation.kind === "removeAttachment");
  removals.push(...(await fileRemovals(reader, files, outcomes)));
  for (const batch of batches(inserts)) await save(reader, "POST", batch, outcomes);
  for (const batch of batches(updates)) await save(reader, "PATCH", batch, outcomes);
  for (let i = 0; i < removals.length; i += collectionLimit) await remove(reader, removals.slice(i, i + collectionLimit), outcomes);
  const uploads = wave.filter((placed): placed is Placed & { operation: Operation<"addAttachment"> } => placed.operation.kind === "addAttachment");
  if (uploads.length === 0) return;
  const added = await addAttachments(
    reader.client,
    uploads.map(({ operation }) => operation),
  );
  for (const [i, { place }] of uploads.entries()) outcomes[place] = added[i] ?? failure(undefined, true);
}

type Prepared =
  | { readonly insert: boolean; readonly type: string; readonly record: Readonly<Record<string, Json>>; readonly what: string }
  | { readonly remove: string; readonly type: string; readonly what: string };

/** What to send for an operation; undefined for those on files, which go their own way. Throws what makes it impossible. */
async function prepare(reader: Reader, operation: WriteOperation): Promise<Prepared | undefined> {
  switch (operation.kind) {
    case "create": {
      const object = await reader.schemas.object(operation.entityType);
      const marker = object.byName.get(reader.config.markerField)?.createable ? { [reader.config.markerField]: operation.marker } : {};
      return { insert: true, type: object.name, record: { ...fieldsOf(object, operation.fields), ...marker }, what: `create ${object.name}` };
    }
    case "update": {
      const object = await reader.schemas.object(operation.ref.type);
      return {
        insert: false,
        type: object.name,
        record: { id: operation.ref.id, ...fieldsOf(object, operation.fields) },
        what: `update ${object.name} ${operation.ref.id}`,
      };
    }
    case "delete":
      return { remove: operation.ref.id, type: operation.ref.type, what: `delete ${operation.ref.type} ${operation.ref.id}` };
    case "addComment":
      return { insert: true, ...(await newComment(reader, operation)), what: `add a comment to ${operation.ref.type} ${operation.ref.id}` };
    case "editComment": {
      const { type, body } = commentFields(operation.commentId);
      return {
        insert: false,
        type,
        record: { id: operation.commentId, [body]: operation.body },
        what: `edit the comment ${operation.commentId} of ${operation.ref.type} ${operation.ref.id}`,
      };
    }
    case "removeComment":
      return {
        remove: operation.commentId,
        type: commentFields(operation.commentId).type,
        what: `remove the comment ${operation.commentId} of ${operation.ref.type} ${operation.ref.id}`,
      };
    case "addAttachment":
    case "removeAttachment":
      return undefined;
  }
}

function fieldsOf(object: SalesforceObject, fields: Readonly<Record<string, Json>>): Record<string, Json> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, writeValue(value, object.byName.get(name))]));
}

async function newComment(
  { schemas, config }: Reader,
  { ref, body, internal }: Operation<"addComment">,
): Promise<{ type: string; record: Record<string, Json> }> {
  const { comments } = roomsOf(await schemas.object(ref.type), config.comments);
  if (comments.kind === "none")
    throw new ConnectorError("BAD_REQUEST", { message: `${ref.type} takes no comments in this org.`, advice: "Turn on feed tracking for the object." });
  if (comments.kind === "caseComments") return { type: "CaseComment", record: { ParentId: ref.id, CommentBody: body, IsPublished: !internal } };
  const feed = await schemas.optional("FeedItem");
  const { createable = false } = feed?.byName.get("Visibility") ?? {};
  // The visibility of posts can be chosen only in orgs with communities. Elsewhere an internal post would be read back as a public one.
  if (internal && !createable) {
    throw new ConnectorError("BAD_REQUEST", {
      message: `The feed of ${ref.type} knows no internal posts in this org.`,
      advice: "Send such comments to another field, or use case comments.",
    });
  }
  const visibility: Record<string, Json> = createable ? { Visibility: internal ? "InternalUsers" : "AllUsers" } : {};
  return { type: "FeedItem", record: { ParentId: ref.id, Body: body, Type: "TextPost", ...visibility } };
}

function commentFields(id: string): { readonly type: string; readonly body: string } {
  const type = { "00a": "CaseComment", "0D5": "FeedItem", "0D7": "FeedComment" }[id.slice(0, 3)];
  if (type === undefined || salesforceId(id) === undefined) throw new ConnectorError("BAD_REQUEST", { message: `“${id}” is not the id of a comment.` });
  return { type, body: type === "FeedItem" ? "Body" : "CommentBody" };
}

/** What a removed file may be, by the prefix of its id: the file, its link, an old attachment. */
const fileTypes: Readonly<Record<string, string>> = { "069": "ContentDocument", "06A": "ContentDocumentLink", "00P": "Attachment" };

async function fileRemovals(
  { client }: Reader,
  wave: readonly (Placed & { operation: Operation<"removeAttachment"> })[],
  outcomes: WriteOutcome[],
): Promise<Removal[]> {
  try {
    const ids = await removalIds(
      client,
      wave.map(({ operation }) => operation),
    );
    return wave.flatMap(({ place, operation }, i) => {
      const id = ids[i];
      if (id !== undefined)
        return [
          {
            place,
            type: fileTypes[id.slice(0, 3)] ?? "ContentDocument",
            id,
            what: `remove the attachment ${operation.attachmentId} of ${operation.ref.type} ${operation.ref.id}`,
          },
        ];
      outcomes[place] = { ok: true, id: operation.attachmentId };
      return [];
    });
  } catch (error) {
    for (const { place } of wave) outcomes[place] = failure(error, false);
    return [];
  }
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
    if (batch.length >= collectionLimit || types > 10 || (id !== undefined && ids.has(id))) {
      result.push(batch);
      batch = [];
      ids = new Set();
    }
    batch.push(item);
    if (id !== undefined) ids.add(id);
  }
  return batch.length === 0 ? result : [...result, batch];
}

async function save({ client }: Reader, method: "POST" | "PATCH", items: readonly Item[], outcomes: WriteOutcome[]): Promise<void> {
  // The type has to come first in each record [R].
  const records = items.map(({ type, record }) => ({ attributes: { type }, ...record }));
  const call: Call = {
    method,
    path: "/composite/sobjects",
    body: { allOrNone: false, records },
    what: whatOf(items),
    write: true,
    repeatable: method === "PATCH",
  };
  try {
    const singles = items.map(({ type, record: { id, ...fields }, what }): Call => {
      const path = `/sobjects/${type}${method === "PATCH" ? `/${encodeURIComponent(String(id))}` : ""}`;
      return {
        method,
        path,
        body: method === "PATCH" ? fields : { ...fields, ...(id !== undefined && { id }) },
        what,
        write: true,
        repeatable: call.repeatable,
      };
    });
    const saved = await client.collection(call, singles);
    for (const [i, { place, what, record }] of items.entries()) outcomes[place] = itemOutcome(saved[i], what, call.what, record.id);
  } catch (error) {
    for (const { place } of items) outcomes[place] = failure(error, true);
  }
}

async function remove({ client }: Reader, removals: readonly Removal[], outcomes: WriteOutcome[]): Promise<void> {
  const ids = [...new Set(removals.map(({ id }) => id))];
  const call: Call = {
    method: "DELETE",
    path: `/composite/sobjects?ids=${ids.map(encodeURIComponent).join(",")}&allOrNone=false`,
    what: whatOf(removals),
    write: true,
    repeatable: true,
  };
  try {
    const singles = ids.map((id): Call => {
      const { type = "", what = call.what } = removals.find((removal) => removal.id === id) ?? {};
      return { method: "DELETE", path: `/sobjects/${type}/${encodeURIComponent(id)}`, what, write: true, repeatable: true };
    });
    const removed = await client.collection(call, singles);
    for (const { place, id, what } of removals) {
      const outcome = itemOutcome(removed[ids.indexOf(id)], what, call.what, id);
      // What is gone already is as gone as was wanted.
      outcomes[place] = !outcome.ok && outcome.error.code === "DELETED" ? { ok: true, id } : outcome;
    }
  } catch (error) {
    for (const { place } of removals) outcomes[place] = failure(error, true);
  }
}

function itemOutcome(saved: { readonly id: string } | ConnectorError | undefined, what: string, whatOfCall: string, ownId: Json | undefined): WriteOutcome {
  if (saved === undefined) return failure(undefined, true);
  if (!(saved instanceof ConnectorError)) return { ok: true, id: saved.id };
  const { code, message, fields, advice, platformCode, uncertain, retryAfterMs } = saved;
  // An unknown id is the record itself in an update, but a value given for a field where the complaint names one or the record is new.
  const refusedValue = platformCode === "INVALID_CROSS_REFERENCE_KEY" && !what.startsWith("add a comment") && (ownId === undefined || fields.length > 0);
  return {
    ok: false,
    error: new ConnectorError(refusedValue ? "VALIDATION" : code, {
      message: message.replace(whatOfCall, what),
      fields,
      uncertain,
      ...(advice !== undefined && { advice }),
      ...(platformCode !== undefined && { platformCode }),
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    }),
  };
}

function whatOf(items: readonly { readonly what: string }[]): string {
  return items.length === 1 ? (items[0]?.what ?? "") : `write ${items.length} records`;
}

function failure(error: unknown, sent: boolean): WriteOutcome {
  if (error instanceof ConnectorError) return { ok: false, error };
  return { ok: false, error: new ConnectorError("PROTOCOL", { message: "Salesforce gave no outcome for this record.", uncertain: sent }) };
}
