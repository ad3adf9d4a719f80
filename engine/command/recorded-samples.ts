import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ZodError } from "zod";
import type { Direction } from "../rules/declarations.ts";
import { sampleOfRun } from "../rules/samples/record-sample.ts";
import { recordedRun } from "../rules/samples/run-sample.ts";
import type { SideRow } from "../store/configuration.ts";
import type { Db } from "../store/database.ts";
import { lastRuns, type RecordedRun } from "../store/runs.ts";

/** Writes the last recorded runs of a rule as samples, with their answers and what they came to. A sample that is there already stays as it is. */
export async function recordedSamples(
  db: Db,
  side: SideRow,
  direction: Direction,
  most: number,
  folder: string,
): Promise<{ readonly written: string[]; readonly notes: string[] }> {
  const written: string[] = [];
  const notes: string[] = [];
  await mkdir(folder, { recursive: true });
  for (const run of await lastRuns(db, { sideId: side.id, direction, limit: most })) {
    const path = join(folder, `run-${run.number}-${direction}.json`);
    if (existsSync(path)) continue;
    const text = run.withheld !== null && run.withheld.cut.length > 0 ? undefined : sampleText(run);
    if (text === undefined) {
      notes.push(`Run ${run.number} of ${side.connectionName}/${side.name} was too large to be recorded whole and gives no sample.`);
      continue;
    }
    await writeFile(path, text);
    written.push(path);
    if (run.withheld !== null)
      notes.push(`${path}: marked fields or secrets are withheld; look at its expected result, or write one with \`isobridge test --update\`.`);
  }
  return { written, notes };
}

function sampleText(run: RecordedRun): string | undefined {
  try {
    const sample = sampleOfRun(recordedRun(run), `recorded ${run.createdAt.toISOString()}, version ${run.version}${run.key === null ? "" : `, ${run.key}`}`);
    return `${JSON.stringify(sample, null, 2)}\n`;
  } catch (error) {
    if (error instanceof ZodError) return undefined;
    throw error;
  }
}
