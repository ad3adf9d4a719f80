import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { pino } from "pino";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type SalesforceSimulator, simulatedAccounts, startSalesforceSimulator } from "../../connectors/salesforce/simulator/simulator.ts";
import { type ServiceNowSimulator, seededAccounts, startServiceNowSimulator } from "../../connectors/servicenow/simulator/simulator.ts";
import { createDatabase } from "../../test/database.ts";
import { applyConfiguration } from "../configuration/apply.ts";
import { parseConfiguration } from "../configuration/file.ts";
import { type OpenNode, openNode } from "../server/node.ts";
import { listSides } from "../store/configuration.ts";
import { rulePage, runPage } from "../store/lists.ts";
import { createSample, removeSample } from "../store/samples.ts";
import { Runner } from "../sync/runner.ts";
import { pullCommand } from "./pull.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
let data: string;
let folder: string;
let database: { url: string; drop(): Promise<void> };
let salesforce: SalesforceSimulator;
let servicenow: ServiceNowSimulator;
let node: OpenNode;

beforeAll(async () => {
  data = await mkdtemp(join(tmpdir(), "isobridge-rules-node-"));
  database = await createDatabase();
  salesforce = await startSalesforceSimulator();
  servicenow = await startServiceNowSimulator();
  node = await openNode({ folder: data, databaseUrl: database.url, log: pino({ level: "silent" }), join: false });
  const yaml = `version: 1
instances:
  sales: { platform: salesforce, url: "${salesforce.url}", auth: { type: client-credentials, clientId: ${simulatedAccounts.app.clientId} }, secrets: { clientSecret: { env: SF } }, poll: 1s }
  helpdesk: { platform: servicenow, url: "${servicenow.url}", auth: { type: basic, username: ${seededAccounts.integration.userName} }, secrets: { password: { env: SN } }, poll: 1s }
connections:
  support:
    left: { instance: sales, name: SF }
    right: { instance: helpdesk, name: SN, triggers: [{ entityType: incident, query: urgency=1 }] }
`;
  const means = {
    db: node.db,
    vault: node.vault,
    compiler: await node.compiler(),
    environment: { SF: simulatedAccounts.app.clientSecret, SN: seededAccounts.integration.password },
  };
  await applyConfiguration(means, parseConfiguration(yaml, join(data, "isobridge.yaml")), { dryRun: false, author: "test" });
});
afterAll(async () => {
  await node?.close();
  await salesforce?.close();
  await servicenow?.close();
  await database?.drop();
  await rm(data, { recursive: true, force: true });
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "isobridge-rules-"));
  return async () => await rm(folder, { recursive: true, force: true });
});

interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** The command as a person types it, in the folder that holds `rules`. */
async function isobridge(...words: readonly string[]): Promise<Said> {
  return await isobridgeAt(database.url, ...words);
}

async function isobridgeAt(databaseUrl: string, ...words: readonly string[]): Promise<Said> {
  const env = { ...process.env, DATABASE_URL: databaseUrl, ISOBRIDGE_DATA: data, ISOBRIDGE_KEY: "" };
  const args = ["--disable-warning=ExperimentalWarning", join(root, "engine", "main.ts"), ...words];
  return await new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: folder, env }, (error, out, err) => resolve({ code: typeof error?.code === "number" ? error.code : 0, out, err }));
  });
}

/** The folder as `isobridge pull` leaves it, for tests that are about something else. */
async function pulled(): Promise<void> {
  await pullCommand({ folder: join(folder, "rules"), node: { data, databaseUrl: database.url }, force: false, samples: 0 });
}

const outgoingPath = (): string => join(folder, "rules", "support", "SN", "outgoing.ts");

async function change(path: string, from: string, to: string): Promise<void> {
  const text = await readFile(path, "utf8");
  if (!text.includes(from)) throw new Error(`${path} has no ${from}.`);
  await writeFile(path, text.replace(from, to));
}

async function sample(name: string, content: object): Promise<string> {
  const samples = join(folder, "rules", "support", "SN", "samples");
  await mkdir(samples, { recursive: true });
  await writeFile(join(samples, name), JSON.stringify(content, null, 2));
  return join(samples, name);
}

const anIncident = { direction: "outgoing", entity: { entityType: "incident", number: "INC1", short_description: "x" } };

