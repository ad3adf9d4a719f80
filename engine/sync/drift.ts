import { ConnectorError } from "../../connectors/errors.ts";
import type { RuleCompiler } from "../rules/compile.ts";
import { declarationsHash, ruleDeclarations } from "../rules/declarations.ts";
import { takeChore } from "../store/chores.ts";
import { listSides, runSettings, type SideRow } from "../store/configuration.ts";
import { type ActiveVersion, activeVersions, declarationsBy, type FoundDrift, recordDrift } from "../store/drift.ts";
import { librariesOfVersion } from "../store/libraries.ts";
import { librarySources, schemasOfSide } from "./candidate.ts";
import { changedLines } from "./compare.ts";
import type { SyncContext } from "./context.ts";
import { ruleName } from "./rule-run.ts";

const everyMs = 3_600_000;
/** Lines of changed declarations that are kept to be shown. */
const mostLines = 200;

/** Looks for drift once an hour, whichever runner's turn it is; one that is `stopping` leaves the rest to the next turn. */
export async function hourlyDriftCheck(context: SyncContext, stopping: () => boolean = () => false): Promise<void> {
  const { compiler } = context;
  if (compiler === undefined || !(await takeChore(context.db, "drift", everyMs))) return;
  for (const side of await listSides(context.db)) {
    if (stopping()) return;
    if (!side.active) continue;
    await checkDrift(context, compiler, side).catch((error: unknown) => {
      // One side's trouble must not keep the others from being looked at.
      context.log.error({ err: error, connection: side.connectionName, side: side.name }, "Looking for drift failed inside Isobridge.");
    });
  }
}

/**
 * Compares what a side's active rules were checked against with what its instance has now. Where it changed, the rules are
 * checked again: what no longer fits is found before the next record runs into it. The result is kept and returned.
 */
export async function checkDrift(context: SyncContext, compiler: () => Promise<RuleCompiler>, side: SideRow): Promise<FoundDrift[]> {
  const versions = await activeVersions(context.db, side.id);
  if (versions.length === 0) return [];
  const found = await lookAt(context, compiler, side, versions);
  for (const each of found) {
    await recordDrift(context.db, each);
    if (each.breaks.length > 0) {
      context.log.warn(
        { connection: side.connectionName, side: side.name, direction: each.direction, breaks: each.breaks.length },
        "The schema changed, and the rule no longer checks.",
      );
    }
  }
  return found;
}

async function lookAt(context: SyncContext, compiler: () => Promise<RuleCompiler>, side: SideRow, versions: readonly ActiveVersion[]): Promise<FoundDrift[]> {
  const blank = { declarationsHash: null, changed: false, changes: [], breaks: [], problem: null };
  let schemas: Awaited<ReturnType<typeof schemasOfSide>>;
  // The pool's connectors believe a schema for some minutes; here the point is what it is now.
  const connector = await context.connectors.fresh(side.instanceId);
  try {
    schemas = await schemasOfSide(context, side, connector);
  } catch (error) {
    if (!(error instanceof ConnectorError)) throw error;
    const problem = { code: error.code, message: error.message, ...(error.advice === undefined ? {} : { advice: error.advice }) };
    return versions.map((version) => ({ ...blank, sideId: side.id, direction: version.direction, versionId: version.versionId, problem }));
  } finally {
    await connector.close();
  }
  const found: FoundDrift[] = [];
  const { mappings } = await runSettings(context.db, side.id);
  for (const version of versions) {
    const place = { sideId: side.id, direction: version.direction, versionId: version.versionId };
    const declarations = ruleDeclarations(version.direction, schemas, mappings);
    const hash = declarationsHash(declarations);
    if (hash === version.declarationsHash) {
      found.push({ ...blank, ...place, declarationsHash: hash });
      continue;
    }
    const before = await declarationsBy(context.db, version.declarationsHash);
    const lines = before === undefined ? [] : changedLines(before, declarations);
    // Those that are part of the version's program, which is what runs.
    const libraries = librarySources(await librariesOfVersion(context.db, version.versionId));
    const compiled = await (await compiler()).compile({ name: ruleName(side, version.direction), source: version.source, declarations, libraries });
    found.push({
      ...place,
      declarationsHash: hash,
      changed: true,
      changes: lines.slice(0, mostLines).map(({ op, text }) => ({ op: op === "-" ? "-" : "+", text })),
      breaks: compiled.ok ? [] : compiled.diagnostics,
      problem: null,
    });
  }
  return found;
}
