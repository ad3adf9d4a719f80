import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { sampleOfRun } from "./record-sample.ts";
import { recordedRun } from "./run-sample.ts";
import { inputOf, parseSample, readSample, SampleError, sampleOf } from "./sample.ts";

function refusal(sample: object | string): string[] {
  try {
    parseSample(typeof sample === "string" ? sample : JSON.stringify(sample, null, 2), "a.json");
  } catch (error) {
    if (error instanceof SampleError) return [...error.problems];
    throw error;
  }
  throw new Error("It was not refused.");
}

describe("a sample", () => {
  test("needs no more than the direction and the record", () => {
    const sample = parseSample('{ "direction": "outgoing", "entity": { "entityType": "incident", "number": "INC1", "short_description": "x" } }', "a.json");
    expect(inputOf(sample)).toEqual({
      direction: "outgoing",
      previous: null,
      firstSync: true,
      connection: { name: "connection", local: "local", remote: "remote" },
      mappings: {},
      now: Date.UTC(2026, 0, 1),
      seed: "sample",
      entity: {
        entityType: "incident",
        entityRef: null,
        key: "",
        url: "",
        display: {},
        comments: [],
        internalComments: [],
        attachments: [],
        number: "INC1",
        short_description: "x",
      },
    });
  });

  test("of an incoming rule is a first sync unless there is a record", () => {
    expect(inputOf(sampleOf({ direction: "incoming", replica: {} }, "it"))).toMatchObject({
      firstSync: true,
      entity: { entityType: "" },
      traces: { comments: {}, attachments: {} },
    });
    expect(inputOf(sampleOf({ direction: "incoming", replica: {}, entity: { entityType: "Case" } }, "it"))).toMatchObject({ firstSync: false });
    expect(inputOf(sampleOf({ direction: "incoming", replica: {}, entity: { entityType: "Case" }, firstSync: true }, "it"))).toMatchObject({ firstSync: true });
  });

  test("fills in comments and attachments of which only id and text are given", () => {
    const { entity } = inputOf(
      sampleOf(
        {
          direction: "outgoing",
          now: "2026-05-01T10:00:00Z",
          entity: {
            entityType: "Case",
            comments: [{ id: "1", body: "hi", author: { displayName: "Alice" } }],
            internalComments: [{ id: "2", body: "psst" }],
            attachments: [{ id: "3", filename: "a.txt" }],
          },
        },
        "it",
      ),
    );
    const time = "2026-05-01T10:00:00.000Z";
    expect(entity.comments).toEqual([{ id: "1", body: "hi", internal: false, author: { id: "", displayName: "Alice" }, created: time, updated: time }]);
    expect(entity.internalComments).toEqual([{ id: "2", body: "psst", internal: true, author: null, created: time, updated: time }]);
    expect(entity.attachments).toEqual([{ id: "3", filename: "a.txt", mimetype: "application/octet-stream", filesize: 0, author: null, created: time }]);
  });

  test("may give a trace as the local id alone", () => {
    expect(inputOf(sampleOf({ direction: "incoming", replica: {}, traces: { comments: { r1: "l1", r2: { localId: "l2" } } } }, "it"))).toMatchObject({
      traces: { comments: { r1: { localId: "l1" }, r2: { localId: "l2" } }, attachments: {} },
    });
  });

  test("takes the names of its connection and its tables from where it stands, and its own before those", () => {
    const around = { connection: { name: "support", local: "SN", remote: "SF" }, mappings: { a: { outgoing: { x: 1 }, incoming: {} } } };
    const input = inputOf(sampleOf({ direction: "outgoing", entity: { entityType: "x" }, mappings: { b: { incoming: { y: 2 } } } }, "it"), around);
    expect(input.connection).toEqual(around.connection);
    expect(input.mappings).toEqual({ a: { outgoing: { x: 1 }, incoming: {} }, b: { outgoing: {}, incoming: { y: 2 } } });
  });
});

