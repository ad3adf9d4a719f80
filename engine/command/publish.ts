import { userInfo } from "node:os";
import { join } from "node:path";
import type { Direction } from "../rules/declarations.ts";
import { sidesIn } from "../rules/samples/rule-folder.ts";
import type { OpenNode } from "../server/node.ts";
import type { SideRow } from "../store/configuration.ts";
import type { Tx } from "../store/database.ts";
import { libraryVersions } from "../store/libraries.ts";
import { activeSource, lockRule } from "../store/rule-versions.ts";
import { publishLibraries } from "../sync/libraries.ts";
import { OutOfDate } from "../sync/out-of-date.ts";
import { type CheckedRule, publish } from "../sync/publish.ts";
import { type ChangedTexts, changedTexts } from "./changed-texts.ts";
import { count } from "./check.ts";
import { CommandProblem, exitCodes, type Report } from "./rule-command.ts";
import { matchSides, type NodeChoice, sidesByName, withNode } from "./rules-of-node.ts";
import { sampleDocument, sampleLines, type TestedSample } from "./tested-samples.ts";
import { runOver, versionsOf, writeBasis } from "./version-basis.ts";

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

/**
 * Publishes the rules and libraries of a folder whose text is not the one that the node runs: checked against the live schema, all pinned samples
 * passed, nobody else's version run over; all in one transaction or nothing.
 */
