/**
 * The runs inside one isolate. The child process calls `enter` with text and asks `poll` for text: no object, function or promise of the host
 * ever comes in here.
 *
 * One entry takes many runs: their pieces up to the first wait are worked one after the other, what follows a wait in the microtasks behind them all.
 * They share nothing but the realm, which is frozen, and its clock and dice, which belong to one run at a time: a run of a batch that looks at those
 * after a wait spoils the batch (`poll` answers nothing), and each of its runs is then entered alone.
 */
import { diceFrom } from "./dice.ts";
import { EncodeFailure, type EncodeLimits, encode } from "./encode.ts";
import { lockDown, type Pins } from "./realm.ts";
import { show } from "./show.ts";
import { describeThrown, type ThrownError } from "./thrown.ts";

/** What a prelude may do for a run. */
export interface RunHost {
  /** Asks the host; rejects with the host's words and code. Past a limit the run is over. */
  call(name: string, args: readonly unknown[]): Promise<unknown>;
  /** Ends the run where it stands, with this result; nothing else of the run counts. */
  end(result: unknown): never;
  /** Sets what the clock says and where the dice start. */
  pin(now: number, seed: string): void;
  readonly console: Readonly<Record<"log" | "info" | "warn" | "error" | "debug", (...values: unknown[]) => void>>;
}

/** A prelude's one function: the names that the rule finds, and the result when it has come to its end. */
export type Prepare = (input: unknown, host: RunHost) => { readonly names: object; finish(): Finish };

/** A result; `wrapping` outer levels of it are the prelude's, not the rule's. */
export interface Finish {
  readonly label: string;
  readonly value: unknown;
  readonly wrapping: number;
}

/** The rule: a module's default export. */
export type Rule = (names: object) => Promise<unknown>;

export interface GuestLimits {
  readonly result: EncodeLimits;
  readonly argument: EncodeLimits;
  readonly calls: number;
  readonly callsAtOnce: number;
  readonly consoleLines: number;
  readonly consoleLineLength: number;
}

/** First line of what `poll` answers; the text after it is the result (`done`) or the list of calls (`calls`). */
export type PollHeader = { readonly console: readonly string[] } & (
  | { readonly state: "done" }
  | { readonly state: "calls" }
  | { readonly state: "failed"; readonly kind: "user" | "limit"; readonly code: string; readonly message: string; readonly stack: string }
);

type Outcome =
  | { readonly state: "done"; readonly text: string }
  | { readonly state: "failed"; readonly kind: "user" | "limit"; readonly code: string; readonly message: string; readonly stack: string };

interface Call {
  readonly text: string;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  /** Made where the call stands in the rule, so that its failure points there. */
  readonly trace: { readonly stack?: string };
}

/** Most runs neither print, nor ask, nor roll dice: what those need is made when it is needed. */
class Run implements Pins, RunHost {
  now = 0;
  outcome: Outcome | undefined;
  lines: string[] | undefined;
  calls: Map<number, Call> | undefined;
  waiting: number[] = [];
  /** Codes of helper failures, by the error that the rule got: a rule cannot forge them. */
  codes: WeakMap<object, string> | undefined;
  made = 0;
  asked = 0;
  printed = 0;
  readonly limits: GuestLimits;
  #seed = "";
  #dice: (() => number) | undefined;

  constructor(limits: GuestLimits) {
    this.limits = limits;
  }

  random(): number {
    this.#dice ??= diceFrom(this.#seed);
    return this.#dice();
  }

  call(name: string, args: readonly unknown[]): Promise<unknown> {
    return ask(this, name, args);
  }

  end(result: unknown): never {
    close(this, () => ({ label: "the result", value: result, wrapping: 1 }));
    // New each time: a rule may catch it, and must find nothing on it that it left there in an earlier run.
    throw new Error("the rule has ended here");
  }

  pin(now: number, seed: string): void {
    this.now = now;
    this.#seed = seed;
    this.#dice = undefined;
  }

  /** Made anew at each look: a rule owns what it gets. */
  get console(): RunHost["console"] {
    const line = (...values: unknown[]): void => print(this, values);
    return { log: line, info: line, warn: line, error: line, debug: line };
  }
}

