/** What parent and child say to each other: a frame is a header line of JSON and a payload that is passed on unread. */
import { largestBatch } from "./batching.ts";

/** To the child. */
export type ToChild =
  | {
      readonly type: "prepare";
      readonly modules: Readonly<Record<string, string>>;
      readonly main: string;
      readonly isolateMegabytes: number;
      readonly isolates: number;
      readonly runsPerIsolate: number;
    }
  /** The payload is the program's text. */
  | { readonly type: "load"; readonly version: string }
  /** Works a piece of each of these runs of one version: the first `starts` begin, the others go on. The payload has a line of JSON for each: its input, or its answers. */
  | {
      readonly type: "work";
      readonly version: string;
      readonly runs: readonly number[];
      readonly starts: number;
      readonly cpuMs: number;
      readonly limits: string;
    }
  | { readonly type: "drop"; readonly run: number }
  /** Said every half minute: isolates that had nothing to do since the last time go. */
  | { readonly type: "tidy" };

/** From the child. Where there are several `runs`, it is about a batch, and nobody knows which of them it was. */
export type FromChild =
  | { readonly type: "ready"; readonly user: number | null; readonly dropped: boolean }
  /** Said before each entry into rule code, so that the parent knows whom to blame when nothing follows it. */
  | { readonly type: "begin"; readonly runs: readonly number[] }
  /** The payload is what `poll` answered. */
  | { readonly type: "steps"; readonly runs: readonly number[]; readonly cpuMs: number }
  /** The isolate does not run any more: it passed a limit. */
  | { readonly type: "broken"; readonly runs: readonly number[]; readonly cpuMs: number; readonly why: "cpu" | "memory" }
  /** The runs got into each other's way: each must be entered alone. */
  | { readonly type: "spoilt"; readonly runs: readonly number[]; readonly cpuMs: number }
  /** Something was thrown across the bridge: a rejection that nobody handled, or text that does not compile. */
  | {
      readonly type: "thrown";
      readonly runs: readonly number[];
      readonly cpuMs: number;
      readonly stage: "load" | "run";
      readonly message: string;
      readonly stack: string;
    }
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
  const { type, run, runs, cpuMs, why, unloaded, stage, message, stack, weary, user, dropped } = value as Record<string, unknown>;
  if (type === "ready") return { type, user: typeof user === "number" ? user : null, dropped: dropped === true };
  if (type === "idle") return { type, weary: weary === true };
  if (type === "lost") return typeof run === "number" ? { type, run, unloaded: unloaded === true } : undefined;
  if (!isListOfRuns(runs)) return undefined;
  const time = typeof cpuMs === "number" && cpuMs >= 0 && cpuMs < 1e9 ? cpuMs : 0;
  if (type === "begin") return { type, runs };
  if (type === "steps" || type === "spoilt") return { type, runs, cpuMs: time };
  if (type === "broken" && (why === "cpu" || why === "memory")) return { type, runs, cpuMs: time, why };
  if (type === "thrown" && (stage === "load" || stage === "run") && typeof message === "string" && typeof stack === "string") {
    return { type, runs, cpuMs: time, stage, message: message.slice(0, 2_000), stack: stack.slice(0, 8_000) };
  }
  return undefined;
}

function isListOfRuns(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.length > 0 && value.length <= largestBatch && value.every(Number.isSafeInteger);
}
