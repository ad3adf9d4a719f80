import { expect, test } from "vitest";
import type { FieldSchema, FieldType } from "../../connectors/connector.ts";
import { inDialectOf, richTextsOf, saysTheSame } from "./dialects.ts";

const field = (type: FieldType): FieldSchema => ({ name: "x", label: "x", type, custom: false, nullable: true, readOnly: false, requiredOnCreate: false });

test("what came from a rich field is plain in a plain field, on one line where there is but one", () => {
  const rich = new Set(["<p>a <b>b</b></p><p>c</p>"]);
  expect(inDialectOf(field("longText"), "<p>a <b>b</b></p><p>c</p>", rich)).toBe("a b\n\nc");
  expect(inDialectOf(field("text"), "<p>a <b>b</b></p><p>c</p>", rich)).toBe("a b c");
  expect(inDialectOf(field("richText"), "<p>a <b>b</b></p><p>c</p>", rich)).toBe("<p>a <b>b</b></p><p>c</p>");
});

test("what did not stays as it is, tags or not", () => {
  expect(inDialectOf(field("longText"), "<p>a</p>", new Set())).toBe("<p>a</p>");
  expect(inDialectOf(undefined, "<p>a</p>", new Set(["<p>a</p>"]))).toBe("<p>a</p>");
  expect(inDialectOf(field("choice"), "<p>a</p>", new Set(["<p>a</p>"]))).toBe("<p>a</p>");
});

test("plain text becomes HTML in a rich field; nothing stays nothing", () => {
  expect(inDialectOf(field("richText"), "1 < 2\n\nyes", new Set())).toBe("<p>1 &lt; 2</p><p>yes</p>");
  expect(inDialectOf(field("richText"), "", new Set())).toBe("");
  expect(inDialectOf(field("richText"), null, new Set())).toBe(null);
});

test("a plain text that says what a rich field says changes nothing; another formatting of it that is rich itself does", () => {
  const earlier = "<p>a <b>b</b></p>";
  expect(saysTheSame(field("richText"), earlier, "<p>a b</p>", "a b")).toBe(true);
  expect(saysTheSame(field("richText"), earlier, "<p>a c</p>", "a c")).toBe(false);
  expect(saysTheSame(field("richText"), earlier, "<p>a b</p>", "<p>a b</p>")).toBe(false);
});

test("the rich texts of a message are found by their paths, in whatever the other side sent", () => {
  const message = {
    rich: [["description"], ["custom", "steps"], ["gone", "deep"]],
    body: { description: "<p>a</p>", custom: { steps: 5 } },
    previous: { custom: { steps: "<p>b</p>" } },
  };
  expect([...richTextsOf(message)].toSorted()).toEqual(["<p>a</p>", "<p>b</p>"]);
  expect([...richTextsOf({ rich: [["__proto__"], ["constructor", "name"]], body: {}, previous: null })]).toEqual([]);
  expect(richTextsOf({ rich: null, body: {}, previous: null }).size).toBe(0);
});
