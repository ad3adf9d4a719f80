import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { isMap, isNode, LineCounter, parse, parseDocument, YAMLError, type Node as YamlNode } from "yaml";
import { z } from "zod";
import { platforms } from "../../connectors/platforms.ts";
import type { Json } from "../replica/json.ts";
import { defaultLimits } from "../sandbox/limits.ts";
import type { AllowedWrite } from "../store/schema.ts";
import { problemOfPattern } from "../sync/allowed-paths.ts";
import { closest } from "./closest.ts";
import { type MappingTables, mappingEntries, mappingTables, turned } from "./mappings.ts";

/** Where a secret's text comes from. It never stands in the file itself. */
export type SecretSource = { readonly env: string } | { readonly file: string };

export interface InstanceEntry {
  readonly name: string;
  readonly platform: string;
  /** What the platform's connector is configured with. */
  readonly config: Record<string, Json>;
  readonly secrets: Readonly<Record<string, SecretSource>>;
  readonly pollIntervalMs: number;
}

export interface TriggerEntry {
  readonly entityType: string;
  readonly query: string;
  readonly active: boolean;
}

export interface SideEntry {
  readonly name: string;
  readonly instance: string;
  readonly triggers: readonly TriggerEntry[];
  /** Tables of values that stand in the file, those of the connection turned to this side's view. */
  readonly mappings: MappingTables;
  /** Names of fields whose values recorded runs must not show. */
  readonly redact: readonly string[];
  /** What rules may write to by `platform.request`. */
  readonly allow: readonly AllowedWrite[];
}

export interface ConnectionEntry {
  readonly name: string;
  readonly active: boolean;
  /** How long and how many recorded runs are kept; null for what the node does by itself. */
  readonly keepRunsDays: number | null;
  readonly keepRuns: number | null;
  /** What runs of its rules may use, by the names of the sandbox's limits, where it is not what the node allows. */
  readonly limits: Readonly<Record<string, number>>;
  readonly left: SideEntry;
  readonly right: SideEntry;
}

export interface Configuration {
  /** Absolute path of the file. */
  readonly path: string;
  /** Absolute path of the folder that holds `<connection>/<side>/outgoing.ts` and `incoming.ts`. */
  readonly rulesFolder: string;
  readonly instances: readonly InstanceEntry[];
  readonly connections: readonly ConnectionEntry[];
}

/** What is wrong with a configuration: every line says file, place, what and what to do. */
export class ConfigurationError extends Error {
  override readonly name = "ConfigurationError";
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}

const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/, "must be 1 to 63 letters, digits, - or _, and start with a letter or digit");

const duration = z
  .string()
  .regex(/^\d+(ms|s|m)$/, 'must be a number with a unit: "500ms", "15s" or "2m"')
  .transform((text) => Number.parseInt(text, 10) * (text.endsWith("ms") ? 1 : text.endsWith("s") ? 1000 : 60_000))
  .refine((ms) => ms >= 200 && ms <= 3_600_000, "must lie between 200ms and 60m");

const secretSource = z.union([z.strictObject({ env: z.string().min(1) }), z.strictObject({ file: z.string().min(1) })], {
  error: "must be {env: NAME} or {file: path}: the secret itself never stands in this file",
});

const instance = z.looseObject({
  platform: z.enum(Object.keys(platforms) as [string, ...string[]]),
  poll: duration.optional(),
  secrets: z.record(z.string(), secretSource).optional(),
});

const trigger = z.strictObject({ entityType: z.string().min(1), query: z.string().default(""), active: z.boolean().default(true) });
const allowedWrite = z.strictObject({
  method: z.enum(["POST", "PUT", "PATCH", "DELETE"], { error: "must be POST, PUT, PATCH or DELETE; rules may read every path" }),
  path: z.string().superRefine((path, check) => {
    const message = problemOfPattern(path);
    if (message !== undefined) check.addIssue({ code: "custom", message });
  }),
});
const side = z.strictObject({
  instance: z.string(),
  name,
  triggers: z.array(trigger).default([]),
  mappings: mappingEntries.default({}),
  redact: z.array(z.string().min(1).max(200)).default([]),
  allow: z.array(allowedWrite).max(100).default([]),
});
const runs = z.strictObject({
  keepDays: z.int().min(1).max(3_650).optional(),
  keep: z.int().min(0).max(10_000_000).optional(),
});
/** Sizes can only be tightened: frames and the store are made for the node's own. Time and calls can be widened too. */
const limits = z.strictObject({
  cpuMs: z.int().min(10).max(10_000).optional(),
  wallMs: z.int().min(100).max(300_000).optional(),
  resultBytes: z.int().min(1_024).max(defaultLimits.resultBytes).optional(),
  resultDepth: z.int().min(1).max(defaultLimits.resultDepth).optional(),
  resultKeys: z.int().min(1).max(defaultLimits.resultKeys).optional(),
  calls: z.int().min(0).max(1_000).optional(),
  callsAtOnce: z.int().min(1).max(32).optional(),
  argumentBytes: z.int().min(1).max(defaultLimits.argumentBytes).optional(),
  consoleLines: z.int().min(0).max(defaultLimits.consoleLines).optional(),
  consoleLineLength: z.int().min(1).max(defaultLimits.consoleLineLength).optional(),
});
const connection = z.strictObject({
  left: side,
  right: side,
  active: z.boolean().default(true),
  mappings: mappingEntries.default({}),
  runs: runs.default({}),
  limits: limits.default({}),
});

