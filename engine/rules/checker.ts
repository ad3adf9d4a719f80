import { readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { basename, dirname } from "node:path";
import { Script } from "node:vm";
import { API, type Diagnostic as TypeDiagnostic } from "typescript/unstable/sync";
import { type Compilation, type Diagnostic, sourceBytes } from "./compile.ts";
import { type Linked, linkedText } from "./imports.ts";
import { languageLibrary } from "./library.ts";
import { Lines } from "./lines.ts";
import { type LibraryText, wrapRule } from "./names.ts";

const folder = "/rule";
const configPath = `${folder}/tsconfig.json`;
const rulePath = `${folder}/rule.ts`;
const declarationsPath = `${folder}/declarations.d.ts`;
const librariesFolder = `${folder}/lib`;

const config = {
  compilerOptions: {
    target: "es2023",
    lib: ["es2023"],
    module: "esnext",
    // A rule without imports is a module all the same: top-level await, strict mode.
    moduleDetection: "force",
    strict: true,
    // What an administrator writes without a thought: `catch (e) { e.message }`.
    noImplicitThis: false,
    useUnknownInCatchVariables: false,
    erasableSyntaxOnly: true,
    allowUnreachableCode: true,
    allowUnusedLabels: true,
    types: [],
    noEmit: true,
    skipLibCheck: true,
    paths: { "lib/*": ["./lib/*.ts"] },
  },
  files: ["rule.ts", "declarations.d.ts"],
};

/**
 * Top-level `return` ends a rule (1108); TypeScript knows it in functions only. The 7000s say that something has no type, which is no fault here. They are
 * passed over rather than switched off, because `const list = []` is a list of nothing for ever where `noImplicitAny` is off.
 */
function isAllowed(code: number): boolean {
  return code === topLevelReturn || (code >= 7005 && code <= 7053);
}

const topLevelReturn = 1108;

const mostDiagnostics = 100;

/** Checks one text after the other. `broken` says that this process must not be used any more. */
export class RuleChecker {
  readonly #files = new Map<string, string>([
    [configPath, JSON.stringify(config)],
    [rulePath, ""],
    [declarationsPath, ""],
  ]);
  readonly #api: API;

  constructor() {
    // Everything that the compiler may see: files of ours and the language's own declarations.
    this.#api = new API({
      cwd: folder,
      fs: {
        readFile: (path) => this.#files.get(path) ?? this.#library(path),
        fileExists: (path) => this.#files.has(path) || this.#library(path) !== null,
        directoryExists: (path) => path === folder || path === librariesFolder || path === "/",
        getAccessibleEntries: (path) => ({
          files: [...this.#files.keys()].filter((each) => dirname(each) === path).map((each) => basename(each)),
          directories: [],
        }),
        realpath: (path) => path,
      },
    });
  }

  /** `libraries` are those of the node, by the name behind `lib/`; only those that the rule uses are looked at. */
  compile(
    source: string,
    declarations: string,
    libraries: Readonly<Record<string, string>> = {},
  ): { readonly compilation: Compilation; readonly broken: boolean } {
    const rule: Text = { name: undefined, path: rulePath, source, lines: new Lines(source) };
    const refused = forbiddenDirectives(rule);
    if (refused.length > 0) return failed(refused);
    const checked = this.#check(rule, declarations, libraries);
    if (Array.isArray(checked)) return failed(checked);
    return written(rule, checked as Checked);
  }

  #check(rule: Text, declarations: string, libraries: Readonly<Record<string, string>>): Checked | Diagnostic[] {
    const fileChanges = this.#put(rule.source, declarations, libraries);
    // The client's cache goes by a content hash, which is the same for all virtual files: it would give the syntax tree of the text before.
    this.#api.clearSourceFileCache();
    const snapshot = this.#api.updateSnapshot({ openProjects: [configPath], fileChanges });
    try {
      const program = snapshot.getProject(configPath)?.program;
      if (program === undefined) throw new Error("the checker has no project");
      const walk = new Walk(libraries, (text) => ({
        syntax: program.getSyntacticDiagnostics(text.path),
        statements: program.getSourceFile(text.path)?.statements ?? [],
      }));
      const linked = walk.visit(rule, []);
      if (walk.problems.length > 0 || linked === undefined) return walk.problems;
      const wrong = [...walk.libraries.map(({ text }) => text), rule].flatMap((text) => report(program.getSemanticDiagnostics(text.path), text));
      return wrong.length > 0 ? wrong.slice(0, mostDiagnostics) : { linked, libraries: walk.libraries };
    } finally {
      snapshot.dispose();
    }
  }

  /** Puts the texts where the compiler looks for them, and says what has changed there. */
  #put(source: string, declarations: string, libraries: Readonly<Record<string, string>>): { changed: string[]; created: string[]; deleted: string[] } {
    const wanted = new Map([
      [rulePath, source],
      [declarationsPath, declarations],
      ...Object.entries(libraries).map(([name, text]): [string, string] => [libraryPath(name), text]),
    ]);
    const deleted = [...this.#files.keys()].filter((path) => path !== configPath && !wanted.has(path));
    for (const path of deleted) this.#files.delete(path);
    const changed = [rulePath];
    const created: string[] = [];
    for (const [path, text] of wanted) {
      const known = this.#files.get(path);
      if (known === undefined) created.push(path);
      else if (known !== text && path !== rulePath) changed.push(path);
      this.#files.set(path, text);
    }
    return { changed, created, deleted };
  }

  #library(path: string): string | null {
    const name = basename(path);
    if (!/^lib\.[a-z0-9.]+\.d\.ts$/.test(name) || path.startsWith(folder)) return null;
    try {
      return languageLibrary(name, readFileSync(path, "utf8"));
    } catch {
      return null;
    }
  }
}

