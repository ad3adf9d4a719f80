import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Mortal } from "./node.ts";

/** A node in processes of its own: a group that can be killed as a whole. */
export interface ChildNode {
  /** Resolves when it died or ended, with the signal that killed it. */
  readonly gone: Promise<NodeJS.Signals | null>;
  /** Ends all of its processes at once, with -9. */
  kill(): Promise<void>;
  /** Asks it to finish what it has in hand. */
  stop(): Promise<void>;
}

/** Starts a node; resolves when its runner is at work, or when it died before that. */
export async function startChild(mortal: Mortal): Promise<ChildNode> {
  const child = spawn(process.execPath, [fileURLToPath(new URL("node.ts", import.meta.url)), JSON.stringify(mortal)], {
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said: string[] = [];
  child.stderr.on("data", (bytes: Buffer) => said.push(bytes.toString()));
  const gone = once(child, "exit").then(([code, signal]) => {
    if (signal === null && code !== 0) throw new Error(`The node ended with code ${code}:\n${said.join("")}`);
    return signal as NodeJS.Signals | null;
  });
  gone.catch(() => undefined);
  await Promise.race([once(child.stdout, "data"), gone]);
  const signal = (name: NodeJS.Signals): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, name);
    } catch (error) {
      // Dead already.
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  };
  return {
    gone,
    async kill() {
      signal("SIGKILL");
      await gone;
    },
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGTERM");
      await gone;
    },
  };
}
