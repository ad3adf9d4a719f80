import { Hono } from "hono";
import { salesforceId } from "../id.ts";
import { ApiError } from "./api-error.ts";
import type { ApiApp, ApiEnv, SimulatorContext } from "./context.ts";
import type { Input, Org } from "./org.ts";
import { upsert, wantedFields } from "./record-routes.ts";
import { shownRecord } from "./render.ts";

type Result = { id?: string; success: boolean; errors: readonly unknown[]; created?: boolean };
type Send = (method: string, url: string, headers: Headers, body: unknown) => Promise<Response>;

const collectionLimit = 200;
const compositeLimit = 25;
const queriesPerComposite = 5;

/** `/composite`: collections of records, and several requests in one. `send` runs a request of a composite through the same API. */
export function compositeRoutes({ org }: SimulatorContext, send: Send): ApiApp {
  const app = new Hono<ApiEnv>();

  app.post("/composite/sobjects", async (c) => {
    const { records, allOrNone } = collectionOf(await c.req.json());
    return c.json(saveAll(org, records, allOrNone, (record) => ({ id: org.create(typeOf(record), record, c.var.caller).Id, success: true, errors: [] })));
  });

  app.patch("/composite/sobjects", async (c) => {
    const { records, allOrNone } = collectionOf(await c.req.json());
    assertDistinct(records.map((record) => String(record.id ?? record.Id ?? "")));
    const update = (record: Input): Result => {
      const { id, Id, ...fields } = record;
      const given = id ?? Id;
      if (typeof given !== "string" || given === "") throw new ApiError(400, "MISSING_ARGUMENT", "Id not specified in an update call");
      if (salesforceId(given) === undefined) throw new ApiError(400, "MALFORMED_ID", `Case ID: id value of incorrect type: ${given}`, ["Id"]);
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

  app.post("/composite/sobjects/:type", async (c) => {
    const object = org.object(c.req.param("type"));
    const { ids, fields } = (await c.req.json()) as { ids: string[]; fields: string[] }; // the documented shape
    const wanted = wantedFields(object, fields);
    const rows = ids.map((id) => org.row(object.name, salesforceId(id) ?? ""));
    return c.json(rows.map((row) => (row === undefined || row.IsDeleted === true ? null : shownRecord(object, row, wanted, c.var.version))));
  });

  app.post("/composite", async (c) => {
    const { compositeRequest, allOrNone = false } = (await c.req.json()) as CompositeRequest; // the documented shape
    if (compositeRequest.length > compositeLimit)
      throw new ApiError(400, "LIMIT_EXCEEDED", `The composite request can't contain more than ${compositeLimit} subrequests.`);
    const queries = compositeRequest.filter(({ url }) => /\/(query(All)?|composite\/sobjects)\b/.test(url)).length;
    if (queries > queriesPerComposite)
      throw new ApiError(400, "LIMIT_EXCEEDED", `A composite request can contain up to ${queriesPerComposite} query and sObject Collections subrequests.`);
    const done = new Map<string, unknown>();
    const compositeResponse: { body: unknown; httpHeaders: Record<string, string>; httpStatusCode: number; referenceId: string }[] = [];
    let halted = false;
    for (const { method, url, referenceId, body } of compositeRequest) {
      if (halted) {
        compositeResponse.push({
          body: [{ errorCode: "PROCESSING_HALTED", message: "The transaction was rolled back since another operation in the same transaction failed." }],
          httpHeaders: {},
          httpStatusCode: 400,
          referenceId,
        });
        continue;
      }
      const response = await send(
        method,
        filled(url, done),
        c.req.raw.headers,
        body === undefined ? undefined : JSON.parse(filled(JSON.stringify(body), done)),
      );
      const answer = await answerOf(response);
      done.set(referenceId, answer);
      const location = response.headers.get("location");
      compositeResponse.push({ body: answer, httpHeaders: location === null ? {} : { Location: location }, httpStatusCode: response.status, referenceId });
      halted = allOrNone && response.status >= 400;
    }
    return c.json({ compositeResponse });
  });

  app.post("/composite/batch", async (c) => {
    const { batchRequests } = (await c.req.json()) as { batchRequests: { method: string; url: string; richInput?: unknown }[] }; // the documented shape
    if (batchRequests.length > compositeLimit)
      throw new ApiError(400, "LIMIT_EXCEEDED", `The batch request can't contain more than ${compositeLimit} subrequests.`);
    const results: { statusCode: number; result: unknown }[] = [];
    for (const { method, url, richInput } of batchRequests) {
      const response = await send(method, url.startsWith("/") ? url : `/services/data/${url}`, c.req.raw.headers, richInput);
      results.push({ statusCode: response.status, result: await answerOf(response) });
    }
    return c.json({ hasErrors: results.some(({ statusCode }) => statusCode >= 400), results });
  });

  return app;
}

interface CompositeRequest {
  readonly allOrNone?: boolean;
  readonly compositeRequest: readonly { readonly method: string; readonly url: string; readonly referenceId: string; readonly body?: unknown }[];
}

/** Saves each on its own; item errors say `statusCode` where single calls say `errorCode` [R]. */
function saveAll<Item>(org: Org, items: readonly Item[], allOrNone: boolean, save: (item: Item) => Result): Result[] {
  const attempt = (): Result[] =>
    items.map((item) => {
      try {
        return save(item);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        return { success: false, errors: [{ statusCode: error.errorCode, message: error.message, fields: error.fields }] };
      }
    });
  if (!allOrNone) return attempt();
  const results = org.together(attempt, (outcome) => outcome.some(({ success }) => !success));
  if (results.every(({ success }) => success)) return results;
  const innocent = {
    statusCode: "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    message: "Record rolled back because not all records were valid and the request was using AllOrNone header",
    fields: [],
  };
  return results.map((result) => (result.success ? { success: false, errors: [innocent] } : result));
}

function collectionOf(body: unknown, externalId?: string): { records: Input[]; allOrNone: boolean } {
  const { records, allOrNone = false } = body as { records?: unknown; allOrNone?: boolean }; // checked below
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
function assertTypeFirst(record: Input, externalId: string | undefined): void {
  const [first] = Object.keys(record).filter((key) => key.toLowerCase() !== "id" && key !== externalId);
  const attributes = record.attributes as { type?: unknown } | undefined; // only its type is read
  if (first !== "attributes" || typeof attributes?.type !== "string")
    throw new ApiError(400, "JSON_PARSER_ERROR", "Can not deserialize SObject: attributes.type must be the first property of each record");
}

function typeOf(record: Input): string {
  return String((record.attributes as { type: unknown }).type); // checked by assertTypeFirst
}

function filled(text: string, answers: ReadonlyMap<string, unknown>): string {
  return text.replace(/@\{([A-Za-z0-9_]+)((?:\.[A-Za-z0-9_]+|\[\d+\])*)\}/g, (_, reference: string, path: string) => {
    let value: unknown = answers.get(reference);
    for (const key of path.match(/[A-Za-z0-9_]+/g) ?? []) value = (value as Record<string, unknown> | undefined)?.[key]; // any JSON
    if (value === undefined) throw new ApiError(400, "PROCESSING_HALTED", `Invalid reference specified. No value for ${reference}${path} found`);
    return String(value);
  });
}

async function answerOf(response: Response): Promise<unknown> {
  const text = await response.text();
  return text === "" ? null : JSON.parse(text);
}
