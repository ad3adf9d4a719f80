/** What parent and child say to each other: a frame is a header line of JSON and a payload that is passed on unread. */

/** To the child. The payload is the program's text, the run's input, or the list of answers. */
export type ToChild =
  | {
      readonly type: "prepare";
      readonly modules: Readonly<Record<string, string>>;
      readonly main: string;
      readonly isolateMegabytes: number;
      readonly isolates: number;
      readonly runsPerIsolate: number;
    }
  | { readonly type: "load"; readonly version: string }
  | { readonly type: "start"; readonly run: number; readonly version: string; readonly cpuMs: number; readonly limits: string }
  | { readonly type: "resume"; readonly run: number }
  | { readonly type: "drop"; readonly run: number };

/**
 * From the child. `begin` is said before each piece of rule code, so that the parent knows whom to blame when nothing follows it.
 * The payload of `step` is what `poll` answered.
 */
export type FromChild =
  | { readonly type: "ready"; readonly user: number | null; readonly dropped: boolean }
  | { readonly type: "begin"; readonly run: number }
  | { readonly type: "step"; readonly run: number; readonly cpuMs: number }
  /** The isolate does not run any more: it passed a limit. */
  | { readonly type: "broken"; readonly run: number; readonly cpuMs: number; readonly why: "cpu" | "memory" }
  /** Something was thrown across the bridge: a rejection that nobody handled, or text that does not compile. */
  | { readonly type: "thrown"; readonly run: number; readonly cpuMs: number; readonly stage: "load" | "run"; readonly message: string; readonly stack: string }
  /** The run was in an isolate that is gone, or its program is not here (`unloaded`): start it again. */
  | { readonly type: "lost"; readonly run: number; readonly unloaded: boolean }
  /** Nothing more to do for now. `weary` asks for a new child in its place: memory has grown. */
  | { readonly type: "idle"; readonly weary: boolean };

/** Reads a header that an untrusted child wrote. */
export function readFromChild(header: string): FromChild | undefined {
  let value: unknown;
  try {
    value = JSON.parse(header);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { type, run, cpuMs, why, unloaded, stage, message, stack, weary, user, dropped } = value as Record<string, unknown>;
  const time = typeof cpuMs === "number" && cpuMs >= 0 && cpuMs < 1e9 ? cpuMs : 0;
  if (type === "ready") return { type, user: typeof user === "number" ? user : null, dropped: dropped === true };
  if (type === "idle") return { type, weary: weary === true };
  if (typeof run !== "number" || !Number.isSafeInteger(run)) return undefined;
  if (type === "begin") return { type, run };
  if (type === "step") return { type, run, cpuMs: time };
  if (type === "broken" && (why === "cpu" || why === "memory")) return { type, run, cpuMs: time, why };
  if (type === "lost") return { type, run, unloaded: unloaded === true };
  if (type === "thrown" && (stage === "load" || stage === "run") && typeof message === "string" && typeof stack === "string") {
    return { type, run, cpuMs: time, stage, message: message.slice(0, 2_000), stack: stack.slice(0, 8_000) };
  }
  return undefined;
}
