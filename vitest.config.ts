import { defineConfig } from "vitest/config";

const withServers = ["**/*.integration.test.ts", "**/*.crash.test.ts"];
// An editor may start vitest on the machine's own Node, which strips no types. `npm test` never does.
const stripsTypes = Number.parseInt(process.versions.node, 10) >= 26;
const elsewhere = ["**/node_modules/**", "**/.isobridge/**"];

export default defineConfig({
  test: {
    // Tests run as the product does: by Node itself, which strips the types. Nothing is bundled, mocked or rewritten on the way.
    experimental: { viteModuleRunner: !stripsTypes, nodeLoader: false },
    // isolated-vm is not made for worker threads that come and go.
    pool: "forks",
    // One less than the cores unless said; most tests wait for other processes, and two files at once halve the time.
    maxWorkers: 2,
    allowOnly: false,
    passWithNoTests: false,
    update: false,
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["**/*.test.ts"],
          exclude: [...withServers, ...elsewhere],
          // Seldom more than a second; a machine with other work to do must not make a failure of it.
          testTimeout: 30_000,
        },
      },
      {
        extends: true,
        test: {
          name: "integration",
          include: withServers,
          exclude: elsewhere,
          globalSetup: ["test/database-server.ts"],
          // Processes are started, killed and recovered; on a busy machine that takes its time.
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
