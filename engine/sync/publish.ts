import { readFile } from "node:fs/promises";
import type { Connector, EntitySchema } from "../../connectors/connector.ts";
import { ConnectorError } from "../../connectors/errors.ts";
import { platforms } from "../../connectors/platforms.ts";
import type { RuleCompiler } from "../rules/compile.ts";
import { declarationsHash, ruleDeclarations } from "../rules/declarations.ts";
import { defaultLimits } from "../sandbox/limits.ts";
import type { Tx } from "../store/database.ts";
import { keepDeclarations } from "../store/drift.ts";
import { publishVersion } from "../store/rule-versions.ts";
import type { Direction, SideId, VersionId } from "../store/schema.ts";

/** What is wrong with a rule's text, with positions as the editor shows them. */
export class RuleRefused extends Error {
  override readonly name = "RuleRefused";
  readonly diagnostics: readonly {
    readonly code: string;
    readonly message: string;
    readonly line: number;
    readonly column: number;
    readonly suggestion?: string;
  }[];
  constructor(ruleName: string, diagnostics: RuleRefused["diagnostics"]) {
    super(diagnostics.map((each) => `${ruleName}:${each.line}:${each.column}: ${each.message} (${each.code})`).join("\n"));
    this.diagnostics = diagnostics;
  }
}

/** A rule's text that was checked against the live schema of its side and can be published. */
export interface CheckedRule {
  readonly direction: Direction;
  readonly source: string;
  readonly code: string;
  readonly declarationsHash: string;
  /** What the hash is of. */
  readonly declarations: string;
  readonly report: CheckReport;
}

/** What was found before a version was published; kept with it. */
export interface CheckReport {
  /** Empty, unless an old version was brought back in spite of them. */
  readonly diagnostics: RuleRefused["diagnostics"];
  readonly declarationsHash: string;
  /** Bytes. */
  readonly sizes: { readonly source: number; readonly code: number; readonly declarations: number };
  /** What its runs may use. */
  readonly limits: Readonly<Record<string, number>>;
  readonly checkedAt: string;
  /** Time that checking took, in milliseconds. */
  readonly checkMs: number;
  /** How the pinned samples ended; absent where there was nobody to run them. */
  readonly samples?: { readonly passed: number; readonly failed: readonly { readonly name: string; readonly differences: readonly string[] }[] };
  /** Why it was published although something spoke against it, in the publisher's words. */
  readonly despite?: string;
}

/**
 * Checks a rule against what the side's instance has now. Throws {@link RuleRefused} with every error of its text, or a
 * ConnectorError when the schema cannot be read.
 */
export async function checkRule(
  compiler: RuleCompiler,
  schemas: readonly EntitySchema[],
  rule: { readonly name: string; readonly direction: Direction; readonly source: string },
): Promise<CheckedRule> {
  const declarations = ruleDeclarations(rule.direction, schemas);
  const began = performance.now();
  const compiled = await compiler.compile({ name: rule.name, source: rule.source, declarations });
  if (!compiled.ok) throw new RuleRefused(rule.name, compiled.diagnostics);
  return checkedRule(rule.direction, rule.source, compiled.code, declarations, { diagnostics: [], checkMs: performance.now() - began });
}

/** A rule's text with what is said of it when it is published. */
export function checkedRule(
  direction: Direction,
  source: string,
  code: string,
  declarations: string,
  found: Pick<CheckReport, "diagnostics" | "checkMs">,
): CheckedRule {
  const hash = declarationsHash(declarations);
  const report: CheckReport = {
    diagnostics: found.diagnostics,
    declarationsHash: hash,
    sizes: { source: Buffer.byteLength(source), code: Buffer.byteLength(code), declarations: Buffer.byteLength(declarations) },
    limits: { ...defaultLimits },
    checkedAt: new Date().toISOString(),
    checkMs: Math.round(found.checkMs * 10) / 10,
  };
  return { direction, source, code, declarationsHash: hash, declarations, report };
}

/** The schemas that the rules of a side are checked against: the types that it triggers on, and those that default rules speak of. */
export async function schemasOf(connector: Connector, entityTypes: readonly string[]): Promise<EntitySchema[]> {
  const spokenOf = platforms[connector.platform]?.defaultEntityTypes ?? [];
  const schemas: EntitySchema[] = [];
  for (const entityType of new Set([...entityTypes, ...spokenOf])) {
    try {
      schemas.push(await connector.describe(entityType));
    } catch (error) {
      // A type that only the default rules speak of need not exist on this instance, nor be open to this account.
      const missing = error instanceof ConnectorError && (error.code === "BAD_REQUEST" || error.code === "PERMISSION" || error.code === "NOT_FOUND_OR_HIDDEN");
      if (!missing || entityTypes.includes(entityType)) throw error;
      schemas.push({ entityType, label: entityType, fields: [], sampled: true, comments: false, internalComments: false, attachments: false });
    }
  }
  return schemas;
}

/** The text of a platform's default rule. */
export async function defaultRule(platform: string, direction: Direction): Promise<string> {
  return await readFile(new URL(`../../rules/${platform}/${direction}.ts`, import.meta.url), "utf8");
}

/** Publishes a checked rule as the next version, which runs from the next change on. */
export async function publish(
  tx: Tx,
  sideId: SideId,
  rule: CheckedRule,
  by: { readonly note: string; readonly author: string },
): Promise<{ readonly id: VersionId; readonly number: number }> {
  // Empty when an old version is brought back unchecked: its declarations were kept when it was published.
  if (rule.declarations !== "") await keepDeclarations(tx, rule.declarationsHash, rule.declarations);
  return await publishVersion(tx, { sideId, ...rule, ...by });
}
