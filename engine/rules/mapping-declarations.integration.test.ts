import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RuleCompiler } from "./compile.ts";
import { declarationsHash, ruleDeclarations } from "./declarations.ts";
import { withMappingTables } from "./mapping-declarations.ts";
import type { MappingTable } from "./run-input.ts";

const tables: Readonly<Record<string, MappingTable>> = {
  priority: { outgoing: { High: "1", Low: "3" }, incoming: { "1": "High", "3": "Low" } },
  kind: { outgoing: { Question: "q" }, incoming: {}, otherwise: "other" },
};
const declarations = ruleDeclarations("outgoing", [], tables);
let compiler: RuleCompiler;
beforeAll(async () => {
  compiler = await RuleCompiler.start();
});
afterAll(async () => {
  await compiler.close();
});

async function messages(source: string, against = declarations): Promise<readonly string[]> {
  const found = await compiler.compile({ name: "outgoing.ts", source, declarations: against });
  return found.ok ? [] : found.diagnostics.map(({ message }) => message);
}

describe("the tables of a side, in a rule", () => {
  test.each([
    'replica.a = mapping("priority", "High")',
    'replica.a = mapping("priority", entity.anything)',
    'replica.a = mapping("priority", { name: "High" }) ?? 3',
    'replica.a = mapping("priority", 3)',
    'replica.a = mapping("priority", undefined)',
    'replica.a = mapping("kind", "Anything, since the table has an answer for all others")',
    'replica.a = mapping("priority", "Medium", "as it was")',
    'const choice = (entity.x as "High" | "Medium" | null); replica.a = mapping("priority", choice)',
    'for (const name of ["priority", "kind"] as const) replica[name] = mapping(name, entity.x)',
  ])("%s checks", async (source) => {
    expect(await messages(source)).toEqual([]);
  });

  test.each([
    ['mapping("priorty", entity.x)', `'"priorty"' is not assignable to parameter of type '"kind" | "priority"'`],
    ['mapping("priorty", entity.x, "otherwise")', `'"priorty"' is not assignable`],
    ['mapping("priority", "Hihg")', `'"Hihg"' is not assignable to parameter of type '"High" | "Low"'`],
    ['const choice = (entity.x as "Medium" | "None"); mapping("priority", choice)', "is not assignable to parameter of type"],
  ])("%s is a red line", async (source, message) => {
    expect((await messages(source)).join()).toContain(message);
  });

  test("are asked for the other side's values in an incoming rule", async () => {
    const incoming = ruleDeclarations("incoming", [], tables);
    expect(await messages('mapping("priority", "1")', incoming)).toEqual([]);
    expect(await messages('mapping("priority", "High")', incoming)).toHaveLength(1);
  });

  test("do not exist where a side has none, and may be called anything where nobody knows them", async () => {
    expect(await messages('mapping("priority", 1)', ruleDeclarations("outgoing", [], {}))).toHaveLength(1);
    expect(await messages('mapping("priority", 1)', ruleDeclarations("outgoing", []))).toEqual([]);
  });

  test("make the same text whatever their order, and another one when a row is added", () => {
    const turned = Object.fromEntries(Object.entries(tables).reverse());
    expect(ruleDeclarations("outgoing", [], turned)).toBe(declarations);
    const more = { ...tables, kind: { outgoing: { Question: "q", Task: "t" }, incoming: {} } };
    expect(declarationsHash(ruleDeclarations("outgoing", [], more))).not.toBe(declarationsHash(declarations));
  });

  test("can be put in place of those that types were pulled with", () => {
    expect(withMappingTables(ruleDeclarations("outgoing", [], {}), "outgoing", tables)).toBe(declarations);
    expect(withMappingTables("declare const entity: any;\n", "outgoing", tables)).toBe("declare const entity: any;\n");
  });

  test("may be called whatever a table can be called, however many rows they have", async () => {
    const many = Object.fromEntries(Array.from({ length: 3_000 }, (_, index) => [`value "${index}" */`, index]));
    const odd = ruleDeclarations("outgoing", [], { "a-b_1": { outgoing: many, incoming: {} }, __proto__x: { outgoing: { '"; }': 1, "\n": 2 }, incoming: {} } });
    expect(await messages('replica.a = [mapping("a-b_1", "whatever"), mapping("__proto__x", "\\n")]', odd)).toEqual([]);
  });
});
