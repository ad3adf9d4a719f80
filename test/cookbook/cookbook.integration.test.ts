import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { FieldSchema, Json } from "../../connectors/connector.ts";
import { cookbook, type Recipe, readRecipes } from "../../engine/configuration/recipes.ts";
import { entityViewNames } from "../../engine/rules/run-input.ts";
import { differences } from "../../engine/rules/samples/difference.ts";
import type { ChangeOutcome, Outcome } from "../../engine/rules/samples/outcome.ts";
import { directions } from "../../engine/rules/samples/rule-folder.ts";
import { runSample } from "../../engine/rules/samples/run-sample.ts";
import type { Sample } from "../../engine/rules/samples/sample.ts";
import type { Program } from "../../engine/sandbox/sandbox.ts";
import { Kitchen } from "./kitchen.ts";
import { surroundingsOf } from "./recipes.ts";

const recipes = readRecipes();
let kitchen: Kitchen;

beforeAll(async () => {
  kitchen = await Kitchen.open();
});
afterAll(async () => {
  await kitchen.close();
});

describe("the cookbook", () => {
  test("has recipes for both ways between the platforms", () => {
    const ways = recipes.map((recipe) => `${recipe.outgoing.platform} → ${recipe.incoming.platform}`);
    expect(recipes.length).toBeGreaterThanOrEqual(32);
    for (const way of ["salesforce → servicenow", "servicenow → salesforce"]) expect(ways.filter((each) => each === way).length).toBeGreaterThan(10);
  });

  test("lists every recipe in its README, by its title, and no other", () => {
    const listed = [...readFileSync(join(cookbook, "README.md"), "utf8").matchAll(/\[([^\]]+)\]\(([a-z-]+)\/\)/g)].map(
      ([, title, name]) => `${name}: ${title}`,
    );
    expect([...new Set(listed)].toSorted()).toEqual(recipes.map(({ name, title }) => `${name}: ${title}`));
  });

  test("tells nothing twice", () => {
    expect(new Set(recipes.map(({ title }) => title.toLowerCase())).size).toBe(recipes.length);
    const alike = recipes.flatMap((one, index) =>
      recipes.slice(index + 1).flatMap((other) => {
        const likeness = likenessOf(one, other);
        return likeness > 0.6 ? [`${one.name} and ${other.name} share ${Math.round(likeness * 100)} % of their lines`] : [];
      }),
    );
    expect(alike).toEqual([]);
  });

  test("would notice a sample whose expected result is wrong", async () => {
    const recipe = recipes.find(({ name }) => name === "status-by-table");
    const chosen = recipe?.samples.find(({ name }) => name === "incoming-with-row.json");
    if (recipe === undefined || chosen === undefined) throw new Error("the sample that this test spoils is gone");
    const { outcome } = await runSample(kitchen.sandbox, await programOf(recipe, "incoming"), chosen.sample, surroundingsOf(recipe, "incoming"));
    expect(differences({ ...(chosen.sample.expected as ChangeOutcome), status: "On Hold" }, outcome).map(({ text }) => text)).toEqual([
      'status: expected "On Hold", got "In Progress"',
    ]);
  });
});

