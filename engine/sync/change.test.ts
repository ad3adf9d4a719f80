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

  test("takes {name} for the choice of that name, and a record that was looked up for a reference to it", () => {
    expect(changeMade(before, result({ state: { name: "2" } }), schema).fields).toEqual({ state: "2" });
    expect(isEmpty(changeMade(before, result({ state: { name: "New" } }), schema))).toBe(true);
    const found = { id: "u2", entityType: "sys_user", entityRef: { type: "sys_user", id: "u2" }, key: "Bob", url: "", display: {}, phone: "secret" };
    expect(changeMade(before, result({ caller_id: found }), schema).fields).toEqual({ caller_id: { id: "u2", display: "Bob", type: "sys_user" } });
    expect(isEmpty(changeMade(before, result({ caller_id: { ...found, id: "u1" } }), schema))).toBe(true);
  });

  test("knows fields whose names every object has only where the record has them", () => {
    const hostile: EntitySchema = { ...schema, fields: [...schema.fields, field("constructor"), field("toString"), field("hasOwnProperty")] };
    expect(changeMade(before, result({ constructor: "Acme", toString: null, hasOwnProperty: "" }), hostile).fields).toEqual({ constructor: "Acme" });
    expect(() => changeMade(before, result({ valueOf: "x" }), hostile)).toThrow(/no field "valueOf"/);
    const change = changeMade(before, result({ constructor: "Acme" }), hostile);
    expect(onlyNews(change, { ...change, fields: {} }).fields).toEqual({ constructor: "Acme" });
  });

  test("makes a rich text plain for a plain field, and leaves a rich field alone that says the same", () => {
    const html = "<p>a <b>b</b></p>";
    const rich: EntitySchema = { ...schema, fields: [...schema.fields, field("notes", { type: "longText" }), field("steps", { type: "richText" })] };
    const holding: EntityView = { ...before, notes: "a b", steps: html };
    const made = (fields: Record<string, string>) => ({ ...result({}), entity: { ...holding, ...fields } as unknown as EntityAfter });
    expect(isEmpty(changeMade(holding, made({ notes: html, steps: "a b" }), rich, new Set([html])))).toBe(true);
    expect(changeMade(holding, made({ notes: html, steps: "a c" }), rich).fields).toEqual({ notes: html, steps: "<p>a c</p>" });
  });

  test("keeps in whose name a comment is to be written", () => {
    const change = changeMade(before, result({ comments: [comment, { remoteId: "r1", body: "new", internal: false, author: { id: "u1" } }] }), schema);
    expect(change.addComments).toEqual([{ body: "new", internal: false, remoteId: "r1", author: { id: "u1" } }]);
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
