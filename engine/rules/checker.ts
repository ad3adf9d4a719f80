import { readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { basename } from "node:path";
import { Script } from "node:vm";
import { SyntaxKind } from "typescript/unstable/ast";
import { API, type Diagnostic as TypeDiagnostic } from "typescript/unstable/sync";
import type { Compilation, Diagnostic } from "./compile.ts";
import { languageLibrary } from "./library.ts";
import { wrapRule } from "./names.ts";

const folder = "/rule";
const configPath = `${folder}/tsconfig.json`;
const rulePath = `${folder}/rule.ts`;
const declarationsPath = `${folder}/declarations.d.ts`;

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
  },
  files: ["rule.ts", "declarations.d.ts"],
};

/**
 * Top-level `return` ends a rule (1108); TypeScript knows it in functions only. The 7000s say that something has no type, which is no fault here. They are
 * passed over rather than switched off, because `const list = []` is a list of nothing for ever where `noImplicitAny` is off.
 */
function isAllowed(code: number): boolean {
  return code === 1108 || (code >= 7005 && code <= 7053);
}

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
    // Everything that the compiler may see: three files of ours and the language's own declarations.
    this.#api = new API({
      cwd: folder,
      fs: {
        readFile: (path) => this.#files.get(path) ?? this.#library(path),
        fileExists: (path) => this.#files.has(path) || this.#library(path) !== null,
        directoryExists: (path) => path === folder || path === "/",
        getAccessibleEntries: (path) => ({ files: path === folder ? [...this.#files.keys()].map((each) => basename(each)) : [], directories: [] }),
        realpath: (path) => path,
      },
    });
  }

  compile(source: string, declarations: string): { readonly compilation: Compilation; readonly broken: boolean } {
    const lines = new Lines(source);
    const refused = forbiddenDirectives(source, lines);
    if (refused.length > 0) return failed(refused);
    const wrong = this.#check(source, declarations, lines);
    if (wrong.length > 0) return failed(wrong);
    return strip(source, lines);
  }

  #check(source: string, declarations: string, lines: Lines): Diagnostic[] {
    const changed = [rulePath];
    if (this.#files.get(declarationsPath) !== declarations) changed.push(declarationsPath);
    this.#files.set(rulePath, source);
    this.#files.set(declarationsPath, declarations);
    // The client's cache goes by a content hash, which is the same for all virtual files: it would give the syntax tree of the text before.
    this.#api.clearSourceFileCache();
    const snapshot = this.#api.updateSnapshot({ openProjects: [configPath], fileChanges: { changed } });
    try {
      const program = snapshot.getProject(configPath)?.program;
      if (program === undefined) throw new Error("the checker has no project");
      const syntax = program.getSyntacticDiagnostics(rulePath);
      if (syntax.length > 0) return report(syntax, lines);
      const imports = importsOf(program.getSourceFile(rulePath)?.statements ?? [], lines);
      if (imports.length > 0) return imports;
      return report(program.getSemanticDiagnostics(rulePath), lines);
    } finally {
      snapshot.dispose();
    }
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

/** `/// <reference …>` would ask the compiler for files. */
function forbiddenDirectives(source: string, lines: Lines): Diagnostic[] {
  const found: Diagnostic[] = [];
  for (const match of source.matchAll(/^[ \t]*\/\/\/[ \t]*<[^\n]*/gm)) {
    found.push({
      code: "REFERENCE",
      message: "a rule cannot refer to other files by /// comments",
      ...lines.range(match.index, match.index + match[0].length),
    });
  }
  return found;
}

interface Statement {
  readonly kind: SyntaxKind;
  readonly pos: number;
  readonly end: number;
  readonly modifiers?: readonly { readonly kind: SyntaxKind }[] | undefined;
}

function importsOf(statements: Iterable<unknown>, lines: Lines): Diagnostic[] {
  const found: Diagnostic[] = [];
  // Statements have more members, by kind; these four are what is asked here.
  for (const statement of statements as Iterable<Statement>) {
    const isImport = statement.kind === SyntaxKind.ImportDeclaration || statement.kind === SyntaxKind.ImportEqualsDeclaration;
    const isExport =
      statement.kind === SyntaxKind.ExportDeclaration ||
      statement.kind === SyntaxKind.ExportAssignment ||
      (statement.modifiers?.some((modifier) => modifier.kind === SyntaxKind.ExportKeyword) ?? false);
    if (!isImport && !isExport) continue;
    const message = isImport
      ? "a rule cannot import anything: shared libraries are not available on this node yet"
      : "a rule has no exports: what it sets on `replica` or `entity` is its result";
    found.push({ code: "IMPORT", message, ...lines.range(lines.skipSpace(statement.pos), statement.end) });
  }
  return found;
}

function report(diagnostics: readonly TypeDiagnostic[], lines: Lines): Diagnostic[] {
  return diagnostics
    .filter((each) => !isAllowed(each.code))
    .sort((a, b) => a.pos - b.pos)
    .slice(0, mostDiagnostics)
    .map((each) => {
      const suggestion = /Did you mean (?:to write )?'([^']+)'\?/.exec(each.text)?.[1];
      return { code: `TS${each.code}`, message: messageOf(each), ...lines.range(each.pos, each.end), ...(suggestion === undefined ? {} : { suggestion }) };
    });
}

