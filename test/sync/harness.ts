import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { sql } from "kysely";
import { pino } from "pino";
import {
  type SalesforceSimulator,
  type SalesforceSimulatorOptions,
  simulatedAccounts,
  startSalesforceSimulator,
} from "../../connectors/salesforce/simulator/simulator.ts";
import {
  type ServiceNowSimulator,
  type ServiceNowSimulatorOptions,
  seededAccounts,
  startServiceNowSimulator,
} from "../../connectors/servicenow/simulator/simulator.ts";
import { applyConfiguration } from "../../engine/configuration/apply.ts";
import { parseConfiguration } from "../../engine/configuration/file.ts";
import { type OpenNode, openNode } from "../../engine/server/node.ts";
import type { Db } from "../../engine/store/database.ts";
import type { Direction } from "../../engine/store/schema.ts";
import type { SyncContext } from "../../engine/sync/context.ts";
import { publishTo } from "../../engine/sync/operations.ts";
import { Runner, type RunnerOptions } from "../../engine/sync/runner.ts";
import { createDatabase } from "../database.ts";
import { Desk, Sales } from "./people.ts";

export interface SyncWorldOptions {
  /** Triggers of the ServiceNow side; urgency=1 on incidents unless said. */
  readonly incidentQuery?: string;
  /** Queries of triggers on cases, where the Salesforce side has any. */
  readonly caseQuery?: string;
  /** What runs of the connection's rules may use. */
  readonly limits?: Readonly<Record<string, number>>;
  /** Which side is left, and so has the last word; SF unless said. */
  readonly left?: "SF" | "SN";
  /** How often both platforms are asked; `200ms` unless said. */
  readonly poll?: string;
  /** How platforms tell of changes by themselves: what stands under `push` of either instance. */
  readonly push?: { readonly salesforce?: string; readonly servicenow?: string };
  readonly runners?: number;
  readonly runner?: RunnerOptions;
  readonly salesforce?: SalesforceSimulatorOptions;
  readonly servicenow?: ServiceNowSimulatorOptions;
  readonly context?: Partial<SyncContext>;
  /** False when no runner is to be started by {@link openSyncWorld}. */
  readonly start?: boolean;
}

/** A node in this process between two simulated platforms, with people on both. */
export interface SyncWorld {
  readonly salesforce: SalesforceSimulator;
  readonly servicenow: ServiceNowSimulator;
  readonly desk: Desk;
  readonly sales: Sales;
  readonly node: OpenNode;
  readonly db: Db;
  readonly databaseUrl: string;
  readonly context: SyncContext;
  /** Where the key is, and what else a node keeps. */
  readonly folder: string;
  /** Warnings and errors of the node. */
  readonly log: string[];
  /** Applies the configuration again, with other secrets if given. */
  configure(environment?: Readonly<Record<string, string>>): Promise<void>;
  publish(side: "SF" | "SN", direction: Direction, source: string): Promise<{ readonly number: number }>;
  startRunners(count: number): Promise<void>;
  stopRunners(): Promise<void>;
  /** Waits until nobody has anything to do: every watch was polled, and no lane has work, but for parked ones. */
  settled(): Promise<void>;
  /** Asks until there is an answer; fails with what the node says otherwise. */
  until<Found>(what: string, ask: () => Promise<Found | undefined | false | null>): Promise<Found>;
  close(): Promise<void>;
}

/** What the simulated instance signs its hints with, where it gives any. */
export const webhookSecret = "a secret that both sides of a webhook share";
const environment = { SF_SECRET: simulatedAccounts.app.clientSecret, SN_PASSWORD: seededAccounts.integration.password, SN_WEBHOOK: webhookSecret };
const patienceMs = 25_000;

export async function openSyncWorld(options: SyncWorldOptions = {}): Promise<SyncWorld> {
  const database = await createDatabase();
  const folder = await mkdtemp(join(tmpdir(), "isobridge-sync-"));
  const salesforce = await startSalesforceSimulator(options.salesforce);
  const servicenow = await startServiceNowSimulator(options.servicenow);
  const log: string[] = [];
  const logger = pino({ level: "warn" }, { write: (line: string) => void log.push(line.trimEnd()) });
  const openOne = async (): Promise<OpenNode> => await openNode({ folder, databaseUrl: database.url, log: logger, join: false });
  const node = await openOne();
  const others: OpenNode[] = [];
  // Waiting times are the product's; only their dice are loaded, so that tests take no longer than they must.
  const contextOf = async (of: OpenNode): Promise<SyncContext> => ({
    ...(await of.context()),
    random: () => 0,
    pace: { stoppedMs: 500, waitingMs: 300, doubtMs: 1_000 },
    ...options.context,
  });
  const context = await contextOf(node);
  const runners: Runner[] = [];
  const runnerOptions = { databaseUrl: database.url, idleMs: 50, ...options.runner };

  const world: SyncWorld = {
    salesforce,
    servicenow,
    desk: new Desk(servicenow.url),
    sales: await Sales.signIn(salesforce.url),
    node,
    db: node.db,
    databaseUrl: database.url,
    context,
    folder,
    log,
    async configure(given = environment) {
      const text = configurationText(salesforce.url, servicenow.url, options);
      const means = { db: node.db, vault: node.vault, compiler: await node.compiler(), environment: given, context: node.context };
      await applyConfiguration(means, parseConfiguration(text, join(folder, "isobridge.yaml")), { dryRun: false, author: "test" });
    },
    async publish(side, direction, source) {
      return await publishTo(context, await node.compiler(), { connection: "support", side, direction, source, note: "test", author: "test" });
    },
    async startRunners(count) {
      for (let n = 0; n < count; n++) {
        // Each further one has a pool, a sandbox and connectors of its own, as another machine would.
        const own = runners.length === 0 ? node : await openOne();
        if (own !== node) others.push(own);
        runners.push(await Runner.start(own === node ? context : await contextOf(own), runnerOptions));
      }
    },
    async stopRunners() {
      await Promise.all(runners.splice(0).map(async (runner) => await runner.stop()));
    },
    async settled() {
      const end = Date.now() + patienceMs;
      for (;;) {
        const before = await lastJob(node.db);
        await pollsRound(node.db, end);
        while ((await workLeft(node.db)) > 0) {
          if (Date.now() > end) throw new Error(`Lanes still have work.\n${await whatTheNodeSays(world)}`);
          await sleep(20);
        }
        if ((await lastJob(node.db)) === before) return;
      }
    },
    async until(what, ask) {
      const end = Date.now() + patienceMs;
      for (;;) {
        const found = await ask();
        if (found !== undefined && found !== false && found !== null) return found;
        if (Date.now() > end) throw new Error(`It never came to pass: ${what}.\n${await whatTheNodeSays(world)}`);
        await sleep(30);
      }
    },
    async close() {
      await world.stopRunners();
      for (const other of others) await other.close();
      await node.close();
      await Promise.all([salesforce.close(), servicenow.close()]);
      await database.drop();
      await rm(folder, { recursive: true, force: true });
    },
  };
  await world.configure();
  if (options.start !== false) await world.startRunners(options.runners ?? 1);
  return world;
}

