import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { libcOfThisMachine } from "./machine.mjs";

const wanted = 26;

/**
 * The Node to run on: the one that came as a package, because its version is pinned; else the machine's own where it is new
 * enough. Throws with what to do where there is neither.
 *
 * @param {string} root
 * @returns {string} path of the program
 */
export function findRuntime(root) {
  for (const path of packagedNodes(join(root, "node_modules"))) {
    if (existsSync(path) && majorOf(path) === wanted) return path;
  }
  if (Number.parseInt(process.versions.node, 10) >= wanted) return process.execPath;
  throw new Error(
    `Isobridge needs Node ${wanted}. No packaged Node runs on ${machine()}, and this machine's own is ${process.version}.\n` +
      `Install Node ${wanted} (https://nodejs.org) and run the same command again.`,
  );
}

/**
 * The packages put their program under the name `node`, each in its own way, so their package.json is asked.
 *
 * @param {string} folder
 * @returns {string[]}
 */
function packagedNodes(folder) {
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).filter((name) => /^node-(bin-)?(linux|darwin|win)-/.test(name));
  return names.flatMap((name) => {
    const { bin } = JSON.parse(readFileSync(join(folder, name, "package.json"), "utf8"));
    return typeof bin?.node === "string" ? [join(folder, name, bin.node)] : [];
  });
}

/**
 * @param {string} path
 * @returns {number | undefined} undefined when it does not run here: another system's, or one for glibc on musl
 */
function majorOf(path) {
  try {
    const said = execFileSync(path, ["--version"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"], env: {} });
    return Number(/^v(\d+)\./.exec(said)?.[1]);
  } catch {
    return undefined;
  }
}

function machine() {
  const libc = libcOfThisMachine();
  return `${process.platform}-${process.arch}${libc === "musl" ? " with musl" : ""}`;
}
