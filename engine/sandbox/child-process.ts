import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { largestBatchBytes } from "./batching.ts";
import { FrameReader, FrameWriter } from "./frames.ts";
import { guestModules, type Prelude } from "./guest/modules.ts";
import type { Limits } from "./limits.ts";
import { type FromChild, readFromChild, type ToChild } from "./messages.ts";

export type DeathCause = "memory" | "hung" | "crash" | "lied" | "retired";

/** Starts a process that speaks our frames on its standard input and output. */
export type SpawnChild = (limits: Limits) => ChildProcessWithoutNullStreams;

/** What the pool hears of a child. */
export interface ChildEvents {
  onMessage(child: Child, message: FromChild, payload: Buffer): void;
  /** Said once. `running` are the runs whose code it was in, if any. */
  onDeath(child: Child, cause: DeathCause, running: readonly number[], words: string): void;
  /** How many runs of a version may enter together. */
  mostTogether(version: string): number;
}

/** A run as its child sees it. */
export interface Worked {
  readonly id: number;
  readonly program: { readonly versionId: string };
  /** Counts its starts; what was meant for an earlier one is not sent any more. */
  readonly restarts: number;
  readonly ended: boolean;
  /** Nobody else may enter with it. */
  readonly alone: boolean;
  readonly cpuMs: number;
  /** Those of the pool are one object for nearly all runs. */
  readonly limits: object;
  readonly guestLimits: string;
}

/** A piece of work for a run that waits to be sent. */
interface Step {
  readonly run: Worked;
  readonly restarts: number;
  readonly isStart: boolean;
  readonly payload: string;
}

/** One child process as its parent sees it: frames in and out, and the clock that kills it. */
export class Child {
  /** Programs that it has been given. */
  readonly loaded = new Set<string>();
  /** Runs that it holds, waiting or not. */
  readonly runs = new Set<number>();
  owner: string | undefined;
  weary = false;
  alive = true;
  /** True, or what the child said when it failed to start. */
  readonly ready: Promise<true | string>;

  readonly #process: ChildProcessWithoutNullStreams;
  readonly #events: ChildEvents;
  readonly #reader = new FrameReader();
  readonly gone: Promise<void>;
  #settleGone: () => void = () => {};
  #settleReady: (outcome: true | string) => void = () => {};
  readonly #out = new FrameWriter();
  #steps: Step[] = [];
  #running: readonly number[] = [];
  #beganAt = 0;
  #budgetMs = 0;
  #errorText = "";
  #cause: DeathCause | undefined;
  readonly #watch: NodeJS.Timeout;
  readonly #tidying: NodeJS.Timeout;

