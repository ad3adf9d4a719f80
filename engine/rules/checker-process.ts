/** The process in which rules are checked and stripped. Started by compile.ts; holds nothing worth having, and may be killed at any time. */
import { encodeFrame, FrameReader } from "../sandbox/frames.ts";
import { RuleChecker } from "./checker.ts";

const checker = new RuleChecker();
const reader = new FrameReader();

process.stdin.on("data", (chunk: Buffer) => {
  reader.push(chunk, (_header, payload) => {
    const { source, declarations, libraries } = JSON.parse(payload) as { source: string; declarations: string; libraries?: Record<string, string> };
    process.stdout.write(encodeFrame({ type: "compiled" }, JSON.stringify(checker.compile(source, declarations, libraries))));
  });
});
process.stdin.on("end", () => process.exit());

// The first check loads the language's own declarations, which takes longer than all that follow.
checker.compile("", "");
process.stdout.write(encodeFrame({ type: "ready" }));
