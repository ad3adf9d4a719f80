import type { RuleCompiler } from "../rules/compile.ts";
import type { Tx } from "../store/database.ts";
import { discardDraft } from "../store/drafts.ts";
import { libraryVersion, lockLibraries } from "../store/libraries.ts";
import type { SyncContext } from "./context.ts";
import { type CheckedLibraries, checkLibraries, type LibraryText, type PublishedLibraries, publishLibraries } from "./libraries.ts";
import { againWhenLibrariesMoved } from "./out-of-date.ts";
import { type By, SamplesFail, triedOnPinned } from "./publishing.ts";
import { ruleName } from "./rule-run.ts";
import { UnknownName } from "./unknown-name.ts";
import { draftAt, libraryText, refuseNewer } from "./versioned-text.ts";

type Compiler = () => Promise<RuleCompiler>;

/** What somebody who published one library is told. */
export interface PublishedLibrary {
  readonly id: string;
  readonly number: number;
  /** The rules that follow, each with the number of its new version. */
  readonly rules: PublishedLibraries["rules"];
}

/** Publishes a library's text. Refused when a rule that uses it would not check or fail a pinned sample; with `basedOn`, when another version is active. */
export async function publishLibraryText(
  context: SyncContext,
  compiler: Compiler,
  library: LibraryText & { readonly basedOn?: number | null | undefined },
  by: By,
): Promise<PublishedLibrary> {
  const { name, source, basedOn } = library;
  // Said before the check, which takes longer; the transaction looks again.
  if (basedOn !== undefined) await refuseNewer(context.db, libraryText(name), basedOn);
  return await checkedAndPublished(context, compiler, { name, source }, by, async (tx) => {
    if (basedOn !== undefined) await refuseNewer(tx, libraryText(name), basedOn);
  });
}

/** Publishes the draft of a library as it was at a revision, and ends it. Refused as that of a rule is. */
export async function publishLibraryDraft(
  context: SyncContext,
  compiler: Compiler,
  name: string,
  by: By & { readonly revision: number; readonly overNewer: boolean },
): Promise<PublishedLibrary> {
  const text = libraryText(name);
  const draft = await draftAt(context.db, text, by.revision);
  if (!by.overNewer) await refuseNewer(context.db, text, draft.basedOn);
  return await checkedAndPublished(context, compiler, { name, source: draft.source }, by, async (tx) => {
    if (!by.overNewer) await refuseNewer(tx, text, draft.basedOn);
    if (!(await discardDraft(tx, text.draft, by.revision))) await draftAt(tx, text, by.revision);
  });
}

/** Publishes an old text of a library again, as its next version. */
export async function activateLibraryVersion(
  context: SyncContext,
  compiler: Compiler,
  id: string,
  by: Omit<By, "note"> & { readonly note?: string | undefined },
): Promise<PublishedLibrary> {
  const old = await libraryVersion(context.db, id);
  if (old === undefined) throw new UnknownName(`There is no library version ${id}.`);
  const note = `Back to version ${old.number}${by.note === undefined ? "" : `: ${by.note}`}`;
  return await checkedAndPublished(context, compiler, { name: old.library, source: old.source }, { ...by, note }, async () => undefined);
}

async function checkedAndPublished(
  context: SyncContext,
  compiler: Compiler,
  library: LibraryText,
  by: By,
  lookAgain: (tx: Tx) => Promise<void>,
): Promise<PublishedLibrary> {
  return await againWhenLibrariesMoved(async () => {
    const checked = await followersTried(context, await checkLibraries(context.db, await compiler(), [library]), by);
    const { libraries, rules } = await context.db.transaction().execute(async (tx) => {
      await lockLibraries(tx);
      await lookAgain(tx);
      return await publishLibraries(tx, checked, by);
    });
    const [version] = libraries;
    if (version === undefined) throw new Error("No version was made.");
    return { id: version.id, number: version.number, rules };
  });
}

/** Tries the rules that follow on their pinned samples. Throws {@link SamplesFail} with all that fail, unless `despite` says why not to. */
export async function followersTried(context: SyncContext, { libraries, rules }: CheckedLibraries, by: Pick<By, "despite">): Promise<CheckedLibraries> {
  const failed: SamplesFail["failed"][number][] = [];
  const tried: CheckedLibraries["rules"][number][] = [];
  for (const rule of rules) {
    try {
      tried.push({ ...rule, checked: await triedOnPinned(context, rule.side, rule.checked, by) });
    } catch (error) {
      if (!(error instanceof SamplesFail)) throw error;
      const name = ruleName(rule.side, rule.checked.direction);
      failed.push(...error.failed.map((sample) => ({ ...sample, name: `${name} ${sample.name}` })));
    }
  }
  if (failed.length > 0) throw new SamplesFail(libraries.map(({ name }) => `lib/${name}`).join(", "), failed);
  return { libraries, rules: tried };
}
