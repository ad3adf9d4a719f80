import { generateKeyPairSync } from "node:crypto";
import { Readable } from "node:stream";
import type { Connector, EntityRef, WriteOutcome } from "../../connector.ts";
import type { ClientOptions } from "../client.ts";
import { type SalesforceConfig, salesforceConfig, salesforceConnector } from "../connector.ts";
import { type SalesforceSimulator, type SalesforceSimulatorOptions, simulatedAccounts, startSalesforceSimulator } from "./simulator.ts";

/** An answer of the simulated REST API. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  readonly body: any;
}

/** Somebody who works in the org through its REST API with a session of their own. */
export type Caller = (method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>) => Promise<Answer>;

/** An org on loopback for the tests of this folder: the simulator, people who work in it, and connectors to it. */
export interface SimulatedOrg {
  readonly simulator: SalesforceSimulator;
  readonly keys: { readonly privateKey: string; readonly publicKey: string };
  /** Signs in by password; a path begins after the API version, or with `/services`. */
  caller(username?: string): Promise<Caller>;
  connector(config?: Partial<SalesforceConfig>, secrets?: Readonly<Record<string, string>>, options?: Partial<ClientOptions>): Connector;
  close(): Promise<void>;
}

export const ines = simulatedAccounts.humans[0].username;
export const integration = simulatedAccounts.integration.username;

export async function simulatedOrg(options: SalesforceSimulatorOptions = {}): Promise<SimulatedOrg> {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  const app = { ...simulatedAccounts.app, publicKey, approved: [integration] };
  const simulator = await startSalesforceSimulator({ apps: [app], ...options });
  const secretsOf = { clientSecret: app.clientSecret, privateKey, password: simulatedAccounts.integration.password };
  return {
    simulator,
    keys: { privateKey, publicKey },
    caller: async (username = ines) => callerOf(simulator.url, await token(simulator, username)),
    connector: (config = {}, secrets = secretsOf, clientOptions = {}) =>
      salesforceConnector(salesforceConfig.parse({ url: simulator.url, auth: { type: "client-credentials", clientId: app.clientId }, ...config }), secrets, {
        sleep: async () => {},
        ...clientOptions,
      }),
    close: () => simulator.close(),
  };
}

/** The id of a write that must have worked. */
export function idOf(outcome: WriteOutcome | undefined): string {
  if (outcome?.ok) return outcome.id;
  throw new Error(`not written: ${outcome?.error.message ?? "no outcome"}`);
}

export async function createCase(connector: Connector, fields: Record<string, string> = {}, marker: string = crypto.randomUUID()): Promise<EntityRef> {
  const [outcome] = await connector.write([{ kind: "create", entityType: "Case", fields: { Subject: "Printer on fire", ...fields }, marker }]);
  return { type: "Case", id: idOf(outcome) };
}

export function bytes(content: string | Buffer): () => Promise<Readable> {
  return async () => Readable.from([Buffer.from(content)]);
}

async function token(simulator: SalesforceSimulator, username: string): Promise<string> {
  const person = [simulatedAccounts.integration, ...simulatedAccounts.humans].find((user) => user.username === username);
  const { clientId, clientSecret } = simulatedAccounts.app;
  const body = new URLSearchParams({ grant_type: "password", client_id: clientId, client_secret: clientSecret, username, password: person?.password ?? "" });
  const response = await fetch(`${simulator.url}/services/oauth2/token`, { method: "POST", body });
  return ((await response.json()) as { access_token: string }).access_token; // the recorded shape
}

export function callerOf(url: string, accessToken: string): Caller {
  return async (method, path, body, headers = {}) => {
    const full = path.startsWith("/services/") ? path : `/services/data/v60.0${path}`;
    const json = body !== undefined && !(body instanceof FormData);
    const init = {
      method,
      headers: { authorization: `Bearer ${accessToken}`, ...(json && { "content-type": "application/json" }), ...headers },
      ...(body !== undefined && { body: json ? JSON.stringify(body) : body }),
    };
    const response = await fetch(url + full, init);
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: text === "" ? undefined : (response.headers.get("content-type") ?? "").includes("json") ? JSON.parse(text) : text,
    };
  };
}
