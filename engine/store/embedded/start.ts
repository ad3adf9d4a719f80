import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import pg from "pg";
import { accountForServer } from "./account.ts";
import { checkVersion, createCluster, hasCluster, passwordOf, role } from "./cluster.ts";
import { EmbeddedPostgresError, faultFromSystem } from "./fault.ts";
import { clearLeftovers } from "./leftovers.ts";
import { takeOwnership } from "./ownership.ts";
import { findPlace, openHome, recordedPlace } from "./place.ts";
import { prepareProgram } from "./program.ts";
import { runServer, type Server } from "./server.ts";

export interface EmbeddedPostgres {
  /** postgres://… of our database, with the password in it; on 127.0.0.1 only, and another port at each start. */
  readonly url: string;
  /** Ends the server in good order and gives the folder up. May be called again. */
  close(): Promise<void>;
}

export interface EmbeddedPostgresOptions {
  /** The data folder; made when missing. Its sub-folder `postgres` is ours alone. */
  readonly folder: string;
  /** Takes what PostgreSQL says, a line at a time, and what we do about it. No statement, data or password is ever in it. */
  readonly log?: (line: string) => void;
}

/**
 * Starts the private PostgreSQL of a data folder: a real server with real durability, which nobody else on the machine can enter,
 * and which ends with this process however that ends. The folder has one owner at a time.
 *
 * About 1.5 s the first time, when the database is made, and 0.2 s after. Throws EmbeddedPostgresError.
 */
export async function startEmbeddedPostgres({ folder, log = () => undefined }: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const home = await openHome(resolve(folder));
  const ownership = await takeOwnership(home);
  let server: Server | undefined;
  try {
    const place = await findPlace(home, async () => await accountForServer(join(home, "data")));
    await clearLeftovers(place, log);
    const account = await accountForServer(join(place, "data"));
    const program = await prepareProgram(place, account);
    const isNew = !(await hasCluster(place));
    const password = await passwordOf(home);
    if (isNew) await createCluster({ place, program, account, password });
    else await checkVersion(place, program);
    server = await runServer({ place, program, account, log });
    const url = `postgres://${role}:${password}@127.0.0.1:${server.port}/${role}`;
    await checkEntry(url, home);

    const { stop } = server;
    let closing: Promise<void> | undefined;
    const close = async () => {
      try {
        await stop();
      } finally {
        ownership.release();
      }
    };
    return { url, close: () => (closing ??= close()) };
  } catch (error) {
    await server?.stop();
    ownership.release();
    throw faultFromSystem(error, home);
  }
}

/** Removes the database of a data folder for good, wherever its data lie; does nothing when there is none. The folder must not be in use. */
export async function removeEmbeddedPostgres(folder: string): Promise<void> {
  if (!existsSync(join(resolve(folder), "postgres"))) return;
  const home = await openHome(resolve(folder));
  const ownership = await takeOwnership(home);
  try {
    const place = await recordedPlace(home);
    await clearLeftovers(place ?? home, () => undefined);
    if (place !== undefined) await rm(place, { recursive: true, force: true });
  } finally {
    ownership.release();
  }
  await rm(home, { recursive: true });
}

/** Finds out now, in words, what would otherwise be the first query's failure: a password that is not that of the data. */
async function checkEntry(url: string, home: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  try {
    await client.connect();
    await client.query("select 1");
  } catch (error) {
    // 28P01 invalid_password. https://www.postgresql.org/docs/18/errcodes-appendix.html
    if (error instanceof pg.DatabaseError && error.code === "28P01") {
      throw new EmbeddedPostgresError(
        "damaged",
        `The password in ${join(home, "password")} is not that of the database. Restore the data folder as a whole from a backup.`,
        { cause: error },
      );
    }
    throw error;
  } finally {
    await client.end();
  }
}