const file = z.strictObject({
  version: z.literal(1),
  rules: z.string().default("rules"),
  instances: z.record(name, instance),
  connections: z.record(name, connection).default({}),
});

const defaultPollMs = 15_000;

/** Reads and checks a configuration file. Throws {@link ConfigurationError} with a line for each thing that is wrong. */
export async function readConfiguration(path: string): Promise<Configuration> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw new ConfigurationError([
      error.code === "ENOENT"
        ? `${path}: there is no such file. Name the file to apply: isobridge apply isobridge.yaml`
        : `${path}: cannot be read: ${error.message}`,
    ]);
  });
  return parseConfiguration(text, path);
}

/** What a file holds that stands in the place of a value as `{file: path}`; undefined where none stands there, text where it cannot be read. */
function fromFile(value: unknown, folder: string): { readonly content: unknown } | string | undefined {
  const named = z.strictObject({ file: z.string().min(1) }).safeParse(value);
  if (!named.success) return undefined;
  const path = resolve(folder, named.data.file);
  try {
    return { content: parse(readFileSync(path, "utf8"), { prettyErrors: true }) ?? {} };
  } catch (error) {
    return error instanceof YAMLError
      ? `${path} is not valid YAML: ${error.message}`
      : `the file ${path} cannot be read (${(error as NodeJS.ErrnoException).code ?? "unknown error"})`;
  }
}