export interface Guest {
  /** Gives the rule, which must be loaded after the realm is locked. */
  use(rule: Rule): void;
  /** Works a piece of each run of `ids` (a list as JSON). The first `starts` of them begin; the others go on. `payload` lists their inputs and answers. */
  enter(ids: string, starts: number, limits: string, payload: string): void;
  /**
   * What became of the runs that were entered, in their order: a line with a mark for each (`d` over, `c` waits for calls, `x` not here), then two
   * lines for each. Empty when the batch is spoilt.
   */
  poll(): string;
  drop(id: number): void;
}

/** Locks the realm and gives the functions that the child process calls. */
export function openGuest(prepare: Prepare): Guest {
  let rule: Rule = async () => {
    throw new Error("there is no rule");
  };
  const runs = new Map<number, Run>();
  let knownText = "";
  let known: GuestLimits = nothing;
  let entered: number[] = [];
  let isSpoilt = false;
  const nobody: Pins = {
    get now(): number {
      isSpoilt = true;
      throw new Error("nobody's turn");
    },
    random() {
      isSpoilt = true;
      throw new Error("nobody's turn");
    },
  };
  let current: Pins = nobody;
  lockDown(() => current);

  return {
    use(loaded) {
      rule = loaded;
    },
    enter(ids, starts, limits, payload) {
      if (limits !== knownText) {
        known = JSON.parse(limits) as GuestLimits;
        knownText = limits;
      }
      isSpoilt = false;
      entered = JSON.parse(ids) as number[];
      const given = JSON.parse(payload) as unknown[];
      for (let index = 0; index < entered.length; index += 1) {
        // Three lists of one length.
        const id = entered[index] as number;
        if (index < starts) {
          const run = new Run(known);
          runs.set(id, run);
          current = run;
          begin(run, prepare, rule, given[index]);
        } else {
          const run = runs.get(id);
          if (run === undefined) continue;
          current = run;
          settle(run, given[index] as Answer[]);
        }
      }
      if (entered.length > 1) current = nobody;
    },
    poll() {
      if (isSpoilt) return "";
      let marks = "";
      let text = "";
      for (const id of entered) {
        const run = runs.get(id);
        if (run === undefined) {
          marks += "x";
          text += "\n\n";
          continue;
        }
        text += report(run);
        if (run.outcome === undefined) marks += "c";
        else {
          marks += "d";
          runs.delete(id);
        }
      }
      return marks + text;
    },
    drop(id) {
      runs.delete(id);
    },
  };
}

const none: EncodeLimits = { bytes: 0, depth: 0, keys: 0 };
const nothing: GuestLimits = { result: none, argument: none, calls: 0, callsAtOnce: 0, consoleLines: 0, consoleLineLength: 0 };

type Answer =
  | { readonly id: number; readonly ok: true; readonly value: unknown }
  | { readonly id: number; readonly ok: false; readonly error: { readonly code: string; readonly message: string } };

function begin(run: Run, prepare: Prepare, rule: Rule, input: unknown): void {
  const prepared = prepare(input, run);
  rule(prepared.names).then(
    () => close(run, () => prepared.finish()),
    (thrown: unknown) => fail(run, thrown),
  );
}

function close(run: Run, finish: () => Finish): void {
  if (run.outcome !== undefined) return;
  try {
    const { label, value, wrapping } = finish();
    run.outcome = { state: "done", text: encode(value, label, run.limits.result, wrapping) };
  } catch (thrown) {
    fail(run, thrown);
  }
}

function fail(run: Run, thrown: unknown): void {
  if (run.outcome !== undefined) return;
  if (thrown instanceof EncodeFailure) {
    const code = thrown.fault === "limit" ? "LIMIT_RESULT" : "RESULT_INVALID";
    run.outcome = { state: "failed", kind: thrown.fault === "limit" ? "limit" : "user", code, message: thrown.message, stack: "" };
    return;
  }
  const described: ThrownError = describeThrown(thrown);
  const code = (typeof thrown === "object" && thrown !== null ? run.codes?.get(thrown) : undefined) ?? "RULE_ERROR";
  run.outcome = { state: "failed", kind: "user", code, message: described.message, stack: described.stack };
}

/** Past a limit nothing that the rule catches can save the run. */
function exceed(run: Run, code: string, message: string): never {
  const { stack } = new Error();
  run.outcome ??= { state: "failed", kind: "limit", code, message, stack: stack ?? "" };
  throw new RangeError(message);
}

const mostArguments = 16;

