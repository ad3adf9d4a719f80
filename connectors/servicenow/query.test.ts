import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseEncodedQuery } from "./encoded-query.ts";
import { similarNames } from "./field-names.ts";
import { encodedConditions, narrowed, term, termIn } from "./query.ts";
import { tableSchema } from "./table-schema.ts";
import type { Column } from "./values.ts";

const columns: Column[] = [
  { name: "short_description", label: "Short description", type: "text", internalType: "string", closed: false },
  { name: "active", label: "Active", type: "boolean", internalType: "boolean", closed: false },
  { name: "due_date", label: "Due", type: "instant", internalType: "glide_date_time", closed: false },
  { name: "caller_id", label: "Caller", type: "reference", internalType: "reference", reference: "sys_user", closed: false },
  {
    name: "state",
    label: "State",
    type: "choice",
    internalType: "integer",
    closed: true,
    choices: [
      { value: "1", label: "New" },
      { value: "6", label: "Resolved" },
    ],
  },
];
const schema = tableSchema({
  name: "incident",
  label: "Incident",
  sampled: false,
  fields: [],
  columns: new Map(columns.map((column) => [column.name, column])),
  journals: new Set(),
  displayColumn: undefined,
});

describe("terms", () => {
  test.each([
    ["a ^ sign", "=", "5^active=true"],
    ["a scripted value", "=", "javascript:gs.getUserID()"],
    ["a scripted value behind blanks", "=", "  JavaScript:x"],
    ["a value that would lengthen its operator", "<", "=5"],
    ["a value that would make another operator", "IN", "STANCEOFtask"],
  ])("refuse %s", (_what, operator, value) => {
    expect(() => term("short_description", operator, value)).toThrow(expect.objectContaining({ code: "BAD_REQUEST", fields: ["short_description"] }));
  });

  test("never say anything but what was meant, whatever the value", () => {
    fc.assert(
      fc.property(fc.string(), fc.constantFrom("=", "!=", "<", ">", "IN", "LIKE", "STARTSWITH"), (value, operator) => {
        let text: string;
        try {
          text = term("short_description", operator, value);
        } catch {
          return;
        }
        expect(parseEncodedQuery(text).alternatives).toEqual([{ text, groups: [[{ field: "short_description", operator, value, text }]] }]);
      }),
    );
  });

  test("lists refuse values with a comma", () => expect(() => termIn("number", ["a,b"])).toThrow(expect.objectContaining({ code: "BAD_REQUEST" })));
});

describe("conditions", () => {
  test("are written by the type of their field", () => {
    const query = encodedConditions(schema, [
      { field: "active", operator: "=", value: true },
      { field: "due_date", operator: ">=", value: "2026-07-13T19:28:40+02:00" },
      { field: "caller_id", operator: "=", value: { id: "a".repeat(32), display: "Joe", type: "sys_user" } },
      { field: "state", operator: "in", value: ["New", "6"] },
      { field: "short_description", operator: "contains", value: "50 % & more" },
    ]);
    expect(query).toBe(`active=true^due_date>=2026-07-13 17:28:40^caller_id=${"a".repeat(32)}^stateIN1,6^short_descriptionLIKE50 % & more`);
  });

  test("on nothing ask whether the field is empty", () => {
    expect(
      encodedConditions(schema, [
        { field: "caller_id", operator: "=", value: null },
        { field: "due_date", operator: "!=", value: null },
      ]),
    ).toBe("caller_idISEMPTY^due_dateISNOTEMPTY");
  });

  test("on unknown fields are refused with the likely ones: the platform would answer with the whole table [R]", () => {
    expect(() => encodedConditions(schema, [{ field: "short_descripton", operator: "=", value: "x" }])).toThrow(
      /incident has no field “short_descripton”.*short_description/,
    );
  });
});

describe("narrowing a person's query", () => {
  test("reaches every alternative, and drops orders", () => expect(narrowed("a=1^NQb=2^ORDERBYc", "x=1")).toBe("a=1^x=1^NQb=2^x=1"));
  test("keeps an empty query to the condition alone", () => expect(narrowed("", "x=1")).toBe("x=1"));
  test("knows that an alternative without terms is everything", () => expect(narrowed("a=1^NQ", "x=1")).toBe("x=1"));
  test("takes conditions of which one must hold", () => expect(narrowed("a=1", "x=1", "y=1")).toBe("a=1^x=1^NQa=1^y=1"));
});

test("similar names are the nearest three", () => {
  expect(similarNames("asigned_to", ["assigned_to", "state", "assignment_group"])).toEqual(["assigned_to"]);
  expect(similarNames("zzz", ["assigned_to"])).toEqual([]);
});
