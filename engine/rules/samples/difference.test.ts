import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { differences, outcomeInWords } from "./difference.ts";
import type { Outcome } from "./outcome.ts";

function texts(expected: Outcome, actual: Outcome): string[] {
  return differences(expected, actual).map((each) => each.text);
}

describe("the difference of two outcomes", () => {
  test("is empty for the same outcome, whatever the order of its keys", () => {
    expect(differences({ replica: { a: 1, b: 2 } }, { replica: { b: 2, a: 1 } })).toEqual([]);
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (replica) => {
        const plain = JSON.parse(JSON.stringify({ replica })) as Outcome;
        expect(differences(plain, structuredClone(plain))).toEqual([]);
      }),
    );
  });

  test("is never empty for outcomes that differ", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.dictionary(fc.string(), fc.jsonValue()), (left, right) => {
        const [a, b] = JSON.parse(JSON.stringify([left, right]));
        fc.pre(JSON.stringify(sorted(a)) !== JSON.stringify(sorted(b)));
        expect(differences({ replica: a }, { replica: b })).not.toEqual([]);
      }),
    );
  });

  test("names each place with what was expected and what came", () => {
    expect(texts({ fields: { priority: "1", state: "2" } }, { fields: { priority: "2", urgency: "3" } })).toEqual([
      'fields.priority: expected "1", got "2"',
      'fields.state: expected "2", got nothing',
      'fields.urgency: not expected, got "3"',
    ]);
    expect(differences({ fields: { priority: "1" } }, { fields: { priority: null } })).toEqual([
      { path: "fields.priority", expected: "1", actual: null, text: 'fields.priority: expected "1", got null' },
    ]);
  });

  test("puts names that are no identifiers in quotes", () => {
    expect(texts({ replica: { "due date": 1 } }, { replica: { "due date": 2 } })).toEqual(['replica["due date"]: expected 1, got 2']);
  });

  test("compares comments by their ids, so that a missing one is one difference", () => {
    const comment = (id: string, body: string) => ({ id, body });
    expect(
      texts(
        { replica: { comments: [comment("1", "a"), comment("2", "b"), comment("3", "c")] } },
        { replica: { comments: [comment("2", "b"), comment("3", "d")] } },
      ),
    ).toEqual(['replica.comments[1]: expected {"body":"a","id":"1"}, got nothing', 'replica.comments[3].body: expected "c", got "d"']);
    expect(texts({ replica: { comments: [comment("1", "a"), comment("2", "b")] } }, { replica: { comments: [comment("2", "b"), comment("1", "a")] } })).toEqual(
      ["replica.comments: expected the order 1, 2, got 2, 1"],
    );
  });

  test("compares other lists by position", () => {
    expect(texts({ replica: { labels: ["a", "b"] } }, { replica: { labels: ["a", "c", "d"] } })).toEqual([
      'replica.labels[1]: expected "b", got "c"',
      'replica.labels[2]: not expected, got "d"',
    ]);
  });

  test("shows of long texts where they part", () => {
    const long = "All work and no play makes Jack a dull boy. ".repeat(10);
    expect(texts({ fields: { description: `${long}one` } }, { fields: { description: `${long}two` } })).toEqual([
      'fields.description: differs from character 441 on: expected "…es Jack a dull boy. one", got "…es Jack a dull boy. two"',
    ]);
  });

  test("is one sentence when the outcomes are of different kinds", () => {
    expect(texts({ replica: { key: "1" } }, { error: { code: "RULE_ERROR", message: "boom", line: 3, column: 5 } })).toEqual([
      "expected a replica (key), got the error RULE_ERROR at 3:5: boom",
    ]);
    expect(texts({ nothing: true }, { entityType: "incident", fields: { state: "1" }, comments: { added: [{ body: "x" }] } })).toEqual([
      "expected nothing to write, got a change (a new incident; fields state; 1 new comment)",
    ]);
  });
});

test("outcomes are told in words", () => {
  expect(outcomeInWords({ skipped: "not ours" })).toBe("skipped: not ours");
  expect(outcomeInWords({ failed: "no account" })).toBe("failed: no account");
  expect(outcomeInWords({ waiting: "INC1" })).toBe("waiting for INC1");
  expect(outcomeInWords({ linkTo: { type: "Case", id: "1" }, syncBack: true, unlink: true, status: "Closed" })).toBe(
    'a change (status "Closed"; a link to Case 1; a sync back; an unlink)',
  );
});

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [key, sorted(item)]),
  );
}
