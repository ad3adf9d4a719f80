import { Hono } from "hono";
import { Clock } from "../../simulation/clock.ts";
import { type SimulatorBindings, type SimulatorOptions, SimulatorServer } from "../../simulation/server.ts";
import { Tables } from "../../simulation/tables.ts";
import { Accounts, type SimulatedApp, type SimulatedUser } from "./accounts.ts";
import { apiRoutes } from "./api.ts";
import type { SimulatorContext, Usage } from "./context.ts";
import { controlRoutes } from "./control-routes.ts";
import type { Org, Row } from "./org.ts";
import { QueryPages } from "./query-pages.ts";
import { recordPage } from "./record-page.ts";
import { type OrgSetup, setUpOrg } from "./setup.ts";
import { signInRoutes } from "./sign-in-routes.ts";

/** Who can sign in to a simulated org unless other accounts are given. Made up, and good for nothing but the simulator. */
export const simulatedAccounts = {
  app: { clientId: "3MVG9simulated", clientSecret: "simulated-client-secret", runAs: "integration@isobridge.example" },
  integration: {
    username: "integration@isobridge.example",
    password: "simulated-integration",
    firstName: "Isobridge",
    lastName: "Integration",
    email: "integration@isobridge.example",
  },
  humans: [
    { username: "ines@service.example", password: "simulated-ines", firstName: "Ines", lastName: "Duarte", email: "ines.duarte@service.example" },
    { username: "tom@service.example", password: "simulated-tom", firstName: "Tom", lastName: "Becker", email: "tom.becker@service.example" },
  ],
} as const satisfies { app: SimulatedApp; integration: SimulatedUser; humans: readonly SimulatedUser[] };

export interface SalesforceSimulatorOptions extends SimulatorOptions, OrgSetup {
  readonly apps?: readonly SimulatedApp[];
  readonly users?: readonly SimulatedUser[];
  /** Behaves as login.salesforce.com, where client credentials are refused. */
  readonly loginHost?: boolean;
}

export interface SalesforceSimulator {
  readonly url: string;
  /** Clock, faults, latency and the log of requests. */
  readonly server: SimulatorServer;
  readonly org: Org;
  readonly accounts: Accounts;
  readonly usage: Usage;
  readonly pages: QueryPages;
  close(): Promise<void>;
}

/** Starts a Salesforce org on loopback. With a folder its records survive even a kill -9. */
export async function startSalesforceSimulator(options: SalesforceSimulatorOptions = {}): Promise<SalesforceSimulator> {
  const clock = new Clock();
  const tables = new Tables<Row>(options.folder);
  const users = options.users ?? [simulatedAccounts.integration, ...simulatedAccounts.humans];
  const org = setUpOrg(tables, clock, options, users);
  const accounts = new Accounts(org, options.apps ?? [simulatedAccounts.app], users, options.loginHost ?? false);
  const context: SimulatorContext = { org, accounts, pages: new QueryPages(), usage: { used: 0, max: 15_000, concurrentRefusals: 0 } };
  const app = new Hono<SimulatorBindings>();
  app.route("/", controlRoutes(context));
  app.route("/", signInRoutes(context));
  app.get("/:id", (c) => recordPage(org, c.req.param("id")));
  const api = apiRoutes(context);
  app.all("*", (c) => api.fetch(c.req.raw, c.env));
  const server = await SimulatorServer.start(app, clock, options);
  return {
    url: server.url,
    server,
    org,
    accounts,
    usage: context.usage,
    pages: context.pages,
    close: async () => {
      await server.close();
      tables.close();
    },
  };
}
