import { readFileSync, readlinkSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Completion, HelperAnswer, HelperCall } from "./completion.ts";
import { withoutNetwork } from "./hardening.ts";
import type { Sandbox } from "./sandbox.ts";
import { echo, runText, startWorkshop } from "./workshop.ts";

let sandbox: Sandbox;

beforeAll(async () => {
  sandbox = await startWorkshop({ children: 1 });
});

afterAll(async () => {
  await sandbox.close();
});

describe("a run", () => {
  test("gives what the rule made as plain JSON", async () => {
    const completion = await runText(sandbox, "out.sum = input.a + 1; out.list = [1, { two: 2 }]; out.gone = undefined", { input: { a: 1 } });
    expect(completion).toMatchObject({ ok: true, value: { sum: 2, list: [1, { two: 2 }] }, console: [], calls: [] });
    expect(completion.ok && Object.keys(completion.value as object)).toEqual(["sum", "list"]);
  });

  test("ends at a top-level return with what was set so far", async () => {
    expect(await result("out.a = 1; return; out.b = 2")).toEqual({ a: 1 });
  });

  test("keeps its console, in order and with values spelled out", async () => {
    const completion = await runText(
      sandbox,
      "console.log('one', 2, { three: [4, null, undefined] }); console.warn(new Error('five')); console.error(new Map([[1, 2]]))",
    );
    expect(completion.console).toEqual(["one 2 { three: [4, null, undefined] }", "Error: five", "Map [[1, 2]]"]);
  });

  test("keeps its console when it fails", async () => {
    const completion = await runText(sandbox, "console.log('before'); null.x");
    expect(completion.console).toEqual(["before"]);
  });

  test("sees the time it is given, and the same dice each time", async () => {
    const text =
      "out.now = Date.now(); out.date = new Date().toISOString(); out.text = Date().slice(0, 15); out.dice = [Math.random(), Math.random()]; out.other = new Date(0).getTime()";
    const first = await result(text, { now: 1_700_000_000_000 });
    expect(first).toMatchObject({ now: 1_700_000_000_000, date: "2023-11-14T22:13:20.000Z", text: "Tue Nov 14 2023", other: 0 });
    expect(await result(text, { now: 1_700_000_000_000 })).toEqual(first);
  });

  test("reports the time that it took", async () => {
    const completion = await runText(sandbox, "let sum = 0; for (let i = 0; i < 1e5; i += 1) sum += i; await call('wait')", {
      answer: async (calls) => {
        await new Promise((resolve) => setTimeout(resolve, 50));
        return await echo(calls);
      },
    });
    expect(completion.cpuMs).toBeGreaterThan(0);
    expect(completion.wallMs).toBeGreaterThanOrEqual(49);
    expect(completion.cpuMs).toBeLessThan(completion.wallMs);
  });

  test("may use ordinary idioms in the frozen realm", async () => {
    const text = `
      class Failure extends Error { name = "Failure"; constructor(message) { super(message); this.message = message + "!"; } toString() { return "<" + this.message + ">"; } }
      function Old() { this.name = "old"; this.constructor = Old; }
      const o = {}; o.toString = () => "o"; o.valueOf = () => 7; o.hasOwnProperty = 1;
      const list = [3, 1, 2]; list.join = () => "joined";
      const f = () => {}; f.call = 1;
      class Stamp extends Date { get year() { return this.getUTCFullYear(); } }
      out.all = [String(new Failure("x")), new Failure("x") instanceof Error, new Old().name, String(o), o + 1, list.sort().toString(), new Stamp(0).year, f instanceof Function, [..."añ"].length];`;
    expect(await result(text)).toEqual({ all: ["<x!>", true, "old", "o", 8, "joined", 1970, true, 2] });
  });
});

