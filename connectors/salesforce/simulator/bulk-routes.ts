import { Hono } from "hono";
import { z } from "zod";
import { ApiError } from "./api-error.ts";
import { BulkJobs, type IngestJob, type IngestResult, type QueryJob, startQuery, work } from "./bulk-jobs.ts";
import type { ApiApp, ApiEnv, SimulatorContext } from "./context.ts";
import { csvLine, readCsv } from "./csv.ts";
import { instantText } from "./values.ts";

const ingestSchema = z.looseObject({
  object: z.string(),
  operation: z.enum(["insert", "update", "upsert", "delete", "hardDelete"]),
  externalIdFieldName: z.string().optional(),
  contentType: z.literal("CSV").default("CSV"),
  lineEnding: z.enum(["LF", "CRLF"]).default("LF"),
});
const querySchema = z.looseObject({ operation: z.enum(["query", "queryAll"]), query: z.string() });
const stateSchema = z.looseObject({ state: z.enum(["UploadComplete", "Aborted"]) });
/** The most bytes of one upload [D]. */
const uploadLimit = 150_000_000;

/** `/jobs/ingest` and `/jobs/query`: Bulk API 2.0 [S,D]. */
export function bulkRoutes({ org }: SimulatorContext): ApiApp {
  const app = new Hono<ApiEnv>();
  const jobs = new BulkJobs();
  const ingestJob = (id: string): IngestJob => known(jobs.ingest.get(id));
  const queryJob = (id: string): QueryJob => known(jobs.queries.get(id));

  app.post("/jobs/ingest", async (c) => {
    const { object, operation, externalIdFieldName, lineEnding } = valid(ingestSchema, await c.req.json());
    const type = org.seen(object);
    if (type === undefined) throw new ApiError(400, "INVALIDENTITY", `Unable to find object: ${object}`);
    if (operation === "upsert" && externalIdFieldName === undefined)
      throw new ApiError(400, "INVALIDJOB", "External ID was blank for the upsert operation. An external ID must be specified.");
    const id = jobs.nextId();
    const createdDate = instantText(org.clock.now());
    const job: IngestJob = {
      id,
      object: type.name,
      operation,
      externalIdFieldName,
      lineEnding,
      columnDelimiter: "COMMA",
      apiVersion: Number(c.var.version),
      createdById: c.var.caller,
      createdDate,
      state: "Open",
      csv: "",
      results: [],
      errorMessage: undefined,
    };
    jobs.ingest.set(id, job);
    return c.json({ ...ingestInfo(job), contentUrl: `services/data/v${c.var.version}/jobs/ingest/${id}/batches` });
  });
  app.get("/jobs/ingest", (c) => c.json({ done: true, nextRecordsUrl: null, records: [...jobs.ingest.values()].map(ingestInfo) }));
  app.put("/jobs/ingest/:id/batches", async (c) => {
    const job = ingestJob(c.req.param("id"));
    if (job.state !== "Open" || job.csv !== "")
      throw new ApiError(400, "INVALIDJOBSTATE", `Invalid job state: ${job.state}; a job takes one upload while it is open`);
    const csv = await c.req.text();
    if (csv.length > uploadLimit) throw new ApiError(400, "CLIENT_INPUT_ERROR", `The upload has more than ${uploadLimit} bytes`);
    job.csv = csv;
    return c.body(null, 201);
  });
  app.patch("/jobs/ingest/:id", async (c) => {
    const job = ingestJob(c.req.param("id"));
    const { state } = valid(stateSchema, await c.req.json());
    if (job.state !== "Open") throw new ApiError(400, "INVALIDJOBSTATE", `Invalid job state: ${job.state}; only an open job can be closed or aborted`);
    job.state = state;
    const answer = ingestInfo(job);
    if (state === "UploadComplete") work(org, job, c.var.caller);
    return c.json(answer);
  });
  app.get("/jobs/ingest/:id", (c) => {
    const job = ingestJob(c.req.param("id"));
    const answer = ingestInfo(job);
    if (job.state === "InProgress") job.state = "JobComplete";
    return c.json(answer);
  });
  app.delete("/jobs/ingest/:id", (c) => {
    const job = ingestJob(c.req.param("id"));
    if (job.state === "InProgress") throw new ApiError(400, "INVALIDJOBSTATE", "Invalid job state: InProgress");
    jobs.ingest.delete(job.id);
    return c.body(null, 204);
  });
  app.get("/jobs/ingest/:id/successfulResults", (c) => {
    const job = ingestJob(c.req.param("id"));
    return resultsOf(
      job,
      ["sf__Id", "sf__Created"],
      job.results.filter(({ error }) => error === undefined),
      ({ id, created }) => [id, String(created)],
    );
  });
  app.get("/jobs/ingest/:id/failedResults", (c) => {
    const job = ingestJob(c.req.param("id"));
    return resultsOf(
      job,
      ["sf__Id", "sf__Error"],
      job.results.filter(({ error }) => error !== undefined),
      ({ id, error }) => [id, error ?? ""],
    );
  });
  app.get("/jobs/ingest/:id/unprocessedrecords", (c) => {
    const job = ingestJob(c.req.param("id"));
    const unprocessed = job.state === "Aborted" ? readCsv(job.csv).slice(1) : [];
    return csv([headerOf(job), ...unprocessed].map(csvLine));
  });

  app.post("/jobs/query", async (c) => {
    const { operation, query } = valid(querySchema, await c.req.json());
    return c.json(queryInfo(startQuery(org, jobs, query, operation, c.var.version, c.var.caller)));
  });
  app.get("/jobs/query/:id", (c) => {
    const job = queryJob(c.req.param("id"));
    const answer = queryInfo(job);
    if (job.state === "UploadComplete") job.state = "JobComplete";
    return c.json(answer);
  });
  app.patch("/jobs/query/:id", (c) => {
    const job = queryJob(c.req.param("id"));
    job.state = "Aborted";
    return c.json(queryInfo(job));
  });
  app.delete("/jobs/query/:id", (c) => {
    jobs.queries.delete(queryJob(c.req.param("id")).id);
    return c.body(null, 204);
  });
  app.get("/jobs/query/:id/results", (c) => {
    const job = queryJob(c.req.param("id"));
    if (job.state === "Aborted") throw new ApiError(400, "INVALIDJOBSTATE", "Invalid job state: Aborted");
    const from = Number(c.req.query("locator") ?? "0");
    if (!Number.isInteger(from) || from < 0 || from > job.lines.length) throw new ApiError(400, "INVALID_QUERY_LOCATOR", "invalid query locator");
    const to = Math.min(job.lines.length, from + Number(c.req.query("maxRecords") ?? job.lines.length));
    const page = job.lines.slice(from, to);
    const headers = { "sforce-locator": to < job.lines.length ? String(to) : "null", "sforce-numberofrecords": String(page.length) };
    return csv([job.header, ...page], headers);
  });

  return app;
}

