import type { Logger } from "pino";
import { createApp } from "../server/app.ts";
import { listen } from "../server/listen.ts";
import { openNode } from "../server/node.ts";
import { firstToken } from "../store/tokens.ts";
import { Runner } from "../sync/runner.ts";
import { untilAskedToStop } from "./shutdown.ts";

export interface ServeOptions {
  readonly folder: string;
  readonly databaseUrl?: string | undefined;
  readonly key?: string | undefined;
  readonly port: number;
  readonly host: string;
  readonly log: Logger;
}

/** Runs a node until it is asked to stop. */
export async function serveCommand(options: ServeOptions): Promise<void> {
  const stop = untilAskedToStop();
  const node = await openNode({ ...options, join: false });
  try {
    const context = await node.context();
    const server = await listen(createApp({ context, compiler: node.compiler }), options);
    const token = await firstToken(node.db);
    // Printed, not logged: a token in a log would be read by whoever reads logs.
    if (token !== undefined) process.stdout.write(`API token (shown this once): ${token}\n`);
    process.stdout.write(`Isobridge listens on ${server.url}\n`);
    const runner = await Runner.start(context, { databaseUrl: node.databaseUrl });
    const signal = await stop;
    options.log.info({ signal }, "Finishing what is in hand, then stopping.");
    await server.close();
    await runner.stop();
  } finally {
    await node.close();
  }
}
