import { Hono } from "hono";
import { Clock } from "../../simulation/clock.ts";
import type { Fault } from "../../simulation/faults.ts";
import { type LoggedRequest, type SimulatorBindings, type SimulatorOptions, SimulatorServer } from "../../simulation/server.ts";
import { Tables } from "../../simulation/tables.ts";
import { type AccessInput, type AccountInput, accessSchema } from "./accounts.ts";
import { attachmentRoutes } from "./attachment-api.ts";
import { baseTables } from "./base-tables.ts";
import { batchRoutes } from "./batch-api.ts";
import { bulkRoutes } from "./bulk-api.ts";
import { controlRoutes, plant } from "./control-api.ts";
import { type BusinessRule, type DataPolicy, type ImportMap, Instance, type OAuthClient, type Settings } from "./instance.ts";
import { leftovers } from "./rim.ts";
import { Schema, type TableDefinition } from "./schema.ts";
import { seed, seededAccounts, seededClient, shippedImportMaps, shippedPolicies } from "./seed.ts";
import { endSessions, oauthRoutes } from "./sign-in.ts";
import type { Row } from "./store.ts";
import { tableRoutes } from "./table-api.ts";

export interface ServiceNowSimulatorOptions extends SimulatorOptions {
  /** People beside the seeded ones. */
  readonly accounts?: readonly AccountInput[];
  readonly oauthClients?: readonly OAuthClient[];
  /** Tables, or columns of tables that are there. */
  readonly tables?: readonly TableDefinition[];
  readonly policies?: readonly DataPolicy[];
  readonly businessRules?: readonly BusinessRule[];
  readonly importMaps?: readonly ImportMap[];
  readonly settings?: Partial<Settings>;
}

/** A running simulated instance, with the handles that tests and the demonstration use. */
export interface ServiceNowSimulator {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  readonly clock: Clock;
  readonly requests: readonly LoggedRequest[];
  readonly settings: Settings;
  arm(fault: Fault): void;
  clearFaults(): void;
  forgetRequests(): void;
  /** Ends all sessions; with `refresh`, refresh tokens too. */
  expireSessions(refresh?: boolean): void;
  /** Replaces what an account may do. */
  setAccess(userName: string, access: AccessInput): void;
  setCommitDelay(ms: number): void;
  addBusinessRule(rule: BusinessRule): void;
  define(definition: TableDefinition): void;
  /** Rows as the database holds them. */
  rows(table: string): Row[];
  /** Puts a row straight into the database; gives its sys_id. */
  plant(table: string, row: Readonly<Record<string, string>>): string;
  close(): Promise<void>;
}

export { seededAccounts, seededClient };

/**
 * A ServiceNow instance on loopback: Table, attachment, batch, import and stats API over real HTTP, with the behaviours
 * that break naive clients. With a folder it keeps everything through `kill -9`.
 */
export async function startServiceNowSimulator(options: ServiceNowSimulatorOptions = {}): Promise<ServiceNowSimulator> {
  const clock = new Clock();
  const tables = new Tables<Row>(options.folder);
  const instance = new Instance({
    tables,
    schema: new Schema([...baseTables, ...(options.tables ?? [])]),
    clock,
    oauthClients: [seededClient, ...(options.oauthClients ?? [])],
    policies: [...shippedPolicies, ...(options.policies ?? [])],
    importMaps: [...shippedImportMaps, ...(options.importMaps ?? [])],
  });
  Object.assign(instance.settings, options.settings);
  instance.businessRules.push(...(options.businessRules ?? []));
  seed(instance, options.accounts ?? []);

  const app = new Hono<SimulatorBindings>();
  oauthRoutes(app, instance);
  batchRoutes(app, instance);
  attachmentRoutes(app, instance);
  tableRoutes(app, instance);
  bulkRoutes(app, instance);
  controlRoutes(app, instance);
  leftovers(app, instance);
  const server = await SimulatorServer.start(app, clock, options);
  instance.faults = server.faults;

  return {
    url: server.url,
    clock,
    requests: server.requests,
    settings: instance.settings,
    arm: (fault) => server.faults.arm(fault),
    clearFaults: () => server.faults.clear(),
    forgetRequests: () => {
      server.requests.length = 0;
    },
    expireSessions: (refresh = false) => endSessions(instance, refresh),
    setAccess: (userName, access) => {
      const account = instance.accounts.get(userName);
      if (account === undefined) throw new Error(`The simulator has no account ${userName}.`);
      instance.accounts.put({ ...account, access: accessSchema.parse(access) });
    },
    setCommitDelay: (ms) => {
      instance.store.commitDelayMs = ms;
    },
    addBusinessRule: (rule) => instance.businessRules.push(rule),
    define: (definition) => instance.define(definition),
    rows: (table) => [...instance.store.rows(table)],
    plant: (table, row) => plant(instance, table, row),
    close: async () => {
      await server.close();
      tables.close();
    },
  };
}
