import { extname } from "node:path/posix";
import type { ArrivedBytes } from "../../simulation/byte-store.ts";
import { ApiError } from "./api-error.ts";
import type { Org, Row } from "./org.ts";
import type { OrgObject } from "./schema.ts";
import { assertTopic } from "./topics.ts";

export interface SaveContext {
  readonly caller: string;
  /** The bytes given with the save, by field. */
  readonly bytes: ReadonlyMap<string, ArrivedBytes>;
}

const textTypes: Readonly<Record<string, string>> = { txt: "TEXT", log: "LOG", jpg: "JPG", jpeg: "JPG", docx: "WORD_X", xlsx: "EXCEL_X", md: "UNKNOWN" };

/** What an object does on its own account before a row is checked and stored: owners, computed names, numbers, what bytes say of a file. */
export function beforeSave(org: Org, object: OrgObject, row: Row, before: Row | undefined, context: SaveContext): void {
  if (object.fields.has("ownerid") && row.OwnerId === null) row.OwnerId = before?.OwnerId ?? context.caller;
  for (const field of object.fields.values()) {
    if (field.autoNumber && before === undefined) row[field.name] = String(org.nextNumber(object.name, field.name)).padStart(8, "0");
    if (field.defaultedOnCreate && field.createable !== false && row[field.name] === null && field.picklist !== undefined && before !== undefined)
      row[field.name] = before[field.name] ?? null;
  }
  if (object.name === "PushTopic") assertTopic(org, row);
  if (object.name === "Opportunity") row.IsClosed = String(row.StageName).startsWith("Closed");
  if (object.name === "Contact" || object.name === "Lead" || object.name === "User")
    row.Name = [row.FirstName, row.LastName].filter((part) => part !== null).join(" ") || null;
  if (object.name === "Case") {
    row.IsClosed = row.Status === "Closed";
    row.ClosedDate = row.IsClosed ? (before?.IsClosed === true ? (before.ClosedDate ?? null) : (row.SystemModstamp ?? null)) : null;
  }
  if (object.name === "Task") row.IsClosed = row.Status === "Completed";
  if (object.name === "FeedComment" && before === undefined)
    row.ParentId = typeof row.FeedItemId === "string" ? (org.tables.get("FeedItem", row.FeedItemId)?.ParentId ?? null) : null;
  if (before !== undefined && (object.name === "FeedItem" || object.name === "FeedComment") && textOf(row) !== textOf(before))
    row.LastEditDate = row.SystemModstamp ?? null;
  if (object.name === "ContentVersion") beforeVersion(org, row, before, context);
  if (object.name === "Attachment") keepBytes(org, row, context.bytes.get("Body"), "BodyLength");
}

/** What a stored row brings about elsewhere: documents and links of files, counts, stamps of parents. */
export function afterSave(org: Org, object: OrgObject, row: Row, before: Row | undefined, context: SaveContext): void {
  if (object.name === "ContentVersion" && before === undefined) afterNewVersion(org, row, context.caller);
  if (object.name === "ContentVersion" && before !== undefined) {
    const document = org.tables.get("ContentDocument", String(row.ContentDocumentId));
    if (document !== undefined && row.IsLatest === true)
      org.touch("ContentDocument", document, { Title: row.Title ?? null, Description: row.Description ?? null }, context.caller);
  }
  if (object.name === "ContentDocumentLink" && before === undefined) {
    const twin = org
      .rowsWith("ContentDocumentLink", "ContentDocumentId", row.ContentDocumentId ?? null)
      .find((link) => link.Id !== row.Id && link.LinkedEntityId === row.LinkedEntityId && link.IsDeleted === false);
    if (twin !== undefined) throw new ApiError(400, "DUPLICATE_VALUE", `duplicate value found: unknown duplicates value on record with id: ${twin.Id}`, []);
  }
  if (object.name === "FeedComment" && before === undefined) {
    const item = org.tables.get("FeedItem", String(row.FeedItemId));
    // A reply moves the post's stamp, though nobody edited that [D].
    if (item !== undefined) org.put("FeedItem", { ...item, CommentCount: Number(item.CommentCount ?? 0) + 1, LastModifiedDate: row.CreatedDate ?? null });
  }
  if (object.name === "CaseComment" && org.rules.commentTouchesCase) {
    const parent = org.tables.get("Case", String(row.ParentId));
    if (parent !== undefined) org.touch("Case", parent, {}, context.caller);
  }
}

