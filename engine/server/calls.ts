import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { PageOf } from "../store/lists.ts";
import type { Role } from "../store/schema.ts";
import { ApiError, readBody } from "./body.ts";
import { requireRole } from "./roles.ts";
import { errorSchema } from "./schemas.ts";

/** What every call of the API knows beside its request. */
export interface ApiEnvironment {
  Variables: {
    /** Name of the token that the caller showed. */
    author: string;
    role: Role;
  };
}

export type Api = OpenAPIHono<ApiEnvironment>;

const ok = <Schema extends z.ZodType>(schema: Schema, description: string) => ({ description, content: { "application/json": { schema } } });
const failed = (description: string) => ({ description, content: { "application/json": { schema: errorSchema } } });
const common = { 400: failed("The request is malformed"), 401: failed("No valid token"), 403: failed("The token's role may not do this") };
const secured = [{ token: [] }];
export const byName = z.object({ name: z.string() });
export const byNumber = z.object({ id: z.coerce.number().int().positive() });
export const byId = z.object({ id: z.uuid() });
export const bySide = z.object({ name: z.string(), side: z.string() });
export const byDirection = bySide.extend({ direction: z.enum(["outgoing", "incoming"]) });

/** A call as it is described and checked. */
export interface Described<Params extends z.ZodObject, Query extends z.ZodObject, Body extends z.ZodType> {
  readonly method: "get" | "post" | "put" | "delete";
  /** As OpenAPI writes it: `/api/runs/{id}`. */
  readonly path: string;
  readonly summary: string;
  readonly description?: string;
  readonly params?: Params;
  readonly query?: Query;
  readonly body?: Body;
  readonly answer: { readonly status: 200 | 201 | 202; readonly schema: z.ZodType; readonly description: string };
  /** Errors beside the common ones. */
  readonly errors?: Readonly<Partial<Record<404 | 409 | 422 | 502, string>>>;
}

export interface Given<Params, Query, Body> {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly author: string;
  readonly role: Role;
  /** As it was called. */
  readonly url: string;
}

/**
 * Adds a call: its description to the OpenAPI document, its handler to the router. Who may make it stands in roles.ts. Path, query and body are checked here, the body
 * by `readBody` alone: the framework's own check would read it first, without counting its bytes, and only when the content type says JSON.
 */
export function addCall<Params extends z.ZodObject, Query extends z.ZodObject, Body extends z.ZodType>(
  api: Api,
  call: Described<Params, Query, Body>,
  handle: (given: Given<z.infer<Params>, z.infer<Query>, z.infer<Body>>) => Promise<unknown>,
): void {
  const { answer, errors = {} } = call;
  const route = createRoute({
    method: call.method,
    path: call.path,
    summary: call.summary,
    ...(call.description === undefined ? {} : { description: call.description }),
    security: secured,
    request: {
      ...(call.params === undefined ? {} : { params: call.params }),
      ...(call.query === undefined ? {} : { query: call.query }),
      ...(call.body === undefined ? {} : { body: { required: true, content: { "application/json": { schema: call.body } } } }),
    },
    responses: {
      [answer.status]: ok(answer.schema, answer.description),
      ...Object.fromEntries(Object.entries(errors).map(([status, description]) => [status, failed(description)])),
      ...common,
    },
  });
  api.openAPIRegistry.registerPath(route);
  api.on(call.method.toUpperCase(), route.getRoutingPath(), async (c) => {
    requireRole(c.get("role"), call.method, call.path);
    // What is not described is not given: the handler's type says so.
    const given = {
      params: call.params === undefined ? {} : checked(call.params, c.req.param()),
      query: call.query === undefined ? {} : checked(call.query, c.req.query()),
      body: call.body === undefined ? undefined : await readBody(c, call.body),
      author: c.get("author"),
      role: c.get("role"),
      url: c.req.url,
    } as Given<z.infer<Params>, z.infer<Query>, z.infer<Body>>;
    // Rows become JSON here: dates become text.
    return c.json((await handle(given)) as object, answer.status);
  });
}

function checked<Schema extends z.ZodType>(schema: Schema, value: unknown): z.infer<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new ApiError(400, "BAD_REQUEST", parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; "));
}

export function paging(query: { readonly limit: number; readonly after?: string | undefined }): PageOf {
  return query.after === undefined ? { limit: query.limit } : { limit: query.limit, after: query.after };
}

export function found<Item>(item: Item | undefined, what: string): Item {
  if (item === undefined) throw new ApiError(404, "NOT_FOUND", `There is no such ${what}.`);
  return item;
}
