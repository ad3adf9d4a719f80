import type { Logger } from "pino";
import { openNode } from "../server/node.ts";
import { Runner } from "../sync/runner.ts";
import { untilAskedToStop } from "./shutdown.ts";

/** Runs one more runner on a node's database until it is asked to stop. */
export async function runnerCommand(options: {
  readonly folder: string;
  readonly databaseUrl?: string | undefined;
  readonly key?: string | undefined;
  readonly log: Logger;
}): Promise<void> {
  const stop = untilAskedToStop();
  const node = await openNode({ ...options, join: true });
  try {
    const runner = await Runner.start(await node.context(), { databaseUrl: node.databaseUrl });
    process.stdout.write(`Runner ${runner.id} is at work.\n`);
    await stop;
    await runner.stop();
  } finally {
    await node.close();
  }
}