describe.each(recipes.map((recipe) => ({ name: recipe.name, recipe })))("the recipe $name", ({ recipe }) => {
  test("is complete: a page of one paragraph, both rules, samples for both directions", () => {
    const tables = Object.keys(recipe.mappings).length > 0 ? ["mappings.yaml"] : [];
    expect(recipe.files).toEqual(["README.md", "case.json", "incoming.ts", ...tables, "outgoing.ts", "samples"]);
    const [title, ...paragraphs] = recipe.readme.trim().split(/\n\n+/);
    expect(title).toBe(`# ${recipe.title}`);
    expect(paragraphs).toHaveLength(1);
    expect(paragraphs[0]?.length).toBeGreaterThan(150);
    for (const direction of directions) {
      const mine = recipe.samples.filter(({ sample }) => sample.direction === direction);
      expect(mine.length, direction).toBeGreaterThan(0);
      for (const { name, sample } of mine) {
        expect(name).toMatch(new RegExp(`^${direction}-[a-z-]+\\.json$`));
        expect(sample.note, `${name} says what it shows`).toMatch(/\w.*\.$/);
        expect(sample.expected, `${name} says what is expected`).toBeDefined();
      }
    }
  });

  test.each(directions)("has an %s rule without errors of type", async (direction) => {
    expect(await kitchen.compiled(recipe.name, recipe.rules[direction], { direction, ...recipe[direction] })).toHaveProperty("code");
  });

  test.each(recipe.samples)("gives what is expected on $name", async ({ sample }) => {
    const { outcome } = await runSample(kitchen.sandbox, await programOf(recipe, sample.direction), sample, surroundingsOf(recipe, sample.direction));
    expect(differences(sample.expected ?? { nothing: true }, outcome).map(({ text }) => text)).toEqual([]);
    expect(outcome).not.toHaveProperty("error");
  });

  test("fits together: what the outgoing rule sends is what the incoming rule is tried on", () => {
    const sent = recipe.samples.flatMap(({ sample: { expected } }) => (expected !== undefined && "replica" in expected ? [expected.replica] : []));
    const taken = recipe.samples.flatMap(({ sample }) => (sample.direction === "incoming" ? [sample.replica] : []));
    expect(sent).toContainEqual(expect.anything());
    expect(taken.filter((replica) => sent.some((each) => JSON.stringify(each) === JSON.stringify(replica)))).not.toEqual([]);
  });

  test("speaks of fields that the instances have, and writes only what they take", async () => {
    for (const { name, sample } of recipe.samples) {
      expect(await unknownFields(recipe, sample), name).toEqual([]);
      if (sample.direction === "incoming") expect(await unwritable(recipe, sample, sample.expected), name).toEqual([]);
    }
  });
});

async function programOf(recipe: Recipe, direction: "outgoing" | "incoming"): Promise<Program> {
  const compiled = await kitchen.compiled(recipe.name, recipe.rules[direction], { direction, ...recipe[direction] });
  if ("code" in compiled) return compiled;
  throw new Error(JSON.stringify(compiled, null, 2));
}

/** How many of the lines of both recipes stand in both, from 0 to 1. Every recipe has those that begin a record and set its text. */
function likenessOf(one: Recipe, other: Recipe): number {
  const [left, right] = [linesOf(one), linesOf(other)];
  return left.intersection(right).size / left.union(right).size;
}

function linesOf({ rules }: Recipe): Set<string> {
  const lines = directions.flatMap((direction) => rules[direction].split("\n").map((line) => `${direction} ${line.trim()}`));
  return new Set(lines.filter((line) => !/ (\/\/.*|[{}]*|)$/.test(line)));
}

const ownNames: ReadonlySet<string> = new Set(entityViewNames);

/** Fields of a sample's record that its type does not have. */
async function unknownFields(recipe: Recipe, { direction, entity }: Sample): Promise<string[]> {
  if (entity === undefined) return [];
  const fields = await fieldsOf(recipe, direction, entity.entityType);
  return Object.keys(entity).filter((name) => !ownNames.has(name) && !fields.has(name));
}

/** What of an expected result the platform would refuse, in words. */
async function unwritable(recipe: Recipe, sample: Sample, expected: Outcome | undefined): Promise<string[]> {
  if (expected === undefined || !("fields" in expected)) return [];
  const fields = await fieldsOf(recipe, "incoming", expected.entityType ?? sample.entity?.entityType ?? "");
  return Object.entries(expected.fields ?? {}).flatMap(([name, value]) => {
    const field = fields.get(name);
    if (field === undefined || field.readOnly) return [`${name} cannot be written`];
    return fits(value, field) ? [] : [`${name} does not take ${JSON.stringify(value)}`];
  });
}

async function fieldsOf(recipe: Recipe, direction: "outgoing" | "incoming", entityType: string): Promise<Map<string, FieldSchema>> {
  const [schema] = await kitchen.instances.schemas(recipe[direction].platform, [entityType]);
  return new Map(schema?.fields.map((field) => [field.name, field]));
}

function fits(value: Json, field: FieldSchema): boolean {
  if (value === null) return true;
  switch (field.type) {
    case "text":
    case "longText":
    case "richText":
      return typeof value === "string" && value.length <= (field.maxLength ?? Number.POSITIVE_INFINITY);
    case "choice":
      return field.closed === false || (field.choices ?? []).some((choice) => choice.value === value);
    case "reference":
      return typeof value === "string" || (typeof value === "object" && "id" in value && typeof value.id === "string");
    case "boolean":
      return typeof value === "boolean";
    case "integer":
    case "decimal":
      return typeof value === "number";
    case "date":
    case "instant":
      return typeof value === "string" && !Number.isNaN(Date.parse(value));
    default:
      return true;
  }
}
