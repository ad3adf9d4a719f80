import { RuleCompiler } from "../rules/compile.ts";
import { ruleDeclarations } from "../rules/declarations.ts";
import { startRuleSandbox } from "../rules/rule-sandbox.ts";
import { librariesIn, type RuleFile, readRuleFile, type SideFolder } from "../rules/samples/rule-folder.ts";
import { versionOf } from "../rules/samples/run-rule.ts";
import type { Surroundings } from "../rules/samples/sample.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import type { OpenNode } from "../server/node.ts";
import { runSettings, type SideRow } from "../store/configuration.ts";
import { activeLibraries } from "../store/libraries.ts";
import { activeSource } from "../store/rule-versions.ts";
import { listSamples } from "../store/samples.ts";
import type { VersionId } from "../store/schema.ts";
import { librarySources } from "../sync/candidate.ts";
import { type CheckedLibraries, checkLibraries, type FollowingRule, type IsOtherwiseChanged, type LibraryText } from "../sync/libraries.ts";
import { type CheckedRule, checkRule, RuleRefused } from "../sync/publish.ts";
import { tryOnSamples } from "../sync/samples.ts";
import { sameText } from "./pull.ts";
import { liveSchemas } from "./rules-of-node.ts";
import { readSamples, type TestedSample, testSamples } from "./tested-samples.ts";

/** A side of the node with its folder. */
export type MatchedSide = SideFolder & { readonly row: SideRow };

/** A rule whose text is not the one that the node runs. */
export interface ChangedRule {
  readonly side: SideRow;
  readonly folder: string;
  readonly rule: RuleFile;
  /** Number of the version that it takes the place of. */
  readonly over: number | undefined;
  readonly checked: CheckedRule;
  readonly tested: readonly TestedSample[];
}

/** A rule of the node that only gets a new version because a library that it uses does. */
export interface TestedFollower {
  readonly follower: FollowingRule;
  readonly tested: readonly TestedSample[];
}

/** Texts of a folder that are not those of the node, checked and tried. */
export interface ChangedTexts {
  readonly rules: readonly ChangedRule[];
  readonly libraries: CheckedLibraries["libraries"];
  readonly followers: readonly TestedFollower[];
  /** Rules that the folder changes: they do not follow by themselves. */
  readonly isChanged: IsOtherwiseChanged;
  /** What does not check, a line each. */
  readonly diagnostics: readonly string[];
}

/** Finds what a folder changes, checks it against the instances as they are now and runs the samples of the folder and of the node. */
export async function changedTexts(node: OpenNode, folder: string, sides: readonly MatchedSide[]): Promise<ChangedTexts> {
  const [compiler, sandbox] = await Promise.all([RuleCompiler.start(), startRuleSandbox()]);
  try {
    const active = librarySources(await activeLibraries(node.db));
    const own = Object.entries(await librariesIn(folder)).filter(([name, source]) => !sameText(source, active[name] ?? ""));
    const libraries = own.map(([name, source]): LibraryText => ({ name, source }));
    const bench: Bench = { node, compiler, sandbox, libraries: { ...active, ...Object.fromEntries(own) } };
    const rules: ChangedRule[] = [];
    const diagnostics: string[] = [];
    for (const side of sides) {
      const found = await changedRules(bench, side);
      rules.push(...found.changed);
      diagnostics.push(...found.diagnostics);
    }
    const isPublished = new Set(rules.map(({ side, rule }) => `${side.id} ${rule.direction}`));
    const isChanged: IsOtherwiseChanged = (sideId, direction) => isPublished.has(`${sideId} ${direction}`);
    const checked = await checkLibraries(node.db, compiler, libraries, isChanged).catch((error: unknown): CheckedLibraries => {
      if (!(error instanceof RuleRefused)) throw error;
      diagnostics.push(...error.message.split("\n"));
      return { libraries: [], rules: [] };
    });
    const followers: TestedFollower[] = [];
    for (const follower of checked.rules) followers.push({ follower, tested: await testFollower(bench, follower, sides) });
    return { rules, libraries: checked.libraries, followers, isChanged, diagnostics: [...new Set(diagnostics)] };
  } finally {
    await Promise.all([compiler.close(), sandbox.close()]);
  }
}

interface Bench {
  readonly node: OpenNode;
  readonly compiler: RuleCompiler;
  readonly sandbox: Sandbox;
  /** All that rules may import. */
  readonly libraries: Readonly<Record<string, string>>;
}

async function changedRules(bench: Bench, side: MatchedSide): Promise<{ readonly changed: ChangedRule[]; readonly diagnostics: string[] }> {
  const { node, compiler } = bench;
  const changed: ChangedRule[] = [];
  const diagnostics: string[] = [];
  const schemas = await liveSchemas(node, side.row);
  const { mappings } = await runSettings(node.db, side.row.id);
  for (const { path, direction } of side.rules) {
    const rule = await readRuleFile(path);
    const active = await activeSource(node.db, side.row.id, direction);
    if (active !== undefined && sameText(active.source, rule.source)) continue;
    try {
      const grounds = { declarations: ruleDeclarations(direction, schemas, mappings), libraries: bench.libraries };
      const checked = await checkRule(compiler, grounds, { name: path, direction, source: rule.source });
      changed.push({ side: side.row, folder: side.path, rule, over: active?.number, checked, tested: await testRule(bench, side.row, side, rule, checked) });
    } catch (error) {
      if (!(error instanceof RuleRefused)) throw error;
      diagnostics.push(...error.message.split("\n"));
    }
  }
  return { changed, diagnostics };
}

/** A rule that only follows is tried as well: its text is the same, what it imports is not. */
async function testFollower(bench: Bench, { side, checked }: FollowingRule, sides: readonly MatchedSide[]): Promise<TestedSample[]> {
  const folder = sides.find(({ row }) => row.id === side.id);
  const file = folder?.rules.find(({ direction }) => direction === checked.direction);
  if (folder !== undefined && file !== undefined) return await testRule(bench, side, folder, await readRuleFile(file.path), checked);
  return await samplesInNode(bench.node, side, checked);
}

async function testRule(bench: Bench, side: SideRow, folder: SideFolder, rule: RuleFile, checked: CheckedRule): Promise<TestedSample[]> {
  const { mappings } = await runSettings(bench.node.db, side.id);
  const surroundings: Surroundings = { connection: { name: side.connectionName, local: side.name, remote: side.remote.name }, mappings };
  const compilation = { ok: true, code: checked.code, libraries: [] } as const;
  const ownSamples = await testSamples(bench.sandbox, folder, [{ rule, compilation }], await readSamples(folder), surroundings);
  return [...ownSamples, ...(await samplesInNode(bench.node, side, checked))];
}

/** The pinned samples that the node keeps itself must pass as well as those of the folder. */
async function samplesInNode(node: OpenNode, side: SideRow, checked: CheckedRule): Promise<TestedSample[]> {
  const { direction, code } = checked;
  const kept = await listSamples(node.db, { sideId: side.id, direction, pinned: true });
  if (kept.length === 0) return [];
  // Isolates are kept by the id of what they run; a text that is not published has none of its own.
  const rule = { versionId: versionOf(code) as VersionId, number: 0, code, ...(await runSettings(node.db, side.id)) };
  const results = await tryOnSamples(await node.context(), side, direction, rule, kept);
  return results.map(({ name, ...result }) => ({
    ...result,
    side: `${side.connectionName}/${side.name}`,
    path: `${name} (kept by the node)`,
    direction,
  }));
}
