import { execFileSync } from "node:child_process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Compilation, type Diagnostic, RuleCompiler, sourceBytes } from "./compile.ts";
import { type Direction, ruleDeclarations } from "./declarations.ts";
import { schemas } from "./workbench.ts";

let compiler: RuleCompiler;

beforeAll(async () => {
  compiler = await RuleCompiler.start({ timeMs: 3_000 });
});

afterAll(async () => {
  await compiler.close();
});

describe("checking a rule", () => {
  test("narrows entity by its type, and names a misspelt field with what was meant", async () => {
    expect(await diagnostics('if (entity.entityType == "Case") replica.summary = entity.Subjct')).toEqual([
      {
        code: "TS2551",
        message: "Property 'Subjct' does not exist on type 'CaseEntity'. Did you mean 'Subject'?",
        line: 1,
        column: 59,
        endLine: 1,
        endColumn: 65,
        suggestion: "Subject",
      },
    ]);
    expect(await diagnostics('if (entity.entityType == "Task") replica.p = entity.Priority')).toMatchObject([{ code: "TS2339" }]);
    expect(await diagnostics('if (entity.entityType == "Case") { replica.p = entity.Priority } else { replica.d = entity.Description }')).toEqual([]);
  });

  test("says what to do about a field that only some types have", async () => {
    expect(await diagnostics("replica.p = entity.Priority")).toMatchObject([
      { message: "Property 'Priority' does not exist on type 'Entity'. Not every record type of this side has it: check entity.entityType first." },
    ]);
  });

  test("refuses a type that does not exist, and a picklist value that does not", async () => {
    expect(await diagnostics('if (entity.entityType == "Cse") {}')).toMatchObject([{ code: "TS2367" }]);
    expect(await diagnostics('if (entity.entityType == "Case") entity.Priority = "Urgent"', "incoming")).toMatchObject([
      { code: "TS2322", line: 1, column: 34 },
    ]);
  });

  test("lets values of the other side be assigned without ceremony", async () => {
    const source = `
if (firstSync) entity.entityType = "Case"
if (entity.entityType == "Case") {
  entity.Subject = replica.summary
  entity.Priority = mapping("priority", replica.priority, "Medium")
  entity.OwnerId = await users.byEmail(replica.assignee?.email)
  entity.DueAt = replica.custom?.due ?? new Date()
  entity.Score = null
  entity.Subject = undefined
  for (const label of replica.labels ?? []) console.log(label.name)
  const list = []
  list.push(replica.anything.else)
  const account = await lookup.one("Account", { Name: replica.custom.account })
  if (account) linkTo(account)
  comments.merge(entity, replica, comment => ({ ...comment, internal: true }))
  attachments.merge(entity, replica, file => file.filesize < 1000)
  try { status(replica.status) } catch (error) { fail(error.message) }
}`;
    expect(await diagnostics(source, "incoming")).toEqual([]);
  });

  test("guards read-only fields and the outgoing entity", async () => {
    expect(await diagnostics('if (entity.entityType == "Case") entity.IsClosed = true', "incoming")).toMatchObject([{ code: "TS2540" }]);
    expect(await diagnostics("entity.Subject = 'x'")).toMatchObject([{ code: "TS2540" }]);
    expect(await diagnostics("replica = {}")).toMatchObject([{ code: "TS2588" }]);
    expect(await diagnostics("comments.merge(entity, replica)")).toMatchObject([{ code: "TS2304" }]);
  });

  test("knows no name that the sandbox does not have", async () => {
    const absent = [
      "require",
      "process",
      "fetch",
      "setTimeout",
      "document",
      "window",
      "Buffer",
      "WebAssembly",
      "SharedArrayBuffer",
      "Atomics",
      "WeakRef",
      "FinalizationRegistry",
      "eval",
      "escape",
      "structuredClone",
      "URL",
      "performance",
    ];
    for (const name of absent) expect([name, await diagnostics(`${name}`)]).toMatchObject([name, [{ code: expect.stringMatching(/^TS2/) as string }]]);
    expect(
      await diagnostics(
        "replica.a = [Math.max(1), JSON.stringify({}), new Map(), [3].toSorted(), Object.groupBy, 'x'.at(0), 1n, Symbol.iterator, new Date().toISOString()].length",
      ),
    ).toMatchObject([{ code: "TS2550" }]);
  });

  test("does not advise to install packages", async () => {
    expect(await diagnostics("require('fs')")).toMatchObject([{ message: "Cannot find name 'require'." }]);
  });

  test("gives positions in UTF-16 code units, behind emoji, tabs, and any line end", async () => {
    expect(await diagnostics("/* 😀é */\tnope\r\n/*\u2028*/ nope2\n  nope3")).toMatchObject([
      { line: 1, column: 11, endLine: 1, endColumn: 15 },
      { line: 3, column: 4 },
      { line: 4, column: 3 },
    ]);
  });

  test("accepts top-level await and return, and the whole of erasable TypeScript", async () => {
    const source = `
interface Pair<T> { left: T; right?: T }
type Name = keyof Pair<string>;
class Box<T extends object = {}> { readonly value: T; constructor(value: T) { this.value = value } get it(): T { return this.value! } static of(this: void, x: unknown) { return x as string } }
const pair = { left: 1 } satisfies Pair<number>;
function overloaded(a: string): string;
function overloaded(a: any) { return a as never }
abstract class Shape { abstract area(): number; declare hint?: string }
label: for (const x of [1, 2]) { if (x > 1) break label }
using nothing = null;
replica.x = (await users.byEmail("a"))?.id ?? overloaded(String(new Box({}).it)) + pair.left!;
if (replica.x) return;
let y: Name = "left"; replica.y = y`;
    const compilation = await compile(source);
    expect(compilation.ok).toBe(true);
    // Blanked, not printed anew: every line is as long as it was.
    if (compilation.ok)
      expect(
        compilation.code
          .split("\n")
          .slice(1, -2)
          .map((line) => line.length),
      ).toEqual(source.split("\n").map((line) => line.length));
  });

  test("refuses what cannot be erased", async () => {
    for (const source of ["enum A { b }", "namespace N { export const x = 1 }", "class A { constructor(private x: number) {} }", "const x = <any>1"]) {
      expect((await diagnostics(source))[0]).toMatchObject({ code: "TS1294" });
    }
    expect((await diagnostics("@dec class X {}\nfunction dec(x) {}"))[0]).toMatchObject({ code: "SYNTAX", line: 1 });
  });

  test("works without any schema, and with types that were only sampled", async () => {
    const loose = ruleDeclarations("incoming", []);
    expect((await compiler.compile({ name: "x", source: "entity.entityType; entity.anything = replica.x", declarations: loose })).ok).toBe(true);
    const sampled = ruleDeclarations("incoming", [
      { entityType: "u_thing", label: "Thing", fields: [], sampled: true, comments: false, internalComments: false, attachments: false },
    ]);
    expect((await compiler.compile({ name: "x", source: "entity.u_any = 1; entity.entityType = 'u_thing'", declarations: sampled })).ok).toBe(true);
  });

  test("sees a schema that changed at once", async () => {
    const source = 'if (entity.entityType == "Case") replica.x = entity.Renamed__c';
    const before = ruleDeclarations("outgoing", schemas);
    expect((await compiler.compile({ name: "x", source, declarations: before })).ok).toBe(false);
    const after = before.replace("Subject: string | null", "Renamed__c: string; readonly Subject: string | null");
    expect((await compiler.compile({ name: "x", source, declarations: after })).ok).toBe(true);
    expect((await compiler.compile({ name: "x", source, declarations: before })).ok).toBe(false);
  });
});