describe("a sample that cannot be used is refused with file, line, column and place,", () => {
  test("when it is no JSON", () => {
    expect(refusal('{\n  "direction": outgoing\n}')).toEqual(["a.json:2:16: this is not valid JSON: Unexpected token 'o'"]);
    expect(refusal('{\n  "direction": "outgoing",\n}')[0]).toMatch(/^a\.json:3:1: this is not valid JSON: /);
    expect(refusal('{ "a": [1,] }')[0]).toMatch(/^a\.json:1:11: /);
    expect(refusal("{} x")[0]).toMatch(/^a\.json:1:4: /);
    expect(refusal("{")[0]).toMatch(/^a\.json:1:2: this is not valid JSON/);
    expect(refusal("")[0]).toMatch(/^a\.json:1:1: this is not valid JSON/);
  });

  test("when a key is unknown or missing, or a value is of the wrong kind", () => {
    expect(refusal({ direction: "outgoing", entity: { entityType: "incident" }, expcted: {} })).toEqual(["a.json:6:3: expcted: is not a known key here"]);
    expect(refusal({ direction: "outgoing" })).toEqual(["a.json:1:1: entity: is missing: object expected"]);
    expect(refusal({ direction: "sideways" })).toEqual(['a.json:2:3: direction: must be "outgoing" or "incoming"']);
    expect(refusal({ direction: "incoming", entity: { entityType: "Case" } })).toEqual(["a.json:1:1: replica: is missing: record expected"]);
    expect(refusal({ direction: "outgoing", entity: { entityType: "Case", comments: [{ id: 1, body: "x" }] } })).toEqual([
      "a.json:7:9: entity.comments.0.id: Invalid input: expected string, received number",
    ]);
    expect(refusal("[]")).toEqual([expect.stringMatching(/^a\.json:1:1: /)]);
    expect(refusal({ direction: "outgoing", entity: { entityType: "Case" }, now: "yesterday" })[0]).toMatch(/now: must be milliseconds or a time/);
  });

  test("when an answer has neither value nor error, or both", () => {
    const call = { name: "users.byEmail", args: ["a@b"] };
    for (const answer of [{ call }, { call, value: 1, error: { code: "A", message: "b" } }]) {
      expect(refusal({ direction: "outgoing", entity: { entityType: "Case" }, answers: [answer] })[0]).toMatch(
        /answers\.0: needs a value .* or an error, and not both/,
      );
    }
  });

  test("when it expects what its direction cannot give", () => {
    expect(refusal({ direction: "outgoing", entity: { entityType: "Case" }, expected: { nothing: true } })[0]).toMatch(
      /expected\.nothing: is no result of an outgoing rule/,
    );
    expect(refusal({ direction: "incoming", replica: {}, expected: { replica: {} } })[0]).toMatch(/expected\.replica: is no result of an incoming rule/);
    expect(refusal({ direction: "incoming", replica: {}, expected: {} })[0]).toMatch(/expected: says nothing/);
  });

  test("when there is no such file", async () => {
    const folder = await mkdtemp(join(tmpdir(), "isobridge-sample-"));
    try {
      await expect(readSample(join(folder, "nothing.json"))).rejects.toThrow(/nothing\.json: cannot be read \(ENOENT\)/);
      await writeFile(join(folder, "mark.json"), '\uFEFF{"direction":"outgoing","entity":{"entityType":"x"}}');
      expect((await readSample(join(folder, "mark.json"))).direction).toBe("outgoing");
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

describe("a sample of a recorded run", () => {
  const effects = { startSync: [], syncBack: false, unlink: false };
  const view = {
    entityType: "Case",
    entityRef: { type: "Case", id: "5" },
    key: "0001",
    url: "https://x",
    display: {},
    comments: [],
    internalComments: [],
    attachments: [],
    Subject: "s",
  };
  const around = { firstSync: false, connection: { name: "support", local: "SF", remote: "SN" }, mappings: {}, now: 1_700_000_000_000, seed: "seed" };
  const asked = { id: 1, name: "users.byEmail", args: ["a@b"] };

  test("gives the rule the same input again", () => {
    const input = {
      direction: "incoming",
      ...around,
      replica: { summary: "x" },
      previous: { summary: "y" },
      entity: view,
      traces: { comments: { r: { localId: "l" } }, attachments: {} },
    };
    const output = { kind: "changed", entity: { ...view, Subject: "x" }, effects };
    const calls = [
      { call: asked, answer: { id: 1, ok: true, value: null } },
      { call: asked, answer: { id: 1, ok: false, error: { code: "TRANSIENT", message: "down" } } },
    ];
    const sample = sampleOfRun(recordedRun({ input, calls, output, error: null }), "recorded");
    const again = parseSample(JSON.stringify(sample), "a.json");
    expect(inputOf(again)).toEqual(input);
    expect(again).toMatchObject({ note: "recorded", expected: { fields: { Subject: "x" } } });
    expect(again.answers).toEqual([
      { call: { name: "users.byEmail", args: ["a@b"] }, value: null },
      { call: { name: "users.byEmail", args: ["a@b"] }, error: { code: "TRANSIENT", message: "down" } },
    ]);
  });

  test("leaves out what says nothing, and expects the error where there was one", () => {
    const input = { direction: "outgoing", ...around, previous: null, entity: view };
    const error = { kind: "user", code: "RULE_ERROR", message: "boom", line: 1, column: 2, frames: [] };
    const sample = sampleOfRun(recordedRun({ input, calls: [], output: null, error }));
    expect(Object.keys(sample)).toEqual(["direction", "firstSync", "connection", "now", "seed", "expected", "entity"]);
    expect(new Set(Object.keys(sample.entity ?? {}))).toEqual(new Set(["entityType", "key", "entityRef", "url", "Subject"]));
    expect(inputOf(parseSample(JSON.stringify(sample), "a.json"))).toEqual(input);
    expect(sample.expected).toEqual({ error: { code: "RULE_ERROR", message: "boom", line: 1, column: 2 } });
  });

  test("cannot be made when parts of the run were not recorded", () => {
    expect(() =>
      recordedRun({ input: { direction: "outgoing", ...around, previous: null, entity: "left out" }, calls: [], output: null, error: null }),
    ).toThrow();
    expect(() => recordedRun({ input: null, calls: [], output: null, error: null })).toThrow();
  });
});
