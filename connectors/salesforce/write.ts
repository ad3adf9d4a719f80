import type { EntityRef, WriteOperation, WriteOutcome } from "../connector.ts";
import { ConnectorError } from "../errors.ts";
import { addAttachments, removalIds } from "./attachments.ts";
import { tellBadReferences } from "./bad-references.ts";
import { deliver, failure } from "./delivery.ts";
import { nameDropped } from "./dropped.ts";
import { visibleIds } from "./lookup.ts";
import { isFileOperation, prepare } from "./prepare.ts";
import type { Reader } from "./read.ts";
import { type Item, type Removal, type Shipment, shipmentsOf } from "./shipments.ts";
import { type Placed, wavesOf } from "./waves.ts";

type PlacedAs<Kind extends WriteOperation["kind"]> = Placed & { readonly operation: Extract<WriteOperation, { kind: Kind }> };

/**
 * Writes many, each with its own outcome, in as few calls as the order of operations on one record allows: waves of records go together in
 * composites, files by themselves. Names the fields that the platform did not keep as given.
 */
export async function writeMany(reader: Reader, operations: readonly WriteOperation[]): Promise<WriteOutcome[]> {
  const outcomes: WriteOutcome[] = new Array(operations.length);
  const written: Item[] = [];
  let waiting: Shipment[] = [];
  const send = async () => {
    await deliver(reader.client, waiting, outcomes);
    waiting = [];
  };
  for (const wave of wavesOf(operations)) {
    const { items, removals } = await prepared(reader, wave, outcomes);
    written.push(...items.filter(({ place }) => operations[place]?.kind === "create" || operations[place]?.kind === "update"));
    waiting.push(...shipmentsOf(items, removals));
    const files = wave.filter(({ operation }) => isFileOperation(operation));
    if (files.length === 0) continue;
    await send();
    waiting.push(...shipmentsOf([], await fileRemovals(reader, files.filter(isOf("removeAttachment")), outcomes)));
    await send();
    await upload(reader, files.filter(isOf("addAttachment")), outcomes);
  }
  await send();
  forgetOldSchemas(reader, written, outcomes);
  await tellBadReferences(reader, written, outcomes);
  await nameDropped(reader, written, outcomes);
  return outcomes;
}

function isOf<Kind extends WriteOperation["kind"]>(kind: Kind): (placed: Placed) => placed is PlacedAs<Kind> {
  return (placed): placed is PlacedAs<Kind> => placed.operation.kind === kind;
}

/** What to send for a wave; an operation that cannot be sent gets its outcome here. */
async function prepared(reader: Reader, wave: readonly Placed[], outcomes: WriteOutcome[]): Promise<{ items: Item[]; removals: Removal[] }> {
  const items: Item[] = [];
  const removals: Removal[] = [];
  for (const { place, operation } of wave) {
    if (isFileOperation(operation)) continue;
    try {
      const shape = await prepare(reader, operation);
      if ("remove" in shape) removals.push({ place, id: shape.remove, type: shape.type, what: shape.what });
      else items.push({ place, ...shape });
    } catch (error) {
      outcomes[place] = failure(error, false);
    }
  }
  return { items, removals };
}

async function upload(reader: Reader, uploads: readonly PlacedAs<"addAttachment">[], outcomes: WriteOutcome[]): Promise<void> {
  if (uploads.length === 0) return;
  const added = await addAttachments(
    reader.client,
    uploads.map(({ operation }) => operation),
  );
  for (const [i, { place }] of uploads.entries()) outcomes[place] = added[i] ?? failure(undefined, true);
}

/** A field that the org no longer has, or no longer lets us write: what it is like now is asked anew. */
function forgetOldSchemas({ schemas }: Reader, items: readonly Item[], outcomes: readonly WriteOutcome[]): void {
  for (const { place, type } of items) {
    const outcome = outcomes[place];
    if (outcome?.ok === false && /^INVALID_(FIELD|TYPE)/.test(outcome.error.platformCode ?? "")) schemas.forget(type);
  }
}

/** What a removed file may be, by the prefix of its id: the file, its link, an old attachment. */
const fileTypes: Readonly<Record<string, string>> = { "069": "ContentDocument", "06A": "ContentDocumentLink", "00P": "Attachment" };

/**
 * What to delete so that files are gone from their records. One that hangs on its record no longer is as gone as was wanted, provided that
 * the record can be seen: on a hidden one nothing does.
 */
async function fileRemovals(reader: Reader, wave: readonly PlacedAs<"removeAttachment">[], outcomes: WriteOutcome[]): Promise<Removal[]> {
  const removals: Removal[] = [];
  try {
    const ids = await removalIds(
      reader.client,
      wave.map(({ operation }) => operation),
    );
    const absent = wave.filter((_, i) => ids[i] === undefined);
    for (const [type, group] of Map.groupBy(absent, ({ operation }) => operation.ref.type)) {
      const visible = await visibleIds(
        reader,
        type,
        group.map(({ operation }) => operation.ref.id),
      );
      for (const { place, operation } of group)
        outcomes[place] = visible.has(operation.ref.id) ? { ok: true, id: operation.attachmentId } : hidden(operation.ref);
    }
    for (const [i, { place, operation }] of wave.entries()) {
      const id = ids[i];
      const what = `remove the attachment ${operation.attachmentId} of ${operation.ref.type} ${operation.ref.id}`;
      if (id !== undefined) removals.push({ place, type: fileTypes[id.slice(0, 3)] ?? "ContentDocument", id, what });
    }
    return removals;
  } catch (error) {
    for (const { place } of wave) outcomes[place] = failure(error, false);
    return [];
  }
}

function hidden({ type, id }: EntityRef): WriteOutcome {
  return { ok: false, error: new ConnectorError("NOT_FOUND_OR_HIDDEN", { message: `${type} ${id} is not there, or this account may not see it.` }) };
}
