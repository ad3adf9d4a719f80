import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { describe, expect, test } from "vitest";
import { attack, expectContained } from "./attacks.ts";
import type { SpawnChild } from "./child-process.ts";
import { encodeFrame, FrameReader } from "./frames.ts";
import { parseUntrusted } from "./gate.ts";
import { spawnChild } from "./hardening.ts";
import { echo, runText, startWorkshop } from "./workshop.ts";

/**
 * Positive controls: each takes one layer away and expects that the attack which that layer stops is then *not* contained. A suite that stays
 * green without the layer proves nothing with it.
 *
 * Nothing in the product can take a layer away: what is changed here is changed on the way to the child, in the process of the test.
 */
type Weakening = readonly [what: string, attacks: readonly string[], patches: readonly Patch[]];

/** In this module of the guest, this text becomes that one. */
type Patch = readonly [module: string, from: string, to: string];

const guest: readonly Weakening[] = [
  ["shared memory is left in", ["ESC-04", "CPU-08"], [["realm.ts", '"Object Function', '"SharedArrayBuffer Atomics Object Function']]],
  ["finalizers are left in", ["ESC-04", "CPU-09"], [["realm.ts", '"Object Function', '"FinalizationRegistry Object Function']]],
  ["formatters are left in", ["MEM-07"], [["realm.ts", '"Object Function', '"Intl Object Function']]],
  ["text can become code", ["ESC-01", "ESC-01b", "ESC-06"], [["realm.ts", "  closeCodeGeneration();\n", ""]]],
  ["buffers may grow in place", ["MEM-03"], [["realm.ts", "  closeBuffers();\n", ""]]],
  [
    "stacks may be prepared",
    ["ESC-11", "ERR-02"],
    [
      ["realm.ts", "  closeErrorHooks();\n", ""],
      ["realm.ts", "  freezeIntrinsics();\n", ""],
    ],
  ],
  ["the realm is not frozen", ["RET-03", "RET-04b"], [["realm.ts", "  freezeIntrinsics();\n", ""]]],
  ["the wrapper around what a rule throws is gone", ["ERR-07a", "ERR-07b", "ERR-08"], [["runs.ts", " => fail(run, thrown),", " => { throw thrown; },"]]],
  [
    "results are taken as they are",
    ["RET-04", "RET-15b", "RET-16a", "RET-16e"],
    [["encode.ts", "const text = encodeQuickly(value, limits, wrapping);", "const text = JSON.stringify(value);"]],
  ],
  ["arguments have no limit", ["CBK-01c"], [["runs.ts", "encodeArgument(run, name, args[index], index)", "JSON.stringify(args[index])"]]],
  ["calls have no limit", ["ASY-01"], [["runs.ts", "if (talk.made >= run.limits.calls)", "if (false)"]]],
  [
    "a helper hands out a function of the prelude",
    ["ESC-08"],
    [["runs.ts", "call.resolve(answer.value)", "call.resolve(typeof answer.value === 'object' ? () => answer.value : answer.value)"]],
  ],
];