  constructor(limits: Limits, prelude: Prelude, spawn: SpawnChild, events: ChildEvents) {
    this.#events = events;
    this.ready = new Promise((resolve) => {
      this.#settleReady = resolve;
    });
    this.gone = new Promise((resolve) => {
      this.#settleGone = resolve;
    });
    this.#process = spawn(limits);
    this.#process.stdout.on("data", (chunk: Buffer) => this.#read(chunk));
    this.#process.stderr.on("data", (chunk: Buffer) => {
      this.#errorText = (this.#errorText + chunk.toString("utf8")).slice(-4_000);
    });
    // Writing to a child that has just died fails; its end is told by `close`.
    this.#process.stdin.on("error", () => {});
    this.#process.on("error", (error) => {
      this.#errorText += error.message;
      this.#die();
    });
    this.#process.on("close", () => this.#die());
    this.#watch = setInterval(() => this.#look(), 100);
    this.#watch.unref();
    this.#tidying = setInterval(() => this.send({ type: "tidy" }), 30_000);
    this.#tidying.unref();
    this.send({ type: "prepare", ...guestModules(prelude), isolateMegabytes: limits.isolateMegabytes, isolates: 24, runsPerIsolate: 10_000 });
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** Frames of one turn leave in one write. */
  send(message: ToChild, payload = ""): void {
    this.#wake();
    this.#out.open(message);
    this.#out.add(payload);
    this.#out.close();
  }

  /** Has a piece of a run worked: from its input, or on with its answers. What is asked in one turn goes together, and nothing waits for more. */
  work(run: Worked, isStart: boolean, payload: string): void {
    this.#wake();
    this.#steps.push({ run, restarts: run.restarts, isStart, payload });
  }

  #wake(): void {
    if (this.#out.isEmpty && this.#steps.length === 0) setImmediate(() => this.#flush());
  }

  /** How long a piece of rule code may last before the child counts as hung. */
  allow(budgetMs: number): void {
    this.#budgetMs = budgetMs;
  }

  /** The runs whose code it is in right now, as far as we know. */
  get running(): readonly number[] {
    return this.#running;
  }

  kill(cause: DeathCause): void {
    this.#cause ??= cause;
    this.#process.kill("SIGKILL");
  }

  #flush(): void {
    const steps = this.#steps;
    this.#steps = [];
    for (const batch of this.#batches(steps)) writeBatch(this.#out, batch);
    if (this.#out.isEmpty) return;
    const bytes = this.#out.take();
    if (this.alive) this.#process.stdin.write(bytes, () => this.#out.recycle(bytes));
  }

  /** Gathers steps of the same version, in the order in which its first came. */
  #batches(steps: readonly Step[]): Step[][] {
    const batches: Step[][] = [];
    const open = new Map<string, { readonly batch: Step[]; readonly most: number; bytes: number }>();
    for (const step of steps) {
      const { run } = step;
      if (run.ended || run.restarts !== step.restarts) continue;
      const { versionId } = run.program;
      if (run.alone) {
        batches.push([step]);
        continue;
      }
      const found = open.get(versionId);
      const [first] = found?.batch ?? [];
      if (found !== undefined && first !== undefined) {
        const fits = found.batch.length < found.most && found.bytes + step.payload.length <= largestBatchBytes;
        if (fits && haveLikeLimits(first.run, run)) {
          found.batch.push(step);
          found.bytes += step.payload.length;
          continue;
        }
      }
      const batch = [step];
      batches.push(batch);
      open.set(versionId, { batch, most: this.#events.mostTogether(versionId), bytes: step.payload.length });
    }
    return batches;
  }

  #read(chunk: Buffer): void {
    if (!this.alive || this.#cause === "lied") return;
    const fine = this.#reader.pushBytes(chunk, (header, payload) => {
      // Nothing that follows a lie counts, not even in the same bytes.
      if (this.#cause === "lied") return;
      const message = readFromChild(header);
      if (message === undefined) return this.kill("lied");
      this.#follow(message);
      this.#events.onMessage(this, message, payload);
    });
    if (!fine) this.kill("lied");
  }

  #follow(message: FromChild): void {
    if (message.type === "begin") {
      this.#running = message.runs;
      this.#beganAt = performance.now();
    } else if (message.type === "idle") {
      this.#running = [];
      this.weary = message.weary;
    } else if (message.type === "ready") {
      this.#settleReady(true);
    } else if (message.type !== "lost" && message.type !== "broken" && this.#running[0] === message.runs[0]) {
      // After `broken` the isolate is still to be taken down, which may hang as well: on the same account.
      this.#running = [];
    }
  }

  #look(): void {
    const suspect = this.#running;
    const beganAt = this.#beganAt;
    if (suspect.length === 0 || performance.now() - beganAt < this.#budgetMs) return;
    // We may be the late one: what the child wrote meanwhile is read before this runs.
    setImmediate(() => {
      if (this.#running === suspect && this.#beganAt === beganAt) this.kill("hung");
    });
  }

  #die(): void {
    if (!this.alive) return;
    this.alive = false;
    clearInterval(this.#watch);
    clearInterval(this.#tidying);
    this.#settleGone();
    this.#settleReady(this.#errorText);
    const cause = this.#cause ?? (/memory|bad_alloc|invalid (array|string|size)/i.test(this.#errorText) ? "memory" : "crash");
    this.#events.onDeath(this, cause, this.#running, this.#errorText);
  }
}

function haveLikeLimits(one: Worked, other: Worked): boolean {
  return one.limits === other.limits || (one.cpuMs === other.cpuMs && one.guestLimits === other.guestLimits);
}

/** Those that begin stand first. */
function writeBatch(out: FrameWriter, batch: readonly Step[]): void {
  // A batch has at least one step.
  const { run } = batch[0] as Step;
  const starts = batch.filter((step) => step.isStart);
  const sorted = starts.length === batch.length ? batch : [...starts, ...batch.filter((step) => !step.isStart)];
  const message: ToChild = {
    type: "work",
    version: run.program.versionId,
    runs: sorted.map((step) => step.run.id),
    starts: starts.length,
    cpuMs: run.cpuMs,
    limits: run.guestLimits,
  };
  out.open(message);
  for (const [index, step] of sorted.entries()) {
    if (index > 0) out.addLineFeed();
    out.add(step.payload);
  }
  out.close();
}
