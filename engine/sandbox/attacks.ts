/**
 * Rules that want out, or want to take the house down with them: one for each row of the attack catalogue that concerns rule code, by its id. Run by
 * attacks.integration.test.ts, which expects each to be contained, and by controls.integration.test.ts, which takes a layer away and expects the opposite.
 */
import { expect } from "vitest";
import type { Completion } from "./completion.ts";
import type { Sandbox } from "./sandbox.ts";
import { runText } from "./workshop.ts";

/** Runs a row and expects that it ends as the row says. */
export async function expectContained(sandbox: Sandbox, [, , text, expected]: Row): Promise<void> {
  // The clock is short for rows that it is to end. The others are not about time, and must not become so on a busy machine.
  const isTimed = "codes" in expected && expected.codes.includes("LIMIT_CPU");
  const completion = await runText(sandbox, text, { owner: "attacker", limits: isTimed ? { cpuMs: 400, wallMs: 5_000 } : { cpuMs: 5_000, wallMs: 30_000 } });
  if ("value" in expected) expect(completion).toMatchObject({ ok: true, value: expected.value });
  else {
    if (completion.ok) throw new Error(`it succeeded: ${JSON.stringify(completion.value).slice(0, 500)}`);
    expect(expected.codes).toContain(completion.error.code);
    if (expected.message !== undefined) expect(completion.error.message).toBe(expected.message);
  }
  expectNothingLeaked(completion);
}

