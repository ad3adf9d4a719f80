import { randomUUID } from "node:crypto";
import { posix } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import type { Attachment, EntityRef, WriteOperation, WriteOutcome } from "../connector.ts";
import { ConnectorError } from "../errors.ts";
import type { SalesforceClient } from "./client.ts";
import { creatorOf } from "./comments.ts";
import { salesforceId } from "./id.ts";
import { mimetypeOf } from "./mimetypes.ts";
import type { SoqlRecord } from "./queries.ts";
import { list, quoted } from "./soql.ts";
import { isoInstant } from "./values.ts";

type AddAttachment = Extract<WriteOperation, { kind: "addAttachment" }>;

/** Bigger files are streamed as a form; as base64 in JSON the platform takes 37.5 MB [D], but a file is then in memory four times over. */
const largestInJson = 5_000_000;
const uploadsAtOnce = 4;

export const fileColumns: readonly string[] = [
  "ContentDocumentId",
  ...[
    "Title",
    "FileExtension",
    "ContentSize",
    "CreatedDate",
    "CreatedById",
    "CreatedBy.Name",
    "CreatedBy.Email",
    "LatestPublishedVersion.PathOnClient",
    "LatestPublishedVersion.Checksum",
  ].map((field) => `ContentDocument.${field}`),
];
export const oldAttachmentColumns: readonly string[] = [
  "Id",
  "Name",
  "ContentType",
  "BodyLength",
  "CreatedDate",
  "CreatedById",
  "CreatedBy.Name",
  "CreatedBy.Email",
];

/** A file linked to a record. Its id is the document's, which stays when a new version is uploaded; the hash is of the newest version. */
export function fileAttachments(link: SoqlRecord): Attachment[] {
  const document = link.ContentDocument as SoqlRecord | null | undefined; // an object where the file may be seen
  if (document === null || document === undefined) return [];
  const version = (document.LatestPublishedVersion ?? {}) as SoqlRecord; // as above
  const filename = filenameOf(document, version);
  const base = { id: String(link.ContentDocumentId), filename, mimetype: mimetypeOf(filename), filesize: Number(document.ContentSize ?? 0) };
  const hash = typeof version.Checksum === "string" && { hash: `md5:${version.Checksum}` };
  return [{ ...base, ...hash, author: creatorOf(document), created: isoInstant(String(document.CreatedDate)) }];
}

export function oldAttachment(record: SoqlRecord): Attachment {
  const filename = String(record.Name);
  const mimetype = typeof record.ContentType === "string" ? record.ContentType : mimetypeOf(filename);
  return {
    id: String(record.Id),
    filename,
    mimetype,
    filesize: Number(record.BodyLength ?? 0),
    author: creatorOf(record),
    created: isoInstant(String(record.CreatedDate)),
  };
}

/** Uploads files, a few at a time, and gives the ids of their documents. */
export async function addAttachments(client: SalesforceClient, operations: readonly AddAttachment[]): Promise<WriteOutcome[]> {
  const versions: (string | ConnectorError)[] = new Array(operations.length);
  const waiting = [...operations.entries()];
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) versions[next[0]] = await upload(client, next[1]).catch(asConnectorError);
  };
  await Promise.all(Array.from({ length: uploadsAtOnce }, work));
  const documents = await documentsOf(
    client,
    versions.filter((version) => typeof version === "string"),
  );
  return versions.map((version): WriteOutcome => {
    if (version instanceof ConnectorError) return { ok: false, error: version };
    const id = documents instanceof ConnectorError ? undefined : documents.get(version);
    return id === undefined ? { ok: false, error: unnamed(documents) } : { ok: true, id };
  });
}

/** Opens the newest version of a file, or an old attachment. */
export async function openBytes(client: SalesforceClient, ref: EntityRef, attachmentId: string): Promise<Readable> {
  const id = attachmentIdOf(attachmentId);
  const what = `download the attachment ${id} of ${ref.type} ${ref.id}`;
  if (id.startsWith("00P")) return await client.stream(`/sobjects/Attachment/${id}/Body`, what);
  const [document] = await client.query(`SELECT LatestPublishedVersionId FROM ContentDocument WHERE Id = ${quoted(id)}`, what);
  if (typeof document?.LatestPublishedVersionId !== "string")
    throw new ConnectorError("NOT_FOUND_OR_HIDDEN", { message: `The file ${id} of ${ref.type} ${ref.id} is not there, or this account may not see it.` });
  return await client.stream(`/sobjects/ContentVersion/${document.LatestPublishedVersionId}/VersionData`, what);
}

/**
 * The ids to delete so that files are gone from their records. A file that other records show too only loses its link to this one; its
 * uploader's own library does not count as such.
 */
