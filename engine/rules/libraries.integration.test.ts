import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Completion } from "../sandbox/completion.ts";
import type { Diagnostic } from "./compile.ts";
import { ruleDeclarations } from "./declarations.ts";
import { runInputAsJson } from "./run-input.ts";
import { answering, incomingInput, schemas, Workbench } from "./workbench.ts";

let bench: Workbench;

beforeAll(async () => {
  bench = await Workbench.start();
});

afterAll(async () => {
  await bench.close();
});

type Libraries = Readonly<Record<string, string>>;

const status = `
/** The states of the other side. */
export type State = "New" | "Closed";
const table: Record<string, State> = { "1": "New", "7": "Closed" };
export function mapStatus(code: string | number): State | undefined {
  return table[code];
}
export const states = Object.keys(table), { length: count } = states;
`;

describe("a shared library", () => {
  test("gives its functions, constants, classes and types to the rules that name them", async () => {
    const shapes = "class Box<T> { constructor(readonly_: T) { this.value = readonly_ } value: T }\ninterface Unused {}\nexport { Box as Chest, type Unused };";
    const source = `import { mapStatus as map, states, count, type State } from "lib/status";
import type { Unused } from "lib/shapes"
import { Chest } from 'lib/shapes'
const wanted: State = "Closed"; const unused: Unused = {};
entity.Subject = [map(7), states.join("+"), count, map("7") === wanted, new Chest(3).value].join();`;
    expect(await subject(source, { status, shapes })).toBe("Closed,1+7,2,true,3");
  });

  test("may use other libraries, each run through once and before those that use it", async () => {
    const libraries = {
      a: "console.log('a'); export const a = 1;",
      b: 'import { a } from "lib/a"; console.log("b"); export const b = a + 1;',
      c: 'import { a } from "lib/a"; import { b } from "lib/b"; console.log("c"); export const sum = a + b;',
      never: "console.log('never'); export const x = 1;",
    };
    const completion = await run('import { sum } from "lib/c"; import { b } from "lib/b"; entity.Subject = [sum, b].join(" ");', libraries);
    expect(completion).toMatchObject({ ok: true, console: ["a", "b", "c"], value: { entity: { Subject: "3 2" } } });
  });

  test("finds the same names around it as the rule, and may wait", async () => {
    const libraries = {
      people: "export async function owner(email: string) { return await users.byEmail(email) }\nexport const me = await owner('me@example.com');",
    };
    const source = 'import { owner, me } from "lib/people";\nentity.OwnerId = await owner("a@example.com"); entity.Subject = me?.id';
    const completion = await run(source, libraries, answering({ "users.byEmail": (email) => ({ id: String(email), displayName: "x" }) }));
    expect(completion).toMatchObject({ ok: true, value: { entity: { Subject: "me@example.com", OwnerId: { id: "a@example.com" } } } });
  });

  test("STA-04: starts afresh in every run, also in runs that enter their isolate together", async () => {
    const counter =
      "let count = 0; const seen: string[] = []; export const state = { marks: 0 };\nexport function next() { count += 1; seen.push('x'); state.marks += 1; return [count, seen.length, state.marks].join(' ') }";
    const source =
      'import { next, state } from "lib/counter";\nnext(); (next as any).mark = ((next as any).mark ?? 0) + 1; entity.Subject = [next(), (next as any).mark, Object.isFrozen(state)].join(" ");';
    const code = await compiled(source, { counter });
    const program = { versionId: "sta-04", name: "x", code };
    for (let time = 0; time < 3; time += 1) {
      const completions = await Promise.all(Array.from({ length: 40 }, () => bench.sandbox.run(program, runInputAsJson(incomingInput), answering({}))));
      for (const completion of completions) expect(completion).toMatchObject({ ok: true, value: { entity: { Subject: "2 2 2 1 false" } } });
    }
  });

  test("leaves statements around its import apart, and names of the rule's own alone", async () => {
    const source = 'const table = "mine"\nimport { mapStatus } from "lib/status"\n;(function () { entity.Subject = table + mapStatus(1) })()';
    expect(await subject(source, { status })).toBe("mineNew");
  });
});

describe("an error in a library", () => {
  test("of types names its file and its place there", async () => {
    const broken = status.replace("return table[code];", "return tabel[code];");
    expect(await diagnostics('import { mapStatus } from "lib/status";\nentity.Subject = mapStatus(1)', { status: broken })).toMatchObject([
      { file: "lib/status", code: "TS2552", line: 6, column: 10, message: "lib/status: Cannot find name 'tabel'. Did you mean 'table'?", suggestion: "table" },
    ]);
  });

  test("of syntax names its file", async () => {
    expect(await diagnostics('import { x } from "lib/a"', { a: "\nexport const x = ;" })).toMatchObject([{ file: "lib/a", line: 2, code: "TS1109" }]);
    expect(await diagnostics('import { x } from "lib/a"', { a: "export const x = 1; return;" })).toMatchObject([{ file: "lib/a", code: "TS1108" }]);
  });

  test("is seen at once when the library is mended, and when it goes", async () => {
    const source = 'import { x } from "lib/a"; entity.Subject = x';
    expect(await diagnostics(source, { a: "export const y = 1" })).toMatchObject([{ code: "TS2305" }]);
    expect(await diagnostics(source, { a: "export const x = '1'" })).toEqual([]);
    expect(await diagnostics(source, {})).toMatchObject([{ code: "IMPORT" }]);
  });

  test("at run time has the library's frames and points at the call in the rule", async () => {
    const a = "export function deep(x: any) {\n  return x.name;\n}\n";
    const completion = await run('\nimport { deep } from "lib/a"\n  deep(null)', { a, b: "" });
    expect(completion).toMatchObject({
      ok: false,
      error: { code: "RULE_ERROR", line: 3, column: 3, frames: ["deep (lib/a:2:12)", "support/SN/incoming.ts:3:3"] },
    });
    const atStart = await run('import { x } from "lib/a"', { a: "\nexport const x = (null as any).y" });
    expect(atStart).toMatchObject({ ok: false, error: { frames: ["lib/a:2:32"] } });
  });

  test("cannot be passed off as the rule's by a comment that looks like ours", async () => {
    const completion = await run('//# libraries=[["a",1,99]]\n(null as any).x', {});
    expect(completion).toMatchObject({ ok: false, error: { frames: ["support/SN/incoming.ts:2:15"] } });
  });
});

