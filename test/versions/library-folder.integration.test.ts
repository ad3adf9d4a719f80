import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { simulatedAccounts } from "../../connectors/salesforce/simulator/simulator.ts";
import { seededAccounts } from "../../connectors/servicenow/simulator/simulator.ts";
import { closeRules, runRule } from "../../engine/rules/samples/package.ts";
import { configurationText } from "../sync/harness.ts";
import { openRuleDesk, type RuleDesk } from "./desk.ts";

/** Libraries in a folder of rules, by the commands that a person types. Each is a process that starts a checker and a sandbox of its own. */
vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });
const root = fileURLToPath(new URL("../../", import.meta.url));
let desk: RuleDesk;
let folder: string;
beforeAll(async () => {
  desk = await openRuleDesk({ start: false });
});
afterAll(async () => {
  await desk?.close();
  await closeRules();
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "isobridge-library-"));
  return async () => await rm(folder, { recursive: true, force: true });
});

interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function isobridge(...words: readonly string[]): Promise<Said> {
  const env = {
    ...process.env,
    DATABASE_URL: desk.world.databaseUrl,
    ISOBRIDGE_DATA: desk.world.folder,
    ISOBRIDGE_KEY: "",
    SF_SECRET: simulatedAccounts.app.clientSecret,
    SN_PASSWORD: seededAccounts.integration.password,
  };
  const args = ["--disable-warning=ExperimentalWarning", join(root, "engine", "main.ts"), ...words];
  return await new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: folder, env }, (error, out, err) => resolve({ code: typeof error?.code === "number" ? error.code : 0, out, err }));
  });
}

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await writeFile(join(folder, path), text);
}
const read = async (path: string): Promise<string> => await readFile(join(folder, path), "utf8");

const state = 'export function stateOf(state: string | null): string {\n  return state === "7" ? "done" : "open";\n}\n';
const rule = 'import { stateOf } from "lib/state";\n\nif (entity.entityType === "incident") replica.state = stateOf(entity.state);\n';
const sample = { direction: "outgoing", entity: { entityType: "incident", number: "INC1", state: "7" }, expected: { replica: { state: "done" } } };

test("a library is written, checked, tested and published from a folder; who pulls has it, too", async () => {
  expect((await isobridge("pull")).code).toBe(0);
  await write("rules/support/SN/outgoing.ts", rule);
  expect(await isobridge("check")).toMatchObject({ code: 1, out: expect.stringContaining('there is no library "state": there is none at all (IMPORT)') });
  await write("rules/lib/state.ts", state.replace("state ===", "stat ==="));
  expect((await isobridge("check")).out).toContain("rules/lib/state.ts:2:10: Cannot find name 'stat'. Did you mean 'state'? (TS2552)\n");
  await write("rules/lib/state.ts", state);
  expect(await isobridge("check")).toMatchObject({ code: 0, out: "4 rules and one library checked, nothing wrong.\n" });
  await write("rules/support/SN/samples/done.json", JSON.stringify(sample));
  expect(await isobridge("test")).toMatchObject({ code: 0, out: expect.stringContaining("1 of 1 sample passed") });
  expect(await runRule({ file: join(folder, "rules/support/SN/outgoing.ts"), entity: { entityType: "incident", state: "1" } })).toEqual({
    replica: { state: "open" },
  });

  expect((await isobridge("publish", "--note", "states", "--dry-run")).out).toMatch(
    /^would publish {2}lib\/state\.ts as version 1\nwould publish {2}support\/SN\/outgoing\.ts as version 2 \(was 1\)$/m,
  );
  expect(await isobridge("publish", "--note", "states")).toMatchObject({
    code: 0,
    out: "published  lib/state.ts as version 1\npublished  support/SN/outgoing.ts as version 2 (was 1)\n1 of 1 sample passed.\nThe new versions run from the next change on.\n",
  });
  expect(await isobridge("publish", "--note", "again")).toMatchObject({ code: 0, out: "Nothing to publish: the node runs these texts.\n" });
  expect((await desk.call("GET", "/api/libraries/state")).body).toMatchObject({ number: 1, note: "states", source: state });
  expect(JSON.parse(await read("rules/lib/types/versions.json"))).toEqual({ state: 1 });

  await rm(join(folder, "rules"), { recursive: true });
  expect((await isobridge("pull")).out).toMatch(/^new {7}rules\/lib\/state\.ts version 1$/m);
  expect(await read("rules/lib/state.ts")).toBe(state);
  expect(await isobridge("check")).toMatchObject({ code: 0 });
});