export async function removalIds(
  client: SalesforceClient,
  removals: readonly { readonly ref: EntityRef; readonly attachmentId: string }[],
): Promise<(string | undefined)[]> {
  const documents = [...new Set(removals.map(({ attachmentId }) => attachmentId).filter((id) => id.startsWith("069")))];
  const links =
    documents.length === 0
      ? []
      : await client.query(
          `SELECT Id, ContentDocumentId, LinkedEntityId FROM ContentDocumentLink WHERE ContentDocumentId IN ${list(documents)}`,
          "look up the links of files",
        );
  return removals.map(({ ref, attachmentId }) => {
    if (!attachmentId.startsWith("069")) return attachmentId;
    const shown = links.filter(({ ContentDocumentId, LinkedEntityId }) => ContentDocumentId === attachmentId && !String(LinkedEntityId).startsWith("005"));
    const here = shown.find(({ LinkedEntityId }) => LinkedEntityId === salesforceId(ref.id));
    if (here === undefined) return undefined;
    return shown.length === 1 ? attachmentId : String(here.Id);
  });
}

/** The record that a `ContentVersion` is made from; the marker in its description lets a lost upload be found again. */
export function versionFields({ ref, filename, marker }: Omit<AddAttachment, "open">): Record<string, string> {
  const extension = posix.extname(filename);
  const title = (extension === "" ? filename : filename.slice(0, -extension.length)).slice(0, 255);
  return { Title: title.trim() === "" ? filename : title, PathOnClient: filename, FirstPublishLocationId: ref.id, Description: marker };
}

async function upload(client: SalesforceClient, operation: AddAttachment): Promise<string> {
  const what = `add the attachment “${operation.filename}” to ${operation.ref.type} ${operation.ref.id}`;
  const path = "/sobjects/ContentVersion";
  if (operation.filesize > largestInJson) {
    await client.keepAlive();
    const { body, contentType } = form(operation, await operation.open());
    return idOf(await client.upload(path, what, { "content-type": contentType }, body), what);
  }
  const bytes = await buffer(await operation.open());
  const body = { ...versionFields(operation), VersionData: bytes.toString("base64") };
  return idOf(await client.data({ method: "POST", path, body, what, write: true, repeatable: false }), what);
}

/** The documented form: the record first, the bytes second [D]. */
function form(operation: AddAttachment, bytes: Readable): { readonly body: ReadableStream<Uint8Array>; readonly contentType: string } {
  const boundary = `isobridge-${randomUUID()}`;
  const name = operation.filename.replace(/[\r\n"\\]/g, "_");
  const head = `--${boundary}\r\nContent-Disposition: form-data; name="entity_content"\r\nContent-Type: application/json\r\n\r\n${JSON.stringify(versionFields(operation))}\r\n--${boundary}\r\nContent-Disposition: form-data; name="VersionData"; filename="${name}"\r\nContent-Type: application/octet-stream\r\n\r\n`;
  const parts = async function* () {
    yield Buffer.from(head);
    for await (const chunk of bytes) yield chunk as Buffer; // a byte stream
    yield Buffer.from(`\r\n--${boundary}--\r\n`);
  };
  return { body: Readable.toWeb(Readable.from(parts())) as ReadableStream<Uint8Array>, contentType: `multipart/form-data; boundary=${boundary}` }; // bytes go in, bytes come out
}

async function documentsOf(client: SalesforceClient, versionIds: readonly string[]): Promise<Map<string, string> | ConnectorError> {
  if (versionIds.length === 0) return new Map();
  try {
    const rows = await client.query(`SELECT Id, ContentDocumentId FROM ContentVersion WHERE Id IN ${list(versionIds)}`, "look up the files just added");
    return new Map(rows.map(({ Id, ContentDocumentId }) => [String(Id), String(ContentDocumentId)]));
  } catch (error) {
    return asConnectorError(error);
  }
}

/** The file is there, but not its id: a later look by marker finds it. */
function unnamed(failed: unknown): ConnectorError {
  const reason = failed instanceof ConnectorError ? ` (${failed.message})` : "";
  return new ConnectorError("TRANSIENT", { message: `The file was added, but its id could not be read${reason}.`, uncertain: true });
}

function filenameOf(document: SoqlRecord, version: SoqlRecord): string {
  const title = String(document.Title ?? "");
  const extension = typeof document.FileExtension === "string" && document.FileExtension !== "" ? `.${document.FileExtension}` : "";
  const uploaded = posix.basename(String(version.PathOnClient ?? "").replaceAll("\\", "/"));
  const stem = uploaded.slice(0, uploaded.length - posix.extname(uploaded).length);
  // Until somebody gives the file another title, the name it was uploaded under is the true one.
  if (uploaded !== "" && (stem.trim() === title || uploaded === title)) return uploaded;
  return title.toLowerCase().endsWith(extension.toLowerCase()) ? title : title + extension;
}

function attachmentIdOf(text: string): string {
  const id = salesforceId(text);
  if (id === undefined) throw new ConnectorError("BAD_REQUEST", { message: `“${text}” is not a Salesforce id.` });
  return id;
}

function idOf(answer: unknown, what: string): string {
  const { id } = (answer ?? {}) as { id?: unknown }; // looked at next
  if (typeof id === "string") return id;
  throw new ConnectorError("PROTOCOL", { message: `Salesforce did not give the id of what it made when asked to ${what}.`, uncertain: true });
}

function asConnectorError(error: unknown): ConnectorError {
  if (error instanceof ConnectorError) return error;
  return new ConnectorError("TRANSIENT", {
    message: `The bytes of the attachment could not be read: ${error instanceof Error ? error.message : String(error)}`,
    uncertain: false,
  });
}
