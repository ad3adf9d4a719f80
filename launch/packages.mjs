import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, delimiter, join } from "node:path";
import { holdInstallLock } from "./install-lock.mjs";
import { libcOfThisMachine } from "./machine.mjs";
import { passSignalsOn } from "./process.mjs";
import { findRuntime } from "./runtime.mjs";

/** @typedef {{ version?: string, integrity?: string, optional?: boolean, os?: Words, cpu?: Words, libc?: Words }} Entry */
/** @typedef {string | string[] | undefined} Words package.json allows one word or a list */

/**
 * Installs the packages of package-lock.json unless they are there already. Of several starts at once in one checkout, one installs
 * and the others wait.
 *
 * @param {string} root
 */
export async function ensurePackages(root) {
  if (missingPackages(root).length === 0) return;
  const release = await holdInstallLock(join(root, ".install.lock"));
  try {
    if (missingPackages(root).length === 0) return; // installed while we waited
    const began = Date.now();
    console.log("Installing packages (once)…");
    await install(root, npm());
    if (missingPackages(root).length > 0) await installWithOurNode(root);
    acceptMissing(root, missingPackages(root));
    console.log(`Installed in ${Math.round((Date.now() - began) / 1000)} s.`);
  } finally {
    release();
  }
}

/**
 * What package-lock.json asks for on this machine and node_modules does not hold. npm writes down what it installed when it has
 * finished (node_modules/.package-lock.json), so an install that was killed counts as none.
 *
 * @param {string} root
 * @returns {string[]} paths such as `node_modules/zod`
 */
export function missingPackages(root) {
  const wanted = packagesOf(join(root, "package-lock.json"));
  if (wanted === undefined) throw new Error(`${root} has no package-lock.json; the checkout is not complete.`);
  const installed = packagesOf(join(root, "node_modules", ".package-lock.json"));
  const paths = Object.keys(wanted).filter((path) => path !== "");
  if (installed === undefined) return paths;

  const accepted = acceptedMissing(root);
  return paths.filter((path) => {
    const entry = wanted[path] ?? {};
    if (entry.optional === true && (!isForThisMachine(entry) || accepted.includes(path))) return false;
    const found = installed[path];
    return found?.version !== entry.version || found?.integrity !== entry.integrity || !existsSync(join(root, path, "package.json"));
  });
}

/**
 * @param {string} path
 * @returns {Record<string, Entry> | undefined}
 */
function packagesOf(path) {
  return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")).packages : undefined;
}

/**
 * Only what names a machine is asked for: an optional package without such a word belongs to another one, which may not be for
 * this machine (the WebAssembly variants do this).
 *
 * @param {Entry} entry
 */
function isForThisMachine({ os, cpu, libc }) {
  if (os === undefined && cpu === undefined) return false;
  return fits(os, process.platform) && fits(cpu, process.arch) && (libc === undefined || fits(libc, libcOfThisMachine()));
}

/**
 * @param {Words} words
 * @param {string | undefined} value
 */
function fits(words, value) {
  if (words === undefined || value === undefined) return true;
  const list = [words].flat();
  return list.every((word) => word.startsWith("!")) ? !list.includes(`!${value}`) : list.includes(value);
}

/**
 * An optional package that npm left out although it is for this machine will be left out the next time too; it is not asked for
 * again until the lock file or the machine changes. What it is needed for says so itself.
 *
 * @param {string} root
 * @param {string[]} paths
 */
function acceptMissing(root, paths) {
  const wanted = packagesOf(join(root, "package-lock.json")) ?? {};
  const required = paths.filter((path) => wanted[path]?.optional !== true);
  if (required.length > 0) throw new Error(`npm finished, but did not install ${required.join(", ")}. Remove node_modules and try again.`);
  writeFileSync(acceptedPath(root), JSON.stringify({ for: circumstances(root), paths }));
}

/**
 * @param {string} root
 * @returns {string[]}
 */
