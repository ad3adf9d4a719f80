import { describe, expect, test } from "vitest";
import type { NewRun } from "../store/runs.ts";
import { redactRun, withoutHidden, withoutMarked } from "./redaction.ts";
import { cutToSize } from "./run-size.ts";

function run(parts: Partial<NewRun>): NewRun {
  const ids = { id: "r", connectionId: "c", sideId: "s", twinId: null, versionId: "v" } as unknown as Pick<
    NewRun,
    "id" | "connectionId" | "sideId" | "twinId" | "versionId"
  >;
  return {
    ...ids,
    direction: "outgoing",
    outcome: "ok",
    reason: null,
    input: {},
    calls: [],
    output: null,
    console: [],
    error: null,
    cpuMs: 0,
    wallMs: 0,
    ...parts,
  };
}

describe("a run that is recorded", () => {
  test("is left as it is when there is nothing to hide", () => {
    const plain = run({ input: { entity: { a: 1 } } });
    expect(redactRun(plain, { fields: ["salary"], secrets: ["hunter2!"] })).toBe(plain);
  });

  test("does not show marked fields, wherever they stand, and says which", () => {
    const shown = redactRun(
      run({
        input: { entity: { salary: 123456, nested: [{ salary: "9999.50" }], name: "Sam", tags: ["x"] } },
        calls: [{ call: { id: 1, name: "lookup.one", args: ["User", { tags: ["secret tag"] }] }, answer: { id: 1, ok: true, value: { salary: null } } }],
        output: { kind: "replica", replica: { salary: 123456 } },
      }),
      { fields: ["salary", "tags", "absent"], secrets: [] },
    );
    expect(shown.input).toEqual({ entity: { salary: "[redacted]", nested: [{ salary: "[redacted]" }], name: "Sam", tags: ["[redacted]"] } });
    expect(shown.calls).toEqual([
      { call: { id: 1, name: "lookup.one", args: ["User", { tags: ["[redacted]"] }] }, answer: { id: 1, ok: true, value: { salary: null } } },
    ]);
    expect(shown.output).toEqual({ kind: "replica", replica: { salary: "[redacted]" } });
    expect(shown.withheld).toEqual({ fields: ["salary", "tags"], secrets: false, cut: [] });
  });

  test("does not show the value of a marked field under another name, in a text or on the console either", () => {
    const shown = redactRun(
      run({
        input: { entity: { ssn: "078-05-1120", count: 4711 } },
        output: { kind: "replica", replica: { number: "no. 078-05-1120", amount: 4711 } },
        console: ["got 078-05-1120"],
        reason: "cannot do 078-05-1120",
        error: { message: "bad 078-05-1120", frames: [] },
      }),
      { fields: ["ssn", "count"], secrets: [] },
    );
    expect(JSON.stringify(shown)).not.toMatch(/078-05-1120|4711/);
    expect(shown.output).toEqual({ kind: "replica", replica: { number: "no. [redacted]", amount: "[redacted]" } });
    expect(shown.reason).toBe("cannot do [redacted]");
  });

  test("never holds a secret of an instance, plain, encoded, in a longer text, over several lines or as a name", () => {
    const key = '-----BEGIN KEY-----\nabc/+="\\\n-----END KEY-----';
    const shown = redactRun(
      run({
        input: { entity: { note: `the password is p&ss wörd!`, [`p&ss wörd!`]: 1 } },
        calls: [
          {
            call: { id: 1, name: "platform.get", args: [`/x?p=${encodeURIComponent("p&ss wörd!")}`] },
            answer: { id: 1, ok: true, value: Buffer.from("p&ss wörd!").toString("base64") },
          },
        ],
        console: [`key: ${key}`],
      }),
      { fields: [], secrets: ["p&ss wörd!", key] },
    );
    const text = JSON.stringify(shown);
    for (const hidden of ["p&ss", encodeURIComponent("p&ss wörd!"), Buffer.from("p&ss wörd!").toString("base64"), "abc/+"]) expect(text).not.toContain(hidden);
    expect(shown.withheld).toEqual({ fields: [], secrets: true, cut: [] });
    expect(shown.input).toEqual({ entity: { note: "the password is [redacted]", "[redacted]": 1 } });
  });
});