describe("a run that asks the host", () => {
  test("is suspended and resumed with the answers", async () => {
    const completion = await runText(sandbox, "out.first = await call('one', 1); out.second = await call('two', { a: [2] })");
    expect(completion).toMatchObject({ ok: true, value: { first: 1, second: { a: [2] } } });
    expect(completion.calls).toEqual([
      { call: { id: 1, name: "one", args: [1] }, answer: { id: 1, ok: true, value: 1 } },
      { call: { id: 2, name: "two", args: [{ a: [2] }] }, answer: { id: 2, ok: true, value: { a: [2] } } },
    ]);
  });

  test("asks together what it asks at once, at most eight at a time", async () => {
    const sizes: number[] = [];
    const completion = await runText(sandbox, "out.all = await Promise.all(Array.from({ length: 20 }, (_, i) => call('echo', i)))", {
      answer: async (calls) => {
        sizes.push(calls.length);
        return await echo(calls);
      },
    });
    expect(completion.ok && (completion.value as { all: number[] }).all).toEqual(Array.from({ length: 20 }, (_, index) => index));
    expect(sizes).toEqual([8, 8, 4]);
  });

  test("can catch a failure with its code", async () => {
    const value = await result("try { await call('fail') } catch (error) { out.error = [error.message, error.code, error instanceof Error] }");
    expect(value).toEqual({ error: ["there is no such user", "NOT_FOUND_OR_HIDDEN", true] });
  });

  test("fails at the call in the rule when nobody catches it", async () => {
    const error = await errorOf("const wanted = 1;\n\n  await call('fail');");
    expect(error).toMatchObject({ kind: "user", code: "NOT_FOUND_OR_HIDDEN", message: "there is no such user", line: 3, column: 9 });
    expect(error.frames).toEqual(["support/SN/incoming.ts:3:9"]);
  });

  test("fails when a call nobody waits for fails", async () => {
    expect(await errorOf("call('fail');\nawait call('echo');")).toMatchObject({ code: "RULE_ERROR", message: "there is no such user", line: 1 });
  });

  test("runs beside others of its version without mixing them up", async () => {
    const text =
      "const mine = input.n; const got = []; for (let i = 0; i < 5; i += 1) got.push(await call('echo', mine * 10 + i)); out.got = got; out.time = Date.now()";
    const completions = await Promise.all(
      Array.from({ length: 40 }, (_, n) =>
        runText(sandbox, text, {
          version: "shared",
          input: { n, now: n },
          answer: async (calls) => {
            await new Promise((resolve) => setTimeout(resolve, (n * 7) % 11));
            return await echo(calls);
          },
        }),
      ),
    );
    completions.forEach((completion, n) => {
      expect(completion).toMatchObject({ ok: true, value: { got: [0, 1, 2, 3, 4].map((i) => n * 10 + i), time: n } });
    });
  });

  test("rejects when the host itself breaks, and the next run is fine", async () => {
    await expect(runText(sandbox, "await call('x')", { answer: () => Promise.reject(new Error("the database is gone")) })).rejects.toThrow(
      "the database is gone",
    );
    await expect(runText(sandbox, "await call('x')", { answer: async () => [] })).rejects.toThrow("call 1 (x) was not answered");
    expect(await result("out.a = 1")).toEqual({ a: 1 });
  });
});

describe("an error", () => {
  test("points at its line and column in the editor, with the rule's own frames", async () => {
    const error = await errorOf("function inner(value) {\n  return value.name;\n}\nconst x = 1; inner(null);");
    expect(error).toMatchObject({
      kind: "user",
      code: "RULE_ERROR",
      message: "TypeError: Cannot read properties of null (reading 'name')",
      line: 2,
      column: 16,
    });
    expect(error.frames).toEqual(["inner (support/SN/incoming.ts:2:16)", "support/SN/incoming.ts:4:14"]);
  });

  test("on the first line has the right column", async () => {
    expect(await errorOf("null.x")).toMatchObject({ line: 1, column: 6 });
  });

  test("after an await still points at its line", async () => {
    expect(await errorOf("await call('echo');\n\nundefinedName();")).toMatchObject({
      message: "ReferenceError: undefinedName is not defined",
      line: 3,
      column: 1,
    });
  });

  test("names its cause", async () => {
    expect((await errorOf("throw new Error('outer', { cause: new TypeError('inner') })")).message).toBe("outer (caused by: TypeError: inner)");
  });

  test("of syntax says so", async () => {
    expect(await errorOf("let a = ;")).toMatchObject({ kind: "user", code: "SYNTAX" });
  });
});

