import { readFile, writeFile } from "node:fs/promises";
import { RuleCompiler } from "../rules/compile.ts";
import { startRuleSandbox } from "../rules/rule-sandbox.ts";
import { librariesIn, sidesIn, surroundingsOf } from "../rules/samples/rule-folder.ts";
import type { Surroundings } from "../rules/samples/sample.ts";
import { checkDocument, count, diagnosticLines, libraryDocument, libraryLines, untypedLines } from "./check.ts";
import { type CheckedFile, type CheckedLibrary, checkFiles, checkUnused, readRules } from "./checked-rules.ts";
import { exitCodes, type Report } from "./rule-command.ts";
import { tablesOfSide } from "./tables-of-side.ts";
import { readSamples, sampleDocument, sampleLines, type TestedSample, testSamples } from "./tested-samples.ts";

export interface TestOptions {
  readonly folder: string;
  /** Only samples whose `connection/side/name.json` holds this text. */
  readonly filter?: string | undefined;
  /** Write what the rules give now as what is expected. */
  readonly update: boolean;
}

/** Checks every rule of a folder and runs its samples. */
export async function testCommand({ folder, filter, update }: TestOptions): Promise<Report> {
  const sides = await sidesIn(folder);
  const read = await Promise.all(sides.map(async (side) => ({ side, samples: await readSamples(side, filter) })));
  const [compiler, sandbox] = await Promise.all([RuleCompiler.start(), startRuleSandbox()]);
  try {
    const checked: CheckedFile[] = [];
    const tested: TestedSample[] = [];
    for (const { side, samples } of read) {
      const rules = await checkFiles(compiler, await readRules(side));
      checked.push(...rules);
      tested.push(...(await testSamples(sandbox, side, rules, samples, await surroundings(side.path))));
    }
    const updated = update ? await updateAll(tested) : [];
    const unused = await checkUnused(compiler, await librariesIn(folder), checked);
    return report({ checked, unused, folder }, tested, updated, update);
  } finally {
    await Promise.all([compiler.close(), sandbox.close()]);
  }
}

/** Tables that stand in the folder come before those that the node had at the last pull. */
async function surroundings(side: string): Promise<Surroundings> {
  const { connection, mappings } = await surroundingsOf(side);
  return { connection, mappings: (await tablesOfSide(side)) ?? mappings };
}

interface Checked {
  readonly checked: readonly CheckedFile[];
  readonly unused: readonly CheckedLibrary[];
  readonly folder: string;
}

function report({ checked, unused, folder }: Checked, tested: readonly TestedSample[], updated: readonly string[], update: boolean): Report {
  const wrong = checked.filter(({ compilation }) => !compilation.ok).length;
  const wrongLibraries = unused.filter(({ compilation }) => !compilation.ok).length;
  const failed = tested.filter(({ passed }) => !passed);
  const left = failed.filter(({ path }) => !updated.includes(path));
  const bySide = Map.groupBy(tested, ({ side }) => side);
  const lines = [...diagnosticLines(checked), ...libraryLines(folder, unused), ...untypedLines(checked)];
  for (const [side, samples] of bySide) lines.push(side, ...samples.flatMap((sample) => sampleLines(sample, updated.includes(sample.path))));
  if (tested.length === 0)
    lines.push("No samples. Write one into samples/<name>.json beside the rules, or fetch recorded runs with `isobridge pull --samples 5`.");
  lines.push(
    [
      wrong === 0 ? `${count(checked.length, "rule")} checked` : `${count(wrong, "rule")} of ${checked.length} did not check`,
      `${tested.length - failed.length} of ${count(tested.length, "sample")} ${update ? "were as expected" : "passed"}`,
      ...(update ? [`${updated.length} written anew`] : []),
    ].join(", "),
  );
  return {
    exitCode: wrong + wrongLibraries === 0 && left.length === 0 ? exitCodes.fine : exitCodes.refused,
    lines,
    document: {
      rules: checked.map(checkDocument),
      libraries: unused.map((each) => libraryDocument(folder, each)),
      samples: tested.map(sampleDocument),
      updated,
    },
  };
}

/** Writes outcomes as expected into the files where they differ or are missing; the rest of a file stays as it is. */
async function updateAll(tested: readonly TestedSample[]): Promise<string[]> {
  const updated: string[] = [];
  for (const { path, outcome, differences } of tested) {
    if (differences?.length === 0) continue;
    // What a rule errs with is written only where somebody expected an error already.
    const content = JSON.parse((await readFile(path, "utf8")).replace(/^\uFEFF/, "")) as { expected?: object };
    if ("error" in outcome && !(content.expected !== undefined && "error" in content.expected)) continue;
    await writeFile(path, `${JSON.stringify({ ...content, expected: outcome }, null, 2)}\n`);
    updated.push(path);
  }
  return updated;
}
