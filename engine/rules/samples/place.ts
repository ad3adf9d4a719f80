import { isMap, isNode, isSeq, LineCounter, parseDocument } from "yaml";

/** `:12:5` for the value that a path leads to in a JSON text, or for the nearest one around it. Positions count from 1. */
export function placeOf(text: string, where: readonly PropertyKey[]): string {
  const lines = new LineCounter();
  // Every JSON text is YAML, and this parser knows where each value stands.
  let node: unknown = parseDocument(text, { lineCounter: lines, prettyErrors: false }).contents;
  let offset = isNode(node) ? (node.range?.[0] ?? 0) : 0;
  for (const step of where) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isNode(item.key) && String(item.key) === String(step));
      if (pair === undefined) break;
      if (isNode(pair.key)) offset = pair.key.range?.[0] ?? offset;
      node = pair.value;
    } else if (isSeq(node)) {
      node = node.items[Number(step)];
      if (isNode(node)) offset = node.range?.[0] ?? offset;
    } else break;
  }
  const { line, col } = lines.linePos(offset);
  return `:${line}:${col}`;
}

/** What `JSON.parse` threw, in one line with the place. */
export function jsonError(path: string, text: string, error: unknown): string {
  const message = (error instanceof Error ? error.message : String(error))
    .replace(/,? (\.\.\.)?".*is not valid JSON$/s, "")
    .replace(/ (in JSON )?at position.*$/s, "");
  const before = text.slice(0, firstWrong(text));
  return `${path}:${before.split("\n").length}:${before.length - before.lastIndexOf("\n")}: this is not valid JSON: ${message}`;
}

/** Where a text stops being the beginning of valid JSON. V8 says so only of some errors, so it is asked about ever fewer beginnings. */
function firstWrong(text: string): number {
  let low = 0;
  let high = text.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (mayGoOn(text.slice(0, middle + 1))) low = middle + 1;
    else high = middle;
  }
  return low;
}

function mayGoOn(beginning: string): boolean {
  try {
    JSON.parse(beginning);
    return true;
  } catch (error) {
    const { message } = error as Error;
    const position = /at position (\d+)/.exec(message)?.[1];
    return /Unexpected end|Unterminated string/.test(message) || (position !== undefined && Number(position) >= beginning.length);
  }
}
