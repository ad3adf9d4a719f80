import { generateKeyPairSync, randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { simulatedAccounts, startSalesforceSimulator } from "../../connectors/salesforce/simulator/simulator.ts";
import { startServiceNowSimulator } from "../../connectors/servicenow/simulator/simulator.ts";

export const simulatedPlatforms = ["salesforce", "servicenow"] as const;
export type SimulatedPlatform = (typeof simulatedPlatforms)[number];

export interface SimulateOptions {
  readonly host: string;
  readonly port: number;
  /** Where records are kept; undefined = they end with the process. */
  readonly folder: string | undefined;
  /** Records to begin with where there are none. */
  readonly records: number;
}

/** A simulated platform that runs by itself, with what a person has to know to use it. */
export interface StandaloneSimulator {
  readonly url: string;
  readonly guide: string;
  close(): Promise<void>;
}

/** Starts a simulated platform by itself. Beyond this machine its control API wants a token, which the guide tells. */
export async function simulate(platform: SimulatedPlatform, options: SimulateOptions): Promise<StandaloneSimulator> {
  const passing = options.folder === undefined ? await mkdtemp(join(tmpdir(), "isobridge-simulator-")) : undefined;
  const home = options.folder ?? passing ?? "";
  await mkdir(home, { recursive: true });
  const key = await keyPair(join(home, "client.key.pem"));
  const controlToken = isLoopback(options.host) ? undefined : randomBytes(16).toString("base64url");
  const common = {
    host: options.host,
    port: options.port,
    ...(options.folder === undefined ? {} : { folder: join(options.folder, "records") }),
    ...(controlToken === undefined ? {} : { controlToken }),
  };
  const control = controlToken === undefined ? "" : `\n  control token  ${controlToken} (Authorization: Bearer …)`;
  const started = platform === "salesforce" ? await salesforce(common, key, options.records) : await servicenow(common, key, options.records);
  return {
    url: started.url,
    guide: `${started.guide}\n  private key    ${key.file} (jwt-bearer)\n  control API    ${started.url}/ tells how to make it misbehave${control}`,
    async close() {
      await started.close();
      if (passing !== undefined) await rm(passing, { recursive: true, force: true });
    },
  };
}

type Common = { readonly host: string; readonly port: number; readonly folder?: string; readonly controlToken?: string };

async function salesforce(common: Common, key: KeyPair, records: number): Promise<StandaloneSimulator> {
  const app = { ...simulatedAccounts.app, publicKey: key.publicKey };
  const seed = records === 0 ? [] : [{ object: "Case", count: records, fields: { Subject: "Case number {n}", Origin: "Web" } }];
  const simulator = await startSalesforceSimulator({ ...common, apps: [app], seed });
  const { clientId, clientSecret = "", username, people } = simulator.credentials;
  return {
    url: simulator.url,
    guide: `A simulated Salesforce org listens on ${simulator.url}
  client id      ${clientId}, secret ${clientSecret}; it acts as ${username}
${people.map((person) => `  user           ${person.username}, password ${person.password}`).join("\n")}`,
    close: async () => await simulator.close(),
  };
}

async function servicenow(common: Common, key: KeyPair, records: number): Promise<StandaloneSimulator> {
  const signing = { clientId: "isobridge-jwt-client", clientSecret: "isobridge-jwt-secret", publicKey: key.publicKey };
  const simulator = await startServiceNowSimulator({ ...common, oauthClients: [signing], incidents: records });
  return {
    url: simulator.url,
    guide: `A simulated ServiceNow instance listens on ${simulator.url}
${simulator.credentials.map((line) => `  ${line}`).join("\n")}
  jwt-bearer     client id ${signing.clientId}, secret ${signing.clientSecret}`,
    close: async () => await simulator.close(),
  };
}

interface KeyPair {
  /** Holds the private key. */
  readonly file: string;
  readonly publicKey: string;
}

/** The key of the simulated app: made once for a folder. */
async function keyPair(file: string): Promise<KeyPair> {
  const publicFile = file.replace(/\.key\.pem$/, ".public.pem");
  const there = await readFile(publicFile, "utf8").catch(() => undefined);
  if (there !== undefined) return { file, publicKey: there };
  const { publicKey, privateKey } = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  await writeFile(file, privateKey, { mode: 0o600 });
  await writeFile(publicFile, publicKey);
  return { file, publicKey };
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\./.test(host);
}
