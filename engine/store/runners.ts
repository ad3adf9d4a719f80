import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import { sql } from "kysely";
import type { Db } from "./database.ts";
import type { RunnerId } from "./schema.ts";

/** How old a heartbeat may get before a runner is held to be gone. */
const heartbeatLimitMs = 15_000;

/**
 * Where this process runs, such that equal texts mean a shared process table: machine, boot and pid namespace. Elsewhere than
 * on Linux only the host name is known.
 */
function processTable(): string {
  try {
    return `${hostname()} ${readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()} ${readlinkSync("/proc/self/ns/pid")}`;
  } catch {
    return hostname();
  }
}

/** When a process of this machine started, in clock ticks since boot; undefined when it does not run or cannot be asked. */
function startOf(pid: number): string | undefined {
  try {
    // The name in parentheses may hold blanks; fields count from after it. Field 22 of the line is the start time.
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}

export async function registerRunner(db: Db): Promise<RunnerId> {
  const { id } = await db
    .insertInto("runner")
    .values({ host: processTable(), process: startOf(process.pid) ?? "", pid: process.pid })
    .returning("id")
    .executeTakeFirstOrThrow();
  return id;
}

/** Says that this runner lives. False when others took it for dead meanwhile; it is entered again then. */
export async function beat(db: Db, id: RunnerId): Promise<boolean> {
  const rows = await db.updateTable("runner").set({ heartbeat_at: sql<Date>`clock_timestamp()` }).where("id", "=", id).returning("id").execute();
  if (rows.length > 0) return true;
  await db
    .insertInto("runner")
    .values({ id, host: processTable(), process: startOf(process.pid) ?? "", pid: process.pid })
    .onConflict((conflict) => conflict.column("id").doNothing())
    .execute();
  return false;
}

export async function unregisterRunner(db: Db, id: RunnerId): Promise<void> {
  await db.deleteFrom("runner").where("id", "=", id).execute();
}

/**
 * Strikes off runners that are gone and returns their ids: those without a heartbeat for long, and at once those that ran on
 * this machine and whose process is no more, so that a restart after a kill need not wait for leases to end.
 */
export async function strikeOffDead(db: Db): Promise<RunnerId[]> {
  const here = processTable();
  const runners = await db
    .selectFrom("runner")
    .select(["id", "host", "pid", "process", sql<boolean>`heartbeat_at < clock_timestamp() - ${heartbeatLimitMs} * interval '1 millisecond'`.as("silent")])
    .execute();
  const dead = runners
    .filter((runner) => runner.silent || (runner.host === here && runner.process !== "" && startOf(runner.pid) !== runner.process))
    .map((runner) => runner.id);
  if (dead.length > 0) await db.deleteFrom("runner").where("id", "in", dead).execute();
  return dead;
}

export interface RunnerState {
  readonly id: RunnerId;
  readonly pid: number;
  readonly startedAt: Date;
  readonly heartbeatAgeMs: number;
}

export async function listRunners(db: Db): Promise<RunnerState[]> {
  return await db
    .selectFrom("runner")
    .select([
      "id",
      "pid",
      "started_at as startedAt",
      sql<number>`(extract(epoch from clock_timestamp() - heartbeat_at) * 1000)::double precision`.as("heartbeatAgeMs"),
    ])
    .orderBy("started_at")
    .execute();
}