describe("an import is refused", () => {
  test.each([
    ['import { x } from "lib/other"', 'there is no library "other": there are lib/a, lib/b'],
    ['import { x } from "./a"', 'a rule can import shared libraries only: import { name } from "lib/name"'],
    ['import { x } from "lib/../a"', 'a rule can import shared libraries only: import { name } from "lib/name"'],
    ['import x = require("lib/a")', 'a rule can import shared libraries only: import { name } from "lib/name"'],
    ['import * as a from "lib/a"', 'names are imported from a library one by one: import { name } from "lib/a"'],
    ['import a from "lib/a"', 'names are imported from a library one by one: import { name } from "lib/a"'],
    ['import "lib/a"', 'names are imported from a library one by one: import { name } from "lib/a"'],
    ['import { x } from "lib/constructor"', 'there is no library "constructor": there are lib/a, lib/b'],
  ])("%s", async (source, message) => {
    expect(await diagnostics(source, { a: "export const x = 1", b: "" })).toMatchObject([{ code: "IMPORT", message, line: 1, column: 1 }]);
  });

  test("of a name that the library does not export", async () => {
    expect(await diagnostics('import { mapStates } from "lib/status"', { status })).toMatchObject([{ code: expect.stringMatching(/^TS2/) as string }]);
  });

  test("in a circle, which is spelled out", async () => {
    const libraries = {
      a: 'import { b } from "lib/b"; export const a = 1',
      b: 'import { c } from "lib/c"; export const b = 1',
      c: '\nimport { a } from "lib/a"; export const c = 1',
    };
    expect(await diagnostics('import { a } from "lib/a"', libraries)).toMatchObject([
      { code: "IMPORT", file: "lib/c", line: 2, message: "lib/c: libraries cannot import each other in a circle: lib/a → lib/b → lib/c → lib/a" },
    ]);
    expect(await diagnostics('import { a } from "lib/a"', { a: 'import { a as b } from "lib/a"; export const a = 1' })).toMatchObject([
      { message: "lib/a: libraries cannot import each other in a circle: lib/a → lib/a" },
    ]);
  });

  test.each([
    ["export default 1", "a library has named exports only"],
    ["export default function x() {}", "a library has named exports only"],
    ["export * from 'lib/b'", "a library cannot pass on what another one exports"],
    ["export { x } from 'lib/b'", "a library cannot pass on what another one exports"],
    ["export let x = 1", '"x" may change after others have imported it'],
    ["let x = 1; export { x as y }", '"x" may change after others have imported it'],
  ])("of a library that says %s", async (a, message) => {
    expect((await diagnostics('import type { } from "lib/a"', { a, b: "export const x = 1" }))[0]).toMatchObject({
      code: "IMPORT",
      message: expect.stringContaining(`lib/a: ${message}`) as string,
    });
  });

  test("when the rule and its libraries together are too long", async () => {
    const long = `export const x = 1; // ${"x".repeat(200 * 1024)}`;
    expect(await diagnostics('import { x } from "lib/a"; import { x as y } from "lib/b"', { a: long, b: long })).toMatchObject([{ code: "LIMIT_SOURCE" }]);
    expect(await diagnostics("", { a: "x".repeat(300 * 1024) })).toMatchObject([{ code: "LIMIT_SOURCE" }]);
    expect(await diagnostics("", { "../a": "" })).toMatchObject([{ code: "IMPORT" }]);
  });
});

test.each([["})();x(()=>{"], ["}} function $library1() {{"], ["return {}; }}"]])("ESC-21: %s in a library does not break out of its function", async (a) => {
  expect((await diagnostics('import { x } from "lib/a"', { a: `${a}\nexport const x = 1` })).length).toBeGreaterThan(0);
});

async function compiled(source: string, libraries: Libraries): Promise<string> {
  const compilation = await bench.compiler.compile({ name: "x", source, declarations: ruleDeclarations("incoming", schemas.slice(0, 1)), libraries });
  if (!compilation.ok) throw new Error(JSON.stringify(compilation.diagnostics));
  return compilation.code;
}

async function diagnostics(source: string, libraries: Libraries): Promise<readonly Diagnostic[]> {
  const compilation = await bench.compiler.compile({ name: "x", source, declarations: ruleDeclarations("incoming", schemas.slice(0, 1)), libraries });
  return compilation.ok ? [] : compilation.diagnostics;
}

let versions = 0;

async function run(source: string, libraries: Libraries, answer = answering({})): Promise<Completion> {
  versions += 1;
  const program = { versionId: `library ${versions}`, name: "support/SN/incoming.ts", code: await compiled(source, libraries) };
  return await bench.sandbox.run(program, runInputAsJson(incomingInput), answer);
}

async function subject(source: string, libraries: Libraries): Promise<unknown> {
  const completion = await run(source, libraries);
  if (!completion.ok) throw new Error(JSON.stringify(completion.error));
  return (completion.value as { entity: { Subject: unknown } }).entity.Subject;
}