describe("without its layer an attack is not contained:", () => {
  test.each(guest)("%s", async (_what, ids, patches) => {
    const sandbox = await startWorkshop({ children: 1, spawn: withGuest(patches) });
    try {
      expect(await runText(sandbox, "out.fine = await call('echo', 1)", { owner: "attacker" })).toMatchObject({ ok: true });
      for (const id of ids) {
        const contained = expectContained(sandbox, attack(id)).then(
          () => `${id} was contained all the same`,
          () => `${id} got through`,
        );
        expect(await contained).toBe(`${id} got through`);
      }
    } finally {
      await sandbox.close();
    }
  });

  test("a handle of the host lies in the realm", async () => {
    const hand = [
      "const context = isolate.createContextSync();",
      "const context = isolate.createContextSync(); context.global.setSync('host', new ivm.Reference(() => process));",
    ] as const;
    const sandbox = await startWorkshop({ children: 1, spawn: withGuest([["realm.ts", '"Object Function', '"host Object Function']], hand) });
    expect(await runText(sandbox, "out.type = typeof host.applySync", { owner: "attacker" })).toMatchObject({ ok: true, value: { type: "function" } });
    for (const id of ["ESC-04", "ESC-05"]) await expect(expectContained(sandbox, attack(id))).rejects.toThrow();
    await sandbox.close();
  });

  test("a rule's variables are those of its module", async () => {
    const sandbox = await startWorkshop({ children: 1 });
    const code = "let kept = 0; export default async ({ out }) => { kept += 1; out.kept = kept };\n//# sourceURL=rule:main";
    const seen: unknown[] = [];
    for (let time = 0; time < 2; time += 1) {
      const completion = await sandbox.run({ versionId: "kept", name: "x", code }, {}, echo);
      seen.push(completion.ok && completion.value);
    }
    expect(seen).toEqual([{ kept: 1 }, { kept: 2 }]);
    await sandbox.close();
  });

  test("all runs of a batch share the clock of the last", async () => {
    const blind: Patch = ["runs.ts", "if (most > 1) current = nobody;", ""];
    const sandbox = await startWorkshop({ children: 1, spawn: withGuest([blind]) });
    const text = "for (let i = 0; i < 9; i += 1) await 0; out.now = Date.now()";
    const completions = await Promise.all([1, 2, 3].map((now) => runText(sandbox, text, { version: "clock", input: { now } })));
    expect(completions.map((completion) => completion.ok && completion.value)).toEqual([{ now: 3 }, { now: 3 }, { now: 3 }]);
    await sandbox.close();
  });

  test("neither the isolate's clock nor the parent's runs", async () => {
    const untimed = ["{ timeout });\n    text", "{});\n    text"] as const;
    const sandbox = await startWorkshop({ children: 1, spawn: deafTo("begin", withGuest([], untimed)) });
    for (const id of ["CPU-01", "CPU-04"]) await expect(expectContained(sandbox, attack(id))).rejects.toThrow(/LIMIT_WALL/);
    await sandbox.close();
  });

  test("either of the two clocks is enough", async () => {
    for (const spawnOne of [withGuest([], ["{ timeout });\n    text", "{});\n    text"]), deafTo("begin", spawnChild)]) {
      const sandbox = await startWorkshop({ children: 1, spawn: spawnOne });
      await expectContained(sandbox, attack("CPU-01"));
      await sandbox.close();
    }
  });

  test.runIf(process.platform === "linux")("the kernel's cap on memory is gone", async () => {
    const sandbox = await startWorkshop({ children: 1, limits: { childMegabytes: 64 * 1024 } });
    const text = "const a = []; try { for (let i = 0; i < 60; i += 1) a.push(new Uint8Array(1e7).fill(1)) } catch {} out.megabytes = a.length * 10";
    const uncapped = await runText(sandbox, text, { limits: { cpuMs: 5_000 } });
    const capped = await startWorkshop({ children: 1, limits: { childMegabytes: 120 } });
    const less = await runText(capped, text, { limits: { cpuMs: 5_000 } });
    const megabytes = (completion: typeof less): number => (completion.ok ? (completion.value as { megabytes: number }).megabytes : 0);
    expect(megabytes(less)).toBeLessThan(megabytes(uncapped));
    await Promise.all([sandbox.close(), capped.close()]);
  });

  test("the child's environment is a plain object", async () => {
    Object.defineProperty(Object.prototype, "NODE_OPTIONS", { value: "--this-option-does-not-exist", configurable: true, enumerable: true, writable: true });
    try {
      const careless = (): ChildProcessWithoutNullStreams => spawn(process.execPath, ["--version"], { env: { TZ: "UTC" }, stdio: ["pipe", "pipe", "pipe"] });
      await expect(startWorkshop({ spawn: careless })).rejects.toThrow("this-option-does-not-exist");
    } finally {
      Reflect.deleteProperty(Object.prototype, "NODE_OPTIONS");
    }
  });

  test("results are parsed without the gate and merged by Object.assign", () => {
    const text = '{"__proto__":{"isAdmin":true}}';
    const merged = (value: unknown): unknown => (Object.assign({}, value) as { isAdmin?: unknown }).isAdmin;
    expect(merged(JSON.parse(text))).toBe(true);
    const gated = parseUntrusted(text, "it", { bytes: 1_000, depth: 3, keys: 3 });
    expect(gated.ok && merged(gated.value)).toBe(undefined);
  });

  test("frames may be of any length", () => {
    const announced = Buffer.from([0, 0, 0, 64]);
    expect(new FrameReader(Number.POSITIVE_INFINITY).push(announced, () => {})).toBe(true);
    expect(new FrameReader().push(announced, () => {})).toBe(false);
  });
});

/** The hardened child with another guest in it, or other text of its own. Each patch must find what it changes, once. */
function withGuest(patches: readonly Patch[], own?: readonly [from: string, to: string]): SpawnChild {
  return (limits) => {
    const child = spawnChild(limits, own === undefined ? undefined : (source) => replaceOnce(source, ...own));
    const write = child.stdin.write.bind(child.stdin);
    let isFirst = true;
    child.stdin.write = ((bytes: Buffer) => {
      if (!isFirst) return write(bytes);
      isFirst = false;
      // The first frame is what the child is prepared with.
      const end = 4 + bytes.readUInt32LE(0);
      const message = JSON.parse(bytes.toString("utf8", 4, end)) as { modules: Record<string, string> };
      for (const [module, from, to] of patches) message.modules[module] = replaceOnce(message.modules[module] ?? "", from, to);
      return write(Buffer.concat([encodeFrame(message), bytes.subarray(end)]));
    }) as typeof child.stdin.write;
    return child;
  };
}

/** The child's words without those of one kind. */
function deafTo(type: string, inner: SpawnChild): SpawnChild {
  return (limits) => {
    const child = inner(limits);
    const reader = new FrameReader();
    const on = child.stdout.on.bind(child.stdout);
    child.stdout.on = ((event: string, listener: (bytes: Buffer) => void) => {
      if (event !== "data") return on(event, listener);
      return on(event, (chunk: Buffer) => {
        reader.push(chunk, (header, payload) => {
          const message = JSON.parse(header) as { type: string };
          if (message.type !== type) listener(encodeFrame(message, payload));
        });
      });
    }) as typeof child.stdout.on;
    return child;
  };
}

function replaceOnce(text: string, from: string, to: string): string {
  const parts = text.split(from);
  if (parts.length !== 2) throw new Error(`${JSON.stringify(from)} stands ${parts.length - 1} times in what is to be weakened`);
  return parts.join(to);
}
