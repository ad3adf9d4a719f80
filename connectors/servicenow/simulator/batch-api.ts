import { STATUS_CODES } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { Hono } from "hono";
import { z } from "zod";
import type { FaultEffect } from "../../simulation/faults.ts";
import type { SimulatorBindings } from "../../simulation/server.ts";
import { answered } from "../../simulation/trouble.ts";
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
/** What the items of a batch may take together [D]. */
const quotaMs = 30_000;
/** Of one item's body [D]. */
const longestBody = { in: 5 * 1024 * 1024, out: 10 * 1024 * 1024 } as const;

type Item = z.infer<typeof batchSchema>["rest_requests"][number];

/** `/api/now/v1/batch`: base64 bodies, ids as text, not atomic; what its time does not suffice for comes back unserviced [D]. */
export function batchRoutes(app: Hono<SimulatorBindings>, instance: Instance): void {
  api(app, instance, ["POST"], "/batch", async (c, account) => {
    if (account.access.batchDenied) throw refusals.mayNotRead();
    const batch = batchSchema.safeParse(await bodyOf(c));
    if (!batch.success) throw refusals.unreadableRequest();
    const items = batch.data.rest_requests;
    const { batchServes, batchItemMs } = instance.settings;
    const inTime = batchItemMs === 0 ? items.length : Math.floor(quotaMs / batchItemMs);
    const served = Math.min(batchServes ?? items.length, inTime);
    const answers: object[] = [];
    for (const item of items.slice(0, served)) answers.push(await serve(app, instance, c, item));
    return c.json({ batch_request_id: batch.data.batch_request_id, serviced_requests: answers, unserviced_requests: items.slice(served).map(({ id }) => id) });
  });
}

async function serve(app: Hono<SimulatorBindings>, instance: Instance, c: ApiContext, item: Item): Promise<object> {
  const started = performance.now();
  let response = await answer(app, instance, c, item);
  let body = Buffer.from(await response.arrayBuffer());
  if (body.length > longestBody.out) {
    response = refusedItem(new Refusal(413, "Response too large", `The limit is ${longestBody.out} bytes`));
    body = Buffer.from(await response.arrayBuffer());
  }
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
  if (!item.url.startsWith("/api/") || item.url.includes("/batch"))
    return refusedItem(new Refusal(400, "Invalid batch request", `${item.url} cannot be part of a batch`));
  const sent = Buffer.from(item.body ?? "", "base64");
  if (sent.length > longestBody.in) return refusedItem(new Refusal(413, "Request too large", `The limit is ${longestBody.in} bytes`));
  const fault = instance.faults?.next(item.method.toUpperCase(), item.url);
  const headers = new Headers(item.headers.map(({ name, value }) => [name, value] as [string, string]));
  headers.set("authorization", c.req.header("authorization") ?? "");
  if (!headers.has("accept")) headers.set("accept", "application/json");
  if (c.req.header("x-sn-apikey") !== undefined) headers.set("x-sn-apikey", c.req.header("x-sn-apikey") ?? "");
  const hasBody = item.body !== undefined && item.method.toUpperCase() !== "GET";
  const request = new Request(new URL(item.url, c.req.url), {
    method: item.method.toUpperCase(),
    headers,
    ...(hasBody ? { body: sent } : {}),
  });
  instance.batched.add(request);
  if (fault?.kind === "reset") return refusedItem(cancelled());
  const handled = await answered(fault, () => app.fetch(request, c.env));
  return fault === undefined ? handled : await spoiledItem(handled, fault);
}

/** Inside a batch there is no connection to break: what would be lost on the way is an item that failed. */
async function spoiledItem(response: Response, fault: FaultEffect): Promise<Response> {
  if (fault.kind === "delay") await sleep(fault.ms);
  if (fault.kind !== "lost-reply" && fault.kind !== "truncate") return response;
  return refusedItem(cancelled());
}

function cancelled(): Refusal {
  return new Refusal(500, "Transaction cancelled: maximum execution time exceeded", null);
}

function refusedItem(refusal: Refusal): Response {
  return Response.json(refusal.body(), { status: refusal.status });
}
