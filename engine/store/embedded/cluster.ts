import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chown, mkdtemp, open, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Account, asAccount, cannotBecome, isRefusedIdentity } from "./account.ts";
import { EmbeddedPostgresError, faultFromPostgres, faultFromSystem, systemCode } from "./fault.ts";
import type { Program } from "./program.ts";

/** The role and the database that we use. The role owns the database and may create others (tests clone theirs), but is no superuser. */
export const role = "isobridge";

/** The password of our role: random, made once, readable by us only. Written before the data that depend on it. */
export async function passwordOf(home: string): Promise<string> {
  const path = join(home, "password");
  try {
    return (await readFile(path, "utf8")).trim();
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw faultFromSystem(error, path);
  }
  const password = randomBytes(24).toString("base64url");
  try {
    await writeDurably(`${path}.new`, `${password}\n`);
    await rename(`${path}.new`, path);
    await syncFolder(home);
  } catch (error) {
    throw faultFromSystem(error, path);
  }
  return password;
}

export async function hasCluster(place: string): Promise<boolean> {
  return (await stat(join(place, "data")).catch(() => undefined)) !== undefined;
}

/**
 * Makes `<place>/data`: a cluster in UTF-8 that sorts by code point, whatever locale or ICU the machine has, with our role and
 * database in it. All or nothing: it is made beside and renamed, so that a start killed half-way leaves no half cluster.
 *
 * The superuser gets a password that nobody knows; who needs it can still use `postgres --single` as the owner of the files.
 */
export async function createCluster(options: { place: string; program: Program; account: Account | undefined; password: string }): Promise<void> {
  const { place, program, account, password } = options;
  const folder = await mkdtemp(join(place, "init-")).catch((error: unknown) => {
    throw faultFromSystem(error, place);
  });
  try {
    const data = join(folder, "data");
    const superuserPassword = join(folder, "superuser-password");
    await writeDurably(superuserPassword, `${randomBytes(24).toString("base64url")}\n`);
    if (account !== undefined) {
      await chown(superuserPassword, account.uid, account.gid);
      await chown(folder, account.uid, account.gid);
    }
    const run = (path: string, args: readonly string[], input: string) => runOnce({ path, args, input, account, folder });
    await run(program.initdb, [`--pgdata=${data}`, "--username=postgres", `--pwfile=${superuserPassword}`, ...clusterOptions], "");
    await run(program.postgres, ["--single", "-D", data, "-c", "exit_on_error=on", "-c", "log_min_messages=fatal", "postgres"], ourRoleAndDatabase(password));
    await rename(data, join(place, "data"));
    await syncFolder(place);
  } catch (error) {
    throw faultFromSystem(error, place);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

// Host authentication only; the server opens no other socket. Page checksums are on by default since PostgreSQL 18.
const clusterOptions = ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"];

/** For single-user mode, where each line is one statement. The password is base64url and needs no escape. */
function ourRoleAndDatabase(password: string): string {
  return `create role ${role} login createdb password '${password}';\ncreate database ${role} owner ${role};\n`;
}

/** Throws before anything is touched when the data are of another major version than the program, or no data at all. */
export async function checkVersion(place: string, program: Program): Promise<void> {
  const data = join(place, "data");
  let found: string;
  try {
    found = (await readFile(join(data, "PG_VERSION"), "utf8")).trim();
  } catch (error) {
    if (systemCode(error) !== "ENOENT") throw faultFromSystem(error, data);
    throw new EmbeddedPostgresError(
      "damaged",
      `${data} is no database of PostgreSQL (it has no PG_VERSION). Restore the data folder from a backup, or move it away to start empty.`,
    );
  }
  const said = await runOnce({ path: program.postgres, args: ["--version"], input: "", account: undefined, folder: "/" });
  const expected = /(\d+)/.exec(said)?.[1];
  if (found !== expected) {
    throw new EmbeddedPostgresError(
      "version",
      `The data in ${data} are those of PostgreSQL ${found}, and this is PostgreSQL ${expected}. Dump them with version ${found} and load them here, or move the folder away to start empty.`,
    );
  }
}

async function runOnce(options: { path: string; args: readonly string[]; input: string; account: Account | undefined; folder: string }): Promise<string> {
  const { path, args, input, account, folder } = options;
  return await new Promise<string>((resolve, reject) => {
    // In the draft folder as working directory, by which the next start finds it should this one be killed.
    const child = spawn(path, args, { ...asAccount(account), cwd: folder, stdio: ["pipe", "pipe", "pipe"], windowsHide: true });
    let said = "";
    let complained = "";
    child.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (complained += chunk.toString()));
    child.stdin.on("error", () => undefined); // it ended without reading; its exit code tells why
    child.stdin.end(input);
    child.once("error", (error) => reject(account !== undefined && isRefusedIdentity(error) ? cannotBecome(account, error) : error));
    child.once("close", (code) => (code === 0 ? resolve(said) : reject(faultFromPostgres(complained.split("\n"), folder))));
  });
}

async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(path, "w", 0o600);
  try {
    await file.chmod(0o600);
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  if (process.platform === "win32") return; // a folder cannot be opened there
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
