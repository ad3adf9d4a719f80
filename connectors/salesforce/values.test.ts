import { describe, expect, it } from "vitest";
import type { SalesforceField } from "./schema.ts";
import { isoInstant, readValue, writeValue } from "./values.ts";

const field = (type: string, more: Partial<SalesforceField> = {}): SalesforceField => ({
  name: "F",
  label: "Field",
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
  ...more,
});

describe("a number", () => {
  it.each(["9007199254740993", "-9007199254740993", "123456789012345678", "0.12345678901234567890", "many", ""])(
    "given as the text %j is refused, or empty, rather than kept as another",
    (text) => {
      if (text === "") expect(writeValue(text, field("double"))).toBeNull();
      else expect(() => writeValue(text, field("double"))).toThrowError(/does not fit F \(Field\)/);
    },
  );

  it.each([
    ["42", 42],
    ["-3.250", -3.25],
    ["1e3", 1000],
    ["9007199254740991", 9_007_199_254_740_991],
    ["0.1", 0.1],
    ["0", 0],
  ])("given as the text %j is that number", (text, number) => {
    expect(writeValue(text, field("currency"))).toBe(number);
  });
});

describe("a value", () => {
  it("that is empty is null in either direction, but for a yes or no", () => {
    for (const type of ["string", "textarea", "picklist", "double", "date", "reference"]) {
      expect(writeValue("", field(type))).toBeNull();
      expect(writeValue(null, field(type))).toBeNull();
      expect(readValue({ F: null }, field(type), () => "Name")).toBeNull();
    }
    expect(readValue({ F: null }, field("boolean"), () => "Name")).toBe(false);
  });

  it("of several choices is a list, and is written in the platform's form [R]", () => {
    const choices = field("multipicklist", { picklistValues: [{ value: "a", label: "Alpha", active: true }] });
    expect(readValue({ F: "a;b" }, choices, () => "Name")).toEqual(["a", "b"]);
    expect(writeValue(["Alpha", "b"], choices)).toBe("a;b");
    expect(writeValue([], choices)).toBeNull();
  });

  it("that is an instant without an offset is UTC, whatever the time zone of the machine", () => {
    for (const text of ["2026-05-01T10:00:00", "2026-05-01 10:00", "2026-05-01T12:00:00+02:00"])
      expect(writeValue(text, field("datetime"))).toBe("2026-05-01T10:00:00.000Z");
  });

  it("that is an instant has its offset read and is written in UTC [R]", () => {
    expect(isoInstant("2026-05-01T07:25:37.000+0000")).toBe("2026-05-01T07:25:37.000Z");
    expect(isoInstant("2026-05-01T09:25:37.000+0200")).toBe("2026-05-01T07:25:37.000Z");
    expect(writeValue("2026-05-01T09:25:37+02:00", field("datetime"))).toBe("2026-05-01T07:25:37.000Z");
  });

  it("of a reference may be 15 or 18 characters, or the reference as it was read", () => {
    const reference = field("reference", { referenceTo: ["Account"], relationshipName: "Account" });
    for (const value of ["001D000000IqhSL", "001D000000IqhSLIAZ", { id: "001D000000IqhSL", display: "Acme", type: "Account" }])
      expect(writeValue(value, reference)).toBe("001D000000IqhSLIAZ");
    expect(() => writeValue("Acme", reference)).toThrowError(/"Acme" does not fit F/);
    expect(readValue({ F: "001D000000IqhSLIAZ", Account: { Name: "Acme" } }, reference, () => "Name")).toEqual({
      id: "001D000000IqhSLIAZ",
      display: "Acme",
      type: "Account",
    });
  });

  it("that points at a queue or a user says which, by its type or by its id [K]", () => {
    const owner = field("reference", { referenceTo: ["Group", "User"], relationshipName: "Owner" });
    expect(readValue({ F: "00GD000000IqhSLIAZ", Owner: { Name: "Support", Type: "Queue" } }, owner, () => "Name")).toMatchObject({
      display: "Support",
      type: "Queue",
    });
    expect(readValue({ F: "00GD000000IqhSLIAZ", Owner: { Name: "Support" } }, owner, () => "Name")).toMatchObject({ type: "Group" });
  });
});
