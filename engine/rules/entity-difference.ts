import type { Attachment, Comment, Json } from "../../connectors/connector.ts";
import { canonicalText } from "../replica/canonical.ts";
import { type EntityAfter, type EntityView, entityViewNames } from "./run-input.ts";

/** What a rule made of an entity, seen from the entity before it. The engine writes it; samples and trials show it. */
export interface EntityDifference {
  readonly fields: Readonly<Record<string, Json>>;
  readonly comments: CommentDifference;
  readonly attachments: AttachmentDifference;
}

export interface CommentDifference {
  readonly added: readonly NewComment[];
  readonly edited: readonly { readonly id: string; readonly body: string }[];
  /** Ids. */
  readonly removed: readonly string[];
}

/** A comment to be written: one merged from the other side, or one of the rule's own (`remoteId` is null). */
export interface NewComment {
  readonly remoteId: string | null;
  readonly body: string;
  readonly internal: boolean;
  /** In whose name the function given to `comments.merge` wants it written. */
  readonly author?: Json;
  /** True for one of the rule's own that is to travel. */
  readonly track: boolean;
}

export interface AttachmentDifference {
  readonly added: readonly NewAttachment[];
  /** Ids. */
  readonly removed: readonly string[];
}

export interface NewAttachment {
  readonly remoteId: string;
  readonly filename: string;
  readonly mimetype: string;
  /** Bytes. */
  readonly filesize: number;
}

/** Only what differs: references are equal by id, empty text is nothing, a choice may be named by its label. */
export function entityDifference(before: EntityView, after: EntityAfter): EntityDifference {
  return { fields: changedFields(before, after), comments: changedComments(before, after), attachments: changedAttachments(before, after) };
}

const ownNames: ReadonlySet<string> = new Set(entityViewNames);

/** The platform fields of a view or of what a rule made of one: all names beside those that every entity has. */
export function fieldsOf(view: { readonly [name: string]: unknown }): Record<string, Json> {
  // Fields come from Entity.fields or passed the result's schema: they are JSON.
  return Object.fromEntries(Object.entries(view).filter(([name, value]) => !ownNames.has(name) && value !== undefined)) as Record<string, Json>;
}

/** The value of a record's own member. A field may be called `toString`, and is there only if the record has it. */
export function memberOf<Value>(record: { readonly [name: string]: Value }, name: string): Value | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

/** True when a value is another one in the platform's own spelling: a reference by its id, a choice by its label, nothing for empty text. */
export function meansTheSame(read: Json, written: Json, label?: string): boolean {
  if (comparable(read) === comparable(written)) return true;
  return label !== undefined && written === label;
}

/** References compare by id, scalars by their text (platforms answer "3" for 3), all kinds of nothing alike. */
function comparable(value: Json): string {
  if (value === null || value === "" || (Array.isArray(value) && value.length === 0)) return "";
  if (typeof value !== "object") return String(value);
  if (Object.hasOwn(value, "id")) {
    const { id } = value as { id?: unknown };
    if (typeof id === "string") return id;
  }
  return canonicalText(value);
}

function changedFields(before: EntityView, after: EntityAfter): Record<string, Json> {
  // Of the view before, a name in `fieldsOf(after)` is a field, and so JSON.
  return Object.fromEntries(
    Object.entries(fieldsOf(after)).filter(([name, value]) => !meansTheSame((memberOf(before, name) ?? null) as Json, value, memberOf(before.display, name))),
  );
}

function changedComments(before: EntityView, after: EntityAfter): CommentDifference {
  const earlier = new Map([...before.comments, ...before.internalComments].map((comment: Comment) => [comment.id, comment.body]));
  const kept = new Set<string>();
  const added: NewComment[] = [];
  const edited: { id: string; body: string }[] = [];
  for (const comment of [...after.comments, ...after.internalComments]) {
    if (!hasId(comment)) {
      added.push(newComment(comment));
      continue;
    }
    kept.add(comment.id);
    const body = earlier.get(comment.id);
    if (body !== undefined && body !== comment.body) edited.push({ id: comment.id, body: comment.body });
  }
  return { added, edited, removed: [...earlier.keys()].filter((id) => !kept.has(id)) };
}

function newComment(comment: EntityAfter["comments"][number]): NewComment {
  // What has no id is one of the two other shapes of the result's schema.
  const { body, internal, remoteId, author, track } = comment as { body: string; internal?: boolean; remoteId?: string; author?: Json; track?: boolean };
  return { remoteId: remoteId ?? null, body, internal: internal === true, ...(author === undefined ? {} : { author }), track: track === true };
}

function changedAttachments(before: EntityView, after: EntityAfter): AttachmentDifference {
  const kept = new Set<string>();
  const added: NewAttachment[] = [];
  for (const attachment of after.attachments) {
    if (hasId(attachment)) kept.add(attachment.id);
    // What has no id has passed the schema of those that are to be added.
    else added.push(attachment as NewAttachment);
  }
  return { added, removed: before.attachments.map((attachment: Attachment) => attachment.id).filter((id) => !kept.has(id)) };
}

function hasId<Item extends object>(item: Item): item is Item & { readonly id: string } {
  return "id" in item && typeof item.id === "string";
}
