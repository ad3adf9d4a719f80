import { createHash } from "node:crypto";
import type { EntityRef, Json, WriteOperation } from "../connector.ts";
import { ConnectorError } from "../errors.ts";
import type { RestCall } from "./batch.ts";
import { encoded } from "./encoding.ts";
import { unknownField } from "./field-names.ts";
import { isSysId } from "./ids.ts";
import type { People } from "./people.ts";
import type { Schemas } from "./schema.ts";
import { correlationColumn, type TableSchema } from "./table-schema.ts";
import { type RawRow, textOf } from "./values.ts";

export interface PlannedCall {
  readonly call: RestCall;
  /** For messages: "update incident 9d38…". */
  readonly what: string;
  /** May be made again without harm: plain fields and removals may, comments and creates may not. */
  readonly repeatable: boolean;
  readonly schema: TableSchema | undefined;
  /** What was sent, by field: to be compared with what was kept. */
  readonly values: Readonly<Record<string, string>>;
}

const correlationDisplay = "Isobridge";

/** Turns an operation into a call. Throws for what cannot work, so that nothing is sent that the platform would drop without a word [R]. */
export async function plannedCall(schemas: Schemas, people: People, operation: Exclude<WriteOperation, { kind: "addAttachment" }>): Promise<PlannedCall> {
  switch (operation.kind) {
    case "create":
      return await plannedCreate(schemas, people, operation);
    case "update":
      return await plannedUpdate(schemas, people, operation);
    case "delete":
      return plain({ method: "DELETE", path: recordPath(operation.ref) }, `delete ${named(operation.ref)}`);
    case "addComment":
      return await plannedComment(schemas, operation);
    case "removeAttachment":
      if (!isSysId(operation.attachmentId))
        throw new ConnectorError("NOT_FOUND_OR_HIDDEN", { message: `“${operation.attachmentId}” is not the sys_id of an attachment.` });
      return plain(
        { method: "DELETE", path: `/api/now/attachment/${operation.attachmentId}` },
        `remove attachment ${operation.attachmentId} of ${named(operation.ref)}`,
      );
    case "editComment":
    case "removeComment":
      throw new ConnectorError("BAD_REQUEST", {
        message: `Comments in ServiceNow are journal entries: they cannot be edited or removed (${operation.commentId} of ${named(operation.ref)}).`,
      });
  }
}

export function recordPath(ref: EntityRef): string {
  if (!/^[a-z][a-z0-9_]*$/.test(ref.type) || !isSysId(ref.id))
    throw new ConnectorError("NOT_FOUND_OR_HIDDEN", { message: `“${ref.type} ${ref.id}” is not a table and a sys_id.` });
  return `/api/now/table/${ref.type}/${ref.id}`;
}

/** Where the marker of a create goes: a column that the rule fills itself is not ours. Undefined = nowhere. */
export function markerColumnOf(schema: TableSchema, fields: Readonly<Record<string, Json>>): string | undefined {
  return schema.markerColumns.find((column) => !(column in fields));
}

/** The marker as it is kept: one that is too long for the column, or that a query could not hold, goes in as its hash. */
export function markerText(schema: TableSchema, column: string, marker: string): string {
  const room = schema.entity.fields.find(({ name }) => name === column)?.maxLength ?? 100;
  return marker.length <= room && /^[\w.:/-]+$/.test(marker) ? marker : createHash("sha256").update(marker).digest("hex").slice(0, room);
}

/** The marker that a record carries, if one of ours made it. */
export function markerOf(schema: TableSchema, row: RawRow): string | undefined {
  const marked = schema.markerColumns.find(
    (column) => textOf(row, column) !== "" && (column !== correlationColumn || textOf(row, "correlation_display") === correlationDisplay),
  );
  return marked === undefined ? undefined : textOf(row, marked);
}

