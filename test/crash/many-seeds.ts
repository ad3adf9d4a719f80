import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

// Runs the random tests with many seeds, one after the other, until one fails:
//   node_modules/.bin/node test/crash/many-seeds.ts 20        twenty seeds from 1 on
//   node_modules/.bin/node test/crash/many-seeds.ts 20 1000   twenty seeds from 1000 on

const count = Number(process.argv[2] ?? "10");
const first = Number(process.argv[3] ?? "1");
const vitest = fileURLToPath(new URL("../../node_modules/vitest/vitest.mjs", import.meta.url));

for (let seed = first; seed < first + count; seed++) {
  const began = Date.now();
  const run = spawnSync(process.execPath, [vitest, "run", "test/crash/hundred", "test/sync/random-edits"], {
    env: { ...process.env, TEST_SEED: String(seed) },
    encoding: "utf8",
  });
  process.stdout.write(`seed ${seed}: ${run.status === 0 ? "holds" : "FAILS"} (${Math.round((Date.now() - began) / 1000)} s)\n`);
  if (run.status !== 0) {
    process.stdout.write(run.stdout + run.stderr);
    process.exit(1);
  }
}
