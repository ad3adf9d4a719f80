import { Hono } from "hono";
import { prettifyError, ZodError } from "zod";
import { ByteStore } from "../../simulation/byte-store.ts";
import { Clock } from "../../simulation/clock.ts";
import { type SimulatorBindings, type SimulatorOptions, SimulatorServer } from "../../simulation/server.ts";
import { Tables } from "../../simulation/tables.ts";
import { about } from "./about.ts";
import { Accounts, type SimulatedApp, type SimulatedUser } from "./accounts.ts";
import { apiRoutes } from "./api.ts";
import { ApiError } from "./api-error.ts";
import { ChangeEvents } from "./change-events.ts";
import { cometdRoutes } from "./cometd.ts";
import type { SimulatorContext, Usage } from "./context.ts";
import { controlRoutes } from "./control-routes.ts";
import { appKey } from "./credentials.ts";
import { EventBus } from "./event-bus.ts";
import type { Org, Row } from "./org.ts";
import { OutboundMessages } from "./outbound-messages.ts";
import { QueryPages } from "./query-pages.ts";
import { recordPage } from "./record-page.ts";
import { ruleControls } from "./rule-controls.ts";
import { seedRows } from "./seed.ts";
import { type OrgSetup, setUpOrg } from "./setup.ts";
import { signInRoutes } from "./sign-in-routes.ts";
import { soapRoutes } from "./soap-routes.ts";
import { streamingControls } from "./streaming-controls.ts";
import { Streams } from "./streams.ts";
import { tellTopics } from "./topics.ts";

/** Who can sign in to a simulated org unless other accounts are given. Made up, and good for nothing but the simulator. */
export const simulatedAccounts = {
  app: { clientId: "3MVG9simulated", clientSecret: "simulated-client-secret", runAs: "integration@isobridge.example" },
  integration: {
    username: "integration@isobridge.example",
    password: "simulated-integration",
    firstName: "Isobridge",
    lastName: "Integration",
    email: "integration@isobridge.example",
    profile: "API Only",
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
  /** Makes a key for the first app to sign assertions with, so that JWT sign-in works; with a folder the key is kept in it. */
  readonly withKey?: boolean;
  /** Rows to begin with, of objects that have none yet; `{n}` in their texts is the row's number. They share one second. */
  readonly seed?: readonly { readonly object: string; readonly count: number; readonly fields?: Readonly<Record<string, string | number | boolean>> }[];
}

export interface SalesforceSimulator {
  readonly url: string;
  /** What a client signs in with. Good for nothing but this simulator. */
  readonly credentials: {
    readonly clientId: string;
    readonly clientSecret: string | undefined;
    /** Who the client acts as. */
    readonly username: string;
    /** PEM, and where it lies; only of a simulator that was started with a key or a folder for it. */
    readonly privateKey: string | undefined;
    readonly privateKeyFile: string | undefined;
    /** People who can sign in by password. */
    readonly people: readonly { readonly username: string; readonly password: string }[];
  };
  /** Clock, faults, latency and the log of requests. */
  readonly server: SimulatorServer;
  readonly org: Org;
  readonly accounts: Accounts;
  readonly usage: Usage;
  readonly pages: QueryPages;
  /** What is published, and the faults of it. */
  readonly events: EventBus;
  readonly changes: ChangeEvents;
  /** The clients of the Streaming API. */
  readonly streams: Streams;
  readonly outbound: OutboundMessages;
  close(): Promise<void>;
}

const tickMs = 20;

/** Starts a Salesforce org on loopback. With a folder its records survive even a kill -9. */
export async function startSalesforceSimulator(options: SalesforceSimulatorOptions = {}): Promise<SalesforceSimulator> {
  const clock = new Clock();
  const tables = new Tables<Row>(options.folder);
  const bytes = new ByteStore(options.folder);
  const users = options.users ?? [simulatedAccounts.integration, ...simulatedAccounts.humans];
  const org = setUpOrg(tables, bytes, clock, options, users);
  const key = options.withKey ? appKey(options.folder) : undefined;
  const [app = simulatedAccounts.app, ...others] = options.apps ?? [];
  const firstApp: SimulatedApp = key === undefined ? app : { ...app, publicKey: key.publicKey };
  const accounts = new Accounts(org, [firstApp, ...others], users, options.loginHost ?? false);
  const events = new EventBus(clock, tables);
  const changes = new ChangeEvents(org, events);
  const context: SimulatorContext = {
    org,
    accounts,
    pages: new QueryPages(() => clock.now().getTime()),
    usage: { used: 0, max: 15_000, concurrentRefusals: 0 },
    events,
    changes,
    streams: new Streams(org, changes, events),
    outbound: new OutboundMessages(
      org,
      () => server.url,
      (username) => {
        const userId = accounts.idOf(username);
        return userId === undefined ? undefined : accounts.open(userId);
      },
    ),
  };
  tellTopics(org, events);
  const routes = new Hono<SimulatorBindings>();
  routes.route("/", controlRoutes(context));
  routes.route("/", ruleControls(context));
  routes.route("/", streamingControls(context));
  routes.route("/", signInRoutes(context));
  routes.route("/", soapRoutes(context));
  routes.route("/", cometdRoutes(context));
  routes.get("/:id", (c) => recordPage(org, c.req.param("id")));
  const api = apiRoutes(context);
  routes.all("*", (c) => api.fetch(c.req.raw, c.env));
  routes.onError((error, c) => {
    if (error instanceof ZodError) return c.json({ error: prettifyError(error) }, 400);
    // Controls go past the API, but not past the rules of the org.
    if (error instanceof ApiError) return c.json({ error: error.message }, 400);
    throw error;
  });
  const server = await SimulatorServer.start(routes, clock, options, about);
  for (const { object, count, fields } of options.seed ?? []) if (tables.count(object) === 0) seedRows(org, object, count, fields ?? {});
  // What the clock brings about by itself; with a stopped clock there is nothing to do.
  const ticking = setInterval(() => {
    org.settle();
    events.release();
    void context.outbound.deliver();
  }, tickMs);
  ticking.unref();
  return {
    url: server.url,
    credentials: {
      clientId: firstApp.clientId,
      clientSecret: firstApp.clientSecret,
      username: firstApp.runAs ?? users[0]?.username ?? "",
      privateKey: key?.privateKey,
      privateKeyFile: key?.privateKeyFile,
      people: users.map(({ username, password }) => ({ username, password })),
    },
    server,
    org,
    accounts,
    usage: context.usage,
    pages: context.pages,
    events,
    changes,
    streams: context.streams,
    outbound: context.outbound,
    close: async () => {
      clearInterval(ticking);
      context.outbound.close();
      context.streams.forgetAll();
      await server.close();
      tables.close();
      bytes.close();
    },
  };
}
