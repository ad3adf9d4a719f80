import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { removeEmbeddedPostgres, startEmbeddedPostgres } from "../engine/store/embedded/start.ts";
import { migrate } from "../engine/store/migrate.ts";
import { dropDatabase, execute } from "./server-statements.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** A PostgreSQL with the right to create databases, and the migrated database in it that tests copy. */
    testDatabases: { readonly server: string; readonly template: string };
  }
}

/**
 * One PostgreSQL for all tests of a run: `TEST_DATABASE_URL` if set, else a private one that is thrown away. In it one database
 * with the schema, migrated once; a copy takes 30 ms where a migration takes 200.
 */
export default async function startDatabaseServer(project: TestProject): Promise<() => Promise<void>> {
  const { url: server, close } = await openServer();
  const template = `isobridge_template_${process.pid}_${Date.now()}`;
  await execute(server, `create database ${template}`);
  await migrate(databaseUrl(server, template));
  project.provide("testDatabases", { server, template });
  return async () => {
    await dropDatabase(server, template);
    await close();
  };
}

async function openServer(): Promise<{ url: string; close(): Promise<void> }> {
  const given = process.env.TEST_DATABASE_URL;
  if (given !== undefined) return { url: given, close: async () => undefined };
  const folder = await mkdtemp(join(tmpdir(), "isobridge-test-"));
  // Root's server runs as another user, who could not enter it; the data would be put elsewhere.
  await chmod(folder, 0o755);
  const { url, close } = await startEmbeddedPostgres({ folder });
  return {
    url,
    close: async () => {
      await close();
      await removeEmbeddedPostgres(folder);
      await rm(folder, { recursive: true });
    },
  };
}

function databaseUrl(server: string, name: string): string {
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
}
