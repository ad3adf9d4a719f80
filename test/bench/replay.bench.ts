/**
 * How long it takes to replay recorded runs on another version of a rule, as before publishing: the default incoming rule of ServiceNow
 * over a record with comments, and a rule that asks for two answers. What has to hold: 1 000 replays in under 5 s on two cores.
 */
import { readFileSync } from "node:fs";
import type { Json } from "../../engine/replica/json.ts";
import { RuleCompiler } from "../../engine/rules/compile.ts";
import { ruleDeclarations } from "../../engine/rules/declarations.ts";
import { startRuleSandbox } from "../../engine/rules/rule-sandbox.ts";
import { versionOf } from "../../engine/rules/samples/run-rule.ts";
import { type RecordedRun, recordedRun, replay } from "../../engine/rules/samples/run-sample.ts";
import { inputOf, sampleOf } from "../../engine/rules/samples/sample.ts";
import type { Program } from "../../engine/sandbox/sandbox.ts";

const runs = Number(process.argv[2] ?? 1_000);

const compiler = await RuleCompiler.start();
const sandbox = await startRuleSandbox();

const defaultRule = readFileSync(new URL("../../rules/servicenow/incoming.ts", import.meta.url), "utf8");
const asking =
  'const user = await users.byEmail(replica.email);\nconst group = await lookup.one("sys_user_group", { name: replica.group });\nentity.assigned_to = user;\nentity.assignment_group = group;\n';

process.stdout.write("  rule                      runs   record    replay  each     differ\n");
for (const [name, source, changed] of [
  ["default incoming", defaultRule, defaultRule.replace("fitted(replica.summary, 160)", "fitted(replica.summary, 10)")],
  ["with two look-ups", asking, asking],
] as const) {
  const before = await program(source);
  const recordBegan = performance.now();
  const recorded = await Promise.all(Array.from({ length: runs }, async (_, index) => await record(before, index)));
  const recordMs = performance.now() - recordBegan;
  const after = await program(`${changed}\n// draft\n`);
  const began = performance.now();
  // As they come from the database: read, replayed, compared.
  const replayed = await replay(sandbox, after, recorded.map(fromRow));
  const ms = performance.now() - began;
  const differ = replayed.filter((each) => each.differences.length > 0).length;
  process.stdout.write(`  ${name.padEnd(22)} ${String(runs).padStart(7)} ${seconds(recordMs)} ${seconds(ms)}  ${(ms / runs).toFixed(2)} ms  ${differ}\n`);
}
await Promise.all([compiler.close(), sandbox.close()]);

async function program(source: string): Promise<Program> {
  const compiled = await compiler.compile({ name: "incoming.ts", source, declarations: ruleDeclarations("incoming", []) });
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.diagnostics));
  return { versionId: versionOf(compiled.code), name: "incoming.ts", code: compiled.code };
}

/** A run as the run table keeps it: about 10 KB of record. */
async function record(version: Program, index: number): Promise<string> {
  const comment = (id: string) => ({
    id,
    body: `Comment ${id} of record ${index}: please look at this again when you find the time.`,
    author: { displayName: "Alice Smith" },
  });
  const input = inputOf(
    sampleOf(
      {
        direction: "incoming",
        replica: {
          summary: `Summary ${index}`,
          status: "Working",
          priority: "High",
          email: "a@b",
          group: "Desk",
          comments: [comment("1"), comment("2"), comment("3")],
        },
        entity: {
          entityType: "incident",
          short_description: "Before",
          ...Object.fromEntries(Array.from({ length: 80 }, (_, field) => [`field_${field}`, `the value of field ${field} of record ${index}`])),
          comments: [comment("l1"), comment("l2")],
        },
      },
      "bench",
    ),
  );
  const completion = await sandbox.run(version, input as unknown as Json, async (calls) =>
    calls.map(({ id, name }) => ({ id, ok: true, value: { id: `${name} ${index}` } })),
  );
  return JSON.stringify({ input, calls: completion.calls, output: completion.ok ? completion.value : null, error: completion.ok ? null : completion.error });
}

function fromRow(text: string): RecordedRun {
  return recordedRun(JSON.parse(text));
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(2)} s`.padStart(9);
}
