import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { runToEnd } from "./process.mjs";

/**
 * `npm test`: every check in order, up to the first that fails. The last line is `N passed, N failed`: the tests, and any other
 * check that failed. The same on every machine, whether it calls itself CI or not.
 *
 * @param {string} root
 * @param {string} node
 * @param {readonly string[]} vitestArguments filters and the like
 * @returns {Promise<number>} the exit code
 */
export async function runChecks(root, node, vitestArguments) {
  const folder = mkdtempSync(join(tmpdir(), "isobridge-checks-"));
  const report = join(folder, "vitest.json");
  const program = (/** @type {string} */ name, /** @type {string} */ bin) => programOf(root, name, bin);
  /** @type {readonly (readonly [name: string, args: readonly string[]])[]} */
  const checks = [
    ["Format and lint", [program("@biomejs/biome", "biome"), "check", "--error-on-warnings", "--no-errors-on-unmatched"]],
    ["Types", [program("typescript", "tsc"), "--noEmit", "-p", "."]],
    ["Unused code", [program("knip", "knip"), "--no-progress"]],
    ["Tests", [program("vitest", "vitest"), "run", "--reporter=default", "--reporter=json", `--outputFile.json=${report}`, ...vitestArguments]],
  ];
  const env = {
    ...process.env,
    CI: "true",
    NODE_ENV: "test",
    // What starts `node` gets ours.
    PATH: `${dirname(node)}${delimiter}${process.env.PATH ?? ""}`,
  };
  let failed = 0;
  try {
    for (const [name, args] of checks) {
      console.log(`\n${name}…`);
      const began = Date.now();
      const code = await runToEnd(node, args, { cwd: root, env });
      console.log(`${name}: ${code === 0 ? "passed" : `failed (exit code ${code})`} in ${((Date.now() - began) / 1000).toFixed(1)} s`);
      if (code === 0) continue;
      failed = 1;
      break;
    }
    const tests = countTests(report);
    // A test file that cannot be loaded, or an error outside of any test, fails the run without a failed test.
    failed = Math.max(failed, tests.failed, tests.passed === 0 ? 1 : 0);
    console.log(`\n${tests.passed} passed, ${failed} failed`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return failed === 0 ? 0 : 1;
}

/**
 * @param {string} report
 * @returns {{ passed: number, failed: number }}
 */
function countTests(report) {
  if (!existsSync(report)) return { passed: 0, failed: 0 };
  const { numPassedTests, testResults } = JSON.parse(readFileSync(report, "utf8"));
  let failed = 0;
  for (const { status, assertionResults } of testResults) {
    const failures = assertionResults.filter((/** @type {{ status: string }} */ test) => test.status === "failed").length;
    failed += status === "failed" ? Math.max(failures, 1) : failures;
  }
  return { passed: numPassedTests, failed };
}

/**
 * The script behind a package's command, to be run by our Node: the link in .bin would be run by the machine's.
 *
 * @param {string} root
 * @param {string} name
 * @param {string} command
 */
function programOf(root, name, command) {
  const folder = join(root, "node_modules", name);
  const { bin } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  return join(folder, typeof bin === "string" ? bin : bin[command]);
}
