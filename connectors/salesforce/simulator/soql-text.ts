import { ApiError } from "./api-error.ts";

export interface Token {
  readonly kind: "word" | "string" | "number" | "date" | "symbol" | "end";
  /** Words as written, strings without their quotes and escapes. */
  readonly text: string;
  /** Where it starts in the statement, from 0. */
  readonly at: number;
}

const escapes: Readonly<Record<string, string>> = {
  n: "\n",
  N: "\n",
  r: "\r",
  R: "\r",
  t: "\t",
  T: "\t",
  b: "\b",
  B: "\b",
  f: "\f",
  F: "\f",
  '"': '"',
  "'": "'",
  "\\": "\\",
  _: "\uE001",
  "%": "\uE000",
};
/** Wildcards that were escaped, as the tokens hold them: private characters, so that a backslash before a wildcard stays one. */
export const escapedWildcards: Readonly<Record<string, string>> = { "\uE000": "%", "\uE001": "_" };
const datePattern = /\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:?\d{2}))?/y;
const numberPattern = /[+-]?\d+(\.\d+)?([eE][+-]?\d+)?/y;
const wordPattern = /[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*(:\d+)?/y;
const symbolPattern = /<=|>=|!=|<>|[=<>(),]/y;

/** Cuts a SOQL statement into tokens. Throws MALFORMED_QUERY as the platform does. */
export function tokens(statement: string): Token[] {
  const found: Token[] = [];
  let at = 0;
  const take = (kind: Token["kind"], pattern: RegExp): boolean => {
    pattern.lastIndex = at;
    const text = pattern.exec(statement)?.[0];
    if (text === undefined) return false;
    found.push({ kind, text, at });
    at += text.length;
    return true;
  };
  while (at < statement.length) {
    if (/\s/.test(statement[at] ?? "")) at++;
    else if (statement[at] === "'") {
      const [text, end] = quoted(statement, at);
      found.push({ kind: "string", text, at });
      at = end;
    } else if (!take("date", datePattern) && !take("number", numberPattern) && !take("word", wordPattern) && !take("symbol", symbolPattern)) {
      throw malformed(statement, at, `line 1:${at} no viable alternative at character '${statement[at]}'`);
    }
  }
  found.push({ kind: "end", text: "<EOF>", at: statement.length });
  return found;
}

/** An error that shows the statement and points at a column, as recorded for INVALID_FIELD and its like [R]. */
export function queryError(errorCode: string, statement: string, at: number, message: string): ApiError {
  const start = Math.max(0, at - 30);
  const shown = statement.slice(start, at + 30).replaceAll("\n", " ");
  return new ApiError(400, errorCode, `\n${shown}\n${" ".repeat(at - start)}^\nERROR at Row:1:Column:${at + 1}\n${message}`);
}

export function malformed(statement: string, at: number, message: string): ApiError {
  return queryError("MALFORMED_QUERY", statement, at, message);
}

function quoted(statement: string, start: number): [string, number] {
  let text = "";
  for (let at = start + 1; at < statement.length; at++) {
    const character = statement[at];
    if (character === "'") return [text, at + 1];
    if (character !== "\\") {
      text += character;
      continue;
    }
    const next = statement[++at] ?? "";
    if (next === "u" && /^[0-9a-fA-F]{4}$/.test(statement.slice(at + 1, at + 5))) {
      text += String.fromCharCode(Number.parseInt(statement.slice(at + 1, at + 5), 16));
      at += 4;
      continue;
    }
    const meaning = escapes[next];
    if (meaning === undefined)
      throw malformed(statement, at, `Illegal string literal: Invalid string literal '\\${next}'. Illegal character sequence in string literal.`);
    text += meaning;
  }
  throw malformed(statement, start, "line 1: mismatched character '<EOF>' expecting '''");
}
