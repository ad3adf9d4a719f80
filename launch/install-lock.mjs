import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * Waits until no other living process holds the lock at `path`, takes it, and returns what gives it back. A holder that was killed
 * is recognised by its process: gone, or begun at another time than the holder, its number being used again.
 *
 * @param {string} path
 * @returns {Promise<() => void>}
 */
export async function holdInstallLock(path) {
  const me = describe(process.pid);
  const draft = `${path}.${process.pid}`;
  let told = false;
  for (;;) {
    const holder = readOptional(path);
    if (holder === undefined) {
      if (tryTake(path, draft, me)) return () => rmSync(path, { force: true });
    } else if (isAlive(holder)) {
      if (!told) console.log(`Another start (process ${holder.split(" ")[0]}) is installing the packages; waiting for it…`);
      told = true;
      await sleep(200);
    } else {
      removeDead(path, draft, holder);
    }
  }
}

/**
 * A link appears with its content, where a new file would be empty for an instant and look like nobody's.
 *
 * @param {string} path
 * @param {string} draft
 * @param {string} me
 */
function tryTake(path, draft, me) {
  writeFileSync(draft, me);
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

/**
 * Of two that find the same dead holder, the slower one may take away the lock that the faster has just made; it sees that by the
 * content, and puts it back.
 *
 * @param {string} path
 * @param {string} draft
 * @param {string} dead
 */
function removeDead(path, draft, dead) {
  try {
    renameSync(path, draft);
  } catch {
    return; // another was faster
  }
  if (readOptional(draft) !== dead) {
    try {
      linkSync(draft, path);
    } catch {
      // Somebody holds it again.
    }
  }
  rmSync(draft, { force: true });
}

/** @param {string} holder */
function isAlive(holder) {
  const pid = Number(holder.split(" ")[0]);
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it lives, and is somebody else's.
    if (!(error instanceof Error && "code" in error && error.code === "EPERM")) return false;
  }
  return describe(pid) === holder;
}

/**
 * A process and when it began, where the system tells (Linux: clock ticks since boot, and which boot).
 *
 * @param {number} pid
 */
function describe(pid) {
  const boot = readOptional("/proc/sys/kernel/random/boot_id")?.trim() ?? "";
  // The command name stands in brackets and may hold anything; the state follows it, and the start time is 19 fields after the state.
  const began = readOptional(`/proc/${pid}/stat`)?.split(") ").at(-1)?.split(" ")[19] ?? "";
  return `${pid} ${began} ${boot}`;
}

/** @param {string} path */
function readOptional(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
