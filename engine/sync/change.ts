import type { EntitySchema, Json } from "../../connectors/connector.ts";
import { blankEntityView, type EntityAfter, type EntityView, type IncomingResult } from "../rules/run-input.ts";
import { fieldsOf, meansTheSame } from "./entity-view.ts";
import { RuleFault } from "./rule-fault.ts";

/** What an incoming rule wants done to one local record. */
export interface Change {
  readonly entityType: string;
  readonly fields: Readonly<Record<string, Json>>;
  /** `track` is for comments of the rule's own: true for one that is to travel. */
  readonly addComments: readonly { readonly body: string; readonly internal: boolean; readonly remoteId: string | null; readonly track?: boolean }[];
  readonly editComments: readonly { readonly commentId: string; readonly body: string }[];
  readonly removeComments: readonly string[];
  readonly addAttachments: readonly { readonly remoteId: string; readonly filename: string; readonly mimetype: string; readonly filesize: number }[];
  readonly removeAttachments: readonly string[];
}

type Changed = Extract<IncomingResult, { kind: "changed" }>;

/** True when the rule left the blank record of a first sync as it was: nothing is to be created. */
export function isUntouched(result: Changed): boolean {
  const after = result.entity;
  return (
    after.entityType === blankEntityView.entityType &&
    result.status === undefined &&
    Object.keys(fieldsOf(after)).length === 0 &&
    after.comments.length + after.internalComments.length + after.attachments.length === 0
  );
}

/**
 * The difference that an incoming rule made. Throws {@link RuleFault} for what can never be written: another entity type on a
 * tied record, none on a new one, a field that the type does not have or that is read-only.
 */
export function changeMade(before: EntityView, result: Changed, schema: EntitySchema): Change {
  const after = result.entity;
  const fields: Record<string, Json> = {};
  for (const [name, value] of Object.entries(fieldsOf(after))) {
    const earlier = (before[name] ?? null) as Json;
    if (meansTheSame(earlier, value, before.display[name])) continue;
    fields[name] = value;
  }
  if (result.status !== undefined) {
    if (schema.statusField === undefined)
      throw new RuleFault("NO_STATUS", `${schema.entityType} has no status that status(${JSON.stringify(result.status)}) could set.`);
    const earlier = (before[schema.statusField] ?? null) as Json;
    if (!meansTheSame(earlier, result.status, before.display[schema.statusField])) fields[schema.statusField] = result.status;
    else delete fields[schema.statusField];
  }
  refuseUnwritable(fields, schema);
  return { entityType: after.entityType, fields, ...commentsMade(before, after), ...attachmentsMade(before, after) };
}

export function isEmpty(change: Change): boolean {
  return (
    Object.keys(change.fields).length === 0 &&
    change.addComments.length + change.editComments.length + change.removeComments.length + change.addAttachments.length + change.removeAttachments.length === 0
  );
}

/**
 * Leaves in `change` only what the remote side's latest edit brought about: a field for which the same rule gives the same value
 * from the replica before is not news, and writing it would undo an edit made here at the same time.
 */
export function onlyNews(change: Change, fromPrevious: Change): Change {
  const fields = Object.fromEntries(
    Object.entries(change.fields).filter(([name, value]) => !(name in fromPrevious.fields && meansTheSame(fromPrevious.fields[name] ?? null, value))),
  );
  return { ...change, fields };
}

function refuseUnwritable(fields: Readonly<Record<string, Json>>, schema: EntitySchema): void {
  for (const name of Object.keys(fields)) {
    const field = schema.fields.find((candidate) => candidate.name === name);
    if (field === undefined && !schema.sampled) {
      throw new RuleFault("UNKNOWN_FIELD", `${schema.entityType} has no field ${JSON.stringify(name)}, which the incoming rule sets.`, { fields: [name] });
    }
    if (field?.readOnly === true) {
      throw new RuleFault("READ_ONLY_FIELD", `The field ${name} (${field.label}) of ${schema.entityType} cannot be written; the incoming rule sets it.`, {
        fields: [name],
      });
    }
  }
}

function commentsMade(before: EntityView, after: EntityAfter): Pick<Change, "addComments" | "editComments" | "removeComments"> {
  const addComments: Change["addComments"][number][] = [];
  const editComments: Change["editComments"][number][] = [];
  const earlier = new Map([...before.comments, ...before.internalComments].map((comment) => [comment.id, comment]));
  const kept = new Set<string>();
  for (const comment of [...after.comments, ...after.internalComments]) {
    if ("id" in comment && typeof comment.id === "string") {
      kept.add(comment.id);
      const original = earlier.get(comment.id);
      if (original !== undefined && original.body !== comment.body) editComments.push({ commentId: comment.id, body: comment.body });
      continue;
    }
    const remoteId = "remoteId" in comment && typeof comment.remoteId === "string" ? comment.remoteId : null;
    addComments.push({
      body: comment.body,
      internal: comment.internal === true,
      remoteId,
      ...("track" in comment && comment.track === true ? { track: true } : {}),
    });
  }
  return { addComments, editComments, removeComments: [...earlier.keys()].filter((id) => !kept.has(id)) };
}

function attachmentsMade(before: EntityView, after: EntityAfter): Pick<Change, "addAttachments" | "removeAttachments"> {
  const addAttachments: Change["addAttachments"][number][] = [];
  const kept = new Set<string>();
  for (const attachment of after.attachments) {
    if ("id" in attachment && typeof attachment.id === "string") kept.add(attachment.id);
    else if ("remoteId" in attachment) {
      const { remoteId, filename, mimetype, filesize } = attachment as { remoteId: string; filename: string; mimetype: string; filesize: number };
      addAttachments.push({ remoteId, filename, mimetype, filesize });
    }
  }
  return { addAttachments, removeAttachments: before.attachments.map((attachment) => attachment.id).filter((id) => !kept.has(id)) };
}
