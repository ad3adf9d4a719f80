import { STATUS_CODES } from "node:http";
import type { Hono } from "hono";
import { z } from "zod";
import type { SimulatorBindings } from "../../simulation/server.ts";
import type { Instance } from "./instance.ts";
import { Refusal, refusals } from "./refusal.ts";
import { type ApiContext, api, bodyOf } from "./rim.ts";

const batchSchema = z.object({
  batch_request_id: z.union([z.string(), z.number()]).transform(String),
  rest_requests: z.array(
    z.object({
      id: z.union([z.string(), z.number()]).transform(String),
      method: z.string(),
      url: z.string(),
      headers: z.array(z.object({ name: z.string(), value: z.string() })).default([]),
      body: z.string().optional(),
      exclude_response_headers: z.boolean().default(false),
    }),
  ),
});
type Item = z.infer<typeof batchSchema>["rest_requests"][number];

/** `/api/now/v1/batch`: base64 bodies, ids as text, not atomic; what its time does not suffice for comes back unserviced [D]. */
export function batchRoutes(app: Hono<SimulatorBindings>, instance: Instance): void {
  api(app, instance, ["POST"], "/batch", async (c, account) => {
    if (account.access.batchDenied) throw refusals.mayNotRead();
    const batch = batchSchema.safeParse(await bodyOf(c));
    if (!batch.success) throw refusals.unreadableRequest();
    const items = batch.data.rest_requests;
    const served = instance.settings.batchServes ?? items.length;
    const answers: object[] = [];
    for (const item of items.slice(0, served)) answers.push(await serve(app, instance, c, item));
    return c.json({ batch_request_id: batch.data.batch_request_id, serviced_requests: answers, unserviced_requests: items.slice(served).map(({ id }) => id) });
  });
}

async function serve(app: Hono<SimulatorBindings>, instance: Instance, c: ApiContext, item: Item): Promise<object> {
  const started = performance.now();
  const response = await answer(app, instance, c, item);
  const body = Buffer.from(await response.arrayBuffer());
  return {
    id: item.id,
    body: body.toString("base64"),
    status_code: response.status,
    status_text: STATUS_CODES[response.status] ?? "",
    ...(item.exclude_response_headers ? {} : { headers: [...response.headers].map(([name, value]) => ({ name, value })) }),
    execution_time: Math.round(performance.now() - started),
    redirect_url: null,
    error_message: null,
  };
}

async function answer(app: Hono<SimulatorBindings>, instance: Instance, c: ApiContext, item: Item): Promise<Response> {
  if (!item.url.startsWith("/api/") || item.url.includes("/batch")) {
    const refusal = new Refusal(400, "Invalid batch request", `${item.url} cannot be part of a batch`);
    return Response.json(refusal.body(), { status: 400 });
  }
  const fault = instance.faults?.next(item.method.toUpperCase(), item.url);
  if (fault?.kind === "status") return Response.json(fault.body ?? null, { status: fault.status, headers: fault.headers ?? {} });
  const headers = new Headers(item.headers.map(({ name, value }) => [name, value] as [string, string]));
  headers.set("authorization", c.req.header("authorization") ?? "");
  if (!headers.has("accept")) headers.set("accept", "application/json");
  const hasBody = item.body !== undefined && item.method.toUpperCase() !== "GET";
  const request = new Request(new URL(item.url, c.req.url), {
    method: item.method.toUpperCase(),
    headers,
    ...(hasBody ? { body: Buffer.from(item.body ?? "", "base64") } : {}),
  });
  return await app.fetch(request, c.env);
}
