import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type MappingTables, parseMappings } from "../configuration/mappings.ts";
import { RuleFolderError, surroundingsOf } from "../rules/samples/rule-folder.ts";

/**
 * The tables of values of a side: those that its node had at the last pull, and those of the `mappings.yaml` beside its rules, which come first. Undefined
 * where there is no such file.
 */
export async function tablesOfSide(side: string): Promise<MappingTables | undefined> {
  const path = join(side, "mappings.yaml");
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw new RuleFolderError(`${path} cannot be read (${error.code ?? error.message}).`);
  });
  if (text === undefined) return undefined;
  const { tables, problems } = parseMappings(text, path);
  if (problems.length > 0) throw new RuleFolderError(problems.join("\n"));
  return { ...(await surroundingsOf(side)).mappings, ...tables };
}
