import { randomBytes } from "node:crypto";
import { inject } from "vitest";
import { dropDatabase, execute } from "./server-statements.ts";

/**
 * Runs `work` with a database of its own that has the schema and no rows, and drops it after. For `*.integration.test.ts` only.
 */
export async function withDatabase<Result>(work: (url: string) => Promise<Result>): Promise<Result> {
  const { url, drop } = await createDatabase();
  try {
    return await work(url);
  } finally {
    await drop();
  }
}

/** The same for those who need it longer than one function runs, as in `beforeAll` and `afterAll`. */
export async function createDatabase(): Promise<{ url: string; drop(): Promise<void> }> {
  const { server, template } = inject("testDatabases");
  const name = `isobridge_test_${randomBytes(8).toString("hex")}`;
  await execute(server, `create database ${name} template ${template}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  return { url: url.href, drop: async () => await dropDatabase(server, name) };
}
