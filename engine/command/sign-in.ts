import { pino } from "pino";
import { openNode } from "../server/node.ts";
import { signInCallback } from "../server/sign-in.ts";
import { beginWebSignIn } from "../sync/web-sign-in.ts";

/** Begins a sign-in to an instance by a browser and prints the address to open. The node, reached at `node`, ends it. */
export async function signInCommand(options: {
  readonly instance: string;
  /** Where a browser reaches the node. */
  readonly node: string;
  readonly folder: string;
  readonly databaseUrl?: string | undefined;
  readonly key?: string | undefined;
}): Promise<void> {
  const redirectUri = new URL(signInCallback, options.node).href;
  const node = await openNode({ ...options, join: true, log: pino({ level: "silent" }) });
  try {
    const { url } = await beginWebSignIn(node, options.instance, redirectUri, "command line");
    process.stdout.write(
      `Open this address in a browser within ten minutes and sign in:\n${url}\n` +
        `The node must be running, and ${redirectUri} must be a callback URL of the app.\n`,
    );
  } finally {
    await node.close();
  }
}
