import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ruleDeclarations } from "../declarations.ts";
import { schemas } from "../workbench.ts";
import type * as declared from "./isobridge.d.ts";
import { checkRuleFile, closeRules, differences, outcomeInWords, RuleDoesNotCheck, readSample, runRule, SampleError } from "./package.ts";
import type { RunRule } from "./run-rule.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
let project: string;
let side: string;

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), "isobridge-project-"));
  side = join(project, "rules", "support", "SF");
  await mkdir(join(side, "types"), { recursive: true });
  await mkdir(join(side, "samples"));
  await mkdir(join(project, "rules", "support", "SN"));
  await writeFile(
    join(side, "outgoing.ts"),
    'if (entity.entityType == "Case") {\n  replica.summary = entity.Subject\n  replica.from = connection.local + " to " + connection.remote\n}\n',
  );
  await writeFile(join(side, "types", "outgoing.d.ts"), ruleDeclarations("outgoing", schemas));
  await writeFile(
    join(side, "samples", "one.json"),
    JSON.stringify({ direction: "outgoing", entity: { entityType: "Case", Subject: "x" }, expected: { replica: { summary: "x", from: "SF to SN" } } }),
  );
  await mkdir(join(project, "node_modules"));
  await symlink(root, join(project, "node_modules", "isobridge"), "dir");
  await writeFile(join(project, "package.json"), '{ "type": "module" }');
});
afterAll(async () => {
  await closeRules();
  await rm(project, { recursive: true, force: true });
});

/** What another project gets from node, without our settings. */
async function run(args: readonly string[]): Promise<{ readonly code: number; readonly output: string }> {
  const env = { PATH: process.env["PATH"], HOME: process.env["HOME"] };
  return await promisify(execFile)(process.execPath, [...args], { cwd: project, env }).then(
    ({ stdout }) => ({ code: 0, output: stdout }),
    (error: { code: number; stdout: string; stderr: string }) => ({ code: error.code, output: error.stdout + error.stderr }),
  );
}

describe("runRule", () => {
  test("runs a rule with the libraries of its folder, or with those that it is given", async () => {
    await mkdir(join(project, "rules", "lib"), { recursive: true });
    await writeFile(join(project, "rules", "lib", "texts.ts"), 'export const loud = (text: string | null): string => (text ?? "").toUpperCase();\n');
    const file = join(side, "..", "SN", "outgoing.ts");
    await writeFile(file, 'import { loud } from "lib/texts";\nreplica.summary = loud(entity.Subject);\n');
    const entity = { entityType: "Case", Subject: "quiet" };
    expect(await runRule({ file, entity })).toEqual({ replica: { summary: "QUIET" } });
    const libraries = { texts: "export const loud = (text: string): string => text.length + text;" };
    expect(await runRule({ file, entity, libraries })).toEqual({ replica: { summary: "5quiet" } });
    const source = 'import { loud } from "lib/texts";\nreplica.summary = loud("given");';
    expect(await runRule({ source, direction: "outgoing", entity, libraries })).toEqual({ replica: { summary: "5given" } });
    await expect(runRule({ source, direction: "outgoing", entity })).rejects.toThrow(
      'outgoing.ts:1:1: there is no library "texts": there is none at all (IMPORT)',
    );
    await expect(runRule({ file, entity, libraries: { texts: "\nexport const loud: string = 1;" } })).rejects.toThrow(
      `${join(project, "rules", "lib", "texts.ts")}:2:14: Type 'number' is not assignable to type 'string'. (TS2322)`,
    );
    expect(await checkRuleFile(file)).toEqual([]);
  });

  test("runs a rule's file on a sample's file, with the names of its folders", async () => {
    const sample = await readSample(join(side, "samples", "one.json"));
    const outcome = await runRule({ file: join(side, "outgoing.ts"), sample });
    expect(outcome).toEqual({ replica: { summary: "x", from: "SF to SN" } });
    expect(await runRule({ file: join(side, "outgoing.ts"), sample: join(side, "samples", "one.json") })).toEqual(outcome);
    expect(differences(sample.expected ?? { nothing: true }, outcome)).toEqual([]);
    expect(outcomeInWords(outcome)).toBe("a replica (summary, from)");
  });

  test("runs a rule's text on what is given, and parts that are given take the place of those of the sample", async () => {
    const source = "entity.Subject = replica.summary";
    expect(await runRule({ source, direction: "incoming", replica: { summary: "a" }, entity: { entityType: "Case", Subject: "a" } })).toEqual({
      nothing: true,
    });
    const sample = { direction: "incoming", replica: { summary: "a" }, entity: { entityType: "Case", Subject: "a" } } as const;
    expect(await runRule({ source, sample, replica: { summary: "b" } })).toEqual({ fields: { Subject: "b" } });
  });

  test("checks the rule first, by the types beside it", async () => {
    const file = join(side, "wrong.ts");
    await writeFile(file, "replica.x = entity.Subjct\n");
    await expect(runRule({ file, direction: "outgoing", entity: { entityType: "Case" } })).rejects.toThrow(RuleDoesNotCheck);
    const [first] = await checkRuleFile(file, "outgoing");
    expect(first).toMatchObject({ line: 1, message: expect.stringContaining("Subjct") });
    expect(await checkRuleFile(join(side, "outgoing.ts"))).toEqual([]);
  });

  test("says what is missing", async () => {
    await expect(runRule({ source: "replica.x = 1" })).rejects.toThrow(/runRule needs to know the direction/);
    await expect(runRule({ source: "replica.x = 1", direction: "outgoing" })).rejects.toThrow(SampleError);
    await expect(runRule({ file: join(side, "nothing.ts"), direction: "outgoing" })).rejects.toThrow(/There is no file .*nothing\.ts/);
    await expect(runRule({ file: join(side, "wrong.ts"), entity: { entityType: "Case" } })).rejects.toThrow(/Call the file outgoing\.ts or incoming\.ts/);
  });

  test("has the types that isobridge.d.ts declares", () => {
    // Checked by the compiler: each of these functions may stand for the other.
    const theirs: typeof declared.runRule = runRule;
    const ours: (wanted: RunRule) => ReturnType<typeof runRule> = theirs;
    const others: Pick<typeof declared, "checkRuleFile" | "closeRules" | "differences" | "outcomeInWords" | "readSample"> = {
      checkRuleFile,
      closeRules,
      differences,
      outcomeInWords,
      readSample,
    };
    const back: { checkRuleFile: typeof checkRuleFile; differences: typeof differences; outcomeInWords: typeof outcomeInWords; readSample: typeof readSample } =
      others;
    expect([theirs, ours]).toEqual([runRule, runRule]);
    expect(Object.keys(back)).toHaveLength(5);
  });
});

