import { readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";

/** ES modules as JavaScript text, by file name. The entry exports `prepare`: see {@link ./runs.ts}. */
export interface Prelude {
  readonly entry: string;
  readonly modules: Readonly<Record<string, string>>;
}

/** Reads modules for the inside of an isolate: their types are stripped here, since the child has neither files nor WebAssembly to do it. */
export function readModules(folder: URL, names: readonly string[]): Record<string, string> {
  const modules: Record<string, string> = {};
  for (const name of names) modules[name] = stripTypeScriptTypes(readFileSync(new URL(name, folder), "utf8"));
  return modules;
}

/** Everything that an isolate loads beside the rule, and the module to start with. Imports find each other by file name alone. */
export function guestModules(prelude: Prelude): { readonly main: string; readonly modules: Readonly<Record<string, string>> } {
  const own = readModules(new URL("./", import.meta.url), ["dice.ts", "encode.ts", "realm.ts", "runs.ts", "show.ts", "thrown.ts"]);
  for (const name of Object.keys(prelude.modules)) {
    if (name in own || name === "lock" || name === "main") throw new Error(`a prelude module cannot be called ${name}`);
  }
  return {
    main: "main",
    modules: {
      ...own,
      ...prelude.modules,
      // Modules are evaluated in the order of their imports: the realm is locked before the rule's module is touched.
      lock: `import { openGuest } from "runs.ts"; import { prepare } from ${JSON.stringify(prelude.entry)}; export const guest = openGuest(prepare);`,
      main: `import { guest } from "lock"; import rule from "rule:main"; guest.use(rule); export const { enter, poll, drop } = guest;`,
    },
  };
}
