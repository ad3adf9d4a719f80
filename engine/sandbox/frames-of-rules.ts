/** The rule's own frames in an engine's stack text; everything else (helpers, bridge, host paths) is left out. */
export function framesOf(stack: string, name: string): { readonly frames: readonly string[]; readonly line?: number; readonly column?: number } {
  const frames: string[] = [];
  let first: { line: number; column: number } | undefined;
  for (const text of stack.split("\n")) {
    const match = frame.exec(text);
    if (match === null) continue;
    const [, place = "", lineText, columnText] = match;
    const function_ = place.replace(/^async /, "").trim();
    // The function that the compiler wraps around the rule.
    if (function_ === "$rule") continue;
    // The first line of the module is ours. (V8's own line offset has no effect on a module that names its source.)
    const line = Number(lineText) - 1;
    if (line < 1) continue;
    const column = Number(columnText);
    first ??= { line, column };
    const position = `${name}:${line}:${column}`;
    frames.push(function_ === "" ? position : `${harmless(function_)} (${position})`);
    if (frames.length >= 20) break;
  }
  return first === undefined ? { frames } : { frames, ...first };
}

const frame = /^\s*at (?:(.*?) \()?(?:async )?rule:main:(\d+):(\d+)\)?$/;

/**
 * Text of a rule goes to logs, terminals and screens: control characters and the marks that turn writing around are written out.
 * Line ends and tabs stay.
 */
export function harmless(text: string): string {
  return text.replace(/(?![\n\t])[\p{Cc}\p{Bidi_Control}\ufeff]/gu, (character) => `\\u{${character.charCodeAt(0).toString(16)}}`);
}