function acceptedMissing(root) {
  if (!existsSync(acceptedPath(root))) return [];
  const accepted = JSON.parse(readFileSync(acceptedPath(root), "utf8"));
  return accepted.for === circumstances(root) ? accepted.paths : [];
}

/** @param {string} root */
const acceptedPath = (root) => join(root, "node_modules", ".isobridge-left-out.json");

/** @param {string} root */
function circumstances(root) {
  const lock = createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .digest("hex");
  return `${process.platform}-${process.arch} ${lock}`;
}

/**
 * How to call npm: the one that called us, else the one on the PATH.
 *
 * @returns {{ program: string, args: string[], env: NodeJS.ProcessEnv }}
 */
function npm() {
  const caller = process.env.npm_execpath;
  if (caller !== undefined && basename(caller) === "npm-cli.js" && existsSync(caller)) return { program: process.execPath, args: [caller], env: process.env };
  return { program: process.platform === "win32" ? "npm.cmd" : "npm", args: [], env: process.env };
}

/**
 * npm leaves an optional package out, without a word, when the Node it runs on is not in the package's `engines`, and some of ours
 * leave out 20.0 to 20.18. The first pass has brought Node 26, so the second runs npm on that: from a copy, because npm removes
 * node_modules first.
 *
 * @param {string} root
 */
async function installWithOurNode(root) {
  const node = findRuntime(root);
  if (node === process.execPath) return;
  const folder = mkdtempSync(join(tmpdir(), "isobridge-node-"));
  try {
    const copy = join(folder, basename(node));
    copyFileSync(node, copy);
    const { program, args } = npm();
    // npm itself is a script that starts with the first `node` on the PATH.
    const env = {
      ...process.env,
      PATH: `${folder}${delimiter}${process.env.PATH ?? ""}`,
      NODE_OPTIONS: `--import=${new URL("old-npm.mjs", import.meta.url).href}`,
    };
    await install(root, { program: program === process.execPath ? copy : program, args, env });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * `npm ci`, independent of the user's npm configuration: a production setting must not leave out what we run on, and no package
 * runs a script of its own (package.json lists those that have one under `allowScripts`).
 */
const installArguments = [
  "ci",
  "--ignore-scripts",
  "--include=prod",
  "--include=dev",
  "--include=optional",
  "--package-lock=true",
  "--install-strategy=hoisted",
  "--engine-strict=false",
  "--dry-run=false",
  "--global=false",
  "--audit=false",
  "--fund=false",
  "--update-notifier=false",
  "--progress=false",
  "--loglevel=error",
];

/**
 * @param {string} root
 * @param {{ program: string, args: string[], env: NodeJS.ProcessEnv }} how
 * @returns {Promise<void>}
 */
function install(root, { program, args, env }) {
  return new Promise((resolve, reject) => {
    // npm.cmd can only be started by a shell; nothing in the arguments needs quoting.
    const child = spawn(program, [...args, ...installArguments], { cwd: root, env, stdio: ["ignore", "pipe", "pipe"], shell: program.endsWith(".cmd") });
    const stopPassingOn = passSignalsOn(child);
    let said = "";
    const hear = (/** @type {Buffer} */ chunk) => {
      said += chunk.toString();
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    child.once("error", (error) => {
      stopPassingOn();
      const missing = "code" in error && error.code === "ENOENT";
      reject(
        new Error(
          missing
            ? "npm was not found. Install it (it comes with Node, https://nodejs.org) and run the same command again."
            : `npm could not be started: ${error.message}`,
        ),
      );
    });
    child.once("close", (code, signal) => {
      stopPassingOn();
      if (code === 0) resolve();
      else reject(new Error(`${excerpt(said)}\n\nThe packages could not be installed: npm ci ended with ${signal ?? `exit code ${code}`}.`));
    });
  });
}

/**
 * The reason stands at the beginning of what npm says, or at the end, or has a page of usage after it.
 *
 * @param {string} text
 */
function excerpt(text) {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return (lines.length <= 40 ? lines : [...lines.slice(0, 20), "…", ...lines.slice(-20)]).join("\n");
}
