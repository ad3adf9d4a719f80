import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type MappingTables, parseMappings } from "../configuration/mappings.ts";
import { RuleFolderError } from "../rules/samples/rule-folder.ts";

/** The tables of values that stand beside a side's rules; none where there is no `mappings.yaml`. */
export async function tablesOfSide(side: string): Promise<MappingTables> {
  const path = join(side, "mappings.yaml");
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw new RuleFolderError(`${path} cannot be read (${error.code ?? error.message}).`);
  });
  if (text === undefined) return {};
  const { tables, problems } = parseMappings(text, path);
  if (problems.length > 0) throw new RuleFolderError(problems.join("\n"));
  return tables;
}
