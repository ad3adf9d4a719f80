import type { Child, DeathCause } from "./child-process.ts";
import type { Completion, HelperAnswer, HelperCall, Json, RuleError, RuleErrorKind } from "./completion.ts";
import { framesOf, harmless } from "./frames-of-rules.ts";
import { parseUntrusted } from "./gate.ts";
import type { Limits } from "./limits.ts";
import type { FromChild } from "./messages.ts";
import type { Answer, Program } from "./sandbox.ts";
import type { StepText } from "./steps.ts";

/** Said once of each run. */
interface RunEvents {
  onEnd(run: ActiveRun, isFine: boolean): void;
}

/** What became of a run; it rejects only with what `answer` rejected with. */
type Settle = Pick<PromiseWithResolvers<Completion>, "resolve" | "reject">;

/** One run in the parent: what it was given, what it asked, what it was answered, and how it ended. */
export class ActiveRun {
  readonly id: number;
  readonly program: Program;
  child: Child | undefined;
  restarts = -1;
  alone = false;
  ended = false;
  /** When it must have ended, on the clock of `performance.now()`. */
  readonly deadline: number;

  readonly #events: RunEvents;
  #input: string;
  readonly #answer: Answer;
  readonly limits: Limits;
  readonly #beganAt: number;
  readonly #console: string[] = [];
  readonly #calls: CallEntry[] = [];
  /** How many calls the present start has made; those already answered in an earlier start are answered from the record. */
  #made = 0;
  #linesSeen = 0;
  #cpuMs = 0;
  #settle: Settle | undefined;

  constructor(id: number, program: Program, input: string, answer: Answer, limits: Limits, events: RunEvents, settle: Settle) {
    this.id = id;
    this.program = program;
    this.#input = input;
    this.#answer = answer;
    this.limits = limits;
    this.#events = events;
    this.#settle = settle;
    this.#beganAt = performance.now();
    this.deadline = this.#beganAt + limits.wallMs;
  }

