import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { simulatedAccounts, startSalesforceSimulator } from "../../connectors/salesforce/simulator/simulator.ts";
import { seededAccounts, startServiceNowSimulator } from "../../connectors/servicenow/simulator/simulator.ts";
import { removeEmbeddedPostgres } from "../../engine/store/embedded/start.ts";

/**
 * The main job as a whole: how soon, how fast, how large, and for how many platform calls. The node runs in processes of its
 * own, the simulators (no latency) in this one. Arguments: the number of incidents, 1000 unless given.
 */
const root = fileURLToPath(new URL("../..", import.meta.url));
const main = join(root, "engine", "main.ts");
const incidents = Number(process.argv[2] ?? 1000);
const folder = await mkdtemp(join(tmpdir(), "isobridge-bench-"));
const rows: [string, string][] = [];

try {
  rows.push(["npm start to first synced incident, new data folder", `${await firstSync(join(folder, "demo"))} s`]);
  rows.push(["npm start to first synced incident, second start", `${await firstSync(join(folder, "demo"))} s`]);
  await throughput();
  const width = Math.max(...rows.map(([name]) => name.length));
  console.log(rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`).join("\n"));
} finally {
  // As root the database lies elsewhere, where the server's user can reach it.
  for (const data of ["demo", "node"]) await removeEmbeddedPostgres(join(folder, data));
  await rm(folder, { recursive: true, force: true });
}

/** Seconds from starting the command to the line that tells of the first synced incident. */
async function firstSync(data: string): Promise<string> {
  const began = performance.now();
  const child = spawn(process.execPath, [join(root, "launch.mjs"), "start", "--once", "--data", data, "--port", "0"], { stdio: ["ignore", "pipe", "inherit"] });
  await lineOf(child, /incident created → case created/);
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  await once(child, "exit");
  return seconds;
}

async function throughput(): Promise<void> {
  const salesforce = await startSalesforceSimulator();
  const servicenow = await startServiceNowSimulator();
  const yaml = join(folder, "isobridge.yaml");
  await writeFile(yaml, configuration(salesforce.url, servicenow.url));
  const environment = { ...process.env, BENCH_SF: simulatedAccounts.app.clientSecret, BENCH_SN: seededAccounts.integration.password, ISOBRIDGE_LOG: "warn" };
  const data = join(folder, "node");
  const applied = spawn(process.execPath, [main, "apply", yaml, "--data", data], { stdio: ["ignore", "ignore", "inherit"], env: environment });
  if ((await once(applied, "exit"))[0] !== 0) throw new Error("The configuration could not be applied.");
  const node = spawn(process.execPath, [main, "serve", "--data", data, "--port", "0"], { stdio: ["ignore", "pipe", "inherit"], env: environment });
  try {
    await lineOf(node, /listens on/);
    await sleep(3_000);
    rows.push(["resident memory of the node at rest (all its processes)", `${await residentMegabytes(node)} MB`]);

    const calls = (): { salesforce: number; servicenow: number } => ({ salesforce: salesforce.server.requests.length, servicenow: servicenow.requests.length });
    forget();
    const ids: string[] = [];
    for (let index = 0; index < incidents; index++) {
      ids.push(servicenow.plant("incident", { short_description: `Incident ${index}`, description: "x".repeat(500), urgency: "1", impact: "1" }));
    }
    const created = await timed(() => salesforce.org.tables.count("Case") >= incidents);
    await quiet(calls);
    rows.push([`syncs per second, ${incidents} new incidents`, (incidents / created).toFixed(0)]);
    rows.push(["platform calls per new incident (with polls)", perChange(calls())]);

    forget();
    for (const id of ids) await change(id, { short_description: `Changed ${id}` });
    const changed = await timed(() => [...salesforce.org.tables.rows("Case")].every((row) => String(row["Subject"]).startsWith("Changed")));
    await quiet(calls);
    rows.push([`syncs per second, ${incidents} edited incidents (the edits are made meanwhile)`, (incidents / changed).toFixed(0)]);
    rows.push(["platform calls per edited incident (with polls)", perChange({ ...calls(), servicenow: calls().servicenow - incidents })]);
    rows.push(["resident memory of the node after that", `${await residentMegabytes(node)} MB`]);

    function forget(): void {
      salesforce.server.requests.length = 0;
      servicenow.forgetRequests();
    }
    async function change(sysId: string, fields: Record<string, string>): Promise<void> {
      const { userName, password } = seededAccounts.maya;
      const answer = await fetch(`${servicenow.url}/api/now/table/incident/${sysId}`, {
        method: "PATCH",
        headers: {
          "content-type": "application/json",
          accept: "application/json",
          authorization: `Basic ${Buffer.from(`${userName}:${password}`).toString("base64")}`,
        },
        body: JSON.stringify(fields),
      });
      if (!answer.ok) throw new Error(`The edit was refused: ${answer.status}`);
      await answer.arrayBuffer();
    }
  } finally {
    node.kill("SIGTERM");
    await once(node, "exit");
    await salesforce.close();
    await servicenow.close();
  }
}

function perChange(calls: { salesforce: number; servicenow: number }): string {
  return `Salesforce ${(calls.salesforce / incidents).toFixed(3)}, ServiceNow ${(calls.servicenow / incidents).toFixed(3)}`;
}

/** Seconds until it is so. */
async function timed(done: () => boolean): Promise<number> {
  const began = performance.now();
  while (!done()) {
    if (performance.now() - began > 300_000) throw new Error("It took longer than five minutes.");
    await sleep(20);
  }
  return (performance.now() - began) / 1000;
}

/** Waits until only polls go on: reading back and acknowledging belong to the changes. */
async function quiet(calls: () => { salesforce: number; servicenow: number }): Promise<void> {
  for (let last = -1, rounds = 0; rounds < 3; ) {
    await sleep(500);
    const now = calls().salesforce + calls().servicenow;
    rounds = now - last < 12 ? rounds + 1 : 0;
    last = now;
  }
}

async function lineOf(child: ChildProcess, wanted: RegExp): Promise<void> {
  let text = "";
  await new Promise<void>((resolve, reject) => {
    child.stdout?.on("data", (part: Buffer) => {
      if (wanted.test(text)) return;
      text += part.toString();
      if (wanted.test(text)) resolve();
    });
    child.once("exit", () => reject(new Error(`The process ended without saying ${wanted}:\n${text}`)));
  });
}

/** Resident memory of a process and all below it. Pages shared by PostgreSQL's processes are counted once a process, so this is an upper bound. */
async function residentMegabytes(child: ChildProcess): Promise<string> {
  const children = new Map<number, number[]>();
  const resident = new Map<number, number>();
  for (const entry of await readdir("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const status = await readFile(`/proc/${entry}/status`, "utf8").catch(() => "");
    const parent = Number(/^PPid:\s+(\d+)/m.exec(status)?.[1] ?? -1);
    children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
    resident.set(Number(entry), Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) - Number(/^RssShmem:\s+(\d+)/m.exec(status)?.[1] ?? 0));
  }
  const sum = (pid: number): number => (resident.get(pid) ?? 0) + (children.get(pid) ?? []).reduce((total, below) => total + sum(below), 0);
  return (sum(child.pid ?? 0) / 1024).toFixed(0);
}

function configuration(salesforceUrl: string, servicenowUrl: string): string {
  return `version: 1
instances:
  sales:
    platform: salesforce
    url: ${salesforceUrl}
    auth: { type: client-credentials, clientId: ${simulatedAccounts.app.clientId} }
    secrets: { clientSecret: { env: BENCH_SF } }
    poll: 1s
  helpdesk:
    platform: servicenow
    url: ${servicenowUrl}
    auth: { type: basic, username: ${seededAccounts.integration.userName} }
    secrets: { password: { env: BENCH_SN } }
    poll: 1s
connections:
  support:
    left: { instance: sales, name: SF }
    right: { instance: helpdesk, name: SN, triggers: [{ entityType: incident, query: urgency=1 }] }
`;
}
