import type { Json, WriteOperation } from "../connector.ts";
import { ConnectorError } from "../errors.ts";
import { salesforceId } from "./id.ts";
import type { Reader } from "./read.ts";
import { roomsOf } from "./rooms.ts";
import type { SalesforceObject } from "./schema.ts";
import type { Item, Removal } from "./shipments.ts";
import { writeValue } from "./values.ts";

type Operation<Kind extends WriteOperation["kind"]> = Extract<WriteOperation, { kind: Kind }>;
type Prepared = Omit<Item, "place"> | (Omit<Removal, "place" | "id"> & { readonly remove: string });

/** Files go their own way: their bytes do not fit into a collection. */
export function isFileOperation(operation: WriteOperation): operation is Operation<"addAttachment" | "removeAttachment"> {
  return operation.kind === "addAttachment" || operation.kind === "removeAttachment";
}

/** What to send for an operation. Throws what makes it impossible. */
export async function prepare(reader: Reader, operation: Exclude<WriteOperation, { kind: "addAttachment" | "removeAttachment" }>): Promise<Prepared> {
  switch (operation.kind) {
    case "create": {
      const object = await reader.schemas.object(operation.entityType);
      const field = operation.marker === "" ? undefined : object.byName.get(reader.config.markerField);
      const marker = field?.createable ? { [field.name]: operation.marker } : {};
      const upsertBy = field?.createable && field.externalId && { upsertBy: field.name };
      return { type: object.name, record: { ...fieldsOf(object, operation.fields), ...marker }, what: `create ${object.name}`, ...upsertBy };
    }
    case "update": {
      const object = await reader.schemas.object(operation.ref.type);
      return {
        type: object.name,
        record: { id: operation.ref.id, ...fieldsOf(object, operation.fields) },
        what: `update ${object.name} ${operation.ref.id}`,
      };
    }
    case "delete":
      return { remove: operation.ref.id, type: operation.ref.type, what: `delete ${operation.ref.type} ${operation.ref.id}` };
    case "addComment":
      return { ...(await newComment(reader, operation)), what: `add a comment to ${operation.ref.type} ${operation.ref.id}` };
    case "editComment": {
      const { type, body } = commentFields(operation.commentId);
      return {
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
  }
}

function fieldsOf(object: SalesforceObject, fields: Readonly<Record<string, Json>>): Record<string, Json> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, writeValue(value, object.byName.get(name))]));
}

async function newComment(
  { schemas, config }: Reader,
  { ref, body, internal }: Operation<"addComment">,
): Promise<{ type: string; record: Record<string, Json> }> {
  const { comments } = roomsOf(await schemas.object(ref.type), config);
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
  if (id.startsWith("02s")) throw new ConnectorError("BAD_REQUEST", { message: `“${id}” is an e-mail: those are read, but not changed.` });
  const type = { "00a": "CaseComment", "0D5": "FeedItem", "0D7": "FeedComment" }[id.slice(0, 3)];
  if (type === undefined || salesforceId(id) === undefined) throw new ConnectorError("BAD_REQUEST", { message: `“${id}” is not the id of a comment.` });
  return { type, body: type === "FeedItem" ? "Body" : "CommentBody" };
}
