import { describe, expect, test } from "vitest";
import { encoded, holds } from "./encoding.ts";
import { type Column, decoded, rawRows } from "./values.ts";

const column = (type: Column["type"], more: Partial<Column> = {}): Column => ({ name: "f", label: "F", type, internalType: "", closed: false, ...more });
const state = column("choice", {
  closed: true,
  choices: [
    { value: "1", label: "1 - High" },
    { value: "2", label: "In Progress" },
  ],
});

describe("reading", () => {
  test.each([
    ["nothing is null", "", column("text"), null],
    ["booleans", "true", column("boolean"), true],
    ["booleans", "false", column("boolean"), false],
    ["whole numbers", "42", column("integer"), 42],
    ["decimals", "1.5", column("decimal"), 1.5],
    ["numbers beyond what JavaScript holds stay text", "9007199254740993", column("integer"), "9007199254740993"],
    ["instants are UTC", "2026-07-13 17:28:40", column("instant"), "2026-07-13T17:28:40Z"],
    ["dates stay dates", "2026-07-13", column("date"), "2026-07-13"],
    ["durations are seconds since the epoch [D]", "1970-01-01 00:02:17", column("duration"), 137],
    ["choices are their value", "2", state, "2"],
    ["leading noughts of codes survive", "00123", column("text"), "00123"],
  ])("%s", (_what, value, as, expected) => expect(decoded(value, as)).toEqual(expected));

  test("references come with id, name and table", () => {
    const raw = { value: "a1", display_value: "Joe", link: "https://x/api/now/table/sys_user/a1" };
    expect(decoded(raw, column("reference", { reference: "other" }))).toEqual({ id: "a1", display: "Joe", type: "sys_user" });
  });

  test("lists are paired with their names, unless a name holds a comma", () => {
    const list = column("references", { reference: "sys_user" });
    expect(decoded({ value: "a,b", display_value: "Ann, Bob" }, list)).toEqual([
      { id: "a", display: "Ann", type: "sys_user" },
      { id: "b", display: "Bob", type: "sys_user" },
    ]);
    expect(decoded({ value: "a,b", display_value: "Lee, Ann, Bob" }, list)).toMatchObject([{ display: "a" }, { display: "b" }]);
  });

  test("rows are recognised by their shape", () => {
    expect(rawRows({ result: [{ a: "1", b: { link: "l", value: "v" } }] })).toEqual([{ a: "1", b: { value: "v", display_value: "", link: "l" } }]);
    expect([rawRows({ result: {} }), rawRows([]), rawRows(undefined)]).toEqual([undefined, undefined, undefined]);
  });
});

describe("writing", () => {
  test.each([
    ["null clears", null, column("reference"), ""],
    ["booleans", true, column("boolean"), "true"],
    ["instants with an offset become UTC", "2026-07-13T19:28:40.900+02:00", column("instant"), "2026-07-13 17:28:40"],
    ["instants without a zone are UTC, wherever the node stands", "2026-07-13T17:28:40", column("instant"), "2026-07-13 17:28:40"],
    ["instants that are already in the platform's form", "2026-07-13 17:28:40", column("instant"), "2026-07-13 17:28:40"],
    ["durations", 137, column("duration"), "1970-01-01 00:02:17"],
    ["choices by value", "2", state, "2"],
    ["choices by label in any case", "in progress", state, "2"],
    ["choices by a label without its number", "High", state, "1"],
    ["references by their object", { id: "a1", display: "Joe", type: "sys_user" }, column("reference"), "a1"],
    ["references by id", "a1", column("reference"), "a1"],
    ["lists of references", [{ id: "a" }, "b"], column("references"), "a,b"],
    ["values beyond an open list of choices", "other", column("choice", { choices: [] }), "other"],
  ])("%s", (_what, value, as, expected) => expect(encoded(value, as, "incident")).toBe(expected));

  test.each([
    ["an unknown choice, with those that there are", "Escalated", state, /has no choice “Escalated”; it has 1 - High \(1\), In Progress \(2\)/],
    ["text as a number", "many", column("integer"), /takes a whole number, not "many"/],
    ["an object as text", { a: 1 }, column("text"), /takes text/],
    ["a number for an instant", "5", column("instant"), /takes an instant/],
    ["an instant of a day that no calendar has", "2026-02-30 10:00:00", column("instant"), /takes an instant/],
    ["a date that no calendar has", "2026-02-30", column("date"), /takes a date/],
    ["a broken instant", "yesterday", column("instant"), /takes an instant/],
  ])("refuses %s", (_what, value, as, message) => {
    expect(() => encoded(value, as, "incident")).toThrow(
      expect.objectContaining({ code: "VALIDATION", fields: ["f"], message: expect.stringMatching(message) }),
    );
  });

  test("what is read is what can be written back unchanged", () => {
    for (const [value, as] of [
      ["true", column("boolean")],
      ["2026-07-13 17:28:40", column("instant")],
      ["1970-01-02 00:00:01", column("duration")],
      ["2", state],
      ["-3", column("integer")],
    ] as const) {
      expect(encoded(decoded(value, as), as, "incident")).toBe(value);
    }
  });
});

describe("comparing what was kept with what was sent", () => {
  test("line ends, blanks at the end and the spelling of numbers do not count", () => {
    expect(holds("a\nb", "a\r\nb \n", column("text"))).toBe(true);
    expect(holds("1.50", "1.5", column("decimal"))).toBe(true);
  });
  test("a reference sent by name is kept when its name is shown", () =>
    expect(holds({ value: "a1", display_value: "Joe" }, "Joe", column("reference"))).toBe(true));
  test("the order of a list does not count, its members do", () => {
    const lists = [holds("b,a", "a,b", column("references")), holds("a", "a,b", column("references")), holds("a", "", column("choices"))];
    expect(lists).toEqual([true, false, false]);
    expect(holds({ value: "a1,b2", display_value: "Joe, Ann" }, "Ann,Joe", column("references"))).toBe(true);
    expect(holds({ value: "a1", display_value: "" }, "", column("references"))).toBe(false);
  });
  test("a field that is not there was not kept, unless nothing was sent", () => {
    expect([holds(undefined, "x", undefined), holds(undefined, "", undefined)]).toEqual([false, true]);
  });
});
