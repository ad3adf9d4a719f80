/** What a project that links this package imports, to run rules in its tests. Its types for other compilers stand in isobridge.d.ts. */
export { differences, outcomeInWords } from "./difference.ts";
export { RuleFolderError } from "./rule-folder.ts";
export { checkRuleFile, closeRules, RuleDoesNotCheck, runRule } from "./run-rule.ts";
export { readSample, SampleError } from "./sample.ts";
