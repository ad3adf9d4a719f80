import { afterAll, beforeAll, expect, test } from "vitest";
import { parseConfiguration } from "../../engine/configuration/file.ts";
import { connectionPage } from "../../engine/store/lists.ts";
import { defaultRule } from "../../engine/sync/publish.ts";
import { openFailures } from "./facts.ts";
import { configurationText, openSyncWorld, type SyncWorld } from "./harness.ts";

let world: SyncWorld;

beforeAll(async () => {
  world = await openSyncWorld({ limits: { calls: 3, cpuMs: 200, consoleLines: 2 } });
});
afterAll(async () => {
  await world.close();
});

test("runs of a connection keep to the limits of its own, and errors name those", async () => {
  const incoming = await defaultRule("salesforce", "incoming");
  await world.publish(
    "SF",
    "incoming",
    `for (const line of [1, 2, 3]) console.log(line);\nif (replica.summary === "Asks") for (let n = 0; n < 4; n++) await users.byUsername("u" + n);\nif (replica.summary === "Thinks") while (true) {}\n${incoming}`,
  );
  const version = await world.db.selectFrom("rule_version").select("report").orderBy("created_at", "desc").limit(1).executeTakeFirstOrThrow();
  expect(version.report).toMatchObject({ limits: { calls: 3, cpuMs: 200, wallMs: 30_000 } });
  for (const summary of ["Asks", "Thinks"]) await world.desk.open({ short_description: summary, urgency: "1" });
  const failures = await world.until("both are parked", async () => {
    const open = await openFailures(world);
    return open.length === 2 ? open : undefined;
  });
  expect(failures.map(({ code }) => code).toSorted()).toEqual(["LIMIT_CALLS", "LIMIT_CPU"]);
  expect(failures.find(({ code }) => code === "LIMIT_CALLS")?.message).toContain("more than 3 helper calls");
  expect(failures.find(({ code }) => code === "LIMIT_CPU")?.message).toContain("200 ms");
  const runs = await world.db.selectFrom("run").select("console").where("direction", "=", "incoming").execute();
  for (const run of runs) expect(run.console).not.toContain("3");
  expect((await connectionPage(world.db, { limit: 1 })).items).toMatchObject([{ name: "support", limits: { calls: 3, cpuMs: 200, consoleLines: 2 } }]);
});

test("a limit that is none, or beyond what the node is made for, is refused with its place", () => {
  const text = (limits: Record<string, number>): string => configurationText("http://127.0.0.1:1", "http://127.0.0.1:2", { limits });
  expect(() => parseConfiguration(text({ cpu: 5 }), "isobridge.yaml")).toThrow(
    /isobridge\.yaml:\d+:\d+: connections\.support\.limits\.cpu: is not a known key/,
  );
  expect(() => parseConfiguration(text({ resultBytes: 1e9 }), "isobridge.yaml")).toThrow(/connections\.support\.limits\.resultBytes/);
});