  /** Ends the run if its text or input is past a limit. */
  isTooLarge(): boolean {
    const { sourceBytes, resultBytes } = this.limits;
    // The compiler wraps the text; the wrap is not the rule's.
    if (isLonger(this.program.code, sourceBytes + 4_096))
      this.fail({ kind: "limit", code: "LIMIT_SOURCE", message: `the rule's text is larger than ${sourceBytes} bytes, which is the limit` });
    else if (isLonger(this.#input, 2 * resultBytes))
      this.fail({ kind: "limit", code: "LIMIT_INPUT", message: `what the rule is given is larger than ${2 * resultBytes} bytes, which is the limit` });
    return this.ended;
  }

  /** Hands the run to a child; again after another run took its child down, when it repeats itself from the record. */
  begin(child: Child): void {
    this.restarts += 1;
    this.child = child;
    this.#made = 0;
    this.#linesSeen = 0;
    child.runs.add(this.id);
    const version = this.program.versionId;
    if (!child.loaded.has(version)) {
      child.loaded.add(version);
      child.send({ type: "load", version }, this.program.code);
    }
    child.work(this, true, this.#input);
  }

  detach(): void {
    this.child?.runs.delete(this.id);
    this.child = undefined;
  }

  get cpuMs(): number {
    return this.limits.cpuMs;
  }

  get guestLimits(): string {
    return guestLimitsOf(this.limits);
  }

  /** Beyond this the child does not keep its own time any more. */
  hungAfterMs(): number {
    return 2 * this.limits.cpuMs + 500;
  }

  addCpu(cpuMs: number): void {
    this.#cpuMs += cpuMs;
  }

  /** Takes what `poll` answered about this run. False when it is not what an honest child says. */
  stepped(cpuMs: number, { mark, header: headerText, body }: StepText): boolean {
    this.#cpuMs += cpuMs;
    // Not there any more, or not yet again: `lost` has been said.
    if (mark === "gone") return true;
    const header = readHeader(mark, headerText);
    if (header === undefined) return false;
    this.#keepConsole(header.console);
    if (header.state === "failed") {
      const kind: RuleErrorKind = header.kind === "limit" ? "limit" : "user";
      this.fail({ kind, code: header.code, message: header.message, ...framesOf(header.stack, this.program.name, this.program.code) });
      return true;
    }
    if (header.state === "done") {
      const { resultBytes, resultDepth, resultKeys } = this.limits;
      const gated = parseUntrusted(body, "the result", { bytes: resultBytes, depth: resultDepth + 1, keys: resultKeys });
      if (!gated.ok && gated.code === "PROTOCOL") return false;
      if (gated.ok) this.#end({ ok: true, value: gated.value, ...this.#record() });
      else this.fail({ kind: "limit", code: gated.code, message: gated.message });
      return true;
    }
    const calls = this.#readCalls(body);
    if (calls === undefined) return false;
    void this.#ask(calls);
    return true;
  }

  threw(message: Extract<FromChild, { type: "thrown" }>): void {
    const code = message.stage === "load" ? "SYNTAX" : "RULE_ERROR";
    this.fail({ kind: "user", code, message: message.message, ...framesOf(message.stack, this.program.name, this.program.code) });
  }

  broke(why: "cpu" | "memory"): void {
    if (why === "cpu")
      this.fail({ kind: "timeout", code: "LIMIT_CPU", message: `the rule computed for more than ${this.limits.cpuMs} ms, which is the limit` });
    else
      this.fail({
        kind: "memory",
        code: "LIMIT_MEMORY",
        message: `the rule needed more than ${this.limits.isolateMegabytes} MB of memory, which is the limit`,
      });
  }

  outOfTime(): void {
    const { wallMs } = this.limits;
    this.fail({ kind: "timeout", code: "LIMIT_WALL", message: `the rule had not ended after ${wallMs} ms, waiting included, which is the limit` });
  }

  /** This run's code was in the child when it died. */
  killed(cause: DeathCause): void {
    const { cpuMs, childMegabytes } = this.limits;
    if (cause === "hung")
      this.fail({
        kind: "timeout",
        code: "LIMIT_CPU",
        message: `the rule computed for more than ${cpuMs} ms, which is the limit, and its process had to be killed`,
      });
    else if (cause === "memory")
      this.fail({ kind: "memory", code: "LIMIT_MEMORY", message: `the rule's process needed more than ${childMegabytes} MB of memory, which is the limit` });
    else this.fail({ kind: "crash", code: "CRASHED", message: "the process that ran this rule died" });
  }

  fail(error: Pick<RuleError, "kind" | "code" | "message"> & Partial<RuleError>): void {
    this.#end({ ok: false, error: { frames: [], ...error, code: error.code.slice(0, 100), message: harmless(error.message) }, ...this.#record() });
  }

  #end(completion: Completion): void {
    if (this.ended) return;
    const settle = this.#close(completion.ok);
    settle?.resolve(completion);
  }

  /**
   * Lets go of all that is large. What is over may lie about in the old generation for long, and V8's small collections take what hangs on it for alive.
   */
  #close(isFine: boolean): Settle | undefined {
    this.ended = true;
    this.#events.onEnd(this, isFine);
    const settle = this.#settle;
    this.#settle = undefined;
    this.#input = "";
    return settle;
  }

  #record(): { console: string[]; cpuMs: number; wallMs: number; calls: { call: HelperCall; answer: HelperAnswer }[] } {
    const calls = this.#calls.length === 0 ? [] : this.#calls.flatMap(({ call, answer }) => (answer === undefined ? [] : [{ call, answer }]));
    return { console: this.#console, cpuMs: this.#cpuMs, wallMs: performance.now() - this.#beganAt, calls };
  }

  /** After a restart the same lines come again; only those beyond the ones we have are new. */
  #keepConsole(lines: readonly string[]): void {
    for (const line of lines) {
      this.#linesSeen += 1;
      if (this.#linesSeen > this.#console.length && this.#console.length <= this.limits.consoleLines)
        this.#console.push(harmless(line.slice(0, this.limits.consoleLineLength + 100)));
    }
  }

  #readCalls(body: string): HelperCall[] | undefined {
    const { argumentBytes, callsAtOnce, resultDepth, resultKeys } = this.limits;
    const gated = parseUntrusted(body, "calls", { bytes: 12 * 1024 * 1024 + argumentBytes, depth: resultDepth + 4, keys: 4 * resultKeys });
    if (!gated.ok || !Array.isArray(gated.value) || gated.value.length === 0 || gated.value.length > callsAtOnce) return undefined;
    const calls: HelperCall[] = [];
    for (const each of gated.value as readonly Json[]) {
      const { id, name, args } = each as { id?: unknown; name?: unknown; args?: unknown };
      this.#made += 1;
      if (id !== this.#made || typeof name !== "string" || !Array.isArray(args) || this.#made > this.limits.calls) return undefined;
      calls.push({ id, name, args: args as Json[] });
    }
    return calls;
  }

  async #ask(calls: HelperCall[]): Promise<void> {
    const { child, restarts } = this;
    const fresh = calls.filter((call) => !this.#isKnown(call));
    if (fresh.length > 0) {
      const answering = this.#answer(fresh);
      for (const call of fresh) this.#calls[call.id - 1] = this.#entry(call, answering);
    }
    let answers: string[];
    try {
      const pending = calls.map((call) => this.#calls[call.id - 1]?.pending ?? Promise.reject(new Error("a call was lost")));
      // Most rules ask for one thing at a time.
      answers = pending.length === 1 && pending[0] !== undefined ? [await pending[0]] : await Promise.all(pending);
    } catch (error) {
      if (this.ended) return;
      child?.send({ type: "drop", run: this.id });
      this.#close(false)?.reject(error);
      return;
    }
    // Meanwhile the run may have ended, or have been started again elsewhere, where it asks anew and is answered from the record.
    if (this.ended || this.child !== child || this.restarts !== restarts || child === undefined || !child.alive) return;
    child.work(this, false, `[${answers.join()}]`);
  }

  /** Whether an earlier start of this run made the very same call: then nobody is asked twice, not even while the first answer is still on its way. */
  #isKnown(call: HelperCall): boolean {
    const known = this.#calls[call.id - 1];
    return known !== undefined && keyOf(known.call) === keyOf(call);
  }

  #entry(call: HelperCall, answering: Promise<HelperAnswer[]>): CallEntry {
    const entry: CallEntry = {
      call,
      answer: undefined,
      pending: answering.then((answers) => {
        const answer = answers.find((each) => each.id === call.id);
        if (answer === undefined) throw new Error(`call ${call.id} (${call.name}) was not answered`);
        const text = JSON.stringify(answer);
        entry.answer = text.length <= this.limits.resultBytes ? answer : this.#tooLong(call);
        return entry.answer === answer ? text : JSON.stringify(entry.answer);
      }),
    };
    // Awaited in `#ask`; a run that ended meanwhile does not care.
    entry.pending.catch(() => {});
    return entry;
  }

