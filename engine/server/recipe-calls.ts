import { z } from "@hono/zod-openapi";
import { findRecipe, type Recipe, readRecipes } from "../configuration/recipes.ts";
import { type Api, addCall, found } from "./calls.ts";

const side = z.object({ platform: z.string(), entityTypes: z.array(z.string()) });
const summary = z
  .object({ name: z.string(), title: z.string(), about: z.string(), tags: z.array(z.string()), outgoing: side, incoming: side })
  .openapi("RecipeSummary");
const recipe = summary
  .extend({
    rules: z.object({ outgoing: z.string(), incoming: z.string() }),
    mappings: z.string().nullable().openapi({ description: "Tables that the receiving side needs, as they are written in the configuration" }),
    samples: z.array(z.object({ name: z.string(), sample: z.unknown() })),
  })
  .openapi("Recipe");

/** The cookbook, for an editor to offer as templates. */
export function addRecipeCalls(api: Api): void {
  addCall(
    api,
    {
      method: "get",
      path: "/api/recipes",
      summary: "List the cookbook's recipes",
      query: z.object({ outgoing: z.string().optional(), incoming: z.string().optional() }),
      description: "Templates for rules. With outgoing or incoming, only those whose sending or receiving side is of that platform.",
      answer: { status: 200, schema: z.object({ items: z.array(summary) }), description: "Recipes by name" },
    },
    async ({ query }) => ({
      items: readRecipes()
        .filter((each) => (query.outgoing ?? each.outgoing.platform) === each.outgoing.platform)
        .filter((each) => (query.incoming ?? each.incoming.platform) === each.incoming.platform)
        .map(summaryOf),
    }),
  );
  addCall(
    api,
    {
      method: "get",
      path: "/api/recipes/{name}",
      summary: "Read a recipe",
      params: z.object({ name: z.string() }),
      answer: { status: 200, schema: recipe, description: "Both rules, tables and samples" },
      errors: { 404: "No such recipe" },
    },
    async ({ params }) => {
      const one = found(findRecipe(params.name), `recipe ${params.name}`);
      return { ...summaryOf(one), rules: one.rules, mappings: one.mappingsText ?? null, samples: one.samples };
    },
  );
}

function summaryOf({ name, title, about, tags, outgoing, incoming }: Recipe): z.infer<typeof summary> {
  return { name, title, about, tags, outgoing, incoming };
}
