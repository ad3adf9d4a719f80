import { type Difference, differences } from "../rules/samples/difference.ts";
import type { Outcome } from "../rules/samples/outcome.ts";
import { type RecordedRun as Recorded, recordedRun, replay } from "../rules/samples/run-sample.ts";
import type { Program } from "../sandbox/sandbox.ts";
import type { ActiveRule, SideRow } from "../store/configuration.ts";
import { publishedVersion } from "../store/rule-versions.ts";
import { lastRuns, type RecordedRun } from "../store/runs.ts";
import type { Direction, RunId, VersionId } from "../store/schema.ts";
import type { SyncContext } from "./context.ts";
import { ruleName } from "./rule-run.ts";

/** Recorded runs gone through again with another text. */
export interface Shadow {
  /** Runs that could be gone through again. */
  readonly compared: number;
  readonly same: number;
  readonly different: readonly ShadowDifference[];
  /** Runs of which too much was left out when they were recorded. */
  readonly notReplayable: readonly { readonly run: RunId; readonly number: number; readonly why: string }[];
  /** Milliseconds. */
  readonly tookMs: number;
}

export interface ShadowDifference {
  readonly run: RunId;
  readonly number: number;
  /** The version that ran then. */
  readonly version: number;
  readonly key: string | null;
  readonly before: Outcome;
  readonly after: Outcome;
  readonly differences: readonly Difference[];
  /** True when values were withheld from the record: both texts were run on what is left. */
  readonly redacted: boolean;
}

/** Records are loaded and gone through in parts, since a thousand of them may be 256 MB. */
const atOnce = 100;

/** Goes through the last runs of a side's rule with another text and lists those whose result would differ. No platform is asked. */
export async function shadow(context: SyncContext, side: SideRow, direction: Direction, rule: ActiveRule, runs: number): Promise<Shadow> {
  const began = performance.now();
  const program: Program = { versionId: rule.versionId, name: ruleName(side, direction), code: rule.code };
  const versions = new Map<VersionId, Program>();
  const total = { compared: 0, different: [] as ShadowDifference[], notReplayable: [] as Shadow["notReplayable"][number][] };
  let before: number | undefined;
  for (let left = runs; left > 0; left -= atOnce) {
    const part = await lastRuns(context.db, { sideId: side.id, direction, limit: Math.min(atOnce, left), before });
    const again = await replayRuns(context, program, versions, part);
    total.compared += again.compared;
    total.different.push(...again.different);
    total.notReplayable.push(...again.notReplayable);
    before = part.at(-1)?.number;
    if (part.length < atOnce) break;
  }
  return { ...total, same: total.compared - total.different.length, tookMs: Math.round(performance.now() - began) };
}

/** The same for chosen runs. `versions` keeps the programs of other versions that had to be loaded. */
export async function replayRuns(
  context: SyncContext,
  program: Program,
  versions: Map<VersionId, Program>,
  rows: readonly RecordedRun[],
): Promise<Pick<Shadow, "compared" | "different" | "notReplayable">> {
  const notReplayable: Shadow["notReplayable"][number][] = [];
  const readable: { readonly row: RecordedRun; readonly recorded: Recorded }[] = [];
  for (const row of rows) {
    const why = notReplayableBecause(row);
    const recorded = why === undefined ? readRow(row) : undefined;
    if (recorded === undefined) notReplayable.push({ run: row.id, number: row.number, why: why ?? "what is recorded of it cannot be read" });
    else readable.push({ row, recorded });
  }
  const after = await replay(
    context.sandbox,
    program,
    readable.map(({ recorded }) => recorded),
  );
  const baselines = await baselinesOf(context, program.name, versions, readable);
  const different = readable.flatMap(({ row, recorded }, index): ShadowDifference[] => {
    const outcome = after[index]?.outcome;
    const baseline = baselines.get(row.id) ?? recorded.outcome;
    const found = outcome === undefined ? [] : differences(baseline, outcome);
    if (outcome === undefined || found.length === 0) return [];
    return [
      {
        run: row.id,
        number: row.number,
        version: row.version,
        key: row.key,
        before: baseline,
        after: outcome,
        differences: found,
        redacted: row.withheld !== null,
      },
    ];
  });
  return { compared: readable.length, different, notReplayable };
}

function notReplayableBecause({ withheld }: RecordedRun): string | undefined {
  const lost = (withheld?.cut ?? []).filter((path) => path.startsWith("input") || path.startsWith("calls"));
  return lost.length === 0 ? undefined : `it was too large to be recorded whole; left out: ${lost.join(", ")}`;
}

function readRow(row: RecordedRun): Recorded | undefined {
  try {
    return recordedRun({ ...row, error: row.error ?? undefined });
  } catch {
    return undefined;
  }
}

/** Where values were withheld, the recorded result says nothing about what another text makes of the rest: the version of then is run on it too. */
async function baselinesOf(
  context: SyncContext,
  name: string,
  versions: Map<VersionId, Program>,
  readable: readonly { readonly row: RecordedRun; readonly recorded: Recorded }[],
): Promise<Map<RunId, Outcome>> {
  const baselines = new Map<RunId, Outcome>();
  const byVersion = Map.groupBy(
    readable.filter(({ row }) => row.withheld !== null),
    ({ row }) => row.versionId,
  );
  for (const [versionId, group] of byVersion) {
    let program = versions.get(versionId);
    if (program === undefined) {
      const version = await publishedVersion(context.db, versionId);
      if (version === undefined) continue;
      program = { versionId, name, code: version.code };
      versions.set(versionId, program);
    }
    const again = await replay(
      context.sandbox,
      program,
      group.map(({ recorded }) => recorded),
    );
    for (const [index, { row }] of group.entries()) {
      const outcome = again[index]?.outcome;
      if (outcome !== undefined) baselines.set(row.id, outcome);
    }
  }
  return baselines;
}
