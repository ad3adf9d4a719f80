import { z } from "@hono/zod-openapi";
import { sampleOfRun } from "../rules/samples/record-sample.ts";
import { recordedRun as readRun } from "../rules/samples/run-sample.ts";
import { SampleError, sampleOf } from "../rules/samples/sample.ts";
import { recordedRun } from "../store/runs.ts";
import { createSample, listSamples, removeSample, replaceSample } from "../store/samples.ts";
import type { Direction, SideId } from "../store/schema.ts";
import { candidate } from "../sync/candidate.ts";
import type { SyncContext } from "../sync/context.ts";
import { sideNamed } from "../sync/operations.ts";
import { tryOnSamples } from "../sync/samples.ts";
import type { ApiMeans } from "./api.ts";
import { ApiError } from "./body.ts";
import { type Api, addCall, byDirection, found } from "./calls.ts";
import { newSampleBody, sampleBody, sampleSchema, triedSamplesSchema, trySamplesBody } from "./rule-schemas.ts";
import { pageOf, pageQuery } from "./schemas.ts";

const ofRule = "/api/connections/{name}/sides/{side}/rules/{direction}/samples";
const bySample = byDirection.extend({ sample: z.string() });
const noSuchSample = { 404: "No such side or sample" };

/** Samples of a rule: kept, recorded from runs, tried. */
export function addSampleCalls(api: Api, { context, compiler }: ApiMeans): void {
  const { db } = context;
  addCall(
    api,
    {
      method: "get",
      path: ofRule,
      summary: "List the samples of a rule",
      params: byDirection,
      query: pageQuery,
      answer: { status: 200, schema: pageOf(sampleSchema), description: "Samples by name" },
      errors: { 404: "No such connection or side" },
    },
    async ({ params, query }) => {
      const side = await sideNamed(context, params.name, params.side);
      const rows = await listSamples(db, {
        sideId: side.id,
        direction: params.direction,
        limit: query.limit + 1,
        ...(query.after === undefined ? {} : { after: query.after }),
      });
      const items = rows.slice(0, query.limit);
      return { items, next: rows.length > query.limit ? (items.at(-1)?.name ?? null) : null };
    },
  );
  addCall(
    api,
    {
      method: "post",
      path: ofRule,
      summary: "Keep a sample, written by hand or made of a recorded run",
      description: "The content is that of a sample file. A pinned sample must come out as expected before its rule is published.",
      params: byDirection,
      body: newSampleBody,
      answer: { status: 201, schema: sampleSchema, description: "The sample" },
      errors: { 404: "No such side or run", 409: "The name is taken", 422: "The content is no sample, or the run cannot be replayed" },
    },
    async ({ params, body, author }) => {
      const side = await sideNamed(context, params.name, params.side);
      const content =
        body.run === undefined ? checkedContent(body.content, body.name, params.direction) : await contentOfRun(context, side.id, params.direction, body.run);
      const kept = await createSample(db, {
        sideId: side.id,
        direction: params.direction,
        name: body.name,
        content,
        pinned: body.pinned,
        // Checked above to be a run's id.
        runId: (body.run ?? null) as Parameters<typeof createSample>[1]["runId"],
        author,
      });
      if (kept === undefined)
        throw new ApiError(409, "NAME_TAKEN", `This rule has a sample ${JSON.stringify(body.name)} already; choose another name, or change that one.`);
      return kept;
    },
  );
  addCall(
    api,
    {
      method: "get",
      path: `${ofRule}/{sample}`,
      summary: "Read a sample",
      params: bySample,
      answer: { status: 200, schema: sampleSchema, description: "The sample" },
      errors: noSuchSample,
    },
    async ({ params }) => {
      const side = await sideNamed(context, params.name, params.side);
      return found((await listSamples(db, { sideId: side.id, direction: params.direction, names: [params.sample] }))[0], `sample ${params.sample}`);
    },
  );
  addCall(
    api,
    {
      method: "put",
      path: `${ofRule}/{sample}`,
      summary: "Change a sample",
      params: bySample,
      body: sampleBody,
      answer: { status: 200, schema: sampleSchema, description: "The sample" },
      errors: { ...noSuchSample, 422: "The content is no sample" },
    },
    async ({ params, body, author }) => {
      const side = await sideNamed(context, params.name, params.side);
      const content = checkedContent(body.content, params.sample, params.direction);
      return found(
        await replaceSample(db, { sideId: side.id, direction: params.direction, name: params.sample, content, pinned: body.pinned, author }),
        `sample ${params.sample}`,
      );
    },
  );
  addCall(
    api,
    {
      method: "delete",
      path: `${ofRule}/{sample}`,
      summary: "Remove a sample",
      params: bySample,
      answer: { status: 200, schema: z.object({ removed: z.literal(true) }), description: "It is gone" },
      errors: noSuchSample,
    },
    async ({ params }) => {
      const side = await sideNamed(context, params.name, params.side);
      const gone = await removeSample(db, { sideId: side.id, direction: params.direction, name: params.sample });
      found(gone ? true : undefined, `sample ${params.sample}`);
      return { removed: true };
    },
  );
  addCall(
    api,
    {
      method: "post",
      // Beside the samples and not below them: a sample may be called "run".
      path: "/api/connections/{name}/sides/{side}/rules/{direction}/try",
      summary: "Try a text on the samples of its rule",
      description: "The whole set in one go, or those named. Without `source` and `version` the draft is tried, or else what runs now. No platform is asked.",
      params: byDirection,
      body: trySamplesBody,
      answer: { status: 200, schema: triedSamplesSchema, description: "How each sample came out" },
      errors: { 404: "No such side or version", 422: "The text does not check" },
    },
    async ({ params, body }) => {
      const side = await sideNamed(context, params.name, params.side);
      const { label, rule } = await candidate(context, compiler, side, params.direction, body);
      const samples = await listSamples(db, {
        sideId: side.id,
        direction: params.direction,
        ...(body.pinnedOnly ? { pinned: true } : {}),
        ...(body.names === undefined ? {} : { names: body.names }),
      });
      for (const name of body.names ?? [])
        found(
          samples.find((sample) => sample.name === name),
          `sample ${name}`,
        );
      const results = await tryOnSamples(context, side, params.direction, rule, samples);
      const passed = results.filter((result) => result.passed).length;
      return { text: label, passed, failed: results.length - passed, results };
    },
  );
}

