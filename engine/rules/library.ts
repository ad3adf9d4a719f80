/**
 * The language's own declarations without what an isolate does not have, so that the checker, not the first run, says that `Intl` or
 * `SharedArrayBuffer` is not there.
 */
export function languageLibrary(name: string, text: string): string {
  if (absent.has(name)) return "";
  return text
    .replace(/^declare function (eval|escape|unescape)\b[^\n]*$/gm, "")
    .replace(/^declare var (SharedArrayBuffer|Atomics|WebAssembly|FinalizationRegistry|WeakRef)\b[^\n]*$/gm, "")
    .replace(/^declare namespace Intl \{$[\s\S]*?^\}$/gm, withoutValues);
}

const absent = new Set(["lib.es2017.sharedmemory.d.ts", "lib.es2020.sharedmemory.d.ts", "lib.es2021.weakref.d.ts", "lib.decorators.legacy.d.ts"]);

/** `Intl` keeps its types, which the options of `toLocaleString` are made of, and none of its constructors: a namespace without values cannot be used as one. */
function withoutValues(namespace: string): string {
  return namespace.replace(/^ {4}(?:const \w+: \{$[\s\S]*?^ {4}\}|(?:var|const|function) [^\n]*);$/gm, "");
}
