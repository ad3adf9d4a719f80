/** The names that a rule finds around it. The compiler makes them parameters of the rule, so that a rule may use one for a variable of its own. */
export const ambientNames = [
  "entity",
  "issue",
  "replica",
  "previous",
  "changes",
  "firstSync",
  "connection",
  "comments",
  "attachments",
  "worklogs",
  "users",
  "lookup",
  "platform",
  "twins",
  "mapping",
  "status",
  "text",
  "linkTo",
  "startSync",
  "syncBack",
  "unlink",
  "waitFor",
  "skip",
  "fail",
  "console",
  "commentHelper",
  "attachmentHelper",
  "nodeHelper",
  "syncHelper",
  "httpClient",
] as const;

export type AmbientName = (typeof ambientNames)[number];

/** A shared library that a rule uses, without types, imports and exports. Those that it uses itself stand before it. */
export interface LibraryText {
  readonly name: string;
  readonly code: string;
  readonly imports: readonly Imported[];
  /** Pairs of the exported name and the local one. */
  readonly exports: readonly (readonly [string, string])[];
}

/** Pairs of a library's name for something and the name here. */
export interface Imported {
  readonly library: string;
  readonly names: readonly (readonly [string, string])[];
}

/**
 * Makes a module of a rule's text without types. Our part stands on a line of its own, so that positions are those of the editor; the inner
 * function is what lets a rule declare `const status = …`. Arrows, because a `function` would hand the rule all names at once as `arguments`. `import.meta` is one object for all runs: frozen, it carries nothing from one to the next.
 *
 * Libraries stand behind the rule, each in a function that every run calls for itself: what a library keeps in variables is gone with the run. The last line
 * but one says where each begins and ends, for whoever reads positions.
 */
export function wrapRule(code: string, imports: readonly Imported[] = [], libraries: readonly LibraryText[] = []): string {
  const names = mentioned([code, ...libraries.map((library) => library.code)].join("\n")).join();
  const end = "export default $rule;\n//# sourceURL=rule:main";
  if (libraries.length === 0) return `Object.freeze(import.meta);const $rule = ({${names}}) => (async () => {\n${code}\n})();${end}`;
  const opened = libraries.map((library, index) => `const $${index} = ${mayWait(library) ? "await " : ""}$library${index}();`).join("");
  let text = `Object.freeze(import.meta);const $rule = async ({${names}}) => {${opened}${bindings(imports, libraries)}return (async () => {\n${code}\n})();\n`;
  const places: [string, number, number][] = [];
  for (const [index, library] of libraries.entries()) {
    const first = linesOf(text) + 1;
    const answer = library.exports.map(([exported, local]) => `${JSON.stringify(exported)}: ${local}`).join();
    text += `${mayWait(library) ? "async " : ""}function $library${index}() {${bindings(library.imports, libraries)}\n${library.code}\nreturn {${answer}};}\n`;
    places.push([library.name, first, linesOf(text) - 2]);
  }
  return `${text}};${end.replace("\n", `\n//# libraries=${JSON.stringify(places)}\n`)}`;
}

/** A library may wait at its top level; one that does not is not waited for. */
function mayWait(library: LibraryText): boolean {
  return library.code.includes("await") || library.code.includes("\\u");
}

function bindings(imports: readonly Imported[], libraries: readonly LibraryText[]): string {
  return imports
    .filter(({ names }) => names.length > 0)
    .map(({ library, names }) => {
      const index = libraries.findIndex(({ name }) => name === library);
      return `const {${names.map(([theirs, ours]) => `${JSON.stringify(theirs)}: ${ours}`).join()}} = $${index};`;
    })
    .join("");
}

function linesOf(text: string): number {
  return text.split(/\r\n|[\n\r\u2028\u2029]/).length;
}

/** Only names that stand in the text are prepared for a run. A name can be written with escapes: then all are. */
function mentioned(code: string): readonly AmbientName[] {
  if (code.includes("\\u")) return ambientNames;
  return ambientNames.filter((name) => code.includes(name));
}
