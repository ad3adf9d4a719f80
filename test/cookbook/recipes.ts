import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { type MappingTables, parseMappings } from "../../engine/configuration/mappings.ts";
import type { Direction } from "../../engine/rules/declarations.ts";
import { parseSample, type Sample, type Surroundings } from "../../engine/rules/samples/sample.ts";

export const cookbook = fileURLToPath(new URL("../../rules/cookbook/", import.meta.url));
export const directions = ["outgoing", "incoming"] as const;

/** The side that a rule is for, and whose records it speaks of. */
const side = z.strictObject({
  platform: z.enum(["salesforce", "servicenow"]),
  /** Those that the rule itself speaks of, and those that it looks up. */
  entityTypes: z.array(z.string()).min(1),
});

const caseFile = z.strictObject({ title: z.string().min(10).max(80), tags: z.array(z.string().regex(/^[a-z]+$/)).min(1), outgoing: side, incoming: side });

/** One folder of the cookbook. */
export interface Recipe extends z.infer<typeof caseFile> {
  readonly name: string;
  readonly readme: string;
  readonly files: readonly string[];
  readonly rules: Readonly<Record<Direction, string>>;
  /** The tables of the receiving side. */
  readonly mappings: MappingTables;
  readonly samples: readonly { readonly name: string; readonly sample: Sample }[];
}

export function readRecipes(): Recipe[] {
  return readdirSync(cookbook, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => readRecipe(name))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

function readRecipe(name: string): Recipe {
  const folder = join(cookbook, name);
  const text = (file: string) => readFileSync(join(folder, file), "utf8");
  const samples = readdirSync(join(folder, "samples")).map((file) => ({ name: file, sample: parseSample(text(`samples/${file}`), `${name}/samples/${file}`) }));
  return {
    ...caseFile.parse(JSON.parse(text("case.json"))),
    name,
    readme: text("README.md"),
    files: readdirSync(folder).toSorted(),
    mappings: existsSync(join(folder, "mappings.yaml")) ? readMappings(text("mappings.yaml"), `${name}/mappings.yaml`) : {},
    rules: { outgoing: text("outgoing.ts"), incoming: text("incoming.ts") },
    samples,
  };
}

function readMappings(text: string, path: string): MappingTables {
  const { tables, problems } = parseMappings(text, path);
  if (problems.length > 0) throw new Error(problems.join("\n"));
  return tables;
}

/** What the rules of one side find around them. */
export function surroundingsOf(recipe: Recipe, direction: Direction): Surroundings {
  const names = { salesforce: "SF", servicenow: "SN" };
  const other = direction === "outgoing" ? "incoming" : "outgoing";
  const connection = { name: "support", local: names[recipe[direction].platform], remote: names[recipe[other].platform] };
  return { connection, mappings: direction === "incoming" ? recipe.mappings : {} };
}
