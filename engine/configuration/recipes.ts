import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import type { Direction } from "../rules/declarations.ts";
import { parseSample, type Sample } from "../rules/samples/sample.ts";
import { type MappingTables, parseMappings } from "./mappings.ts";

export const cookbook = fileURLToPath(new URL("../../rules/cookbook/", import.meta.url));
/** The side that a rule is for, and whose records it speaks of. */
const side = z.strictObject({
  platform: z.enum(["salesforce", "servicenow"]),
  /** Those that the rule itself speaks of, and those that it looks up. */
  entityTypes: z.array(z.string()).min(1),
});

const caseFile = z.strictObject({ title: z.string().min(10).max(80), tags: z.array(z.string().regex(/^[a-z]+$/)).min(1), outgoing: side, incoming: side });

/** One folder of the cookbook: a use case to copy from. */
export interface Recipe extends z.infer<typeof caseFile> {
  readonly name: string;
  readonly readme: string;
  /** Its paragraph. */
  readonly about: string;
  readonly files: readonly string[];
  readonly rules: Readonly<Record<Direction, string>>;
  /** The tables of the receiving side. */
  readonly mappings: MappingTables;
  /** The same as an administrator writes them; undefined where the recipe needs none. */
  readonly mappingsText: string | undefined;
  readonly samples: readonly { readonly name: string; readonly sample: Sample }[];
}

/** Every recipe, by name. They come with the product; one that is broken is a defect and throws. */
export function readRecipes(): Recipe[] {
  return readdirSync(cookbook, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => readRecipe(name))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** One recipe by its name, if there is such a one. */
export function findRecipe(name: string): Recipe | undefined {
  return readRecipes().find((recipe) => recipe.name === name);
}

function readRecipe(name: string): Recipe {
  const folder = join(cookbook, name);
  const text = (file: string) => readFileSync(join(folder, file), "utf8");
  const samples = readdirSync(join(folder, "samples")).map((file) => ({ name: file, sample: parseSample(text(`samples/${file}`), `${name}/samples/${file}`) }));
  const readme = text("README.md");
  const mappingsText = existsSync(join(folder, "mappings.yaml")) ? text("mappings.yaml") : undefined;
  return {
    ...caseFile.parse(JSON.parse(text("case.json"))),
    name,
    readme,
    about: readme.split(/\n\n+/).slice(1).join("\n\n").trim(),
    files: readdirSync(folder).toSorted(),
    mappings: mappingsText === undefined ? {} : readMappings(mappingsText, `${name}/mappings.yaml`),
    mappingsText,
    rules: { outgoing: text("outgoing.ts"), incoming: text("incoming.ts") },
    samples,
  };
}

function readMappings(text: string, path: string): MappingTables {
  const { tables, problems } = parseMappings(text, path);
  if (problems.length > 0) throw new Error(problems.join("\n"));
  return tables;
}
