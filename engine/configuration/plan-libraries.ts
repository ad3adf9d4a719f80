import { join } from "node:path";
import { librariesIn, RuleFolderError } from "../rules/samples/rule-folder.ts";
import type { Db } from "../store/database.ts";
import { activeLibraries } from "../store/libraries.ts";
import { librarySources } from "../sync/candidate.ts";
import { type CheckedLibraries, checkLibraries, type IsOtherwiseChanged, type LibraryText } from "../sync/libraries.ts";
import { followersTried } from "../sync/library-publishing.ts";
import { RuleRefused } from "../sync/publish.ts";
import { SamplesFail } from "../sync/publishing.ts";
import { type Configuration, ConfigurationError } from "./file.ts";
import type { ApplyMeans, PlanStep } from "./plan.ts";

/** The shared libraries as they will be. */
export interface Libraries {
  /** All that rules may import, by the name behind `lib/`: those of the folder, and those of the node that it does not have. */
  readonly sources: Readonly<Record<string, string>>;
  /** Those whose text is not the one that rules are compiled with now. */
  readonly changed: readonly LibraryText[];
}

/** Reads `<rules>/lib/*.ts`. Throws {@link ConfigurationError} for a file that cannot be one. */
export async function readLibraries(db: Db, { rulesFolder }: Configuration): Promise<Libraries> {
  const active = librarySources(await activeLibraries(db));
  const own = await librariesIn(rulesFolder).catch((error: unknown) => {
    throw error instanceof RuleFolderError ? new ConfigurationError([error.message]) : error;
  });
  const changed = Object.entries(own).flatMap(([name, source]) => (active[name] === source ? [] : [{ name, source }]));
  return { sources: { ...active, ...own }, changed };
}

export interface LibrariesPlan {
  readonly checked: CheckedLibraries;
  readonly steps: readonly PlanStep[];
}

/** Checks the changed libraries and the rules that have to follow them; what is wrong goes to `problems`. */
export async function planLibraries(
  means: ApplyMeans,
  { rulesFolder }: Configuration,
  { changed }: Libraries,
  problems: string[],
  isOtherwiseChanged: IsOtherwiseChanged,
): Promise<LibrariesPlan> {
  const none: LibrariesPlan = { checked: { libraries: [], rules: [] }, steps: [] };
  if (changed.length === 0) return none;
  try {
    const found = await checkLibraries(means.db, means.compiler, changed, isOtherwiseChanged);
    const checked = found.rules.length > 0 && means.context !== undefined ? await followersTried(await means.context(), found, {}) : found;
    return {
      checked,
      steps: checked.libraries.map(({ name }) => ({
        action: "publish",
        what: `library ${name}`,
        detail: [`from ${join(rulesFolder, "lib", `${name}.ts`)}`, ...following(checked, name)].join("; "),
      })),
    };
  } catch (error) {
    if (error instanceof RuleRefused) problems.push(...error.message.split("\n"));
    else if (error instanceof SamplesFail) problems.push(error.message);
    else throw error;
    return none;
  }
}

function following({ rules }: CheckedLibraries, name: string): string[] {
  const followers = rules.filter(({ uses }) => uses.includes(name)).map(({ side, checked }) => `${side.connectionName}/${side.name}/${checked.direction}.ts`);
  return followers.length === 0 ? [] : [`with ${followers.join(", ")}`];
}
