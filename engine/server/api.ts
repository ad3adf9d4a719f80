import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { RuleCompiler } from "../rules/compile.ts";
import {
  connectionPage,
  failurePage,
  instancePage,
  messageBody,
  messagePage,
  rulePage,
  ruleVersion,
  runPage,
  runRecord,
  triggerPage,
  twinPage,
  twinReplicas,
} from "../store/lists.ts";
import { tokenName } from "../store/tokens.ts";
import type { SyncContext } from "../sync/context.ts";
import { retryFailure, skipFailure } from "../sync/failures.ts";
import { syncByKey } from "../sync/operations.ts";
import { ApiError, readBody } from "./body.ts";
import { type ApiEnvironment, byId, bySide, common, failed, found, json, named, ok, paging, secured } from "./calls.ts";
import { addDriftCalls } from "./drift-calls.ts";
import { addRuleCalls } from "./rule-calls.ts";
import { addSampleCalls } from "./sample-calls.ts";
import {
  connectionSchema,
  failureSchema,
  identifiedQuery,
  instanceSchema,
  messageSchema,
  messageWithBodySchema,
  numberedQuery,
  pageOf,
  pageQuery,
  resolvedSchema,
  ruleSchema,
  ruleVersionSchema,
  runRecordSchema,
  runSchema,
  syncBody,
  syncQueuedSchema,
  triggerSchema,
  twinSchema,
  twinWithReplicasSchema,
} from "./schemas.ts";
import { addTrialCalls } from "./trial-calls.ts";

export interface ApiMeans {
  readonly context: SyncContext;
  readonly compiler: () => Promise<RuleCompiler>;
}

