import { withMappingTables } from "../rules/mapping-declarations.ts";
import type { SideRow } from "../store/configuration.ts";
import { activeVersions, declarationsBy } from "../store/drift.ts";
import { librariesOfVersion } from "../store/libraries.ts";
import type { Direction } from "../store/schema.ts";
import { librarySources } from "../sync/candidate.ts";
import { checkRule, RuleRefused } from "../sync/publish.ts";
import { ruleName } from "../sync/rule-run.ts";
import type { MappingTables } from "./mappings.ts";
import type { ApplyMeans } from "./plan.ts";

/**
 * What would break in a side's active rules if these were its tables of values: a rule that asks for a table that is gone, or for a value that no row has any
 * more, would find out with the next record. `directions` are those of the rules that stay as they are.
 */
export async function brokenByTables(means: ApplyMeans, side: SideRow, tables: MappingTables, directions: readonly Direction[]): Promise<string[]> {
  const problems: string[] = [];
  for (const version of await activeVersions(means.db, side.id)) {
    const before = directions.includes(version.direction) ? await declarationsBy(means.db, version.declarationsHash) : undefined;
    if (before === undefined) continue;
    const libraries = librarySources(await librariesOfVersion(means.db, version.versionId));
    const rule = { name: ruleName(side, version.direction), direction: version.direction, source: version.source };
    const broken = async (declarations: string): Promise<readonly string[]> =>
      await checkRule(means.compiler, { declarations, libraries }, rule).then(
        () => [],
        (error: unknown) => {
          if (error instanceof RuleRefused) return error.message.split("\n");
          throw error;
        },
      );
    const wrong = await broken(withMappingTables(before, version.direction, tables));
    // A version that was brought back although it did not check is no news.
    if (wrong.length > 0 && (await broken(before)).length === 0) problems.push(...wrong);
  }
  return problems;
}
