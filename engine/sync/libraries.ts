import type { RuleCompiler } from "../rules/compile.ts";
import { checkLibrary } from "../rules/library-check.ts";
import { listSides, type SideRow } from "../store/configuration.ts";
import type { Db, Tx } from "../store/database.ts";
import { activeVersions, declarationsBy } from "../store/drift.ts";
import { activeLibraries, type Importer, importersOf, lockLibraries, publishLibraryVersion } from "../store/libraries.ts";
import type { Direction, LibraryVersionId, VersionId } from "../store/schema.ts";
import { librarySources } from "./candidate.ts";
import { OutOfDate } from "./out-of-date.ts";
import { type CheckedRule, checkRule, publish, RuleRefused } from "./publish.ts";
import { ruleName } from "./rule-run.ts";

/** A library's text that is to take the place of the active one. */
export interface LibraryText {
  /** What stands behind `lib/`. */
  readonly name: string;
  readonly source: string;
}

/** Libraries that can be published, with the rules that follow them: active ones that use them, compiled anew. */
export interface CheckedLibraries {
  readonly libraries: readonly (LibraryText & { readonly over: number | undefined })[];
  readonly rules: readonly FollowingRule[];
}

export interface FollowingRule {
  readonly side: SideRow;
  /** The active version that it takes the place of. */
  readonly over: VersionId;
  readonly number: number;
  /** Those of the changed libraries that it uses, itself or through another one. */
  readonly uses: readonly string[];
  readonly checked: CheckedRule;
}

/** Tells the rules that somebody is about to publish anyway; they do not follow by themselves. */
export type IsOtherwiseChanged = (sideId: string, direction: Direction) => boolean;

/**
 * Checks libraries together with every active rule that uses them, each against what its version was published against: a platform that is down, or a
 * schema that changed since, is no fault of the library. Throws {@link RuleRefused} with all errors, each with the rule or library that it is in.
 */
export async function checkLibraries(
  db: Db,
  compiler: RuleCompiler,
  changed: readonly LibraryText[],
  isOtherwiseChanged: IsOtherwiseChanged = () => false,
): Promise<CheckedLibraries> {
  const active = await activeLibraries(db);
  const before = librarySources(active);
  const libraries = { ...before, ...librarySources(changed.map(({ name, source }) => ({ library: name, source }))) };
  const names = changed.map(({ name }) => name);
  const problems: RuleRefused["diagnostics"][number][] = [];
  const rules: FollowingRule[] = [];
  const sides = new Map((await listSides(db)).map((side) => [side.id, side]));
  for (const importer of (await importersOf(db, names)).filter(({ sideId, direction }) => !isOtherwiseChanged(sideId, direction))) {
    const side = sides.get(importer.sideId);
    if (side === undefined) continue;
    const checked = await recompiled(db, compiler, side, importer, libraries).catch((error: unknown) => {
      if (!(error instanceof RuleRefused)) throw error;
      problems.push(...error.diagnostics.map((each) => ({ ...each, rule: ruleName(side, importer.direction) })));
      return undefined;
    });
    if (checked !== undefined) rules.push({ side, over: importer.versionId, number: importer.number, uses: importer.libraries, checked });
  }
  const seen = new Set(rules.flatMap(({ checked }) => checked.libraries.map(({ name }) => name)));
  const unseen = changed.filter(({ name }) => !seen.has(name) && !problems.some(({ file }) => file === `lib/${name}`));
  problems.push(...(await problemsAlone(db, compiler, unseen, before, libraries)));
  if (problems.length > 0) throw new RuleRefused(names.map((name) => `lib/${name}`).join(", "), withoutRepeated(problems));
  return { libraries: changed.map((text) => ({ ...text, over: active.find(({ library }) => library === text.name)?.number })), rules };
}

async function recompiled(
  db: Db,
  compiler: RuleCompiler,
  side: SideRow,
  { direction, source, declarationsHash }: Importer,
  libraries: Readonly<Record<string, string>>,
): Promise<CheckedRule> {
  const declarations = await declarationsBy(db, declarationsHash);
  if (declarations === undefined) throw new Error(`What ${ruleName(side, direction)} was checked against is not kept.`);
  return await checkRule(compiler, { declarations, libraries }, { name: ruleName(side, direction), direction, source });
}

