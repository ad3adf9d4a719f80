import { describe, expect, test } from "vitest";
import type { Json } from "../../replica/json.ts";
import type { EntityView } from "../run-input.ts";
import { type Outcome, outcomeOf, outcomeSchema } from "./outcome.ts";
import { inputOf } from "./sample.ts";

const noEffects = { startSync: [], syncBack: false, unlink: false };

const incident = {
  entityType: "incident",
  key: "INC1",
  short_description: "Printer on fire",
  priority: "2",
  assigned_to: { id: "u1", display: "Alice", type: "sys_user" },
  display: { priority: "2 - High" },
  comments: [{ id: "c1", body: "hello" }],
  internalComments: [{ id: "n1", body: "note" }],
  attachments: [{ id: "a1", filename: "log.txt" }],
};

function incoming(change: (entity: Record<string, Json>) => void, more: object = {}, entity: object | null = incident): Outcome {
  const input = inputOf({ direction: "incoming", replica: {}, ...(entity === null ? {} : { entity: entity as { entityType: string } }) });
  const after = structuredClone(input.entity) as unknown as Record<string, Json>;
  change(after);
  return outcomeOf(input, { ok: true, value: { kind: "changed", entity: after, effects: noEffects, ...more } });
}

function outgoing(value: object): Outcome {
  return outcomeOf(inputOf({ direction: "outgoing", entity: { entityType: "incident" } }), { ok: true, value });
}

describe("an outgoing run comes to", () => {
  test("its replica, and what else it asked for only where it did", () => {
    expect(outgoing({ kind: "replica", replica: { key: "1" }, effects: noEffects })).toEqual({ replica: { key: "1" } });
    expect(outgoing({ kind: "replica", replica: {}, effects: { startSync: [{ type: "Case", id: "5" }], syncBack: false, unlink: true } })).toEqual({
      replica: {},
      startSync: [{ type: "Case", id: "5" }],
      unlink: true,
    });
  });

  test("the reason for which it ended early", () => {
    expect(outgoing({ kind: "skipped", why: "not ours" })).toEqual({ skipped: "not ours" });
    expect(outgoing({ kind: "failed", why: "no account" })).toEqual({ failed: "no account" });
    expect(outgoing({ kind: "waiting", remoteKey: "INC9" })).toEqual({ waiting: "INC9" });
  });

  test("an error with its place", () => {
    const input = inputOf({ direction: "outgoing", entity: { entityType: "incident" } });
    const error = { kind: "user", code: "RULE_ERROR", message: "boom", line: 2, column: 3, frames: [] };
    expect(outcomeOf(input, { ok: false, error })).toEqual({ error: { code: "RULE_ERROR", message: "boom", line: 2, column: 3 } });
  });

  test("an error when its result is none", () => {
    expect(outgoing({ kind: "replica", replica: "text", effects: noEffects })).toMatchObject({ error: { code: "BAD_RESULT" } });
  });
});