/** The API under `/api`, as `/api/openapi.json` describes it. Every call but that one needs a bearer token. */
export function createApi(means: ApiMeans) {
  const { context } = means;
  const { db } = context;
  const api = new OpenAPIHono<ApiEnvironment>({
    defaultHook: (result) => {
      if (!result.success) throw new ApiError(400, "BAD_REQUEST", result.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; "));
    },
  });

  api.use("*", async (c, next) => {
    if (c.req.path === "/api/openapi.json") return await next();
    const token = /^Bearer ([A-Za-z0-9_-]{1,200})$/.exec(c.req.header("authorization") ?? "")?.[1];
    const name = token === undefined ? undefined : await tokenName(db, token);
    if (name === undefined) {
      throw new ApiError(
        401,
        "UNAUTHORIZED",
        "This call needs a token: Authorization: Bearer ib_… (printed at the first start; make another with: isobridge token).",
      );
    }
    c.set("author", name);
    await next();
  });
  api.openAPIRegistry.registerComponent("securitySchemes", "token", { type: "http", scheme: "bearer" });

  /**
   * A call with a body: described like the others, but its body is read by `readBody` alone. The framework's own check would
   * read it first, without counting its bytes, and only when the content type says JSON.
   */
  const post = (route: ReturnType<typeof createRoute>, handler: (c: Context) => Promise<Response>): void => {
    api.openAPIRegistry.registerPath(route);
    api.post(route.getRoutingPath(), handler);
  };

  const byName = z.object({ name: z.string() });
  const byNumber = z.object({ id: z.coerce.number().int().positive() });

  api.openapi(
    createRoute({
      method: "get",
      path: "/api/instances",
      summary: "List instances",
      security: secured,
      request: { query: pageQuery },
      responses: { 200: ok(pageOf(instanceSchema), "Instances by name"), ...common },
    }),
    async (c) => c.json(json(await instancePage(db, paging(c.req.valid("query")))), 200),
  );
  api.openapi(
    createRoute({
      method: "get",
      path: "/api/instances/{name}",
      summary: "Read an instance",
      security: secured,
      request: { params: byName },
      responses: { 200: ok(instanceSchema, "The instance"), 404: failed("No such instance"), ...common },
    }),
    async (c) => {
      const { name } = c.req.valid("param");
      return c.json(json(found((await instancePage(db, { limit: 1 }, name)).items[0], `instance ${name}`)), 200);
    },
  );
  api.openapi(
    createRoute({
      method: "get",
      path: "/api/connections",
      summary: "List connections",
      security: secured,
      request: { query: pageQuery },
      responses: { 200: ok(pageOf(connectionSchema), "Connections by name"), ...common },
    }),
    async (c) => c.json(json(await connectionPage(db, paging(c.req.valid("query")))), 200),
  );
  api.openapi(
    createRoute({
      method: "get",
      path: "/api/connections/{name}",
      summary: "Read a connection",
      security: secured,
      request: { params: byName },
      responses: { 200: ok(connectionSchema, "The connection"), 404: failed("No such connection"), ...common },
    }),
    async (c) => {
      const { name } = c.req.valid("param");
      return c.json(json(found((await connectionPage(db, { limit: 1 }, name)).items[0], `connection ${name}`)), 200);
    },
  );
  const ruleQuery = identifiedQuery.extend({
    connection: z.string().optional(),
    side: z.string().optional(),
    direction: z.enum(["outgoing", "incoming"]).optional(),
  });
  api.openapi(
    createRoute({
      method: "get",
      path: "/api/rules",
      summary: "List the rules that run now",
      security: secured,
      request: { query: ruleQuery },
      responses: { 200: ok(pageOf(ruleSchema), "Active versions"), ...common },
    }),
    async (c) => c.json(json(await rulePage(db, paging(c.req.valid("query")), { ...c.req.valid("query"), versions: false })), 200),
  );
  api.openapi(
    createRoute({
      method: "get",
      path: "/api/rule-versions",
      summary: "List all versions of rules",
      security: secured,
      request: { query: ruleQuery },
      responses: { 200: ok(pageOf(ruleSchema), "Versions"), ...common },
    }),
    async (c) => c.json(json(await rulePage(db, paging(c.req.valid("query")), { ...c.req.valid("query"), versions: true })), 200),
  );
  api.openapi(
    createRoute({
      method: "get",
      path: "/api/rule-versions/{id}",
      summary: "Read a version with its text",
      security: secured,
      request: { params: byId },
      responses: { 200: ok(ruleVersionSchema, "The version"), 404: failed("No such version"), ...common },
    }),
    async (c) => c.json(json(found(await ruleVersion(db, c.req.valid("param").id), "rule version")), 200),
  );
  addRuleCalls(api, means);
  addSampleCalls(api, means);
  addTrialCalls(api, means);
  addDriftCalls(api, means);
  api.openapi(
    createRoute({
      method: "get",
      path: "/api/triggers",
      summary: "List triggers",
      security: secured,
      request: { query: identifiedQuery },
      responses: { 200: ok(pageOf(triggerSchema), "Triggers"), ...common },
    }),
    async (c) => c.json(json(await triggerPage(db, paging(c.req.valid("query")))), 200),
  );
  api.openapi(
    createRoute({
      method: "get",
      path: "/api/triggers/{id}",
      summary: "Read a trigger",
      security: secured,
      request: { params: byId },
      responses: { 200: ok(triggerSchema, "The trigger"), 404: failed("No such trigger"), ...common },
    }),
    async (c) => c.json(json(found((await triggerPage(db, { limit: 1 }, c.req.valid("param").id)).items[0], "trigger")), 200),
  );
  api.openapi(
    createRoute({
      method: "get",
      path: "/api/twins",
      summary: "List twins, newest first",
      security: secured,
      request: {
        query: numberedQuery.extend({ connection: z.string().optional(), key: z.string().optional().openapi({ description: "Key or id of either record" }) }),
      },
      responses: { 200: ok(pageOf(twinSchema), "Twins"), ...common },
    }),
    async (c) => c.json(json(await twinPage(db, paging(c.req.valid("query")), c.req.valid("query"))), 200),
  );
  api.openapi(
    createRoute({
      method: "get",
      path: "/api/twins/{id}",
      summary: "Read a twin with the replicas last sent and received",
      security: secured,
      request: { params: byId },
      responses: { 200: ok(twinWithReplicasSchema, "The twin"), 404: failed("No such twin"), ...common },
    }),
    async (c) => {
      const { id } = c.req.valid("param");
      const twin = found((await twinPage(db, { limit: 1 }, { id })).items[0], "twin");
      return c.json(json({ ...twin, replicas: await twinReplicas(db, id) }), 200);
    },
  );
  api.openapi(
    createRoute({
      method: "get",
      path: "/api/messages",
      summary: "List messages, newest first",
      security: secured,
      request: { query: numberedQuery.extend({ connection: z.string().optional(), twin: z.uuid().optional() }) },
      responses: { 200: ok(pageOf(messageSchema), "Messages"), ...common },
    }),
    async (c) => c.json(json(await messagePage(db, paging(c.req.valid("query")), c.req.valid("query"))), 200),
  );
  api.openapi(
    createRoute({
      method: "get",
      path: "/api/messages/{id}",
      summary: "Read a message with its body",
      security: secured,
      request: { params: byNumber },
      responses: { 200: ok(messageWithBodySchema, "The message"), 404: failed("No such message"), ...common },
    }),
    async (c) => {
      const { id } = c.req.valid("param");
      const message = found((await messagePage(db, { limit: 1 }, { id })).items[0], "message");
      return c.json(json({ ...message, body: (await messageBody(db, id)) ?? null }), 200);
    },
  );
  api.openapi(
    createRoute({
      method: "get",
      path: "/api/runs",
      summary: "List runs, newest first",
      security: secured,
      request: {
        query: numberedQuery.extend({
          connection: z.string().optional(),
          side: z.string().optional(),
          direction: z.enum(["outgoing", "incoming"]).optional(),
          twin: z.uuid().optional(),
          entity: z.string().min(1).optional().openapi({ description: "Key or id of either record" }),
          version: z.uuid().optional(),
          outcome: z.enum(["ok", "skipped", "failed", "waiting", "error"]).optional(),
        }),
      },
      responses: { 200: ok(pageOf(runSchema), "Runs"), ...common },
    }),
    async (c) => c.json(json(await runPage(db, paging(c.req.valid("query")), c.req.valid("query"))), 200),
  );
  api.openapi(
    createRoute({
      method: "get",
      path: "/api/runs/{id}",
      summary: "Read a run with input, answers, output and console",
      security: secured,
      request: { params: byId },
      responses: { 200: ok(runRecordSchema, "The run"), 404: failed("No such run"), ...common },
    }),
    async (c) => c.json(json(found(await runRecord(db, c.req.valid("param").id), "run")), 200),
  );
  api.openapi(
    createRoute({
      method: "get",
      path: "/api/failures",
      summary: "List failures, newest first",
      security: secured,
      request: { query: numberedQuery.extend({ connection: z.string().optional(), state: z.enum(["open", "resolved", "all"]).default("open") }) },
      responses: { 200: ok(pageOf(failureSchema), "Failures"), ...common },
    }),
    async (c) => c.json(json(await failurePage(db, paging(c.req.valid("query")), c.req.valid("query"))), 200),
  );
  api.openapi(
    createRoute({
      method: "get",
      path: "/api/failures/{id}",
      summary: "Read a failure",
      security: secured,
      request: { params: byNumber },
      responses: { 200: ok(failureSchema, "The failure"), 404: failed("No such failure"), ...common },
    }),
    async (c) => c.json(json(found((await failurePage(db, { limit: 1 }, { state: "all", id: c.req.valid("param").id })).items[0], "failure")), 200),
  );
  for (const [verb, resolve, summary] of [
    ["retry", retryFailure, "Try again what failed"],
    ["skip", skipFailure, "Go on without what failed"],
  ] as const) {
    api.openapi(
      createRoute({
        method: "post",
        path: `/api/failures/{id}/${verb}`,
        summary,
        security: secured,
        request: { params: byNumber },
        responses: { 200: ok(resolvedSchema, "The lane goes on"), 404: failed("No such failure"), 409: failed("The failure was resolved before"), ...common },
      }),
      async (c) => {
        const { id } = c.req.valid("param");
        if (await resolve(context, id)) return c.json({ id, resolution: verb === "retry" ? ("retried" as const) : ("skipped" as const) }, 200);
        found((await failurePage(db, { limit: 1 }, { state: "all", id })).items[0], "failure");
        throw new ApiError(409, "ALREADY_RESOLVED", `Failure ${id} was resolved before.`);
      },
    );
  }
  post(
    createRoute({
      method: "post",
      path: "/api/connections/{name}/sides/{side}/sync",
      summary: "Sync one record by its key",
      description: "Finds the record by its key (number, case number) or id on that side's platform and queues a look at it, whether or not a trigger fits.",
      security: secured,
      request: { params: bySide, body: { required: true, content: { "application/json": { schema: syncBody } } } },
      responses: { 202: ok(syncQueuedSchema, "Queued"), 404: failed("No such connection, side or record"), ...common },
    }),
    async (c) => {
      const { name, side } = named(bySide, c);
      const { entityType, key } = await readBody(c, syncBody);
      return c.json({ twin: await syncByKey(context, { connection: name, side, entityType, key }) }, 202);
    },
  );
  api.doc31("/api/openapi.json", { openapi: "3.1.0", info: { title: "Isobridge", version: "0.1.0", description: "The API of an Isobridge node." } });
  return api;
}
