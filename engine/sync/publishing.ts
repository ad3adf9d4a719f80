import { ConnectorError } from "../../connectors/errors.ts";
import type { RuleCompiler } from "../rules/compile.ts";
import { runSettings, type SideRow } from "../store/configuration.ts";
import { discardDraft } from "../store/drafts.ts";
import { librariesOfVersion } from "../store/libraries.ts";
import { lockRule, publishedVersion } from "../store/rule-versions.ts";
import { listSamples } from "../store/samples.ts";
import type { Direction, VersionId } from "../store/schema.ts";
import { groundsOf } from "./candidate.ts";
import type { SyncContext } from "./context.ts";
import { againWhenLibrariesMoved } from "./out-of-date.ts";
import { type CheckedRule, checkedRule, checkRule, publish, RuleRefused } from "./publish.ts";
import { ruleName } from "./rule-run.ts";
import { failureLines, tryOnSamples } from "./samples.ts";
import { draftAt, refuseNewer, ruleText } from "./versioned-text.ts";

/** Pinned samples do not come out as expected, and nobody said why the text should run all the same. */
export class SamplesFail extends Error {
  override readonly name = "SamplesFail";
  readonly failed: readonly { readonly name: string; readonly differences: readonly string[] }[];
  constructor(rule: string, failed: SamplesFail["failed"]) {
    super(
      `${rule}: ${failed.length === 1 ? "a pinned sample fails" : `${failed.length} pinned samples fail`}: ${failed.map(({ name, differences }) => `${name} (${differences.join("; ")})`).join(", ")}`,
    );
    this.failed = failed;
  }
}

export interface By {
  readonly note: string;
  readonly author: string;
  /** Why to publish although pinned samples fail. */
  readonly despite?: string | undefined;
}

export interface Published {
  readonly id: VersionId;
  readonly number: number;
}

/** Checks a text, tries it on the pinned samples and publishes it. With `basedOn` it is refused when another version was published meanwhile. */
export async function publishText(
  context: SyncContext,
  compiler: () => Promise<RuleCompiler>,
  side: SideRow,
  rule: { readonly direction: Direction; readonly source: string; readonly basedOn?: number | null | undefined },
  by: By,
): Promise<Published> {
  const { direction, source, basedOn } = rule;
  return await againWhenLibrariesMoved(async () => {
    const checked = await triedOnPinned(context, side, await checkedNow(context, compiler, side, direction, source), by);
    return await context.db.transaction().execute(async (tx) => {
      await lockRule(tx, side.id, direction);
      if (basedOn !== undefined) await refuseNewer(tx, ruleText(side, direction), basedOn);
      return await publish(tx, side.id, checked, by);
    });
  });
}

/** Publishes the draft as it was at a revision, and ends it. Refused when the draft or the active version moved on; `overNewer` allows the latter. */
export async function publishDraft(
  context: SyncContext,
  compiler: () => Promise<RuleCompiler>,
  side: SideRow,
  direction: Direction,
  by: By & { readonly revision: number; readonly overNewer: boolean },
): Promise<Published> {
  const text = ruleText(side, direction);
  return await againWhenLibrariesMoved(async () => {
    const draft = await draftAt(context.db, text, by.revision);
    // Said before the check, which takes longer; the transaction looks again.
    if (!by.overNewer) await refuseNewer(context.db, text, draft.basedOn);
    const checked = await triedOnPinned(context, side, await checkedNow(context, compiler, side, direction, draft.source), by);
    return await context.db.transaction().execute(async (tx) => {
      await lockRule(tx, side.id, direction);
      if (!by.overNewer) await refuseNewer(tx, text, draft.basedOn);
      if (!(await discardDraft(tx, text.draft, by.revision))) await draftAt(tx, text, by.revision);
      return await publish(tx, side.id, checked, by);
    });
  });
}

/**
 * Lets an old text run again, as a new version. It is checked like any other. With `despite` it is brought back as it ran then
 * even if the check refuses it today or the platform cannot be asked: going back is what people do when things are on fire.
 */
export async function activateVersion(
  context: SyncContext,
  compiler: () => Promise<RuleCompiler>,
  id: string,
  by: Omit<By, "note"> & { readonly note?: string | undefined },
  side: SideRow,
): Promise<Published> {
  const old = await publishedVersion(context.db, id);
  if (old === undefined) throw new Error(`There is no version ${id}.`);
  const note = `Back to version ${old.number}${by.note === undefined ? "" : `: ${by.note}`}`;
  return await againWhenLibrariesMoved(async () => {
    const checked = await checkedNow(context, compiler, side, old.direction, old.source).catch(async (error: unknown) => {
      if (by.despite === undefined || !(error instanceof RuleRefused || error instanceof ConnectorError)) throw error;
      const diagnostics = error instanceof RuleRefused ? error.diagnostics : [{ code: error.code, message: error.message, line: 1, column: 1 }];
      const libraries = (await librariesOfVersion(context.db, old.id)).map(({ library, id: version }) => ({ name: library, id: version }));
      const { report, ...asItWas } = checkedRule(old.direction, old.source, old.code, { declarations: "", libraries }, { diagnostics, checkMs: 0 });
      // It is still the text that was checked against the declarations of then: drift goes by those.
      return { ...asItWas, declarationsHash: old.declarationsHash, report: { ...report, declarationsHash: old.declarationsHash } };
    });
    const ready = await triedOnPinned(context, side, checked, by);
    return await context.db.transaction().execute(async (tx) => await publish(tx, side.id, ready, { note, author: by.author }));
  });
}

async function checkedNow(
  context: SyncContext,
  compiler: () => Promise<RuleCompiler>,
  side: SideRow,
  direction: Direction,
  source: string,
): Promise<CheckedRule> {
  return await checkRule(await compiler(), await groundsOf(context, side, direction), { name: ruleName(side, direction), direction, source });
}

/** Tries a checked text on the pinned samples of its rule. Throws {@link SamplesFail} unless `despite` says why not to. */
export async function triedOnPinned(context: SyncContext, side: SideRow, checked: CheckedRule, by: Pick<By, "despite">): Promise<CheckedRule> {
  const samples = await listSamples(context.db, { sideId: side.id, direction: checked.direction, pinned: true });
  const rule = { versionId: `text ${context.newId()}` as VersionId, number: 0, code: checked.code, ...(await runSettings(context.db, side.id)) };
  const results = await tryOnSamples(context, side, checked.direction, rule, samples);
  const failed = results.filter((result) => !result.passed).map((result) => ({ name: result.name, differences: failureLines(result) }));
  if (failed.length > 0 && by.despite === undefined) throw new SamplesFail(ruleName(side, checked.direction), failed);
  return {
    ...checked,
    report: {
      ...checked.report,
      limits: { ...checked.report.limits, ...rule.limits },
      samples: { passed: results.length - failed.length, failed },
      ...(by.despite === undefined ? {} : { despite: by.despite }),
    },
  };
}
