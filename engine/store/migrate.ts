import { type Migration, Migrator } from "kysely/migration";
import { openDatabase } from "./database.ts";
import { up as first } from "./migrations/001-first.ts";
import { up as found } from "./migrations/002-found.ts";
import { up as drafts } from "./migrations/003-drafts.ts";
import { up as libraries } from "./migrations/004-libraries.ts";
import { up as platforms } from "./migrations/005-platforms.ts";
import { up as waiting } from "./migrations/006-waiting.ts";

/** Every migration by its name, in order. Written out rather than read from the folder, so that a forgotten one is a compile error. */
const migrations: Record<string, Migration> = {
  "001-first": { up: first },
  "002-found": { up: found },
  "003-drafts": { up: drafts },
  "004-libraries": { up: libraries },
  "005-platforms": { up: platforms },
  "006-waiting": { up: waiting },
};

/**
 * Brings the database at `url` (postgres://…) to the present schema; does nothing when it is there already.
 * Two nodes may call this at once: Kysely takes an advisory lock. Throws with the name of the migration that failed; a failed
 * one leaves nothing behind, since each runs in a transaction.
 */
export async function migrate(url: string): Promise<void> {
  const db = openDatabase(url, { connections: 2 });
  try {
    const migrator = new Migrator({ db, provider: { getMigrations: async () => migrations } });
    const { error, results } = await migrator.migrateToLatest();
    if (error !== undefined) {
      const failed = results?.find((result) => result.status === "Error")?.migrationName;
      throw new Error(`The database schema could not be brought up to date${failed === undefined ? "" : ` (migration ${failed})`}: ${String(error)}`, {
        cause: error,
      });
    }
  } finally {
    await db.destroy();
  }
}
