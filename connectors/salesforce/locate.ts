import type { LostWrite } from "../connector.ts";
import { ConnectorError } from "../errors.ts";
import { versionFields } from "./attachments.ts";
import { salesforceId } from "./id.ts";
import { ownUserId } from "./own-user.ts";
import type { SoqlRecord, Statement } from "./queries.ts";
import type { Reader } from "./read.ts";
import { roomsOf } from "./rooms.ts";
import type { SalesforceObject } from "./schema.ts";
import { instant, list, quoted } from "./soql.ts";
import { isoInstant, writeValue } from "./values.ts";

/** Stamps are whole seconds and two clocks never agree quite. */
const slackMs = 2000;
const mostCandidates = 2000;

/** A lost write with the statement that lists what it could be, and the test that tells. */
interface Search {
  readonly statement: Statement;
  readonly find: (rows: readonly SoqlRecord[], taken: ReadonlySet<string>) => string | undefined;
}

/**
 * Looks for writes whose answer was lost: creates by the marker field, or by content where the object has none; files by the marker in
 * their description; comments, which have no room for a marker, by record, author, time and exact body. No record answers for two writes.
 */
export async function locateMany(reader: Reader, lost: readonly LostWrite[]): Promise<(string | undefined)[]> {
  const me = await ownUserId(reader);
  const searches = await Promise.all(lost.map((write) => searchFor(reader, write, me)));
  const distinct = [...new Set(searches.map(({ statement }) => statement.soql))];
  const results =
    distinct.length === 0
      ? []
      : await reader.client.queries(
          distinct.map((soql) => ({ soql })),
          "look for lost writes",
        );
  const rowsOf = new Map(distinct.map((soql, i) => [soql, results[i] ?? []]));
  const taken = new Set(lost.flatMap(({ known }) => known));
  return searches.map(({ statement, find }) => {
    const id = find(rowsOf.get(statement.soql) ?? [], taken);
    if (id !== undefined) taken.add(id);
    return id;
  });
}

async function searchFor(reader: Reader, write: LostWrite, me: string | undefined): Promise<Search> {
  const { operation } = write;
  const after = `CreatedDate >= ${instant(new Date(Date.parse(write.since) - slackMs).toISOString())}`;
  // Where nothing tells who we are, a comment is known by record, time and exact body, and a file by its marker.
  const byUs = me === undefined ? after : `CreatedById = ${quoted(me)} AND ${after}`;
  switch (operation.kind) {
    case "create":
      return await createdRecord(reader, operation, me === undefined ? undefined : byUs);
    case "addComment":
      return await addedComment(reader, operation, byUs);
    case "addAttachment": {
      const soql = `SELECT Id, ContentDocumentId, PathOnClient, ContentSize, Description FROM ContentVersion WHERE FirstPublishLocationId = ${quoted(operation.ref.id)} AND ${byUs} ORDER BY CreatedDate, Id LIMIT ${mostCandidates}`;
      const wanted = versionFields(operation);
      const find: Search["find"] = (rows, taken) => {
        const free = rows.filter(({ ContentDocumentId }) => !taken.has(String(ContentDocumentId)));
        const marked = free.find(({ Description }) => Description === wanted.Description?.trim());
        // A file whose description somebody has changed is still known by its name and size.
        const alike = free.find(
          ({ PathOnClient, ContentSize, Description }) => PathOnClient === operation.filename && ContentSize === operation.filesize && Description === null,
        );
        return textOf((marked ?? alike)?.ContentDocumentId);
      };
      return { statement: { soql }, find };
    }
  }
}

async function createdRecord(
  { schemas, config }: Reader,
  operation: Extract<LostWrite["operation"], { kind: "create" }>,
  byUs: string | undefined,
): Promise<Search> {
  const object = await schemas.object(operation.entityType);
  const marker = object.byName.get(config.markerField);
  if (marker?.createable && marker.filterable) {
    const soql = `SELECT Id FROM ${object.name} WHERE ${marker.name} = ${quoted(operation.marker)} ORDER BY CreatedDate, Id LIMIT 10`;
    return { statement: { soql }, find: (rows, taken) => textOf(rows.find(({ Id }) => !taken.has(String(Id)))?.Id) };
  }
  // Somebody else's record that reads the same must not be taken for ours.
  if (byUs === undefined) throw new ConnectorError("PROTOCOL", { message: `Salesforce did not say who signed in, and ${object.name} has no marker field.` });
  const names = Object.keys(operation.fields).filter((name) => object.byName.has(name) && name !== "Id");
  const soql = `SELECT ${["Id", ...names].join(", ")} FROM ${object.name} WHERE ${byUs} ORDER BY CreatedDate, Id LIMIT ${mostCandidates}`;
  return {
    statement: { soql },
    find: (rows, taken) => textOf(rows.find((row) => !taken.has(String(row.Id)) && looksAlike(object, row, operation.fields))?.Id),
  };
}

async function addedComment(
  { schemas, config }: Reader,
  { ref, body }: Extract<LostWrite["operation"], { kind: "addComment" }>,
  byUs: string,
): Promise<Search> {
  const { comments } = roomsOf(await schemas.object(ref.type), config);
  const [type, field] = comments.kind === "caseComments" ? ["CaseComment", "CommentBody"] : ["FeedItem", "Body"];
  const parent = salesforceId(ref.id) ?? ref.id;
  const soql = `SELECT Id, ${field} FROM ${type} WHERE ParentId IN ${list([parent])} AND ${byUs} ORDER BY CreatedDate, Id LIMIT ${mostCandidates}`;
  return { statement: { soql }, find: (rows, taken) => textOf(rows.find((row) => !taken.has(String(row.Id)) && sameText(row[field ?? ""], body))?.Id) };
}

/** The texts are as we wrote them. Choices and numbers may have been changed by a flow, and decide only where no text was written. */
function looksAlike(object: SalesforceObject, row: SoqlRecord, fields: Extract<LostWrite["operation"], { kind: "create" }>["fields"]): boolean {
  const entries = Object.entries(fields).flatMap(([name, value]) => {
    const field = object.byName.get(name);
    return field === undefined ? [] : [{ field, value: writeValue(value, field) }];
  });
  const texts = entries.filter(({ field, value }) => (field.type === "string" || field.type === "textarea") && typeof value === "string");
  return (texts.length > 0 ? texts : entries).every(({ field, value }) => {
    const held = row[field.name] ?? null;
    if (field.type === "datetime" && typeof held === "string" && typeof value === "string") return isoInstant(held).slice(0, 19) === value.slice(0, 19);
    return held === (typeof value === "string" ? value.trim() || null : value);
  });
}

/** Blanks around a text are not kept, and line ends may be either kind. */
function sameText(held: unknown, written: string): boolean {
  return typeof held === "string" && held.replaceAll("\r\n", "\n").trim() === written.replaceAll("\r\n", "\n").trim();
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
