import { userInfo } from "node:os";
import { RuleCompiler } from "../rules/compile.ts";
import type { Direction } from "../rules/declarations.ts";
import { startRuleSandbox } from "../rules/rule-sandbox.ts";
import { type RuleFile, readRuleFile, type SideFolder, sidesIn } from "../rules/samples/rule-folder.ts";
import { versionOf } from "../rules/samples/run-rule.ts";
import type { Surroundings } from "../rules/samples/sample.ts";
import type { OpenNode } from "../server/node.ts";
import { runSettings, type SideRow } from "../store/configuration.ts";
import { activeSource, lockRule } from "../store/rule-versions.ts";
import { listSamples } from "../store/samples.ts";
import type { VersionId } from "../store/schema.ts";
import { type CheckedRule, checkRule, publish, RuleRefused } from "../sync/publish.ts";
import { tryOnSamples } from "../sync/samples.ts";
import { count } from "./check.ts";
import { sameText } from "./pull.ts";
import { CommandProblem, exitCodes, type Report } from "./rule-command.ts";
import { liveSchemas, matchSides, type NodeChoice, sidesByName, withNode } from "./rules-of-node.ts";
import { readSamples, sampleDocument, sampleLines, type TestedSample, testSamples } from "./tested-samples.ts";
import { readBasis, versionsOf, writeBasis } from "./version-basis.ts";

export interface PublishOptions {
  readonly folder: string;
  readonly node: NodeChoice;
  readonly note: string;
  /** Why it is published although pinned samples fail; becomes part of the note. */
  readonly despiteFailures?: string | undefined;
  /** Publish over versions that the files are not based on. */
  readonly force: boolean;
  readonly dryRun: boolean;
}

/** A rule whose text is not the one that the node runs. */
interface ChangedRule {
  readonly side: SideRow;
  readonly folder: string;
  readonly rule: RuleFile;
  /** Number of the version that it takes the place of. */
  readonly over: number | undefined;
  readonly checked: CheckedRule;
  readonly tested: readonly TestedSample[];
}

/**
 * Publishes the rules of a folder whose text is not the one that the node runs: checked against the live schema, all pinned samples
 * passed, nobody else's version run over; all in one transaction or nothing.
 */
export async function publishCommand(options: PublishOptions): Promise<Report> {
  const { note, despiteFailures } = options;
  if (note.trim() === "") throw new CommandProblem(exitCodes.misuse, 'The note says nothing: say what changes, as in --note "priority travels by name".');
  if (despiteFailures?.trim() === "") throw new CommandProblem(exitCodes.misuse, "--despite-failures needs the reason in words; it is kept with the version.");
  const sides = await sidesIn(options.folder);
  return await withNode(options.node, async (node) => {
    const { changed, diagnostics } = await changedRules(node, matchSides(await sidesByName(node), sides));
    const tested = changed.flatMap((each) => each.tested);
    const document = (published: readonly object[], refused: string | null): object => ({
      published,
      refused,
      diagnostics,
      samples: tested.map(sampleDocument),
    });
    const refuse = (lines: readonly string[], why: string): Report => ({ exitCode: exitCodes.refused, lines: [...lines, why], document: document([], why) });

    if (diagnostics.length > 0) return refuse(diagnostics, "Nothing was published: the rules do not check against the instances as they are now.");
    const overs = options.force ? [] : await versionsRunOver(node, changed);
    if (overs.length > 0) return refuse(overs, "Nothing was published. Pull, bring your changes in, publish again; or publish over it with --force.");
    const failed = tested.filter((sample) => sample.pinned && !sample.passed);
    if (failed.length > 0 && despiteFailures === undefined) {
      return refuse(
        failed.flatMap((sample) => sampleLines(sample)),
        `Nothing was published: ${count(failed.length, "pinned sample")} failed. Where that is right, \`isobridge test --update\`; else --despite-failures "why".`,
      );
    }
    if (changed.length === 0) return { exitCode: exitCodes.fine, lines: ["Nothing to publish: the node runs these texts."], document: document([], null) };
    const published = options.dryRun ? changed.map(planned) : await publishAll(node, changed, options);
    const lines = published.map(
      ({ rule, version, instead }) =>
        `${options.dryRun ? "would publish" : "published"}  ${rule} as version ${version}${instead === null ? "" : ` (was ${instead})`}`,
    );
    const passed = tested.filter((sample) => sample.passed).length;
    if (tested.length > 0)
      lines.push(`${passed} of ${count(tested.length, "sample")} passed${failed.length > 0 ? `; published despite ${count(failed.length, "failure")}` : ""}.`);
    if (!options.dryRun) lines.push("The new versions run from the next change on.");
    return { exitCode: exitCodes.fine, lines, document: document(published, null) };
  });
}

