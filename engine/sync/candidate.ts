import { createHash } from "node:crypto";
import type { Connector, EntitySchema } from "../../connectors/connector.ts";
import type { RuleCompiler } from "../rules/compile.ts";
import { ruleDeclarations } from "../rules/declarations.ts";
import { type ActiveRule, activeRule, listTriggers, runSettings, type SideRow } from "../store/configuration.ts";
import { readDraft } from "../store/drafts.ts";
import { activeLibraries } from "../store/libraries.ts";
import { publishedVersion } from "../store/rule-versions.ts";
import type { Direction, VersionId } from "../store/schema.ts";
import type { SyncContext } from "./context.ts";
import { checkRule, type Grounds, schemasOf } from "./publish.ts";
import { ruleName } from "./rule-run.ts";
import { UnknownName } from "./unknown-name.ts";

/** Which text is meant: one that is given, a published version by its id, or, without either, the draft or else what runs now. */
export interface Which {
  readonly source?: string | undefined;
  readonly version?: string | undefined;
}

/** A text that can be run without being published. */
export interface Candidate {
  /** For people: `the given text`, `the draft`, `version 3`. */
  readonly label: string;
  readonly rule: ActiveRule;
}

/** Makes a text ready to run. A text that is not published yet is checked first: throws RuleRefused when it does not check. */
export async function candidate(
  context: SyncContext,
  compiler: () => Promise<RuleCompiler>,
  side: SideRow,
  direction: Direction,
  which: Which,
): Promise<Candidate> {
  if (which.version !== undefined) {
    const version = await publishedVersion(context.db, which.version);
    if (version === undefined || version.sideId !== side.id || version.direction !== direction) {
      throw new UnknownName(`${ruleName(side, direction)} has no version with the id ${which.version}.`);
    }
    return {
      label: `version ${version.number}`,
      rule: { versionId: version.id, number: version.number, code: version.code, ...(await runSettings(context.db, side.id)) },
    };
  }
  const draft = which.source === undefined ? await readDraft(context.db, { sideId: side.id, direction }) : undefined;
  const source = which.source ?? draft?.source;
  if (source === undefined) {
    const active = await activeRule(context.db, side.id, direction);
    if (active === undefined) throw new UnknownName(`${ruleName(side, direction)} has neither a draft nor a published version.`);
    return { label: `version ${active.number}`, rule: active };
  }
  const checked = await checkRule(await compiler(), await groundsOf(context, side, direction), { name: ruleName(side, direction), direction, source });
  // Texts that are not published are told apart by their content: isolates are kept by the id of what they run.
  const versionId = `text ${createHash("sha256").update(checked.code).digest("hex")}` as VersionId;
  return {
    label: draft === undefined ? "the given text" : "the draft",
    rule: { versionId, number: 0, code: checked.code, ...(await runSettings(context.db, side.id)) },
  };
}

/** What the rules of a side are checked against now, as far as its connector remembers; `fresh` asks the platform anew. */
export async function schemasOfSide(context: SyncContext, side: SideRow, fresh?: Connector): Promise<EntitySchema[]> {
  const connector = fresh ?? (await context.connectors.instance(side.instanceId)).connector;
  const types = (await listTriggers(context.db)).filter((trigger) => trigger.sideId === side.id).map((trigger) => trigger.entityType);
  return await schemasOf(connector, types);
}

/** The declarations of a side's rules as they are now: the one text for the editor, the check at publishing and the command line. */
export async function declarationsOf(context: SyncContext, side: SideRow, direction: Direction): Promise<string> {
  const { mappings } = await runSettings(context.db, side.id);
  return ruleDeclarations(direction, await schemasOfSide(context, side), mappings);
}

/** What a rule's text is checked with now. */
export async function groundsOf(context: SyncContext, side: SideRow, direction: Direction): Promise<Grounds> {
  return { declarations: await declarationsOf(context, side, direction), libraries: librarySources(await activeLibraries(context.db)) };
}

/** Texts by the name behind `lib/`. */
export function librarySources(versions: readonly { readonly library: string; readonly source: string }[]): Record<string, string> {
  return Object.fromEntries(versions.map(({ library, source }) => [library, source]));
}
