import { readFile } from "node:fs/promises";
import type { Connector, EntitySchema } from "../../connectors/connector.ts";
import { ConnectorError } from "../../connectors/errors.ts";
import { platforms } from "../../connectors/platforms.ts";
import { wakeWaitingOf } from "../lanes/waiting.ts";
import type { RuleCompiler } from "../rules/compile.ts";
import { declarationsHash } from "../rules/declarations.ts";
import { diagnosticInWords } from "../rules/diagnostic-words.ts";
import { defaultLimits } from "../sandbox/limits.ts";
import type { Tx } from "../store/database.ts";
import { keepDeclarations } from "../store/drift.ts";
import { activeLibraries, libraryHash } from "../store/libraries.ts";
import { lockRule, publishVersion } from "../store/rule-versions.ts";
import type { Direction, LibraryVersionId, SideId, VersionId } from "../store/schema.ts";
import { OutOfDate } from "./out-of-date.ts";

/** What is wrong with a rule's text, with positions as the editor shows them. */
export class RuleRefused extends Error {
  override readonly name = "RuleRefused";
  readonly diagnostics: readonly {
    readonly code: string;
    readonly message: string;
    readonly line: number;
    readonly column: number;
    readonly suggestion?: string;
    /** `lib/status` when the place is in a shared library. */
    readonly file?: string;
    /** The rule that the text is of, where several are meant. */
    readonly rule?: string;
  }[];
  constructor(ruleName: string, diagnostics: RuleRefused["diagnostics"]) {
    super([...new Set(diagnostics.map((each) => diagnosticInWords(each.rule ?? ruleName, each)))].join("\n"));
    this.diagnostics = diagnostics;
  }
}

/** What a rule's text is checked with. */
export interface Grounds {
  /** From `ruleDeclarations`. */
  readonly declarations: string;
  /** All libraries that it may import, by the name behind `lib/`. */
  readonly libraries: Readonly<Record<string, string>>;
}

/** A rule's text that was checked against the live schema of its side and can be published. */
export interface CheckedRule {
  readonly direction: Direction;
  readonly source: string;
  readonly code: string;
  readonly declarationsHash: string;
  /** What the hash is of. */
  readonly declarations: string;
  /** The libraries whose text is part of `code`. */
  readonly libraries: readonly UsedLibrary[];
  readonly report: CheckReport;
}

/** A library by the text that was compiled in, or by the version where an old program is brought back as it was. */
export type UsedLibrary = { readonly name: string; readonly hash: string } | { readonly name: string; readonly id: LibraryVersionId };

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

/** Checks a rule. Throws {@link RuleRefused} with every error of its text and of the libraries that it imports. */
export async function checkRule(
  compiler: RuleCompiler,
  { declarations, libraries }: Grounds,
  rule: { readonly name: string; readonly direction: Direction; readonly source: string },
): Promise<CheckedRule> {
  const began = performance.now();
  const compiled = await compiler.compile({ name: rule.name, source: rule.source, declarations, libraries });
  if (!compiled.ok) throw new RuleRefused(rule.name, compiled.diagnostics);
  const used = compiled.libraries.map((name) => ({ name, hash: libraryHash(libraries[name] ?? "") }));
  return checkedRule(rule.direction, rule.source, compiled.code, { declarations, libraries: used }, { diagnostics: [], checkMs: performance.now() - began });
}

/** A rule's text with what is said of it when it is published. */
export function checkedRule(
  direction: Direction,
  source: string,
  code: string,
  { declarations, libraries }: Pick<CheckedRule, "declarations" | "libraries">,
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
  return { direction, source, code, declarationsHash: hash, declarations, libraries, report };
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

/**
 * Publishes a checked rule as the next version, which runs from the next change on. What ran is always what the version names: throws OutOfDate when a
 * library that is compiled into it was published anew since the check.
 */
export async function publish(
  tx: Tx,
  sideId: SideId,
  rule: CheckedRule,
  by: { readonly note: string; readonly author: string },
): Promise<{ readonly id: VersionId; readonly number: number }> {
  await lockRule(tx, sideId, rule.direction);
  const libraries = await versionsOfUsed(tx, rule.libraries);
  // Empty when an old version is brought back unchecked: its declarations were kept when it was published.
  if (rule.declarations !== "") await keepDeclarations(tx, rule.declarationsHash, rule.declarations);
  const version = await publishVersion(tx, { sideId, ...rule, ...by, libraries });
  await wakeWaitingOf(tx, sideId);
  return version;
}

async function versionsOfUsed(tx: Tx, used: readonly UsedLibrary[]): Promise<LibraryVersionId[]> {
  if (used.length === 0) return [];
  const active = new Map((await activeLibraries(tx)).map((version) => [version.library, version]));
  return used.map((library) => {
    if ("id" in library) return library.id;
    const now = active.get(library.name);
    if (now?.hash === library.hash) return now.id;
    throw new OutOfDate("LIBRARIES_MOVED", `lib/${library.name} was published by somebody else while this was being checked; check and publish again.`);
  });
}
