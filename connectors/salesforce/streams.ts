import type { SoqlRecord, Statement } from "./queries.ts";
import type { Rooms } from "./rooms.ts";
import type { SalesforceObject } from "./schema.ts";
import { instant, quoted } from "./soql.ts";
import { isoInstant } from "./values.ts";
import type { Cursor } from "./watch-cursor.ts";

/** One kind of rows that tell of changes: the records, their comments, their files. */
export interface Stream {
  readonly name: string;
  /** From SELECT to the conditions, which end in a place for the position. */
  readonly statement: (window: string, limit: number) => Statement;
  /** The records that a row tells of; a file may be shown by many. */
  readonly recordsOf: (row: SoqlRecord) => readonly string[];
}

/** Everything that can tell of a change of a record of this object. Stamps are `SystemModstamp`, the only one that every save moves and that is indexed [D]. */
export function streamsOf(object: SalesforceObject, condition: string, rooms: Rooms): Stream[] {
  const type = object.name;
  const nested = /\(\s*select\b/i.test(condition);
  // A sub-select of everything would be slow in a big org, and one inside another is refused: rows of all records are then sifted on reading.
  const sifted = condition === "" || nested;
  const ofWatched = (field: string) => (sifted ? "" : `${field} IN (SELECT Id FROM ${type} WHERE ${condition}\n) AND `);
  // With the recycle bin, as a comment taken away is a change of its record.
  const rows = (name: string, table: string, field: string): Stream => ({
    name,
    statement: (window, limit) => ({
      soql: `SELECT Id, ${field}, SystemModstamp FROM ${table} WHERE ${ofWatched(field)}${window} ORDER BY SystemModstamp, Id LIMIT ${limit}`,
      all: true,
      optional: table,
    }),
    recordsOf: (row) => [String(row[field])],
  });
  const streams = recordStreams(object, condition, nested);
  if (rooms.comments.kind === "caseComments") streams.push(rows("comments", "CaseComment", "ParentId"));
  if (rooms.comments.kind === "feed") streams.push(rows("posts", "FeedItem", "ParentId"), rows("replies", "FeedComment", "ParentId"));
  if (rooms.emails !== undefined) streams.push(rows("emails", "EmailMessage", "ParentId"));
  if (rooms.files !== undefined) streams.push(versionsStream);
  // Links can be listed only by their records [K], and where the platform takes no condition for those, not at all; without this, a file
  // uploaded long ago and linked to another record now goes unnoticed.
  if (rooms.files !== undefined && !sifted) {
    const links = rows("links", "ContentDocumentLink", "LinkedEntityId");
    const statement: Stream["statement"] = (window, limit) => ({ ...links.statement(window, limit), optional: "links by condition", refusable: true });
    streams.push({ ...links, statement });
  }
  return streams;
}

/**
 * The records themselves, and those of them in the recycle bin whatever they hold: one that stopped meeting the condition before it was
 * deleted may have been synced all the same. A semi-join may not stand beside an OR [K], and then takes a statement more.
 */
function recordStreams(object: SalesforceObject, condition: string, nested: boolean): Stream[] {
  const bin = object.byName.has("IsDeleted");
  const columns = ["Id", "SystemModstamp", ...["IsDeleted", "MasterRecordId"].filter((name) => object.byName.has(name))].join(", ");
  const stream = (name: string, filter: string, all: boolean): Stream => ({
    name,
    statement: (window, limit) => ({
      soql: `SELECT ${columns} FROM ${object.name} WHERE ${filter}${window} ORDER BY SystemModstamp, Id LIMIT ${limit}`,
      all,
    }),
    recordsOf: (row) => [String(row.Id)],
  });
  const met = condition === "" ? "" : `(${condition}\n) AND `;
  if (!bin) return [stream("records", met, false)];
  if (nested) return [stream("records", met, false), stream("deleted", "IsDeleted = true AND ", true)];
  return [stream("records", condition === "" ? "" : `((${condition}\n) OR IsDeleted = true) AND `, true)];
}

/** New files and new versions of files, whichever record they belong to: that is looked up by their links. */
export const versionsStream: Stream = {
  name: "versions",
  statement: (window, limit) => ({
    soql: `SELECT Id, ContentDocumentId, SystemModstamp FROM ContentVersion WHERE ${window} ORDER BY SystemModstamp, Id LIMIT ${limit}`,
    optional: "ContentVersion",
  }),
  recordsOf: () => [],
};

/** The rows of a stream that are still to be seen, oldest first: the stamp bounds the index range, the id breaks ties inside one second. */
export function windowOf({ name }: Stream, cursor: Cursor): string {
  const at = cursor.at[name];
  if (at === undefined) return `SystemModstamp >= ${cursor.floor}`;
  return `SystemModstamp >= ${at.stamp} AND (SystemModstamp > ${at.stamp} OR Id > ${quoted(at.id)})`;
}

export function stampOf(row: SoqlRecord): string {
  return instant(isoInstant(String(row.SystemModstamp)));
}
