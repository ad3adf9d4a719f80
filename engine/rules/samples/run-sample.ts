import { z } from "zod";
import type { Json } from "../../replica/json.ts";
import type { Completion } from "../../sandbox/completion.ts";
import type { Program, Sandbox } from "../../sandbox/sandbox.ts";
import { type RunInput, runInputAsJson } from "../run-input.ts";
import { type Difference, differences } from "./difference.ts";
import { type Outcome, outcomeOf } from "./outcome.ts";
import { missingInWords, noAnswer, RecordedAnswers } from "./recorded-answers.ts";
import { inputOf, type RecordedAnswer, type Sample, type Surroundings } from "./sample.ts";

/** A run with recorded answers only: no platform was asked. */
export interface SampleRun {
  readonly outcome: Outcome;
  readonly console: readonly string[];
  /** Milliseconds. */
  readonly cpuMs: number;
  readonly wallMs: number;
}

/** Runs a rule on a sample. Never rejects for what the rule does. */
export async function runSample(sandbox: Sandbox, program: Program, sample: Sample, surroundings?: Surroundings): Promise<SampleRun> {
  return await runRecorded(sandbox, program, inputOf(sample, surroundings), sample.answers ?? []);
}

/** The same for many samples of one rule; in their order. */
export async function runSamples(sandbox: Sandbox, program: Program, samples: readonly Sample[], surroundings?: Surroundings): Promise<SampleRun[]> {
  return await eachOf(samples, async (sample) => await runSample(sandbox, program, sample, surroundings));
}

/** What the run table holds of a run: what it was given, what it asked and was answered, and how it ended. */
export interface RecordedRun {
  readonly input: RunInput;
  readonly calls: readonly RecordedAnswer[];
  /** The outcome at the time. */
  readonly outcome: Outcome;
}

/** Reads a row of the run table. Throws a ZodError when it is not one, as when parts of it were taken out. */
export function recordedRun(row: { readonly input: unknown; readonly calls: unknown; readonly output: unknown; readonly error: unknown }): RecordedRun {
  const { input, calls, output, error } = rowSchema.parse(row);
  // Written by the engine as it was given to the rule; what a replay needs of its shape was just seen.
  const given = input as unknown as RunInput;
  return {
    input: given,
    calls: calls.map(({ call, answer }): RecordedAnswer => {
      const asked = { name: call.name, args: call.args };
      return answer.ok ? { call: asked, value: answer.value } : { call: asked, error: answer.error };
    }),
    outcome: outcomeOf(given, error === null || error === undefined ? { ok: true, value: output } : { ok: false, error }),
  };
}

export interface Replayed {
  /** What it came to when it was recorded. */
  readonly recorded: Outcome;
  /** What the other version makes of it. */
  readonly outcome: Outcome;
  /** Empty when both are the same. */
  readonly differences: readonly Difference[];
}

/** Runs recorded runs again on another version, with their own input, clock and answers; in their order. */
export async function replay(sandbox: Sandbox, program: Program, runs: readonly RecordedRun[]): Promise<Replayed[]> {
  return await eachOf(runs, async ({ input, calls, outcome: recorded }) => {
    const { outcome } = await runRecorded(sandbox, program, input, calls);
    return { recorded, outcome, differences: differences(recorded, outcome) };
  });
}

async function runRecorded(sandbox: Sandbox, program: Program, input: RunInput, recorded: readonly RecordedAnswer[]): Promise<SampleRun> {
  const answers = new RecordedAnswers(recorded);
  const completion = await sandbox.run(program, runInputAsJson(input), answers.answer);
  const { console, cpuMs, wallMs } = completion;
  return { outcome: outcomeWith(input, completion, answers), console, cpuMs, wallMs };
}

function outcomeWith(input: RunInput, completion: Completion, answers: RecordedAnswers): Outcome {
  const [first] = answers.missing;
  if (first === undefined) return outcomeOf(input, completion);
  // The place is known where the rule did not catch it.
  const place = !completion.ok && completion.error.code === noAnswer ? completion.error : undefined;
  const message = answers.missing.map(missingInWords).join("\n");
  return outcomeOf(input, {
    ok: false,
    error: {
      code: noAnswer,
      message,
      ...(place?.line === undefined ? {} : { line: place.line }),
      ...(place?.column === undefined ? {} : { column: place.column }),
    },
  });
}

/** A run's clock ticks from when the sandbox takes it, so that no more are handed over than it works on at once. */
const mostAtOnce = 64;

async function eachOf<Item, Result>(items: readonly Item[], work: (item: Item) => Promise<Result>): Promise<Result[]> {
  const results: Result[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < items.length; index = next++) {
      // Within the list's length.
      results[index] = await work(items[index] as Item);
    }
  };
  await Promise.all(Array.from({ length: Math.min(mostAtOnce, items.length) }, worker));
  return results;
}

const json: z.ZodType<Json> = z.json() as z.ZodType<Json>;
const list = z.array(z.looseObject({}));
const view = z.looseObject({
  entityType: z.string(),
  key: z.string(),
  display: z.record(z.string(), z.string()),
  comments: list,
  internalComments: list,
  attachments: list,
});
const surroundings = { firstSync: z.boolean(), now: z.number(), seed: z.string(), connection: z.looseObject({}), mappings: z.record(z.string(), z.unknown()) };

const rowSchema = z.object({
  input: z.discriminatedUnion("direction", [
    z.looseObject({ direction: z.literal("outgoing"), entity: view, ...surroundings }),
    z.looseObject({
      direction: z.literal("incoming"),
      entity: view,
      replica: z.unknown(),
      traces: z.object({ comments: z.looseObject({}), attachments: z.looseObject({}) }),
      ...surroundings,
    }),
  ]),
  calls: z.array(
    z.object({
      call: z.object({ name: z.string(), args: z.array(json) }),
      answer: z.discriminatedUnion("ok", [
        z.object({ ok: z.literal(true), value: json }),
        z.object({ ok: z.literal(false), error: z.object({ code: z.string(), message: z.string() }) }),
      ]),
    }),
  ),
  output: z.unknown(),
  error: z.object({ code: z.string(), message: z.string(), line: z.number().optional(), column: z.number().optional() }).nullish(),
});
