import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "isobridge-checks-test-"));
  for (const [name, bin] of Object.entries({ "@biomejs/biome": "biome", typescript: "tsc", knip: "knip" })) await tool(name, bin, "");
});
afterEach(async () => await rm(root, { recursive: true }));

test("when every check passes, the last line counts the tests and the exit code is 0", async () => {
  await vitest({ numPassedTests: 7, testResults: [file("passed", ["passed"])] }, 0);
  expect(await check()).toEqual({ last: "7 passed, 0 failed", code: 0 });
});

test("failed tests are counted", async () => {
  await vitest({ numPassedTests: 5, testResults: [file("failed", ["failed", "failed", "passed"]), file("passed", ["passed"])] }, 1);
  expect(await check()).toEqual({ last: "5 passed, 2 failed", code: 1 });
});

test("a test file that cannot be loaded counts as failed", async () => {
  await vitest({ numPassedTests: 5, testResults: [file("failed", []), file("failed", [])] }, 1);
  expect(await check()).toEqual({ last: "5 passed, 2 failed", code: 1 });
});

test("an error outside of any test counts as failed", async () => {
  await vitest({ numPassedTests: 5, testResults: [file("passed", ["passed"])] }, 1);
  expect(await check()).toEqual({ last: "5 passed, 1 failed", code: 1 });
});

test("a run of no tests has failed", async () => {
  await vitest({ numPassedTests: 0, testResults: [] }, 0);
  expect(await check()).toEqual({ last: "0 passed, 1 failed", code: 1 });
});

test("the first check that fails is the last that runs", async () => {
  await tool("typescript", "tsc", "process.exit(2);");
  await tool("knip", "knip", `console.log("must not run");`);
  await vitest({ numPassedTests: 7, testResults: [] }, 0);
  expect(await check()).toEqual({ last: "0 passed, 1 failed", code: 1 });
});

test("arguments go to the tests, and all checks see the same environment, on a build machine or not", async () => {
  await tool("vitest", "vitest", `console.log(process.argv.at(-1), process.env.CI, process.env.NODE_ENV);`);
  const { output } = await run("arrows");
  expect(output).toContain("arrows true test\n");
});

/** A tool that does what the code says, in the place where the real one is. */
async function tool(name: string, bin: string, code: string): Promise<void> {
  const folder = join(root, "node_modules", name);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "package.json"), JSON.stringify({ bin: { [bin]: "bin.cjs" } }));
  await writeFile(join(folder, "bin.cjs"), code);
}

async function vitest(report: object, code: number): Promise<void> {
  const write = `require("fs").writeFileSync(process.argv.find((word) => word.startsWith("--outputFile.json=")).split("=")[1], ${JSON.stringify(JSON.stringify(report))});`;
  await tool("vitest", "vitest", `${write} process.exit(${code});`);
}

function file(status: string, tests: string[]): object {
  return { status, assertionResults: tests.map((one) => ({ status: one })) };
}

async function check(): Promise<{ last: string | undefined; code: number | null }> {
  const { output, code } = await run();
  expect(output).not.toContain("must not run");
  return { last: output.trimEnd().split("\n").at(-1), code };
}

async function run(...args: string[]): Promise<{ output: string; code: number | null }> {
  const script = `import { runChecks } from ${JSON.stringify(new URL("checks.mjs", import.meta.url).href)};
    process.exitCode = await runChecks(process.argv[1], process.execPath, process.argv.slice(2));`;
  return await new Promise((resolve) => {
    const child = execFile(process.execPath, ["--input-type=module", "-e", script, root, ...args], (_error, output) =>
      resolve({ output, code: child.exitCode }),
    );
  });
}