describe("a changed library", () => {
  beforeEach(async () => {
    await isobridge("pull");
    await write("rules/support/SN/samples/done.json", JSON.stringify(sample));
  });

  test("is published with a new version of the rule that uses it, though the rule's file is the same", async () => {
    const { number } = (await desk.call("GET", "/api/libraries/state")).body;
    await write("rules/lib/state.ts", `${state}// more\n`);
    const { out } = await isobridge("publish", "--note", "more");
    expect(out).toMatch(
      new RegExp(
        `^published {2}lib/state\\.ts as version ${number + 1} \\(was ${number}\\)\npublished {2}support/SN/outgoing\\.ts as version 3 \\(was 2\\)\n1 of 1`,
      ),
    );
    const [active] = (await desk.call("GET", "/api/rules?side=SN&direction=outgoing")).body.items;
    expect(active).toMatchObject({ number: 3, note: `library state ${number + 1}: more` });
    // The files are based on what runs now: nobody is told to pull first.
    await write("rules/support/SN/outgoing.ts", `${rule}// changed\n`);
    expect((await isobridge("publish", "--note", "rule")).code).toBe(0);
  });

  test("is refused while it breaks a rule, or a sample of one", async () => {
    await write("rules/lib/state.ts", state.replace("stateOf", "statusOf"));
    expect(await isobridge("publish", "--note", "x")).toMatchObject({
      code: 1,
      out: expect.stringMatching(/^support\/SN\/outgoing\.ts:1:10: .*stateOf.* \(TS2305\)\nNothing was published/),
    });
    await write("rules/lib/state.ts", state.replace('"done"', '"finished"'));
    const refused = await isobridge("publish", "--note", "x");
    expect(refused).toMatchObject({ code: 1, out: expect.stringContaining('replica.state: expected "done", got "finished"') });
    const forced = await isobridge("publish", "--note", "x", "--despite-failures", "agreed");
    expect(forced).toMatchObject({ code: 0, out: expect.stringContaining("published despite 1 failure") });
    const [active] = (await desk.call("GET", "/api/rules?side=SN&direction=outgoing")).body.items;
    expect(active.note).toMatch(/^library state \d+: x \(despite failing samples: agreed\)$/);
    await write("rules/lib/state.ts", state);
    expect((await isobridge("publish", "--note", "back")).code).toBe(0);
  });

  test("is not published over somebody else's version, and a pull says so", async () => {
    await desk.call("POST", "/api/libraries/state/versions", { source: `${state}// ada\n`, note: "by ada" });
    await write("rules/lib/state.ts", `${state}// mine\n`);
    expect((await isobridge("publish", "--note", "x")).out).toMatch(
      /^rules\/lib\/state\.ts: is based on version \d+, but the node runs version \d+ \(ada: by ada\)\.$/m,
    );
    expect(await isobridge("pull")).toMatchObject({ code: 1, out: expect.stringMatching(/^conflict {2}rules\/lib\/state\.ts was changed here/m) });
    // The rule was given a new version with the same text by that: its file is not out of date.
    await rm(join(folder, "rules/lib/state.ts"));
    await write("rules/support/SN/outgoing.ts", `${rule}// mine\n`);
    expect((await isobridge("publish", "--note", "rule")).code).toBe(0);
  });

  test("that no rule uses is checked by itself", async () => {
    await write("rules/lib/alone.ts", "export const x: string = 1;\n");
    const said = await isobridge("check", "--json");
    expect(said.code).toBe(1);
    expect(JSON.parse(said.out).libraries).toMatchObject([{ file: "rules/lib/alone.ts", diagnostics: [{ code: "TS2322", line: 1 }] }]);
    expect((await isobridge("test")).out).toContain("rules/lib/alone.ts:1:14:");
    expect(await isobridge("publish", "--note", "x")).toMatchObject({ code: 1, out: expect.stringContaining("lib/alone.ts:1:14:") });
    await write("rules/lib/not a name.ts", "");
    expect(await isobridge("check")).toMatchObject({ code: 2, err: expect.stringContaining("letters, digits, - and _ make the name of a library") });
  });
});

describe("isobridge apply", () => {
  const apply = async (...words: readonly string[]): Promise<Said> => {
    await write("isobridge.yaml", configurationText(desk.world.salesforce.url, desk.world.servicenow.url));
    return await isobridge("apply", "isobridge.yaml", ...words);
  };

  test("publishes the libraries of the rules folder with the rules that use them, once", async () => {
    await write("rules/lib/floors.ts", "export const floorOf = (room: string): string => 'floor ' + room.slice(0, 1);\n");
    await write("rules/lib/state.ts", `${state}// applied\n`);
    await write("rules/support/SN/outgoing.ts", 'import { floorOf } from "lib/floors";\nreplica.floor = floorOf(entity.key);\n');
    const dry = await apply("--dry-run");
    expect(dry).toMatchObject({ code: 0, err: "" });
    expect(dry.out).toMatch(/publish {2}library floors: from .*\/rules\/lib\/floors\.ts\n {2}publish {2}library state: from .*state\.ts\n/);
    expect((await apply()).code).toBe(0);
    const [active] = (await desk.call("GET", "/api/rules?side=SN&direction=outgoing")).body.items;
    expect((await desk.call("GET", `/api/rule-versions/${active.id}`)).body.libraries).toMatchObject([{ name: "floors", number: 1 }]);
    expect((await apply()).out).toContain("Nothing to do: the node is as the file says.");
    await write("rules/lib/floors.ts", "export const floorOf = (room: string): string => room.slice(0, 1) + '. floor';\n");
    expect((await apply()).out).toMatch(/publish {2}library floors: .*; with support\/SN\/outgoing\.ts/);
    expect((await desk.call("GET", "/api/rules?side=SN&direction=outgoing")).body.items[0].number).toBe(active.number + 1);
  });

  test("is refused, and changes nothing, when a library would break a rule", async () => {
    await write("rules/lib/floors.ts", "export const other = 1;\n");
    const refused = await apply();
    expect(refused).toMatchObject({ code: 1, err: expect.stringMatching(/^support\/SN\/outgoing\.ts:1:10: .*floorOf/) });
    expect((await desk.call("GET", "/api/libraries/floors")).body.number).toBe(2);
  });
});
