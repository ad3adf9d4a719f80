import { RuleCompiler } from "../rules/compile.ts";
import { ruleDeclarations } from "../rules/declarations.ts";
import { type RuleFile, readRuleFile, type SideFolder, sidesIn } from "../rules/samples/rule-folder.ts";
import { diagnosticInWords } from "../rules/samples/run-rule.ts";
import { type CheckedFile, checkFiles } from "./checked-rules.ts";
import { exitCodes, type Report } from "./rule-command.ts";
import { liveSchemas, matchSides, type NodeChoice, sidesByName, withNode } from "./rules-of-node.ts";

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
    const wrong = checked.filter(({ compilation }) => !compilation.ok).length;
    const summary =
      wrong === 0
        ? `${count(checked.length, "rule")} checked, nothing wrong.`
        : `${count(wrong, "rule")} of ${checked.length} ${wrong === 1 ? "does" : "do"} not check.`;
    return {
      exitCode: wrong === 0 ? exitCodes.fine : exitCodes.refused,
      lines: [...diagnosticLines(checked), ...untypedLines(checked), summary],
      document: { rules: checked.map(checkDocument) },
    };
  } finally {
    await compiler.close();
  }
}

async function readAll(sides: readonly SideFolder[]): Promise<RuleFile[]> {
  return await Promise.all(sides.flatMap((side) => side.rules).map(async ({ path }) => await readRuleFile(path)));
}

async function readLive(sides: readonly SideFolder[], choice: NodeChoice): Promise<RuleFile[]> {
  return await withNode(choice, async (node) => {
    const rules: RuleFile[] = [];
    for (const { row, ...side } of matchSides(await sidesByName(node), sides)) {
      const schemas = await liveSchemas(node, row);
      for (const { path, direction } of side.rules)
        rules.push({ ...(await readRuleFile(path)), declarations: ruleDeclarations(direction, schemas), typed: true });
    }
    return rules;
  });
}

/** `file:line:column: message (code)`, as editors and CI systems read it. */
export function diagnosticLines(checked: readonly CheckedFile[]): string[] {
  return checked.flatMap(({ rule, compilation }) => (compilation.ok ? [] : compilation.diagnostics.map((each) => diagnosticInWords(rule.path, each))));
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
