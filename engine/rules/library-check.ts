import type { Compilation, RuleCompiler } from "./compile.ts";
import { ruleDeclarations } from "./declarations.ts";

/** What a name, a library's text and those of the others are checked as. */
export interface LibrarySource {
  /** What stands behind `lib/`. */
  readonly name: string;
  /** All of the node's, this one among them. */
  readonly libraries: Readonly<Record<string, string>>;
}

/**
 * Checks a library by itself. It may be made for rules of one direction, or speak of an instance's types; so it is fine when it fits either direction, or
 * any of the `declarations` that rules of the node were checked against. Otherwise the fewest errors are told.
 */
export async function checkLibrary(compiler: RuleCompiler, { name, libraries }: LibrarySource, declarations: readonly string[] = []): Promise<Compilation> {
  let best: Compilation | undefined;
  for (const each of [ruleDeclarations("outgoing", []), ruleDeclarations("incoming", []), ...declarations]) {
    const found = await compiler.compile({ name: `lib/${name}.ts`, source: `import type {} from "lib/${name}";`, declarations: each, libraries });
    if (found.ok) return found;
    if (best === undefined || (!best.ok && found.diagnostics.length < best.diagnostics.length)) best = found;
  }
  // The list above is never empty.
  return best as Compilation;
}
