/** How fast rules run: through one child, batched; with helper calls; and the first run of a new version. Prints a table. */
import { RuleCompiler } from "../../engine/rules/compile.ts";
import { ruleDeclarations } from "../../engine/rules/declarations.ts";
import { startRuleSandbox } from "../../engine/rules/rule-sandbox.ts";
import { blankEntityView, type OutgoingRunInput, runInputAsJson } from "../../engine/rules/run-input.ts";
import type { HelperAnswer, HelperCall } from "../../engine/sandbox/completion.ts";

const mapping = `
if (entity.entityType === "Case") {
  replica.key = entity.key;
${Array.from({ length: 18 }, (_, index) => `  replica.custom${index} = entity.Field${index};`).join("\n")}
  replica.comments = entity.comments;
}`;
const empty = "replica.key = entity.key;";
const asking = `
replica.one = (await users.byEmail("a@example.com"))?.id;
replica.two = (await users.byEmail("b@example.com"))?.id;
replica.three = (await users.byEmail("c@example.com"))?.id;`;

const compiler = await RuleCompiler.start();
const sandbox = await startRuleSandbox({ children: 1 });
const declarations = ruleDeclarations("outgoing", []);
const rows: { what: string; runs: number; "µs per run": number; "runs/s": number }[] = [];

await measure("smallest rule, 64 in flight", empty, 40_000, 64);
await measure("smallest rule, one at a time", empty, 5_000, 1);
await measure("20-field mapping with 5 comments, 64 in flight", mapping, 20_000, 64);
await measure("20-field mapping with 5 comments, one at a time", mapping, 4_000, 1);
await measure("three helper calls in turn, 64 in flight", asking, 10_000, 64);
await measure("three helper calls in turn, one at a time", asking, 2_000, 1);
await measureFirstRuns(200);
await measureCompiling(200);

console.table(rows);
await sandbox.close();
await compiler.close();

async function measure(what: string, source: string, runs: number, inFlight: number): Promise<void> {
  const program = { versionId: what, name: "bench/outgoing.ts", code: await compile(source) };
  const input = runInputAsJson(aRun());
  const once = async (): Promise<void> => {
    const completion = await sandbox.run(program, input, answer);
    if (!completion.ok) throw new Error(completion.error.message);
  };
  for (let index = 0; index < 200; index += 1) await once();
  let left = runs;
  const startedAt = performance.now();
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      while (left > 0) {
        left -= 1;
        await once();
      }
    }),
  );
  report(what, runs, performance.now() - startedAt);
}

async function measureFirstRuns(versions: number): Promise<void> {
  const code = await compile(mapping);
  const input = runInputAsJson(aRun());
  const startedAt = performance.now();
  for (let index = 0; index < versions; index += 1) {
    const completion = await sandbox.run({ versionId: `first-${index}`, name: "bench/outgoing.ts", code }, input, answer);
    if (!completion.ok) throw new Error(completion.error.message);
  }
  report("first run of a new version", versions, performance.now() - startedAt);
}

async function measureCompiling(times: number): Promise<void> {
  const startedAt = performance.now();
  for (let index = 0; index < times; index += 1) await compile(`${mapping}\n// ${index}`);
  report("check and strip a rule", times, performance.now() - startedAt);
}

function report(what: string, runs: number, ms: number): void {
  rows.push({ what, runs, "µs per run": Math.round((ms * 1000) / runs), "runs/s": Math.round((runs * 1000) / ms) });
}

async function compile(source: string): Promise<string> {
  const result = await compiler.compile({ name: "bench/outgoing.ts", source, declarations });
  if (!result.ok) throw new Error(JSON.stringify(result.diagnostics));
  return result.code;
}

async function answer(calls: HelperCall[]): Promise<HelperAnswer[]> {
  return calls.map(({ id }) => ({ id, ok: true, value: { id: "005", displayName: "Alice Smith" } }));
}

function aRun(): OutgoingRunInput {
  const author = { id: "005", displayName: "Alice Smith" };
  const time = "2026-01-02T03:04:05Z";
  return {
    direction: "outgoing",
    previous: null,
    firstSync: true,
    connection: { name: "bench", local: "left", remote: "right" },
    mappings: {},
    now: 1_700_000_000_000,
    seed: "bench",
    entity: {
      ...blankEntityView,
      entityType: "Case",
      entityRef: { type: "Case", id: "500" },
      key: "00001000",
      ...Object.fromEntries(Array.from({ length: 18 }, (_, index) => [`Field${index}`, `value of field ${index}`])),
      comments: Array.from({ length: 5 }, (_, index) => ({
        id: `c${index}`,
        body: "Please look at this again when you find the time.",
        internal: false,
        author,
        created: time,
        updated: time,
      })),
    },
  };
}
