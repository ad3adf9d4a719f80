import { createHash } from "node:crypto";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import type { Sandbox } from "../../sandbox/sandbox.ts";
import { type Diagnostic, RuleCompiler } from "../compile.ts";
import { type Direction, ruleDeclarations } from "../declarations.ts";
import { diagnosticInWords } from "../diagnostic-words.ts";
import { startRuleSandbox } from "../rule-sandbox.ts";
import type { Outcome } from "./outcome.ts";
import { type RuleFile, readRuleFile, surroundingsOf } from "./rule-folder.ts";
import { runSample } from "./run-sample.ts";
import { type IncomingSample, type OutgoingSample, readSample, type Sample, type Surroundings, sampleOf } from "./sample.ts";

/** What to run: a rule's file or text, on a sample (a file or an object), on members of a sample, or on a sample with some members replaced. */
export type RunRule = ({ readonly file: string | URL; readonly source?: never } | { readonly source: string; readonly file?: never }) & {
  /** If not given, that of the sample, else by the file's name: `outgoing.ts`, `incoming.ts`. */
  readonly direction?: Direction;
  readonly sample?: string | URL | Sample;
  /** Shared libraries by the name behind `lib/`, beside or instead of those in the folder's `lib/`. */
  readonly libraries?: Readonly<Record<string, string>>;
} & Partial<Omit<OutgoingSample, "direction"> & Omit<IncomingSample, "direction">>;

/** A rule whose text does not check: each line of the message says file, line, column and what is wrong. */
export class RuleDoesNotCheck extends Error {
  override readonly name = "RuleDoesNotCheck";
  readonly diagnostics: readonly Diagnostic[];
  constructor({ path, libraryPath }: Pick<RuleFile, "path" | "libraryPath">, diagnostics: readonly Diagnostic[]) {
    super(diagnostics.map((each) => diagnosticInWords(path, each, libraryPath)).join("\n"));
    this.diagnostics = diagnostics;
  }
}

/**
 * Runs a rule as the node does: checked against the types beside it, in an isolate, with recorded answers only. Rejects with
 * {@link RuleDoesNotCheck} or SampleError; what the rule itself does wrong is an outcome.
 */
export async function runRule(wanted: RunRule): Promise<Outcome> {
  const { file, source, direction, sample, libraries, ...given } = wanted;
  const base = sample === undefined ? {} : typeof sample === "string" || sample instanceof URL ? await readSample(pathOf(sample)) : sample;
  const asked: Direction | undefined = direction ?? (base as Partial<Sample>).direction;
  const found = file === undefined ? ruleOfText(source, asked) : await readRuleFile(pathOf(file), asked);
  const rule: RuleFile = { ...found, libraries: { ...found.libraries, ...libraries } };
  const whole = sampleOf({ ...base, ...given, direction: rule.direction }, "runRule");
  const surroundings = file === undefined ? undefined : await surroundingsOf(dirname(rule.path));
  return await workshop.use(async ({ compiler, sandbox }) => await runChecked(compiler, sandbox, rule, whole, surroundings));
}

/** Everything that is wrong with a rule's file, by the types that were pulled beside it. Empty when it checks. */
export async function checkRuleFile(file: string | URL, direction?: Direction): Promise<readonly Diagnostic[]> {
  const rule = await readRuleFile(pathOf(file), direction);
  const compiled = await workshop.use(async ({ compiler }) => await compiler.compile({ ...rule, name: rule.path }));
  return compiled.ok ? [] : compiled.diagnostics;
}

/** Ends the processes that rules run in. Without it they end by themselves after two seconds without work. */
export async function closeRules(): Promise<void> {
  await workshop.close();
}

async function runChecked(compiler: RuleCompiler, sandbox: Sandbox, rule: RuleFile, sample: Sample, surroundings: Surroundings | undefined): Promise<Outcome> {
  const compiled = await compiler.compile({ ...rule, name: rule.path });
  if (!compiled.ok) throw new RuleDoesNotCheck(rule, compiled.diagnostics);
  const { outcome } = await runSample(sandbox, { versionId: versionOf(compiled.code), name: rule.path, code: compiled.code }, sample, surroundings);
  return outcome;
}

/** Rules of the same text share an isolate. */
export function versionOf(code: string): string {
  return createHash("sha256").update(code).digest("hex");
}

function ruleOfText(source: string, direction: Direction | undefined): RuleFile {
  if (direction === undefined) throw new TypeError('runRule needs to know the direction: give `direction: "outgoing"` or "incoming", or a sample.');
  const path = `${direction}.ts`;
  return { path, direction, source, declarations: ruleDeclarations(direction, []), typed: false, libraries: {}, libraryPath: (name) => `${name}.ts` };
}

function pathOf(file: string | URL): string {
  return file instanceof URL || file.startsWith("file:") ? fileURLToPath(file) : file;
}

interface Means {
  readonly compiler: RuleCompiler;
  readonly sandbox: Sandbox;
}

const idleMs = 2_000;

/** The processes behind `runRule`, started with the first rule and ended when nobody has used them for a while. */
class Workshop {
  #means: Promise<Means> | undefined;
  #users = 0;
  #idle: NodeJS.Timeout | undefined;

  async use<Result>(work: (means: Means) => Promise<Result>): Promise<Result> {
    clearTimeout(this.#idle);
    this.#users += 1;
    try {
      this.#means ??= startMeans();
      return await work(await this.#means);
    } finally {
      this.#users -= 1;
      // The children keep a process alive that forgot to close them; this timer alone would not.
      if (this.#users === 0) this.#idle = setTimeout(() => void this.close(), idleMs).unref();
    }
  }

  async close(): Promise<void> {
    clearTimeout(this.#idle);
    const means = this.#means;
    this.#means = undefined;
    if (means === undefined) return;
    const { compiler, sandbox } = await means;
    await Promise.all([compiler.close(), sandbox.close()]);
  }
}

const workshop = new Workshop();

async function startMeans(): Promise<Means> {
  const [compiler, sandbox] = await Promise.all([RuleCompiler.start(), startRuleSandbox()]);
  return { compiler, sandbox };
}
