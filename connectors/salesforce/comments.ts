import type { Comment, Person } from "../connector.ts";
import type { SoqlRecord } from "./queries.ts";
import type { SalesforceObject } from "./schema.ts";
import { list } from "./soql.ts";
import { isoInstant } from "./values.ts";

const stamps = ["CreatedById", "CreatedBy.Name", "CreatedBy.Email", "CreatedBy.Username", "CreatedDate"];
export const caseCommentColumns: readonly string[] = ["Id", "CommentBody", "IsPublished", ...stamps, "LastModifiedDate"];

/**
 * The columns of a post or a reply. When it was edited stands in a field of its own [D]: replies have no `LastModifiedDate` [K], and that of a
 * post moves with each reply. Only orgs with communities have a visibility to read.
 */
export function feedColumns(body: "Body" | "CommentBody", object: SalesforceObject | undefined): readonly string[] {
  const held = (name: string) => object?.byName.has(name) ?? false;
  const edited = ["LastEditDate", "LastModifiedDate"].find(held);
  return ["Id", body, ...(body === "Body" && held("Visibility") ? ["Visibility"] : []), ...stamps, ...(edited === undefined ? [] : [edited])];
}

/** The statement that reads the feeds of many records: posts, with their replies where a sub-select is given. */
export function feedStatement(parentIds: readonly string[], columnsOfPosts: readonly string[], replies: readonly string[]): string {
  const columns = ["ParentId", ...columnsOfPosts, ...replies];
  return `SELECT ${columns.join(", ")} FROM FeedItem WHERE ParentId IN ${list(parentIds)} AND Type IN ('TextPost', 'ContentPost', 'LinkPost') ORDER BY CreatedDate, Id`;
}

export function caseComment(record: SoqlRecord): Comment {
  return comment(record, record.CommentBody, record.IsPublished === false);
}

/** A post and its replies; a reply is as public as its post. A post without words (a file alone) is no comment. */
export function feedComments(record: SoqlRecord): Comment[] {
  const internal = record.Visibility === "InternalUsers";
  const replies = childrenOf(record, "FeedComments").map((reply) => comment(reply, reply.CommentBody, internal));
  return [...(typeof record.Body === "string" ? [comment(record, record.Body, internal)] : []), ...replies];
}

/** The records of a sub-select; null where there are none. */
export function childrenOf(record: SoqlRecord, relationship: string): readonly SoqlRecord[] {
  const page = record[relationship];
  return typeof page === "object" && page !== null && "records" in page && Array.isArray(page.records) ? page.records : [];
}

/** Who made a record, from `CreatedBy` read along. */
export function creatorOf(record: SoqlRecord): Person | null {
  if (typeof record.CreatedById !== "string") return null;
  const { Name, Email, Username } = (record.CreatedBy ?? {}) as Record<string, unknown>; // an object, or absent where the user is hidden
  return {
    id: record.CreatedById,
    ...(typeof Name === "string" && { displayName: Name }),
    ...(typeof Email === "string" && { email: Email }),
    ...(typeof Username === "string" && { username: Username }),
  };
}

function comment(record: SoqlRecord, body: unknown, internal: boolean): Comment {
  return {
    id: String(record.Id),
    body: typeof body === "string" ? body : "",
    internal,
    author: creatorOf(record),
    created: isoInstant(String(record.CreatedDate)),
    updated: isoInstant(String(record.LastEditDate ?? record.LastModifiedDate ?? record.CreatedDate)),
  };
}
