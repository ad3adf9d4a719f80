import { expect, test } from "vitest";
import type { Comment, Entity, EntitySchema } from "../../connectors/connector.ts";
import { fieldsOf, meansTheSame } from "../rules/entity-difference.ts";
import { entityView, expectedAfter } from "./entity-view.ts";

const comment = (id: string): Comment => ({ id, body: id, internal: false, author: null, created: "2026-01-01T00:00:00Z", updated: "2026-01-01T00:00:00Z" });
const entity = (fields: Entity["fields"], comments: Comment[] = [], display: Record<string, string> = {}): Entity => ({
  ref: { type: "incident", id: "1" },
  key: "INC1",
  url: "https://example.service-now.com/1",
  version: "1",
  fields,
  display,
  comments,
  internalComments: [],
  attachments: [],
});
const schema: EntitySchema = {
  entityType: "incident",
  label: "Incident",
  fields: [{ name: "priority", label: "Priority", type: "choice", custom: false, nullable: true, readOnly: true, requiredOnCreate: false }],
  sampled: false,
  comments: true,
  internalComments: true,
  attachments: true,
};

test("a record's fields stand beside the names that every record has, which win", () => {
  const view = entityView(entity({ summary: "a", comments: "blob", key: "field" }));
  expect(view.comments).toEqual([]);
  expect(view.key).toBe("INC1");
  expect(fieldsOf(view)).toEqual({ summary: "a" });
});

test("values mean the same in the platform's spelling: references by id, choices by label, nothing by any name", () => {
  expect(meansTheSame({ id: "u1", display: "Ada", type: "user" }, "u1")).toBe(true);
  expect(meansTheSame("2", "In Progress", "In Progress")).toBe(true);
  expect(meansTheSame(null, "")).toBe(true);
  expect(meansTheSame([], null)).toBe(true);
  expect(meansTheSame("3", 3)).toBe(true);
  expect(meansTheSame("a", "b")).toBe(false);
  expect(meansTheSame(null, "x")).toBe(false);
});

test("what is expected after our write is the reading, when nobody else did anything", () => {
  const before = entity({ summary: "a", priority: "4" });
  const read = entity({ summary: "b", priority: "1" }, [comment("ours")]);
  expect(expectedAfter(read, { before, fields: { summary: "b" }, touched: new Set(["ours"]) }, schema)).toEqual(read);
});

test("a person's edit between our write and the reading is not taken for ours", () => {
  const before = entity({ summary: "a", category: "x" }, [comment("old")]);
  const read = entity({ summary: "b", category: "y" }, [comment("old"), comment("ours"), comment("theirs")]);
  const expected = expectedAfter(read, { before, fields: { summary: "b" }, touched: new Set(["ours"]) }, schema);
  expect(expected.fields).toEqual({ summary: "b", category: "x" });
  expect(expected.comments.map(({ id }) => id)).toEqual(["old", "ours"]);
});

test("a value that the platform rewrote is not taken for ours: the other side must hear of it", () => {
  const read = entity({ summary: "B" });
  expect(expectedAfter(read, { before: entity({ summary: "a" }), fields: { summary: "b" }, touched: new Set() }, schema).fields).toEqual({ summary: "b" });
});

test("defaults that the platform gave a record that we created are part of our edit", () => {
  const read = entity({ summary: "a", state: "1" }, [], { state: "New" });
  expect(expectedAfter(read, { before: null, fields: { summary: "a" }, touched: new Set() }, schema)).toEqual(read);
});
