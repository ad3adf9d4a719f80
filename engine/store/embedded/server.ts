import { type ChildProcess, spawn } from "node:child_process";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Account, asAccount } from "./account.ts";
import { EmbeddedPostgresError, faultFromPostgres } from "./fault.ts";
import { clearLeftovers } from "./leftovers.ts";
import type { Program } from "./program.ts";
import type { Supervised } from "./supervisor.ts";

export interface Server {
  readonly port: number;
  /** Ends the server in good order. May be called again; each call resolves when it has ended. */
  stop(): Promise<void>;
}

interface ServerOptions {
  readonly place: string;
  readonly program: Program;
  readonly account: Account | undefined;
  readonly log: (line: string) => void;
}

/**
 * Runs the server on `<place>/data` and resolves when it takes connections. Should it die while we live (killed, out of memory), it is
 * started again on the same port, with recovery; after five deaths within a minute we give up and say so in the log.
 */
export async function runServer(options: ServerOptions): Promise<Server> {
  const { place, log } = options;
  const { port, ...first } = await startOnFreePort(options);
  let current: Running = first;
  let stopping = false;
  let restarting = Promise.resolve();
  const deaths: number[] = [];

  const watch = (running: Running): void => {
    running.process.once("exit", (code, signal) => {
      if (!stopping) restarting = restart(`exit code ${code ?? signal}`);
    });
  };
  const restart = async (how: string): Promise<void> => {
    log(`PostgreSQL ended unexpectedly (${how}); starting it again`);
    while (!stopping) {
      deaths.push(performance.now());
      if (deaths.filter((at) => at > performance.now() - 60_000).length > 5)
        return log("PostgreSQL ended five times within a minute and is not started again. Restart this process.");
      try {
        await clearLeftovers(place, log);
        current = await launch(options, port);
        release(current.process);
        return watch(current);
      } catch (error) {
        log(error instanceof Error ? error.message : String(error));
        await sleep(1000, undefined, { ref: false });
      }
    }
  };

  release(current.process);
  watch(current);
  return {
    port,
    stop: async () => {
      stopping = true;
      await restarting;
      await end(current.process);
      // Usually finds nothing; but were the supervisor killed, the server would still be there.
      await clearLeftovers(place, log);
    },
  };
}

async function startOnFreePort(options: ServerOptions): Promise<Running & { port: number }> {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    try {
      return { ...(await launch(options, port)), port };
    } catch (error) {
      const said = error instanceof StartFailure ? error.lines.join("\n") : "";
      // Between finding a port and the server's binding it, anybody may take it.
      if (/Address already in use/.test(said)) {
        if (attempt === 10) throw new EmbeddedPostgresError("no-port", "PostgreSQL found no free port on 127.0.0.1 in ten attempts.", { cause: error });
      } else if (/pre-existing shared memory block|lock file "postmaster.pid" already exists/.test(said) && attempt < 5) {
        // Left by a server that is still ending, or whose supervisor had not seen its owner's death yet.
        await sleep(300);
        await clearLeftovers(options.place, options.log);
      } else {
        throw error instanceof StartFailure ? faultFromPostgres(error.lines, join(options.place, "data")) : error;
      }
    }
  }
}

interface Running {
  readonly process: ChildProcess;
}

/** The server ended before it took connections; `lines` is what it said last. */
class StartFailure extends Error {
  readonly lines: readonly string[];

  constructor(lines: readonly string[]) {
    super(`PostgreSQL ended while starting: ${lines.at(-1) ?? "it said nothing"}`);
    this.lines = lines;
  }
}

async function launch({ place, program, account, log }: ServerOptions, port: number): Promise<Running> {
  const data = join(place, "data");
  const supervised: Supervised = {
    program: program.postgres,
    args: ["-D", data, ...Object.entries(settings(port)).flatMap(([name, value]) => ["-c", `${name}=${value}`])],
    stopWith: process.platform === "win32" ? [program.pgCtl, "stop", "-D", data, "-m", "fast"] : null,
    ...asAccount(account),
  };
  const supervisor = fileURLToPath(new URL("supervisor.ts", import.meta.url));
  const child = spawn(process.execPath, ["--max-old-space-size=64", supervisor, JSON.stringify(supervised)], {
    cwd: "/",
    detached: true,
    env: asAccount(undefined).env,
    stdio: ["pipe", "ignore", "pipe"],
    windowsHide: true,
  });
  child.stdin.on("error", () => undefined); // it ended; the exit event tells
  child.stdin.write("go\n");

  const lines: string[] = [];
  return await new Promise<Running>((resolve, reject) => {
    const slow = setInterval(() => log("PostgreSQL is still starting; after a crash it reads its log again, which can take minutes"), 15_000);
    createInterface({ input: child.stderr }).on("line", (line) => {
      log(line);
      lines.push(line);
      if (lines.length > 30) lines.shift();
      if (/^LOG: +database system is ready to accept connections/.test(line)) {
        clearInterval(slow);
        resolve({ process: child });
      }
    });
    child.once("error", (error) => {
      clearInterval(slow);
      reject(error);
    });
    child.once("close", () => {
      clearInterval(slow);
      reject(new StartFailure(lines));
    });
  });
}

/**
 * Given on the command line, where they outrank postgresql.conf and `alter system`: nobody turns durability off by accident. Small,
 * because the server shares its machine with us and often with a person's work; who needs more sets DATABASE_URL.
 */
function settings(port: number): Record<string, string> {
  return {
    port: String(port),
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    max_connections: "100",
    password_encryption: "scram-sha-256",
    fsync: "on",
    full_page_writes: "on",
    synchronous_commit: "on",
    shared_buffers: "64MB",
    maintenance_work_mem: "32MB",
    max_wal_size: "512MB",
    max_parallel_workers_per_gather: "0",
    jit: "off",
    timezone: "UTC",
    log_timezone: "UTC",
    lc_messages: "C",
    log_line_prefix: "",
    log_checkpoints: "off",
    // Above ERROR: a failed statement is told to who sent it, and must not write people's data into a log.
    log_min_messages: "log",
    log_min_error_statement: "panic",
    log_error_verbosity: "terse",
  };
}

/** A running server keeps nobody alive: a process that has nothing else to do ends, and the server with it. */
function release(child: ChildProcess): void {
  child.unref();
  for (const stream of [child.stdin, child.stderr]) if (stream !== null && "unref" in stream && typeof stream.unref === "function") stream.unref();
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.ref();
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.stdin?.end();
  await ended;
}

async function freePort(): Promise<number> {
  return await new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => (typeof address === "object" && address !== null ? resolve(address.port) : reject(new Error("no port was assigned"))));
    });
  });
}
