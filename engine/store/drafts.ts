import { type Expression, type ExpressionBuilder, type SqlBool, sql } from "kysely";
import type { Db, Tx } from "./database.ts";
import type { Database, Direction, SideId } from "./schema.ts";

/** A text in the making, as it was last saved. */
export interface Draft {
  readonly source: string;
  /** Number of the version that was active when it was begun; null when there was none. */
  readonly basedOn: number | null;
  /** Changes with each save; whoever saves next has to name it. */
  readonly revision: number;
  readonly author: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** What a draft is of: a rule or a shared library. */
export type DraftOf = { readonly sideId: SideId; readonly direction: Direction } | { readonly library: string };

export async function readDraft(db: Db | Tx, of: DraftOf): Promise<Draft | undefined> {
  return await db.selectFrom("draft").select(columns).where(isOf(of)).executeTakeFirst();
}

/** The drafts of libraries, by name. */
export async function libraryDrafts(db: Db | Tx): Promise<{ readonly name: string; readonly revision: number }[]> {
  return await db
    .selectFrom("draft")
    .select(["library as name", "revision"])
    .where("library", "is not", null)
    .$narrowType<{ name: string }>()
    .orderBy("library")
    .execute();
}

/** Begins a draft. Undefined when there is one already: nothing was written. */
export async function beginDraft(
  db: Db | Tx,
  of: DraftOf,
  draft: { readonly source: string; readonly basedOn: number | null; readonly author: string },
): Promise<Draft | undefined> {
  const subject = "library" in of ? { library: of.library } : { side_id: of.sideId, direction: of.direction };
  return await db
    .insertInto("draft")
    .values({ side_id: null, direction: null, library: null, ...subject, source: draft.source, based_on: draft.basedOn, author: draft.author })
    .onConflict((conflict) => conflict.doNothing())
    .returning(columns)
    .executeTakeFirst();
}

/** Saves over the revision that the editor had. Undefined when the draft is at another one by now, or gone: nothing was written. */
export async function saveDraft(
  db: Db | Tx,
  of: DraftOf,
  draft: { readonly source: string; readonly revision: number; readonly basedOn?: number | null; readonly author: string },
): Promise<Draft | undefined> {
  return await db
    .updateTable("draft")
    .set({
      source: draft.source,
      author: draft.author,
      revision: sql<number>`nextval('draft_revision')`,
      updated_at: sql<Date>`clock_timestamp()`,
      ...(draft.basedOn === undefined ? {} : { based_on: draft.basedOn }),
    })
    .where(isOf(of))
    .where("revision", "=", draft.revision)
    .returning(columns)
    .executeTakeFirst();
}

/** Throws a draft away, if it is still at this revision. False when it is not. */
export async function discardDraft(db: Db | Tx, of: DraftOf, revision: number): Promise<boolean> {
  const gone = await db.deleteFrom("draft").where(isOf(of)).where("revision", "=", revision).returning("revision").execute();
  return gone.length > 0;
}

/** By the unique indexes draft_rule and draft_library. */
function isOf(of: DraftOf): (where: ExpressionBuilder<Database, "draft">) => Expression<SqlBool> {
  return (where) =>
    "library" in of
      ? where("library", "=", of.library)
      : where.and([where("library", "is", null), where("side_id", "=", of.sideId), where("direction", "=", of.direction)]);
}

const columns = ["source", "based_on as basedOn", "revision", "author", "created_at as createdAt", "updated_at as updatedAt"] as const;
