import { beginDraft, type Draft, discardDraft, readDraft, saveDraft } from "../store/drafts.ts";
import type { SyncContext } from "./context.ts";
import { OutOfDate } from "./out-of-date.ts";
import { presentVersion, type VersionedText } from "./versioned-text.ts";

/** What an editor saves. */
export interface DraftSave {
  readonly source: string;
  /** The revision that the editor has; null to begin a draft. */
  readonly revision: number | null;
  /** The version that the text takes into account; if not given, as before, or for a new draft the active one. */
  readonly basedOn?: number | null | undefined;
  readonly author: string;
}

/** Saves a draft over the revision that the editor had. Throws {@link OutOfDate} with what is there when somebody else was faster; nothing is overwritten then. */
export async function keepDraft({ db }: SyncContext, text: VersionedText, save: DraftSave): Promise<Draft> {
  const { source, revision, basedOn, author } = save;
  const saved =
    revision === null
      ? await beginDraft(db, text.draft, { source, author, basedOn: basedOn === undefined ? ((await text.active(db))?.number ?? null) : basedOn })
      : await saveDraft(db, text.draft, { source, author, revision, ...(basedOn === undefined ? {} : { basedOn }) });
  return saved ?? (await refuse(db, text, revision));
}

/** Throws a draft away that nobody changed since. */
export async function dropDraft({ db }: SyncContext, text: VersionedText, revision: number): Promise<void> {
  if (!(await discardDraft(db, text.draft, revision))) await refuse(db, text, revision);
}

async function refuse(db: SyncContext["db"], text: VersionedText, revision: number | null): Promise<never> {
  const draft = await readDraft(db, text.draft);
  if (draft === undefined)
    throw new OutOfDate("DRAFT_GONE", `The draft of ${text.name} is gone: it was published or discarded.`, await presentVersion(db, text));
  if (revision === null) throw new OutOfDate("DRAFT_EXISTS", `${text.name} has a draft already, by ${draft.author} (revision ${draft.revision}).`, { draft });
  throw new OutOfDate("DRAFT_CHANGED", `The draft of ${text.name} was changed by ${draft.author} (revision ${draft.revision}, not ${revision}).`, { draft });
}
