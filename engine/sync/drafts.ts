import type { SideRow } from "../store/configuration.ts";
import { beginDraft, type Draft, discardDraft, readDraft, saveDraft } from "../store/drafts.ts";
import { activeSource } from "../store/rule-versions.ts";
import type { Direction } from "../store/schema.ts";
import type { SyncContext } from "./context.ts";
import { OutOfDate, presentVersion } from "./publishing.ts";
import { ruleName } from "./rule-run.ts";

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
export async function keepDraft(context: SyncContext, side: SideRow, direction: Direction, save: DraftSave): Promise<Draft> {
  const { source, revision, basedOn, author } = save;
  const place = { sideId: side.id, direction };
  const saved =
    revision === null
      ? await beginDraft(context.db, {
          ...place,
          source,
          author,
          basedOn: basedOn === undefined ? ((await activeSource(context.db, side.id, direction))?.number ?? null) : basedOn,
        })
      : await saveDraft(context.db, { ...place, source, author, revision, ...(basedOn === undefined ? {} : { basedOn }) });
  return saved ?? (await refuse(context, side, direction, revision));
}

/** Throws a draft away that nobody changed since. */
export async function dropDraft(context: SyncContext, side: SideRow, direction: Direction, revision: number): Promise<void> {
  if (!(await discardDraft(context.db, { sideId: side.id, direction, revision }))) await refuse(context, side, direction, revision);
}

async function refuse(context: SyncContext, side: SideRow, direction: Direction, revision: number | null): Promise<never> {
  const draft = await readDraft(context.db, side.id, direction);
  const name = ruleName(side, direction);
  if (draft === undefined) {
    throw new OutOfDate("DRAFT_GONE", `The draft of ${name} is gone: it was published or discarded.`, await presentVersion(context.db, side, direction));
  }
  if (revision === null) throw new OutOfDate("DRAFT_EXISTS", `${name} has a draft already, by ${draft.author} (revision ${draft.revision}).`, { draft });
  throw new OutOfDate("DRAFT_CHANGED", `The draft of ${name} was changed by ${draft.author} (revision ${draft.revision}, not ${revision}).`, { draft });
}
