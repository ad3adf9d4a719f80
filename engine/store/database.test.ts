import { expect, test } from "vitest";
import { jsonText } from "./database.ts";

test("what PostgreSQL cannot store in JSON becomes the replacement character; everything else stays as it is", () => {
  expect(jsonText({ a: "x\0y", "k\0": ["\ud800", "ok 😀"] })).toBe(JSON.stringify({ a: "x\ufffdy", "k\ufffd": ["\ufffd", "ok 😀"] }));
  // A backslash followed by the letters u0000 is text, not a character.
  expect(JSON.parse(jsonText("\\u0000"))).toBe("\\u0000");
});
