import { OpenAPIHono } from "@hono/zod-openapi";
import type { RuleCompiler } from "../rules/compile.ts";
import { tokenHolder } from "../store/tokens.ts";
import type { SyncContext } from "../sync/context.ts";
import { ApiError } from "./body.ts";
import type { ApiEnvironment } from "./calls.ts";
import { addDriftCalls } from "./drift-calls.ts";
import { addLibraryCalls } from "./library-calls.ts";
import { addListCalls } from "./list-calls.ts";
import { addOperatorCalls } from "./operator-calls.ts";
import { addRecipeCalls } from "./recipe-calls.ts";
import { addRuleCalls } from "./rule-calls.ts";
import { addSampleCalls } from "./sample-calls.ts";
import { addTrialCalls } from "./trial-calls.ts";

export interface ApiMeans {
  readonly context: SyncContext;
  readonly compiler: () => Promise<RuleCompiler>;
}

/** The API under `/api`, as `/api/openapi.json` describes it. Every call but that one needs a bearer token whose role may make it. */
export function createApi(means: ApiMeans) {
  const api = new OpenAPIHono<ApiEnvironment>();
  api.use("*", async (c, next) => {
    if (c.req.path === "/api/openapi.json") return await next();
    const token = /^Bearer ([A-Za-z0-9_-]{1,200})$/.exec(c.req.header("authorization") ?? "")?.[1];
    const holder = token === undefined ? undefined : await tokenHolder(means.context.db, token);
    if (holder === undefined) {
      throw new ApiError(
        401,
        "UNAUTHORIZED",
        "This call needs a token: Authorization: Bearer ib_… (printed at the first start; make another with: isobridge token).",
      );
    }
    c.set("author", holder.name);
    c.set("role", holder.role);
    await next();
  });
  api.openAPIRegistry.registerComponent("securitySchemes", "token", { type: "http", scheme: "bearer" });
  addListCalls(api, means);
  addRuleCalls(api, means);
  addLibraryCalls(api, means);
  addSampleCalls(api, means);
  addTrialCalls(api, means);
  addDriftCalls(api, means);
  addRecipeCalls(api);
  addOperatorCalls(api, means);
  api.doc31("/api/openapi.json", { openapi: "3.1.0", info: { title: "Isobridge", version: "0.1.0", description: "The API of an Isobridge node." } });
  return api;
}
