import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { takeOwnership } from "./ownership.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "isobridge-ownership-"));
});
afterEach(async () => await rm(folder, { recursive: true }));

test("a folder that has an owner is refused, with the folder, the owner's process and what to do", async () => {
  const ownership = await takeOwnership(folder);
  const refusal = await takeOwnership(folder).catch((error: unknown) => error);
  expect(refusal).toMatchObject({ code: "folder-in-use" });
  expect(String(refusal)).toContain(folder);
  expect(String(refusal)).toContain(`process ${process.pid} `);
  expect(String(refusal)).toContain("Stop that process first, or start this one with another data folder.");
  // Being refused must not loosen the owner's lock: closing any handle of a file drops POSIX locks.
  await expect(takeOwnership(folder)).rejects.toMatchObject({ code: "folder-in-use" });
  ownership.release();
});

test("a folder that was given up can be owned again", async () => {
  (await takeOwnership(folder)).release();
  (await takeOwnership(folder)).release();
});

test("of twenty that want a folder at once one gets it", async () => {
  const wanted = await Promise.allSettled(Array.from({ length: 20 }, async () => await takeOwnership(folder)));
  const got = wanted.filter((one) => one.status === "fulfilled");
  expect(got).toHaveLength(1);
  got[0]?.value.release();
});

test("what a former owner wrote about itself does not keep anybody out, even if its number is a living process's", async () => {
  await writeFile(join(folder, "owner.json"), JSON.stringify({ pid: process.ppid, since: new Date().toISOString() }));
  (await takeOwnership(folder)).release();
});

test("nobody else can open the lock, and so nobody else can hold it", async () => {
  const ownership = await takeOwnership(folder);
  expect((await stat(join(folder, "lock"))).mode & 0o777).toBe(0o600);
  ownership.release();
});
