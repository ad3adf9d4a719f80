import { readdir, readFile, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { libraryName } from "../compile.ts";
import { type Direction, ruleDeclarations } from "../declarations.ts";
import { mappingTables, type Surroundings } from "./sample.ts";

/** A rule as a file, with what it is checked against. */
export interface RuleFile {
  /** As it was named. */
  readonly path: string;
  readonly direction: Direction;
  readonly source: string;
  readonly declarations: string;
  /** False when there are no types beside it: then any field of `entity` is let through. */
  readonly typed: boolean;
  /** The shared libraries of its folder, by the name behind `lib/`. */
  readonly libraries: Readonly<Record<string, string>>;
  /** The file of a library by its name, for people: `lib/status` is `rules/lib/status.ts`. */
  libraryPath(name: string): string;
}

/** One side of one connection in a folder of rules: `<folder>/<connection>/<side>/`. */
export interface SideFolder {
  readonly connection: string;
  readonly side: string;
  readonly path: string;
  readonly rules: readonly { readonly direction: Direction; readonly path: string }[];
  /** Paths of `samples/*.json`, by name. */
  readonly samples: readonly string[];
}

/** Wrong use, in words: no such folder, no rules in it, a file with another name. */
export class RuleFolderError extends Error {
  override readonly name = "RuleFolderError";
}

export const directions: readonly Direction[] = ["outgoing", "incoming"];

/** The sides that a folder has rules for, by connection and side. */
export async function sidesIn(folder: string): Promise<SideFolder[]> {
  const sides: SideFolder[] = [];
  for (const connection of await namesIn(folder, "folder")) {
    for (const side of await namesIn(join(folder, connection), "folder")) {
      const path = join(folder, connection, side);
      const files = await namesIn(path, "file");
      const rules = directions
        .filter((direction) => files.includes(`${direction}.ts`))
        .map((direction) => ({ direction, path: join(path, `${direction}.ts`) }));
      if (rules.length > 0) sides.push({ connection, side, path, rules, samples: await samplesIn(path) });
    }
  }
  if (sides.length === 0 && Object.keys(await librariesIn(folder)).length === 0) {
    throw new RuleFolderError(
      `${folder} has no rules. They stand in ${join(folder, "<connection>", "<side>", "outgoing.ts")} and incoming.ts; \`isobridge pull\` fetches those of a node.`,
    );
  }
  return sides;
}

async function samplesIn(side: string): Promise<string[]> {
  const folder = join(side, "samples");
  const isThere = await stat(folder).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isThere) return [];
  return (await namesIn(folder, "file")).filter((name) => name.endsWith(".json")).map((name) => join(folder, name));
}

async function namesIn(folder: string, kind: "file" | "folder"): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    throw new RuleFolderError(error.code === "ENOENT" ? `There is no folder ${folder}.` : `${folder} cannot be read (${error.code ?? error.message}).`);
  });
  return entries
    .filter((entry) => !entry.name.startsWith(".") && (kind === "file" ? entry.isFile() : entry.isDirectory()))
    .map((entry) => entry.name)
    .sort();
}

/** Reads a rule and the types that were pulled for it: `types/<direction>.d.ts` beside it. */
export async function readRuleFile(path: string, direction: Direction = directionOf(path)): Promise<RuleFile> {
  const source = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw new RuleFolderError(error.code === "ENOENT" ? `There is no file ${path}.` : `${path} cannot be read (${error.code ?? error.message}).`);
  });
  const pulled = await readFile(typesPath(dirname(path), direction), "utf8").catch(() => undefined);
  const folder = join(dirname(path), "..", "..");
  return {
    path,
    direction,
    source,
    declarations: pulled ?? ruleDeclarations(direction, []),
    typed: pulled !== undefined,
    libraries: await librariesIn(folder),
    libraryPath: (name) => join(folder, `${name}.ts`),
  };
}

/** The shared libraries of a folder of rules, by the name behind `lib/`: `<folder>/lib/<name>.ts`. None where there is no such folder. */
export async function librariesIn(folder: string): Promise<Record<string, string>> {
  const path = join(folder, "lib");
  const isThere = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isThere) return {};
  const names = (await namesIn(path, "file")).filter((name) => name.endsWith(".ts") && !name.endsWith(".d.ts")).map((name) => name.slice(0, -".ts".length));
  for (const name of names) {
    if (!libraryName.test(name)) throw new RuleFolderError(`${join(path, `${name}.ts`)}: letters, digits, - and _ make the name of a library.`);
  }
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await readFile(join(path, `${name}.ts`), "utf8")] as const)));
}

export function typesPath(side: string, direction: Direction): string {
  return join(side, "types", `${direction}.d.ts`);
}

function directionOf(path: string): Direction {
  const direction = directions.find((each) => basename(path) === `${each}.ts`);
  if (direction === undefined)
    throw new RuleFolderError(`${path}: is this an outgoing or an incoming rule? Call the file outgoing.ts or incoming.ts, or give the direction.`);
  return direction;
}

/** What a rule in a folder is run with: `connection` by the names of the folders, tables of values as they were pulled. */
export async function surroundingsOf(side: string): Promise<Surroundings> {
  const path = resolve(side);
  const local = basename(path);
  const beside = await namesIn(dirname(path), "folder").catch(() => []);
  const others = beside.filter((name) => name !== local);
  const remote = others.length === 1 ? (others[0] ?? "remote") : "remote";
  return { connection: { name: basename(dirname(path)), local, remote }, mappings: await pulledMappings(side) };
}

async function pulledMappings(side: string): Promise<Surroundings["mappings"]> {
  const path = mappingsPath(side);
  const text = await readFile(path, "utf8").catch(() => undefined);
  if (text === undefined) return {};
  try {
    return mappingTables.parse(JSON.parse(text));
  } catch {
    throw new RuleFolderError(`${path} is not what \`isobridge pull\` writes; pull again.`);
  }
}

export function mappingsPath(side: string): string {
  return join(side, "types", "mappings.json");
}
