/**
 * A small process between us and PostgreSQL. It starts the server when we say so and ends it when the pipe that we hold is closed:
 * by us, or by the kernel when we die, be it by `kill -9`. So no server outlives its owner, and a Ctrl-C, which the terminal sends to the
 * whole process group, does not reach the server before we have finished with it (this process leads a session of its own).
 *
 * Run as `node supervisor.ts <JSON of Supervised>`; ends with the server. Nothing is imported but Node, because it may have to
 * work while the checkout around it is being replaced.
 */
import { type ChildProcess, spawn } from "node:child_process";

export interface Supervised {
  readonly program: string;
  readonly args: readonly string[];
  /** A command that stops the server, for Windows, which has no signals. */
  readonly stopWith: readonly [program: string, ...args: string[]] | null;
  readonly uid?: number;
  readonly gid?: number;
  readonly env: Readonly<Record<string, string | undefined>>;
}

// The one caller is server.ts beside this file.
const { program, args, stopWith, ...identity } = JSON.parse(process.argv[2] ?? "") as Supervised;
process.title = "isobridge-postgres";

let server: ChildProcess | undefined;
let stopping = false;

// Not before the owner has said so: had it died by now, its successor would already be using the data.
process.stdin.once("data", () => {
  if (stopping) return;
  server = spawn(program, args, { ...identity, env: { ...identity.env }, stdio: ["ignore", "ignore", "inherit"], windowsHide: true });
  server.once("error", (error) => {
    process.stderr.write(`FATAL:  could not run ${program}: ${error.message}\n`);
    process.exitCode = 1;
    process.stdin.destroy();
  });
  server.once("exit", (code, signal) => process.exit(code ?? (signal === null ? 1 : 128)));
});
process.stdin.once("close", stop);
process.stdin.once("end", stop);
process.stdin.on("error", stop);
// The owner decides when to end; signals sent to everybody at once (a service manager's stop) are for it.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);
// Nobody may be listening any more.
process.stderr.on("error", () => undefined);

function stop(): void {
  if (stopping) return;
  stopping = true;
  if (server === undefined) return;
  if (stopWith !== null) {
    const [command, ...rest] = stopWith;
    spawn(command, rest, { stdio: "ignore", windowsHide: true });
  } else {
    // Fast: sessions are ended, a checkpoint is written. Immediate: as in a power cut, and recovered at the next start.
    server.kill("SIGINT");
  }
  setTimeout(() => server?.kill("SIGQUIT"), 60_000).unref();
  setTimeout(() => server?.kill("SIGKILL"), 75_000).unref();
}
