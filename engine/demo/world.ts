import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type SalesforceSimulator, simulatedAccounts, startSalesforceSimulator } from "../../connectors/salesforce/simulator/simulator.ts";
import { type ServiceNowSimulator, seededAccounts, startServiceNowSimulator } from "../../connectors/servicenow/simulator/simulator.ts";
import { takeOwnership } from "../store/embedded/ownership.ts";

/** The two platforms of the demonstration, each with its records on disk, so that they survive what the node survives. */
export interface World {
  readonly salesforce: SalesforceSimulator;
  readonly servicenow: ServiceNowSimulator;
  /** A configuration file that connects them. */
  readonly configuration: string;
  /** What the file's secrets refer to. */
  readonly environment: Readonly<Record<string, string>>;
  /** Somebody at the ServiceNow desk, with what to sign in with: `user:password`, made up. */
  readonly desk: { readonly name: string; readonly login: string };
  close(): Promise<void>;
}

const secretNames = { salesforce: "DEMO_SALESFORCE_CLIENT_SECRET", servicenow: "DEMO_SERVICENOW_PASSWORD" } as const;

/** Starts both simulators, on the ports they had last time if those are free. */
export async function startWorld(folder: string): Promise<World> {
  const portsFile = join(folder, "ports.json");
  await mkdir(folder, { recursive: true });
  // The database has its own owner; with DATABASE_URL nothing else would keep a second start from these records.
  const ownership = await takeOwnership(folder);
  const ports = await readFile(portsFile, "utf8").then(
    (text) => JSON.parse(text) as { salesforce?: number; servicenow?: number },
    () => ({}) as { salesforce?: number; servicenow?: number },
  );
  const salesforce = await onPort(ports.salesforce, async (port) => await startSalesforceSimulator({ folder: join(folder, "salesforce"), port }));
  const servicenow = await onPort(ports.servicenow, async (port) => await startServiceNowSimulator({ folder: join(folder, "servicenow"), port }));
  await writeFile(portsFile, JSON.stringify({ salesforce: Number(new URL(salesforce.url).port), servicenow: Number(new URL(servicenow.url).port) }));
  return {
    salesforce,
    servicenow,
    configuration: configurationFor(salesforce.url, servicenow.url),
    environment: { [secretNames.salesforce]: simulatedAccounts.app.clientSecret, [secretNames.servicenow]: seededAccounts.integration.password },
    desk: {
      name: `${seededAccounts.maya.firstName} ${seededAccounts.maya.lastName}`,
      login: `${seededAccounts.maya.userName}:${seededAccounts.maya.password}`,
    },
    async close() {
      await Promise.all([salesforce.close(), servicenow.close()]);
      ownership.release();
    },
  };
}

async function onPort<Simulator>(wanted: number | undefined, start: (port: number) => Promise<Simulator>): Promise<Simulator> {
  try {
    return await start(wanted ?? 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    return await start(0);
  }
}

function configurationFor(salesforceUrl: string, servicenowUrl: string): string {
  return `# What the demonstration runs with. Copy it, put in your own addresses, and: isobridge apply isobridge.yaml
version: 1
instances:
  sales:
    platform: salesforce
    url: ${salesforceUrl}
    auth: { type: client-credentials, clientId: ${simulatedAccounts.app.clientId} }
    secrets:
      clientSecret: { env: ${secretNames.salesforce} }
    poll: 1s
  helpdesk:
    platform: servicenow
    url: ${servicenowUrl}
    auth: { type: basic, username: ${seededAccounts.integration.userName} }
    secrets:
      password: { env: ${secretNames.servicenow} }
    poll: 1s
connections:
  support:
    left: { instance: sales, name: SF }
    right:
      instance: helpdesk
      name: SN
      triggers:
        - entityType: incident
          query: urgency=1
`;
}
