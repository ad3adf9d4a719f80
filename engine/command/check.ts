import { join } from "node:path";
import { RuleCompiler } from "../rules/compile.ts";
import { ruleDeclarations } from "../rules/declarations.ts";
import { diagnosticInWords } from "../rules/diagnostic-words.ts";
import { librariesIn, type RuleFile, readRuleFile, type SideFolder, sidesIn } from "../rules/samples/rule-folder.ts";
import { runSettings } from "../store/configuration.ts";
import { type CheckedFile, type CheckedLibrary, checkFiles, checkUnused, readRules } from "./checked-rules.ts";
import { exitCodes, type Report } from "./rule-command.ts";
import { liveSchemas, matchSides, type NodeChoice, sidesByName, withNode } from "./rules-of-node.ts";
import { tablesOfSide } from "./tables-of-side.ts";

export interface CheckOptions {
  readonly folder: string;
  /** The node whose instances are asked for their fields now; without it the pulled types count. */
  readonly live?: NodeChoice | undefined;
}

/** Checks every rule of a folder. */
export async function checkCommand({ folder, live }: CheckOptions): Promise<Report> {
  const sides = await sidesIn(folder);
  const rules = live === undefined ? await readAll(sides) : await readLive(sides, live);
  const compiler = await RuleCompiler.start();
  try {
    const checked = await checkFiles(compiler, rules);
    const libraries = await librariesIn(folder);
    const unused = await checkUnused(compiler, libraries, checked);
    const wrong = checked.filter(({ compilation }) => !compilation.ok).length;
    const wrongLibraries = unused.filter(({ compilation }) => !compilation.ok).length;
    const shared =
      Object.keys(libraries).length === 0 ? "" : ` and ${Object.keys(libraries).length === 1 ? "one library" : `${Object.keys(libraries).length} libraries`}`;
    const summary =
      wrong + wrongLibraries === 0
        ? `${count(checked.length, "rule")}${shared} checked, nothing wrong.`
        : [
            ...(wrong === 0 ? [] : [`${count(wrong, "rule")} of ${checked.length} ${wrong === 1 ? "does" : "do"} not check.`]),
            ...(wrongLibraries === 0 ? [] : [`${wrongLibraries === 1 ? "A library" : `${wrongLibraries} libraries`} that no rule uses would not check.`]),
          ].join(" ");
    return {
      exitCode: wrong + wrongLibraries === 0 ? exitCodes.fine : exitCodes.refused,
      lines: [...diagnosticLines(checked), ...libraryLines(folder, unused), ...untypedLines(checked), summary],
      document: { rules: checked.map(checkDocument), libraries: unused.map((each) => libraryDocument(folder, each)) },
    };
  } finally {
    await compiler.close();
  }
}

async function readAll(sides: readonly SideFolder[]): Promise<RuleFile[]> {
  return (await Promise.all(sides.map(readRules))).flat();
}

async function readLive(sides: readonly SideFolder[], choice: NodeChoice): Promise<RuleFile[]> {
  return await withNode(choice, async (node) => {
    const rules: RuleFile[] = [];
    for (const { row, ...side } of matchSides(await sidesByName(node), sides)) {
      const schemas = await liveSchemas(node, row);
      const tables = { ...(await runSettings(node.db, row.id)).mappings, ...(await tablesOfSide(side.path)) };
      for (const { path, direction } of side.rules)
        rules.push({ ...(await readRuleFile(path)), declarations: ruleDeclarations(direction, schemas, tables), typed: true });
    }
    return rules;
  });
}

/** `file:line:column: message (code)`, as editors and CI systems read it. */
export function diagnosticLines(checked: readonly CheckedFile[]): string[] {
  const lines = checked.flatMap(({ rule, compilation }) =>
    compilation.ok ? [] : compilation.diagnostics.map((each) => diagnosticInWords(rule.path, each, (name) => rule.libraryPath(name))),
  );
  // What is wrong in a library is found by each rule that uses it.
  return [...new Set(lines)];
}

export function libraryLines(folder: string, libraries: readonly CheckedLibrary[]): string[] {
  const path = (name: string): string => join(folder, `${name}.ts`);
  return libraries.flatMap(({ name, compilation }) =>
    compilation.ok ? [] : compilation.diagnostics.map((each) => diagnosticInWords(path(`lib/${name}`), each, path)),
  );
}

export function libraryDocument(folder: string, { name, compilation }: CheckedLibrary): object {
  return { file: join(folder, "lib", `${name}.ts`), diagnostics: compilation.ok ? [] : compilation.diagnostics };
}

export function untypedLines(checked: readonly CheckedFile[]): string[] {
  return checked
    .filter(({ rule }) => !rule.typed)
    .map(({ rule }) => `${rule.path}: there are no types beside it, so no field name was checked; fetch them with \`isobridge pull\``);
}

export function checkDocument({ rule, compilation }: CheckedFile): object {
  return { file: rule.path, direction: rule.direction, typed: rule.typed, diagnostics: compilation.ok ? [] : compilation.diagnostics };
}

export function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}
