import { access, chmod, constants, mkdir, mkdtemp, readFile, realpath, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type Account, canWorkIn, isRoot } from "./account.ts";
import { EmbeddedPostgresError, faultFromSystem, systemCode } from "./fault.ts";

/** Makes sure that `<folder>/postgres` exists and is ours, and returns its real path. Here lie the lock, the password and, as a rule, the data. */
export async function openHome(folder: string): Promise<string> {
  const home = join(folder, "postgres");
  try {
    // Root's server runs as another account, which must be able to pass through, but not to list.
    const mode = isRoot() ? 0o711 : 0o700;
    const isNew = (await mkdir(folder, { recursive: true, mode })) !== undefined;
    await mkdir(home, { recursive: true, mode });
    const { uid } = await stat(home);
    const me = process.geteuid?.();
    if (me !== undefined && me !== 0 && uid !== me) {
      throw new EmbeddedPostgresError(
        "wrong-owner",
        `The data folder ${home} belongs to ${uid === 0 ? "root" : `the user with uid ${uid}`}, and this process runs as uid ${me}. Start as its owner, or with another data folder.`,
      );
    }
    // After mkdir, because a strict umask would take the rights away again.
    if (isNew) await chmod(folder, mode);
    if (uid === me) await chmod(home, mode);
    return await realpath(home);
  } catch (error) {
    throw faultFromSystem(systemCode(error) === "ENOENT" ? await whyNotThere(folder) : error, home);
  }
}

/** Node says ENOENT when a folder and its parents cannot be made, whatever the reason was; the last parent that exists knows it. */
async function whyNotThere(folder: string): Promise<unknown> {
  for (let parent = dirname(folder); ; parent = dirname(parent)) {
    const error = await access(parent, constants.W_OK).then(
      () => new Error(`no folder can be made in ${parent}`),
      (reason: unknown) => reason,
    );
    if (systemCode(error) !== "ENOENT" || parent === dirname(parent)) return error;
  }
}

/**
 * The folder that holds the data and, if need be, a copy of the program: `home` itself wherever the server's account can work
 * there, which is always so for an ordinary user. Else a folder in a place that this account can reach; which one is recorded in
 * `home`, so it stays the same, and `home` is recorded in it, so that a copied checkout does not open the data of the first.
 */
export async function findPlace(home: string, account: () => Promise<Account | undefined>): Promise<string> {
  const recorded = await recordedPlace(home);
  if (recorded !== undefined) return await reopen(recorded, home);
  const server = await account();
  if (server === undefined || (await canWorkIn(home, server))) return home;
  const place = await newPlace(server);
  await writeFile(join(place, homeRecord), home);
  await writeFile(join(home, placeRecord), place);
  return place;
}

/** Where the data of `home` lie when they do not lie in it. */
export async function recordedPlace(home: string): Promise<string | undefined> {
  return await readOptional(join(home, placeRecord));
}

const placeRecord = "place";
const homeRecord = "home";

async function reopen(place: string, home: string): Promise<string> {
  const owner = await readOptional(join(place, homeRecord));
  if (owner === undefined) {
    throw new EmbeddedPostgresError(
      "damaged",
      `The database of ${home} was kept in ${place}, which is gone. Restore it, or remove ${join(home, placeRecord)} to start empty.`,
    );
  }
  if (owner === home) return place;
  if ((await recordedPlace(owner)) === place) {
    throw new EmbeddedPostgresError(
      "folder-in-use",
      `${home} is a copy of ${owner}, and the database in ${place} belongs to the latter. Remove ${join(home, placeRecord)} and ${join(home, "password")} to start empty.`,
    );
  }
  await writeFile(join(place, homeRecord), home); // the folder was moved
  return place;
}

/** Durable places first: /var/tmp outlives a reboot, the folder for temporary files need not. */
async function newPlace(account: Account): Promise<string> {
  const parents = ["/var/lib", "/var/db", "/var/tmp", tmpdir()];
  for (const parent of parents) {
    const place = await mkdtemp(join(parent, "isobridge-")).catch(() => undefined);
    if (place === undefined) continue;
    await chmod(place, 0o711);
    if (await canWorkIn(place, account)) return place;
    await rm(place, { recursive: true });
  }
  throw new EmbeddedPostgresError(
    "no-permission",
    `PostgreSQL runs as user ${account.name}, who can neither reach the data folder nor ${parents.join(", ")}. Start as an ordinary user, choose another data folder, or set DATABASE_URL.`,
  );
}

async function readOptional(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}