export async function publishCommand(options: PublishOptions): Promise<Report> {
  const { note, despiteFailures } = options;
  if (note.trim() === "") throw new CommandProblem(exitCodes.misuse, 'The note says nothing: say what changes, as in --note "priority travels by name".');
  if (despiteFailures?.trim() === "") throw new CommandProblem(exitCodes.misuse, "--despite-failures needs the reason in words; it is kept with the version.");
  const sides = await sidesIn(options.folder);
  return await withNode(options.node, async (node) => {
    const changed = await changedTexts(node, options.folder, matchSides(await sidesByName(node), sides));
    const tested = [...changed.rules, ...changed.followers].flatMap((each) => each.tested);
    const document = (published: readonly object[], refused: string | null): object => ({
      published,
      refused,
      diagnostics: changed.diagnostics,
      samples: tested.map(sampleDocument),
    });
    const refuse = (lines: readonly string[], why: string): Report => ({ exitCode: exitCodes.refused, lines: [...lines, why], document: document([], why) });

    if (changed.diagnostics.length > 0)
      return refuse(changed.diagnostics, "Nothing was published: the rules do not check against the instances as they are now.");
    const overs = options.force ? [] : await versionsRunOver(node, options.folder, changed);
    if (overs.length > 0) return refuse(overs, "Nothing was published. Pull, bring your changes in, publish again; or publish over it with --force.");
    const failed = failedIn(tested);
    if (failed.length > 0 && despiteFailures === undefined) {
      return refuse(
        failed.flatMap((sample) => sampleLines(sample)),
        `Nothing was published: ${count(failed.length, "pinned sample")} failed. Where that is right, \`isobridge test --update\`; else --despite-failures "why".`,
      );
    }
    if (changed.rules.length + changed.libraries.length === 0)
      return { exitCode: exitCodes.fine, lines: ["Nothing to publish: the node runs these texts."], document: document([], null) };
    const published = options.dryRun ? planned(changed) : await publishAll(node, changed, options);
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

function failedIn(tested: readonly TestedSample[]): TestedSample[] {
  return tested.filter((sample) => sample.pinned && !sample.passed);
}

/** Texts whose present version is not the one that the file was pulled from: somebody published in between. */
async function versionsRunOver(node: OpenNode, folder: string, { rules, libraries }: ChangedTexts): Promise<string[]> {
  const found = await Promise.all([
    ...libraries.map(async ({ name, over }) => {
      const lib = join(folder, "lib");
      return await runOver({ path: join(lib, `${name}.ts`), folder: lib, name }, over, async () => await libraryVersions(node.db, name));
    }),
    ...rules.map(async ({ side, folder: own, rule: { path, direction }, over }) =>
      runOver({ path, folder: own, name: direction }, over, async () => await versionsOf(node.db, side, direction)),
    ),
  ]);
  return found.filter((line) => line !== undefined);
}

interface Published {
  /** `support/SN/outgoing.ts`, or `lib/status.ts`. */
  readonly rule: string;
  readonly version: number;
  /** The version that ran before; null when there was none. */
  readonly instead: number | null;
}

function planned({ rules, libraries, followers }: ChangedTexts): Published[] {
  return [
    ...libraries.map(({ name, over }) => ({ rule: `lib/${name}.ts`, version: (over ?? 0) + 1, instead: over ?? null })),
    ...rules.map(({ side, rule, over }) => ({ rule: nameOf(side, rule.direction), version: (over ?? 0) + 1, instead: over ?? null })),
    ...followers.map(({ follower: { side, checked, number } }) => ({ rule: nameOf(side, checked.direction), version: number + 1, instead: number })),
  ];
}

async function publishAll(node: OpenNode, changed: ChangedTexts, options: PublishOptions): Promise<Published[]> {
  const published = await node.db
    .transaction()
    .execute(async (tx) => [...(await publishChangedLibraries(tx, changed, options)), ...(await publishChangedRules(tx, changed, options))])
    .catch((error: unknown) => {
      throw error instanceof OutOfDate ? new CommandProblem(exitCodes.refused, `Nothing was published: ${error.message}`) : error;
    });
  const numbers = new Map(published.map(({ rule, version }) => [rule, version]));
  const bases = [
    ...changed.libraries.map(({ name }) => ({ folder: join(options.folder, "lib"), name, text: `lib/${name}.ts` })),
    ...changed.rules.map(({ side, folder, rule: { direction } }) => ({ folder, name: direction, text: nameOf(side, direction) })),
    ...changed.followers.map(({ follower: { side, checked } }) => ({
      folder: join(options.folder, side.connectionName, side.name),
      name: checked.direction,
      text: nameOf(side, checked.direction),
    })),
  ];
  for (const { folder, name, text } of bases) {
    const number = numbers.get(text);
    if (number !== undefined) await writeBasis(folder, name, number);
  }
  return published;
}

async function publishChangedLibraries(tx: Tx, { libraries, followers, isChanged }: ChangedTexts, options: PublishOptions): Promise<Published[]> {
  if (libraries.length === 0) return [];
  const failed = followers.some(({ tested }) => failedIn(tested).length > 0);
  const rules = followers.map(({ follower, tested }) => ({ ...follower, checked: withSamples(follower.checked, tested, options) }));
  const done = await publishLibraries(tx, { libraries, rules }, { note: noteOf(options, failed), author: userInfo().username }, isChanged);
  return [
    ...done.libraries.map(({ name, number }) => ({
      rule: `lib/${name}.ts`,
      version: number,
      instead: libraries.find((library) => library.name === name)?.over ?? null,
    })),
    ...done.rules.map(({ connection, side, direction, number }) => ({ rule: `${connection}/${side}/${direction}.ts`, version: number, instead: number - 1 })),
  ];
}

async function publishChangedRules(tx: Tx, { rules }: ChangedTexts, options: PublishOptions): Promise<Published[]> {
  const done: Published[] = [];
  for (const { side, rule, over, checked, tested } of rules) {
    await lockRule(tx, side.id, rule.direction);
    const active = await activeSource(tx, side.id, rule.direction);
    if (active?.number !== over) {
      throw new CommandProblem(
        exitCodes.refused,
        `Nothing was published: somebody published ${nameOf(side, rule.direction)} at the same moment (version ${active?.number}). Pull and publish again.`,
      );
    }
    const note = noteOf(options, failedIn(tested).length > 0);
    const { number } = await publish(tx, side.id, withSamples(checked, tested, options), { note, author: userInfo().username });
    done.push({ rule: nameOf(side, rule.direction), version: number, instead: over ?? null });
  }
  return done;
}

function withSamples(checked: CheckedRule, tested: readonly TestedSample[], { despiteFailures }: PublishOptions): CheckedRule {
  const failed = failedIn(tested);
  const samples = {
    passed: tested.filter((sample) => sample.passed).length,
    failed: failed.map(({ path, differences }) => ({ name: path, differences: (differences ?? []).map(({ text }) => text) })),
  };
  const despite = failed.length > 0 && despiteFailures !== undefined ? { despite: despiteFailures } : {};
  return { ...checked, report: { ...checked.report, samples, ...despite } };
}

function noteOf({ note, despiteFailures }: PublishOptions, hasFailures: boolean): string {
  return hasFailures && despiteFailures !== undefined ? `${note} (despite failing samples: ${despiteFailures})` : note;
}

function nameOf(side: SideRow, direction: Direction): string {
  return `${side.connectionName}/${side.name}/${direction}.ts`;
}
