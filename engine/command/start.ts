import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Logger, pino } from "pino";
import { applyConfiguration } from "../configuration/apply.ts";
import { parseConfiguration } from "../configuration/file.ts";
import { type Fact, playStory } from "../demo/story.ts";
import { startWorld, type World } from "../demo/world.ts";
import { createApp } from "../server/app.ts";
import { listen, PortUnavailable } from "../server/listen.ts";
import { type OpenNode, openNode } from "../server/node.ts";
import { replaceToken } from "../store/tokens.ts";
import { Runner } from "../sync/runner.ts";
import { untilAskedToStop } from "./shutdown.ts";

export interface StartOptions {
  readonly once: boolean;
  readonly folder: string;
  readonly port: number | undefined;
  readonly databaseUrl?: string | undefined;
  readonly key?: string | undefined;
}

const defaultPort = 8480;

/** Shows the product at work between two simulated platforms; with `once` checks every claim and sets the exit code. */
export async function startCommand(options: StartOptions): Promise<void> {
  const began = Date.now();
  const tell = (line: string): void => void process.stdout.write(`${clock(Date.now() - began)}  ${line}\n`);
  const stop = untilAskedToStop();
  await mkdir(options.folder, { recursive: true });
  const logFile = join(options.folder, "node.log");
  const log = pino({ level: process.env["ISOBRIDGE_LOG"] ?? "info" }, pino.destination({ dest: logFile, sync: true, append: true }));
  const node = await openNode({ folder: options.folder, databaseUrl: options.databaseUrl, key: options.key, log, join: false });
  tell(options.databaseUrl === undefined || options.databaseUrl === "" ? "PostgreSQL is up, in a folder of its own." : "Using the PostgreSQL at DATABASE_URL.");
  try {
    const world = await startWorld(join(options.folder, "simulators"));
    try {
      tell(`A simulated Salesforce org listens on ${world.salesforce.url}, a simulated ServiceNow instance on ${world.servicenow.url}`);
      await connect(options, node, world, tell);
      await work({ options, node, world, log, tell, stop, logFile });
    } finally {
      await world.close();
    }
  } finally {
    await node.close();
  }
}

async function connect(options: StartOptions, node: OpenNode, world: World, tell: (line: string) => void): Promise<void> {
  const file = join(options.folder, "isobridge.yaml");
  await writeFile(file, world.configuration);
  const means = { db: node.db, vault: node.vault, compiler: await node.compiler(), environment: world.environment };
  const plan = await applyConfiguration(means, parseConfiguration(world.configuration, file), { dryRun: false, author: "demonstration" });
  tell(
    plan.steps.length === 0
      ? "They are connected already, as last time."
      : "Connected them: default rules published on both sides, trigger urgency=1 on incident.",
  );
}

interface Scene {
  readonly options: StartOptions;
  readonly node: OpenNode;
  readonly world: World;
  readonly log: Logger;
  readonly tell: (line: string) => void;
  readonly stop: Promise<NodeJS.Signals>;
  readonly logFile: string;
}

async function work({ options, node, world, tell, stop, logFile }: Scene): Promise<void> {
  const context = await node.context();
  const app = createApp({ context, compiler: node.compiler });
  const server = await listen(app, { host: "127.0.0.1", port: options.port ?? defaultPort }).catch(async (error: unknown) => {
    // Only a port that somebody asked for is worth an error.
    if (options.port === undefined && error instanceof PortUnavailable) return await listen(app, { host: "127.0.0.1", port: 0 });
    throw error;
  });
  const runner = await Runner.start(context, { databaseUrl: node.databaseUrl });
  tell(`The node is at work; its API listens on ${server.url}`);
  try {
    const story = playStory({ world, tell, patienceMs: 30_000, quietMs: 4_000 });
    const facts = await Promise.race([story, stop.then(() => undefined)]);
    if (facts === undefined) return;
    if (options.once) {
      process.stdout.write(table(facts));
      process.exitCode = facts.every((fact) => fact.holds) ? 0 : 1;
      return;
    }
    process.stdout.write(`${await whereToLook(options, node, world, server.url, logFile)}\n`);
    await stop;
    tell("Stopping: finishing what is in hand.");
  } finally {
    await server.close();
    await runner.stop();
  }
}

async function whereToLook(options: StartOptions, node: OpenNode, world: World, api: string, logFile: string): Promise<string> {
  const token = await replaceToken(node.db, "demonstration");
  const { desk } = world;
  return `
The node stays up. Where to look:
  health       ${api}/healthz
  metrics      ${api}/metrics
  API          curl -H "Authorization: Bearer ${token}" ${api}/api/twins
               (described at ${api}/api/openapi.json)
  log          ${logFile}
  settings     ${join(options.folder, "isobridge.yaml")}
Make something happen, for example an incident as ${desk.name}:
  curl -u ${desk.login} -H "Content-Type: application/json" -H "Accept: application/json" \\
    -d '{"short_description":"Made by hand","urgency":"1"}' ${world.servicenow.url}/api/now/table/incident
and see its case in the simulated org:
  curl "${world.salesforce.url}/__control/tables/Case"
Stop with Ctrl+C.`;
}

function table(facts: readonly Fact[]): string {
  const width = Math.max(...facts.map((fact) => fact.claim.length));
  const lines = facts.map((fact) => `  ${fact.holds ? "yes" : "NO "}  ${fact.claim.padEnd(width)}  ${fact.found}`);
  const held = facts.filter((fact) => fact.holds).length;
  return `\n  holds  claim\n${lines.join("\n")}\n\n${held} of ${facts.length} hold.\n`;
}

/** Minutes, seconds and tenths since the start. */
function clock(ms: number): string {
  const tenths = Math.floor(ms / 100);
  return `${String(Math.floor(tenths / 600)).padStart(2, "0")}:${String(Math.floor(tenths / 10) % 60).padStart(2, "0")}.${tenths % 10}`;
}
