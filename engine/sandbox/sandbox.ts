import { availableParallelism } from "node:os";
import { Batching } from "./batching.ts";
import { Child, type DeathCause, type SpawnChild } from "./child-process.ts";
import type { Completion, HelperAnswer, HelperCall, Json } from "./completion.ts";
import type { Prelude } from "./guest/modules.ts";
import { spawnChild } from "./hardening.ts";
import { defaultLimits, type Limits, type RunLimits } from "./limits.ts";
import type { FromChild } from "./messages.ts";
import { Quarantine } from "./quarantine.ts";
import { ActiveRun } from "./run.ts";
import { readSteps } from "./steps.ts";
import { WallClock } from "./wall-clock.ts";

export type { Prelude } from "./guest/modules.ts";

/** A rule version ready to run: `code` is what the compiler made of its text, a module whose first line is not the rule's own. */
export interface Program {
  readonly versionId: string;
  /** Shown in stack frames and errors: `support/SN/incoming.ts`. */
  readonly name: string;
  readonly code: string;
  /** Programs of different owners (workspaces) never share a child process. */
  readonly owner?: string;
}

export interface SandboxOptions {
  /** The trusted modules loaded into every isolate before the rule: what gives a rule its names. `startRuleSandbox` of engine/rules gives those of the rule language. */
  readonly prelude: Prelude;
  /** Working child processes at once; a standby child comes on top. */
  readonly children?: number;
  readonly limits?: Partial<Limits>;
  /** Another way to start a child than {@link spawnChild}: an operator's own launcher around it. */
  readonly spawn?: SpawnChild;
}

export interface SandboxStats {
  readonly runs: number;
  readonly failures: number;
  readonly inFlight: number;
  readonly children: number;
  readonly kills: number;
  readonly restarts: number;
  readonly quarantined: number;
}

/** Answers the calls of one run; asked with those that wait, at most eight at once. */
export type Answer = (calls: HelperCall[]) => Promise<HelperAnswer[]>;

/** How often a run is started again because somebody else's run took its child down. */
const mostRestarts = 5;
/** Runs that one child holds at once, waiting ones with them. */
const mostRunsPerChild = 500;

