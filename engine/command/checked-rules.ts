import type { Compilation, RuleCompiler } from "../rules/compile.ts";
import type { RuleFile } from "../rules/samples/rule-folder.ts";

/** A rule's file with what the checker says of it. */
export interface CheckedFile<Rule extends RuleFile = RuleFile> {
  readonly rule: Rule;
  readonly compilation: Compilation;
}

export async function checkFiles<Rule extends RuleFile>(compiler: RuleCompiler, rules: readonly Rule[]): Promise<CheckedFile<Rule>[]> {
  return await Promise.all(
    rules.map(async (rule) => ({ rule, compilation: await compiler.compile({ name: rule.path, source: rule.source, declarations: rule.declarations }) })),
  );
}
