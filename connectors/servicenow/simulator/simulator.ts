import { Hono } from "hono";
import { ByteStore } from "../../simulation/byte-store.ts";
import { Clock } from "../../simulation/clock.ts";
import type { Fault } from "../../simulation/faults.ts";
import { type LoggedRequest, type SimulatorBindings, type SimulatorOptions, SimulatorServer } from "../../simulation/server.ts";
import { Tables } from "../../simulation/tables.ts";
import { type AccessInput, type AccountInput, accessSchema } from "./accounts.ts";
import { attachmentRoutes } from "./attachment-api.ts";
import { baseTables } from "./base-tables.ts";
import { batchRoutes } from "./batch-api.ts";
import { catalogRoutes } from "./catalog-api.ts";
import { controlRoutes, controlTexts } from "./controls.ts";
import type { Hints } from "./hints.ts";
import { importRoutes } from "./import-api.ts";
import { type ImportMapInput, Instance, importMapSchema, type OAuthClient } from "./instance.ts";
import { endSessions, oauthRoutes } from "./oauth.ts";
import { plant } from "./plant.ts";
import { leftovers } from "./rim.ts";
import { type BusinessRuleInput, type DataPolicyInput, dataPolicySchema, parseBusinessRule } from "./rules.ts";
import { Schema, type TableDefinition } from "./schema.ts";
import { seed, seededAccounts, seededApiKey, seededClient, shippedImportMaps, shippedPolicies } from "./seed.ts";
import { type Settings, type SettingsInput, settingsSchema } from "./settings.ts";
import { statsRoutes } from "./stats-api.ts";
import type { Row } from "./store.ts";
import { tableRoutes } from "./table-api.ts";

export interface ServiceNowSimulatorOptions extends SimulatorOptions {
  /** People beside the seeded ones. */
  readonly accounts?: readonly AccountInput[];
  readonly oauthClients?: readonly OAuthClient[];
  /** Tables, or columns of tables that are there. */
  readonly tables?: readonly TableDefinition[];
  readonly policies?: readonly DataPolicyInput[];
  readonly businessRules?: readonly BusinessRuleInput[];
  readonly importMaps?: readonly ImportMapInput[];
  readonly settings?: SettingsInput;
  /** How many incidents a new instance has: changed one after another up to now, two a second, with `correlation_id` `seed-1` and so on. */
  readonly incidents?: number;
}

/** A running simulated instance, with the handles that tests and the demonstration use. */
export interface ServiceNowSimulator {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  /** How to sign in, line by line, to be shown to people. */
  readonly credentials: readonly string[];
  readonly clock: Clock;
  readonly requests: readonly LoggedRequest[];
  readonly settings: Settings;
  arm(fault: Fault): void;
  clearFaults(): void;
  forgetRequests(): void;
  /** Ends all sessions; with `refresh`, refresh tokens too. */
  expireSessions(refresh?: boolean): void;
  /** Makes a person known, or changes one who is. */
  addAccount(account: AccountInput): void;
  /** Replaces what an account may do. */
  setAccess(userName: string, access: AccessInput): void;
  setCommitDelay(ms: number): void;
  addBusinessRule(rule: BusinessRuleInput): void;
  addPolicy(policy: DataPolicyInput): void;
  /** The signed hints that go out when records are saved. */
  readonly hints: Hints;
  define(definition: TableDefinition): void;
  /** How many rows were looked at so far to answer queries. */
  rowsVisited(): number;
  /** Rows as the database holds them. */
  rows(table: string): Row[];
  /** Puts a row straight into the database; gives its sys_id. */
  plant(table: string, row: Readonly<Record<string, string>>): string;
  close(): Promise<void>;
}

export { seededAccounts, seededApiKey, seededClient };

