import { createHash } from "node:crypto";
import type { Comment, Entity, EntityRef, Json, ReadOutcome } from "../connector.ts";
import { ConnectorError } from "../errors.ts";
import { fileAttachments, oldAttachment } from "./attachments.ts";
import { type Children, childrenIn, joined, mindsSubSelects, ownStatement, repliesOf, subSelect } from "./children.ts";
import type { SalesforceClient } from "./client.ts";
import { caseComment, childrenOf, feedColumns, feedComments, feedStatement } from "./comments.ts";
import type { SalesforceConfig } from "./config.ts";
import { emailComments } from "./emails.ts";
import { salesforceId } from "./id.ts";
import type { SoqlRecord, Statement } from "./queries.ts";
import { type Rooms, roomsOf } from "./rooms.ts";
import { isShown, type SalesforceField, type SalesforceObject, type Schemas } from "./schema.ts";
import { list } from "./soql.ts";
import { displayPath, readValue } from "./values.ts";
import type { Lookahead } from "./watch-rows.ts";

export interface Reader {
  readonly client: SalesforceClient;
  readonly schemas: Schemas;
  readonly config: SalesforceConfig;
  readonly lookahead: Lookahead;
}

/** Most records of one statement: 200 ids take about 5 KB. */
const batchSize = 200;
/** A statement reaches at most 55 parents [K]; comments and files need a few. */
const mostParents = 40;
/** A statement is made again so often: each time it leaves out one thing that was refused, which is then remembered. */
const mostTries = 12;
/** Change with each look, not with each save. */
const volatileFields = new Set(["LastViewedDate", "LastReferencedDate"]);

/** Reads records whole: one call for 200 records with their comments and files. Same length and order as `refs`. */
export async function readMany(reader: Reader, refs: readonly EntityRef[]): Promise<ReadOutcome[]> {
  const found = new Map<string, ReadOutcome>();
  for (const [type, ids] of idsByType(refs)) {
    for (let i = 0; i < ids.length; i += batchSize) {
      const batch = ids.slice(i, i + batchSize);
      for (const entity of await readWhole(reader, type, batch)) found.set(`${type} ${entity.ref.id}`, { ok: true, entity });
      const missing = batch.filter((id) => !found.has(`${type} ${id}`));
      for (const [id, error] of await whyMissing(reader, type, missing)) found.set(`${type} ${id}`, { ok: false, error });
    }
  }
  return refs.map(
    ({ type, id }) =>
      found.get(`${type} ${salesforceId(id)}`) ?? { ok: false, error: new ConnectorError("BAD_REQUEST", { message: `“${id}” is not a Salesforce id.` }) },
  );
}

/** The records with these ids, whole, that also meet a condition; those that do not are left out. */
export async function readWhole(reader: Reader, type: string, ids: readonly string[], condition = ""): Promise<Entity[]> {
  if (ids.length === 0) return [];
  try {
    return await withLiveSchema(reader, type, async (object) => {
      const rooms = roomsOf(object, reader.config);
      const { records, posts } = await withChildren(reader, object, rooms, ids, condition);
      const postsByParent = Map.groupBy(posts, ({ ParentId }) => ParentId);
      const instance = await reader.client.instanceUrl();
      return records.map((record) => entityOf(reader, object, rooms, record, postsByParent.get(record.Id) ?? [], instance));
    });
  } catch (error) {
    // Without composites a statement stands in the address, which may become too long for many records.
    if (!(error instanceof ConnectorError) || error.code !== "TOO_LARGE" || ids.length === 1) throw error;
    const half = Math.ceil(ids.length / 2);
    return [...(await readWhole(reader, type, ids.slice(0, half), condition)), ...(await readWhole(reader, type, ids.slice(half), condition))];
  }
}

type Whole = { readonly records: readonly SoqlRecord[]; readonly posts: readonly SoqlRecord[] };

