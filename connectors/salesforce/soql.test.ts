import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Condition } from "../connector.ts";
import type { SalesforceField } from "./schema.ts";
import { parseSoql } from "./simulator/soql-parse.ts";
import { conditionText, instant, quoted } from "./soql.ts";

describe("a text in a statement", () => {
  it("keeps its quotes, backslashes, line ends and every other character, as the parser reads it back", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary" }).filter((text) => !/[\uE000\uE001]/.test(text)),
        (text) => {
          expect(comparedValue(`SELECT Id FROM Case WHERE Subject = ${quoted(text)} AND Id = '1'`)).toBe(text);
        },
      ),
    );
  });

  it("cannot end early by a backslash before its quote", () => {
    expect(quoted("x\\' OR Id != '")).toBe("'x\\\\\\' OR Id != \\''");
  });
});

describe("a condition", () => {
  it("writes values by the type of the field: texts quoted, instants, numbers and booleans bare", () => {
    expect(text({ field: "Subject", operator: "=", value: "it's" }, "string")).toBe("F = 'it\\'s'");
    expect(text({ field: "F", operator: ">=", value: "2026-05-01T07:25:37.123Z" }, "datetime")).toBe("F >= 2026-05-01T07:25:37Z");
    expect(text({ field: "F", operator: "=", value: "2026-05-01T00:00:00Z" }, "date")).toBe("F = 2026-05-01");
    expect(text({ field: "F", operator: "<", value: "12.5" }, "double")).toBe("F < 12.5");
    expect(text({ field: "F", operator: "=", value: true }, "boolean")).toBe("F = true");
    expect(text({ field: "F", operator: "=", value: { id: "001D000000IqhSL", display: "x", type: "Account" } }, "reference")).toBe("F = '001D000000IqhSLIAZ'");
    expect(text({ field: "F", operator: "!=", value: null }, "string")).toBe("F != null");
  });

  it("takes a choice by value or by label", () => {
    const choice = { ...field("picklist"), picklistValues: [{ value: "1", label: "Read", active: true }] };
    expect(conditionText({ field: "F", operator: "=", value: "Read" }, choice)).toBe("F = '1'");
    expect(conditionText({ field: "F", operator: "in", value: ["1", "Read"] }, choice)).toBe("F IN ('1', '1')");
  });

  it("takes wildcards in a search text as themselves", () => {
    expect(text({ field: "F", operator: "contains", value: "100%_'\\" }, "string")).toBe("F LIKE '%100\\%\\_\\'\\\\%'");
    expect(text({ field: "F", operator: "startsWith", value: "a" }, "string")).toBe("F LIKE 'a%'");
  });

  it("that asks for one of nothing holds for no record, instead of losing its condition", () => {
    expect(text({ field: "F", operator: "in", value: [] }, "string")).toBeUndefined();
  });

  it.each([
    ["double", "many"],
    ["datetime", "yesterday"],
    ["boolean", "yes"],
    ["reference", "nobody"],
  ])("refuses for a field of type %s the value %j, naming both", (type, value) => {
    expect(() => text({ field: "F", operator: "=", value }, type)).toThrowError(new RegExp(`"${value}" does not fit F, which is of type ${type}`));
  });

  it("refuses to search by a long text, which the platform cannot filter", () => {
    expect(() => conditionText({ field: "F", operator: "=", value: "x" }, { ...field("textarea"), filterable: false })).toThrowError(/cannot search by F/);
  });
});

describe("an instant", () => {
  it("has whole seconds in UTC", () => {
    expect(instant("2026-05-01T09:25:37.900+02:00")).toBe("2026-05-01T07:25:37Z");
  });
});

function comparedValue(statement: string): string | undefined {
  const where = parseSoql(statement).where;
  const first = where?.kind === "and" ? where.parts[0] : undefined;
  const literal = first?.kind === "compare" ? first.values[0] : undefined;
  return literal?.kind === "string" ? literal.text : undefined;
}

function text(condition: Condition, type: string): string | undefined {
  return conditionText(condition, field(type));
}

function field(type: string): SalesforceField {
  return {
    name: "F",
    label: "F",
    type,
    length: 0,
    scale: 0,
    nillable: true,
    createable: true,
    updateable: true,
    defaultedOnCreate: false,
    calculated: false,
    autoNumber: false,
    custom: false,
    nameField: false,
    externalId: false,
    filterable: true,
    htmlFormatted: false,
    deprecatedAndHidden: false,
    restrictedPicklist: false,
    picklistValues: [],
  };
}
