import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { EmbeddedPostgresError, faultFromSystem, systemCode } from "./fault.ts";

export interface Ownership {
  release(): void;
}

/**
 * Makes this process the one owner of `folder` until it releases it or ends, however it ends; throws `folder-in-use` when another
 * has it, in this process or any other.
 *
 * The lock is one of the kernel (a SQLite file in an open exclusive transaction; Node has no other way to lock a file). A file
 * with a pid would have to be judged: pids are used again, above all in containers, and two starts that both find a dead one can
 * both remove it. The kernel's lock is taken by one only and ends with its process, also at kill -9. The pid stands in a second
 * file, for the message alone.
 */
export async function takeOwnership(folder: string): Promise<Ownership> {
  const path = join(folder, "lock");
  await makePrivate(path);
  const lock = openLock(path);
  for (let attempt = 1; ; attempt++) {
    try {
      lock.exec("begin exclusive");
      break;
    } catch (error) {
      // A process that was killed a moment ago holds its locks until the kernel has taken it apart.
      if (sqliteCode(error) === sqliteBusy && attempt < 6) {
        await sleep(100);
        continue;
      }
      lock.close();
      if (sqliteCode(error) === sqliteBusy) throw new EmbeddedPostgresError("folder-in-use", inUse(folder, await ownerOf(folder)), { cause: error });
      throw faultFromSqlite(error, folder);
    }
  }
  try {
    const owner: Owner = { pid: process.pid, since: new Date().toISOString() };
    await writeFile(join(folder, "owner.json"), JSON.stringify(owner));
  } catch (error) {
    lock.close();
    throw faultFromSystem(error, folder);
  }
  return { release: () => lock.close() };
}

/** Another user who can open the file could lock it too, and so keep us out. */
async function makePrivate(path: string): Promise<void> {
  try {
    // Never opened by us beside SQLite: closing any handle of a file drops all locks that the process has on it (POSIX).
    await writeFile(path, "", { mode: 0o600, flag: "wx" });
  } catch (error) {
    if (systemCode(error) !== "EEXIST") throw faultFromSystem(error, path);
  }
}

interface Owner {
  readonly pid: number;
  readonly since: string;
}

function openLock(path: string): DatabaseSync {
  try {
    return new DatabaseSync(path, { timeout: 0 });
  } catch (error) {
    throw faultFromSqlite(error, path);
  }
}

/** Undefined in the instant between a new owner's lock and its file. */
async function ownerOf(folder: string): Promise<Owner | undefined> {
  try {
    const owner: unknown = JSON.parse(await readFile(join(folder, "owner.json"), "utf8"));
    if (typeof owner !== "object" || owner === null || !("pid" in owner) || !("since" in owner)) return undefined;
    return typeof owner.pid === "number" && typeof owner.since === "string" ? { pid: owner.pid, since: owner.since } : undefined;
  } catch {
    return undefined;
  }
}

function inUse(folder: string, owner: Owner | undefined): string {
  const who = owner === undefined ? "another process" : `process ${owner.pid} (since ${owner.since})`;
  return `The data folder ${folder} is in use by ${who}. Stop that process first, or start this one with another data folder.`;
}

// Result codes of SQLite; the low byte is the family. https://sqlite.org/rescode.html
const sqliteBusy = 5;
const sqliteReadOnly = 8;
const sqliteFull = 13;
const sqliteCannotOpen = 14;

function sqliteCode(error: unknown): number | undefined {
  return error instanceof Error && "errcode" in error && typeof error.errcode === "number" ? error.errcode & 0xff : undefined;
}

function faultFromSqlite(error: unknown, path: string): EmbeddedPostgresError {
  const code = sqliteCode(error);
  const said = error instanceof Error ? error.message : String(error);
  if (code === sqliteFull) return faultFromSystem(Object.assign(new Error(said), { code: "ENOSPC" }), path);
  if (code === sqliteCannotOpen || code === sqliteReadOnly) return faultFromSystem(Object.assign(new Error(said), { code: "EACCES" }), path);
  return new EmbeddedPostgresError("failed", `The data folder ${path} cannot be locked (${said}). It must lie on a local disk that supports file locks.`, {
    cause: error,
  });
}
