import { platforms } from "../../connectors/platforms.ts";
import type { MappingTables } from "../../engine/configuration/mappings.ts";
import { type Diagnostic, RuleCompiler } from "../../engine/rules/compile.ts";
import { type Direction, ruleDeclarations } from "../../engine/rules/declarations.ts";
import { startRuleSandbox } from "../../engine/rules/rule-sandbox.ts";
import type { Program, Sandbox } from "../../engine/sandbox/sandbox.ts";
import { type Instances, openInstances, type Platform } from "./instances.ts";

/** Checks rules against the schemas of live instances and runs them, as a node does. */
export class Kitchen {
  readonly instances: Instances;
  readonly sandbox: Sandbox;
  readonly #compiler: RuleCompiler;

  static async open(): Promise<Kitchen> {
    const [instances, compiler, sandbox] = await Promise.all([openInstances(), RuleCompiler.start(), startRuleSandbox({ children: 1 })]);
    return new Kitchen(instances, compiler, sandbox);
  }

  private constructor(instances: Instances, compiler: RuleCompiler, sandbox: Sandbox) {
    this.instances = instances;
    this.#compiler = compiler;
    this.sandbox = sandbox;
  }

  /** A rule that is to be run, or what is wrong with it. The types are those of the rule's triggers and those that every connection has. */
  async compiled(
    name: string,
    source: string,
    side: { readonly direction: Direction; readonly platform: Platform; readonly entityTypes?: readonly string[]; readonly mappings?: MappingTables },
    libraries: Readonly<Record<string, string>> = {},
  ): Promise<Program | readonly Diagnostic[]> {
    const types = new Set([...(side.entityTypes ?? []), ...(platforms[side.platform]?.defaultEntityTypes ?? [])]);
    const declarations = ruleDeclarations(side.direction, await this.instances.schemas(side.platform, [...types]), side.mappings);
    const compilation = await this.#compiler.compile({ name, source, declarations, libraries });
    return compilation.ok ? { versionId: `${name} ${source}`, name, code: compilation.code } : compilation.diagnostics;
  }

  async close(): Promise<void> {
    await Promise.all([this.instances.close(), this.#compiler.close(), this.sandbox.close()]);
  }
}
