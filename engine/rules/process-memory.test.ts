import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import { residentMegabytes } from "./process-memory.ts";

test.runIf(process.platform === "linux")("the memory of a process includes that of its children", async () => {
  const own = residentMegabytes(process.pid) ?? 0;
  expect(own).toBeGreaterThan(10);
  const child = spawn(process.execPath, ["--eval", "const held = Buffer.alloc(200e6, 1); console.log('ready'); process.stdin.on('data', () => held)"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  expect(residentMegabytes(process.pid)).toBeGreaterThan(own + 150);
  child.kill("SIGKILL");
  await once(child, "exit");
});

test("of a process that is not there nothing is known", () => {
  expect(residentMegabytes(2 ** 30)).toBeUndefined();
});
