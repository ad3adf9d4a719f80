import { Hono } from "hono";
import { salesforceId } from "../id.ts";
import { ApiError } from "./api-error.ts";
import type { ApiApp, ApiEnv, SimulatorContext } from "./context.ts";
import type { FieldDefinition } from "./definitions.ts";
import { describeBasics, describeGlobal, describeObject } from "./describe.ts";
import type { Input, Org, Row } from "./org.ts";
import { shownRecord } from "./render.ts";
import type { OrgObject } from "./schema.ts";
import { instantText } from "./values.ts";

const maxQuerySpanMs = 30 * 86_400_000;

/** `/sobjects`: describe, records by id and by external id, bytes, lists of what was deleted and updated. */
export function recordRoutes({ org }: SimulatorContext): ApiApp {
  const app = new Hono<ApiEnv>();

  app.get("/sobjects", (c) => c.json(describeGlobal(org.schema, c.var.version) as object));
  app.get("/sobjects/:type", (c) => c.json(describeBasics(org.object(c.req.param("type")), c.var.version) as object));
  app.get("/sobjects/:type/describe", (c) => c.json(describeObject(org.schema, org.object(c.req.param("type")), c.var.version) as object));

  app.get("/sobjects/:type/deleted", (c) => {
    const { type, start, end } = spanOf(org, c.req.param("type"), c.req.query());
    const rows = [...org.rows(type)].filter((row) => row.IsDeleted === true && within(row, start, end));
    return c.json({
      deletedRecords: rows.map((row) => ({ deletedDate: row.SystemModstamp, id: row.Id })),
      earliestDateAvailable: instantText(new Date(end.getTime() - 2 * maxQuerySpanMs)),
      latestDateCovered: instantText(end),
    });
  });
  app.get("/sobjects/:type/updated", (c) => {
    const { type, start, end } = spanOf(org, c.req.param("type"), c.req.query());
    const rows = [...org.rows(type)].filter((row) => row.IsDeleted === false && within(row, start, end));
    return c.json({ ids: rows.map(({ Id }) => Id), latestDateCovered: instantText(end) });
  });

  app.post("/sobjects/:type", async (c) => {
    const object = org.object(c.req.param("type"));
    const row = org.create(object.name, await bodyOf(c.req.raw), c.var.caller);
    c.header("location", `/services/data/v${c.var.version}/sobjects/${object.name}/${row.Id}`);
    return c.json({ id: row.Id, success: true, errors: [] }, 201);
  });

  app.get("/sobjects/:type/:id", (c) => {
    const object = org.object(c.req.param("type"));
    const row = org.existing(object.name, c.req.param("id"));
    const since = Date.parse(c.req.header("if-modified-since") ?? "");
    if (!Number.isNaN(since) && Date.parse(String(row.SystemModstamp)) <= since) return c.body(null, 304);
    c.header("last-modified", new Date(String(row.LastModifiedDate)).toUTCString());
    return c.json(shownRecord(object, row, wantedFields(object, c.req.query("fields")), c.var.version));
  });

  app.patch("/sobjects/:type/:id", async (c) => {
    const object = org.object(c.req.param("type"));
    const input = await bodyOf(c.req.raw);
    const since = Date.parse(c.req.header("if-unmodified-since") ?? "");
    if (!Number.isNaN(since) && Date.parse(String(org.existing(object.name, c.req.param("id")).LastModifiedDate)) > since) {
      throw new ApiError(412, "PRECONDITION_FAILED", "The record has been modified since the specified time");
    }
    org.update(object.name, c.req.param("id"), input, c.var.caller);
    return c.body(null, 204);
  });

  app.delete("/sobjects/:type/:id", (c) => {
    org.delete(org.object(c.req.param("type")).name, c.req.param("id"), c.var.caller);
    return c.body(null, 204);
  });

  app.get("/sobjects/:type/:field/:value", (c) => {
    const object = org.object(c.req.param("type"));
    const bytes = blobOf(org, object, c.req.param("field"), c.req.param("value"));
    if (bytes !== undefined) return new Response(new Uint8Array(bytes), { headers: { "content-type": "application/octet-stream" } });
    const matches = byExternalId(org, object, c.req.param("field"), c.req.param("value"));
    if (matches.length > 1)
      return c.json(
        matches.map((row) => `/services/data/v${c.var.version}/sobjects/${object.name}/${row.Id}`),
        300,
      );
    const [row] = matches;
    if (row === undefined) throw new ApiError(404, "NOT_FOUND", "The requested resource does not exist");
    return c.json(shownRecord(object, row, wantedFields(object, c.req.query("fields")), c.var.version));
  });

  app.patch("/sobjects/:type/:field/:value", async (c) => {
    const object = org.object(c.req.param("type"));
    const input = await bodyOf(c.req.raw);
    const outcome = upsert(org, object, c.req.param("field"), c.req.param("value"), input, c.var.caller, c.req.query("updateOnly") === "true");
    if (outcome.kind === "several")
      return c.json(
        outcome.rows.map((row) => `/services/data/v${c.var.version}/sobjects/${object.name}/${row.Id}`),
        300,
      );
    return c.json({ id: outcome.id, success: true, errors: [], created: outcome.kind === "created" }, outcome.kind === "created" ? 201 : 200);
  });

  app.delete("/sobjects/:type/:field/:value", (c) => {
    const object = org.object(c.req.param("type"));
    const [row] = byExternalId(org, object, c.req.param("field"), c.req.param("value"));
    if (row === undefined) throw new ApiError(404, "NOT_FOUND", "The requested resource does not exist");
    org.delete(object.name, row.Id, c.var.caller);
    return c.body(null, 204);
  });

  return app;
}

