import { Hono } from "hono";
import { ApiError } from "./api-error.ts";
import { bulkRoutes } from "./bulk-routes.ts";
import { collectionRoutes } from "./collection-routes.ts";
import { compositeRoutes } from "./composite-routes.ts";
import type { ApiApp, ApiEnv, SimulatorContext } from "./context.ts";
import { recordRoutes } from "./record-routes.ts";
import { replicationRoutes } from "./replication-routes.ts";
import { bearer } from "./sign-in-routes.ts";
import { runSoql } from "./soql-run.ts";
import type { Origin } from "./transactions.ts";
import { treeRoutes } from "./tree-routes.ts";

const versions = Array.from({ length: 37 }, (_, i) => 31 + i);
/** The quota is one of 24 hours [R]; here they begin with a call, where those of the platform roll. */
const dayMs = 86_400_000;
/** Marks a request that a composite makes: it was counted already. */
const innerHeader = "x-simulator-inner";

/** `/services/data`: who calls, which version, how much of the quota is left; then queries, records and composites. */
export function apiRoutes(context: SimulatorContext): ApiApp {
  const { org, accounts, usage, pages } = context;
  const app = new Hono<ApiEnv>();
  const api = new Hono<ApiEnv>();

  app.get("/services/data", (c) =>
    c.json(versions.map((version) => ({ label: `Version ${version}`, url: `/services/data/v${version}.0`, version: `${version}.0` }))),
  );

  api.use(async (c, next) => {
    const caller = accounts.userOf(bearer(c.req.header("authorization")));
    if (caller === undefined) throw new ApiError(401, "INVALID_SESSION_ID", "Session expired or invalid");
    const version = /^v(\d+)\.0$/.exec(c.req.param("version") ?? "")?.[1];
    if (version !== undefined && Number(version) < (versions[0] ?? 0))
      throw new ApiError(410, "UNSUPPORTED_API_VERSION", `The requested API version ${version}.0 is retired`);
    if (version === undefined || !versions.includes(Number(version))) throw new ApiError(404, "NOT_FOUND", "The requested resource does not exist");
    c.set("caller", caller);
    c.set("version", `${version}.0`);
    const inner = c.req.header(innerHeader) !== undefined && org.transactions.active;
    if (!inner) {
      countCall(context);
      org.settle();
    }
    c.header("sforce-limit-info", `api-usage=${usage.used}/${usage.max}`);
    c.header("cache-control", "no-cache,must-revalidate,max-age=0,no-store,private");
    c.header("x-sfdc-request-id", crypto.randomUUID().replaceAll("-", ""));
    c.header("date", org.clock.now().toUTCString());
    if (inner) await next();
    else await org.transactions.run(originOf(c.req.raw.headers, caller, `${version}.0`), next);
    if (c.res.headers.get("content-type") === "application/json") c.res.headers.set("content-type", "application/json;charset=UTF-8");
  });

  api.get("/", (c) =>
    c.json(Object.fromEntries(["sobjects", "query", "queryAll", "limits", "composite"].map((name) => [name, `/services/data/v${c.var.version}/${name}`]))),
  );
  api.get("/limits", (c) =>
    c.json({
      DailyApiRequests: { Max: usage.max, Remaining: Math.max(0, usage.max - usage.used) },
      ConcurrentAsyncGetReportInstances: { Max: 200, Remaining: 200 },
      DailyAsyncApexExecutions: { Max: 250_000, Remaining: 250_000 },
      DailyBulkApiBatches: { Max: 15_000, Remaining: 15_000 },
      DailyDurableStreamingApiEvents: { Max: 10_000, Remaining: 10_000 },
      DailyStreamingApiEvents: { Max: 10_000, Remaining: 10_000 },
      DataStorageMB: { Max: 1024, Remaining: 1000 },
      FileStorageMB: { Max: 1024, Remaining: 1000 },
    }),
  );

  for (const name of ["query", "queryAll"] as const) {
    api.get(`/${name}`, (c) => {
      const statement = c.req.query("q");
      if (statement === undefined || statement === "") throw new ApiError(400, "MALFORMED_QUERY", "SOQL statement is required");
      const version = c.var.version;
      const result = runSoql(org, statement, { deletedToo: name === "queryAll", version, page: (children) => pages.first(children, version) });
      const batch = Number(/batchSize=(\d+)/.exec(c.req.header("sforce-query-options") ?? "")?.[1] ?? pages.batchSize);
      return c.json(pages.first(result, version, Math.min(2000, Math.max(200, batch), Math.max(1, pages.batchSize))));
    });
    api.get(`/${name}/:locator`, (c) => c.json(pages.next(c.req.param("locator"))));
  }

  api.route("/", replicationRoutes(context));
  api.route("/", recordRoutes(context));
  api.route("/", collectionRoutes(context));
  api.route("/", treeRoutes(context));
  api.route("/", bulkRoutes(context));
  api.route(
    "/",
    compositeRoutes(context, async (method, url, headers, body) => {
      const init = {
        method,
        headers: { "content-type": "application/json", ...headers, [innerHeader]: "1" },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      };
      return await app.fetch(new Request(new URL(url, "http://inner.invalid"), init));
    }),
  );
  app.route("/services/data/:version", api);
  app.onError((error) => errorAnswer(context, error));
  app.notFound(() => errorAnswer(context, new ApiError(404, "NOT_FOUND", "The requested resource does not exist")));
  return app;
}

/** Who calls and how, for rules and change events. */
function originOf(headers: Headers, caller: string, version: string): Origin {
  const client = /(?:^|[;,\s])client=([^;,\s]+)/.exec(headers.get("sforce-call-options") ?? "")?.[1];
  return {
    changeOrigin: `com/salesforce/api/rest/${version}${client === undefined ? "" : `;client=${client}`}`,
    allowDuplicates: /allowSave\s*=\s*true/i.test(headers.get("sforce-duplicate-rule-header") ?? ""),
    autoAssign: !/^false$/i.test(headers.get("sforce-auto-assign")?.trim() ?? ""),
    caller,
  };
}

function countCall({ usage, org }: SimulatorContext): void {
  const now = org.clock.now().getTime();
  if (now - (usage.since ?? now) >= dayMs) usage.used = 0;
  if (usage.used === 0 || usage.since === undefined) usage.since = now;
  if (usage.concurrentRefusals > 0) {
    usage.concurrentRefusals--;
    throw new ApiError(403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded.");
  }
  if (usage.used >= usage.max) throw new ApiError(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.");
  usage.used++;
}

function errorAnswer({ org, usage }: SimulatorContext, error: unknown): Response {
  const known =
    error instanceof ApiError
      ? error
      : new ApiError(500, "UNKNOWN_EXCEPTION", `An unexpected error occurred. ${error instanceof Error ? error.message : String(error)}`);
  const saving = known.status === 400 && !/^(INVALID_FIELD|INVALID_TYPE|MALFORMED_QUERY|JSON_PARSER_ERROR|INVALID_SESSION_ID)$/.test(known.errorCode);
  const entry = {
    message: known.message,
    errorCode: known.errorCode,
    ...((saving || known.fields.length > 0 || known.errorCode === "ENTITY_IS_DELETED") && { fields: known.fields }),
    ...known.more,
  };
  const headers = {
    "content-type": "application/json;charset=UTF-8",
    "sforce-limit-info": `api-usage=${usage.used}/${usage.max}`,
    date: org.clock.now().toUTCString(),
  };
  return new Response(JSON.stringify([entry]), { status: known.status, headers });
}
