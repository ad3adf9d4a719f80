import { ConnectorError } from "../errors.ts";
import { fileColumns, oldAttachmentColumns } from "./attachments.ts";
import { caseCommentColumns, feedColumns } from "./comments.ts";
import { emailColumns } from "./emails.ts";
import type { SoqlRecord, Statement } from "./queries.ts";
import type { Rooms } from "./rooms.ts";
import type { SalesforceObject } from "./schema.ts";
import { list } from "./soql.ts";

/** Records that are read along with their parents: in sub-selects, or, where those are refused, by statements of their own. */
export interface Children {
  readonly relationship: string;
  readonly object: string;
  /** The field that the statement of its own asks by. */
  readonly parent: string;
  /** The field that names the record which the sub-select hangs on, where it is another one. */
  readonly owner?: string;
  readonly columns: readonly string[];
  readonly order?: string;
}

/** The replies to posts hang on their post, but can be asked for by the record that the post is about. */
export function repliesOf(object: SalesforceObject | undefined): Children {
  const columns = feedColumns("CommentBody", object);
  return { relationship: "FeedComments", object: "FeedComment", parent: "ParentId", owner: "FeedItemId", columns, order: "CreatedDate, Id" };
}

export function childrenIn({ comments, emails, files, oldAttachments }: Rooms): Children[] {
  const order = "CreatedDate, Id";
  return [
    ...(comments.kind === "caseComments"
      ? [{ relationship: comments.relationship, object: "CaseComment", parent: "ParentId", columns: caseCommentColumns, order }]
      : []),
    ...(emails === undefined ? [] : [{ relationship: emails, object: "EmailMessage", parent: "ParentId", columns: emailColumns, order }]),
    ...(files === undefined ? [] : [{ relationship: files, object: "ContentDocumentLink", parent: "LinkedEntityId", columns: fileColumns }]),
    ...(oldAttachments === undefined ? [] : [{ relationship: oldAttachments, object: "Attachment", parent: "ParentId", columns: oldAttachmentColumns }]),
  ];
}

export function subSelect({ relationship, columns, order }: Children): string {
  return `(SELECT ${columns.join(", ")} FROM ${relationship}${order === undefined ? "" : ` ORDER BY ${order}`})`;
}

export function ownStatement({ object, parent, owner, columns, order }: Children, parentIds: readonly string[]): Statement {
  const links = owner === undefined ? parent : `${parent}, ${owner}`;
  const soql = `SELECT ${links}, ${columns.join(", ")} FROM ${object} WHERE ${parent} IN ${list(parentIds)}${order === undefined ? "" : ` ORDER BY ${order}`}`;
  return { soql, optional: object };
}

/** The records with their children, as sub-selects would have given them. */
export function joined(records: readonly SoqlRecord[], children: readonly Children[], rows: readonly (readonly SoqlRecord[])[]): SoqlRecord[] {
  const pages = children.map(({ relationship, parent, owner = parent }, i) => ({ relationship, byOwner: Map.groupBy(rows[i] ?? [], (row) => row[owner]) }));
  return records.map((record) => {
    const found = pages.map(({ relationship, byOwner }) => [relationship, { done: true, records: byOwner.get(record.Id) ?? [] }]);
    return { ...record, ...Object.fromEntries(found) };
  });
}

/** Whether a statement may have been refused for its sub-selects: as a whole, or by the name of one of them. */
export function mindsSubSelects(error: unknown, children: readonly Children[]): boolean {
  if (!(error instanceof ConnectorError)) return false;
  if (error.platformCode === "MALFORMED_QUERY") return true;
  const named = children.some(({ relationship, object }) => new RegExp(`\\b(${relationship}|${object})\\b`).test(error.message));
  return named && (error.platformCode === "INVALID_FIELD" || error.platformCode === "INVALID_TYPE");
}
