import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { encodeFrame, FrameReader } from "../sandbox/frames.ts";
import { residentMegabytes } from "./process-memory.ts";

/** One thing that is wrong with a rule's text. Positions are counted from 1, in UTF-16 code units as editors do. */
export interface Diagnostic {
  /** `TS2551` for the type checker's own, otherwise `LIMIT_SOURCE`, `LIMIT_COMPILE`, `IMPORT`, `REFERENCE`, `SYNTAX`. */
  readonly code: string;
  readonly message: string;
  readonly line: number;
  readonly column: number;
  readonly endLine: number;
  readonly endColumn: number;
  /** What the checker believes was meant. */
  readonly suggestion?: string;
  /** `lib/status` when the position is in a shared library; its name also stands in front of the message. */
  readonly file?: string;
}

export interface RuleSource {
  readonly name: string;
  readonly source: string;
  /** From `ruleDeclarations`. */
  readonly declarations: string;
  /** The node's shared libraries by the name behind `lib/`. Those that the rule imports, and those that these import, become part of its program. */
  readonly libraries?: Readonly<Record<string, string>>;
}

/**
 * `code` is what {@link ../sandbox/sandbox.ts} runs: its first line is ours, the others are those of the editor. `libraries` names those whose text is part
 * of it, imported by the rule or by one that it imports; each behind those that it uses itself.
 */
export type Compilation =
  | { readonly ok: true; readonly code: string; readonly libraries: readonly string[] }
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

export interface CompilerOptions {
  /** How long one text may keep the checker busy, in milliseconds: small hostile texts keep it busy for 15 s and more [M]. */
  readonly timeMs?: number;
  /** How much memory the checker may hold, in megabytes, where the system tells (Linux). */
  readonly megabytes?: number;
}

interface Job {
  readonly input: RuleSource;
  readonly settle: (compilation: Compilation) => void;
}

/** What may stand behind `lib/`. */
export const libraryName = /^[\w-]{1,100}$/;

/** Largest text of a rule, in bytes. */
export const sourceBytes = 256 * 1024;

/** Checks rules and strips their types, one after the other, in a child process that is killed and replaced when a text takes too long. */
export class RuleCompiler {
  readonly #timeMs: number;
  readonly #megabytes: number;
  #child: Checker | undefined;
  #queue: Job[] = [];
  #busy: Job | undefined;
  #clock: NodeJS.Timeout | undefined;
  #watch: NodeJS.Timeout | undefined;
  #closed = false;

  static async start(options: CompilerOptions = {}): Promise<RuleCompiler> {
    const compiler = new RuleCompiler(options.timeMs ?? 5_000, options.megabytes ?? 1_500);
    compiler.#child = compiler.#spawn();
    const words = await compiler.#child.ready;
    if (words !== true) throw new Error(`the rule checker does not start: ${words}`);
    return compiler;
  }

  private constructor(timeMs: number, megabytes: number) {
    this.#timeMs = timeMs;
    this.#megabytes = megabytes;
  }

