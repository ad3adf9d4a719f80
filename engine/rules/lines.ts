import type { Diagnostic } from "./compile.ts";

/** Offsets to lines and columns, both from 1. */
export class Lines {
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
