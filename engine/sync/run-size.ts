import type { Json } from "../replica/json.ts";
import type { NewRun } from "../store/runs.ts";

/** Bytes that input, calls, output and console of one recorded run may have together. */
const runBytes = 256 * 1024;

/** Smaller parts are left while larger ones can go. */
const worthCutting = 1_024;

const partNames = ["input", "calls", "output", "console"] as const;

/** Leaves out the largest parts of a run that is too large, each with a note in its place. What is left out is listed in `withheld.cut`. */
export function cutToSize(run: NewRun, limit = runBytes): NewRun {
  let total = partNames.reduce((sum, name) => sum + bytesOf(run[name]), 0);
  if (total <= limit) return run;
  // What is cut into must not be the caller's own; it is JSON that is about to be stored.
  const parts = structuredClone({ input: run.input, calls: run.calls, output: run.output, console: run.console }) as unknown as Tree;
  const cut: string[] = [];
  // Fields of a record first; whole records and lists of calls only if there is no other way.
  for (const depth of [3, 2, 1]) {
    const candidates = placesAt(parts, depth).sort((a, b) => b.bytes - a.bytes);
    for (const { holder, key, path, bytes } of candidates) {
      if (total <= limit || (bytes < worthCutting && depth > 1)) break;
      const note = `[left out: ${bytes} bytes; a recorded run keeps ${limit}]`;
      // The console is a list of lines, whatever is left of it.
      holder[key] = path === "console" ? [note] : note;
      total -= bytes - bytesOf(holder[key]);
      cut.push(path);
    }
    if (total <= limit) break;
  }
  const { input, calls, output, console } = parts as unknown as Pick<NewRun, "input" | "calls" | "output" | "console">;
  return { ...run, input, calls, output, console, withheld: { fields: run.withheld?.fields ?? [], secrets: run.withheld?.secrets ?? false, cut } };
}

type Tree = Record<string, Json>;

interface Place {
  readonly holder: Tree;
  readonly key: string;
  readonly path: string;
  readonly bytes: number;
}

function placesAt(root: Tree, depth: number, path = ""): Place[] {
  return Object.entries(root).flatMap(([key, value]): Place[] => {
    const here = path === "" ? key : `${path}.${key}`;
    if (depth === 1) return [{ holder: root, key, path: here, bytes: bytesOf(value) }];
    return typeof value === "object" && value !== null ? placesAt(value as Tree, depth - 1, here) : [];
  });
}

function bytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value) ?? "");
}