  compile(input: RuleSource): Promise<Compilation> {
    const bytes = Buffer.byteLength(input.source);
    const { libraries = {} } = input;
    for (const [name, text] of Object.entries(libraries)) {
      if (!libraryName.test(name)) return Promise.resolve(refusal("IMPORT", `a library cannot be called "${name}": letters, digits, - and _ make a name`));
      if (Buffer.byteLength(text) > sourceBytes) {
        return Promise.resolve(refusal("LIMIT_SOURCE", `lib/${name} is ${Buffer.byteLength(text)} bytes long; ${sourceBytes} bytes is the limit`));
      }
    }
    if (bytes > sourceBytes) {
      return Promise.resolve(refusal("LIMIT_SOURCE", `the rule's text is ${bytes} bytes long; ${sourceBytes} bytes is the limit`));
    }
    if (this.#closed) return Promise.resolve(refusal("CLOSED", "the rule checker is closed"));
    return new Promise((settle) => {
      this.#queue.push({ input, settle });
      this.#next();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#stopClocks();
    for (const job of [this.#busy, ...this.#queue]) job?.settle(refusal("CLOSED", "the rule checker was closed"));
    this.#queue = [];
    await this.#child?.kill();
  }

  #next(): void {
    if (this.#busy !== undefined || this.#closed) return;
    const job = this.#queue.shift();
    if (job === undefined) return;
    this.#busy = job;
    this.#child ??= this.#spawn();
    const child = this.#child;
    void child.ready.then((ready) => {
      if (this.#busy !== job) return;
      if (ready !== true) return this.#finish(refusal("INTERNAL", "the rule checker does not start"));
      this.#clock = setTimeout(() => this.#give(child, `checking this text took longer than ${this.#timeMs} ms, which is the limit`), this.#timeMs);
      this.#watch = setInterval(() => {
        if (child.megabytes() > this.#megabytes) this.#give(child, `checking this text needed more than ${this.#megabytes} MB of memory, which is the limit`);
      }, 200);
      child.send(job.input);
    });
  }

  #stopClocks(): void {
    clearTimeout(this.#clock);
    clearInterval(this.#watch);
  }

  /** Kills the child; the text it was busy with gets the blame. */
  #give(child: Checker, message: string): void {
    if (this.#child === child) this.#child = undefined;
    void child.kill();
    this.#finish(refusal("LIMIT_COMPILE", message));
  }

  #finish(compilation: Compilation): void {
    this.#stopClocks();
    const job = this.#busy;
    this.#busy = undefined;
    job?.settle(compilation);
    this.#next();
  }

  #spawn(): Checker {
    const child: Checker = new Checker(
      (text) => {
        const answer = readAnswer(text);
        if (answer === undefined) return this.#give(child, "the checker gave no usable answer for this text");
        // After an error of its own the blanker may be broken for good.
        if (answer.broken) {
          if (this.#child === child) this.#child = undefined;
          void child.kill();
        }
        this.#finish(answer.compilation);
      },
      () => {
        if (this.#child !== child) return;
        this.#child = undefined;
        if (this.#busy !== undefined) this.#finish(refusal("LIMIT_COMPILE", "the checker's process died over this text"));
      },
    );
    return child;
  }
}

function refusal(code: string, message: string): Compilation {
  return { ok: false, diagnostics: [{ code, message, line: 1, column: 1, endLine: 1, endColumn: 1 }] };
}

const position = z.number().int().positive();
const answerSchema = z.object({
  broken: z.boolean(),
  compilation: z.discriminatedUnion("ok", [
    z.object({ ok: z.literal(true), code: z.string(), libraries: z.array(z.string()) }),
    z.object({
      ok: z.literal(false),
      diagnostics: z.array(
        z.object({
          code: z.string(),
          message: z.string(),
          line: position,
          column: position,
          endLine: position,
          endColumn: position,
          suggestion: z.string().optional(),
          file: z.string().optional(),
        }),
      ),
    }),
  ]),
});

function readAnswer(text: string): { broken: boolean; compilation: Compilation } | undefined {
  try {
    // Zod writes optional members as `| undefined`, which means the same here.
    return answerSchema.parse(JSON.parse(text)) as { broken: boolean; compilation: Compilation };
  } catch {
    return undefined;
  }
}

/** The child process with the checker in it; the native compiler is a child of its own, so they are killed as one group. */
class Checker {
  readonly ready: Promise<true | string>;
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #gone: Promise<void>;

  constructor(onAnswer: (text: string) => void, onDeath: () => void) {
    const reader = new FrameReader();
    let errors = "";
    const env = Object.assign(Object.create(null), { TZ: "UTC", LANG: "C", GOMEMLIMIT: "512MiB", GOMAXPROCS: "2" });
    const flags = ["--no-warnings", "--max-old-space-size=512", fileURLToPath(new URL("./checker-process.ts", import.meta.url))];
    this.#process = spawn(
      process.execPath,
      flags,
      Object.assign(Object.create(null), { env, stdio: ["pipe", "pipe", "pipe"], detached: process.platform !== "win32" }),
    );
    let settle: (outcome: true | string) => void = () => {};
    this.ready = new Promise((resolve) => {
      settle = resolve;
    });
    this.#process.stdin.on("error", () => {});
    this.#process.stderr.on("data", (chunk: Buffer) => {
      errors = (errors + chunk.toString("utf8")).slice(-4_000);
    });
    this.#process.stdout.on("data", (chunk: Buffer) => {
      const fine = reader.push(chunk, (header, payload) => {
        if (header === '{"type":"ready"}') settle(true);
        else onAnswer(payload);
      });
      if (!fine) void this.kill();
    });
    this.#gone = new Promise((resolve) => {
      const end = (): void => {
        settle(errors);
        onDeath();
        resolve();
      };
      this.#process.on("error", end);
      this.#process.on("close", end);
    });
  }

  send(input: RuleSource): void {
    this.#process.stdin.write(
      encodeFrame({ type: "compile" }, JSON.stringify({ source: input.source, declarations: input.declarations, libraries: input.libraries })),
    );
  }

  megabytes(): number {
    const { pid } = this.#process;
    return pid === undefined ? 0 : (residentMegabytes(pid) ?? 0);
  }

  async kill(): Promise<void> {
    const { pid } = this.#process;
    try {
      if (pid !== undefined && process.platform !== "win32") process.kill(-pid, "SIGKILL");
      else this.#process.kill("SIGKILL");
    } catch {
      // Gone already.
    }
    await this.#gone;
  }
}
