import { existsSync, readdirSync, readFileSync } from "node:fs";
import { Script } from "node:vm";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { attacks, expectContained, walker } from "./attacks.ts";
import type { Completion, HelperAnswer, HelperCall } from "./completion.ts";
import type { RunLimits } from "./limits.ts";
import type { Sandbox } from "./sandbox.ts";
import { echo, moduleOf, runText, startWorkshop } from "./workshop.ts";

/**
 * Programs that want out, or want to take the house down with them: one test for each row of the attack catalogue that concerns rule code, by its id.
 * After each, an innocent run in the same process (if it still lives) and one of another owner must succeed.
 */
let sandbox: Sandbox;

beforeAll(async () => {
  sandbox = await startWorkshop({ children: 1 });
});

afterAll(async () => {
  await sandbox.close();
});

describe.each(attacks)("attacks by %s", (_group, rows) => {
  test.each(rows)("%s: %s", async (...row) => {
    await expectContained(sandbox, row);
    await expectOthersFine();
  });
});

describe("attacks on what lasts", () => {
  beforeEach(async () => {
    await expectOthersFine();
  });

  test("STA-01: marks left on everything that can be reached are not there in the next run", async () => {
    const mark = `
      ${walker()}
      out.marked = 0;
      for (const each of reach([input, out, call, end, console])) {
        if (each === input || each === out) continue;
        for (const key of ["isobridgeMark", Symbol.for("isobridgeMark")]) { try { Object.defineProperty(each, key, { value: 1 }); out.marked += 1 } catch {} try { each[key] = 1 } catch {} }
        for (const key of Reflect.ownKeys(each)) { try { each[key] = 666 } catch {} try { delete each[key] } catch {} }
        try { Object.setPrototypeOf(each, null) } catch {}
        try { if (each instanceof Map) Map.prototype.set.call(each, "isobridgeMark", 1) } catch {}
        try { if (each instanceof Set) Set.prototype.add.call(each, "isobridgeMark") } catch {}
        try { if (Array.isArray(each)) each.push("isobridgeMark") } catch {}
      }
      try { globalThis.isobridgeMark = 1 } catch {}
      /isobridge(Mark)/.exec("isobridgeMark");`;
    const look = `
      ${walker()}
      out.found = [];
      for (const each of reach([input, out, call, end, console])) {
        for (const key of Reflect.ownKeys(each)) {
          const value = Object.getOwnPropertyDescriptor(each, key).value;
          if (String(key).includes("isobridgeMark") || value === 666) out.found.push(String(key) + " on " + typeof each + " " + Reflect.ownKeys(each).map(String).join());
        }
        if (each instanceof Map && Map.prototype.has.call(each, "isobridgeMark")) out.found.push("map");
        if (each instanceof Set && Set.prototype.has.call(each, "isobridgeMark")) out.found.push("set");
      }
      out.statics = [RegExp.$1, RegExp.lastMatch, RegExp.input, RegExp.leftContext].map(String).join();
      out.works = [[3, 1].sort().map((x) => x + 1), "a-b".split("-"), JSON.stringify({ a: 1 }), new Date(0).toISOString(), Math.max(1, 2)];`;
    const marks = `if (input.mark) {${mark}} else {${look}}`;
    const first = await runText(sandbox, marks, { version: "sta", input: { mark: true }, limits: { cpuMs: 5_000 } });
    expect(first.ok).toBe(true);
    const second = await runText(sandbox, marks, { version: "sta", input: { mark: false }, limits: { cpuMs: 5_000 } });
    expect(second).toMatchObject({
      ok: true,
      value: { found: [], statics: "undefined,undefined,undefined,undefined", works: [[2, 4], ["a", "b"], '{"a":1}', "1970-01-01T00:00:00.000Z", 2] },
    });
  });

  test("STA-01b: neither import.meta, template objects, registered symbols nor sloppy globals carry anything over", async () => {
    const text = `
      const template = (strings) => strings;
      const own = template\`a\`;
      out.before = [import.meta.x, own.x, typeof leaked, Symbol.for("s").x].map(String).join();
      for (const change of [() => { import.meta.x = 1 }, () => { own.x = 1 }, () => { leaked = 1 }, () => { Symbol.for("s").x = 1 }, () => { globalThis.y = 1 }]) {
        try { change(); out.changed = String(change) } catch {}
      }`;
    for (let time = 0; time < 2; time += 1)
      expect(await runText(sandbox, text, { version: "sta-b" })).toMatchObject({ ok: true, value: { before: "undefined,undefined,undefined,undefined" } });
  });

  test("STA-02: no secret of the parent can be found from inside", async () => {
    process.env.ISOBRIDGE_TEST_CANARY = "canary-7f3a";
    const completion = await runText(
      sandbox,
      `${walker()} out.text = [...reach([input, out, call, end, console])].map((each) => { try { return Reflect.ownKeys(each).map(String).join() + String(each) } catch { return "" } }).join().includes("canary")`,
    );
    delete process.env.ISOBRIDGE_TEST_CANARY;
    expect(completion).toMatchObject({ ok: true, value: { text: false } });
  });

  test("ASY-04: microtasks left behind by a time-out do not run in the next run of that version", async () => {
    const text = "if (input.spin) { Promise.resolve().then(function again() { Promise.resolve().then(again) }); for (;;); } out.fine = true";
    expect(await runText(sandbox, text, { version: "asy", input: { spin: true }, limits: { cpuMs: 200 } })).toMatchObject({
      ok: false,
      error: { code: "LIMIT_CPU" },
    });
    expect(await runText(sandbox, text, { version: "asy", input: { spin: false } })).toMatchObject({ ok: true, value: { fine: true } });
  });

  test("ASY-04b: runs of a version that wait while another run of it breaks their isolate are started again", async () => {
    let release: () => void = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    let asked = 0;
    const answer = async (calls: HelperCall[]): Promise<HelperAnswer[]> => {
      asked += 1;
      await released;
      return await echo(calls);
    };
    const text = "if (input.spin) for (;;); out.a = await call('hold', input.n)";
    const waiting = [1, 2, 3].map((n) => runText(sandbox, text, { version: "asy-b", input: { n }, answer }));
    await expect.poll(() => asked, { timeout: 20_000 }).toBe(3);
    expect(await runText(sandbox, text, { version: "asy-b", input: { spin: true }, limits: { cpuMs: 200 } })).toMatchObject({
      ok: false,
      error: { code: "LIMIT_CPU" },
    });
    release();
    expect(await Promise.all(waiting)).toMatchObject([1, 2, 3].map((n) => ({ ok: true, value: { a: n } })));
    expect(asked).toBe(3);
  });

  test("PRO-05: a polluted prototype in the parent does not reach a new child's environment", async () => {
    const pollution = { NODE_OPTIONS: "--throw-deprecation --this-option-does-not-exist", shell: true, uid: 12345, argv0: "evil" };
    for (const [name, value] of Object.entries(pollution))
      Object.defineProperty(Object.prototype, name, { value, configurable: true, enumerable: true, writable: true });
    try {
      const pool = await startWorkshop({ children: 1 });
      expect(await runText(pool, "out.a = 1")).toMatchObject({ ok: true });
      await pool.close();
    } finally {
      for (const name of Object.keys(pollution)) Reflect.deleteProperty(Object.prototype, name);
    }
  });

  test("PRO-06: a killed child leaves neither core files nor reports nor zombies", async () => {
    const pool = await startWorkshop({ children: 1 });
    await runText(pool, "out.a = 1");
    const [pid] = pool.processIds();
    await runText(pool, `"a".padEnd(2 ** 29 - 25).split("")`);
    await pool.close();
    await expect.poll(() => existsSync(`/proc/${pid}`), { timeout: 20_000 }).toBe(false);
    const leftovers = ["/", process.cwd()].flatMap((folder) => readdirSync(folder)).filter((name) => /^core(\.\d+)?$|^report\.\d+|\.heapsnapshot$/.test(name));
    expect(leftovers).toEqual([]);
  });
});

