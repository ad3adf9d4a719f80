import { Hono } from "hono";
import { z } from "zod";
import { ApiError } from "./api-error.ts";
import type { ApiApp, ApiEnv, SimulatorContext } from "./context.ts";

/** Runs a request of a composite through the same API. */
type Send = (method: string, url: string, headers: Readonly<Record<string, string>>, body: unknown) => Promise<Response>;

interface Part {
  readonly body: unknown;
  readonly httpHeaders: Readonly<Record<string, string>>;
  readonly httpStatusCode: number;
  readonly referenceId: string;
}

const subrequest = z.looseObject({
  method: z.string(),
  url: z.string(),
  referenceId: z.string(),
  body: z.unknown().optional(),
  httpHeaders: z.record(z.string(), z.string()).optional(),
});
type Subrequest = z.infer<typeof subrequest>;
const compositeSchema = z.looseObject({ allOrNone: z.boolean().default(false), compositeRequest: z.array(subrequest) });
const graphsSchema = z.looseObject({ graphs: z.array(z.looseObject({ graphId: z.string(), compositeRequest: z.array(subrequest) })) });
const batchSchema = z.looseObject({
  haltOnError: z.boolean().default(false),
  batchRequests: z.array(z.looseObject({ method: z.string(), url: z.string(), richInput: z.unknown().optional() })),
});

const compositeLimit = 25;
const queriesPerComposite = 5;
const nodeLimit = 500;
const graphLimit = 75;
const halted = [{ errorCode: "PROCESSING_HALTED", message: "The transaction was rolled back since another operation in the same transaction failed." }];