/** No path of the host, whatever the rule managed to print. */
function expectNothingLeaked(completion: Completion): void {
  expect(JSON.stringify(completion)).not.toMatch(/file:\/\/|node:internal|node_modules|\/engine\/|<isolated-vm|\[eval/);
}

/** A test takes what it expects: the result, or one of these codes. */
type Expected = { readonly value: unknown } | { readonly codes: readonly string[]; readonly message?: string };

const ended = { codes: ["LIMIT_CPU", "LIMIT_MEMORY"] };
const refused = { codes: ["RULE_ERROR"] };
const invalid = { codes: ["RESULT_INVALID"] };

export type Row = readonly [id: string, what: string, text: string, expected: Expected];

const escapes: readonly Row[] = [
  ["ESC-01", "walking to Function by constructors", `out.x = (() => {}).constructor("return typeof process + typeof require")()`, refused],
  [
    "ESC-01b",
    "walking there by async and generator functions",
    `
    for (const f of [async () => {}, function* () {}, async function* () {}]) {
      try { f.constructor("return 1"); out.bad = true } catch (error) { out.message = error.message }
      try { Reflect.construct(f.constructor, ["return 1"]); out.bad = true } catch {}
    }`,
    { value: { message: "code cannot be made from text in a rule" } },
  ],
  [
    "ESC-03",
    "asking for modules",
    `
    out.types = [typeof require, typeof process, typeof globalThis.process, typeof module, typeof Buffer];
    try { await import("node:fs"); out.bad = true } catch { out.refused = true }`,
    { value: { types: Array(5).fill("undefined"), refused: true } },
  ],
  ["ESC-03b", "leaving through process.exit", "process.exit(1)", refused],
  [
    "ESC-04",
    "a census of all globals",
    "out.names = Object.getOwnPropertyNames(globalThis).sort().join(' ') + Object.getOwnPropertySymbols(globalThis).length",
    {
      value: {
        names:
          "AggregateError Array ArrayBuffer BigInt BigInt64Array BigUint64Array Boolean DataView Date Error EvalError Float32Array Float64Array Function Infinity Int16Array Int32Array Int8Array Iterator JSON Map Math NaN Number Object Promise Proxy RangeError ReferenceError Reflect RegExp Set String SuppressedError Symbol SyntaxError TypeError URIError Uint16Array Uint32Array Uint8Array Uint8ClampedArray WeakMap WeakSet decodeURI decodeURIComponent encodeURI encodeURIComponent globalThis isFinite isNaN parseFloat parseInt undefined0",
      },
    },
  ],
  [
    "ESC-05",
    "hunting for handles of the host",
    `
    ${walker()}
    out.found = [...reach()].map((each) => Object.getOwnPropertyDescriptor(each, "constructor")?.value?.name).filter((name) => /^(Reference|ExternalCopy|Isolate|Context|Script|Module|Callback|NativeModule|Session)$/.test(name));`,
    { value: { found: [] } },
  ],
  [
    "ESC-06",
    "walking a path through what a helper answers",
    `
    const answer = await call("echo", { name: "x" });
    out.x = answer.name.constructor.constructor === Function;
    try { answer.constructor.constructor("return process")(); out.bad = true } catch (error) { out.message = error.message }`,
    { value: { x: true, message: "code cannot be made from text in a rule" } },
  ],
  [
    "ESC-07",
    "reaching for members by odd indices",
    `
    const answer = await call("echo", ["x"]);
    out.kinds = [answer["constructor"] === Array, answer[-1], answer[1e21], answer["4294967295"], typeof answer.at("constructor")];
    out.getter = typeof answer.__lookupGetter__ === "function" ? typeof answer.__lookupGetter__("length") : "none";
    out.named = await call("constructor", "__proto__", "__lookupGetter__");`,
    { value: { kinds: [true, null, null, null, "string"], getter: "undefined", named: "__proto__" } },
  ],
  [
    "ESC-08",
    "making a helper answer a function or a promise",
    `
    const answer = await call("echo", { then: "no function", call: 1 });
    out.kinds = [typeof answer, typeof answer.then, Object.getPrototypeOf(answer) === Object.prototype, call("echo", 1) instanceof Promise];`,
    { value: { kinds: ["object", "string", true, true] } },
  ],
  ["ESC-09", "leaving code for the host's inspector", `out[Symbol.for("nodejs.util.inspect.custom")] = () => { throw 1 }; out.a = 1`, { value: { a: 1 } }],
  [
    "ESC-11",
    "preparing stack traces",
    `
    try { Error.prepareStackTrace = (error, sites) => sites; out.bad = true } catch {}
    try { Object.defineProperty(Error, "prepareStackTrace", { value: (error, sites) => sites[0].getThis() }); out.bad = true } catch {}
    class Own extends Error { static prepareStackTrace(error, sites) { return sites } }
    out.type = typeof new Own("x").stack;`,
    { value: { type: "string" } },
  ],
  [
    "ESC-12",
    "reading host paths out of errors",
    `
    try { await call("fail") } catch (error) { out.text = [error.message, error.stack, String(error.cause), Reflect.ownKeys(error).join()].join(" ") }
    try { null.x } catch (error) { out.other = error.stack }
    out.leak = /file:|node:|\\/work|\\/home|\\/root|node_modules|child\\.ts/.test(out.text + out.other); delete out.text; delete out.other`,
    { value: { leak: false } },
  ],
  [
    "ESC-13",
    "nesting errors of helpers",
    `
    try { await Promise.any([call("fail"), call("fail")]) } catch (error) { out.kinds = [error.constructor === AggregateError, error.errors.every((each) => each.constructor === Error)] }`,
    { value: { kinds: [true, true] } },
  ],
  [
    "ESC-15",
    "iterating over answers",
    `
    async function* all() { yield* [call("echo", 1), call("echo", 2)]; }
    out.list = []; for await (const each of all()) out.list.push(each); out.from = typeof Array.fromAsync`,
    { value: { list: [1, 2], from: "undefined" } },
  ],
  ["ESC-16", "reaching for WebAssembly", "out.type = typeof WebAssembly", { value: { type: "undefined" } }],
  ["ESC-17", "stopping in a debugger", "debugger; out.a = typeof console.profile", { value: { a: "undefined" } }],
  ["ESC-18", "taking the names object from the arguments of the function around", "out.type = typeof arguments", { value: { type: "undefined" } }],
];

const busy: readonly Row[] = [
  ["CPU-01", "spinning", "for (;;);", ended],
  ["CPU-02", "a regular expression that explodes", "/^(a+)+$/.test('a'.repeat(40) + 'b')", ended],
  ["CPU-04", "awaiting for ever", "for (;;) await 0", ended],
  ["CPU-04b", "awaiting for ever with nobody waiting", "(async () => { for (;;) await 0 })(); out.a = 1", ended],
  ["CPU-05", "a flood of microtasks", "const more = () => { Promise.resolve().then(more).then(more) }; more()", ended],
  ["CPU-06", "spinning after an answer", "await call('echo'); for (;;);", ended],
  ["CPU-08", "blocking the thread", "Atomics.wait(new Int32Array(new SharedArrayBuffer(8)), 0, 0)", refused],
  ["CPU-09", "finalizers", "new FinalizationRegistry(() => { for (;;); }).register({}, 0)", refused],
  ["CPU-10", "a big power", "out.x = String(9n ** 99999999n).length", ended],
  ["CPU-12", "filling a dense array", "Array(1e9).fill(0)", ended],
  ["CPU-13", "filling with objects", "new Array(2 ** 26).fill({})", ended],
  ["CPU-14", "an array from a length", "Array.from({ length: 2 ** 32 - 1 })", ended],
  [
    "CPU-16",
    "a slow sort",
    "Array.from({ length: 3e6 }, (_, i) => i ^ 12345).sort((a, b) => { let x = 0; for (let i = 0; i < 50; i += 1) x += i; return a - b + x * 0 })",
    ended,
  ],
  ["CPU-18", "searching a huge text", `let s = "a".repeat(2e8); s.indexOf("b"); [...s]`, { codes: ["LIMIT_CPU", "LIMIT_MEMORY", "RULE_ERROR"] }],
  ["CPU-20", "recursion in finally", "(function f() { try { f() } finally { f() } })()", ended],
  [
    "CPU-22",
    "keys whose hashes collide",
    `
    const flood = {}; for (let i = 0; i < 40_000; i += 1) flood[String(i * 2 ** 20)] = 1;
    out.echoed = Object.keys(await call("echo", Object.fromEntries(Object.entries(flood).slice(0, 10_000)))).length; out.flood = flood; out.last = 39_999`,
    { value: { echoed: 10_000, last: 39_999 } },
  ],
  ["CPU-21", "waiting on the clock", "const until = Date.now() + 10; while (Date.now() < until);", ended],
];

const hungry: readonly Row[] = [
  ["MEM-01", "objects without end", "const a = []; for (;;) a.push({})", ended],
  ["MEM-02", "buffers without end", "const a = []; for (;;) a.push(new Uint8Array(1e6).fill(1))", { codes: ["LIMIT_CPU", "LIMIT_MEMORY", "RULE_ERROR"] }],
  [
    "MEM-03",
    "a buffer that grows in place",
    `
    const buffer = new ArrayBuffer(1, { maxByteLength: 2 ** 31 });
    out.kinds = [typeof buffer.resize, buffer.resizable, typeof buffer.transfer, buffer.constructor === ArrayBuffer];
    const View = new Uint8Array(1).buffer.constructor; out.same = View === ArrayBuffer`,
    { value: { kinds: ["undefined", false, "undefined", true], same: true } },
  ],
  ["MEM-05", "memory of WebAssembly", "new WebAssembly.Memory({ initial: 1, maximum: 65536 })", refused],
  ["MEM-07", "formatters", "new Intl.NumberFormat('de')", refused],
  ["MEM-09", "a million times the same text", "out.list = new Array(1e6).fill('x'.repeat(1000))", { codes: ["LIMIT_RESULT"] }],
  ["MEM-10", "padding and splitting", `"a".padEnd(2 ** 29 - 25).split("")`, ended],
  ["MEM-11", "splitting", `"a".repeat(2 ** 27).split("")`, ended],
  ["MEM-13", "symbols that are kept for ever", "for (let i = 0; ; i += 1) Symbol.for('x'.repeat(1000) + i)", ended],
  ["MEM-14", "doubling an array", "let a = [1, 2]; for (;;) a = a.concat(a)", { codes: ["LIMIT_CPU", "LIMIT_MEMORY", "RULE_ERROR"] }],
  ["MEM-14b", "doubling by spreading", "let a = [1, 2]; for (;;) a = [...a, ...a]", { codes: ["LIMIT_CPU", "LIMIT_MEMORY", "RULE_ERROR"] }],
  [
    "MEM-15",
    "flattening shared arrays",
    "let a = [1]; for (let i = 0; i < 30; i += 1) a = [a, a]; a.flat(Infinity)",
    { codes: ["LIMIT_CPU", "LIMIT_MEMORY", "RULE_ERROR"] },
  ],
  ["MEM-16", "a map without end", "const m = new Map(); for (let i = 0; ; i += 1) m.set(i, i)", { codes: ["LIMIT_CPU", "LIMIT_MEMORY", "RULE_ERROR"] }],
  [
    "MEM-17",
    "weak maps with kept keys",
    "const w = new WeakMap(), keys = []; for (;;) { const k = {}; keys.push(k); w.set(k, new Array(100).fill(0)) }",
    ended,
  ],
  ["MEM-20", "arrays of filled arrays", "const a = []; for (;;) a.push(new Array(1000).fill(1.5))", ended],
  ["SRC-02", "nested groups", "new RegExp('('.repeat(1e6) + ')'.repeat(1e6))", { codes: ["LIMIT_CPU", "LIMIT_MEMORY", "RULE_ERROR"] }],
];

const errors: readonly Row[] = [
  ["ERR-01", "throwing a getter that loops", "throw { get message() { for (;;); } }", ended],
  [
    "ERR-01b",
    "leaving a rejection whose getter loops",
    "Promise.reject({ get message() { for (;;); } }); out.a = 1",
    { codes: ["LIMIT_CPU", "LIMIT_MEMORY", "RULE_ERROR"] },
  ],
  ["ERR-02", "a stack preparer that loops", "Error.prepareStackTrace = () => { for (;;); }; null.x", refused],
  ["ERR-03", "throwing a proxy that loops", "throw new Proxy(new Error(), { get() { for (;;); } })", ended],
  ["ERR-03b", "throwing a proxy whose prototype loops", "throw new Proxy({}, { getPrototypeOf() { for (;;); } })", { codes: ["LIMIT_CPU", "RULE_ERROR"] }],
  ["ERR-04", "a stack getter that loops", "const error = new Error('x'); Object.defineProperty(error, 'stack', { get() { for (;;); } }); throw error", ended],
  ["ERR-06", "a huge message", "throw new Error('x'.repeat(2 ** 28))", { codes: ["RULE_ERROR", "LIMIT_MEMORY"] }],
  ["ERR-07a", "throwing null", "throw null", { codes: ["RULE_ERROR"], message: "the rule threw null" }],
  ["ERR-07b", "throwing undefined", "throw undefined", { codes: ["RULE_ERROR"], message: "the rule threw undefined" }],
  ["ERR-07c", "throwing a symbol", "throw Symbol('s')", { codes: ["RULE_ERROR"], message: "the rule threw Symbol(s)" }],
  ["ERR-07d", "throwing a big integer", "throw 12n", { codes: ["RULE_ERROR"], message: "the rule threw 12n" }],
  ["ERR-07e", "throwing a function", "throw () => 1", { codes: ["RULE_ERROR"], message: "the rule threw a function" }],
  ["ERR-07f", "throwing text", "throw 'just text'", { codes: ["RULE_ERROR"], message: "just text" }],
  [
    "ERR-08",
    "a long chain of causes",
    "let error = new Error('0'); for (let i = 1; i < 1e5; i += 1) error = new Error(String(i), { cause: error }); throw error",
    { codes: ["RULE_ERROR"], message: "99999 (caused by: 99998 (caused by: 99997 (caused by: 99996)))" },
  ],
  [
    "ERR-10",
    "forging a limit",
    "throw Object.assign(new Error('x'), { code: 'LIMIT_CPU', kind: 'timeout', retryable: true })",
    { codes: ["RULE_ERROR"], message: "x" },
  ],
  [
    "ERR-10b",
    "forging the words of a time-out",
    "Promise.reject(new Error('Script execution timed out.'))",
    { codes: ["RULE_ERROR"], message: "Script execution timed out." },
  ],
  [
    "ERR-11",
    "control characters in a message",
    "throw new Error('a\\u001b[31mb\\r\\u202ec\\u0000<script>')",
    { codes: ["RULE_ERROR"], message: "a\\u{1b}[31mb\\u{d}\\u{202e}c\\u{0}<script>" },
  ],
  ["ERR-12", "a rejection that nobody handles", "Promise.reject(new Error('floating')); out.a = 1", { codes: ["RULE_ERROR"], message: "floating" }],
];

const results: readonly Row[] = [
  ["RET-02", "a promise of itself", "const o = {}; o.then = (resolve) => resolve(o); return o", ended],
  ["RET-03", "then on all objects", "Object.prototype.then = (resolve) => resolve(1)", refused],
  [
    "RET-04",
    "toJSON that loops",
    "out.a = { toJSON() { for (;;); } }",
    { codes: ["RESULT_INVALID"], message: "out.a.toJSON is a function, which cannot travel: use text, numbers, true and false, null, lists and plain objects" },
  ],
  ["RET-04b", "patching Date and Array", "Date.prototype.toJSON = () => 'x'; out.a = new Date(0)", refused],
  ["RET-06", "a __proto__ key", `out.a = JSON.parse('{"__proto__": {"isAdmin": true}, "b": 1}')`, { value: { a: { b: 1 } } }],
  [
    "RET-07",
    "a constructor key",
    `out.a = { constructor: { prototype: { isAdmin: true } } }`,
    { value: { a: { constructor: { prototype: { isAdmin: true } } } } },
  ],
  ["RET-08", "a getter", "Object.defineProperty(out, 'a', { enumerable: true, get() { return 5 } })", { value: { a: 5 } }],
  ["RET-08b", "a getter that loops", "Object.defineProperty(out, 'a', { enumerable: true, get() { for (;;); } })", ended],
  [
    "RET-08c",
    "a getter that throws",
    "Object.defineProperty(out, 'a', { enumerable: true, get() { throw new Error('from the getter') } })",
    { codes: ["RULE_ERROR"], message: "from the getter" },
  ],
  ["RET-10", "a cycle", "out.out = out", { codes: ["LIMIT_RESULT"], message: "out goes deeper than 64 levels (or contains itself); 64 is the limit" }],
  ["RET-11", "a deep result", "let o = out; for (let i = 0; i < 1e5; i += 1) o = o.o = {}", { codes: ["LIMIT_RESULT"] }],
  [
    "RET-12",
    "a wide result",
    "let a = new Array(100).fill(0); for (let i = 0; i < 4; i += 1) a = new Array(100).fill(a); out.a = a",
    { codes: ["LIMIT_RESULT"] },
  ],
  ["RET-14", "a sparse array", "out.a = []; out.a[4294967294] = 1", { codes: ["LIMIT_RESULT"] }],
  [
    "RET-15a",
    "a big integer",
    "out.a = { b: [1n] }",
    { codes: ["RESULT_INVALID"], message: "out.a.b[0] is a bigint, which cannot travel: use text, numbers, true and false, null, lists and plain objects" },
  ],
  ["RET-15b", "not a number", "out.a = NaN", invalid],
  ["RET-15c", "infinity", "out.a = -Infinity", invalid],
  [
    "RET-15d",
    "an invalid date",
    "out.a = new Date('x')",
    { codes: ["RESULT_INVALID"], message: "out.a is an invalid date, which cannot travel: use text, numbers, true and false, null, lists and plain objects" },
  ],
  [
    "RET-15e",
    "values with a plain meaning",
    "out.a = [-0, undefined, new Date(0)]; out.b = undefined; out[Symbol('s')] = 1",
    { value: { a: [0, null, "1970-01-01T00:00:00.000Z"] } },
  ],
  [
    "RET-16a",
    "a map",
    "out.a = new Map()",
    {
      codes: ["RESULT_INVALID"],
      message: "out.a is an object of class Map, which cannot travel: use text, numbers, true and false, null, lists and plain objects",
    },
  ],
  ["RET-16b", "a regular expression", "out.a = /x/", invalid],
  ["RET-16c", "bytes", "out.a = new Uint8Array(2)", invalid],
  ["RET-16d", "an error", "out.a = new Error('x')", invalid],
  [
    "RET-16e",
    "an object of a class",
    "out.a = new (class Point { x = 1 })()",
    {
      codes: ["RESULT_INVALID"],
      message: "out.a is an object of class Point, which cannot travel: use text, numbers, true and false, null, lists and plain objects",
    },
  ],
  [
    "RET-18",
    "names that objects have",
    "for (const name of ['hasOwnProperty', 'toString', 'then', 'length', '__defineGetter__', 'valueOf']) out[name] = name",
    {
      value: {
        hasOwnProperty: "hasOwnProperty",
        toString: "toString",
        // biome-ignore lint/suspicious/noThenProperty: a rule may well make one
        then: "then",
        length: "length",
        __defineGetter__: "__defineGetter__",
        valueOf: "valueOf",
      },
    },
  ],
  [
    "RET-19",
    "inherited values",
    "out.a = Object.assign(Object.create(null), { own: 1 }); out.b = Object.create({ status: 'Closed' })",
    { codes: ["RESULT_INVALID"] },
  ],
  ["RET-20", "a fake text", "out.a = Object.setPrototypeOf({ match: 1 }, String.prototype)", invalid],
];

const asynchronous: readonly Row[] = [
  ["ASY-01", "a flood of calls", "await Promise.all(Array.from({ length: 20000 }, () => call('echo')))", { codes: ["LIMIT_CALLS"] }],
  [
    "ASY-02",
    "a flood of console lines",
    "const big = 'x'.repeat(1e5); for (let i = 0; i < 5000; i += 1) console.log(big); out.done = true",
    { value: { done: true } },
  ],
  ["ASY-05", "a failing call that nobody awaits", "call('fail'); await call('echo'); out.a = 1", { codes: ["RULE_ERROR"] }],
  ["ASY-06", "a call after the end", "(async () => { await call('echo', 1); await call('late', 2) })(); out.a = 1", { value: { a: 1 } }],
  ["CBK-01a", "a big argument", "await call('echo', 'x'.repeat(2 ** 28))", { codes: ["LIMIT_ARGUMENT", "LIMIT_MEMORY"] }],
  ["CBK-01b", "a hundred thousand arguments", "await call('echo', ...new Array(1e5).fill('x'))", { codes: ["RULE_ERROR", "LIMIT_ARGUMENT"] }],
  [
    "CBK-01c",
    "a deep argument",
    "let o = {}; const top = o; for (let i = 0; i < 1e5; i += 1) o = o.o = {}; await call('echo', top)",
    { codes: ["LIMIT_ARGUMENT"] },
  ],
  [
    "CBK-02",
    "calling helpers in odd ways",
    `
    const odd = [() => new call("echo", 1), () => Reflect.construct(call, ["echo", 1]), () => Reflect.apply(call, null, ["echo", 2]), () => call.bind({ evil: 1 })("echo", 3), () => new Proxy(call, {})("echo", 4)];
    out.all = []; for (const each of odd) { try { out.all.push(await each()) } catch (error) { out.all.push(error.constructor.name) } }`,
    { value: { all: ["TypeError", "TypeError", 2, 3, 4] } },
  ],
  [
    "CBK-03",
    "taking names for itself",
    "{ const call = 1, out = 2, console = 3; } var input = 5; out.a = input; try { Object.freeze(globalThis) } catch {}",
    { value: { a: 5 } },
  ],
  [
    "CBK-04",
    "an argument with an own __proto__",
    `out.a = await call("echo", JSON.parse('{"__proto__": {"x": 1}, "y": 2}')); out.x = out.a.x === undefined`,
    { value: { a: { y: 2 }, x: true } },
  ],
];

/** All rows, by what they attack. */
export const attacks = [
  ["escape", escapes],
  ["time", busy],
  ["memory", hungry],
  ["errors", errors],
  ["results", results],
  ["helpers", asynchronous],
] as const;

/** The row of this id. */
export function attack(id: string): Row {
  const found = attacks.flatMap(([, rows]) => [...rows]).find((row) => row[0] === id);
  if (found === undefined) throw new Error(`there is no attack ${id}`);
  return found;
}

/** Everything that rule code can get hold of: by members, accessors and prototypes, from the globals and from what syntax gives. */
export function walker(): string {
  return `
    function reach(more = []) {
      const syntax = [() => {}, async () => {}, function* () {}, async function* () {}, (async () => {})(), [][Symbol.iterator](), new Map().entries(), new Set().values(), ""[Symbol.iterator](), "".matchAll(/./g), /x/, (function* () {})(), (async function* () {})(), new Error("x"), import.meta, Object(1n), Object(Symbol()), new Uint8Array(1), (function () { return arguments })(), [].values().map((x) => x), [].values().filter((x) => x), Iterator.from({ next() {} }), Promise.withResolvers(), Proxy.revocable({}, {}), (() => {}).bind(), Object.groupBy([1], String), /(?<a>x)/d.exec("x"), class { static #p = 1; get x() { return 1 } }];
      const seen = new Set(), left = [globalThis, ...syntax, ...more];
      while (left.length > 0) {
        const each = left.pop();
        if ((typeof each !== "object" && typeof each !== "function") || each === null || seen.has(each)) continue;
        seen.add(each);
        left.push(Object.getPrototypeOf(each));
        for (const key of Reflect.ownKeys(each)) { const d = Object.getOwnPropertyDescriptor(each, key); left.push(d.value, d.get, d.set); }
      }
      for (const each of [seen, left]) seen.delete(each);
      return seen;
    }`;
}
