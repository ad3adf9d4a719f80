import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { findRecipe, type Recipe, readRecipes } from "../configuration/recipes.ts";
import { directions } from "../rules/samples/rule-folder.ts";
import { CommandProblem, exitCodes, type Report } from "./rule-command.ts";

export interface RecipeOptions {
  readonly name: string | undefined;
  readonly folder: string;
  /** `connection/side` that sends and that receives; undefined = tell of the recipe, copy nothing. */
  readonly from: string | undefined;
  readonly to: string | undefined;
  /** Replace rules that are there. */
  readonly force: boolean;
}

/** Lists the cookbook, tells of one recipe, or copies one into a folder of rules. */
export async function recipesCommand(options: RecipeOptions): Promise<Report> {
  const { name, from, to } = options;
  if (name === undefined) return listed(readRecipes());
  const recipe = findRecipe(name);
  if (recipe === undefined) throw new CommandProblem(exitCodes.misuse, `The cookbook has no recipe ${name}. \`isobridge recipes\` lists them.`);
  if (from === undefined && to === undefined) return told(recipe);
  if (from === undefined || to === undefined)
    throw new CommandProblem(exitCodes.misuse, "Both sides are needed: --from <connection>/<side> sends, --to <connection>/<side> receives.");
  return await copied(recipe, { ...options, from, to });
}

function listed(recipes: readonly Recipe[]): Report {
  const width = Math.max(...recipes.map(({ name }) => name.length));
  return {
    exitCode: exitCodes.fine,
    lines: [
      ...recipes.map(({ name, title, outgoing, incoming }) => `${name.padEnd(width)}  ${title} (${outgoing.platform} to ${incoming.platform})`),
      "",
      "More of one: isobridge recipes <name>",
    ],
    document: { recipes: recipes.map(({ name, title, tags, outgoing, incoming }) => ({ name, title, tags, outgoing, incoming })) },
  };
}

function told(recipe: Recipe): Report {
  const { name, title, about, outgoing, incoming, mappingsText, rules } = recipe;
  return {
    exitCode: exitCodes.fine,
    lines: [
      title,
      "",
      about,
      "",
      `Sends:    ${outgoing.platform}, ${outgoing.entityTypes.join(", ")}`,
      `Receives: ${incoming.platform}, ${incoming.entityTypes.join(", ")}`,
      "",
      `Take it:  isobridge recipes ${name} --from <connection>/<side> --to <connection>/<side>`,
    ],
    document: { name, title, about, outgoing, incoming, rules, mappings: mappingsText ?? null },
  };
}

async function copied(recipe: Recipe, { folder, from, to, force }: RecipeOptions & { readonly from: string; readonly to: string }): Promise<Report> {
  const places = { outgoing: join(folder, ...partsOf(from)), incoming: join(folder, ...partsOf(to)) };
  const files = new Map<string, string>();
  for (const direction of directions) {
    files.set(join(places[direction], `${direction}.ts`), recipe.rules[direction]);
    for (const { name, sample } of recipe.samples)
      if (sample.direction === direction) files.set(join(places[direction], "samples", name), `${JSON.stringify(sample, null, 2)}\n`);
  }
  const there = [...files.keys()].filter((path) => existsSync(path));
  if (there.length > 0 && !force)
    throw new CommandProblem(
      exitCodes.refused,
      `${there.map((path) => `${path} is there already.`).join("\n")}\nNothing was written; --force replaces what is there.`,
    );
  for (const [path, text] of files) {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
  }
  const tables =
    recipe.mappingsText === undefined
      ? []
      : ["", `It needs these tables in the configuration's \`mappings\` of ${to}; apply them before you check:`, recipe.mappingsText.trimEnd()];
  return {
    exitCode: exitCodes.fine,
    lines: [...[...files.keys()].map((path) => `written   ${path}`), ...tables, "", `Next: change what is yours, then isobridge check ${folder}`],
    document: { written: [...files.keys()], mappings: recipe.mappingsText ?? null },
  };
}

function partsOf(side: string): [string, string] {
  const [connection, name, ...more] = side.split("/");
  const plain = (part: string | undefined): part is string => part !== undefined && /^[^./\\][^/\\]*$/.test(part);
  if (!plain(connection) || !plain(name) || more.length > 0)
    throw new CommandProblem(exitCodes.misuse, `“${side}” is not a side: write it as <connection>/<side>, like support/SF.`);
  return [connection, name];
}
