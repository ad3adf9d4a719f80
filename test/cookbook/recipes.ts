import type { Recipe } from "../../engine/configuration/recipes.ts";
import type { Direction } from "../../engine/rules/declarations.ts";
import type { Surroundings } from "../../engine/rules/samples/sample.ts";

/** What the rules of one side find around them. */
export function surroundingsOf(recipe: Recipe, direction: Direction): Surroundings {
  const names = { salesforce: "SF", servicenow: "SN" };
  const other = direction === "outgoing" ? "incoming" : "outgoing";
  const connection = { name: "support", local: names[recipe[direction].platform], remote: names[recipe[other].platform] };
  return { connection, mappings: direction === "incoming" ? recipe.mappings : {} };
}