/** `/composite`, `/composite/batch` and `/composite/graph`: several requests in one, of which later ones may use the answers of earlier ones [D]. */
export function compositeRoutes({ org }: SimulatorContext, send: Send): ApiApp {
  const app = new Hono<ApiEnv>();

  app.post("/composite", async (c) => {
    const { compositeRequest, allOrNone } = parsed(compositeSchema, await c.req.json());
    if (compositeRequest.length > compositeLimit)
      throw new ApiError(400, "LIMIT_EXCEEDED", `The composite request can't contain more than ${compositeLimit} subrequests.`);
    const queries = compositeRequest.filter(({ url }) => /\/(query(All)?|composite\/sobjects)\b/.test(url)).length;
    if (queries > queriesPerComposite)
      throw new ApiError(400, "LIMIT_EXCEEDED", `A composite request can contain up to ${queriesPerComposite} query and sObject Collections subrequests.`);
    const headers = passedOn(c.req.raw.headers);
    return c.json({ compositeResponse: allOrNone ? await together(compositeRequest, headers) : await oneByOne(compositeRequest, headers, false) });
  });

  app.post("/composite/graph", async (c) => {
    const { graphs } = parsed(graphsSchema, await c.req.json());
    if (graphs.length > graphLimit) throw new ApiError(400, "LIMIT_EXCEEDED", `The request can't contain more than ${graphLimit} graphs.`);
    if (graphs.reduce((nodes, { compositeRequest }) => nodes + compositeRequest.length, 0) > nodeLimit)
      throw new ApiError(400, "LIMIT_EXCEEDED", `The graphs can't contain more than ${nodeLimit} nodes.`);
    const headers = passedOn(c.req.raw.headers);
    const answered: unknown[] = [];
    for (const { graphId, compositeRequest } of graphs) {
      const compositeResponse = await together(compositeRequest, headers);
      answered.push({ graphId, graphResponse: { compositeResponse }, isSuccessful: compositeResponse.every(({ httpStatusCode }) => httpStatusCode < 400) });
    }
    return c.json({ graphs: answered });
  });

  app.post("/composite/batch", async (c) => {
    const { batchRequests, haltOnError } = parsed(batchSchema, await c.req.json());
    if (batchRequests.length > compositeLimit)
      throw new ApiError(400, "LIMIT_EXCEEDED", `The batch request can't contain more than ${compositeLimit} subrequests.`);
    const results: { statusCode: number; result: unknown }[] = [];
    for (const { method, url, richInput } of batchRequests) {
      if (haltOnError && results.some(({ statusCode }) => statusCode >= 400)) {
        results.push({ statusCode: 412, result: [{ errorCode: "BATCH_PROCESSING_HALTED", message: "Batch processing halted per request" }] });
        continue;
      }
      const response = await send(method, url.startsWith("/") ? url : `/services/data/${url}`, passedOn(c.req.raw.headers), richInput);
      results.push({ statusCode: response.status, result: await answerOf(response) });
    }
    return c.json({ hasErrors: results.some(({ statusCode }) => statusCode >= 400), results });
  });

  return app;

  /** All or none: what was done is taken back where one fails, and the innocent are told so [D]. */
  async function together(requests: readonly Subrequest[], headers: Readonly<Record<string, string>>): Promise<Part[]> {
    const failed = (part: Part) => part.httpStatusCode >= 400;
    const parts = await org.transactions.togetherAsync(
      () => oneByOne(requests, headers, true),
      (done) => done.some(failed),
    );
    const guilty = parts.find(failed);
    if (guilty === undefined) return parts;
    return parts.map((part) => (part === guilty ? part : { body: halted, httpHeaders: {}, httpStatusCode: 400, referenceId: part.referenceId }));
  }

  async function oneByOne(requests: readonly Subrequest[], headers: Readonly<Record<string, string>>, stopAtFailure: boolean): Promise<Part[]> {
    const done = new Map<string, unknown>();
    const parts: Part[] = [];
    for (const request of requests) {
      const stopped = stopAtFailure && parts.some(({ httpStatusCode }) => httpStatusCode >= 400);
      parts.push(stopped ? { body: halted, httpHeaders: {}, httpStatusCode: 400, referenceId: request.referenceId } : await one(request, headers, done));
    }
    return parts;
  }

  async function one(
    { method, url, referenceId, body, httpHeaders }: Subrequest,
    headers: Readonly<Record<string, string>>,
    done: Map<string, unknown>,
  ): Promise<Part> {
    try {
      const given = body === undefined ? undefined : JSON.parse(filled(JSON.stringify(body), done, true));
      const response = await send(method, filled(url, done, false), { ...headers, ...httpHeaders }, given);
      const answer = await answerOf(response);
      if (response.status < 400) done.set(referenceId, answer);
      const location = response.headers.get("location");
      return { body: answer, httpHeaders: location === null ? {} : { Location: location }, httpStatusCode: response.status, referenceId };
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return { body: [{ errorCode: error.errorCode, message: error.message }], httpHeaders: {}, httpStatusCode: error.status, referenceId };
    }
  }
}

/** What a subrequest takes over from the request around it. */
function passedOn(headers: Headers): Record<string, string> {
  return { authorization: headers.get("authorization") ?? "" };
}

function parsed<Schema extends z.ZodType>(schema: Schema, body: unknown): z.infer<Schema> {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  throw new ApiError(400, "JSON_PARSER_ERROR", z.prettifyError(result.error));
}

/** Puts values of earlier answers where `@{reference.path}` names them; in a body they are inside of JSON texts. */
function filled(text: string, answers: ReadonlyMap<string, unknown>, inJson: boolean): string {
  return text.replace(/@\{([A-Za-z0-9_]+)((?:\.[A-Za-z0-9_]+|\[\d+\])*)\}/g, (_, reference: string, path: string) => {
    let value: unknown = answers.get(reference);
    for (const key of path.match(/[A-Za-z0-9_]+/g) ?? []) value = (value as Record<string, unknown> | undefined)?.[key]; // any JSON
    if (value === undefined)
      throw new ApiError(400, "PROCESSING_HALTED", `Invalid reference specified. No value for ${reference}${path} found in ${reference}`);
    return inJson ? JSON.stringify(String(value)).slice(1, -1) : String(value);
  });
}

async function answerOf(response: Response): Promise<unknown> {
  const text = await response.text();
  return text === "" ? null : JSON.parse(text);
}