  #tooLong(call: HelperCall): HelperAnswer {
    return {
      id: call.id,
      ok: false,
      error: { code: "LIMIT_ANSWER", message: `the answer of ${call.name} is larger than ${this.limits.resultBytes} bytes, which is the limit: ask for less` },
    };
  }
}

const guestLimitsTexts = new WeakMap<Limits, string>();

/** The part of the limits that the isolate keeps, as text. Most runs have the pool's own limits, so the text is made once. */
function guestLimitsOf(limits: Limits): string {
  const known = guestLimitsTexts.get(limits);
  if (known !== undefined) return known;
  const { resultBytes, resultDepth, resultKeys, argumentBytes, calls, callsAtOnce, consoleLines, consoleLineLength } = limits;
  const text = JSON.stringify({
    result: { bytes: resultBytes, depth: resultDepth, keys: resultKeys },
    argument: { bytes: argumentBytes, depth: resultDepth, keys: resultKeys },
    calls,
    callsAtOnce,
    consoleLines,
    consoleLineLength,
  });
  guestLimitsTexts.set(limits, text);
  return text;
}

/** Three bytes are the most that a UTF-16 unit takes: only a text near the limit is measured. */
function isLonger(text: string, bytes: number): boolean {
  return text.length * 3 > bytes && Buffer.byteLength(text) > bytes;
}

interface CallEntry {
  readonly call: HelperCall;
  /** The answer as the isolate gets it. */
  readonly pending: Promise<string>;
  answer: HelperAnswer | undefined;
}

function keyOf(call: HelperCall): string {
  return JSON.stringify([call.name, call.args]);
}

interface Header {
  readonly state: "done" | "calls" | "failed";
  readonly console: readonly string[];
  readonly kind: string;
  readonly code: string;
  readonly message: string;
  readonly stack: string;
}

const quietly: Readonly<Record<"done" | "calls", Header>> = {
  done: { state: "done", console: [], kind: "", code: "", message: "", stack: "" },
  calls: { state: "calls", console: [], kind: "", code: "", message: "", stack: "" },
};

function readHeader(mark: "done" | "calls", text: string): Header | undefined {
  // What nearly every run says.
  if (text === "") return quietly[mark];
  try {
    const { state, console, kind = "", code = "", message = "", stack = "" } = JSON.parse(text) as Record<string, unknown>;
    if (state !== "done" && state !== "calls" && state !== "failed") return undefined;
    if ((state === "calls") !== (mark === "calls")) return undefined;
    if (!Array.isArray(console) || !console.every((line) => typeof line === "string")) return undefined;
    if (typeof kind !== "string" || typeof code !== "string" || typeof message !== "string" || typeof stack !== "string") return undefined;
    return { state, console, kind, code, message, stack };
  } catch {
    return undefined;
  }
}
