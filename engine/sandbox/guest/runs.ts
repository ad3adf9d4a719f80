/**
 * The runs inside one isolate. The child process calls `enter` with text and asks `poll` for text: no object, function or promise of the host
 * ever comes in here.
 *
 * One entry takes many runs. Each begins in a microtask of its own behind what the one before it left to be done, so that a rule that never waits is over, its result
 * made and its objects gone before the next input is even parsed: begun all at once, 64 of them would outlive a young generation of half a megabyte.
 *
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
  /** Makes an error with a code, to be thrown: if nobody catches it, the run fails with this code, at the call in the rule. */
  refusal(code: string, message: string): Error;
  /** Sets what the clock says and where the dice start. */
  pin(now: number, seed: string): void;
  readonly console: Readonly<Record<"log" | "info" | "warn" | "error" | "debug", (...values: unknown[]) => void>>;
}

/** A prelude's one function. */
export type Prepare = (input: unknown, host: RunHost) => Prepared;

/** The names that the rule finds, and the result when it has come to its end. */
export interface Prepared {
  readonly names: object;
  finish(): Finish;
}

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
  printed = 0;
  talk: Talk | undefined;
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
    close(this, { finish: () => ({ label: "the result", value: result, wrapping: 1 }) });
    // New each time: a rule may catch it, and must find nothing on it that it left there in an earlier run.
    throw new Error("the rule has ended here");
  }

  refusal(code: string, message: string): Error {
    const error = new Error(message);
    Object.defineProperty(error, "code", { value: code, writable: true, configurable: true, enumerable: true });
    this.talk ??= new Talk();
    this.talk.codes.set(error, code);
    return error;
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

/** What a run and the host say to each other. */
class Talk {
  readonly calls = new Map<number, Call>();
  /** Numbers of calls that the host does not know of yet. */
  readonly waiting: number[] = [];
  /** Codes of helper failures, by the error that the rule got: a rule cannot forge them. */
  readonly codes = new WeakMap<object, string>();
  made = 0;
  asked = 0;
}

export interface Guest {
  /** Gives the rule, which must be loaded after the realm is locked. */
  use(rule: Rule): void;
  /**
   * Works a piece of each run of `ids` (a list as JSON). The first `starts` of them begin; the others go on. `payload` has a line of JSON for each: its input,
   * or the list of its answers.
   */
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
  /** Those that wait for answers. The others live as long as their entry only. */
  const waiting = new Map<number, Run>();
  let knownText = "";
  let known: GuestLimits = nothing;
  let ids: readonly number[] = [];
  let entered: (Run | undefined)[] = [];
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
  const soon = Promise.resolve();

  return {
    use(loaded) {
      rule = loaded;
    },
    enter(idsText, starts, limits, payload) {
      if (limits !== knownText) {
        known = JSON.parse(limits) as GuestLimits;
        knownText = limits;
      }
      isSpoilt = false;
      ids = JSON.parse(idsText) as number[];
      entered = [];
      const those = entered;
      const most = ids.length;
      let index = 0;
      let at = 0;
      const next = (): void => {
        // Left over from an entry that was broken off.
        if (those !== entered) return;
        const end = payload.indexOf("\n", at);
        const line = payload.slice(at, end === -1 ? undefined : end);
        at = end + 1;
        const isStart = index < starts;
        const run = isStart ? new Run(known) : waiting.get(ids[index] ?? 0);
        those[index] = run;
        index += 1;
        if (run !== undefined) {
          current = run;
          if (isStart) begin(run, prepare, rule, line);
          else settle(run, JSON.parse(line) as Answer[]);
          if (most > 1) current = nobody;
        }
        if (index < most) void soon.then(next);
      };
      next();
    },
    poll() {
      // Nobody may be forgotten: should one not have begun, all are entered alone.
      if (isSpoilt || entered.length < ids.length) return "";
      let marks = "";
      let text = "";
      for (let index = 0; index < ids.length; index += 1) {
        const run = entered[index];
        // Two lists of one length.
        const id = ids[index] as number;
        if (run === undefined) {
          marks += "x";
          text += "\n\n";
          continue;
        }
        text += report(run);
        if (run.outcome === undefined) {
          marks += "c";
          waiting.set(id, run);
        } else {
          marks += "d";
          waiting.delete(id);
        }
      }
      entered = [];
      return marks + text;
    },
    drop(id) {
      waiting.delete(id);
    },
  };
}

const none: EncodeLimits = { bytes: 0, depth: 0, keys: 0 };
const nothing: GuestLimits = { result: none, argument: none, calls: 0, callsAtOnce: 0, consoleLines: 0, consoleLineLength: 0 };

type Answer =
  | { readonly id: number; readonly ok: true; readonly value: unknown }
  | { readonly id: number; readonly ok: false; readonly error: { readonly code: string; readonly message: string } };

function begin(run: Run, prepare: Prepare, rule: Rule, input: string): void {
  const prepared = prepare(JSON.parse(input), run);
  rule(prepared.names).then(
    () => close(run, prepared),
    (thrown: unknown) => fail(run, thrown),
  );
}

function close(run: Run, prepared: Pick<Prepared, "finish">): void {
  if (run.outcome !== undefined) return;
  try {
    const { label, value, wrapping } = prepared.finish();
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
  const code = (typeof thrown === "object" && thrown !== null ? run.talk?.codes.get(thrown) : undefined) ?? "RULE_ERROR";
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
  run.talk ??= new Talk();
  const { talk } = run;
  if (talk.made >= run.limits.calls) exceed(run, "LIMIT_CALLS", `the rule made more than ${run.limits.calls} helper calls, which is the limit`);
  if (args.length > mostArguments) exceed(run, "LIMIT_ARGUMENT", `${name} was called with more than ${mostArguments} arguments, which is the limit`);
  const encoded: string[] = [];
  for (let index = 0; index < args.length; index += 1) encoded[index] = encodeArgument(run, name, args[index], index);
  talk.made += 1;
  const id = talk.made;
  const trace: { stack?: string } = {};
  Error.captureStackTrace(trace);
  return new Promise((resolve, reject) => {
    talk.calls.set(id, { text: `{"id":${id},"name":${JSON.stringify(name)},"args":[${encoded.join()}]}`, resolve, reject, trace });
    talk.waiting.push(id);
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
  const { talk } = run;
  if (talk === undefined) return;
  for (const answer of answers) {
    const call = talk.calls.get(answer.id);
    if (call === undefined) continue;
    talk.calls.delete(answer.id);
    talk.asked -= 1;
    if (run.outcome !== undefined) continue;
    if (answer.ok) call.resolve(answer.value);
    else call.reject(helperError(talk, call, answer.error));
  }
}

function helperError(talk: Talk, call: Call, answer: { readonly code: string; readonly message: string }): Error {
  const error = new Error(answer.message);
  const frames = call.trace.stack ?? "";
  Object.defineProperty(error, "stack", { value: `Error: ${answer.message}${frames.slice(frames.indexOf("\n"))}`, writable: true, configurable: true });
  Object.defineProperty(error, "code", { value: answer.code, writable: true, configurable: true, enumerable: true });
  talk.codes.set(error, answer.code);
  return error;
}

/**
 * Two lines, each with its line feed in front: the header and what it is about. Neither text holds one itself: both are JSON. The header is left out when it
 * would say no more than the mark.
 */
function report(run: Run): string {
  const { outcome, lines, talk } = run;
  run.lines = undefined;
  if (outcome?.state === "done") return `\n${lines === undefined ? "" : headerOf({ state: "done" }, lines)}\n${outcome.text}`;
  if (outcome?.state === "failed") return `\n${headerOf(outcome, lines)}\n`;
  let texts = "";
  while (talk !== undefined && talk.waiting.length > 0 && talk.asked < run.limits.callsAtOnce) {
    const id = talk.waiting.shift();
    const call = id === undefined ? undefined : talk.calls.get(id);
    if (call === undefined) continue;
    talk.asked += 1;
    texts += texts === "" ? call.text : `,${call.text}`;
  }
  if (talk !== undefined && talk.asked > 0) return `\n${lines === undefined ? "" : headerOf({ state: "calls" }, lines)}\n[${texts}]`;
  run.outcome = { state: "failed", kind: "user", code: "STUCK", message: "the rule waits for a promise that nothing can settle", stack: "" };
  return `\n${headerOf(run.outcome, lines)}\n`;
}

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
