import { Hono } from "hono";
import { z } from "zod";
import { salesforceId } from "../id.ts";
import { ApiError } from "./api-error.ts";
import type { ApiApp, ApiEnv, SimulatorContext } from "./context.ts";
import { createRecord } from "./new-record.ts";
import type { Input, Org } from "./org.ts";
import { upsert, wantedFields } from "./record-routes.ts";
import { shownRecord } from "./render.ts";

type Result = { id?: string; success: boolean; errors: readonly unknown[]; created?: boolean };

const collectionLimit = 200;
/** A read by POST takes more ids than a write takes records [D]. */
const readLimit = 2000;

/** `/composite/sobjects`: many records in one call, each with an outcome of its own; HTTP 200 whatever becomes of them [R]. */
export function collectionRoutes({ org, events }: SimulatorContext): ApiApp {
  const app = new Hono<ApiEnv>();

  app.post("/composite/sobjects", async (c) => {
    const { records, allOrNone } = collectionOf(await c.req.json());
    return c.json(saveAll(org, records, allOrNone, (record) => createRecord(org, events, typeOf(record), record, c.var.caller)));
  });

  app.patch("/composite/sobjects", async (c) => {
    const { records, allOrNone } = collectionOf(await c.req.json());
    assertDistinct(records.map((record) => String(record.id ?? record.Id ?? "")));
    const update = (record: Input): Result => {
      const { id, Id, ...fields } = record;
      const given = id ?? Id;
      if (typeof given !== "string" || given === "") throw new ApiError(400, "MISSING_ARGUMENT", "Id not specified in an update call");
      if (salesforceId(given) === undefined) throw new ApiError(400, "MALFORMED_ID", `${typeOf(record)} ID: id value of incorrect type: ${given}`, ["Id"]);
      return { id: org.update(typeOf(record), given, fields, c.var.caller).Id, success: true, errors: [] };
    };
    return c.json(saveAll(org, records, allOrNone, update));
  });

  app.patch("/composite/sobjects/:type/:field", async (c) => {
    const { records, allOrNone } = collectionOf(await c.req.json(), c.req.param("field"));
    const field = c.req.param("field");
    const object = org.object(c.req.param("type"));
    const save = (record: Input): Result => {
      const { [field]: value, ...rest } = record;
      const outcome = upsert(org, object, field, String(value ?? ""), rest, c.var.caller);
      if (outcome.kind === "several")
        throw new ApiError(
          400,
          "DUPLICATE_EXTERNAL_ID",
          `${field}: more than one record found for external id field: [${outcome.rows.map(({ Id }) => Id).join(", ")}]`,
        );
      return { id: outcome.id, success: true, errors: [], created: outcome.kind === "created" };
    };
    return c.json(saveAll(org, records, allOrNone, save));
  });

  app.delete("/composite/sobjects", (c) => {
    const ids = (c.req.query("ids") ?? "").split(",").filter((id) => id !== "");
    assertSize(ids.length);
    const remove = (id: string): Result => {
      const type = org.schema.typeOfId(id);
      if (type === undefined) throw new ApiError(400, "MALFORMED_ID", `malformed id ${id}`);
      org.delete(type, id, c.var.caller);
      return { id: salesforceId(id) ?? id, success: true, errors: [] };
    };
    return c.json(saveAll(org, ids, c.req.query("allOrNone") === "true", remove));
  });

  const read = (type: string, ids: readonly string[], fields: readonly string[], version: string) => {
    const object = org.object(type);
    if (ids.length > readLimit)
      throw new ApiError(400, "EXCEEDED_MAX_SIZE_REQUEST", `record limit reached. cannot read more than ${readLimit} records in this call`);
    const wanted = wantedFields(object, fields);
    return ids.map((id) => {
      const known = salesforceId(id);
      if (known === undefined) throw new ApiError(400, "MALFORMED_ID", `malformed id ${id}`);
      const row = org.row(object.name, known);
      return row === undefined || row.IsDeleted === true ? null : shownRecord(object, row, wanted, version);
    });
  };
  app.post("/composite/sobjects/:type", async (c) => {
    const given = z.looseObject({ ids: z.array(z.string()), fields: z.array(z.string()) }).safeParse(await c.req.json());
    if (!given.success) throw new ApiError(400, "JSON_PARSER_ERROR", z.prettifyError(given.error));
    return c.json(read(c.req.param("type"), given.data.ids, given.data.fields, c.var.version));
  });
  app.get("/composite/sobjects/:type", (c) =>
    c.json(read(c.req.param("type"), (c.req.query("ids") ?? "").split(","), (c.req.query("fields") ?? "").split(","), c.var.version)),
  );

  return app;
}

/** Saves each on its own; item errors say `statusCode` where single calls say `errorCode` [R]. */
function saveAll<Item>(org: Org, items: readonly Item[], allOrNone: boolean, save: (item: Item) => Result): Result[] {
  const attempt = (): Result[] =>
    items.map((item) => {
      try {
        return save(item);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        return { success: false, errors: [{ statusCode: error.errorCode, message: error.message, fields: error.fields, ...error.more }] };
      }
    });
  if (!allOrNone) return attempt();
  const results = org.transactions.together(attempt, (outcome) => outcome.some(({ success }) => !success));
  if (results.every(({ success }) => success)) return results;
  const innocent = {
    statusCode: "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    message: "Record rolled back because not all records were valid and the request was using AllOrNone header",
    fields: [],
  };
  return results.map((result) => (result.success ? { success: false, errors: [innocent] } : result));
}

function collectionOf(body: unknown, externalId?: string): { records: Input[]; allOrNone: boolean } {
  const { records, allOrNone = false } = (body ?? {}) as { records?: unknown; allOrNone?: boolean }; // checked below
  if (!Array.isArray(records)) throw new ApiError(400, "JSON_PARSER_ERROR", "records is required");
  assertSize(records.length);
  for (const record of records as Input[]) assertTypeFirst(record, externalId); // items are looked at one by one
  return { records: records as Input[], allOrNone };
}

function assertSize(size: number): void {
  if (size > collectionLimit)
    throw new ApiError(400, "EXCEEDED_MAX_SIZE_REQUEST", `record limit reached. cannot submit more than ${collectionLimit} records into this call`);
}

function assertDistinct(ids: readonly string[]): void {
  const known = ids.map((id) => salesforceId(id) ?? id).filter((id) => id !== "");
  if (new Set(known).size < known.length) throw new ApiError(400, "INVALID_ID_FIELD", "duplicate id in list");
}

/** The type has to come before any field [R]; ids may stand before it, as clients send them. */
function assertTypeFirst(record: Input | null, externalId: string | undefined): void {
  const [first] = Object.keys(record ?? {}).filter((key) => key.toLowerCase() !== "id" && key !== externalId);
  const attributes = record?.attributes as { type?: unknown } | undefined; // only its type is read
  if (first !== "attributes" || typeof attributes?.type !== "string")
    throw new ApiError(400, "JSON_PARSER_ERROR", "Can not deserialize SObject: attributes.type must be the first property of each record");
}

function typeOf(record: Input): string {
  return String((record.attributes as { type: unknown }).type); // checked by assertTypeFirst
}
