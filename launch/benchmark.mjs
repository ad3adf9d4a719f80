import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { runToEnd } from "./process.mjs";

/**
 * `npm run bench`: runs the benchmarks of test/bench one after another, each in a process of its own; with words, those whose name
 * holds one of them.
 *
 * @param {string} root
 * @param {string} node
 * @param {readonly string[]} words
 * @returns {Promise<number>} the exit code
 */
export async function benchmark(root, node, words) {
  const folder = join(root, "test", "bench");
  const names = existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => name.endsWith(".bench.ts"))
        .sort()
    : [];
  const chosen = names.filter((name) => words.length === 0 || words.some((word) => name.includes(word)));
  if (chosen.length === 0) throw new Error(`No benchmark is named so. There are: ${names.map((name) => name.replace(".bench.ts", "")).join(", ") || "none"}.`);
  for (const name of chosen) {
    console.log(`\n${name.replace(".bench.ts", "")}`);
    const code = await runToEnd(node, [join(folder, name)], { cwd: root });
    if (code !== 0) return code;
  }
  return 0;
}
