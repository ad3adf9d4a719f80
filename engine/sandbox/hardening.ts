import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire, stripTypeScriptTypes } from "node:module";
import { dirname } from "node:path";
import type { Limits } from "./limits.ts";

/**
 * Starts a child that can do nothing but compute. The layers, from the outside in [M]:
 * - the kernel caps its data segment (`ulimit -d`, usable only because `--jitless` keeps V8 from reserving address space), core dumps, open files, written files;
 * - where we are root it becomes a user of its own once isolated-vm is loaded, so that children can neither signal nor trace each other;
 * - where the kernel lets us, it has a network namespace of its own with nothing in it;
 * - Node's permission model denies files, network, processes, workers, addons (a seat belt: it has had bypasses);
 * - `--jitless` takes away the compiler in which most V8 bugs live, and WebAssembly with it;
 * - the environment is empty and has no prototype: a polluted `Object.prototype.NODE_OPTIONS` would otherwise be inherited.
 *
 * `change` is for tests that take a layer away: the pool gives none.
 */
export function spawnChild(limits: Limits, change: (source: string) => string = (source) => source): ChildProcessWithoutNullStreams {
  const native = nativePath();
  const flags = [
    "--jitless",
    "--no-node-snapshot",
    "--expose-gc",
    "--max-old-space-size=128",
    "--disable-proto=delete",
    "--permission",
    "--allow-addons",
    `--allow-fs-read=${native}`,
    "--no-warnings",
    "--input-type=commonjs",
    "--eval",
    change(childSource()),
    native,
    ...ownUser(),
  ];
  const options = Object.assign(Object.create(null), {
    env: Object.assign(Object.create(null), { TZ: "UTC", LANG: "C" }),
    stdio: ["pipe", "pipe", "pipe"],
    cwd: process.platform === "win32" ? undefined : "/",
    windowsHide: true,
    shell: false,
  });
  if (process.platform === "win32") return spawn(process.execPath, flags, options) as ChildProcessWithoutNullStreams;
  const caps = `unset PWD; ulimit -c 0; ulimit -n 64; ulimit -f 0; ulimit -d ${limits.childMegabytes * 1024 - 16_384} 2>/dev/null; exec "$@"`;
  return spawn("/bin/sh", ["-c", caps, "sh", ...withoutNetwork(), process.execPath, ...flags], options) as ChildProcessWithoutNullStreams;
}

let unshare: readonly string[] | undefined;

/** The command that puts a process where there is no network, or nothing where that is not allowed (most containers): tried once. */
export function withoutNetwork(): readonly string[] {
  if (unshare !== undefined) return unshare;
  const command = process.getuid?.() === 0 ? ["unshare", "--net", "--ipc", "--"] : ["unshare", "--user", "--net", "--"];
  const [program = "", ...args] = command;
  const tried = process.platform === "linux" ? spawnSync(program, [...args, "true"], { stdio: "ignore", timeout: 5_000 }) : undefined;
  unshare = tried?.status === 0 ? command : [];
  return unshare;
}

/** A number for each child from the range that systems keep for such users (61184 to 65519), so that hardly two children share one. */
function ownUser(): [string, string] {
  if (process.platform === "win32" || process.getuid?.() !== 0) return ["-", "-"];
  const id = String(randomInt(61_184, 65_520));
  return [id, id];
}

let source: string | undefined;

function childSource(): string {
  source ??= stripTypeScriptTypes(readFileSync(new URL("./child.ts", import.meta.url), "utf8"));
  return source;
}

let native: string | undefined;

/** Where the prebuilt native part lies, asked of the loader that isolated-vm itself uses. */
function nativePath(): string {
  if (native !== undefined) return native;
  const entry = createRequire(import.meta.url).resolve("isolated-vm");
  const load = createRequire(entry)("node-gyp-build") as { path(folder: string): string };
  native = load.path(dirname(entry));
  return native;
}