test("a marked field may have the name of something that a run is made of: that stays what it is", () => {
  const shown = redactRun(
    run({
      input: { direction: "outgoing", entity: { name: "Sam Smith", kind: "vip!", value: "gold" }, connection: { name: "support" } },
      calls: [{ call: { id: 1, name: "lookup.one", args: ["User", { name: "Sam Smith" }] }, answer: { id: 1, ok: true, value: { name: "Sam Smith" } } }],
      output: { kind: "replica", replica: { name: "Sam Smith" } },
    }),
    { fields: ["name", "kind", "value"], secrets: [] },
  );
  expect(shown).toMatchObject({
    input: { direction: "outgoing", entity: { name: "[redacted]", kind: "[redacted]", value: "[redacted]" }, connection: { name: "support" } },
    calls: [{ call: { id: 1, name: "lookup.one", args: ["User", { name: "[redacted]" }] }, answer: { ok: true, value: { name: "[redacted]" } } }],
    output: { kind: "replica", replica: { name: "[redacted]" } },
  });
});

describe("a run that is too large", () => {
  test("loses its largest parts, each with a note in its place, and says which", () => {
    const cut = cutToSize(run({ input: { entity: { short: "stays", long: "x".repeat(5_000), longer: "y".repeat(20_000) } }, console: ["a"] }), 10_000);
    expect(cut.input).toEqual({ entity: { short: "stays", long: "x".repeat(5_000), longer: "[left out: 20002 bytes; a recorded run keeps 10000]" } });
    expect(cut.withheld).toEqual({ fields: [], secrets: false, cut: ["input.entity.longer"] });
  });

  test("fits in the end, whatever it is made of", () => {
    const many = Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`field${index}`, `value ${index}`]));
    const cut = cutToSize(
      run({
        input: { entity: many },
        calls: Array.from({ length: 300 }, () => ({ answer: "z".repeat(500) })),
        output: { replica: many },
        console: Array.from({ length: 900 }, () => "line of the console"),
      }),
      20_000,
    );
    const { input, calls, output, console } = cut;
    expect([input, calls, output, console].reduce((sum: number, part) => sum + Buffer.byteLength(JSON.stringify(part)), 0)).toBeLessThanOrEqual(20_000);
    expect(Array.isArray(cut.console)).toBe(true);
    expect(cut.withheld?.cut.length).toBeGreaterThan(0);
  });

  test("that fits is left as it is", () => {
    const small = run({ input: { a: 1 } });
    expect(cutToSize(small)).toBe(small);
  });
});

describe("what is said beside a run", () => {
  const recorded = redactRun(run({ input: { entity: { salary: "78 000", level: 123456, name: "Sam" } } }), { fields: ["salary", "level"], secrets: [] });

  test("does not show what was withheld from its record: a platform quotes what it refuses", () => {
    const failure = { message: 'salary "78 000" is above level 123456 for Sam', detail: { fields: ["salary"], limit: 123456 } };
    expect(withoutHidden([recorded], failure)).toEqual({
      message: 'salary "[redacted]" is above level [redacted] for Sam',
      detail: { fields: ["salary"], limit: "[redacted]" },
    });
  });

  test("is left as it is where nothing was withheld", () => {
    const failure = { message: "78 000" };
    expect(withoutHidden([run({})], failure)).toBe(failure);
    expect(withoutMarked([], failure)).toBe(failure);
  });

  test("of records shows no field that is marked by its name, however short its value", () => {
    expect(withoutMarked(["level"], { level: "2", deep: [{ level: 3, name: "x" }], empty: null })).toEqual({
      level: "[redacted]",
      deep: [{ level: "[redacted]", name: "x" }],
      empty: null,
    });
  });
});
