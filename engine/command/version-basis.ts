import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import type { Direction } from "../rules/declarations.ts";
import type { SideRow } from "../store/configuration.ts";
import type { Db } from "../store/database.ts";
import { rulePage, ruleVersion } from "../store/lists.ts";

/**
 * Which version of the node a file is based on: `types/versions.json` in the folder of the side, or in `lib`, by the file's name without `.ts`. It tells a
 * file that was changed here from one that somebody else published over.
 */
export async function readBasis(folder: string, name: string): Promise<number | undefined> {
  return (await readAll(folder))[name];
}

export async function writeBasis(folder: string, name: string, number: number): Promise<void> {
  const path = pathIn(folder);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `${JSON.stringify({ ...(await readAll(folder)), [name]: number }, null, 2)}\n`);
}

const basis = z.record(z.string(), z.int());

async function readAll(folder: string): Promise<z.infer<typeof basis>> {
  // Nothing, or nothing usable, there: nothing is known of the files.
  return await readFile(pathIn(folder), "utf8").then(
    (text) => basis.parse(JSON.parse(text)),
    () => ({}),
  );
}

function pathIn(folder: string): string {
  return join(folder, "types", "versions.json");
}

export interface VersionText {
  readonly number: number;
  readonly source: string;
  readonly note: string;
  readonly author: string;
}

/** Every version of a rule with its text, oldest first. */
export async function versionsOf(db: Db, side: SideRow, direction: Direction): Promise<VersionText[]> {
  const found: VersionText[] = [];
  for (let after: string | undefined; ; ) {
    const { items, next } = await rulePage(
      db,
      { limit: 200, ...(after === undefined ? {} : { after }) },
      { connection: side.connectionName, side: side.name, direction, versions: true },
    );
    for (const { id } of items) {
      const version = await ruleVersion(db, id);
      if (version !== undefined) found.push(version);
    }
    if (next === null) return found;
    after = next;
  }
}

/** Says that a file is based on another version than the one that is active; undefined when it is not, or when both have the same text. */
export async function runOver(
  file: { readonly path: string; readonly folder: string; readonly name: string },
  active: number | undefined,
  versions: () => Promise<readonly VersionText[]>,
): Promise<string | undefined> {
  const number = await readBasis(file.folder, file.name);
  if (number === undefined || active === undefined || number === active) return undefined;
  const all = await versions();
  const now = all.find((version) => version.number === active);
  // A library was published: its rules have a new version, but the same text.
  if (now !== undefined && now.source === all.find((version) => version.number === number)?.source) return undefined;
  return `${file.path}: is based on version ${number}, but the node runs version ${active}${now === undefined ? "" : ` (${now.author}: ${now.note})`}.`;
}
