import { z } from "zod";
import type { Json } from "../connector.ts";
import type { ConnectorError, ConnectorErrorCode, ConnectorErrorDetails } from "../errors.ts";
import type { HttpAnswer, HttpCall } from "../http.ts";
import { type Attempt, isRefused } from "./errors.ts";

/** One call inside a batch, or alone. */
export interface RestCall {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  readonly path: string;
  readonly body?: Json;
}

/** What became of one call: an answer, or the certainty that it was not made, or no word of it. */
export type RestOutcome = { readonly kind: "answered"; readonly answer: HttpAnswer } | { readonly kind: "unserviced" } | { readonly kind: "unanswered" };

/** Most items of one batch, and their bytes in base64; the platform takes 5 MB an item and has 30 s for all [D]. */
export const batchItems = 250;
export const batchBytes = 4_000_000;

const header = z.object({ name: z.string(), value: z.string().nullish() });
const batchAnswer = z.looseObject({
  serviced_requests: z.array(
    z.looseObject({
      // Ids come back as text even where they went out as numbers [S].
      id: z.coerce.string(),
      status_code: z.coerce.number(),
      body: z.string().nullish(),
      headers: z.array(header).nullish(),
    }),
  ),
  unserviced_requests: z.array(z.coerce.string()).default([]),
});

/** What a batch needs of a client. */
export interface Caller {
  answer(call: HttpCall): Promise<HttpAnswer>;
  refusal(answer: HttpAnswer, attempt: Attempt): ConnectorError;
  error(code: ConnectorErrorCode, details: ConnectorErrorDetails): ConnectorError;
}

/**
 * Sends calls together. Not atomic: each has its own outcome [D]. Throws when the batch as a whole did not come through;
 * then the error says whether it may have been carried out all the same.
 */
export async function sendBatch(client: Caller, calls: readonly RestCall[], idempotent: boolean): Promise<RestOutcome[]> {
  const changes = calls.some(({ method }) => method !== "GET");
  const attempt = { what: `carry out a batch of ${calls.length} calls`, write: changes };
  const requests = calls.map((call, index) => ({
    id: String(index),
    method: call.method,
    url: call.path,
    headers: [...(call.body === undefined ? [] : [{ name: "Content-Type", value: "application/json" }]), { name: "Accept", value: "application/json" }],
    ...(call.body === undefined ? {} : { body: Buffer.from(JSON.stringify(call.body)).toString("base64") }),
  }));
  const data = JSON.stringify({ batch_request_id: "1", rest_requests: requests });
  const answer = await client.answer({ method: "POST", path: "/api/now/v1/batch", idempotent, changes, body: { type: "application/json", data } });
  if (isRefused(answer)) throw client.refusal(answer, attempt);
  const parsed = batchAnswer.safeParse(answer.body);
  if (!parsed.success)
    throw client.error("PROTOCOL", { message: "ServiceNow answered a batch in a form that is not its own.", status: answer.status, uncertain: changes });
  const serviced = new Map(parsed.data.serviced_requests.map((item) => [item.id, item]));
  const unserviced = new Set(parsed.data.unserviced_requests);
  return calls.map((_, index) => {
    const item = serviced.get(String(index));
    if (item === undefined) return { kind: unserviced.has(String(index)) ? "unserviced" : "unanswered" };
    const headers = Object.fromEntries((item.headers ?? []).map(({ name, value }) => [name.toLowerCase(), value ?? ""]));
    return { kind: "answered", answer: { status: item.status_code, headers, body: unpacked(item.body) } };
  });
}

/** One call by itself. */
export async function sendAlone(client: Caller, call: RestCall, idempotent: boolean): Promise<HttpAnswer> {
  const body = call.body === undefined ? {} : { body: { type: "application/json", data: JSON.stringify(call.body) } };
  return await client.answer({ method: call.method, path: call.path, idempotent, ...body });
}

/** Bodies travel in base64; one that is no JSON counts as empty, and the status decides. */
function unpacked(body: string | null | undefined): Json | undefined {
  if (body === null || body === undefined || body === "") return undefined;
  try {
    return JSON.parse(Buffer.from(body, "base64").toString("utf8")) as Json;
  } catch {
    return undefined;
  }
}
