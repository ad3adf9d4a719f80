import { expect, test } from "vitest";
import type { Entity, EntitySchema, FieldSchema } from "../../connectors/connector.ts";
import type { Change } from "./change.ts";
import { changeInWords, effectsInWords } from "./words.ts";

const field = (name: string, label: string, more: Partial<FieldSchema> = {}): FieldSchema => ({
  name,
  label,
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
  fields: [field("priority", "Priority", { choices: [{ value: "1", label: "1 - Critical" }] }), field("summary", "Summary"), field("owner", "Owner")],
  sampled: false,
  comments: true,
  internalComments: true,
  attachments: true,
};
const comment = { id: "c1", body: "old words", internal: false, author: null, created: "", updated: "" };
const before: Entity = {
  ref: { type: "incident", id: "1" },
  key: "INC001",
  url: "",
  version: "1",
  fields: { priority: "2", summary: null, owner: { id: "u1", display: "Ada", type: "User" } },
  display: { priority: "2 - High" },
  comments: [comment],
  internalComments: [],
  attachments: [{ id: "a1", filename: "log.txt", mimetype: "text/plain", filesize: 3, author: null, created: "" }],
};
const nothing: Change = {
  entityType: "incident",
  fields: {},
  addComments: [],
  editComments: [],
  removeComments: [],
  addAttachments: [],
  removeAttachments: [],
};

test("a change of fields is told by labels, with the value before and after", () => {
  const change = { ...nothing, fields: { priority: "1", summary: "Printer on fire", owner: null } };
  expect(changeInWords(change, before, schema)).toEqual([
    `Update Incident INC001: Priority 2 - High (2) → 1 - Critical (1), Summary nothing → "Printer on fire", Owner Ada → nothing`,
  ]);
});

test("comments and attachments each have a line", () => {
  const change: Change = {
    ...nothing,
    addComments: [
      { body: "Hello there", internal: false, remoteId: null },
      { body: "psst", internal: true, remoteId: null },
    ],
    editComments: [{ commentId: "c1", body: "new words" }],
    removeComments: ["c1"],
    addAttachments: [{ remoteId: "r", filename: "x.png", mimetype: "image/png", filesize: 12 }],
    removeAttachments: ["a1"],
  };
  expect(changeInWords(change, before, schema)).toEqual([
    'Add a comment to Incident INC001: "Hello there"',
    "Add an internal comment to Incident INC001: psst",
    'Change a comment of Incident INC001: "old words" → "new words"',
    'Remove a comment of Incident INC001: "old words"',
    "Attach x.png (12 bytes) to Incident INC001",
    "Remove the attachment log.txt of Incident INC001",
  ]);
});

test("a create is told with the values that it sets, and what else a rule asked for in a line each", () => {
  expect(changeInWords({ ...nothing, fields: { summary: "x", unknown: 3 } }, null, schema)).toEqual(["Create an Incident: Summary x, unknown 3"]);
  expect(effectsInWords({ startSync: [{ type: "problem", id: "7" }], syncBack: true, unlink: true })).toEqual([
    "Start a sync of problem 7",
    "Sync this record back",
    "End the tie; both records stay",
  ]);
});
