import { Kysely, PostgresDialect, sql, type Transaction } from "kysely";
import pg from "pg";
import type { Database } from "./schema.ts";

export type Db = Kysely<Database>;
export type Tx = Transaction<Database>;

// bigint columns hold counters and identities that stay far below 2^53; as text they would need a conversion at each use.
const bigintType = 20;

/**
 * Opens a pool on a PostgreSQL at `url`. `connections` bounds the pool (default 12). The session time zone is UTC.
 * Nothing is connected yet: the first query fails if the server is not there.
 */
export function openDatabase(url: string, options: { readonly connections?: number } = {}): Db {
  const pool = new pg.Pool({
    connectionString: url,
    max: options.connections ?? 12,
    application_name: "isobridge",
    types: {
      getTypeParser: ((id: number, format?: "text" | "binary") =>
        id === bigintType ? Number : pg.types.getTypeParser(id, format as "text")) as typeof pg.types.getTypeParser,
    },
  });
  // An idle connection that the server drops must not end the process; the next query opens another.
  pool.on("error", () => undefined);
  return new Kysely<Database>({ dialect: new PostgresDialect({ pool }) });
}

/** Deadlock, serialization failure, and a row that another transaction made meanwhile. */
const collisions: ReadonlySet<unknown> = new Set(["40P01", "40001", "23505"]);
const mostCollisions = 5;

/** Runs repeatable work in one transaction, and again when it collided with another transaction: the next time it sees what that one did. */
export async function transact<Result>(db: Db, work: (tx: Tx) => Promise<Result>): Promise<Result> {
  for (let tried = 1; ; tried++) {
    try {
      return await db.transaction().execute(work);
    } catch (error) {
      if (tried >= mostCollisions || !(error instanceof Error) || !collisions.has((error as Error & { code?: unknown }).code)) throw error;
    }
  }
}

/** Throws when the database does not answer. */
export async function answers(db: Db): Promise<void> {
  await sql`select 1`.execute(db);
}

/** Throws when no connection to the PostgreSQL at `url` can be made within three seconds. */
export async function reach(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 3_000, application_name: "isobridge" });
  client.on("error", () => undefined);
  await client.connect();
  await client.end();
}

/**
 * JSON text for a jsonb column. PostgreSQL refuses U+0000 and lone surrogates there, and platforms do send both: they
 * become U+FFFD, as decoders of broken text do.
 */
export function jsonText(value: unknown): string {
  const text = JSON.stringify(value);
  return /\\u(?:0000|d[89a-f])/i.test(text) ? JSON.stringify(storable(value)) : text;
}

function storable(value: unknown): unknown {
  if (typeof value === "string") return value.toWellFormed().replaceAll("\0", "\ufffd");
  if (Array.isArray(value)) return value.map(storable);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [storable(key), storable(item)]));
}