async function activeVersion(): Promise<{ readonly number: number; readonly note: string }> {
  const { items } = await rulePage(node.db, { limit: 10 }, { connection: "support", side: "SN", direction: "outgoing", versions: false });
  if (items[0] === undefined) throw new Error("There is no active version.");
  return items[0];
}

describe("isobridge pull", () => {
  test("writes the rules that run, with types from the live schema and projects for editors", async () => {
    const said = await isobridge("pull");
    expect(said).toMatchObject({ code: 0, err: "" });
    expect(said.out).toMatch(/^new {7}rules\/support\/SF\/outgoing\.ts version \d+$/m);
    expect((await readdir(join(folder, "rules", "support", "SN"))).sort()).toEqual([
      "incoming.ts",
      "outgoing.ts",
      "tsconfig.incoming.json",
      "tsconfig.json",
      "tsconfig.outgoing.json",
      "types",
    ]);
    expect(await readFile(join(folder, "rules", "support", "SN", "types", "outgoing.d.ts"), "utf8")).toMatch(
      /entityType: "incident";[\s\S]*readonly short_description: string \| null;/,
    );
    expect((await isobridge("pull")).out).toMatch(/^same {6}rules\/support\/SN\/outgoing\.ts is version \d+, which the node runs$/m);
  });

  test("gives editors what the engine's checker knows", async () => {
    await isobridge("pull");
    const side = join(folder, "rules", "support", "SN");
    const tsc = async (): Promise<string> =>
      await new Promise((resolve) =>
        execFile(
          process.execPath,
          [join(root, "node_modules", "typescript", "bin", "tsc"), "-p", join(side, "tsconfig.outgoing.json")],
          { cwd: side },
          (_error, out) => resolve(out),
        ),
      );
    expect(await tsc()).toBe("");
    await change(outgoingPath(), "entity.short_description", "entity.short_descripton");
    expect(await tsc()).toMatch(/outgoing\.ts\(\d+,\d+\): error TS2551: .*short_description/);
  });

  test("keeps a file that was changed here, and takes the node's with --force", async () => {
    await isobridge("pull");
    await change(outgoingPath(), "replica.key = entity.number;", "replica.key = entity.number; // ours");
    const kept = await isobridge("pull");
    expect(kept.code).toBe(0);
    expect(kept.out).toMatch(/^kept {6}rules\/support\/SN\/outgoing\.ts was changed here and stays/m);
    expect(await readFile(outgoingPath(), "utf8")).toContain("// ours");
    expect((await isobridge("pull", "--force")).out).toMatch(/^replaced {2}rules\/support\/SN\/outgoing\.ts/m);
    expect(await readFile(outgoingPath(), "utf8")).not.toContain("// ours");
  });

  test("updates a file that nobody changed here, and refuses where both sides changed", async () => {
    await isobridge("pull");
    const other = await mkdtemp(join(tmpdir(), "isobridge-rules-other-"));
    const mine = folder;
    try {
      folder = other;
      await isobridge("pull");
      await change(outgoingPath(), "replica.key = entity.number;", "replica.key = entity.number; // theirs");
      expect((await isobridge("publish", "--note", "theirs")).code).toBe(0);
    } finally {
      folder = mine;
      await rm(other, { recursive: true, force: true });
    }
    await change(join(folder, "rules", "support", "SN", "incoming.ts"), "// What arrives", "// Mine: what arrives");
    const pulled = await isobridge("pull");
    expect(pulled.out).toMatch(/^updated {3}rules\/support\/SN\/outgoing\.ts was version \d+, is version \d+ now$/m);
    expect(await readFile(outgoingPath(), "utf8")).toContain("// theirs");

    await change(outgoingPath(), "// theirs", "// mine");
    await writeFile(join(folder, "rules", "support", "SN", "types", "versions.json"), '{ "outgoing": 1, "incoming": 1 }');
    const conflict = await isobridge("pull");
    expect(conflict.code).toBe(1);
    expect(conflict.out).toMatch(
      /^conflict {2}rules\/support\/SN\/outgoing\.ts was changed here and stays, but the node runs version \d+ \(.*: theirs\), which it is not based on; --force takes that instead$/m,
    );
    expect(await readFile(outgoingPath(), "utf8")).toContain("// mine");
  });

  test("--samples writes recorded runs with their answers, which pass as they are", async () => {
    const runner = await Runner.start(await node.context(), { databaseUrl: node.databaseUrl, idleMs: 100 });
    try {
      servicenow.plant("incident", { short_description: "recorded", urgency: "1", impact: "1" });
      const recorded = async (): Promise<string[]> =>
        (await runPage(node.db, { limit: 200 }, { connection: "support" })).items.map((run) => `${run.side} ${run.direction} ${run.outcome}`);
      await expect.poll(recorded, { timeout: 20_000 }).toEqual(expect.arrayContaining(["SN outgoing ok", "SF incoming ok"]));
    } finally {
      await runner.stop();
    }
    const said = await isobridge("pull", "--samples", "2");
    expect(said.out).toMatch(/^sample {4}rules\/support\/SF\/samples\/run-\d+-incoming\.json$/m);
    const tested = await isobridge("test");
    expect(tested.out).toMatch(/^ {2}ok {4}outgoing {2}run-\d+-outgoing\.json$/m);
    expect(tested.out).toMatch(/4 rules checked, (\d+) of \1 samples? passed\n$/);
    expect(tested.code).toBe(0);
  });
});