/** The same for a text; `path` stands in errors and is what relative paths in it start from. */
export function parseConfiguration(text: string, path: string): Configuration {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const at = (offset: number | undefined): string => {
    if (offset === undefined) return path;
    const { line, col } = lines.linePos(offset);
    return `${path}:${line}:${col}`;
  };
  if (document.errors.length > 0) throw new ConfigurationError(document.errors.map((error) => `${at(error.pos[0])}: this is not valid YAML: ${error.message}`));

  const problems: string[] = [];
  const say = (where: readonly PropertyKey[], message: string, key?: string): void => {
    problems.push(
      `${at(offsetOf(document.contents, where, key))}: ${[...where, ...(key === undefined ? [] : [key])].map(String).join(".") || "the file"}: ${message}`,
    );
  };
  const parsed = file.safeParse(document.toJS() ?? {});
  if (!parsed.success) {
    for (const issue of parsed.error.issues) sayIssue(issue, say);
    throw new ConfigurationError(problems);
  }

  const instances = Object.entries(parsed.data.instances).map(([instanceName, { platform: platformName, poll, secrets, ...rest }]): InstanceEntry => {
    const platform = platforms[platformName];
    const where = ["instances", instanceName];
    const supplied = fromFile(rest["schema"], dirname(path));
    if (typeof supplied === "string") {
      say([...where, "schema"], supplied);
      delete rest["schema"];
    } else if (supplied !== undefined) rest["schema"] = supplied.content;
    const config = platform?.config.safeParse(rest);
    if (config?.success === false)
      for (const issue of config.error.issues)
        sayIssue({ ...issue, path: [...where, ...issue.path] } as z.core.$ZodIssue, say, ["platform", "poll", "secrets"]);
    if (platform !== undefined && config?.success === true) {
      const needed = platform.secretsOf(config.data as Json);
      // What a sign-in with a browser brings is not asked for beforehand.
      const brought = platform.webSignIn?.(config.data as Json)?.gives ?? [];
      for (const secret of needed)
        if (secrets?.[secret] === undefined && !brought.includes(secret))
          say([...where, "secrets"], `the secret ${secret} is missing; add ${secret}: {env: NAME} or {file: path}`);
      for (const secret of Object.keys(secrets ?? {}))
        if (!needed.includes(secret)) say([...where, "secrets"], `is not a secret of this sign-in; it needs ${needed.join(", ") || "none"}`, secret);
    }
    return { name: instanceName, platform: platformName, config: rest as Record<string, Json>, secrets: secrets ?? {}, pollIntervalMs: poll ?? defaultPollMs };
  });

  const connections = Object.entries(parsed.data.connections).map(([connectionName, entry]): ConnectionEntry => {
    for (const position of ["left", "right"] as const) {
      const instanceName = entry[position].instance;
      if (parsed.data.instances[instanceName] !== undefined) continue;
      const near = closest(instanceName, Object.keys(parsed.data.instances));
      say(
        ["connections", connectionName, position, "instance"],
        `there is no instance ${JSON.stringify(instanceName)} in this file${near === undefined ? "" : `; did you mean ${JSON.stringify(near)}?`}`,
      );
    }
    if (entry.left.name === entry.right.name)
      say(["connections", connectionName, "right", "name"], `both sides are called ${JSON.stringify(entry.left.name)}; give each a short name of its own`);
    for (const position of ["left", "right"] as const) {
      const seen = new Set<string>();
      for (const [index, { entityType, query }] of entry[position].triggers.entries()) {
        const key = `${entityType}\0${query}`;
        if (seen.has(key)) say(["connections", connectionName, position, "triggers", index], `the trigger on ${entityType} with this query stands here twice`);
        seen.add(key);
      }
    }
    const shared = mappingTables(entry.mappings, (where, message) => say(["connections", connectionName, "mappings", ...where], message));
    const sideEntry = (position: "left" | "right"): SideEntry => {
      const { mappings, ...rest } = entry[position];
      const where = ["connections", connectionName, position, "mappings"];
      for (const table of Object.keys(mappings))
        if (table in shared) say([...where, table], "is a table of the connection already; give one of them another name");
      const own = mappingTables(mappings, (at, message) => say([...where, ...at], message));
      // A connection's tables are written with the left side's values first.
      return { ...rest, redact: [...new Set(rest.redact)].sort(), mappings: { ...(position === "left" ? shared : turned(shared)), ...own } };
    };
    return {
      name: connectionName,
      active: entry.active,
      keepRunsDays: entry.runs.keepDays ?? null,
      keepRuns: entry.runs.keep ?? null,
      limits: Object.fromEntries(Object.entries(entry.limits).filter((limit): limit is [string, number] => limit[1] !== undefined)),
      left: sideEntry("left"),
      right: sideEntry("right"),
    };
  });
  if (problems.length > 0) throw new ConfigurationError(problems);
  return { path: resolve(path), rulesFolder: resolve(dirname(path), parsed.data.rules), instances, connections };
}

type Say = (where: readonly PropertyKey[], message: string, key?: string) => void;

/** `alsoKnown`: keys of the same mapping that another schema takes care of. */
function sayIssue(issue: z.core.$ZodIssue, say: Say, alsoKnown: readonly string[] = []): void {
  if (issue.code === "unrecognized_keys") {
    for (const key of issue.keys) if (!alsoKnown.includes(key)) say(issue.path, "is not a known key here", key);
    return;
  }
  if (issue.code === "invalid_key") {
    say(issue.path.slice(0, -1), issue.issues.map((inner) => inner.message).join("; "), String(issue.path.at(-1)));
    return;
  }
  if (issue.code === "invalid_union" && issue.errors.length > 0 && issue.message === "Invalid input") {
    // The branch that came furthest says most.
    const deepest = [...issue.errors].sort((a, b) => (b[0]?.path.length ?? 0) - (a[0]?.path.length ?? 0))[0];
    for (const inner of deepest ?? []) sayIssue({ ...inner, path: [...issue.path, ...inner.path] } as z.core.$ZodIssue, say);
    return;
  }
  say(issue.path, issue.message);
}

/** Where in the text a path points: at its key if it has one, else at the nearest enclosing value. */
function offsetOf(root: YamlNode | null, where: readonly PropertyKey[], key?: string): number | undefined {
  let node: unknown = root;
  let offset = isNode(root) ? root.range?.[0] : undefined;
  for (const step of key === undefined ? where : [...where, key]) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isNode(item.key) && String(item.key) === String(step));
      if (pair === undefined) return offset;
      offset = isNode(pair.key) ? (pair.key.range?.[0] ?? offset) : offset;
      node = pair.value;
    } else if (isNode(node) && "items" in node && Array.isArray(node.items)) {
      node = node.items[Number(step)];
      if (isNode(node)) offset = node.range?.[0] ?? offset;
    } else return offset;
  }
  return offset;
}
