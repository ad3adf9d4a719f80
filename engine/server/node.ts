import { randomUUID } from "node:crypto";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "pino";
import { Lanes } from "../lanes/lanes.ts";
import { RuleCompiler } from "../rules/compile.ts";
import { startRuleSandbox } from "../rules/rule-sandbox.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import { type Db, openDatabase, reach } from "../store/database.ts";
import { startEmbeddedPostgres } from "../store/embedded/start.ts";
import { migrate } from "../store/migrate.ts";
import { confirmKey, nodeKey, Vault } from "../store/secrets.ts";
import { ConnectorPool } from "../sync/connector-pool.ts";
import type { SyncContext } from "../sync/context.ts";

export interface NodeOptions {
  /** Where the node keeps its database (unless `databaseUrl`) and its key. */
  readonly folder: string;
  /** Another PostgreSQL instead of the embedded one. */
  readonly databaseUrl?: string | undefined;
  /** `ISOBRIDGE_KEY`, if set. */
  readonly key?: string | undefined;
  readonly log: Logger;
  /** True when a node that runs on the folder already is joined on its database; false when that is refused. */
  readonly join: boolean;
  /** Called at named points of the way of a change; for crash tests. */
  readonly passing?: SyncContext["passing"];
}

/** The parts of a node, open and ready. */
export interface OpenNode {
  readonly db: Db;
  readonly databaseUrl: string;
  readonly vault: Vault;
  /** Made when first asked for: a command that checks no rule needs no compiler. */
  compiler(): Promise<RuleCompiler>;
  /** What runners work with. */
  context(): Promise<SyncContext>;
  close(): Promise<void>;
}

const urlFile = "database.url";

/** Opens a node: its database (brought to the present schema), its key, and on demand its sandbox and rule compiler. */
export async function openNode(options: NodeOptions): Promise<OpenNode> {
  const database = await openStore(options);
  let db: Db | undefined;
  try {
    await migrate(database.url);
    db = openDatabase(database.url, { connections: 16 });
    const vault = new Vault(await nodeKey(join(options.folder, "key"), options.key));
    await confirmKey(db, vault);
    return assemble(options, database, db, vault);
  } catch (error) {
    await db?.destroy();
    await database.close();
    throw error;
  }
}

interface Store {
  readonly url: string;
  close(): Promise<void>;
}

async function openStore(options: NodeOptions): Promise<Store> {
  if (options.databaseUrl !== undefined && options.databaseUrl !== "") {
    await reach(options.databaseUrl).catch((error: Error) => {
      throw new Error(
        `The database at ${withoutPassword(options.databaseUrl ?? "")} (DATABASE_URL) cannot be reached: ${reasonOf(error)}. Check the address, the credentials and that PostgreSQL runs there.`,
      );
    });
    return { url: options.databaseUrl, close: async () => undefined };
  }
  const file = join(options.folder, urlFile);
  if (options.join) {
    const url = await readFile(file, "utf8").catch(() => undefined);
    if (
      url !== undefined &&
      (await reach(url).then(
        () => true,
        () => false,
      ))
    )
      return { url, close: async () => undefined };
  }
  const embedded = await startEmbeddedPostgres({ folder: options.folder, log: (line) => options.log.debug({ from: "postgres" }, line) });
  await writeFile(file, embedded.url, { mode: 0o600 });
  return {
    url: embedded.url,
    async close() {
      await rm(file, { force: true });
      await embedded.close();
    },
  };
}

function withoutPassword(url: string): string {
  try {
    const parsed = new URL(url);
    return `${parsed.protocol}//${parsed.username === "" ? "" : `${parsed.username}@`}${parsed.host}${parsed.pathname}`;
  } catch {
    return "an address that is not a URL";
  }
}

function reasonOf(error: Error & { code?: string }): string {
  // A refused connection to a name with several addresses arrives as an AggregateError without a text.
  return error.message === "" ? (error.code ?? error.name) : error.message;
}

function assemble(options: NodeOptions, database: Store, db: Db, vault: Vault): OpenNode {
  let compiler: Promise<RuleCompiler> | undefined;
  let sandbox: Promise<Sandbox> | undefined;
  const connectors = new ConnectorPool(db, vault);
  const checker = async (): Promise<RuleCompiler> => {
    compiler ??= RuleCompiler.start();
    return await compiler;
  };
  return {
    db,
    databaseUrl: database.url,
    vault,
    compiler: checker,
    async context() {
      sandbox ??= startRuleSandbox();
      return {
        db,
        lanes: new Lanes(db),
        sandbox: await sandbox,
        connectors,
        vault,
        compiler: checker,
        log: options.log,
        now: () => new Date(),
        random: Math.random,
        newId: randomUUID,
        passing: options.passing ?? (() => undefined),
      };
    },
    async close() {
      await (await compiler)?.close();
      await (await sandbox)?.close();
      await connectors.close();
      await db.destroy();
      await database.close();
    },
  };
}
