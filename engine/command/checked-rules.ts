import type { Compilation, RuleCompiler } from "../rules/compile.ts";
import { checkLibrary } from "../rules/library-check.ts";
import { withMappingTables } from "../rules/mapping-declarations.ts";
import { type RuleFile, readRuleFile, type SideFolder } from "../rules/samples/rule-folder.ts";
import { tablesOfSide } from "./tables-of-side.ts";

/** A rule's file with what the checker says of it. */
export interface CheckedFile<Rule extends RuleFile = RuleFile> {
  readonly rule: Rule;
  readonly compilation: Compilation;
}

/** The rules of a side. Names of tables in its mappings.yaml count, whether or not they were applied. */
export async function readRules(side: SideFolder): Promise<RuleFile[]> {
  const tables = await tablesOfSide(side.path);
  return await Promise.all(
    side.rules.map(async ({ path, direction }) => {
      const rule = await readRuleFile(path);
      return tables === undefined ? rule : { ...rule, declarations: withMappingTables(rule.declarations, direction, tables) };
    }),
  );
}

export async function checkFiles<Rule extends RuleFile>(compiler: RuleCompiler, rules: readonly Rule[]): Promise<CheckedFile<Rule>[]> {
  return await Promise.all(rules.map(async (rule) => ({ rule, compilation: await compiler.compile({ ...rule, name: rule.path }) })));
}

/** A library that no rule of the folder uses, checked by itself. */
export interface CheckedLibrary {
  readonly name: string;
  readonly compilation: Compilation;
}

export async function checkUnused(
  compiler: RuleCompiler,
  libraries: Readonly<Record<string, string>>,
  checked: readonly CheckedFile[],
): Promise<CheckedLibrary[]> {
  const told = new Set(
    checked.flatMap(({ compilation }) =>
      compilation.ok ? compilation.libraries : compilation.diagnostics.flatMap(({ file }) => (file === undefined ? [] : [file.slice("lib/".length)])),
    ),
  );
  const declarations = [...new Set(checked.map(({ rule }) => rule.declarations))];
  const unused = Object.keys(libraries).filter((name) => !told.has(name));
  return await Promise.all(unused.map(async (name) => ({ name, compilation: await checkLibrary(compiler, { name, libraries }, declarations) })));
}