/** Records with comments and files: by sub-selects, or by statements of their own where those are refused. */
async function withChildren(reader: Reader, object: SalesforceObject, rooms: Rooms, ids: readonly string[], condition: string): Promise<Whole> {
  const { client, schemas } = reader;
  const what = `read ${object.name}`;
  const where = `Id IN ${list(ids)}${condition === "" ? "" : ` AND (${condition}\n)`}`;
  const records = (more: readonly string[]): Statement => ({
    soql: `SELECT ${[...columns(reader, object), ...more].join(", ")} FROM ${object.name} WHERE ${where}`,
  });
  const allowed = (child: Children): Children => ({ ...child, columns: schemas.allowed(child.object, child.columns) });
  const children = childrenIn(rooms)
    .filter(({ object: child }) => child !== "EmailMessage" || !client.absences.has(child))
    .map(allowed);
  const withFeed = rooms.comments.kind === "feed";
  const described = async (type: string) => (withFeed ? await schemas.optional(type) : undefined);
  const posts = schemas.allowed("FeedItem", feedColumns("Body", await described("FeedItem")));
  const replies = allowed(repliesOf(await described("FeedComment")));
  const feed = (more: readonly string[]): Statement[] => (withFeed ? [{ soql: feedStatement(ids, posts, more), optional: "FeedItem" }] : []);

  const together = async (): Promise<Whole> => {
    const [found = [], feeds = []] = await client.queries([records(children.map(subSelect)), ...feed([subSelect(replies)])], what);
    for (const { object: child } of children) client.absences.saw(child);
    return { records: found, posts: feeds };
  };
  const apart = async (): Promise<Whole> => {
    const parts = withFeed ? [replies, ...children] : children;
    const [found = [], ...rest] = await client.queries([records([]), ...parts.map((part) => ownStatement(part, ids)), ...feed([])], what);
    const own = withFeed ? 1 : 0;
    const feeds = withFeed ? joined(rest.at(-1) ?? [], [replies], rest.slice(0, 1)) : [];
    return { records: joined(found, children, rest.slice(own)), posts: feeds };
  };
  const thing = `sub-selects of ${object.name}`;
  if (client.absences.has(thing)) return await apart();
  try {
    return await together();
  } catch (refusal) {
    // E-mails whose fields are not all for this account are not read: comments alone are better than nothing.
    if (isEmailRefusal(refusal) && children.some(({ object: child }) => child === "EmailMessage") && !client.absences.wasThere("EmailMessage")) {
      client.absences.note("EmailMessage");
      return await withChildren(reader, object, rooms, ids, condition);
    }
    if (!mindsSubSelects(refusal, withFeed ? [replies, ...children] : children)) throw refusal;
    const found = await apart().catch((error: unknown) => {
      // Refused in any form: the statement itself is wrong, as the first refusal says.
      throw error instanceof ConnectorError && error.code === "BAD_REQUEST" ? refusal : error;
    });
    client.absences.note(thing);
    return found;
  }
}

function isEmailRefusal(error: unknown): boolean {
  return error instanceof ConnectorError && /^INVALID_(FIELD|TYPE)$/.test(error.platformCode ?? "") && /\bEmailMessages?\b/.test(error.message);
}

/** Records by a condition, fields only: their comments and files are left empty. */
export async function readFields(reader: Reader, type: string, condition: string, limit: number): Promise<Entity[]> {
  return await withLiveSchema(reader, type, async (object) => {
    const soql = `SELECT ${columns(reader, object).join(", ")} FROM ${type}${condition === "" ? "" : ` WHERE ${condition}`} ORDER BY CreatedDate, Id LIMIT ${limit}`;
    const records = await reader.client.query(soql, `look up ${type}`);
    const instance = await reader.client.instanceUrl();
    const noRooms: Rooms = { comments: { kind: "none" }, emails: undefined, files: undefined, oldAttachments: undefined };
    return records.map((record) => entityOf(reader, object, noRooms, record, [], instance));
  });
}

/** Runs a query made from descriptions, and makes it again where it turns out that they are old, that a parent has no `Name`, or that what is not needed is hidden. */
async function withLiveSchema<T>(reader: Reader, type: string, run: (object: SalesforceObject) => Promise<T>): Promise<T> {
  const met = new Set<string>();
  const isFirst = (thing: string) => met.size < met.add(thing).size;
  let stale = 0;
  for (let tried = 1; ; tried++) {
    try {
      return await run(await reader.schemas.object(type));
    } catch (error) {
      if (!(error instanceof ConnectorError) || tried > mostTries) throw error;
      const [, relationship] = /Didn't understand relationship '(\w+)' in field path/.exec(error.message) ?? [];
      const [, column = "", entity] = /No such column '(\w+)' on entity '(\w+)'/.exec(error.message) ?? [];
      const isNew = isFirst(`${relationship ?? entity}.${column}`);
      if (relationship !== undefined && isNew && reader.schemas.refuseRelationship(relationship)) continue;
      if (entity === undefined) throw error;
      if (column === "Name" && entity !== type && isNew) {
        await reader.schemas.learnName(entity);
        continue;
      }
      if (entity !== type && isFirst(`without ${entity}.${column}`) && reader.schemas.refuseColumn(entity, column)) continue;
      reader.schemas.forget(type);
      reader.schemas.forget(entity);
      if (++stale > 2) throw error;
    }
  }
}

