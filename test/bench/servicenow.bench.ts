import { fork } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { Connector, EntityRef, WriteOperation } from "../../connectors/connector.ts";
import { servicenowConnector } from "../../connectors/servicenow/connector.ts";
import { seededAccounts } from "../../connectors/servicenow/simulator/simulator.ts";
import { generatedBytes } from "../../connectors/simulation/generated-bytes.ts";

/**
 * The ServiceNow connector by itself, against a simulated instance in a process of its own: calls for changed incidents with
 * comments, records per second when every call takes 150 ms, and memory while a large file goes through. Arguments: incidents
 * (1000), megabytes (1024).
 */
const incidents = Number(process.argv[2] ?? 1000);
const fileBytes = Number(process.argv[3] ?? 1024) * 1024 * 1024;
const latencyMs = 150;
const watch = { entityType: "incident", query: "active=true" };
const rows: [string, string][] = [];

const folder = await mkdtemp(join(tmpdir(), "isobridge-bench-servicenow-"));
const instance = fork(fileURLToPath(new URL("../../connectors/servicenow/simulator/simulator.process.ts", import.meta.url)), [folder]);
try {
  const [url] = (await once(instance, "message")) as [string];
  const { userName, password } = seededAccounts.integration;
  const connector = servicenowConnector({ url, auth: { type: "basic", username: userName }, deadlineSeconds: 600 }, { password });
  // First, while little else has taken memory that could be used again.
  await inMemory(url, connector);
  await inCalls(url, connector);
  await withLatency(url, connector);
  await connector.close();
  const width = Math.max(...rows.map(([name]) => name.length));
  console.log(rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`).join("\n"));
} finally {
  instance.kill();
  await rm(folder, { recursive: true, force: true });
}

async function inCalls(url: string, connector: Connector): Promise<void> {
  // A node that has been polling for a while knows the schema.
  let { cursor } = await drain(connector, (await connector.poll(watch, undefined, 1)).cursor);
  await changed(url, 1);
  const before = connector.calls();
  const { refs, cursor: next } = await readChanges(connector, cursor);
  rows.push([`calls to read ${refs.length} changed incidents with a comment each, polls included`, String(connector.calls() - before)]);
  cursor = next;
  const atWrite = connector.calls();
  await writeAll(connector, refs);
  rows.push([`calls to update ${refs.length} incidents and add a comment to each, reading back included`, String(connector.calls() - atWrite)]);
  const { cursor: settled } = await drain(connector, cursor);
  const atIdle = connector.calls();
  await connector.poll(watch, settled, connector.capabilities.batchSize);
  rows.push(["calls of a poll when nothing happened", String(connector.calls() - atIdle)]);
}

async function withLatency(url: string, connector: Connector): Promise<void> {
  const { cursor } = await drain(connector, (await connector.poll(watch, undefined, 1)).cursor);
  await changed(url, 2);
  await control(url, "latency", { ms: latencyMs });
  let began = performance.now();
  const { refs } = await readChanges(connector, cursor);
  rows.push([`incidents per second, polled and read with comments, ${latencyMs} ms a call`, perSecond(refs.length, began)]);
  began = performance.now();
  await writeAll(connector, refs);
  rows.push([`incidents per second, updated and commented on, ${latencyMs} ms a call`, perSecond(refs.length, began)]);
  await control(url, "latency", { ms: 0 });
}

async function inMemory(url: string, connector: Connector): Promise<void> {
  const [id = ""] = (await control(url, "tables/incident", [{ short_description: "large file", active: "false" }])) as string[];
  const ref = { type: "incident", id };
  const attach = async (bytes: number) => {
    const file = { table: "incident", recordId: id, fileName: "large.bin", type: "application/octet-stream", bytes };
    return ((await control(url, "attachments", file)) as { sys_id: string }).sys_id;
  };
  // Once in small, so that what the first transfer loads is not counted.
  await digest(await connector.openAttachment(ref, await attach(1_000_000)));
  const large = await attach(fileBytes);
  // One measure for both directions: memory that the first one leaves behind is not idle.
  const idle = process.memoryUsage.rss();
  const megabytes = Math.round(fileBytes / 1024 / 1024);
  const down = await peakAbove(idle, async () => await digest(await connector.openAttachment(ref, large)));
  rows.push([`memory above idle while ${megabytes} MB come down`, `${down.megabytes} MB (${down.seconds} s)`]);
  const operation: WriteOperation = {
    kind: "addAttachment",
    ref,
    filename: "up.bin",
    mimetype: "application/octet-stream",
    filesize: fileBytes,
    open: async () => Readable.from(generatedBytes(fileBytes), { objectMode: false }),
    marker: "bench",
  };
  const up = await peakAbove(idle, async () => {
    const [outcome] = await connector.write([operation]);
    if (outcome?.ok !== true) throw outcome?.error ?? new Error("The file was not written.");
  });
  rows.push([`memory above idle while ${megabytes} MB go up`, `${up.megabytes} MB (${up.seconds} s)`]);
}

/** Makes the incidents, with a comment each, as somebody else: one a second of the instance's time, the last of them a while ago. */
async function changed(url: string, round: number): Promise<void> {
  const began = Date.now() + round * 2 * incidents * 1000;
  const stampOf = (n: number) => new Date(began + n * 1000).toISOString().slice(0, 19).replace("T", " ");
  const ids = (await control(
    url,
    "tables/incident",
    Array.from({ length: incidents }, (_, n) => ({
      short_description: `Incident ${n}`,
      description: "x".repeat(500),
      active: "true",
      sys_created_on: stampOf(n),
      sys_updated_on: stampOf(n),
    })),
  )) as string[];
  await control(
    url,
    "tables/sys_journal_field",
    ids.map((element_id, n) => ({ element_id, name: "incident", element: "comments", value: `Comment ${round}`, sys_created_on: stampOf(n) })),
  );
  await control(url, "clock", { offsetMs: (round * 2 + 1.5) * incidents * 1000 });
}

async function readChanges(connector: Connector, cursor: string): Promise<{ readonly refs: EntityRef[]; readonly cursor: string }> {
  const drained = await drain(connector, cursor);
  const { batchSize } = connector.capabilities;
  for (let start = 0; start < drained.refs.length; start += batchSize) {
    for (const outcome of await connector.read(drained.refs.slice(start, start + batchSize))) {
      if (!outcome.ok) throw outcome.error;
      if (outcome.entity.comments.length === 0) throw new Error("An incident was read without its comment.");
    }
  }
  if (drained.refs.length !== incidents) throw new Error(`${drained.refs.length} of ${incidents} changes were seen.`);
  return drained;
}

async function drain(connector: Connector, from: string): Promise<{ readonly refs: EntityRef[]; readonly cursor: string }> {
  const refs = new Map<string, EntityRef>();
  for (let cursor = from; ; ) {
    const page = await connector.poll(watch, cursor, connector.capabilities.batchSize);
    for (const { ref } of page.changes) refs.set(ref.id, ref);
    cursor = page.cursor;
    if (!page.more) return { refs: [...refs.values()], cursor };
  }
}

async function writeAll(connector: Connector, refs: readonly EntityRef[]): Promise<void> {
  const { batchSize } = connector.capabilities;
  for (let start = 0; start < refs.length; start += batchSize) {
    const operations = refs.slice(start, start + batchSize).flatMap((ref): WriteOperation[] => [
      { kind: "update", ref, fields: { short_description: `written ${ref.id}`, urgency: "2" } },
      { kind: "addComment", ref, body: `Comment on ${ref.id}`, internal: false, marker: ref.id },
    ]);
    for (const outcome of await connector.write(operations)) {
      if (!outcome.ok) throw outcome.error;
      if (outcome.dropped !== undefined) throw new Error(`Not kept: ${outcome.dropped.join(", ")}`);
    }
  }
}

async function digest(stream: Readable): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of stream) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

/** The highest resident memory of this process during the work, above `idle` bytes. */
async function peakAbove(idle: number, work: () => Promise<unknown>): Promise<{ readonly megabytes: string; readonly seconds: string }> {
  let peak = process.memoryUsage.rss();
  const watching = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss());
  }, 20);
  const began = performance.now();
  await work();
  clearInterval(watching);
  return { megabytes: ((peak - idle) / 1024 / 1024).toFixed(0), seconds: ((performance.now() - began) / 1000).toFixed(1) };
}

function perSecond(count: number, began: number): string {
  return (count / ((performance.now() - began) / 1000)).toFixed(0);
}

async function control(url: string, path: string, body: unknown): Promise<unknown> {
  const response = await fetch(`${url}/__control/${path}`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`The simulator refused ${path}: ${response.status} ${await response.text()}`);
  const text = await response.text();
  return text === "" ? null : JSON.parse(text);
}
