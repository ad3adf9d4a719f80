import type { IncomingRunInput } from "../run-input.ts";
import { type Item, listOf } from "./changes.ts";

export interface Attachments {
  merge(entity: unknown, replica: unknown, filter?: unknown): void;
}

/** `attachments` of an incoming rule. Bytes are streamed by the engine; a rule only says which. */
export function attachmentsOf(input: IncomingRunInput): Attachments {
  return {
    merge(entity: unknown, replica: unknown, filter?: unknown): void {
      if (typeof entity !== "object" || entity === null) throw new TypeError("attachments.merge needs the entity");
      if (filter !== undefined && typeof filter !== "function") throw new TypeError("attachments.merge needs a function as its third argument");
      const holder = entity as { attachments?: unknown };
      const list = Array.isArray(holder.attachments) ? (holder.attachments as Record<string, unknown>[]) : [];
      // A function was just seen.
      holder.attachments = merged(list, replica, input, filter as ((attachment: Item) => unknown) | undefined);
    },
  };
}

function merged(
  local: readonly Record<string, unknown>[],
  replica: unknown,
  input: IncomingRunInput,
  filter: ((attachment: Item) => unknown) | undefined,
): Record<string, unknown>[] {
  const traces = input.traces.attachments;
  const now = listOf(replica, "attachments");
  const kept = removeGone(local, now, input);
  for (const remote of now) {
    if (Object.hasOwn(traces, remote.id) || kept.some((each) => each.remoteId === remote.id)) continue;
    if (isHere(kept, remote)) continue;
    if (filter !== undefined && !filter(remote)) continue;
    const { filename, mimetype, filesize } = remote;
    if (typeof filename !== "string" || filename === "") continue;
    kept.push({
      remoteId: remote.id,
      filename,
      mimetype: typeof mimetype === "string" && mimetype !== "" ? mimetype : "application/octet-stream",
      filesize: typeof filesize === "number" && Number.isInteger(filesize) && filesize >= 0 ? filesize : 0,
    });
  }
  return kept;
}

/** Without those that were in the replica before, were mirrored here, and are in this one no more. */
function removeGone(local: readonly Record<string, unknown>[], now: readonly Item[], input: IncomingRunInput): Record<string, unknown>[] {
  const traces = input.traces.attachments;
  const still = new Set(now.map((attachment) => attachment.id));
  const gone = new Set<unknown>();
  for (const { id } of listOf(input.previous, "attachments")) {
    if (!still.has(id) && Object.hasOwn(traces, id)) gone.add(traces[id]?.localId);
  }
  return local.filter((attachment) => attachment.id === undefined || !gone.has(attachment.id));
}

/** The same file was put on both sides by hand. */
function isHere(local: readonly Record<string, unknown>[], remote: Item): boolean {
  const { hash, filename } = remote;
  return typeof hash === "string" && hash !== "" && local.some((each) => each.hash === hash && each.filename === filename);
}
