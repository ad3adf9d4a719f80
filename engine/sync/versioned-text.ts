import type { SideRow } from "../store/configuration.ts";
import type { Db, Tx } from "../store/database.ts";
import { type Draft, type DraftOf, readDraft } from "../store/drafts.ts";
import { activeLibrary, libraryVersions } from "../store/libraries.ts";
import { activeSource, sourceOfVersion } from "../store/rule-versions.ts";
import type { Direction } from "../store/schema.ts";
import { OutOfDate } from "./out-of-date.ts";
import { ruleName } from "./rule-run.ts";

/** What has numbered versions, one of them active, and at most one draft: a rule or a shared library. */
export interface VersionedText {
  /** `support/SN/incoming.ts`, `lib/status`. */
  readonly name: string;
  readonly draft: DraftOf;
  active(db: Db | Tx): Promise<{ readonly number: number; readonly source: string } | undefined>;
  /** The text of a version by its number. */
  source(db: Db | Tx, number: number): Promise<string | undefined>;
}

export function ruleText(side: SideRow, direction: Direction): VersionedText {
  return {
    name: ruleName(side, direction),
    draft: { sideId: side.id, direction },
    active: async (db) => await activeSource(db, side.id, direction),
    source: async (db, number) => await sourceOfVersion(db, side.id, direction, number),
  };
}

export function libraryText(library: string): VersionedText {
  return {
    name: `lib/${library}`,
    draft: { library },
    active: async (db) => await activeLibrary(db, library),
    source: async (db, number) => (await libraryVersions(db, library, { after: number - 1, limit: 1 }))[0]?.source,
  };
}

/** The draft, if it is still as the caller knows it. */
export async function draftAt(db: Db | Tx, text: VersionedText, revision: number): Promise<Draft> {
  const draft = await readDraft(db, text.draft);
  if (draft === undefined)
    throw new OutOfDate("DRAFT_GONE", `The draft of ${text.name} is gone: it was published or discarded.`, await presentVersion(db, text));
  if (draft.revision !== revision)
    throw new OutOfDate("DRAFT_CHANGED", `The draft of ${text.name} was changed by ${draft.author} (revision ${draft.revision}, not ${revision}).`, { draft });
  return draft;
}

/**
 * Refuses to go on when another text is active than the one that version `basedOn` holds. A version that was made because a library was published has its
 * rule's text as it was: whoever worked on that text misses nothing.
 */
export async function refuseNewer(db: Db | Tx, text: VersionedText, basedOn: number | null): Promise<void> {
  const active = await text.active(db);
  if ((active?.number ?? null) === basedOn) return;
  if (active !== undefined && basedOn !== null && basedOn < active.number && (await text.source(db, basedOn)) === active.source) return;
  throw new OutOfDate(
    "NEWER_VERSION",
    `${text.name} runs version ${active?.number ?? "none"}, but this text was made from ${basedOn === null ? "no version" : `version ${basedOn}`}.`,
    active === undefined ? {} : { version: { number: active.number, source: active.source } },
  );
}

export async function presentVersion(db: Db | Tx, text: VersionedText): Promise<OutOfDate["present"]> {
  const version = await text.active(db);
  return version === undefined ? {} : { version: { number: version.number, source: version.source } };
}