export function configurationText(
  salesforceUrl: string,
  servicenowUrl: string,
  options: Pick<SyncWorldOptions, "left" | "incidentQuery" | "caseQuery" | "poll" | "push" | "limits"> = {},
): string {
  const sides = {
    SF: `{ instance: sales, name: SF${options.caseQuery === undefined ? "" : `, triggers: [{ entityType: Case, query: ${JSON.stringify(options.caseQuery)} }]`} }`,
    SN: `{ instance: helpdesk, name: SN, triggers: [{ entityType: incident, query: ${JSON.stringify(options.incidentQuery ?? "urgency=1")} }] }`,
  };
  const left = options.left ?? "SF";
  const { push = {}, poll = "200ms" } = options;
  return `
version: 1
instances:
  sales:
    platform: salesforce
    url: ${salesforceUrl}
    auth: { type: client-credentials, clientId: ${simulatedAccounts.app.clientId} }
    secrets: { clientSecret: { env: SF_SECRET } }
    poll: ${poll}${push.salesforce === undefined ? "" : `\n    push: ${push.salesforce}`}
  helpdesk:
    platform: servicenow
    url: ${servicenowUrl}
    auth: { type: basic, username: ${seededAccounts.integration.userName} }
    secrets: { password: { env: SN_PASSWORD }${push.servicenow === undefined ? "" : ", webhookSecret: { env: SN_WEBHOOK }"} }
    poll: ${poll}${push.servicenow === undefined ? "" : `\n    push: ${push.servicenow}`}
connections:
  support:
    left: ${sides[left]}
    right: ${sides[left === "SF" ? "SN" : "SF"]}
    limits: ${JSON.stringify(options.limits ?? {})}
`;
}

/** Waits until every watch has been polled from beginning to end since now. */
async function pollsRound(db: Db, end: number): Promise<void> {
  const fences = async (): Promise<Map<string, number>> =>
    new Map((await db.selectFrom("watch").select(["id", "fence"]).where("active", "=", true).execute()).map((row) => [row.id, row.fence]));
  const before = await fences();
  for (;;) {
    const now = await fences();
    // One claim may have been under way; the second one after that began after the first had ended.
    if ([...before].every(([id, fence]) => (now.get(id) ?? 0) >= fence + 2)) return;
    if (Date.now() > end) throw new Error("A watch is not polled any more.");
    await sleep(30);
  }
}

async function workLeft(db: Db): Promise<number> {
  return (await db.selectFrom("lane").select("key").where("pending", ">", 0).where("blocked_by", "is", null).execute()).length;
}

async function lastJob(db: Db): Promise<number> {
  const { rows } = await sql<{ last: number }>`select coalesce(pg_sequence_last_value(pg_get_serial_sequence('job', 'id')::regclass), 0) as last`.execute(db);
  return rows[0]?.last ?? 0;
}

/** For a person who has to find out why a test failed. */
async function whatTheNodeSays({ db, log }: Pick<SyncWorld, "db" | "log">): Promise<string> {
  const failures = await db.selectFrom("failure").select(["code", "message", "resolution"]).execute();
  const messages = await db
    .selectFrom("message")
    .innerJoin("side", "side.id", "message.from_side_id")
    .select(["side.name", "sequence", "kind", "basis", "state", "reason", "body"])
    .orderBy("message.id", "desc")
    .limit(6)
    .execute();
  const watches = await db.selectFrom("watch").select(["kind", "entity_type", "problem", "locked_until"]).execute();
  const lanes = await db.selectFrom("lane").selectAll().where("pending", ">", 0).limit(5).execute();
  return [...failures, ...messages, ...watches, ...lanes]
    .map((row) => JSON.stringify(row))
    .concat(log.slice(-10))
    .join("\n");
}