describe("another project that links the package", () => {
  const body = `
    const outcome = await runRule({ file: new URL("./rules/support/SF/outgoing.ts", import.meta.url), sample: new URL("./rules/support/SF/samples/one.json", import.meta.url) });`;

  test("runs rules in node:test, and ends although it closes nothing", async () => {
    await writeFile(
      join(project, "rules.test.mjs"),
      `import { deepEqual } from "node:assert/strict"; import { test } from "node:test"; import { runRule } from "isobridge";
      test("the rule gives its replica", async () => {${body}
        deepEqual(outcome, { replica: { summary: "x", from: "SF to SN" } });
      });`,
    );
    const { code, output } = await run(["--test", "rules.test.mjs"]);
    expect(output).toMatch(/the rule gives its replica/);
    expect(output).toMatch(/pass 1/);
    expect(code).toBe(0);
  });

  test("runs rules in vitest", async () => {
    await symlink(join(root, "node_modules", "vitest"), join(project, "node_modules", "vitest"), "dir");
    await writeFile(
      join(project, "rules.spec.ts"),
      `import { afterAll, expect, test } from "vitest"; import { closeRules, runRule } from "isobridge";
      afterAll(closeRules);
      test("the rule gives its replica", async () => {${body}
        expect(outcome).toEqual({ replica: { summary: "x", from: "SF to SN" } });
      });`,
    );
    const { code, output } = await run([join(project, "node_modules", "vitest", "vitest.mjs"), "run", "--root", project, "rules.spec"]);
    expect(output).toMatch(/1 passed/);
    expect(code).toBe(0);
  });

  test("is checked by its own compiler against the declared types", async () => {
    await writeFile(
      join(project, "typed.ts"),
      `import { type Outcome, runRule } from "isobridge";
      const outcome: Outcome = await runRule({ file: "x", entity: { entityType: "Case" } });
      // @ts-expect-error: there is no such member
      await runRule({ file: "x", entty: {} });
      export default outcome;`,
    );
    await writeFile(
      join(project, "tsconfig.json"),
      JSON.stringify({ compilerOptions: { module: "nodenext", target: "esnext", strict: true, noEmit: true, types: [] }, files: ["typed.ts"] }),
    );
    const { code, output } = await run([join(root, "node_modules", "typescript", "bin", "tsc"), "-p", project]);
    expect(output).toBe("");
    expect(code).toBe(0);
  });
});
