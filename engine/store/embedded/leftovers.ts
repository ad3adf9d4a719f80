import { execFile } from "node:child_process";
import { readdir, readFile, readlink, rm } from "node:fs/promises";
import { join, sep } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { EmbeddedPostgresError, systemCode } from "./fault.ts";

/**
 * Ends every process of PostgreSQL that still works below `place`, and clears away what unfinished starts left there. To be called
 * by the owner of the folder only: whatever still runs then belongs to an owner that was killed. A server gets time for an orderly
 * end, so that the next one needs no recovery; in the end it is killed, which loses nothing that was committed.
 */
export async function clearLeftovers(place: string, log: (line: string) => void): Promise<void> {
  const stages: readonly (readonly [NodeJS.Signals, seconds: number])[] = [
    ["SIGINT", 30],
    ["SIGQUIT", 10],
    ["SIGKILL", 10],
  ];
  for (const [signal, seconds] of stages) {
    const found = await processesBelow(place);
    if (found.length === 0) break;
    // A postmaster ends its children itself. Those whose postmaster is dead already are told one by one.
    const heads = found.filter(({ parent }) => !found.some(({ pid }) => pid === parent)).map(({ pid }) => pid);
    log(`Stopping PostgreSQL left over from an earlier start (process ${heads.join(", ")}, ${signal})`);
    for (const pid of heads) send(signal, pid);
    await waitUntilGone(place, seconds);
  }
  const remaining = await processesBelow(place);
  if (remaining.length > 0) {
    const pids = remaining.map(({ pid }) => pid).join(", ");
    throw new EmbeddedPostgresError(
      "folder-in-use",
      `PostgreSQL left over from an earlier start (process ${pids}) works in ${place} and does not end. Stop it and start again.`,
    );
  }

  // PostgreSQL refuses to start while the pid in this file exists, and after a reboot that pid is soon somebody else's.
  if (canSeeProcesses) await rm(join(place, "data", "postmaster.pid"), { force: true });
  for (const name of await readdir(place)) {
    if (/^(init|probe|program\.new)-/.test(name)) await rm(join(place, name), { recursive: true, force: true });
  }
}

// Windows has neither /proc nor ps; there PostgreSQL's own check of this file must do.
const canSeeProcesses = process.platform !== "win32";

async function waitUntilGone(place: string, seconds: number): Promise<void> {
  for (let waited = 0; waited < seconds * 1000; waited += 50) {
    if ((await processesBelow(place)).length === 0) return;
    await sleep(50);
  }
}

interface Found {
  readonly pid: number;
  readonly parent: number;
}

async function processesBelow(place: string): Promise<Found[]> {
  if (process.platform === "linux") return await workingBelow(place);
  return canSeeProcesses ? await startedOn(place) : [];
}

/**
 * PostgreSQL's processes have their data folder as working directory, which tells them from any other program, and from another
 * PostgreSQL, more surely than a pid in a file.
 */
async function workingBelow(place: string): Promise<Found[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid): Promise<Found | undefined> => {
      const folder = await readlink(`/proc/${pid}/cwd`).catch(() => ""); // not ours to see, or gone
      if (!folder.startsWith(place + sep)) return undefined;
      // "12 (postgres) S 1 …": number, command, state, parent. https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
      const [, command, parent] = /^\d+ \((.*)\) \S (\d+)/s.exec(await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "")) ?? [];
      return command === "postgres" || command === "initdb" ? { pid: Number(pid), parent: Number(parent) } : undefined;
    }),
  );
  return found.filter((one) => one !== undefined);
}

/** Where there is no /proc, as on macOS: the postmaster alone is known, by the folder in its command line. */
async function startedOn(place: string): Promise<Found[]> {
  const { stdout } = await promisify(execFile)("ps", ["-axo", "pid=,ppid=,command="], { maxBuffer: 16 * 1024 * 1024 });
  return stdout
    .split("\n")
    .filter((line) => line.includes("postgres") && line.includes(`-D ${join(place, "data")} `))
    .map((line) => line.trim().split(/\s+/))
    .map(([pid, parent]) => ({ pid: Number(pid), parent: Number(parent) }));
}

function send(signal: NodeJS.Signals, pid: number): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (systemCode(error) !== "ESRCH") throw error; // it ended by itself
  }
}
