import { createHash } from "node:crypto";
import { sql } from "kysely";
import type { Db, Tx } from "./database.ts";
import type { Direction, LibraryVersionId, SideId, VersionId } from "./schema.ts";

/** A shared library's published text. */
export interface LibraryVersion {
  readonly id: LibraryVersionId;
  /** What stands behind `lib/`. */
  readonly library: string;
  readonly number: number;
  readonly source: string;
  readonly hash: string;
  readonly note: string;
  readonly author: string;
  readonly createdAt: Date;
  readonly active: boolean;
}

/** The versions that rules are compiled with now, by name. */
export async function activeLibraries(db: Db | Tx): Promise<LibraryVersion[]> {
  return await versions(db).whereRef("library.active_version_id", "=", "library_version.id").orderBy("library_version.library").execute();
}

export async function activeLibrary(db: Db | Tx, name: string): Promise<LibraryVersion | undefined> {
  return await versions(db).whereRef("library.active_version_id", "=", "library_version.id").where("library_version.library", "=", name).executeTakeFirst();
}

/** All versions of a library, oldest first, after that number and at most `limit`. */
export async function libraryVersions(db: Db | Tx, name: string, of: { readonly after?: number; readonly limit?: number } = {}): Promise<LibraryVersion[]> {
  let query = versions(db).where("library_version.library", "=", name).orderBy("library_version.number");
  if (of.after !== undefined) query = query.where("library_version.number", ">", of.after);
  if (of.limit !== undefined) query = query.limit(of.limit);
  return await query.execute();
}

export async function libraryVersion(db: Db | Tx, id: string): Promise<LibraryVersion | undefined> {
  return await versions(db).where(sql<boolean>`library_version.id = ${id}::uuid`).executeTakeFirst();
}

function versions(db: Db | Tx) {
  return db
    .selectFrom("library_version")
    .innerJoin("library", "library.name", "library_version.library")
    .select([
      "library_version.id",
      "library_version.library",
      "library_version.number",
      "library_version.source",
      "library_version.hash",
      "library_version.note",
      "library_version.author",
      "library_version.created_at as createdAt",
      sql<boolean>`library.active_version_id = library_version.id`.as("active"),
    ]);
}

/** Stores the next numbered version of a library and makes it the one that rules are compiled with. Under {@link lockLibraries}. */
export async function publishLibraryVersion(
  tx: Tx,
  version: { readonly library: string; readonly source: string; readonly note: string; readonly author: string },
): Promise<{ readonly id: LibraryVersionId; readonly number: number }> {
  const last = await tx
    .selectFrom("library_version")
    .select(({ fn }) => fn.max("number").as("number"))
    .where("library", "=", version.library)
    .executeTakeFirst();
  const number = (last?.number ?? 0) + 1;
  const { id } = await tx
    .insertInto("library_version")
    .values({
      library: version.library,
      number,
      source: version.source,
      hash: libraryHash(version.source),
      note: version.note,
      author: version.author,
    })
    .returning("id")
    .executeTakeFirstOrThrow();
  await tx
    .insertInto("library")
    .values({ name: version.library, active_version_id: id })
    .onConflict((conflict) => conflict.column("name").doUpdateSet({ active_version_id: id }))
    .execute();
  return { id, number };
}

/** Tells texts of a library apart. */
export function libraryHash(source: string): string {
  return createHash("sha256").update(source).digest("hex");
}

/** While libraries are being published, nobody publishes a rule: what a rule was compiled with would change meanwhile. Held until the transaction ends, and taken before {@link lockRule}. */
export async function lockLibraries(tx: Tx): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtextextended('libraries', 0))`.execute(tx);
}

/** An active rule version whose program holds a library's text. */
export interface Importer {
  readonly versionId: VersionId;
  readonly number: number;
  readonly sideId: SideId;
  readonly direction: Direction;
  readonly source: string;
  readonly declarationsHash: string;
  /** Names of the libraries among those asked for. */
  readonly libraries: readonly string[];
}

/** The active rules that use any of these libraries, themselves or through another one. By the index rule_version_library_library. */
export async function importersOf(db: Db | Tx, names: readonly string[]): Promise<Importer[]> {
  if (names.length === 0) return [];
  return await db
    .selectFrom("rule")
    .innerJoin("rule_version", "rule_version.id", "rule.active_version_id")
    .innerJoin("rule_version_library", "rule_version_library.rule_version_id", "rule_version.id")
    .innerJoin("library_version", "library_version.id", "rule_version_library.library_version_id")
    .select([
      "rule_version.id as versionId",
      "rule_version.number",
      "rule_version.side_id as sideId",
      "rule_version.direction",
      "rule_version.source",
      "rule_version.declarations_hash as declarationsHash",
      sql<string[]>`array_agg(library_version.library order by library_version.library)`.as("libraries"),
    ])
    .where("library_version.library", "in", names)
    .groupBy("rule_version.id")
    .orderBy("rule_version.side_id")
    .orderBy("rule_version.direction")
    .execute();
}

/** The libraries that a rule version was compiled with, by name. */
export async function librariesOfVersion(db: Db | Tx, versionId: VersionId): Promise<LibraryVersion[]> {
  return await versions(db)
    .innerJoin("rule_version_library", "rule_version_library.library_version_id", "library_version.id")
    .where("rule_version_library.rule_version_id", "=", versionId)
    .orderBy("library_version.library")
    .execute();
}

export async function keepLibrariesOfVersion(tx: Tx, versionId: VersionId, libraries: readonly LibraryVersionId[]): Promise<void> {
  if (libraries.length === 0) return;
  await tx
    .insertInto("rule_version_library")
    .values(libraries.map((id) => ({ rule_version_id: versionId, library_version_id: id })))
    .execute();
}
