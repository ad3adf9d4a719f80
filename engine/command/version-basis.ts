import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import type { Direction } from "../rules/declarations.ts";
import type { SideRow } from "../store/configuration.ts";
import type { Db } from "../store/database.ts";
import { rulePage, ruleVersion } from "../store/lists.ts";

/**
 * Which version of the node the files of a side are based on: `types/versions.json`. It tells a file that was changed here from one that
 * somebody else published over.
 */
export async function readBasis(side: string, direction: Direction): Promise<number | undefined> {
  return (await readAll(side))[direction];
}

export async function writeBasis(side: string, direction: Direction, number: number): Promise<void> {
  const path = pathIn(side);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `${JSON.stringify({ ...(await readAll(side)), [direction]: number }, null, 2)}\n`);
}

const basis = z.object({ outgoing: z.int().optional(), incoming: z.int().optional() });

async function readAll(side: string): Promise<z.infer<typeof basis>> {
  // Nothing, or nothing usable, there: nothing is known of the files.
  return await readFile(pathIn(side), "utf8").then(
    (text) => basis.parse(JSON.parse(text)),
    () => ({}),
  );
}

function pathIn(side: string): string {
  return join(side, "types", "versions.json");
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