function textOf(row: Row): unknown {
  return row.Body ?? row.CommentBody;
}

function beforeVersion(org: Org, row: Row, before: Row | undefined, context: SaveContext): void {
  if (before !== undefined) return;
  const bytes = context.bytes.get("VersionData");
  const missing = [...(row.PathOnClient === null ? ["PathOnClient"] : []), ...(bytes === undefined ? ["VersionData"] : [])];
  if (missing.length > 0) throw new ApiError(400, "REQUIRED_FIELD_MISSING", `Required fields are missing: [${missing.join(", ")}]`, missing);
  const name = String(row.PathOnClient).split(/[\\/]/).at(-1) ?? "";
  const extension = extname(name).slice(1);
  row.FileExtension = extension === "" ? null : extension;
  row.FileType = textTypes[extension.toLowerCase()] ?? (extension === "" ? "UNKNOWN" : extension.toUpperCase());
  row.Title ??= extension === "" ? name : name.slice(0, -extension.length - 1);
  keepBytes(org, row, bytes, "ContentSize");
  row.IsLatest = true;
  const earlier = typeof row.ContentDocumentId === "string" ? org.rowsWith("ContentVersion", "ContentDocumentId", row.ContentDocumentId) : [];
  row.VersionNumber = String(earlier.length + 1);
  row.ContentDocumentId ??= org.nextId("ContentDocument");
}

function afterNewVersion(org: Org, row: Row, caller: string): void {
  const documentId = String(row.ContentDocumentId);
  if (row.VersionNumber === "1") {
    org.put("ContentDocument", documentOf(row, documentId));
    linkDocument(org, documentId, caller, "I", row);
    if (typeof row.FirstPublishLocationId === "string" && row.FirstPublishLocationId !== caller)
      linkDocument(org, documentId, row.FirstPublishLocationId, "V", row);
    return;
  }
  for (const older of org.rowsWith("ContentVersion", "ContentDocumentId", documentId))
    if (older.Id !== row.Id && older.IsLatest === true) org.put("ContentVersion", { ...older, IsLatest: false });
  const document = org.tables.get("ContentDocument", documentId);
  if (document === undefined) return;
  const { Title, FileType, FileExtension, ContentSize } = row;
  org.touch(
    "ContentDocument",
    document,
    {
      Title: Title ?? null,
      FileType: FileType ?? null,
      FileExtension: FileExtension ?? null,
      ContentSize: ContentSize ?? null,
      LatestPublishedVersionId: row.Id,
    },
    caller,
  );
}

function documentOf(version: Row, id: string): Row {
  const { IsDeleted = false, CreatedDate = null, CreatedById = null, LastModifiedDate = null, LastModifiedById = null, SystemModstamp = null } = version;
  const { Title = null, Description = null, FileType = null, FileExtension = null, ContentSize = null, OwnerId = null } = version;
  return {
    Id: id,
    IsDeleted,
    CreatedDate,
    CreatedById,
    LastModifiedDate,
    LastModifiedById,
    SystemModstamp,
    Title,
    Description,
    FileType,
    FileExtension,
    ContentSize,
    OwnerId,
    LatestPublishedVersionId: version.Id,
  };
}

function linkDocument(org: Org, documentId: string, entityId: string, shareType: string, stamps: Row): void {
  const { CreatedDate = null, CreatedById = null, SystemModstamp = null } = stamps;
  const row = { IsDeleted: false, CreatedDate, CreatedById, LastModifiedDate: CreatedDate, LastModifiedById: CreatedById, SystemModstamp };
  org.put("ContentDocumentLink", {
    Id: org.nextId("ContentDocumentLink"),
    ...row,
    ContentDocumentId: documentId,
    LinkedEntityId: entityId,
    ShareType: shareType,
    Visibility: "AllUsers",
  });
}

function keepBytes(org: Org, row: Row, given: ArrivedBytes | undefined, sizeField: string): void {
  if (given === undefined) return;
  org.bytes.keep(row.Id, given);
  row[sizeField] = given.size;
  if (sizeField === "ContentSize") row.Checksum = given.md5;
}