describe("a limit", () => {
  test("of computing ends the run and names its value", async () => {
    expect(await errorOf("for (;;);", { cpuMs: 200 })).toMatchObject({
      kind: "timeout",
      code: "LIMIT_CPU",
      message: "the rule computed for more than 200 ms, which is the limit",
    });
  });

  test("of computing counts all pieces of a run together", async () => {
    const text = "for (let i = 0; i < 20; i += 1) { let x = 0; for (let j = 0; j < 3e5; j += 1) x += j; await call('echo') }";
    expect(await errorOf(text, { cpuMs: 60 })).toMatchObject({ code: "LIMIT_CPU" });
  });

  test("of waiting ends a run whose answer does not come", async () => {
    const completion = await runText(sandbox, "console.log('asked'); await call('slow')", { limits: { wallMs: 1_000 }, answer: () => new Promise(() => {}) });
    expect(completion).toMatchObject({
      ok: false,
      console: ["asked"],
      error: { kind: "timeout", code: "LIMIT_WALL", message: "the rule had not ended after 1000 ms, waiting included, which is the limit" },
    });
    expect(await result("out.a = 1")).toEqual({ a: 1 });
  });

  test("of calls cannot be caught", async () => {
    const text = "for (let i = 0; i < 30; i += 1) { try { await call('echo', i) } catch { out.caught = i } }";
    expect(await errorOf(text, { calls: 10 })).toMatchObject({
      kind: "limit",
      code: "LIMIT_CALLS",
      message: "the rule made more than 10 helper calls, which is the limit",
      line: 1,
    });
  });

  test("of an argument's size cannot be caught", async () => {
    expect(await errorOf("try { await call('echo', 'x'.repeat(300 * 1024)) } catch {}")).toMatchObject({
      kind: "limit",
      code: "LIMIT_ARGUMENT",
      message: "argument 1 of echo is larger than 262144 bytes, which is the limit",
    });
  });

  test("of the console cuts it and lets the run go on", async () => {
    const completion = await runText(sandbox, "for (let i = 0; i < 5000; i += 1) console.log('line ' + i); console.log('x'.repeat(9999)); out.done = true");
    expect(completion).toMatchObject({ ok: true, value: { done: true } });
    expect(completion.console).toHaveLength(1_001);
    expect(completion.console.at(-1)).toBe("… more than 1000 lines, which is the limit: the rest is not kept");
    const long = await runText(sandbox, "console.log('x'.repeat(9999), 'y')");
    expect(long.console).toEqual([`${"x".repeat(2000)}… (cut at 2000 characters)`]);
  });

  test("of a result's size, depth and number of keys each name themselves", async () => {
    expect(await errorOf("out.a = 'x'.repeat(3 * 1024 * 1024)")).toMatchObject({
      kind: "limit",
      code: "LIMIT_RESULT",
      message: "out is larger than 2097152 bytes, which is the limit",
    });
    expect(await errorOf("let o = out; for (let i = 0; i < 70; i += 1) o = o.o = {}")).toMatchObject({
      kind: "limit",
      code: "LIMIT_RESULT",
      message: "out goes deeper than 64 levels (or contains itself); 64 is the limit",
    });
    expect(await errorOf("out.list = new Array(100_001).fill(0)")).toMatchObject({
      kind: "limit",
      code: "LIMIT_RESULT",
      message: "out has more than 100000 keys, which is the limit",
    });
    expect(await result("let o = out; for (let i = 0; i < 62; i += 1) o = o.o = {}; out.list = new Array(99_000).fill(0); out.ok = true")).toMatchObject({
      ok: true,
    });
  });

  test("of the text's size refuses to run it", async () => {
    expect(await errorOf(`// ${"x".repeat(300 * 1024)}`)).toMatchObject({
      kind: "limit",
      code: "LIMIT_SOURCE",
      message: "the rule's text is larger than 262144 bytes, which is the limit",
    });
  });

  test("of an answer's size becomes an error of that call", async () => {
    const completion = await runText(sandbox, "try { await call('big') } catch (error) { out.code = error.code }", {
      answer: async (calls) => calls.map(({ id }) => ({ id, ok: true, value: "x".repeat(3 * 1024 * 1024) })),
    });
    expect(completion).toMatchObject({ ok: true, value: { code: "LIMIT_ANSWER" } });
  });
});