async function changedRules(
  node: OpenNode,
  sides: readonly (SideFolder & { readonly row: SideRow })[],
): Promise<{ readonly changed: ChangedRule[]; readonly diagnostics: string[] }> {
  const changed: ChangedRule[] = [];
  const diagnostics: string[] = [];
  const [compiler, sandbox] = await Promise.all([RuleCompiler.start(), startRuleSandbox()]);
  try {
    for (const side of sides) {
      const samples = await readSamples(side);
      const schemas = await liveSchemas(node, side.row);
      const settings = await runSettings(node.db, side.row.id);
      for (const { path, direction } of side.rules) {
        const rule = await readRuleFile(path);
        const active = await activeSource(node.db, side.row.id, direction);
        if (active !== undefined && sameText(active.source, rule.source)) continue;
        try {
          const checked = await checkRule(compiler, schemas, { name: path, direction, source: rule.source });
          const compilation = { ok: true, code: checked.code } as const;
          const ownSamples = await testSamples(sandbox, side, [{ rule, compilation }], samples, surroundingsInNode(side.row, settings));
          const tested = [...ownSamples, ...(await samplesInNode(node, side.row, checked, settings))];
          changed.push({ side: side.row, folder: side.path, rule, over: active?.number, checked, tested });
        } catch (error) {
          if (!(error instanceof RuleRefused)) throw error;
          diagnostics.push(...error.message.split("\n"));
        }
      }
    }
  } finally {
    await Promise.all([compiler.close(), sandbox.close()]);
  }
  return { changed, diagnostics };
}

type Settings = Awaited<ReturnType<typeof runSettings>>;

function surroundingsInNode(side: SideRow, { mappings }: Settings): Surroundings {
  return { connection: { name: side.connectionName, local: side.name, remote: side.remote.name }, mappings };
}

/** The pinned samples that the node keeps itself must pass as well as those of the folder. */
async function samplesInNode(node: OpenNode, side: SideRow, checked: CheckedRule, settings: Settings): Promise<TestedSample[]> {
  const { direction, code } = checked;
  const kept = await listSamples(node.db, { sideId: side.id, direction, pinned: true });
  if (kept.length === 0) return [];
  // Isolates are kept by the id of what they run; a text that is not published has none of its own.
  const rule = { versionId: versionOf(code) as VersionId, number: 0, code, ...settings };
  const results = await tryOnSamples(await node.context(), side, direction, rule, kept);
  return results.map(({ name, ...result }) => ({ ...result, side: `${side.connectionName}/${side.name}`, path: `${name} (kept by the node)`, direction }));
}

/** Rules whose present version is not the one that the file was pulled from: somebody published in between. */
async function versionsRunOver(node: OpenNode, changed: readonly ChangedRule[]): Promise<string[]> {
  const lines: string[] = [];
  for (const { side, folder, rule, over } of changed) {
    const basis = await readBasis(folder, rule.direction);
    if (basis === undefined || over === undefined || basis === over) continue;
    const now = (await versionsOf(node.db, side, rule.direction)).find(({ number }) => number === over);
    lines.push(`${rule.path}: is based on version ${basis}, but the node runs version ${over}${now === undefined ? "" : ` (${now.author}: ${now.note})`}.`);
  }
  return lines;
}

interface Published {
  readonly rule: string;
  readonly version: number;
  /** The version that ran before; null when there was none. */
  readonly instead: number | null;
}

function planned({ side, rule, over }: ChangedRule): Published {
  return { rule: nameOf(side, rule.direction), version: (over ?? 0) + 1, instead: over ?? null };
}

async function publishAll(node: OpenNode, changed: readonly ChangedRule[], { note, despiteFailures }: PublishOptions): Promise<Published[]> {
  const author = userInfo().username;
  const published = await node.db.transaction().execute(async (tx) => {
    const done: Published[] = [];
    for (const { side, rule, over, checked, tested } of changed) {
      await lockRule(tx, side.id, rule.direction);
      const active = await activeSource(tx, side.id, rule.direction);
      if (active?.number !== over) {
        throw new CommandProblem(
          exitCodes.refused,
          `Nothing was published: somebody published ${nameOf(side, rule.direction)} at the same moment (version ${active?.number}). Pull and publish again.`,
        );
      }
      const failed = tested.filter((sample) => sample.pinned && !sample.passed);
      const isDespite = failed.length > 0 && despiteFailures !== undefined;
      const report = {
        ...checked.report,
        samples: {
          passed: tested.filter((sample) => sample.passed).length,
          failed: failed.map(({ path, differences }) => ({ name: path, differences: (differences ?? []).map(({ text }) => text) })),
        },
        ...(isDespite ? { despite: despiteFailures } : {}),
      };
      const words = isDespite ? `${note} (despite failing samples: ${despiteFailures})` : note;
      const { number } = await publish(tx, side.id, { ...checked, report }, { note: words, author });
      done.push({ rule: nameOf(side, rule.direction), version: number, instead: over ?? null });
    }
    return done;
  });
  for (const [index, { folder, rule }] of changed.entries()) {
    const number = published[index]?.version;
    if (number !== undefined) await writeBasis(folder, rule.direction, number);
  }
  return published;
}

function nameOf(side: SideRow, direction: Direction): string {
  return `${side.connectionName}/${side.name}/${direction}.ts`;
}