describe("doors beside the sandbox", () => {
  const sources = readdirSync(new URL("../", import.meta.url), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts"))
    .map((path) => ({ path, text: readFileSync(new URL(`../${path}`, import.meta.url), "utf8").replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "") }));
  const filesWith = (words: RegExp): string[] => sources.filter(({ text }) => words.test(text)).map(({ path }) => path.replaceAll("\\", "/"));

  test("ESC-19: machine code in the place of a program's text is text that does not compile, and nothing ever loads such code", async () => {
    const { cachedData = Buffer.alloc(0) } = new Script("1 + 1", { produceCachedData: true });
    expect(cachedData.length).toBeGreaterThan(0);
    for (const code of [cachedData.toString("latin1"), cachedData.toString("utf8"), `${cachedData.toString("latin1")}\n${moduleOf("out.a = 1")}`]) {
      const completion = await sandbox.run({ versionId: code.slice(0, 50), name: "x", code, owner: "attacker" }, {}, echo);
      expect(completion).toMatchObject({ ok: false, error: { code: "SYNTAX" } });
    }
    expect(filesWith(/cachedData|createSnapshot|snapshotBlob|startupSnapshot/)).toEqual([]);
    await expectOthersFine();
  });

  test("ESC-20: no other file of the engine has the means to run text as code", () => {
    expect(filesWith(/["']isolated-vm["']/).sort()).toEqual(["sandbox/child.ts", "sandbox/hardening.ts"]);
    // The checker compiles to find errors of syntax, and never runs what it compiled.
    expect(filesWith(/["'](node:)?vm["']/)).toEqual(["rules/checker.ts"]);
    expect(filesWith(/\b(runIn\w*Context|runInThisContext)\b|\beval\(|\bnew Function\(|\bnew Worker\(|\bSourceTextModule\b|data:text\/javascript/)).toEqual([]);
  });
});

describe("attacks on those who share a batch", () => {
  const together = async (hostile: string, pool: Sandbox, limits: RunLimits = { cpuMs: 300, wallMs: 20_000 }): Promise<Completion[]> => {
    const text = `if (input.evil) { ${hostile} } out.n = input.n; out.echo = await call("echo", input.n); out.after = out.n`;
    const run = (n: number, evil: boolean): Promise<Completion> => runText(pool, text, { version: hostile, input: { n, evil }, limits });
    // Of a version that nobody has seen yet, eight enter together.
    return await Promise.all(Array.from({ length: 40 }, (_, n) => run(n, n === 17)));
  };

  test.each([
    ["spins", "for (;;);", ["LIMIT_CPU"]],
    ["spins after its answer", "await call('echo'); for (;;);", ["LIMIT_CPU"]],
    ["floods the microtasks", "const more = () => { Promise.resolve().then(more) }; more(); await new Promise(() => {})", ["LIMIT_CPU", "LIMIT_MEMORY"]],
    ["fills its memory", "const a = []; for (;;) a.push({})", ["LIMIT_CPU", "LIMIT_MEMORY"]],
    ["takes the process down", `"a".padEnd(2 ** 29 - 25).split("")`, ["LIMIT_CPU", "LIMIT_MEMORY"]],
    ["leaves a rejection", "Promise.reject(new Error('floating'))", ["RULE_ERROR"]],
    ["throws", "throw new Error('x')", ["RULE_ERROR"]],
    ["waits for nothing", "await new Promise(() => {})", ["STUCK"]],
    ["rejects with a getter that loops", "Promise.reject({ get message() { for (;;); } })", ["LIMIT_CPU", "LIMIT_MEMORY", "RULE_ERROR"]],
  ])("one that %s fails, and no other", async (_what, hostile, codes) => {
    const pool = await startWorkshop({ children: 1 });
    const completions = await together(hostile, pool);
    for (const [n, completion] of completions.entries()) {
      if (n !== 17) expect(completion).toMatchObject({ ok: true, value: { n, echo: n, after: n }, calls: [{ call: { id: 1 } }] });
      else expect(codes).toContain(completion.ok ? "it succeeded" : completion.error.code);
    }
    expect(pool.stats().inFlight).toBe(0);
    await pool.close();
  });

  test("STA-05: none of them moves the clock or the dice of another, whenever it looks", async () => {
    const pool = await startWorkshop({ children: 1 });
    const text = `
      const look = () => [Date.now(), Math.random(), new Date().getTime()];
      out.before = look(); await 0; out.between = look(); await call("echo"); out.after = look();
      if (input.greedy) for (let i = 0; i < 100; i += 1) { Math.random(); await 0; }`;
    const runs = (greedy: boolean): Promise<Completion[]> =>
      Promise.all(Array.from({ length: 40 }, (_, n) => runText(pool, text, { version: "clock", input: { now: 1_000 + n, greedy: greedy && n % 2 === 0 } })));
    const alone: unknown[] = [];
    for (let n = 0; n < 40; n += 1) {
      const completion = await runText(pool, text, { version: `alone ${n}`, input: { now: 1_000 + n, greedy: false } });
      alone.push(completion.ok && completion.value);
    }
    for (const greedy of [false, true, false]) expect((await runs(greedy)).map((completion) => completion.ok && completion.value)).toEqual(alone);
    await pool.close();
  });

  test("CPU-07: computing in small pieces beside many others is not cheaper than alone", async () => {
    const pool = await startWorkshop({ children: 1 });
    const piece = "let x = 0; for (let i = 0; i < 2e5; i += 1) x += i; await call('echo')";
    const completions = await together(`for (let i = 0; i < 150; i += 1) { ${piece} }`, pool, { cpuMs: 60, wallMs: 20_000 });
    for (const [n, completion] of completions.entries())
      expect([n, completion.ok ? "fine" : completion.error.code]).toEqual([n, n === 17 ? "LIMIT_CPU" : "fine"]);
    await pool.close();
  });
});

async function expectOthersFine(): Promise<void> {
  expect(await runText(sandbox, "out.fine = await call('echo', 1)", { owner: "attacker" })).toMatchObject({ ok: true, value: { fine: 1 } });
  expect(await runText(sandbox, "out.fine = await call('echo', 1)", { owner: "neighbour" })).toMatchObject({ ok: true, value: { fine: 1 } });
}