/** Libraries that no rule shows right or wrong: changed ones that none imports, and those that import a changed one and were right before. */
async function problemsAlone(
  db: Db,
  compiler: RuleCompiler,
  unseen: readonly LibraryText[],
  before: Readonly<Record<string, string>>,
  libraries: Readonly<Record<string, string>>,
): Promise<RuleRefused["diagnostics"][number][]> {
  const changed = Object.keys(libraries).filter((name) => libraries[name] !== before[name]);
  const users = Object.keys(before).filter((name) => before[name] === libraries[name] && changed.some((each) => (before[name] ?? "").includes(`lib/${each}`)));
  if (unseen.length === 0 && users.length === 0) return [];
  const hashes = new Set((await activeVersions(db)).map(({ declarationsHash }) => declarationsHash));
  const declarations = (await Promise.all([...hashes].map(async (hash) => await declarationsBy(db, hash)))).filter((text) => text !== undefined);
  const problems: RuleRefused["diagnostics"][number][] = [];
  for (const { name } of unseen) {
    const found = await checkLibrary(compiler, { name, libraries }, declarations);
    if (!found.ok) problems.push(...found.diagnostics);
  }
  for (const name of users) {
    const found = await checkLibrary(compiler, { name, libraries }, declarations);
    if (!found.ok && (await checkLibrary(compiler, { name, libraries: before }, declarations)).ok) problems.push(...found.diagnostics);
  }
  return problems;
}

/** An error inside a library is found by every rule that uses it, and by the library alone. */
function withoutRepeated(problems: RuleRefused["diagnostics"]): RuleRefused["diagnostics"] {
  const places = new Set<string>();
  return problems.filter(({ rule, file, line, column, code, message }) => {
    const place = JSON.stringify([file ?? rule, line, column, code, message]);
    if (places.has(place)) return false;
    places.add(place);
    return true;
  });
}

/** What became of a publication of libraries. */
export interface PublishedLibraries {
  readonly libraries: readonly { readonly name: string; readonly id: LibraryVersionId; readonly number: number }[];
  readonly rules: readonly {
    readonly connection: string;
    readonly side: string;
    readonly direction: Direction;
    readonly id: VersionId;
    readonly number: number;
  }[];
}

/**
 * Publishes checked libraries, and with them the rules that use them as new versions with the same text, all active at once. Throws OutOfDate when somebody
 * published one of them, or another rule that uses them, since the check.
 */
export async function publishLibraries(
  tx: Tx,
  { libraries, rules }: CheckedLibraries,
  by: { readonly note: string; readonly author: string },
  isOtherwiseChanged: IsOtherwiseChanged = () => false,
): Promise<PublishedLibraries> {
  await lockLibraries(tx);
  await refuseMoved(tx, libraries, rules, isOtherwiseChanged);
  const versions: PublishedLibraries["libraries"][number][] = [];
  for (const { name, source } of libraries) versions.push({ name, ...(await publishLibraryVersion(tx, { library: name, source, ...by })) });
  const numbers = new Map(versions.map(({ name, number }) => [name, number]));
  const followed: PublishedLibraries["rules"][number][] = [];
  for (const { side, uses, checked } of rules) {
    const note = `library ${uses.map((name) => `${name} ${numbers.get(name)}`).join(", ")}: ${by.note}`;
    const version = await publish(tx, side.id, checked, { note, author: by.author });
    followed.push({ connection: side.connectionName, side: side.name, direction: checked.direction, ...version });
  }
  return { libraries: versions, rules: followed };
}

async function refuseMoved(
  tx: Tx,
  libraries: CheckedLibraries["libraries"],
  rules: readonly FollowingRule[],
  isOtherwiseChanged: IsOtherwiseChanged,
): Promise<void> {
  const names = libraries.map(({ name }) => name);
  const now = (await importersOf(tx, names)).filter(({ sideId, direction }) => !isOtherwiseChanged(sideId, direction)).map(({ versionId }) => versionId);
  const checked = new Set(rules.map(({ over }) => over));
  const numbers = new Map((await activeLibraries(tx)).map(({ library, number }) => [library, number]));
  const isSame = now.length === checked.size && now.every((id) => checked.has(id)) && libraries.every(({ name, over }) => numbers.get(name) === over);
  if (isSame) return;
  throw new OutOfDate(
    "LIBRARIES_MOVED",
    `${names.map((name) => `lib/${name}`).join(", ")} or a rule that uses it was published by somebody else while this was being checked; check and publish again.`,
  );
}
