import { pino } from "pino";
import { openNode } from "../server/node.ts";
import type { Role } from "../store/schema.ts";
import { replaceToken } from "../store/tokens.ts";

/** Makes an API token and prints it. */
export async function tokenCommand(options: {
  readonly name: string;
  readonly role: Role;
  readonly folder: string;
  readonly databaseUrl?: string | undefined;
  readonly key?: string | undefined;
}): Promise<void> {
  const node = await openNode({ ...options, join: true, log: pino({ level: "silent" }) });
  try {
    process.stdout.write(`${await replaceToken(node.db, options.name, options.role)}\n`);
  } finally {
    await node.close();
  }
}