describe("an incoming run comes to", () => {
  test("the fields that differ", () => {
    expect(
      incoming((entity) => {
        entity["priority"] = "1";
        entity["short_description"] = "Printer on fire";
      }),
    ).toEqual({ fields: { priority: "1" } });
  });

  test("nothing when nothing differs: references are the same by id, empty text is nothing, a label is its value", () => {
    expect(
      incoming((entity) => {
        entity["assigned_to"] = { id: "u1" };
        entity["description"] = "";
        entity["priority"] = "2 - High";
      }),
    ).toEqual({ nothing: true });
    expect(
      incoming((entity) => {
        entity["assigned_to"] = "u1";
      }),
    ).toEqual({ nothing: true });
  });

  test("fields whose names every object has", () => {
    expect(
      incoming((entity) => {
        entity["constructor"] = "Acme";
      }),
    ).toEqual({ fields: { constructor: "Acme" } });
  });

  test("emptied fields as null", () => {
    expect(
      incoming((entity) => {
        entity["short_description"] = null;
      }),
    ).toEqual({ fields: { short_description: null } });
  });

  test("comments that were added, edited and removed", () => {
    expect(
      incoming((entity) => {
        entity["comments"] = [
          { id: "c1", body: "hello again" },
          { remoteId: "r1", body: "[Bob] hi", internal: false },
        ];
        entity["internalComments"] = [{ body: "ours", internal: true, track: false }];
      }),
    ).toEqual({
      comments: {
        added: [
          { body: "[Bob] hi", remoteId: "r1" },
          { body: "ours", internal: true },
        ],
        edited: [{ id: "c1", body: "hello again" }],
        removed: ["n1"],
      },
    });
  });

  test("attachments that were added and removed", () => {
    const added = { remoteId: "r1", filename: "a.png", mimetype: "image/png", filesize: 7 };
    expect(
      incoming((entity) => {
        entity["attachments"] = [added];
      }),
    ).toEqual({ attachments: { added: [added], removed: ["a1"] } });
  });

  test("on a create the entity type and what is set", () => {
    const create = (entity: Record<string, Json>): void => {
      entity["entityType"] = "incident";
      entity["priority"] = "1";
      entity["description"] = "";
    };
    expect(incoming(create, { status: "New" }, null)).toEqual({ entityType: "incident", fields: { priority: "1" }, status: "New" });
  });

  test("a status, a link and what else it asked for", () => {
    expect(incoming(() => {}, { status: "Closed", effects: { ...noEffects, linkTo: { type: "incident", id: "7" }, syncBack: true } })).toEqual({
      status: "Closed",
      linkTo: { type: "incident", id: "7" },
      syncBack: true,
    });
  });

  test("the errors that the engine would raise for what can never be written", () => {
    const noType = (entity: Record<string, Json>): void => {
      entity["priority"] = "1";
    };
    expect(incoming(noType, {}, null)).toMatchObject({ error: { code: "NO_ENTITY_TYPE" } });
    expect(
      incoming((entity) => {
        entity["entityType"] = "problem";
      }),
    ).toEqual({ error: { code: "ENTITY_TYPE_CHANGED", message: "the rule turns the incident INC1 into a problem; a record keeps its type" } });
  });
});

describe("an outcome in a file", () => {
  test("may be any that a run comes to", () => {
    const all: Outcome[] = [
      { replica: { a: 1 }, syncBack: true },
      { entityType: "Case", fields: { Subject: "x" }, comments: { added: [{ body: "a", internal: true }], edited: [{ id: "1", body: "b" }], removed: ["2"] } },
      {
        attachments: { added: [{ remoteId: "1", filename: "a", mimetype: "b", filesize: 1 }], removed: ["3"] },
        status: "Closed",
        linkTo: { type: "Case", id: "1" },
      },
      { nothing: true },
      { skipped: "why" },
      { failed: "why" },
      { waiting: "INC1" },
      { error: { code: "RULE_ERROR", message: "x", line: 1, column: 2 } },
    ];
    for (const outcome of all) expect(outcomeSchema.parse(outcome)).toEqual(outcome);
  });

  test("is refused when it says nothing or things that exclude each other", () => {
    expect(() => outcomeSchema.parse({})).toThrow(/says nothing/);
    expect(() => outcomeSchema.parse({ skipped: "a", fields: {} })).toThrow(/skipped stands alone/);
    expect(() => outcomeSchema.parse({ replica: {}, fields: {} })).toThrow(/replica is of an outgoing rule; fields of an incoming one/);
    expect(() => outcomeSchema.parse({ comments: { added: [{ body: "a", internal: false }] } })).toThrow(/must be true/);
  });
});

test("an entity view in an input is whole", () => {
  const { entity } = inputOf({ direction: "outgoing", entity: { entityType: "incident" } }) as { entity: EntityView };
  expect(entity).toEqual({ entityType: "incident", entityRef: null, key: "", url: "", display: {}, comments: [], internalComments: [], attachments: [] });
});
