import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { holdInstallLock } from "./install-lock.mjs";

let folder: string;
let lock: string;
let children: ChildProcess[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "isobridge-install-lock-"));
  lock = join(folder, "lock");
  children = [];
});
afterEach(async () => {
  for (const child of children) child.kill("SIGKILL");
  await rm(folder, { recursive: true });
});

test("the lock is given back and leaves nothing", async () => {
  const release = await holdInstallLock(lock);
  expect(existsSync(lock)).toBe(true);
  release();
  expect(await readdir(folder)).toEqual([]);
});

test("whoever comes second waits until the first is done", async () => {
  const release = await holdInstallLock(lock);
  const second = holder(`await new Promise(() => setInterval(() => {}, 1000));`);
  await second.says("is installing the packages; waiting for it");
  release();
  await second.says("held");
});

test("a holder that was killed is not waited for", async () => {
  const first = holder(`await new Promise(() => setInterval(() => {}, 1000));`);
  await first.says("held");
  const exited = once(first.child, "exit");
  first.child.kill("SIGKILL");
  await exited;
  expect(existsSync(lock)).toBe(true);
  const release = await holdInstallLock(lock);
  release();
});

if (process.platform === "linux")
  test("a dead holder whose number is another process's now is not waited for", async () => {
    await writeFile(lock, `${process.ppid} 1 another-boot`);
    const release = await holdInstallLock(lock);
    release();
  });

test("of eight that find a dead holder at once, one at a time goes on", async () => {
  await writeFile(lock, "999999999 1 gone");
  const marker = join(folder, "inside");
  // Fails if it meets another inside.
  const work = `import { mkdirSync, rmdirSync } from "node:fs"; mkdirSync(${JSON.stringify(marker)}); await new Promise((done) => setTimeout(done, 20)); rmdirSync(${JSON.stringify(marker)});`;
  const codes = await Promise.all(Array.from({ length: 8 }, async () => (await once(holder(work).child, "exit"))[0]));
  expect(codes).toEqual(Array.from({ length: 8 }, () => 0));
  expect(await readdir(folder)).toEqual([]);
});

/** A process that takes the lock, says "held", does `work` and gives the lock back. */
function holder(work: string): { child: ChildProcess; says(words: string): Promise<void> } {
  const imports = [...work.matchAll(/^import .*?;/g)].join("");
  const script = `${imports} import { holdInstallLock } from ${JSON.stringify(new URL("install-lock.mjs", import.meta.url).href)};
    const release = await holdInstallLock(${JSON.stringify(lock)}); console.log("held"); ${work.slice(imports.length)} release();`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  let said = "";
  child.stdout.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  return { child, says: async (words) => await expect.poll(() => said, { timeout: 10_000 }).toContain(words) };
}
