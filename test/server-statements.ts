import pg from "pg";

const insufficientPrivilege = "42501";

/**
 * Whoever is still connected has finished its test. An autovacuum that happens to be at work in the database belongs to the
 * superuser, whom our role may not end; a drop without force asks it to go, and waits.
 */
export async function dropDatabase(server: string, name: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await execute(server, `drop database ${name} with (force)`);
    } catch (error) {
      if ((error as { code?: string }).code !== insufficientPrivilege || attempt === 10) throw error;
    }
    try {
      return await execute(server, `drop database ${name}`);
    } catch {
      // Somebody else is connected as well: with force, once more.
    }
  }
}

/** Runs one statement on a connection of its own. */
export async function execute(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