function checkedContent(content: unknown, name: string, direction: Direction): unknown {
  try {
    const sample = sampleOf(content, name);
    if (sample.direction !== direction) throw new ApiError(422, "BAD_SAMPLE", `${name}: is a sample for an ${sample.direction} rule.`);
    return content;
  } catch (error) {
    if (error instanceof SampleError) throw new ApiError(422, "BAD_SAMPLE", error.message);
    throw error;
  }
}

async function contentOfRun(context: SyncContext, sideId: SideId, direction: Direction, id: string): Promise<unknown> {
  const run = await recordedRun(context.db, id);
  if (run === undefined || run.sideId !== sideId || run.direction !== direction) throw new ApiError(404, "NOT_FOUND", "There is no such run of this rule.");
  const { withheld } = run;
  if (withheld !== null && withheld.cut.length > 0) {
    throw new ApiError(
      422,
      "NOT_REPLAYABLE",
      `The run was too large to be recorded whole (left out: ${withheld.cut.join(", ")}); no sample can be made of it.`,
    );
  }
  const recorded = readRun({ ...run, error: run.error ?? undefined });
  const sample = sampleOfRun(recorded, `recorded from run ${run.number}, version ${run.version}`);
  if (withheld === null) return sample;
  // With values missing the rule need not come to the same: what it came to then is no expectation.
  const { expected: _, ...rest } = sample;
  return { ...rest, note: `${sample.note ?? ""}; values are withheld` };
}