async function plannedCreate(schemas: Schemas, people: People, operation: Extract<WriteOperation, { kind: "create" }>): Promise<PlannedCall> {
  const schema = await schemas.table(operation.entityType);
  const values = valuesOf(schema, await withPeople(schema, people, operation.fields));
  const column = markerColumnOf(schema, operation.fields);
  const marker: Record<string, string> = {};
  if (column !== undefined) marker[column] = markerText(schema, column, operation.marker);
  if (column === correlationColumn) marker.correlation_display = correlationDisplay;
  return {
    call: { method: "POST", path: `/api/now/table/${operation.entityType}?sysparm_fields=sys_id`, body: { ...values, ...marker } },
    what: `create a record of ${operation.entityType}`,
    repeatable: false,
    schema,
    values,
  };
}

async function plannedUpdate(schemas: Schemas, people: People, operation: Extract<WriteOperation, { kind: "update" }>): Promise<PlannedCall> {
  const schema = await schemas.table(operation.ref.type);
  const values = valuesOf(schema, await withPeople(schema, people, operation.fields));
  return {
    call: { method: "PATCH", path: `${recordPath(operation.ref)}?sysparm_fields=sys_id`, body: values },
    what: `update ${named(operation.ref)}`,
    repeatable: true,
    schema,
    values,
  };
}

async function plannedComment(schemas: Schemas, operation: Extract<WriteOperation, { kind: "addComment" }>): Promise<PlannedCall> {
  const schema = await schemas.table(operation.ref.type);
  const element = operation.internal ? "work_notes" : "comments";
  if (!schema.journals.has(element))
    throw new ConnectorError("BAD_REQUEST", { message: `Records of ${operation.ref.type} take no ${operation.internal ? "work notes" : "comments"}.` });
  if (operation.body.trim() === "") throw new ConnectorError("VALIDATION", { message: `ServiceNow ignores empty comments (${named(operation.ref)}).` });
  return {
    call: {
      method: "PATCH",
      path: `${recordPath(operation.ref)}?sysparm_fields=sys_id,sys_updated_on&sysparm_exclude_reference_link=true`,
      body: { [element]: operation.body },
    },
    what: `comment on ${named(operation.ref)}`,
    repeatable: false,
    schema,
    values: {},
  };
}

function plain(call: RestCall, what: string): PlannedCall {
  return { call, what, repeatable: true, schema: undefined, values: {} };
}

/**
 * The platform takes what names a record for a reference, which for people is their full name. Rules know them by e-mail or user
 * name as well, so those are looked up; what is nobody's is sent as it is, and reading back shows what became of it.
 */
async function withPeople(schema: TableSchema, people: People, fields: Readonly<Record<string, Json>>): Promise<Record<string, Json>> {
  const known = async ([name, value]: [string, Json]): Promise<[string, Json]> => {
    const column = schema.columns.get(name);
    if (column?.reference !== "sys_user" || (column.type !== "reference" && column.type !== "references")) return [name, value];
    if (Array.isArray(value)) return [name, await Promise.all(value.map(async (item: Json) => await personId(people, item)))];
    return [name, await personId(people, value)];
  };
  return Object.fromEntries(await Promise.all(Object.entries(fields).map(known)));
}

async function personId(people: People, value: Json): Promise<Json> {
  return typeof value === "string" && !isSysId(value) ? ((await people.idOf(value)) ?? value) : value;
}

function valuesOf(schema: TableSchema, fields: Readonly<Record<string, Json>>): Record<string, string> {
  const table = schema.entity.entityType;
  const values: Record<string, string> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (schema.journals.has(name)) {
      throw new ConnectorError("BAD_REQUEST", { message: `${name} of ${table} is a journal, not a field: add a comment instead.`, fields: [name] });
    }
    const column = schema.columns.get(name);
    // A sampled schema may be without fields that exist; reading back shows what was not kept.
    if (column === undefined && !schema.entity.sampled) throw unknownField(name, schema);
    values[name] = encoded(value, column, table);
  }
  return values;
}

function named(ref: EntityRef): string {
  return `${ref.type} ${ref.id}`;
}
