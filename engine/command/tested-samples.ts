import { basename } from "node:path";
import type { Direction } from "../rules/declarations.ts";
import { type Difference, differences, outcomeInWords } from "../rules/samples/difference.ts";
import type { Outcome } from "../rules/samples/outcome.ts";
import type { SideFolder } from "../rules/samples/rule-folder.ts";
import { versionOf } from "../rules/samples/run-rule.ts";
import { runSamples } from "../rules/samples/run-sample.ts";
import { readSample, type Sample, SampleError, type Surroundings } from "../rules/samples/sample.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import type { CheckedFile } from "./checked-rules.ts";

/** A sample's file with what its rule made of it. */
export interface TestedSample {
  /** `support/SN`. */
  readonly side: string;
  readonly path: string;
  readonly direction: Direction;
  readonly pinned: boolean;
  readonly outcome: Outcome;
  /** Undefined: the file says nothing about what is expected. */
  readonly differences: readonly Difference[] | undefined;
  /** A sample without an expected result passes unless its run errs. */
  readonly passed: boolean;
  readonly console: readonly string[];
}

export interface SampleFile {
  readonly path: string;
  readonly sample: Sample;
}

/** Reads the samples of a side whose path holds `filter`. Throws a SampleError with every file that cannot be read. */
export async function readSamples(side: SideFolder, filter = ""): Promise<SampleFile[]> {
  const read = await Promise.all(
    side.samples
      .filter((path) => `${side.connection}/${side.side}/${basename(path)}`.includes(filter))
      .map(async (path) => await readSample(path).then((sample) => ({ path, sample }), asProblems)),
  );
  const samples = read.filter((each) => "sample" in each);
  const problems = read.flatMap((each) => ("problems" in each ? each.problems : []));
  for (const { path, sample } of samples) {
    if (side.rules.some(({ direction }) => direction === sample.direction)) continue;
    problems.push(`${path}: is a sample of an ${sample.direction} rule, but there is no ${sample.direction}.ts in ${side.path}`);
  }
  if (problems.length > 0) throw new SampleError(problems);
  return samples;
}

function asProblems(error: unknown): { readonly problems: readonly string[] } {
  if (error instanceof SampleError) return error;
  throw error;
}

/** Runs samples of a side on its rules; those whose rule does not check are left out, since the check says why. */
export async function testSamples(
  sandbox: Sandbox,
  side: SideFolder,
  rules: readonly CheckedFile[],
  samples: readonly SampleFile[],
  surroundings: Surroundings,
): Promise<TestedSample[]> {
  const tested: TestedSample[] = [];
  for (const { rule, compilation } of rules) {
    if (!compilation.ok) continue;
    const own = samples.filter(({ sample }) => sample.direction === rule.direction);
    const program = { versionId: versionOf(compilation.code), name: rule.path, code: compilation.code };
    const runs = await runSamples(
      sandbox,
      program,
      own.map(({ sample }) => sample),
      surroundings,
    );
    for (const [index, { path, sample }] of own.entries()) {
      const run = runs[index];
      if (run === undefined) continue;
      const found = sample.expected === undefined ? undefined : differences(sample.expected, run.outcome);
      tested.push({
        side: `${side.connection}/${side.side}`,
        path,
        direction: sample.direction,
        pinned: sample.pinned ?? true,
        outcome: run.outcome,
        differences: found,
        passed: found === undefined ? !("error" in run.outcome) : found.length === 0,
        console: run.console,
      });
    }
  }
  // run-9 before run-10.
  return tested.sort((a, b) => a.path.localeCompare(b.path, "en", { numeric: true }));
}

/** One line for a sample that passed, more for one that did not. */
export function sampleLines(tested: TestedSample, isUpdated = false): string[] {
  const mark = isUpdated ? "new " : tested.passed ? "ok  " : "FAIL";
  const first = `  ${mark}  ${tested.direction.padEnd(8)}  ${basename(tested.path)}${tested.pinned ? "" : " (not pinned)"}`;
  if (tested.passed) return [tested.differences === undefined ? `${first}: nothing is expected; it gives ${outcomeInWords(tested.outcome)}` : first];
  const found = tested.differences ?? [];
  const why = found.length === 0 ? [outcomeInWords(tested.outcome)] : found.map(({ text }) => text);
  return [first, ...why.map((line) => `          ${line}`), ...tested.console.slice(0, mostConsole).map((line) => `          console: ${line}`)];
}

/** Console lines shown with a sample that failed. */
const mostConsole = 10;

export function sampleDocument(tested: TestedSample): object {
  const { side, path, direction, pinned, passed, outcome, console } = tested;
  return { side, file: path, direction, pinned, passed, outcome, ...(tested.differences === undefined ? {} : { differences: tested.differences }), console };
}
