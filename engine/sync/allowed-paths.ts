import type { AllowedWrite } from "../store/schema.ts";

/**
 * Whether rules may send this to a path of the platform's own REST API. Undefined when they may; otherwise why not, with what an administrator
 * would have to add. The path is compared as it is sent: one that a server could read as another one is refused, never tidied up. The query is not compared.
 */
export function whyNotAllowed(allowed: readonly AllowedWrite[], method: string, path: string): string | undefined {
  const query = path.indexOf("?");
  const bare = query < 0 ? path : path.slice(0, query);
  const unclear = problemOfPath(bare) ?? (query < 0 ? undefined : problemOfQuery(path.slice(query + 1)));
  if (unclear !== undefined) return `${method} ${bare} is not sent: ${unclear}`;
  if (allowed.some((each) => each.method === method && fits(each.path, bare))) return undefined;
  const there = allowed.length === 0 ? "no path is open for writing on this side" : `open for writing are ${allowed.map(inWords).join(", ")}`;
  return `${method} ${bare} would write, and ${there}. An administrator can open it with \`allow: [{ method: ${method}, path: ${JSON.stringify(bare)} }]\` at this side in isobridge.yaml.`;
}

/** Why a path is not read: it says that it is no reading. Undefined when it is. */
export function whyNotRead(path: string): string | undefined {
  const query = path.indexOf("?");
  const unclear = query < 0 ? undefined : problemOfQuery(path.slice(query + 1));
  return unclear === undefined ? undefined : `GET ${path.slice(0, query)} is not sent: ${unclear}`;
}

/** What is wrong with a path that is to be opened; undefined when nothing is. */
export function problemOfPattern(pattern: string): string | undefined {
  const path = pattern.endsWith("/*") ? pattern.slice(0, -1) : pattern;
  if (path === "/") return "must name at least one segment: /services/apexrest/thing or /services/apexrest/thing/*";
  if (path.includes("*")) return "may have one * as its last segment: /services/apexrest/thing/*";
  if (path.includes("?")) return "must be a path without a query";
  return problemOfPath(path);
}

/** An exact path, or with `/*` at the end everything below it. */
function fits(pattern: string, path: string): boolean {
  if (!pattern.endsWith("/*")) return pattern === path;
  const above = pattern.slice(0, -1);
  return path.length > above.length && path.startsWith(above);
}

/** Servers and what stands before them disagree about `..`, `//`, encoded slashes and parameters in segments: none of them may decide what is open. */
function problemOfPath(path: string): string | undefined {
  if (!path.startsWith("/")) return "a path starts with /";
  if (path.length > 2_000) return "a path may have 2000 characters";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is looked for
  if (/[\u0000-\u0020\u007f-\uffff]/.test(path)) return "a path has no blanks, control characters or characters beyond ASCII; encode them";
  if (/[\\#;]/.test(path)) return "a path has no \\, # or ;";
  if (path.includes("//")) return "a path has no empty segments";
  if (path.split("/").some((segment) => segment === "." || segment === "..")) return "a path has no . or .. as a segment";
  if (/%(?![0-9a-f]{2})/i.test(path)) return "a % stands before two hexadecimal digits";
  if (/%(2e|2f|5c|25|3b|23|3f|00)/i.test(path)) return "a path has no encoded . / \\ % ; # or ?";
  return undefined;
}

/** Salesforce takes another method from the query, which would make one open method into all of them [K]. */
function problemOfQuery(query: string): string | undefined {
  if (query.includes("#")) return "a path has no #";
  for (const [name] of new URLSearchParams(query))
    if (/^_?(x-)?http[-_]?method([-_]?override)?$/i.test(name)) return `the query may not name another method (${name})`;
  return undefined;
}

function inWords({ method, path }: AllowedWrite): string {
  return `${method} ${path}`;
}