describe("isobridge check", () => {
  test("says file, line, column and code of everything that is wrong, and exits with 1", async () => {
    await pulled();
    expect(await isobridge("check")).toEqual({ code: 0, out: "4 rules checked, nothing wrong.\n", err: "" });
    await change(outgoingPath(), "entity.short_description", "entity.short_descripton");
    const said = await isobridge("check", "rules");
    expect(said.code).toBe(1);
    expect(said.out).toMatch(
      /^rules\/support\/SN\/outgoing\.ts:\d+:\d+: Property 'short_descripton' does not exist .* Did you mean 'short_description'\?.* \(TS2551\)$/m,
    );
    const { rules, ...rest } = JSON.parse((await isobridge("check", "--json")).out);
    expect(rest).toEqual({ ok: false, exitCode: 1, libraries: [] });
    expect(rules.find((rule: { file: string }) => rule.file.endsWith("SN/outgoing.ts")).diagnostics[0]).toMatchObject({
      code: "TS2551",
      suggestion: "short_description",
    });
  });

  test("without pulled types says that no field was checked; --live asks the instances", async () => {
    await pulled();
    await rm(join(folder, "rules", "support", "SN", "types"), { recursive: true });
    await change(outgoingPath(), "entity.short_description", "entity.short_descripton");
    const offline = await isobridge("check");
    expect(offline.code).toBe(0);
    expect(offline.out).toMatch(/SN\/outgoing\.ts: there are no types beside it, so no field name was checked/);
    const live = await isobridge("check", "--live");
    expect(live.code).toBe(1);
    expect(live.out).toMatch(/short_descripton/);
  });
});

