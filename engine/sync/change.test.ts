import { describe, expect, test } from "vitest";
import type { EntitySchema, FieldSchema } from "../../connectors/connector.ts";
import { blankEntityView, type EntityAfter, type EntityView } from "../rules/run-input.ts";
import { changeMade, isEmpty, isUntouched, onlyNews } from "./change.ts";
import { RuleFault } from "./rule-fault.ts";

const field = (name: string, more: Partial<FieldSchema> = {}): FieldSchema => ({
  name,
  label: name,
  type: "text",
  custom: false,
  nullable: true,
  readOnly: false,
  requiredOnCreate: false,
  ...more,
});

const schema: EntitySchema = {
  entityType: "incident",
  label: "Incident",
  fields: [field("short_description"), field("state", { type: "choice" }), field("caller_id", { type: "reference" }), field("number", { readOnly: true })],
  statusField: "state",
  sampled: false,
  comments: true,
  internalComments: true,
  attachments: true,
};

const comment = { id: "c1", body: "hello", internal: false, author: null, created: "2026-01-01T00:00:00Z", updated: "2026-01-01T00:00:00Z" };
const before: EntityView = {
  ...blankEntityView,
  entityType: "incident",
  entityRef: { type: "incident", id: "1" },
  key: "INC1",
  display: { state: "New" },
  comments: [comment],
  short_description: "a",
  state: "1",
  caller_id: { id: "u1", display: "Ada", type: "sys_user" },
  number: "INC1",
};
const effects = { startSync: [], syncBack: false, unlink: false };
const result = (after: Record<string, unknown>, status?: string) => ({
  kind: "changed" as const,
  // The view after a rule is the view before it with what the rule set.
  entity: { ...before, ...after } as unknown as EntityAfter,
  effects,
  ...(status === undefined ? {} : { status }),
});

describe("the difference that an incoming rule made", () => {
  test("is empty when the rule assigned what was there already, in whatever spelling", () => {
    expect(isEmpty(changeMade(before, result({ state: "New", caller_id: "u1", short_description: "a" }, "New"), schema))).toBe(true);
    expect(isEmpty(changeMade(before, result({ caller_id: { id: "u1" } }), schema))).toBe(true);
  });

  test("holds the fields with new values, and the status by the type's status field", () => {
    expect(changeMade(before, result({ short_description: "b" }, "In Progress"), schema).fields).toEqual({ short_description: "b", state: "In Progress" });
    expect(changeMade(before, result({ short_description: null }), schema).fields).toEqual({ short_description: null });
  });

  test("holds added, edited and removed comments", () => {
    const change = changeMade(
      before,
      result({
        comments: [
          { ...comment, body: "hello!" },
          { remoteId: "r1", body: "new", internal: false },
        ],
        internalComments: [{ body: "own", internal: true, track: false }],
      }),
      schema,
    );
    expect(change.editComments).toEqual([{ commentId: "c1", body: "hello!" }]);
    expect(change.addComments).toEqual([
      { body: "new", internal: false, remoteId: "r1" },
      { body: "own", internal: true, remoteId: null },
    ]);
    expect(changeMade(before, result({ comments: [] }), schema).removeComments).toEqual(["c1"]);
  });

  test("is refused where it can never be written, with the field named", () => {
    expect(() => changeMade(before, result({ shrot_description: "b" }), schema)).toThrow(/no field "shrot_description"/);
    expect(() => changeMade(before, result({ number: "INC2" }), schema)).toThrow(RuleFault);
    expect(() => changeMade(before, result({}, "Open"), { ...schema, statusField: undefined } as unknown as EntitySchema)).toThrow(/has no status/);
  });

  test("knows a blank record that the rule left alone", () => {
    const untouched = { kind: "changed" as const, entity: { ...blankEntityView } as unknown as EntityAfter, effects };
    expect(isUntouched(untouched)).toBe(true);
    expect(isUntouched({ ...untouched, entity: { ...blankEntityView, entityType: "incident" } as unknown as EntityAfter })).toBe(false);
  });

  test("keeps only what the other side's latest edit brought about when both sides edited", () => {
    const now = changeMade(before, result({ short_description: "theirs", state: "2" }), schema);
    const earlier = changeMade(before, result({ short_description: "a", state: "2" }), schema);
    expect(onlyNews(now, earlier).fields).toEqual({ short_description: "theirs" });
  });
});
