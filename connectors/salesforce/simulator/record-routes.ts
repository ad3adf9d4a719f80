import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { Hono } from "hono";
import { z } from "zod";
import type { ByteStore } from "../../simulation/byte-store.ts";
import { salesforceId } from "../id.ts";
import { ApiError } from "./api-error.ts";
import type { ApiApp, ApiEnv, SimulatorContext } from "./context.ts";
import type { FieldDefinition } from "./definitions.ts";
import { describeBasics, describeGlobal, describeObject } from "./describe.ts";
import { createRecord } from "./new-record.ts";
import type { Input, Org, Row } from "./org.ts";
import { shownRecord } from "./render.ts";
import { recordIn } from "./request-body.ts";
import type { OrgObject } from "./schema.ts";
import { pushGeneric } from "./topics.ts";

const pushSchema = z.looseObject({ pushEvents: z.array(z.looseObject({ payload: z.unknown() })) });

/** `/sobjects`: describe, records by id and by external id, bytes. */
export function recordRoutes({ org, events }: SimulatorContext): ApiApp {
  const app = new Hono<ApiEnv>();

  app.get("/sobjects", (c) =>
    c.json(
      describeGlobal(
        org.schema.objects().flatMap(({ name }) => org.seen(name) ?? []),
        c.var.version,
      ) as object,
    ),
  );
  app.get("/sobjects/:type", (c) => c.json(describeBasics(org.object(c.req.param("type")), c.var.version) as object));
  app.get("/sobjects/:type/describe", (c) => {
    const object = org.object(c.req.param("type"));
    // Record types are part of it. Instants in headers have whole seconds.
    const recordTypes = [...org.rows("RecordType")].filter(({ SobjectType }) => SobjectType === object.name);
    const changed = [org.schema.changedAt(object.name), ...recordTypes.map(({ SystemModstamp }) => Date.parse(String(SystemModstamp)))];
    const modified = Math.floor(Math.max(...changed) / 1000) * 1000;
    c.header("last-modified", new Date(modified).toUTCString());
    const since = Date.parse(c.req.header("if-modified-since") ?? "");
    if (!Number.isNaN(since) && modified <= since) return c.body(null, 304);
    return c.json(describeObject(org.schema, object, recordTypes, c.var.version) as object);
  });

  app.post("/sobjects/:type", async (c) => {
    const object = org.object(c.req.param("type"));
    const result = createRecord(org, events, object.name, await recordIn(org.bytes, c.req.raw), c.var.caller);
    c.header("location", `/services/data/v${c.var.version}/sobjects/${object.name}/${result.id}`);
    return c.json(result, 201);
  });

  app.post("/sobjects/StreamingChannel/:id/push", async (c) => {
    const channel = org.existing("StreamingChannel", c.req.param("id"));
    const { pushEvents } = pushSchema.parse(await c.req.json());
    pushGeneric(
      events,
      String(channel.Name),
      pushEvents.map(({ payload }) => payload),
      org.clock.now().toISOString(),
    );
    return c.json(pushEvents.map(() => ({ fanoutCount: -1, userOnlineStatus: {} })));
  });

  app.get("/sobjects/:type/:id", (c) => {
    const object = org.object(c.req.param("type"));
    const row = org.existing(object.name, c.req.param("id"));
    const since = Date.parse(c.req.header("if-modified-since") ?? "");
    if (!Number.isNaN(since) && Date.parse(String(row.SystemModstamp)) <= since) return c.body(null, 304);
    c.header("last-modified", new Date(String(row.LastModifiedDate)).toUTCString());
    if (object.name === "Account") {
      const tag = etagOf(row);
      c.header("etag", tag);
      if (c.req.header("if-none-match")?.includes(tag)) return c.body(null, 304);
    }
    return c.json(shownRecord(object, row, wantedFields(object, c.req.query("fields")), c.var.version));
  });

  app.patch("/sobjects/:type/:id", async (c) => {
    const object = org.object(c.req.param("type"));
    const input = await recordIn(org.bytes, c.req.raw);
    const since = Date.parse(c.req.header("if-unmodified-since") ?? "");
    if (!Number.isNaN(since) && Date.parse(String(org.existing(object.name, c.req.param("id")).LastModifiedDate)) > since) {
      throw new ApiError(412, "PRECONDITION_FAILED", "The record has been modified since the specified time");
    }
    const match = object.name === "Account" ? c.req.header("if-match") : undefined;
    if (match !== undefined && !match.includes(etagOf(org.existing(object.name, c.req.param("id")))))
      throw new ApiError(412, "PRECONDITION_FAILED", "The record has been modified since the specified entity tag");
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
    if (bytes !== undefined)
      return new Response(Readable.toWeb(bytes.open()) as ReadableStream, {
        // Node's stream is the web's
        headers: { "content-type": "application/octet-stream", "content-length": String(bytes.size) },
      });
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
    const input = await recordIn(org.bytes, c.req.raw);
    const outcome = upsert(org, object, c.req.param("field"), c.req.param("value"), input, c.var.caller, c.req.query("updateOnly") === "true");
    if (outcome.kind === "several")
      return c.json(
        outcome.rows.map((row) => `/services/data/v${c.var.version}/sobjects/${object.name}/${row.Id}`),
        300,
      );
    // Before v46 an update answered without a body [D].
    if (outcome.kind === "updated" && Number(c.var.version) < 46) return c.body(null, 204);
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

function byExternalId(org: Org, object: OrgObject, fieldName: string, value: string): Row[] {
  if (org.rules.extensionsMislead && /\.[a-z]{2,4}$/i.test(value)) throw new ApiError(404, "NOT_FOUND", "The requested resource does not exist");
  const field = externalIdField(object, fieldName);
  return org.rowsWith(object.name, field.name, value).filter((row) => row.IsDeleted === false && org.row(object.name, row.Id) !== undefined);
}

/** Only rows of Account have entity tags [D]. */
function etagOf({ Id, SystemModstamp }: Row): string {
  return `"${createHash("sha256").update(`${Id}/${SystemModstamp}`).digest("hex").slice(0, 32)}"`;
}

function externalIdField(object: OrgObject, name: string): FieldDefinition {
  const field = object.fields.get(name.toLowerCase());
  if (field?.externalId || (field?.idLookup && field.name !== "Id")) return field;
  throw new ApiError(404, "NOT_FOUND", `Provided external ID field does not exist or is not accessible: ${name}`);
}

function blobOf(org: Org, object: OrgObject, id: string, fieldName: string): ReturnType<ByteStore["read"]> | undefined {
  const field = object.fields.get(fieldName.toLowerCase());
  if (field?.type !== "base64" || salesforceId(id) === undefined) return undefined;
  return org.bytes.read(org.existing(object.name, id).Id);
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
