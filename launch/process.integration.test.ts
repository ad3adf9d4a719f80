import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { afterEach, describe, expect, test } from "vitest";

let started: number[] = [];
afterEach(() => {
  for (const pid of started) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended, as it should.
    }
  }
  started = [];
});

describe("the launcher ends as its child does", () => {
  test.each([
    ["with its exit code", "process.exit(7);", 7],
    ["with 128 and the number of the signal that killed it", `process.kill(process.pid, "SIGKILL");`, 137],
  ])("%s", async (_how, work, code) => {
    const { launcher } = await launch(work);
    expect(await once(launcher, "exit")).toEqual([code, null]);
  });
});

describe("a request to end", () => {
  const work = `let asked = 0; process.on("SIGTERM", () => { asked += 1; setTimeout(() => { console.log("asked", asked); process.exit(0); }, 300); }); setInterval(() => {}, 1000);`;

  test("is passed on once, and the launcher waits for what the child makes of it", async () => {
    const { launcher, lines } = await launch(work);
    launcher.kill("SIGTERM");
    launcher.kill("SIGTERM");
    expect(await once(launcher, "exit")).toEqual([0, null]);
    expect(lines).toContain("asked 1");
  });

  test("reaches the child even when npm's shell dies of it without passing it on", async () => {
    const { launcher: shell, lines } = await launch(work, "npm");
    shell.kill("SIGKILL");
    await expect.poll(() => lines, { timeout: 10_000 }).toContain("asked 1");
  });
});

/** Starts a launcher whose child says its pid and does `work`; under npm, below a shell, as npm does. */
async function launch(work: string, under: "nothing" | "npm" = "nothing"): Promise<{ launcher: ChildProcess; lines: string[] }> {
  const child = `${work.startsWith("let") ? work : ""} console.log("child", process.pid, process.ppid); ${work.startsWith("let") ? "" : work}`;
  const script = `import { runToEnd } from ${JSON.stringify(new URL("process.mjs", import.meta.url).href)};
    process.exitCode = await runToEnd(process.execPath, ["-e", ${JSON.stringify(child)}], {});`;
  const { npm_lifecycle_event: _not, ...env } = process.env;
  const launcher =
    under === "npm"
      ? spawn("/bin/sh", ["-c", '"$0" --input-type=module -e "$1"; true', process.execPath, script], {
          env: { ...env, npm_lifecycle_event: "start" },
          stdio: ["ignore", "pipe", "inherit"],
        })
      : spawn(process.execPath, ["--input-type=module", "-e", script], { env, stdio: ["ignore", "pipe", "inherit"] });
  const lines: string[] = [];
  await new Promise<void>((resolve, reject) => {
    if (launcher.stdout === null) return reject(new Error("the launcher has no output"));
    createInterface({ input: launcher.stdout }).on("line", (line) => {
      lines.push(line);
      const [word, ...pids] = line.split(" ");
      if (word !== "child") return;
      started.push(...pids.map(Number));
      resolve();
    });
    launcher.once("error", reject);
  });
  return { launcher, lines };
}
