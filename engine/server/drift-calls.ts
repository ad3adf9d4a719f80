import { z } from "@hono/zod-openapi";
import { listDrift } from "../store/drift.ts";
import { checkDrift } from "../sync/drift.ts";
import { sideNamed } from "../sync/operations.ts";
import type { ApiMeans } from "./api.ts";
import { type Api, addCall, bySide } from "./calls.ts";
import { driftQuery, driftSchema } from "./rule-schemas.ts";

const items = z.object({ items: z.array(driftSchema) });

/** What changed on the platforms since rules were checked against them. */
export function addDriftCalls(api: Api, { context, compiler }: ApiMeans): void {
  addCall(
    api,
    {
      method: "get",
      path: "/api/drift",
      summary: "List what the last look at the live schemas found",
      query: driftQuery,
      answer: { status: 200, schema: items, description: "One item for each active rule that was looked at" },
    },
    async ({ query }) => ({ items: await listDrift(context.db, filterOf(query)) }),
  );
  addCall(
    api,
    {
      method: "post",
      path: "/api/connections/{name}/sides/{side}/drift",
      summary: "Compare a side's rules with its instance's schema now",
      params: bySide,
      answer: { status: 200, schema: items, description: "What changed since the rules were published, and what no longer checks" },
      errors: { 404: "No such connection or side" },
    },
    async ({ params }) => {
      await checkDrift(context, compiler, await sideNamed(context, params.name, params.side));
      return { items: await listDrift(context.db, { connection: params.name, side: params.side }) };
    },
  );
}

function filterOf(query: z.infer<typeof driftQuery>): { connection?: string; side?: string } {
  return { ...(query.connection === undefined ? {} : { connection: query.connection }), ...(query.side === undefined ? {} : { side: query.side }) };
}
