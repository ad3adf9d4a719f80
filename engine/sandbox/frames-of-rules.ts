/**
 * The frames of a rule and its shared libraries in an engine's stack text; everything else (helpers, bridge, host paths) is left out. `line` and `column`
 * are the rule's own: where it called the library in which something went wrong. `code` is the program's.
 */
export function framesOf(stack: string, name: string, code = ""): { readonly frames: readonly string[]; readonly line?: number; readonly column?: number } {
  const frames: string[] = [];
  let first: { line: number; column: number } | undefined;
  const libraries = librariesIn(code);
  for (const text of stack.split("\n")) {
    const match = frame.exec(text);
    if (match === null) continue;
    const [, place = "", lineText, columnText] = match;
    const function_ = place.replace(/^async /, "").trim();
    // The function that the compiler wraps around the rule.
    if (function_ === "$rule") continue;
    const moduleLine = Number(lineText);
    const column = Number(columnText);
    const library = libraries.find(([, start, end]) => moduleLine >= start && moduleLine <= end);
    // The first line of the module is ours. (V8's own line offset has no effect on a module that names its source.)
    const line = moduleLine - (library?.[1] ?? 2) + 1;
    // Between the texts stands what the compiler put there.
    if (line < 1 || (library === undefined && libraries.length > 0 && moduleLine >= (libraries[0]?.[1] ?? 0) - 2)) continue;
    if (library === undefined) first ??= { line, column };
    const position = `${library === undefined ? name : `lib/${library[0]}`}:${line}:${column}`;
    frames.push(function_ === "" || /^\$library\d+$/.test(function_) ? position : `${harmless(function_)} (${position})`);
    if (frames.length >= 20) break;
  }
  return first === undefined ? { frames } : { frames, ...first };
}

/** The last line but one of a program with libraries says where each begins and ends. Nothing of a rule's text can stand there. */
function librariesIn(code: string): readonly [name: string, start: number, end: number][] {
  const last = code.lastIndexOf("\n");
  const line = code.slice(code.lastIndexOf("\n", last - 1) + 1, last);
  // Written by the compiler of this node.
  return line.startsWith(librariesMark) ? (JSON.parse(line.slice(librariesMark.length)) as [string, number, number][]) : [];
}

const librariesMark = "//# libraries=";

const frame = /^\s*at (?:(.*?) \()?(?:async )?rule:main:(\d+):(\d+)\)?$/;

/**
 * Text of a rule goes to logs, terminals and screens: control characters and the marks that turn writing around are written out.
 * Line ends and tabs stay.
 */
export function harmless(text: string): string {
  return text.replace(/(?![\n\t])[\p{Cc}\p{Bidi_Control}\ufeff]/gu, (character) => `\\u{${character.charCodeAt(0).toString(16)}}`);
}