export type UpsertOutcome = { readonly kind: "created" | "updated"; readonly id: string } | { readonly kind: "several"; readonly rows: readonly Row[] };

/** Creates or updates the record with this external id. Neither `Id` nor the external id may be in the body [D]. */
export function upsert(org: Org, object: OrgObject, fieldName: string, value: string, input: Input, caller: string, updateOnly = false): UpsertOutcome {
  const field = externalIdField(object, fieldName);
  const name = Object.keys(input).find((key) => key.toLowerCase() === field.name.toLowerCase() || key.toLowerCase() === "id");
  if (name !== undefined) throw new ApiError(400, "INVALID_FIELD", `The ${name} field should not be specified in the sobject data.`, [name]);
  const rows = byExternalId(org, object, fieldName, value);
  if (rows.length > 1) return { kind: "several", rows };
  const [row] = rows;
  if (row !== undefined) return { kind: "updated", id: org.update(object.name, row.Id, input, caller).Id };
  if (updateOnly) throw new ApiError(404, "NOT_FOUND", "The requested resource does not exist");
  return { kind: "created", id: org.create(object.name, { ...input, [field.name]: value }, caller).Id };
}

/** The record in a request's body, from JSON or from a multipart form whose parts may come in any order under any name. */
async function bodyOf(request: Request): Promise<Input> {
  const type = request.headers.get("content-type") ?? "";
  if (!type.startsWith("multipart/form-data")) return parsed(await request.text());
  const form = await request.formData();
  let record: Input = {};
  const files: Record<string, Buffer> = {};
  for (const [name, part] of form.entries()) {
    if (typeof part === "string") record = { ...record, ...parsed(part) };
    else if (part.type.startsWith("application/json") && !/^(VersionData|Body)$/.test(name)) record = { ...record, ...parsed(await part.text()) };
    else files[name] = Buffer.from(await part.arrayBuffer());
  }
  return { ...record, ...files };
}

function parsed(text: string): Input {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Input; // an object by the three tests
  } catch {
    throw new ApiError(400, "JSON_PARSER_ERROR", "Unexpected character at [line:1, column:1]");
  }
  throw new ApiError(400, "JSON_PARSER_ERROR", "The HTTP entity body is required, but this request has no entity body.");
}

function byExternalId(org: Org, object: OrgObject, fieldName: string, value: string): Row[] {
  const field = externalIdField(object, fieldName);
  return org.rowsWith(object.name, field.name, value).filter((row) => row.IsDeleted === false && org.row(object.name, row.Id) !== undefined);
}

function externalIdField(object: OrgObject, name: string): FieldDefinition {
  const field = object.fields.get(name.toLowerCase());
  if (field?.externalId || (field?.idLookup && field.name !== "Id")) return field;
  throw new ApiError(404, "NOT_FOUND", `Provided external ID field does not exist or is not accessible: ${name}`);
}

function blobOf(org: Org, object: OrgObject, id: string, fieldName: string): Buffer | undefined {
  const field = object.fields.get(fieldName.toLowerCase());
  if (field?.type !== "base64" || salesforceId(id) === undefined) return undefined;
  return org.tables.blob(org.existing(object.name, id).Id) ?? Buffer.alloc(0);
}

/** The fields asked for, or all. Throws INVALID_FIELD for one that is not there. */
export function wantedFields(object: OrgObject, names: string | readonly string[] | undefined): FieldDefinition[] {
  if (names === undefined) return [...object.fields.values()];
  return (typeof names === "string" ? names.split(",") : names).map((name) => {
    const field = object.fields.get(name.trim().toLowerCase());
    if (field === undefined)
      throw new ApiError(
        400,
        "INVALID_FIELD",
        `No such column '${name}' on entity '${object.name}'. If you are attempting to use a custom field, be sure to append the '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names.`,
      );
    return field;
  });
}

function spanOf(org: Org, type: string, query: Record<string, string>): { type: string; start: Date; end: Date } {
  const start = new Date(query.start ?? "");
  const end = new Date(query.end ?? "");
  if (Number.isNaN(start.getTime()) || Number.isNaN(end.getTime()) || start >= end)
    throw new ApiError(400, "INVALID_REPLICATION_DATE", "startDate must be before endDate");
  if (org.clock.now().getTime() - start.getTime() > maxQuerySpanMs)
    throw new ApiError(400, "INVALID_REPLICATION_DATE", "startDate can not be more than 30 days ago");
  return { type: org.object(type).name, start, end };
}

function within(row: Row, start: Date, end: Date): boolean {
  const time = Date.parse(String(row.SystemModstamp));
  return time >= start.getTime() && time <= end.getTime();
}
