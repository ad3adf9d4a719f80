import { pino } from "pino";
import { hookPath } from "../server/hooks.ts";
import { openNode } from "../server/node.ts";
import { ConnectorPool } from "../sync/connector-pool.ts";
import { checkInstance } from "../sync/instance-check.ts";

/** Checks an instance of a node and prints what a person wants to know of it. */
export async function instanceCommand(options: {
  readonly name: string;
  readonly folder: string;
  readonly databaseUrl?: string | undefined;
  readonly key?: string | undefined;
}): Promise<void> {
  const node = await openNode({ ...options, join: true, log: pino({ level: "silent" }) });
  const connectors = new ConnectorPool(node.db, node.vault);
  try {
    const { account, problems } = await checkInstance({ db: node.db, connectors }, options.name);
    const hook = await hookPath({ db: node.db, connectors }, options.name);
    const lines = [
      `${options.name}: signed in as ${account}`,
      ...(problems.length === 0 ? ["Nothing is missing."] : problems.map((problem) => `Missing: ${problem}`)),
      ...(hook === null ? [] : [`Its platform's calls go to <the node's address>${hook}`]),
    ];
    process.stdout.write(`${lines.join("\n")}\n`);
  } finally {
    await connectors.close();
    await node.close();
  }
}