describe("attacks on the checker", () => {
  test("ESC-03: imports, exports and references to files are refused, each with its place", async () => {
    expect(await diagnostics("import fs from 'node:fs'")).toMatchObject([{ code: "IMPORT", line: 1, column: 1, endColumn: 25 }]);
    expect(await diagnostics("replica.a = 1\n  import { x } from 'lib/status'\nexport const y = 1\nexport {}")).toMatchObject([
      { code: "IMPORT", line: 2, column: 3 },
      { code: "IMPORT", line: 3, column: 1 },
      { code: "IMPORT", line: 4, column: 1 },
    ]);
    for (const reference of [
      '/// <reference path="/etc/passwd" />',
      '///<reference types="node"/>',
      '  /// <reference lib="dom" />',
      "/// <amd-dependency path='x'/>",
    ]) {
      expect(await diagnostics(`${reference}\nreplica.a = 1`)).toMatchObject([{ code: "REFERENCE", line: 1 }]);
    }
    expect(await diagnostics("let x: import('/etc/passwd').X")).toMatchObject([{ code: "TS2307" }]);
  });

  test.each([
    ["})();x(()=>{"],
    ["}); } evil(); (async () => {"],
    ["*/ evil() /*"],
    ["replica.a = 1 --> b"],
    ["<!-- html\nreplica.a = 1"],
    ["replica.a = 1\n--> html"],
    ["`${"],
    ["/* never closed"],
    ["await: 1; yield = 2"],
    ["with (entity) {}"],
  ])("ESC-21: %s does not break out of the wrapper", async (source) => {
    expect((await compile(source)).ok).toBe(false);
  });

  test("ESC-21b: comments that V8 or Node read are only comments", async () => {
    for (const source of [
      "#!/usr/bin/env node\nreplica.a = 1",
      "replica.a = 1 //# sourceURL=evil.ts",
      "/*# sourceMappingURL=x */ replica.a = '//# sourceURL=x'",
      "// @ts-nocheck\nreplica.a = 1",
      "replica.a = '\u2028'",
    ]) {
      const compilation = await compile(source);
      expect(compilation.ok && compilation.code.endsWith("\n//# sourceURL=rule:main")).toBe(true);
    }
  });

  test("ESC-23: a type bomb ends with the limit named, and the next text is checked as ever", async () => {
    const bomb = `
type N<L extends number, T extends any[] = []> = T["length"] extends L ? T : N<L, [...T, any]>;
type M<A extends any[], B extends any[]> = A extends [any, ...infer R] ? [...B, ...M<R, B>] : [];
${Array.from({ length: 40 }, (_, index) => `let z${index}: M<N<${900 + index}>, N<999>>;`).join("\n")}`;
    expect(await diagnostics(bomb)).toMatchObject([{ code: "LIMIT_COMPILE", message: "checking this text took longer than 3000 ms, which is the limit" }]);
    expect(await diagnostics("nope")).toMatchObject([{ code: "TS2304" }]);
  });

  test.runIf(process.platform === "linux")("ESC-23c: a checker that needs too much memory is stopped", async () => {
    const small = await RuleCompiler.start({ megabytes: 60, timeMs: 20_000 });
    const bomb = `type N<L extends number, T extends any[] = []> = T["length"] extends L ? T : N<L, [...T, any]>;\ntype M<A extends any[], B extends any[]> = A extends [any, ...infer R] ? [...B, ...M<R, B>] : [];\n${Array.from({ length: 40 }, (_, index) => `let z${index}: M<N<${900 + index}>, N<999>>;`).join("\n")}`;
    expect(await small.compile({ name: "x", source: bomb, declarations: "" })).toMatchObject({
      ok: false,
      diagnostics: [{ code: "LIMIT_COMPILE", message: "checking this text needed more than 60 MB of memory, which is the limit" }],
    });
    await small.close();
  });

  test("ESC-23b: deep nesting breaks neither this check nor the next", async () => {
    for (const source of [
      `let a = ${"[".repeat(20_000)}${"]".repeat(20_000)}`,
      `let a = ${"(".repeat(3_000)}1${")".repeat(3_000)}`,
      `${"{".repeat(50_000)}`,
      `let a = ${"-".repeat(1)}${"!".repeat(100_000)}1`,
    ]) {
      expect((await compile(source)).ok).toBe(false);
      expect(await diagnostics("replica.a = 1")).toEqual([]);
    }
  });

  test("SRC-03: two hundred thousand labels end in an error", async () => {
    expect(
      (
        await compile(
          Array.from({ length: 40_000 }, (_, index) => `l${index}:`)
            .join("")
            .slice(0, sourceBytes - 10),
        )
      ).ok,
    ).toBe(false);
    expect(await diagnostics("replica.a = 1")).toEqual([]);
  });

  test("SRC-04: a text beyond the limit is not even looked at", async () => {
    expect(await diagnostics("/".repeat(sourceBytes + 1))).toMatchObject([
      { code: "LIMIT_SOURCE", message: "the rule's text is 262145 bytes long; 262144 bytes is the limit" },
    ]);
  });

  test("texts that wait behind a hostile one are checked afterwards, in order", async () => {
    const bomb = compile(
      "type N<L extends number, T extends any[] = []> = T['length'] extends L ? T : N<L, [...T, any]>;\ntype M<A extends any[], B extends any[]> = A extends [any, ...infer R] ? [...B, ...M<R, B>] : [];\nlet z: M<N<998>, N<998>>, y: M<N<997>, N<998>>, x: M<N<996>, N<998>>, w: M<N<995>, N<998>>, v: M<N<994>, N<998>>;",
    );
    const others = [1, 2, 3].map((n) => compile(`replica.n = ${n}`));
    expect((await bomb).ok).toBe(false);
    for (const other of others) expect((await other).ok).toBe(true);
  });

  test("no process is left behind when the compiler is closed", async () => {
    const own = await RuleCompiler.start();
    await own.compile({ name: "x", source: "let a = 1", declarations: "" });
    const processes = checkersOf(process.pid);
    expect(processes.length).toBeGreaterThan(0);
    await own.close();
    await expect.poll(() => processes.filter((pid) => isAlive(pid))).toEqual([]);
    expect(await own.compile({ name: "x", source: "let a = 1", declarations: "" })).toMatchObject({ ok: false, diagnostics: [{ code: "CLOSED" }] });
  });
});

async function compile(source: string, direction: Direction = "outgoing"): Promise<Compilation> {
  return await compiler.compile({ name: "support/SN/outgoing.ts", source, declarations: ruleDeclarations(direction, schemas) });
}

async function diagnostics(source: string, direction: Direction = "outgoing"): Promise<readonly Diagnostic[]> {
  const compilation = await compile(source, direction);
  return compilation.ok ? [] : compilation.diagnostics;
}

/** The newest checker and its native compiler. */
function checkersOf(parent: number): number[] {
  const list = execFileSync("ps", ["-eo", "pid=,ppid="], { encoding: "utf8" })
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number));
  const newest = Math.max(...list.filter(([, ppid]) => ppid === parent).map(([pid]) => pid ?? 0));
  return [newest, ...list.filter(([, ppid]) => ppid === newest).map(([pid]) => pid ?? 0)];
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