/** The pool of child processes that run rules. Many runs may be in flight; they share frames and, by version, isolates. */
export class Sandbox {
  readonly #limits: Limits;
  readonly #prelude: Prelude;
  readonly #most: number;
  readonly #spawnChild: SpawnChild;
  readonly #children = new Set<Child>();
  #standby: Child | undefined;
  readonly #runs = new Map<number, ActiveRun>();
  readonly #clock = new WallClock<ActiveRun>(this.#runs, (run) => this.#onWallClock(run));
  #waiting: ActiveRun[] = [];
  readonly #quarantine = new Quarantine();
  readonly #batching = new Batching();
  readonly #events = {
    onEnd: (run: ActiveRun, isFine: boolean): void => {
      if (!isFine) this.#counts.failures += 1;
      this.#release(run);
    },
  };
  #closed = false;
  #ids = 0;
  #counts = { runs: 0, failures: 0, kills: 0, restarts: 0 };
  #failedStarts = 0;

  static async start(options: SandboxOptions): Promise<Sandbox> {
    const sandbox = new Sandbox(options);
    sandbox.#standby = sandbox.#spawn();
    const words = await sandbox.#standby.ready;
    if (words !== true) throw new Error(`the sandbox's child process does not start: ${words}`);
    return sandbox;
  }

  private constructor(options: SandboxOptions) {
    this.#limits = { ...defaultLimits, ...options.limits };
    this.#prelude = options.prelude;
    this.#spawnChild = options.spawn ?? spawnChild;
    this.#most = options.children ?? Math.max(1, availableParallelism() - 1);
  }

  /**
   * Runs a program once. Never rejects for what a rule does; it rejects only when `answer` does.
   * `limits` may tighten or widen what the pool allows.
   */
  run(program: Program, input: Json, answer: Answer, limits?: RunLimits): Promise<Completion> {
    this.#counts.runs += 1;
    const own = limits === undefined ? this.#limits : { ...this.#limits, ...limits };
    const { promise, resolve, reject } = Promise.withResolvers<Completion>();
    this.#ids += 1;
    const run = new ActiveRun(this.#ids, program, JSON.stringify(input), answer, own, this.#events, { resolve, reject });
    this.#runs.set(run.id, run);
    if (this.#closed) run.fail({ kind: "crash", code: "CLOSED", message: "the sandbox is closed" });
    else if (this.#quarantine.holds(program.versionId, Date.now())) run.fail({ kind: "limit", code: "QUARANTINED", message: this.#quarantine.words() });
    else if (!run.isTooLarge()) this.#admit(run);
    return promise;
  }

  stats(): SandboxStats {
    return { ...this.#counts, inFlight: this.#runs.size, children: this.#children.size, quarantined: this.#quarantine.count(Date.now()) };
  }

  /** The child processes that have work, for whoever watches them from outside. */
  processIds(): number[] {
    return [...this.#children].flatMap((child) => child.pid ?? []);
  }

  /** Lets a version out of quarantine before its time. */
  release(versionId: string): void {
    this.#quarantine.release(versionId);
  }

  async close(): Promise<void> {
    this.#closed = true;
    const children = [...this.#children, ...(this.#standby === undefined ? [] : [this.#standby])];
    for (const child of children) child.kill("retired");
    for (const run of [...this.#runs.values()]) run.fail({ kind: "crash", code: "CLOSED", message: "the sandbox was closed during the run" });
    this.#waiting = [];
    this.#clock.stop();
    await Promise.all(children.map((child) => child.gone));
  }

  #admit(run: ActiveRun): void {
    this.#clock.mind(run);
    this.#dispatch(run);
  }

  #dispatch(run: ActiveRun): void {
    const child = this.#childFor(run.program);
    if (child === undefined) {
      this.#waiting.push(run);
      return;
    }
    run.begin(child);
  }

  /** The child that has the version already, unless another one has nothing to do; never one of another owner. */
  #childFor(program: Program): Child | undefined {
    const owner = program.owner ?? "";
    let best: Child | undefined;
    for (const child of this.#children) {
      if (!child.alive || child.weary || child.owner !== owner || child.runs.size >= mostRunsPerChild) continue;
      if (best === undefined || this.#rank(child, program) < this.#rank(best, program)) best = child;
    }
    if (best !== undefined && (best.runs.size < 32 || this.#isFull())) return best;
    return this.#newWorker(owner) ?? best;
  }

  #rank(child: Child, program: Program): number {
    return child.runs.size + (child.loaded.has(program.versionId) ? 0 : 32);
  }

  #newWorker(owner: string): Child | undefined {
    if (this.#isFull()) {
      const spare = [...this.#children].find((child) => child.runs.size === 0 && child.owner !== owner);
      if (spare === undefined) return undefined;
      this.#children.delete(spare);
      spare.kill("retired");
    }
    const child = this.#standby?.alive ? this.#standby : this.#spawn();
    child.owner = owner;
    this.#children.add(child);
    this.#standby = this.#spawn();
    return child;
  }

  /** A weary child finishes what it has and takes nothing new: it does not count. */
  #isFull(): boolean {
    let working = 0;
    for (const child of this.#children) if (!child.weary) working += 1;
    return working >= this.#most;
  }

  #spawn(): Child {
    return new Child(this.#limits, this.#prelude, this.#spawnChild, {
      onMessage: (child, message, payload) => this.#onMessage(child, message, payload),
      onDeath: (child, cause, running, words) => this.#onDeath(child, cause, running, words),
      mostTogether: (version) => this.#batching.most(version, performance.now()),
    });
  }

  #onMessage(child: Child, message: FromChild, payload: Buffer): void {
    if (message.type === "ready") {
      this.#failedStarts = 0;
      return;
    }
    if (message.type === "idle") {
      if (child.weary && child.runs.size === 0) this.#retire(child);
      return;
    }
    const ids = message.type === "lost" ? [message.run] : message.runs;
    // A run that has ended here may still be spoken of; one that this child does not hold is a lie.
    const runs = ids.map((id) => this.#runs.get(id));
    if (runs.some((run) => run !== undefined && run.child !== child)) {
      child.kill("lied");
      return;
    }
    if (message.type === "steps") this.#takeSteps(child, message, runs, payload);
    else
      this.#takeWord(
        child,
        message,
        ids.length > 1,
        runs.filter((run) => run !== undefined),
      );
  }

  /** What happened to runs that did not come to their end or to a call. Only of a lone run can one say that it is to blame. */
  #takeWord(child: Child, message: Exclude<FromChild, { type: "ready" | "idle" | "steps" }>, isBatch: boolean, runs: readonly ActiveRun[]): void {
    const [first] = runs;
    if (first === undefined) return;
    if (message.type === "begin") {
      child.allow(first.hungAfterMs());
      return;
    }
    if (message.type === "lost") {
      if (message.unloaded) child.loaded.delete(first.program.versionId);
      this.#restart(first);
      return;
    }
    if (isBatch && !(message.type === "thrown" && message.stage === "load")) {
      this.#part(runs, message.type === "spoilt");
      // Whoever retires starts all its runs again elsewhere.
      if (message.type === "broken" && message.why === "memory") this.#retire(child);
      else for (const run of runs) this.#restart(run);
      return;
    }
    for (const run of runs) {
      if (message.type === "spoilt") {
        child.kill("lied");
        return;
      }
      run.addCpu(message.cpuMs);
      if (message.type === "broken") run.broke(message.why);
      else run.threw(message);
    }
    // What V8 allocated past its limit is not given back for sure.
    if (message.type === "broken" && message.why === "memory") this.#retire(child);
  }

  #takeSteps(child: Child, message: Extract<FromChild, { type: "steps" }>, runs: readonly (ActiveRun | undefined)[], payload: Buffer): void {
    const steps = readSteps(payload, runs.length);
    if (steps === undefined) {
      child.kill("lied");
      return;
    }
    const version = runs.find((run) => run !== undefined)?.program.versionId;
    if (version !== undefined) this.#batching.measured(version, runs.length, message.cpuMs);
    for (const [index, step] of steps.entries()) {
      const run = runs[index];
      // One that ends may take the child with it.
      if (run === undefined || run.child !== child) continue;
      if (run.stepped(message.cpuMs / runs.length, step)) continue;
      child.kill("lied");
      return;
    }
  }

  #onDeath(child: Child, cause: DeathCause, running: readonly number[], words: string): void {
    const known = this.#children.delete(child);
    if (this.#standby === child) this.#standby = undefined;
    if (this.#closed) return;
    if (cause !== "retired" && known) this.#counts.kills += 1;
    if (!known && child.runs.size === 0 && cause !== "retired") {
      this.#failedStarts += 1;
      // Said once, in full: without a child no rule can run.
      if (this.#failedStarts === 3) process.stderr.write(`isobridge: the sandbox's child process does not start: ${words}\n`);
    }
    const culprit = this.#culprit(child, cause, running);
    if (culprit !== undefined && culprit.child === child) {
      this.#quarantine.charge(culprit.program.versionId, Date.now());
      culprit.killed(cause);
    }
    // A batch is no culprit, but one of it may be: alone, each speaks for itself.
    if (culprit === undefined && cause !== "retired") this.#part(this.#heldBy(child, running), false);
    for (const id of [...child.runs]) {
      const run = this.#runs.get(id);
      if (run !== undefined && run !== culprit) this.#restart(run);
    }
    if (this.#standby === undefined && this.#failedStarts < 3) this.#standby = this.#spawn();
    this.#drainWaiting();
  }

  #heldBy(child: Child, ids: readonly number[]): ActiveRun[] {
    return ids.flatMap((id) => this.#runs.get(id) ?? []).filter((run) => run.child === child);
  }

  /** Whose code took the child down. One that lies may name nobody or anybody: then its only run, if it has but one. */
  #culprit(child: Child, cause: DeathCause, running: readonly number[]): ActiveRun | undefined {
    if (cause === "retired") return undefined;
    const [id, another] = cause === "lied" && child.runs.size === 1 ? child.runs : running;
    return id === undefined || another !== undefined ? undefined : this.#runs.get(id);
  }

  /** From now on each of these enters alone. */
  #part(runs: readonly ActiveRun[], forGood: boolean): void {
    const [first] = runs;
    if (first !== undefined) this.#batching.failed(first.program.versionId, performance.now(), forGood);
    for (const run of runs) run.alone = true;
  }

  #restart(run: ActiveRun): void {
    this.#counts.restarts += 1;
    run.detach();
    if (run.restarts >= mostRestarts)
      run.fail({
        kind: "crash",
        code: "CRASHED",
        message: `the process that ran this rule went away ${mostRestarts + 1} times, each time because of something else`,
      });
    else this.#dispatch(run);
  }

  #retire(child: Child): void {
    this.#children.delete(child);
    const runs = [...child.runs];
    child.kill("retired");
    for (const id of runs) {
      const run = this.#runs.get(id);
      if (run !== undefined) this.#restart(run);
    }
    this.#drainWaiting();
  }

  #onWallClock(run: ActiveRun): void {
    const { child } = run;
    run.outOfTime();
    // A batch that hangs is found out by its own clock, which is shorter.
    if (child?.running.length === 1 && child.running[0] === run.id) child.kill("hung");
    else child?.send({ type: "drop", run: run.id });
  }

  #release(run: ActiveRun): void {
    this.#runs.delete(run.id);
    const { child } = run;
    run.detach();
    if (child?.weary && child.runs.size === 0) this.#retire(child);
    this.#drainWaiting();
  }

  #drainWaiting(): void {
    while (this.#waiting.length > 0) {
      const run = this.#waiting[0];
      if (run === undefined || run.ended) {
        this.#waiting.shift();
        continue;
      }
      const child = this.#childFor(run.program);
      if (child === undefined) return;
      this.#waiting.shift();
      run.begin(child);
    }
  }
}