/** In words that help here. "Cannot find name 'process'" comes with advice to install type packages, which nobody can follow here. */
function messageOf(diagnostic: TypeDiagnostic): string {
  if (/ on type 'Entity'\./.test(diagnostic.text)) return `${diagnostic.text} Not every record type of this side has it: check entity.entityType first.`;
  const isAdvice = diagnostic.code >= 2580 && diagnostic.code <= 2592;
  return isAdvice ? diagnostic.text.replace(/\. (Do you need|Try) .*$/s, ".") : diagnostic.text;
}

const stripPrefix = "async function rule() {";
const stripSuffix = "\n}";

/** Blanks the types out: what is left stands where it stood. */
function strip(source: string, lines: Lines): { compilation: Compilation; broken: boolean } {
  let code: string;
  try {
    // A line of its own would move nothing either, but the stripper reads `#!` and directives at the start of a text otherwise.
    const stripped = stripTypeScriptTypes(stripPrefix + source.replace(/^#!/, "//") + stripSuffix);
    code = stripped.slice(stripPrefix.length, stripped.length - stripSuffix.length);
  } catch (error) {
    return { compilation: { ok: false, diagnostics: [syntaxError(error, lines)] }, broken: true };
  }
  if (code.length !== source.length) {
    return { compilation: { ok: false, diagnostics: [syntaxError(new Error("the types of this text cannot be removed"), lines)] }, broken: true };
  }
  try {
    new Script(`"use strict";(async () => {\n${code}\n})`, { filename: "rule", lineOffset: -1 });
  } catch (error) {
    return { compilation: { ok: false, diagnostics: [syntaxError(error, lines)] }, broken: !(error instanceof SyntaxError) };
  }
  return { compilation: { ok: true, code: wrapRule(code) }, broken: false };
}

function syntaxError(error: unknown, lines: Lines): Diagnostic {
  const message = error instanceof Error ? error.message : String(error);
  const line = Number(/^rule:(\d+)/.exec(error instanceof Error ? (error.stack ?? "") : "")?.[1] ?? 1);
  const start = lines.startOf(line);
  return { code: "SYNTAX", message: (message.split("\n")[0] ?? "").slice(0, 500), ...lines.range(start, lines.endOf(line)) };
}

/** Offsets to lines and columns, both from 1. */
class Lines {
  readonly #source: string;
  readonly #starts: number[] = [0];

  constructor(source: string) {
    this.#source = source;
    for (const match of source.matchAll(/\r\n|[\n\r\u2028\u2029]/g)) this.#starts.push(match.index + match[0].length);
  }

  range(start: number, end: number): Pick<Diagnostic, "line" | "column" | "endLine" | "endColumn"> {
    const from = this.#at(start);
    const to = this.#at(Math.max(start, end));
    return { line: from.line, column: from.column, endLine: to.line, endColumn: to.column };
  }

  skipSpace(offset: number): number {
    const match = /\S/.exec(this.#source.slice(offset));
    return offset + (match?.index ?? 0);
  }

  startOf(line: number): number {
    return this.#starts[line - 1] ?? 0;
  }

  endOf(line: number): number {
    return Math.max(this.startOf(line), (this.#starts[line] ?? this.#source.length + 1) - 1);
  }

  #at(offset: number): { line: number; column: number } {
    const bounded = Math.max(0, Math.min(offset, this.#source.length));
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#starts[middle] ?? 0) <= bounded) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: bounded - (this.#starts[low] ?? 0) + 1 };
  }
}
