import { expect, test } from "vitest";
import { framesOf, harmless } from "./frames-of-rules.ts";

test("the rule's own frames are kept with the rule's name, and nothing of helpers, bridge or host", () => {
  const stack = [
    "TypeError: x",
    "    at inner (rule:main:3:7)",
    "    at ask (prelude:runs.ts:184:9)",
    "    at async Promise.all (index 0)",
    "    at async rule:main:9:1",
    "    at rule:main:5:2",
    "    at $rule (rule:main:12:3)",
    "    at rule:main:1:44",
    "    at (<isolated-vm boundary>)",
    "    at file:///srv/isobridge/engine/sandbox/child.ts:9:9",
  ].join("\n");
  expect(framesOf(stack, "a/SN/incoming.ts")).toEqual({
    frames: ["inner (a/SN/incoming.ts:2:7)", "a/SN/incoming.ts:8:1", "a/SN/incoming.ts:4:2"],
    line: 2,
    column: 7,
  });
});

test("a stack without frames of the rule gives no position", () => {
  expect(framesOf("anything\nat all", "x")).toEqual({ frames: [] });
});

test("ERR-11: control characters and marks that turn writing around are written out; line ends and tabs stay", () => {
  expect(harmless("a\u001b[31m\r\n\tb\u0000\u202e\u2066\ufeffé😀<b>")).toBe("a\\u{1b}[31m\\u{d}\n\tb\\u{0}\\u{202e}\\u{2066}\\u{feff}é😀<b>");
});
