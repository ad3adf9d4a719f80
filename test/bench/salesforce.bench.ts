/**
 * What the Salesforce connector costs: platform calls and time for changed cases with comments, at the latency of a real org, and the
 * memory that a big file takes on its way. The simulator runs in a process of its own. What has to hold: at most 15 calls to read 1 000
 * changed cases and at most 15 to write them, each with comments; at most 100 MB more than idle while 1 GB is streamed.
 * Arguments: the number of cases, 1000 unless given; the size of the file in MB, 1024 unless given.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import type { EntityRef, WriteOperation, WriteOutcome } from "../../connectors/connector.ts";
import { salesforceConfig, salesforceConnector } from "../../connectors/salesforce/connector.ts";
import { simulatedAccounts } from "../../connectors/salesforce/simulator/simulator.ts";

const cases = Number(process.argv[2] ?? 1_000);
const megabytes = Number(process.argv[3] ?? 1_024);
const latencyMs = 150;
const pageSize = 200;
const watch = { entityType: "Case", query: "" };

const folder = await mkdtemp(join(tmpdir(), "isobridge-bench-"));
const simulator = startSimulator(folder);
try {
  const url = await firstLine(simulator);
  const { clientId, clientSecret } = simulatedAccounts.app;
  const connector = salesforceConnector(salesforceConfig.parse({ url, auth: { type: "client-credentials", clientId } }), { clientSecret });
  await connector.check();
  await connector.describe("Case");
  const control = async (path: string, body: unknown) => await fetch(`${url}/__control/${path}`, { method: "POST", body: JSON.stringify(body) });
  const measured = async <T>(work: () => Promise<T>) => {
    const [calls, began] = [connector.calls(), performance.now()];
    const value = await work();
    return { value, calls: connector.calls() - calls, seconds: (performance.now() - began) / 1000 };
  };

  const { cursor } = await connector.poll(watch, undefined, pageSize);
  await control("seed", { object: "Case", count: cases, fields: { Subject: "changed", Description: "x".repeat(500) } });
  const rows: (readonly [string, number, number])[] = [];
  const add = (name: string, { calls, seconds }: { readonly calls: number; readonly seconds: number }) => rows.push([name, calls, seconds]);

  const refs = (await pollAll(cursor)).value;
  await inPages(refs, (page) => connector.write(page.map((ref) => commentOn(ref))));
  await control("latency", { ms: latencyMs });
  add("poll: changed cases, and which state each is in", await pollAll(cursor));
  add("read: whole, with a comment each", await measured(() => inPages(refs, (page) => connector.read(page))));
  const updates = (page: readonly EntityRef[], text: string): WriteOperation[] =>
    page.map((ref) => ({ kind: "update", ref, fields: { Subject: text, Priority: "High" } }));
  add("write: updates, read back", await measured(() => inPages(refs, (page) => written(updates(page, "a")))));
  add("write: a comment each", await measured(() => inPages(refs, (page) => written(page.map((ref) => commentOn(ref))))));
  add(
    "write: both together, in order on each case",
    await measured(() => inPages(refs, (page) => written([...updates(page, "b"), ...page.map((ref) => commentOn(ref))]))),
  );
  const created = (n: number): WriteOperation[] =>
    Array.from({ length: n }, () => ({ kind: "create", entityType: "Case", fields: { Subject: "new" }, marker: crypto.randomUUID() }));
  add("write: new cases by external id, read back", await measured(() => inPages(refs, (page) => written(created(page.length)))));
  await control("latency", { ms: 0 });

  console.log(`  ${cases} cases, ${latencyMs} ms latency, ${pageSize} at a time                 calls   records/s`);
  for (const [name, calls, seconds] of rows) console.log(`  ${name.padEnd(52)} ${String(calls).padStart(6)} ${(cases / seconds).toFixed(0).padStart(11)}`);

  const [ref] = refs;
  if (ref === undefined) throw new Error("No case to hang a file on.");
  // A first file, so that what is loaded once does not count.
  await streamed(8);
  const bytes = megabytes * 1_048_576;
  console.log(`\n  a file of ${megabytes} MB        seconds   MB/s   resident memory above idle (MB)`);
  for (const line of await streamed(megabytes)) console.log(line);

  async function streamed(size: number): Promise<string[]> {
    const upload = await withMemory(async () => idOf((await connector.write([fileOn(ref as EntityRef, size)]))[0])); // tested above
    const download = await withMemory(async () => {
      let read = 0;
      for await (const piece of await connector.openAttachment(ref as EntityRef, upload.value)) read += (piece as Buffer).length; // a byte stream
      return read;
    });
    if (size === megabytes && download.value !== bytes) throw new Error(`${download.value} bytes came back of ${bytes}.`);
    return [lineOf("upload", size, upload), lineOf("download", size, download)];
  }

  async function pollAll(from: string) {
    return await measured(async () => {
      const found: EntityRef[] = [];
      for (let at = from, more = true; more; ) {
        const page = await connector.poll(watch, at, pageSize);
        found.push(...page.changes.map((change) => change.ref));
        ({ cursor: at, more } = page);
      }
      return found;
    });
  }

  async function written(operations: readonly WriteOperation[]): Promise<void> {
    for (const outcome of await connector.write(operations)) idOf(outcome);
  }
} finally {
  simulator.kill();
  await rm(folder, { recursive: true, force: true });
}

function commentOn(ref: EntityRef): WriteOperation {
  return { kind: "addComment", ref, body: "y".repeat(200), internal: false, marker: "" };
}

function fileOn(ref: EntityRef, size: number): WriteOperation {
  const piece = Buffer.alloc(65_536, "z");
  const open = async () => Readable.from(pieces(size * 16), { objectMode: false });
  return {
    kind: "addAttachment",
    ref,
    filename: "big.bin",
    mimetype: "application/octet-stream",
    filesize: size * 1_048_576,
    open,
    marker: crypto.randomUUID(),
  };

  function* pieces(count: number): Generator<Buffer> {
    for (let i = 0; i < count; i++) yield piece;
  }
}

async function inPages(refs: readonly EntityRef[], work: (page: readonly EntityRef[]) => Promise<unknown>): Promise<void> {
  for (let i = 0; i < refs.length; i += pageSize) await work(refs.slice(i, i + pageSize));
}

/** The most resident memory above what there was before, looked at every 20 ms. */
async function withMemory<T>(work: () => Promise<T>): Promise<{ readonly value: T; readonly seconds: number; readonly above: number }> {
  const idle = process.memoryUsage.rss();
  let most = idle;
  const timer = setInterval(() => {
    most = Math.max(most, process.memoryUsage.rss());
  }, 20);
  const began = performance.now();
  try {
    const value = await work();
    return { value, seconds: (performance.now() - began) / 1000, above: (most - idle) / 1_048_576 };
  } finally {
    clearInterval(timer);
  }
}

function lineOf(name: string, size: number, { seconds, above }: { readonly seconds: number; readonly above: number }): string {
  return `  ${name.padEnd(22)} ${seconds.toFixed(1).padStart(8)} ${(size / seconds).toFixed(0).padStart(6)} ${above.toFixed(0).padStart(12)}`;
}

function idOf(outcome: WriteOutcome | undefined): string {
  if (outcome?.ok) return outcome.id;
  throw outcome?.error ?? new Error("no outcome");
}

function startSimulator(data: string): ChildProcess {
  const module = new URL("../../connectors/salesforce/simulator/simulator.ts", import.meta.url).href;
  const source = `const { startSalesforceSimulator } = await import(${JSON.stringify(module)});
    console.log((await startSalesforceSimulator({ folder: ${JSON.stringify(data)} })).url);`;
  return spawn(process.execPath, ["--input-type=module", "--no-warnings", "--eval", source], { stdio: ["ignore", "pipe", "inherit"] });
}

async function firstLine(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error("The simulator has no output.");
  const [line] = (await once(createInterface(child.stdout), "line")) as [string];
  return line;
}