function ask(run: Run, name: string, args: readonly unknown[]): Promise<unknown> {
  // What runs on after the end, in a promise nobody awaited, gets no answer any more.
  if (run.outcome !== undefined) return new Promise(() => {});
  if (run.made >= run.limits.calls) exceed(run, "LIMIT_CALLS", `the rule made more than ${run.limits.calls} helper calls, which is the limit`);
  if (args.length > mostArguments) exceed(run, "LIMIT_ARGUMENT", `${name} was called with more than ${mostArguments} arguments, which is the limit`);
  const encoded: string[] = [];
  for (let index = 0; index < args.length; index += 1) encoded[index] = encodeArgument(run, name, args[index], index);
  run.made += 1;
  const id = run.made;
  const trace: { stack?: string } = {};
  Error.captureStackTrace(trace);
  run.calls ??= new Map();
  const { calls } = run;
  return new Promise((resolve, reject) => {
    calls.set(id, { text: `{"id":${id},"name":${JSON.stringify(name)},"args":[${encoded.join()}]}`, resolve, reject, trace });
    run.waiting.push(id);
  });
}

function encodeArgument(run: Run, name: string, value: unknown, index: number): string {
  try {
    return encode(value, `argument ${index + 1} of ${name}`, run.limits.argument);
  } catch (thrown) {
    if (!(thrown instanceof EncodeFailure)) throw thrown;
    if (thrown.fault === "limit") exceed(run, "LIMIT_ARGUMENT", thrown.message);
    throw new TypeError(thrown.message);
  }
}

function settle(run: Run, answers: readonly Answer[]): void {
  for (const answer of answers) {
    const call = run.calls?.get(answer.id);
    if (call === undefined) continue;
    run.calls?.delete(answer.id);
    run.asked -= 1;
    if (run.outcome !== undefined) continue;
    if (answer.ok) call.resolve(answer.value);
    else call.reject(helperError(run, call, answer.error));
  }
}

function helperError(run: Run, call: Call, answer: { readonly code: string; readonly message: string }): Error {
  const error = new Error(answer.message);
  const frames = call.trace.stack ?? "";
  Object.defineProperty(error, "stack", { value: `Error: ${answer.message}${frames.slice(frames.indexOf("\n"))}`, writable: true, configurable: true });
  Object.defineProperty(error, "code", { value: answer.code, writable: true, configurable: true, enumerable: true });
  run.codes ??= new WeakMap();
  run.codes.set(error, answer.code);
  return error;
}

/** Two lines, each with its line feed in front: the header and what it is about. Neither text holds one itself: both are JSON. */
function report(run: Run): string {
  const { outcome, lines } = run;
  run.lines = undefined;
  if (outcome?.state === "done") return `\n${lines === undefined ? doneQuietly : headerOf({ state: "done" }, lines)}\n${outcome.text}`;
  if (outcome?.state === "failed") return `\n${headerOf(outcome, lines)}\n`;
  let texts = "";
  while (run.waiting.length > 0 && run.asked < run.limits.callsAtOnce) {
    const id = run.waiting.shift();
    const call = id === undefined ? undefined : run.calls?.get(id);
    if (call === undefined) continue;
    run.asked += 1;
    texts += texts === "" ? call.text : `,${call.text}`;
  }
  if (run.asked > 0) return `\n${lines === undefined ? callsQuietly : headerOf({ state: "calls" }, lines)}\n[${texts}]`;
  run.outcome = { state: "failed", kind: "user", code: "STUCK", message: "the rule waits for a promise that nothing can settle", stack: "" };
  return `\n${headerOf(run.outcome, lines)}\n`;
}

const doneQuietly = '{"state":"done","console":[]}';
const callsQuietly = '{"state":"calls","console":[]}';

function headerOf(outcome: object, lines: readonly string[] = []): string {
  return JSON.stringify({ ...outcome, console: lines });
}

function print(run: Run, values: readonly unknown[]): void {
  const { consoleLines, consoleLineLength } = run.limits;
  if (run.printed > consoleLines) return;
  run.printed += 1;
  run.lines ??= [];
  if (run.printed > consoleLines) {
    run.lines.push(`… more than ${consoleLines} lines, which is the limit: the rest is not kept`);
    return;
  }
  let text = "";
  for (let index = 0; index < values.length && text.length <= consoleLineLength; index += 1) {
    text += `${index === 0 ? "" : " "}${show(values[index], consoleLineLength + 1)}`;
  }
  run.lines.push(text.length > consoleLineLength ? `${text.slice(0, consoleLineLength)}… (cut at ${consoleLineLength} characters)` : text);
}
