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

/**
 * Makes a module of a rule's text without types. Our part stands on a line of its own, so that positions are those of the editor; the inner
 * function is what lets a rule declare `const status = …`. Arrows, because a `function` would hand the rule all names at once as `arguments`. `import.meta` is one object for all runs: frozen, it carries nothing from one to the next.
 */
export function wrapRule(code: string): string {
  return `Object.freeze(import.meta);const $rule = async ({${mentioned(code).join()}}) => (async () => {\n${code}\n})();export default $rule;\n//# sourceURL=rule:main`;
}

/** Only names that stand in the text are prepared for a run. A name can be written with escapes: then all are. */
function mentioned(code: string): readonly AmbientName[] {
  if (code.includes("\\u")) return ambientNames;
  return ambientNames.filter((name) => code.includes(name));
}
