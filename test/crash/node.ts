import { pino } from "pino";
import { openNode } from "../../engine/server/node.ts";
import type { CrashPoint } from "../../engine/sync/context.ts";
import { Runner } from "../../engine/sync/runner.ts";

/** What a node to be killed is started with, as JSON in its first argument. */
export interface Mortal {
  readonly folder: string;
  readonly databaseUrl: string;
  /** Where to die, and at which passing. */
  readonly dieAt?: { readonly point: CrashPoint; readonly passing: number };
}

if (process.argv[1] === import.meta.filename) await live(JSON.parse(process.argv[2] ?? "{}") as Mortal); // our parent wrote it

async function live({ folder, databaseUrl, dieAt }: Mortal): Promise<void> {
  let passed = 0;
  const node = await openNode({
    folder,
    databaseUrl,
    join: true,
    log: pino({ level: "warn" }, pino.destination(2)),
    passing(point) {
      if (point === dieAt?.point && ++passed === dieAt.passing) process.kill(process.pid, "SIGKILL");
    },
  });
  const context = { ...(await node.context()), pace: { doubtMs: 1_000 } };
  const runner = await Runner.start(context, { databaseUrl, idleMs: 50, lanesAtOnce: 10 });
  process.stdout.write("at work\n");
  process.once("SIGTERM", async () => {
    await runner.stop();
    await node.close();
  });
}
