import { execFile } from "node:child_process";
import { chown, mkdtemp, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { EmbeddedPostgresError, systemCode } from "./fault.ts";

const run = promisify(execFile);

/** The account of the operating system that PostgreSQL runs as when we are root, which PostgreSQL itself refuses to be. */
export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

export function isRoot(): boolean {
  return process.geteuid?.() === 0;
}

/**
 * The account for the server, or undefined when we are an ordinary user and simply run it ourselves. Data that exist decide: they
 * stay with the account that owns them, so that a folder made by an ordinary user survives one start under sudo. Otherwise the
 * first of `postgres` and `nobody` that the machine has. A bare number would not do: `initdb` looks its user up by name.
 */
export async function accountForServer(data: string): Promise<Account | undefined> {
  if (!isRoot()) return undefined;
  const owner = await ownerOf(data);
  if (owner !== undefined && owner.uid !== 0) return owner;
  for (const name of ["postgres", "nobody"]) {
    const account = await lookUp(name);
    if (account !== undefined) return account;
  }
  throw new EmbeddedPostgresError(
    "no-account",
    "PostgreSQL does not run as root, and this machine has neither a user postgres nor a user nobody. Start as an ordinary user, or set DATABASE_URL.",
  );
}

/** What to pass to `spawn` so that a child runs as the account: with its groups dropped and none of our environment. */
export function asAccount(account: Account | undefined): { uid?: number; gid?: number; env: NodeJS.ProcessEnv } {
  // Windows programs do not start without SystemRoot. LC_ALL=C keeps the server's messages in the language that fault.ts reads.
  const { SystemRoot } = process.env;
  const env = { LC_ALL: "C", PATH: "/usr/bin:/bin", ...(SystemRoot === undefined ? {} : { SystemRoot }) };
  return account === undefined ? { env } : { uid: account.uid, gid: account.gid, env };
}

/** Whether the account can really work in a folder below `folder`. Tried, not computed: parents, access lists and mount options all count. */
export async function canWorkIn(folder: string, account: Account): Promise<boolean> {
  const probe = await mkdtemp(join(folder, "probe-"));
  try {
    await chown(probe, account.uid, account.gid);
    await run("/bin/sh", ["-c", ': > "$0/file"', probe], { ...asAccount(account), cwd: "/" });
    return true;
  } catch (error) {
    if (isRefusedIdentity(error)) throw cannotBecome(account, error);
    return false;
  } finally {
    await rm(probe, { recursive: true, force: true });
  }
}

/** `spawn EPERM` means that root may not change its identity, as in a container without that capability. */
export function isRefusedIdentity(error: unknown): boolean {
  return systemCode(error) === "EPERM" && error instanceof Error && error.message.startsWith("spawn");
}

export function cannotBecome(account: Account, cause: unknown): EmbeddedPostgresError {
  return new EmbeddedPostgresError(
    "no-account",
    `PostgreSQL does not run as root, and this process is not allowed to start it as user ${account.name}. Start as an ordinary user, or set DATABASE_URL.`,
    { cause },
  );
}

async function ownerOf(path: string): Promise<Account | undefined> {
  const stats = await stat(path).catch(() => undefined);
  return stats === undefined ? undefined : { name: `with uid ${stats.uid}`, uid: stats.uid, gid: stats.gid };
}

async function lookUp(name: string): Promise<Account | undefined> {
  try {
    const [uid, gid] = await Promise.all(["-u", "-g"].map(async (option) => Number((await run("id", [option, name])).stdout)));
    // On macOS `nobody` is 4294967294, which Node only takes as the signed -2.
    return uid !== undefined && gid !== undefined && Number.isInteger(uid) && Number.isInteger(gid) && uid !== 0
      ? { name, uid: uid | 0, gid: gid | 0 }
      : undefined;
  } catch {
    return undefined;
  }
}