function ingestInfo({ results, csv: _, errorMessage, ...job }: IngestJob): Record<string, unknown> {
  const failed = results.filter(({ error }) => error !== undefined).length;
  const done = job.state === "JobComplete" || job.state === "InProgress";
  return {
    ...job,
    systemModstamp: job.createdDate,
    concurrencyMode: "Parallel",
    contentType: "CSV",
    jobType: "V2Ingest",
    ...(done && { numberRecordsProcessed: results.length, numberRecordsFailed: failed, retries: 0, totalProcessingTime: 1, apiActiveProcessingTime: 1 }),
    ...(errorMessage !== undefined && { errorMessage }),
  };
}

function queryInfo({ header: _, lines, ...job }: QueryJob): Record<string, unknown> {
  return {
    ...job,
    systemModstamp: job.createdDate,
    concurrencyMode: "Parallel",
    contentType: "CSV",
    lineEnding: "LF",
    columnDelimiter: "COMMA",
    jobType: "V2Query",
    ...(job.state === "JobComplete" && { numberRecordsProcessed: lines.length, retries: 0, totalProcessingTime: 1 }),
  };
}

function headerOf({ csv: text }: IngestJob): string[] {
  return readCsv(text)[0] ?? [];
}

function resultsOf(job: IngestJob, names: readonly string[], results: readonly IngestResult[], cells: (result: IngestResult) => readonly string[]): Response {
  return csv([csvLine([...names, ...headerOf(job)]), ...results.map((result) => csvLine([...cells(result), ...result.cells]))]);
}

function csv(lines: readonly string[], headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(`${lines.join("\n")}\n`, { headers: { "content-type": "text/csv", ...headers } });
}

function known<Job>(job: Job | undefined): Job {
  if (job === undefined) throw new ApiError(404, "NOT_FOUND", "The requested resource does not exist");
  return job;
}

function valid<Schema extends z.ZodType>(schema: Schema, body: unknown): z.infer<Schema> {
  const result = schema.safeParse(body);
  if (!result.success) throw new ApiError(400, "INVALIDJOB", z.prettifyError(result.error));
  return result.data;
}