describe("isobridge test", () => {
  test("runs every sample beside the rules, shows what differs, and --update writes what came", async () => {
    await pulled();
    const path = await sample("one.json", { ...anIncident, note: "stays", expected: { replica: { type: "incident", key: "INC2" } } });
    const failed = await isobridge("test");
    expect(failed.code).toBe(1);
    expect(failed.out).toMatch(/^ {2}FAIL {2}outgoing {2}one\.json\n {10}replica\.key: expected "INC2", got "INC1"$/m);
    expect(failed.out).toMatch(/4 rules checked, 0 of 1 sample passed\n$/);
    const updated = await isobridge("test", "--update");
    expect(updated).toMatchObject({ code: 0, out: expect.stringMatching(/^ {2}new {3}outgoing {2}one\.json$/m) });
    expect(JSON.parse(await readFile(path, "utf8"))).toMatchObject({ note: "stays", expected: { replica: { key: "INC1", summary: "x" } } });
    const passed = await isobridge("test", "rules", "SN/one", "--json");
    expect(JSON.parse(passed.out)).toMatchObject({
      ok: true,
      exitCode: 0,
      samples: [{ side: "support/SN", direction: "outgoing", pinned: true, passed: true, differences: [] }],
    });
  });

  test("runs only what the filter names", async () => {
    await pulled();
    await sample("one.json", anIncident);
    await sample("two.json", anIncident);
    const { samples } = JSON.parse((await isobridge("test", "rules", "two", "--json")).out);
    expect(samples.map((each: { file: string }) => each.file)).toEqual(["rules/support/SN/samples/two.json"]);
  });

  test("gives rules the tables of values that stand beside them", async () => {
    await pulled();
    const side = join(folder, "rules", "support", "SN");
    await writeFile(outgoingPath(), 'replica.priority = mapping("priority", entity.priority)\n');
    await writeFile(join(side, "mappings.yaml"), 'priority: { rows: { "1": High } }\n');
    await sample("one.json", { direction: "outgoing", entity: { entityType: "incident", priority: "1" }, expected: { replica: { priority: "High" } } });
    expect(await isobridge("test")).toMatchObject({ code: 0 });
    await writeFile(join(side, "mappings.yaml"), "priority: { rowz: {} }\n");
    expect(await isobridge("test")).toMatchObject({ code: 2, err: expect.stringMatching(/mappings\.yaml:1:\d+: priority\.rowz: is not a known key here/) });
  });

  test("passes a sample that expects nothing unless it errs, and never writes an error as what is expected", async () => {
    await pulled();
    await sample("one.json", anIncident);
    expect((await isobridge("test")).out).toMatch(/one\.json: nothing is expected; it gives a replica \(type, key, /);
    await writeFile(outgoingPath(), 'replica.who = await users.byEmail("a@b")\n');
    const said = await isobridge("test", "--update");
    expect(said.code).toBe(1);
    expect(said.out).toMatch(/FAIL {2}outgoing {2}one\.json\n {10}the error NO_ANSWER at 1:\d+: users\.byEmail\("a@b"\) has no recorded answer; add it/);
  });
});

describe("isobridge publish", () => {
  test("publishes what differs, once, with its note", async () => {
    await pulled();
    await sample("one.json", { ...anIncident, expected: { replica: { key: "INC1" } } });
    await writeFile(outgoingPath(), 'if (entity.entityType == "incident") replica.key = entity.number\n');
    const before = await activeVersion();
    const dry = await isobridge("publish", "--note", "key only", "--dry-run");
    expect(dry.out).toMatch(/^would publish {2}support\/SN\/outgoing\.ts as version \d+ \(was \d+\)$/m);
    expect(await activeVersion()).toEqual(before);
    const said = await isobridge("publish", "--note", "key only");
    expect(said).toMatchObject({ code: 0, err: "" });
    expect(said.out).toBe(
      `published  support/SN/outgoing.ts as version ${before.number + 1} (was ${before.number})\n1 of 1 sample passed.\nThe new versions run from the next change on.\n`,
    );
    expect(await activeVersion()).toMatchObject({ number: before.number + 1, note: "key only" });
    expect(await isobridge("publish", "--note", "again")).toMatchObject({ code: 0, out: "Nothing to publish: the node runs these texts.\n" });
  });

  test("is refused while a pinned sample fails, unless somebody says why", async () => {
    await pulled();
    await sample("one.json", { ...anIncident, expected: { replica: { key: "other" } } });
    await sample("loose.json", { ...anIncident, pinned: false, expected: { replica: { key: "another" } } });
    await writeFile(outgoingPath(), 'if (entity.entityType == "incident") replica.key = entity.number + "!"\n');
    const before = await activeVersion();
    const refused = await isobridge("publish", "--note", "louder");
    expect(refused.code).toBe(1);
    expect(refused.out).toMatch(
      /FAIL {2}outgoing {2}one\.json\n {10}replica\.key: expected "other", got "INC1!"\nNothing was published: 1 pinned sample failed\./,
    );
    expect(await activeVersion()).toEqual(before);
    const despite = await isobridge("publish", "--note", "louder", "--despite-failures", "the sample is out of date");
    expect(despite.code).toBe(0);
    expect(await activeVersion()).toMatchObject({ number: before.number + 1, note: "louder (despite failing samples: the sample is out of date)" });
  });

  test("is refused while a pinned sample that the node keeps fails", async () => {
    await pulled();
    const { number } = await activeVersion();
    const side = (await listSides(node.db)).find(({ name }) => name === "SN");
    if (side === undefined) throw new Error("There is no side SN.");
    const kept = { sideId: side.id, direction: "outgoing", name: "kept", pinned: true, runId: null, author: "test" } as const;
    await createSample(node.db, { ...kept, content: { ...anIncident, expected: { replica: { key: "elsewhere" } } } });
    try {
      await writeFile(outgoingPath(), 'if (entity.entityType == "incident") replica.key = entity.number + "?"\n');
      const said = await isobridge("publish", "--note", "x");
      expect(said.code).toBe(1);
      expect(said.out).toMatch(/FAIL {2}outgoing {2}kept \(kept by the node\)\n {10}replica\.key: expected "elsewhere", got "INC1\?"/);
      expect((await activeVersion()).number).toBe(number);
    } finally {
      await removeSample(node.db, kept);
    }
  });

  test("is refused as a whole when one rule does not check against the live schema", async () => {
    await pulled();
    await change(join(folder, "rules", "support", "SN", "incoming.ts"), "// What arrives", "// What comes");
    await writeFile(outgoingPath(), "replica.key = entity.nope\n");
    const { number } = await activeVersion();
    const said = await isobridge("publish", "--note", "x", "--json");
    expect(said.code).toBe(1);
    expect(JSON.parse(said.out)).toMatchObject({
      ok: false,
      exitCode: 1,
      published: [],
      diagnostics: [expect.stringMatching(/rules\/support\/SN\/outgoing\.ts:1:22: .*nope.* \(TS\d+\)/)],
    });
    expect((await activeVersion()).number).toBe(number);
  });

  test("does not run over a version that the file is not based on, unless forced", async () => {
    await pulled();
    await change(outgoingPath(), "replica.key", "// mine\n  replica.key");
    const versions = join(folder, "rules", "support", "SN", "types", "versions.json");
    const { number } = await activeVersion();
    await writeFile(versions, JSON.stringify({ outgoing: number - 1 }));
    const refused = await isobridge("publish", "--note", "mine");
    expect(refused.code).toBe(1);
    expect(refused.out).toMatch(new RegExp(`outgoing\\.ts: is based on version ${number - 1}, but the node runs version ${number} \\(`));
    expect((await isobridge("publish", "--note", "mine", "--force")).code).toBe(0);
    expect(JSON.parse(await readFile(versions, "utf8"))).toEqual({ outgoing: number + 1 });
  });
});

describe("exit codes tell", () => {
  test("wrong use and unreadable files (2)", async () => {
    expect(await isobridge("check", "nowhere")).toMatchObject({ code: 2, err: "There is no folder nowhere.\n" });
    expect(await isobridge("publish")).toMatchObject({ code: 2 });
    expect(await isobridge("check", "--nonsense")).toMatchObject({ code: 2 });
    expect(await isobridge("pull", "--samples", "many")).toMatchObject({ code: 2 });
    await pulled();
    expect(await isobridge("publish", "--note", " ")).toMatchObject({ code: 2 });
    await sample("one.json", { direction: "outgoing" });
    expect(await isobridge("test")).toMatchObject({ code: 2, err: "rules/support/SN/samples/one.json:1:1: entity: is missing: object expected\n" });
    const asJson = await isobridge("test", "--json");
    expect(JSON.parse(asJson.out)).toEqual({ ok: false, exitCode: 2, error: "rules/support/SN/samples/one.json:1:1: entity: is missing: object expected" });
  });

  test("a node or platform that cannot be reached (3)", async () => {
    expect(await isobridgeAt("postgres://127.0.0.1:1/none", "pull")).toMatchObject({ code: 3, err: expect.stringMatching(/cannot be reached/) });
    expect(await isobridgeAt("", "pull", "--data", join(folder, "nothing"))).toMatchObject({ code: 3, err: expect.stringMatching(/^There is no node in /) });
    await pulled();
    servicenow.arm({ times: 0, effect: { kind: "html" } });
    try {
      expect(await isobridge("check", "--live")).toMatchObject({
        code: 3,
        err: expect.stringMatching(/^support\/SN: the instance cannot be asked for its fields: /),
      });
    } finally {
      servicenow.clearFaults();
    }
  });

  test("a folder whose side the node does not have (2)", async () => {
    await pulled();
    await rename(join(folder, "rules", "support"), join(folder, "rules", "suport"));
    expect(await isobridge("publish", "--note", "x")).toMatchObject({
      code: 2,
      err: expect.stringMatching(/The node has no side suport\/SF, suport\/SN\. It has support\/SF, support\/SN/),
    });
  });
});