/** How to sign in to a fresh instance, line by line: for people. The secrets are the simulator's own and open nothing else. */
const seededCredentials: readonly string[] = [
  ...Object.values(seededAccounts).map(({ userName, password, firstName, lastName }) => `${firstName} ${lastName}: user ${userName}, password ${password}`),
  `OAuth application: client id ${seededClient.clientId}, client secret ${seededClient.clientSecret}`,
  `API key of ${seededAccounts.integration.userName}: ${seededApiKey}`,
];

const page = {
  title: "Simulated ServiceNow instance",
  about: [
    "Table, attachment, batch, import and stats API under /api/now, OAuth at /oauth_token.do. Rights, data policies and business rules hold for every account; the control API below is past all of them.",
    ...seededCredentials,
  ],
  controls: controlTexts,
};

/**
 * A ServiceNow instance: sign-in, Table, attachment, batch, import, stats and catalog API over real HTTP (https with `tls`), with
 * the behaviours that break naive clients. Its control API under `/__control` arms faults, sets clock, rights, rules, limits and
 * hints; the page at `/` lists it all. With a folder it keeps records, files, tables, accounts and tokens through `kill -9`;
 * what is set through the control API besides these lasts until it ends. Rejects when the port is taken.
 */
export async function startServiceNowSimulator(options: ServiceNowSimulatorOptions = {}): Promise<ServiceNowSimulator> {
  const clock = new Clock();
  const tables = new Tables<Row>(options.folder);
  const bytes = new ByteStore(options.folder);
  const instance = new Instance({
    tables,
    bytes,
    schema: new Schema([...baseTables, ...(options.tables ?? [])]),
    clock,
    oauthClients: [seededClient, ...(options.oauthClients ?? [])],
    policies: [...shippedPolicies, ...(options.policies ?? []).map((policy) => dataPolicySchema.parse(policy))],
    importMaps: [...shippedImportMaps, ...(options.importMaps ?? []).map((map) => importMapSchema.parse(map))],
  });
  Object.assign(instance.settings, settingsSchema.parse(options.settings ?? {}));
  instance.businessRules.push(...(options.businessRules ?? []).map(parseBusinessRule));
  seed(instance, options.accounts ?? [], options.incidents ?? 0);

  const app = new Hono<SimulatorBindings>();
  oauthRoutes(app, instance);
  batchRoutes(app, instance);
  attachmentRoutes(app, instance);
  tableRoutes(app, instance);
  statsRoutes(app, instance);
  importRoutes(app, instance);
  catalogRoutes(app, instance);
  controlRoutes(app, instance);
  leftovers(app, instance);
  const server = await SimulatorServer.start(app, clock, options, page);
  instance.faults = server.faults;

  return {
    url: server.url,
    credentials: seededCredentials,
    clock,
    requests: server.requests,
    settings: instance.settings,
    arm: (fault) => server.faults.arm(fault),
    clearFaults: () => server.faults.clear(),
    forgetRequests: () => {
      server.requests.length = 0;
    },
    expireSessions: (refresh = false) => endSessions(instance, refresh),
    addAccount: (account) => {
      instance.addAccount(account);
    },
    setAccess: (userName, access) => {
      const account = instance.accounts.get(userName);
      if (account === undefined) throw new Error(`The simulator has no account ${userName}.`);
      instance.accounts.put({ ...account, access: accessSchema.parse(access) });
    },
    setCommitDelay: (ms) => {
      instance.store.commitDelayMs = ms;
    },
    addBusinessRule: (rule) => {
      instance.businessRules.push(parseBusinessRule(rule));
    },
    addPolicy: (policy) => {
      instance.policies.push(dataPolicySchema.parse(policy));
    },
    hints: instance.hints,
    define: (definition) => instance.define(definition),
    rowsVisited: () => instance.store.rowsVisited,
    rows: (table) => [...instance.store.rows(table)],
    plant: (table, row) => plant(instance, table, row),
    close: async () => {
      await server.close();
      tables.close();
      bytes.close();
    },
  };
}
