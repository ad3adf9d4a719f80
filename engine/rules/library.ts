/**
 * The language's own declarations without what an isolate does not have, so that the checker, not the first run, says that `Intl` or
 * `SharedArrayBuffer` is not there.
 */
export function languageLibrary(name: string, text: string): string {
  if (absent.has(name)) return "";
  return text
    .replace(/^declare function (eval|escape|unescape)\b[^\n]*$/gm, "")
    .replace(/^declare var (Intl|SharedArrayBuffer|Atomics|WebAssembly|FinalizationRegistry|WeakRef)\b[^\n]*$/gm, "");
}

const absent = new Set(["lib.es2017.sharedmemory.d.ts", "lib.es2020.sharedmemory.d.ts", "lib.es2021.weakref.d.ts", "lib.decorators.legacy.d.ts"]);
