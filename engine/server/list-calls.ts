import { z } from "@hono/zod-openapi";
import {
  connectionPage,
  eventsOf,
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
import type { ApiMeans } from "./api.ts";
import { type Api, addCall, byId, byName, byNumber, found, paging } from "./calls.ts";
import { hookPath } from "./hooks.ts";
import { ruleSchema, ruleVersionSchema } from "./rule-schemas.ts";
import {
  connectionSchema,
  failureSchema,
  identifiedQuery,
  instanceDetailSchema,
  instanceSchema,
  messageSchema,
  messageWithBodySchema,
  numberedQuery,
  pageOf,
  pageQuery,
  runRecordSchema,
  runSchema,
  triggerSchema,
  twinSchema,
  twinWithReplicasSchema,
} from "./schemas.ts";

/** What the node has and what happened on it, in pages. */
export function addListCalls(api: Api, means: ApiMeans): void {
  addConfiguredCalls(api, means);
  addRuleListCalls(api, means);
  addTwinCalls(api, means);
  addHistoryCalls(api, means);
}

function addConfiguredCalls(api: Api, { context }: ApiMeans): void {
  const { db } = context;
  addCall(
    api,
    {
      method: "get",
      path: "/api/instances",
      summary: "List instances",
      query: pageQuery,
      answer: { status: 200, schema: pageOf(instanceSchema), description: "Instances by name" },
    },
    async ({ query }) => await instancePage(db, paging(query)),
  );
  addCall(
    api,
    {
      method: "get",
      path: "/api/instances/{name}",
      summary: "Read an instance",
      params: byName,
      answer: { status: 200, schema: instanceDetailSchema, description: "The instance" },
      errors: { 404: "No such instance" },
    },
    async ({ params: { name }, role }) => {
      const instance = found((await instancePage(db, { limit: 1 }, name)).items[0], `instance ${name}`);
      // The address holds a key, which is all that keeps strangers out where the platform signs nothing.
      return { ...instance, webhook: role === "admin" ? await hookPath(context, name) : null, events: await eventsOf(db, name) };
    },
  );
  addCall(
    api,
    {
      method: "get",
      path: "/api/connections",
      summary: "List connections",
      query: pageQuery,
      answer: { status: 200, schema: pageOf(connectionSchema), description: "Connections by name" },
    },
    async ({ query }) => await connectionPage(db, paging(query)),
  );
  addCall(
    api,
    {
      method: "get",
      path: "/api/connections/{name}",
      summary: "Read a connection",
      params: byName,
      answer: { status: 200, schema: connectionSchema, description: "The connection" },
      errors: { 404: "No such connection" },
    },
    async ({ params: { name } }) => found((await connectionPage(db, { limit: 1 }, name)).items[0], `connection ${name}`),
  );
  addCall(
    api,
    {
      method: "get",
      path: "/api/triggers",
      summary: "List triggers",
      query: identifiedQuery,
      answer: { status: 200, schema: pageOf(triggerSchema), description: "Triggers" },
    },
    async ({ query }) => await triggerPage(db, paging(query)),
  );
  addCall(
    api,
    {
      method: "get",
      path: "/api/triggers/{id}",
      summary: "Read a trigger",
      params: byId,
      answer: { status: 200, schema: triggerSchema, description: "The trigger" },
      errors: { 404: "No such trigger" },
    },
    async ({ params }) => found((await triggerPage(db, { limit: 1 }, params.id)).items[0], "trigger"),
  );
}

function addRuleListCalls(api: Api, { context: { db } }: ApiMeans): void {
  const ruleQuery = identifiedQuery.extend({
    connection: z.string().optional(),
    side: z.string().optional(),
    direction: z.enum(["outgoing", "incoming"]).optional(),
  });
  addCall(
    api,
    {
      method: "get",
      path: "/api/rules",
      summary: "List the rules that run now",
      query: ruleQuery,
      answer: { status: 200, schema: pageOf(ruleSchema), description: "Active versions" },
    },
    async ({ query }) => await rulePage(db, paging(query), { ...query, versions: false }),
  );
  addCall(
    api,
    {
      method: "get",
      path: "/api/rule-versions",
      summary: "List all versions of rules",
      query: ruleQuery,
      answer: { status: 200, schema: pageOf(ruleSchema), description: "Versions" },
    },
    async ({ query }) => await rulePage(db, paging(query), { ...query, versions: true }),
  );
  addCall(
    api,
    {
      method: "get",
      path: "/api/rule-versions/{id}",
      summary: "Read a version with its text",
      params: byId,
      answer: { status: 200, schema: ruleVersionSchema, description: "The version" },
      errors: { 404: "No such version" },
    },
    async ({ params }) => found(await ruleVersion(db, params.id), "rule version"),
  );
}

function addTwinCalls(api: Api, { context: { db } }: ApiMeans): void {
  addCall(
    api,
    {
      method: "get",
      path: "/api/twins",
      summary: "List twins, newest first",
      query: numberedQuery.extend({ connection: z.string().optional(), key: z.string().optional().openapi({ description: "Key or id of either record" }) }),
      answer: { status: 200, schema: pageOf(twinSchema), description: "Twins" },
    },
    async ({ query }) => await twinPage(db, paging(query), query),
  );
  addCall(
    api,
    {
      method: "get",
      path: "/api/twins/{id}",
      summary: "Read a twin with the replicas last sent and received",
      params: byId,
      answer: { status: 200, schema: twinWithReplicasSchema, description: "The twin" },
      errors: { 404: "No such twin" },
    },
    async ({ params: { id } }) => {
      const twin = found((await twinPage(db, { limit: 1 }, { id })).items[0], "twin");
      return { ...twin, replicas: await twinReplicas(db, id) };
    },
  );
  addCall(
    api,
    {
      method: "get",
      path: "/api/messages",
      summary: "List messages, newest first",
      query: numberedQuery.extend({ connection: z.string().optional(), twin: z.uuid().optional() }),
      answer: { status: 200, schema: pageOf(messageSchema), description: "Messages" },
    },
    async ({ query }) => await messagePage(db, paging(query), query),
  );
  addCall(
    api,
    {
      method: "get",
      path: "/api/messages/{id}",
      summary: "Read a message with its body",
      params: byNumber,
      answer: { status: 200, schema: messageWithBodySchema, description: "The message" },
      errors: { 404: "No such message" },
    },
    async ({ params: { id } }) => {
      const message = found((await messagePage(db, { limit: 1 }, { id })).items[0], "message");
      return { ...message, body: (await messageBody(db, id)) ?? null };
    },
  );
}

function addHistoryCalls(api: Api, { context: { db } }: ApiMeans): void {
  addCall(
    api,
    {
      method: "get",
      path: "/api/runs",
      summary: "List runs, newest first",
      query: numberedQuery.extend({
        connection: z.string().optional(),
        side: z.string().optional(),
        direction: z.enum(["outgoing", "incoming"]).optional(),
        twin: z.uuid().optional(),
        entity: z.string().min(1).optional().openapi({ description: "Key or id of either record" }),
        version: z.uuid().optional(),
        outcome: z.enum(["ok", "skipped", "failed", "waiting", "error"]).optional(),
      }),
      answer: { status: 200, schema: pageOf(runSchema), description: "Runs" },
    },
    async ({ query }) => await runPage(db, paging(query), query),
  );
  addCall(
    api,
    {
      method: "get",
      path: "/api/runs/{id}",
      summary: "Read a run with input, answers, output and console",
      params: byId,
      answer: { status: 200, schema: runRecordSchema, description: "The run" },
      errors: { 404: "No such run" },
    },
    async ({ params }) => found(await runRecord(db, params.id), "run"),
  );
  addCall(
    api,
    {
      method: "get",
      path: "/api/failures",
      summary: "List failures, newest first",
      query: numberedQuery.extend({ connection: z.string().optional(), state: z.enum(["open", "resolved", "all"]).default("open") }),
      answer: { status: 200, schema: pageOf(failureSchema), description: "Failures" },
    },
    async ({ query }) => await failurePage(db, paging(query), query),
  );
  addCall(
    api,
    {
      method: "get",
      path: "/api/failures/{id}",
      summary: "Read a failure",
      params: byNumber,
      answer: { status: 200, schema: failureSchema, description: "The failure" },
      errors: { 404: "No such failure" },
    },
    async ({ params: { id } }) => found((await failurePage(db, { limit: 1 }, { state: "all", id })).items[0], "failure"),
  );
}