function failed(diagnostics: readonly Diagnostic[]): { compilation: Compilation; broken: boolean } {
  return { compilation: { ok: false, diagnostics }, broken: false };
}

/** A rule, or a library that has a name. */
interface Text {
  readonly name: string | undefined;
  readonly path: string;
  readonly source: string;
  readonly lines: Lines;
}

interface Library {
  readonly name: string;
  readonly text: Text;
  readonly linked: Linked;
}

interface Checked {
  readonly linked: Linked;
  /** Each behind those that it uses. */
  readonly libraries: readonly Library[];
}

function libraryPath(name: string): string {
  return `${librariesFolder}/${name}.ts`;
}

type Parse = (text: Text) => { readonly syntax: readonly TypeDiagnostic[]; readonly statements: Iterable<unknown> };

/** Follows imports from the rule to the libraries that it uses. */
class Walk {
  readonly problems: Diagnostic[] = [];
  readonly libraries: Library[] = [];
  readonly #seen = new Set<string>();
  readonly #sources: Readonly<Record<string, string>>;
  readonly #parse: Parse;

  constructor(sources: Readonly<Record<string, string>>, parse: Parse) {
    this.#sources = sources;
    this.#parse = parse;
  }

  /** `path` are the libraries by which one came here. */
  visit(text: Text, path: readonly string[]): Linked | undefined {
    const { syntax, statements } = this.#parse(text);
    if (syntax.length > 0) {
      this.problems.push(...report(syntax, text));
      return undefined;
    }
    const linked = linkedText(text.source, statements, text.name === undefined ? "rule" : "library", Object.keys(this.#sources).sort());
    for (const { message, start, end } of linked.problems) this.problems.push(diagnosticAt(text, "IMPORT", message, start, end));
    for (const { library, start, end } of linked.imports) {
      if (path.includes(library)) {
        const circle = [...path.slice(path.indexOf(library)), library].map((name) => `lib/${name}`).join(" → ");
        this.problems.push(diagnosticAt(text, "IMPORT", `libraries cannot import each other in a circle: ${circle}`, start, end));
      } else this.#visitLibrary(library, path);
    }
    return linked;
  }

  #visitLibrary(name: string, path: readonly string[]): void {
    if (this.#seen.has(name)) return;
    this.#seen.add(name);
    const source = this.#sources[name] ?? "";
    const text: Text = { name, path: libraryPath(name), source, lines: new Lines(source) };
    const refused = forbiddenDirectives(text);
    this.problems.push(...refused);
    const linked = refused.length > 0 ? undefined : this.visit(text, [...path, name]);
    if (linked !== undefined) this.libraries.push({ name, text, linked });
  }
}

/** Positions are those within the library, if it is one: its name stands in front of the words. */
function diagnosticAt(text: Text, code: string, message: string, start: number, end: number, suggestion?: string): Diagnostic {
  const file = text.name === undefined ? undefined : `lib/${text.name}`;
  return {
    code,
    message: file === undefined ? message : `${file}: ${message}`,
    ...text.lines.range(start, end),
    ...(suggestion === undefined ? {} : { suggestion }),
    ...(file === undefined ? {} : { file }),
  };
}

/** `/// <reference …>` would ask the compiler for files. */
function forbiddenDirectives(text: Text): Diagnostic[] {
  const found: Diagnostic[] = [];
  for (const match of text.source.matchAll(/^[ \t]*\/\/\/[ \t]*<[^\n]*/gm)) {
    found.push(diagnosticAt(text, "REFERENCE", "a rule cannot refer to other files by /// comments", match.index, match.index + match[0].length));
  }
  return found;
}

function report(diagnostics: readonly TypeDiagnostic[], text: Text): Diagnostic[] {
  return diagnostics
    .filter((each) => !isAllowed(each.code) || (each.code === topLevelReturn && text.name !== undefined))
    .sort((a, b) => a.pos - b.pos)
    .slice(0, mostDiagnostics)
    .map((each) => diagnosticAt(text, `TS${each.code}`, messageOf(each), each.pos, each.end, /Did you mean (?:to write )?'([^']+)'\?/.exec(each.text)?.[1]));
}

/** In words that help here. "Cannot find name 'process'" comes with advice to install type packages, which nobody can follow here. */
function messageOf(diagnostic: TypeDiagnostic): string {
  if (/ on type 'Entity'\./.test(diagnostic.text)) return `${diagnostic.text} Not every record type of this side has it: check entity.entityType first.`;
  const isAdvice = diagnostic.code >= 2580 && diagnostic.code <= 2592;
  return isAdvice ? diagnostic.text.replace(/\. (Do you need|Try) .*$/s, ".") : diagnostic.text;
}

const stripPrefix = "async function rule() {";
const stripSuffix = "\n}";

type Outcome = { readonly compilation: Compilation; readonly broken: boolean };

/** The rule and its libraries as one module. */
function written(rule: Text, { linked, libraries }: Checked): Outcome {
  const code = strip(linked.source, rule);
  if (typeof code !== "string") return code;
  const texts: LibraryText[] = [];
  for (const library of libraries) {
    const text = strip(library.linked.source, library.text);
    if (typeof text !== "string") return text;
    texts.push({ name: library.name, code: text, imports: library.linked.imports, exports: library.linked.exports });
  }
  const whole = wrapRule(code, linked.imports, texts);
  // Checked one by one before; what the sandbox takes is limited as a whole.
  if (texts.length > 0 && Buffer.byteLength(whole) > sourceBytes) {
    const message = `the rule and its libraries together are ${Buffer.byteLength(whole)} bytes long; ${sourceBytes} bytes is the limit`;
    return failed([diagnosticAt(rule, "LIMIT_SOURCE", message, 0, 0)]);
  }
  return { compilation: { ok: true, code: whole, libraries: texts.map(({ name }) => name) }, broken: false };
}

/** Blanks the types out: what is left stands where it stood. */
function strip(source: string, text: Text): string | Outcome {
  let code: string;
  try {
    // A line of its own would move nothing either, but the stripper reads `#!` and directives at the start of a text otherwise.
    const stripped = stripTypeScriptTypes(stripPrefix + source.replace(/^#!/, "//") + stripSuffix);
    code = stripped.slice(stripPrefix.length, stripped.length - stripSuffix.length);
  } catch (error) {
    return { compilation: { ok: false, diagnostics: [syntaxError(error, text)] }, broken: true };
  }
  if (code.length !== source.length) {
    return { compilation: { ok: false, diagnostics: [syntaxError(new Error("the types of this text cannot be removed"), text)] }, broken: true };
  }
  try {
    new Script(`"use strict";(async () => {\n${code}\n})`, { filename: "rule", lineOffset: -1 });
  } catch (error) {
    return { compilation: { ok: false, diagnostics: [syntaxError(error, text)] }, broken: !(error instanceof SyntaxError) };
  }
  return code;
}

function syntaxError(error: unknown, text: Text): Diagnostic {
  const message = error instanceof Error ? error.message : String(error);
  const line = Number(/^rule:(\d+)/.exec(error instanceof Error ? (error.stack ?? "") : "")?.[1] ?? 1);
  return diagnosticAt(text, "SYNTAX", (message.split("\n")[0] ?? "").slice(0, 500), text.lines.startOf(line), text.lines.endOf(line));
}
