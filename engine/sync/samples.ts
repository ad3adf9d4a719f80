import { type Difference, differences } from "../rules/samples/difference.ts";
import type { Outcome } from "../rules/samples/outcome.ts";
import { runSamples } from "../rules/samples/run-sample.ts";
import { type Sample, SampleError, sampleOf } from "../rules/samples/sample.ts";
import type { ActiveRule, SideRow } from "../store/configuration.ts";
import type { StoredSample } from "../store/samples.ts";
import type { Direction } from "../store/schema.ts";
import type { SyncContext } from "./context.ts";
import { ruleName } from "./rule-run.ts";

/** How a text did on one sample. */
export interface SampleResult {
  readonly name: string;
  readonly pinned: boolean;
  /** With an expected result: the same came out. Without one: the run ended without an error. */
  readonly passed: boolean;
  readonly outcome: Outcome;
  readonly differences: readonly Difference[];
  readonly console: readonly string[];
  /** Milliseconds. */
  readonly cpuMs: number;
}

/** Runs a text on kept samples, with their recorded answers: no platform is asked. In the order of the samples. */
export async function tryOnSamples(
  context: SyncContext,
  side: SideRow,
  direction: Direction,
  rule: ActiveRule,
  stored: readonly StoredSample[],
): Promise<SampleResult[]> {
  const read = stored.map((each) => ({ each, sample: readOrProblem(each, direction) }));
  const good = read.flatMap(({ each, sample }) => (typeof sample === "string" ? [] : [{ each, sample }]));
  const program = { versionId: rule.versionId, name: ruleName(side, direction), code: rule.code };
  const surroundings = { connection: { name: side.connectionName, local: side.name, remote: side.remote.name }, mappings: rule.mappings };
  const runs = await runSamples(
    context.sandbox,
    program,
    good.map(({ sample }) => sample),
    surroundings,
  );
  const byName = new Map(good.map(({ each, sample }, index) => [each.name, { sample, run: runs[index] }]));
  return read.map(({ each, sample }): SampleResult => {
    const known = byName.get(each.name);
    if (known?.run === undefined) {
      const outcome: Outcome = { error: { code: "BAD_SAMPLE", message: String(sample) } };
      return { name: each.name, pinned: each.pinned, passed: false, outcome, differences: [], console: [], cpuMs: 0 };
    }
    const { outcome, console, cpuMs } = known.run;
    const { expected } = known.sample;
    const found = expected === undefined ? [] : differences(expected, outcome);
    const passed = expected === undefined ? !("error" in outcome) : found.length === 0;
    return { name: each.name, pinned: each.pinned, passed, outcome, differences: found, console, cpuMs };
  });
}

function readOrProblem(stored: StoredSample, direction: Direction): Sample | string {
  try {
    const sample = sampleOf(stored.content, stored.name);
    return sample.direction === direction ? sample : `${stored.name}: is a sample for an ${sample.direction} rule`;
  } catch (error) {
    if (error instanceof SampleError) return error.message;
    throw error;
  }
}

/** Why a result does not pass, line by line. */
export function failureLines(result: SampleResult): string[] {
  if (result.differences.length > 0) return result.differences.map((difference) => difference.text);
  return "error" in result.outcome ? [`${result.outcome.error.code}: ${result.outcome.error.message}`] : [];
}