describe("a child process that dies", () => {
  test("fails only the run that killed it; the others are started again and nobody is asked twice", async () => {
    const pool = await startWorkshop({ children: 1 });
    const asked: string[] = [];
    let release: () => void = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const answer = async (calls: HelperCall[]): Promise<HelperAnswer[]> => {
      for (const { name, args } of calls) asked.push(`${name} ${JSON.stringify(args)}`);
      if (calls.some(({ name }) => name === "hold")) await released;
      return await echo(calls);
    };
    const patient = Array.from({ length: 5 }, (_, n) =>
      runText(pool, "out.a = await call('echo', input.n); out.b = await call('hold', input.n); console.log('done')", { input: { n }, answer }),
    );
    await expect.poll(() => asked.filter((each) => each.startsWith("hold")).length, { timeout: 20_000 }).toBe(5);
    expect(await failure(runText(pool, killer))).toMatchObject({ kind: "memory" });
    release();
    for (const [n, completion] of (await Promise.all(patient)).entries()) {
      expect(completion).toMatchObject({ ok: true, value: { a: n, b: n }, console: ["done"] });
      expect(completion.calls).toHaveLength(2);
    }
    expect(asked).toHaveLength(10);
    expect(pool.stats()).toMatchObject({ kills: 1, restarts: 5, children: 1, inFlight: 0 });
    await pool.close();
  });

  test("for no fault of its runs fails none of them", async () => {
    const pool = await startWorkshop({ children: 1 });
    const run = runText(pool, "out.a = await call('kill')", {
      answer: async (calls) => {
        for (const pid of pool.processIds()) process.kill(pid, "SIGKILL");
        await expect.poll(() => pool.stats().kills, { timeout: 20_000 }).toBeGreaterThan(0);
        return await echo(calls.map((call) => ({ ...call, args: ["survived"] })));
      },
    });
    expect(await run).toMatchObject({ ok: true, value: { a: "survived" } });
    await pool.close();
  });

  test("three times in ten minutes because of one version puts that version into quarantine, and no other", async () => {
    const pool = await startWorkshop({ children: 1 });
    for (let time = 0; time < 3; time += 1) expect(await failure(runText(pool, killer, { version: "bad" }))).toMatchObject({ kind: "memory" });
    expect(await failure(runText(pool, killer, { version: "bad" }))).toMatchObject({
      kind: "limit",
      code: "QUARANTINED",
      message: expect.stringContaining("3 processes within 10 minutes") as string,
    });
    expect(pool.stats()).toMatchObject({ kills: 3, quarantined: 1 });
    expect(await runText(pool, "out.a = 1")).toMatchObject({ ok: true });
    pool.release("bad");
    expect(await runText(pool, "out.a = 1", { version: "bad" })).toMatchObject({ ok: true });
    await pool.close();
  });
});

describe("the pool", () => {
  test("never lets two owners share a process, not even one after the other", async () => {
    const pool = await startWorkshop({ children: 1 });
    const seen = new Map<string, Set<number>>();
    for (const owner of ["a", "b", "a", "b"]) {
      await runText(pool, "await call('who')", {
        owner,
        answer: async (calls) => {
          seen.set(owner, new Set([...(seen.get(owner) ?? []), ...pool.processIds()]));
          return await echo(calls);
        },
      });
    }
    expect(pool.stats().children).toBe(1);
    expect([...(seen.get("a") ?? [])].filter((pid) => seen.get("b")?.has(pid))).toEqual([]);
    await pool.close();
  });

  test("uses a second process when the first has much to do, and gives owners their turn when all are taken", async () => {
    const pool = await startWorkshop({ children: 2 });
    const slow = async (calls: HelperCall[]): Promise<HelperAnswer[]> => {
      await new Promise((resolve) => setTimeout(resolve, 30));
      return await echo(calls);
    };
    const runs = Array.from({ length: 90 }, (_, n) =>
      runText(pool, "out.n = await call('echo', input.n)", { input: { n }, version: "v", owner: ["a", "b", "c"][n % 3] ?? "a", answer: slow }),
    );
    const values = (await Promise.all(runs)).map((completion) => completion.ok && (completion.value as { n: number }).n);
    expect(values).toEqual(Array.from({ length: 90 }, (_, n) => n));
    await pool.close();
  });

  test("MEM-19: keeps its memory within bounds over thousands of runs of hundreds of versions, and fails none of them", async () => {
    const pool = await startWorkshop({ children: 1 });
    for (let version = 0; version < 300; version += 1) {
      const completions = await Promise.all(
        Array.from({ length: 10 }, () =>
          runText(pool, "out.x = JSON.stringify(input).length", { version: `many-${version}`, input: { text: "x".repeat(1000) } }),
        ),
      );
      for (const completion of completions) expect(completion.ok).toBe(true);
    }
    expect(pool.stats()).toMatchObject({ runs: 3000, failures: 0, kills: 0 });
    if (process.platform === "linux") {
      const pages = pool.processIds().map((pid) => Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]));
      expect(Math.max(...pages) * 4096).toBeLessThan(320e6);
    }
    await pool.close();
  });

  test("MEM-21: keeps handles of neither runs nor contexts: one child's memory has its plateau over thousands of both", async () => {
    const pool = await startWorkshop({ children: 1 });
    const megabytes = (): number => Number(readFileSync(`/proc/${pool.processIds()[0]}/statm`, "utf8").split(" ")[1]) / 256;
    const [first] = [await runText(pool, "out.a = 1")].map(() => pool.processIds()[0]);
    const peaks: number[] = [];
    for (let round = 0; round < 4; round += 1) {
      let peak = 0;
      for (let load = 0; load < 500; load += 1) {
        // A version that the child has not had: an isolate and a context of its own, and three runs in it, of which one waits.
        const version = `plateau ${round} ${load}`;
        const text = "out.a = input.length; if (input.ask) out.b = await call('echo', input.text)";
        const runs = [false, true, false].map((ask) => runText(pool, text, { version, input: { ask, text: "x".repeat(2_000) } }));
        for (const completion of await Promise.all(runs)) expect(completion.ok).toBe(true);
        if (load % 10 === 0 && process.platform === "linux") peak = Math.max(peak, megabytes());
      }
      // And as many runs of one version.
      await Promise.all(Array.from({ length: 2_000 }, (_, n) => runText(pool, "out.n = await call('echo', input.n)", { version: "one", input: { n } })));
      peaks.push(peak);
    }
    // 2 000 contexts at 150 KB each, had one handle of each been kept, would be 300 MB.
    const [, second = 0, , last = 0] = peaks;
    expect(last).toBeLessThan(second + 40);
    expect(pool.processIds()).toEqual([first]);
    expect(pool.stats()).toMatchObject({ failures: 0, kills: 0 });
    await pool.close();
    // Two thousand isolates take 20 s on an idle machine.
  }, 240_000);

  test("MEM-22: gives back the texts of inputs and results: one child outlives a hundred thousand of them at 2 KB each", async () => {
    const pool = await startWorkshop({ children: 1 });
    const input = { text: "x".repeat(2_000) };
    await runText(pool, "out.text = input.text", { version: "texts", input });
    const first = pool.processIds();
    for (let round = 0; round < 50; round += 1) {
      const completions = await Promise.all(Array.from({ length: 2_000 }, () => runText(pool, "out.text = input.text", { version: "texts", input })));
      expect(completions.every((completion) => completion.ok)).toBe(true);
    }
    expect(pool.processIds()).toEqual(first);
    expect(pool.stats()).toMatchObject({ runs: 100_001, failures: 0, kills: 0 });
    await pool.close();
    // Four seconds on an idle machine.
  }, 120_000);

  test("answers runs that were under way when it is closed, and refuses later ones", async () => {
    const pool = await startWorkshop({ children: 1 });
    const waiting = runText(pool, "await call('never')", { answer: () => new Promise(() => {}) });
    await pool.close();
    expect(await failure(waiting)).toMatchObject({ code: "CLOSED" });
    expect(await failure(runText(pool, "out.a = 1"))).toMatchObject({ code: "CLOSED" });
  });
});

