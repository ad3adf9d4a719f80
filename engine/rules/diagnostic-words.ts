/** A place in a text and what is wrong there; {@link Diagnostic} of the compiler, or what is kept of one. */
export interface Placed {
  readonly code: string;
  readonly message: string;
  readonly line: number;
  readonly column: number;
  /** `lib/status` when the place is in a shared library. */
  readonly file?: string | undefined;
}

/**
 * `support/SN/outgoing.ts:2:5: Property 'x' does not exist … (TS2339)`. A place in a library is named by the library's file: `libraryPath` says where
 * it stands, if not in `lib/`.
 */
export function diagnosticInWords(path: string, { code, message, line, column, file }: Placed, libraryPath = (name: string): string => `${name}.ts`): string {
  if (file === undefined) return `${path}:${line}:${column}: ${message} (${code})`;
  const bare = message.startsWith(`${file}: `) ? message.slice(file.length + 2) : message;
  return `${libraryPath(file)}:${line}:${column}: ${bare} (${code})`;
}
