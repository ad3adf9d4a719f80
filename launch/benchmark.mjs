import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { runToEnd } from "./process.mjs";

/**
 * `npm run bench`: runs the benchmarks of test/bench (`*.bench.ts`) one after another, each in a process of its own. Words that
 * occur in names choose among them; the other words are given to each.
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
  const choosing = words.filter((word) => names.some((name) => name.includes(word)));
  const chosen = names.filter((name) => choosing.length === 0 || choosing.some((word) => name.includes(word)));
  const given = words.filter((word) => !choosing.includes(word));
  if (chosen.length === 0) throw new Error("There are no benchmarks in test/bench.");
  for (const name of chosen) {
    console.log(`\n${name.replace(".bench.ts", "")}`);
    const code = await runToEnd(node, ["--disable-warning=ExperimentalWarning", join(folder, name), ...given], { cwd: root });
    if (code !== 0) return code;
  }
  return 0;
}