describe.runIf(process.platform === "linux")("a child process", () => {
  test("runs under the kernel's caps, as nobody in particular, with an empty environment", async () => {
    const pool = await startWorkshop({ children: 1 });
    expect(await runText(pool, "out.a = 1")).toMatchObject({ ok: true });
    const [pid] = pool.processIds();
    const limits = readFileSync(`/proc/${pid}/limits`, "utf8");
    expect(limits).toMatch(/Max data size +\d{9} /);
    expect(limits).toMatch(/Max core file size +0 /);
    expect(limits).toMatch(/Max file size +0 /);
    const network = (of: number | string) => readlinkSync(`/proc/${of}/ns/net`);
    expect(network(pid ?? 0) !== network("self")).toBe(withoutNetwork().length > 0);
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    if (process.getuid?.() === 0) {
      expect(status).toMatch(/Uid:\t(6\d{4})\t\1\t\1\t\1/);
      expect(status).toMatch(/CapEff:\t0+\n/);
      expect(status).toMatch(/Groups:\t *\n/);
    }
    expect(readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").filter(Boolean).sort()).toEqual(["LANG=C", "TZ=UTC"]);
    await pool.close();
  });
});

/** V8 aborts the whole process over this one [M]. */
const killer = `"a".padEnd(2 ** 29 - 25).split("")`;

async function result(text: string, input = {}): Promise<unknown> {
  const completion = await runText(sandbox, text, { input });
  if (!completion.ok) throw new Error(JSON.stringify(completion.error));
  return completion.value;
}

type Failure = Extract<Completion, { ok: false }>["error"];

async function errorOf(text: string, limits = {}): Promise<Failure> {
  return await failure(runText(sandbox, text, { limits }));
}

async function failure(run: Promise<Completion>): Promise<Failure> {
  const completion = await run;
  if (completion.ok) throw new Error(`it succeeded: ${JSON.stringify(completion.value)}`);
  return completion.error;
}
