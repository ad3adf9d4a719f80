import type { Connector, Entity, EntityRef, WriteOperation } from "../connector.ts";
import type { ServiceNowConfig } from "./config.ts";
import { servicenowConnector } from "./connector.ts";
import { PersonAtWork } from "./simulator/person.ts";
import { type ServiceNowSimulator, type ServiceNowSimulatorOptions, seededAccounts, seededClient, startServiceNowSimulator } from "./simulator/simulator.ts";

/** What the tests of the connector work with: an instance, people in it, and the connector beside them. */
export interface Testbed {
  readonly simulator: ServiceNowSimulator;
  readonly connector: Connector;
  readonly maya: PersonAtWork;
  readonly tom: PersonAtWork;
  readonly admin: PersonAtWork;
  /** Another connector to the same instance; closed with the rest. */
  connect(config?: Partial<ServiceNowConfig>, secrets?: Readonly<Record<string, string>>): Connector;
  create(fields: Readonly<Record<string, unknown>>): Promise<EntityRef>;
  read(ref: EntityRef): Promise<Entity>;
  /** Makes one write that must succeed; gives its id. */
  done(operation: WriteOperation, by?: Connector): Promise<string>;
  /** Paths that were asked for since the last look, `METHOD path`, without queries. */
  calls(): string[];
  /** Tables that were asked for since the last look, those in batches included, each as often as it was. */
  tables(): string[];
  close(): Promise<void>;
}

export const secrets = { password: seededAccounts.integration.password, clientSecret: seededClient.clientSecret };

export async function openTestbed(options: ServiceNowSimulatorOptions = {}): Promise<Testbed> {
  const simulator = await startServiceNowSimulator(options);
  const opened: Connector[] = [];
  const connect: Testbed["connect"] = (config = {}, given = secrets) => {
    const connector = servicenowConnector(
      { url: simulator.url, auth: { type: "basic", username: "isobridge" }, retry: { tries: 3, baseMs: 1, capMs: 20 }, deadlineSeconds: 10, ...config },
      given,
    );
    opened.push(connector);
    return connector;
  };
  const connector = connect();
  const maya = new PersonAtWork(simulator.url, seededAccounts.maya);
  return {
    simulator,
    connector,
    maya,
    tom: new PersonAtWork(simulator.url, seededAccounts.tom),
    admin: new PersonAtWork(simulator.url, seededAccounts.admin),
    connect,
    create: async (fields) => ({ type: "incident", id: await maya.create("incident", fields) }),
    read: async (ref) => {
      const [outcome] = await connector.read([ref]);
      if (outcome?.ok !== true) throw outcome?.error ?? new Error("nothing was read");
      return outcome.entity;
    },
    done: async (operation, by = connector) => {
      const [outcome] = await by.write([operation]);
      if (outcome?.ok !== true) throw outcome?.error ?? new Error("nothing was written");
      return outcome.id;
    },
    calls: () => {
      const calls = simulator.requests.map(({ method, path }) => `${method} ${path.split("?", 1)[0]}`);
      simulator.forgetRequests();
      return calls;
    },
    tables: () => {
      const tables = simulator.requests.flatMap(({ path, body }) =>
        [...`${path} ${body}`.matchAll(/\/api\/now\/table\/(\w+)/g)].map(([, table = ""]) => table),
      );
      simulator.forgetRequests();
      return tables;
    },
    close: async () => {
      for (const one of opened) await one.close();
      await simulator.close();
    },
  };
}
