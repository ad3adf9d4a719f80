import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

const main = fileURLToPath(new URL("../../engine/main.ts", import.meta.url));
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "isobridge-start-"));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** Runs `isobridge start` on the folder, as a group of processes that can be killed as a whole. */
function start(...more: string[]): { readonly said: string[]; readonly ended: Promise<number | null>; kill(): void } {
  const { DATABASE_URL: _, ...env } = process.env;
  const child = spawn(process.execPath, [main, "start", "--data", folder, "--port", "0", ...more], { detached: true, env, stdio: ["ignore", "pipe", "pipe"] });
  const said: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes: Buffer) => said.push(bytes.toString()));
  return {
    said,
    ended: once(child, "exit").then(([code]) => code as number | null),
    kill() {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    },
  };
}

test("the demonstration, killed with -9 in the middle with all of its processes, starts again, ends well and doubles nothing", async () => {
  for (const moment of ["is case", "attaches a screenshot"]) {
    const victim = start();
    while (!victim.said.join("").includes(moment)) {
      if (await Promise.race([victim.ended.then(() => true), sleep(20).then(() => false)])) throw new Error(victim.said.join(""));
    }
    victim.kill();
    await victim.ended;
  }
  const last = start("--once");
  expect(await last.ended, last.said.join("")).toBe(0);

  // What the simulated platforms kept on disk. Each showing opens one urgent incident, which has one case.
  const incidents = (await rowsOf("servicenow", "incident")).filter((row) => row["urgency"] === "1");
  const cases = await rowsOf("salesforce", "Case");
  expect(incidents).toHaveLength(3);
  expect(cases.map((row) => row["Subject"]).toSorted()).toEqual(incidents.map((row) => row["short_description"]).toSorted());
  const onCases = (await rowsOf("salesforce", "CaseComment")).map((row) => `${String(row["ParentId"])} ${String(row["CommentBody"])}`);
  expect(new Set(onCases).size).toBe(onCases.length);
  const onIncidents = (await rowsOf("servicenow", "sys_journal_field")).map(
    (row) => `${String(row["element_id"])} ${String(row["element"])} ${String(row["value"])}`,
  );
  expect(new Set(onIncidents).size).toBe(onIncidents.length);
  const files = (await rowsOf("salesforce", "ContentDocumentLink"))
    .filter((row) => cases.some((record) => record["Id"] === row["LinkedEntityId"]))
    .map((row) => String(row["LinkedEntityId"]));
  expect(new Set(files).size).toBe(files.length);
}, 180_000);

/** The rows that a simulator's journal leaves, as it would read them when it starts again. */
async function rowsOf(simulator: string, table: string): Promise<Record<string, unknown>[]> {
  const rows = new Map<string, Record<string, unknown>>();
  for (const line of (await readFile(join(folder, "simulators", simulator, "journal.jsonl"), "utf8")).split("\n")) {
    if (line === "") continue;
    const entry = JSON.parse(line) as { table: string; id: string; row: Record<string, unknown> | null };
    if (entry.table !== table) continue;
    if (entry.row === null) rows.delete(entry.id);
    else rows.set(entry.id, entry.row);
  }
  return [...rows.values()];
}