function columns({ schemas }: Reader, object: SalesforceObject): string[] {
  const fields = [...object.byName.values()].filter(isShown);
  const nameOf = (type: string) => schemas.nameOf(type);
  const parents = fields.filter((field) => displayPath(field, nameOf) !== undefined).slice(0, mostParents);
  const paths = parents.flatMap((field) => [
    displayPath(field, nameOf) ?? "",
    ...((field.referenceTo?.length ?? 0) > 1 ? [`${field.relationshipName}.Type`] : []),
  ]);
  return [...fields.map(({ name }) => name), ...schemas.allowed(object.name, paths)];
}

function entityOf(
  { schemas, config }: Reader,
  object: SalesforceObject,
  rooms: Rooms,
  record: SoqlRecord,
  posts: readonly SoqlRecord[],
  instance: string,
): Entity {
  const shown = [...object.byName.values()].filter(isShown);
  const fields: Record<string, Json> = Object.fromEntries(shown.map((field) => [field.name, readValue(record, field, (type) => schemas.nameOf(type))]));
  const display = Object.fromEntries(shown.flatMap((field) => labelOf(field, fields[field.name])));
  const emails = rooms.emails === undefined ? [] : childrenOf(record, rooms.emails);
  const all = oldestFirst([
    ...(rooms.comments.kind === "caseComments" ? childrenOf(record, rooms.comments.relationship).map(caseComment) : posts.flatMap(feedComments)),
    ...emails.flatMap((email) => emailComments(email, config.emails === "internal")),
  ]);
  const files = rooms.files === undefined ? [] : childrenOf(record, rooms.files).flatMap(fileAttachments);
  const old = rooms.oldAttachments === undefined ? [] : childrenOf(record, rooms.oldAttachments).map(oldAttachment);
  const attachments = [...files, ...old].toSorted((a, b) => (a.created === b.created ? (a.id < b.id ? -1 : 1) : a.created < b.created ? -1 : 1));
  const id = String(record.Id);
  const key = record[object.nameField];
  const marker = record[config.markerField];
  return {
    ref: { type: object.name, id },
    key: typeof key === "string" && key !== "" ? key : id,
    url: `${instance}/${id}`,
    version: versionOf(fields, all, attachments),
    fields,
    display,
    comments: all.filter(({ internal }) => !internal),
    internalComments: all.filter(({ internal }) => internal),
    attachments,
    ...(typeof marker === "string" && { marker }),
  };
}

/**
 * A state's fingerprint: everything a rule can see, not the stamps alone. Stamps have whole seconds, so that two saves in one second would
 * look the same, and a comment need not touch its record.
 */
function versionOf(fields: Record<string, Json>, comments: readonly Comment[], attachments: readonly unknown[]): string {
  const seen = Object.entries(fields).filter(([name]) => !volatileFields.has(name));
  const hash = createHash("sha256")
    .update(JSON.stringify([seen, comments, attachments]))
    .digest("base64url")
    .slice(0, 16);
  return `${String(fields.SystemModstamp ?? "")}/${hash}`;
}

function labelOf(field: SalesforceField, value: Json | undefined): [string, string][] {
  const label = (wanted: Json) => field.picklistValues.find((entry) => entry.value === wanted)?.label ?? String(wanted);
  if (field.picklistValues.length === 0 || value === null || value === undefined) return [];
  return [[field.name, Array.isArray(value) ? value.map(label).join("; ") : label(value)]];
}

function oldestFirst(comments: readonly Comment[]): Comment[] {
  return comments.toSorted((a, b) => (a.created === b.created ? (a.id < b.id ? -1 : 1) : a.created < b.created ? -1 : 1));
}

function idsByType(refs: readonly EntityRef[]): Map<string, string[]> {
  const byType = new Map<string, Set<string>>();
  for (const { type, id } of refs) {
    const known = salesforceId(id);
    if (known !== undefined) byType.set(type, (byType.get(type) ?? new Set()).add(known));
  }
  return new Map([...byType].map(([type, ids]) => [type, [...ids]]));
}

/** A record that a query does not give may be in the recycle bin, gone for good, or hidden from us: only the first is called deleted. */
async function whyMissing({ client }: Reader, type: string, ids: readonly string[]): Promise<Map<string, ConnectorError>> {
  if (ids.length === 0) return new Map();
  const [rows = []] = await client.queries([{ soql: `SELECT Id, IsDeleted FROM ${type} WHERE Id IN ${list(ids)}`, all: true }], `read ${type}`);
  const deleted = new Set(rows.filter(({ IsDeleted }) => IsDeleted === true).map(({ Id }) => Id));
  return new Map(
    ids.map((id) => [
      id,
      deleted.has(id)
        ? new ConnectorError("DELETED", { message: `${type} ${id} was deleted in Salesforce.`, platformCode: "ENTITY_IS_DELETED" })
        : new ConnectorError("NOT_FOUND_OR_HIDDEN", { message: `${type} ${id} is not there, or this account may not see it.` }),
    ]),
  );
}
