import type { Capabilities, Connector, Json, WebhookCall } from "../connector.ts";
import type { KeepSecret, Secrets } from "./authorization.ts";
import { batchItems } from "./batch.ts";
import { ServiceNowClient } from "./client.ts";
import { type ServiceNowConfig, servicenowConfig } from "./config.ts";
import { openAttachment } from "./download.ts";
import { checkAccount } from "./health.ts";
import { readHint } from "./hint.ts";
import { locateWrites } from "./locate.ts";
import { missingRecords } from "./missing.ts";
import { People } from "./people.ts";
import { Reader } from "./read.ts";
import { Schemas } from "./schema.ts";
import { Watcher } from "./watch.ts";
import { Writer } from "./write.ts";

const capabilities: Capabilities = {
  // Comments are journal entries: once made they stay as they are.
  editComment: false,
  removeComment: false,
  internalComments: true,
  removeAttachment: true,
  impersonation: false,
  // Read in one batch of lists, written in one batch of writes.
  batchSize: batchItems,
};

const requestMethods = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]);

/**
 * Speaks one ServiceNow instance. The secrets ({@link servicenowSecrets} names them) go no further than the calls: errors,
 * logs and inspection of the connector do not show them. `keepSecret` is told of a refresh token that the instance exchanged.
 */
export function servicenowConnector(config: ServiceNowConfig, secrets: Secrets, options: { readonly keepSecret?: KeepSecret } = {}): Connector {
  const settings = servicenowConfig.parse(config);
  const client = new ServiceNowClient(settings, secrets, options.keepSecret);
  const schemas = new Schemas(client, settings);
  const people = new People(client, settings.auth);
  const reader = new Reader(client, schemas, people);
  const writer = new Writer(client, schemas, people);
  const watcher = new Watcher(client, schemas, settings.pollOverlapSeconds * 1000);
  return {
    platform: "servicenow",
    capabilities,
    check: () => checkAccount(client, people),
    describe: async (entityType) => (await schemas.table(entityType)).entity,
    checkQuery: (watch) => watcher.checkQuery(watch),
    read: (refs) => reader.read(refs),
    find: (entityType, conditions, limit) => reader.find(entityType, conditions, limit),
    findByKey: (entityType, key) => reader.findByKey(entityType, key),
    findUser: (by) => people.find(by),
    poll: (watch, cursor, limit, since) => watcher.poll(watch, cursor, limit, since),
    write: (operations) => writer.write(operations),
    locate: (lost) => locateWrites(client, schemas, people, lost),
    openAttachment: (ref, attachmentId) => openAttachment(client, ref, attachmentId),
    request: (method, path, body) => freeRequest(client, method, path, body),
    ...(settings.push === undefined
      ? {}
      : { receive: async (call: WebhookCall) => readHint(call, secrets.webhookSecret ?? "", (table) => schemas.parentsOf(table)) }),
    missing: (refs) => missingRecords(client, schemas, people, refs),
    calls: () => client.calls,
    allowance: () => client.allowance(),
    close: async () => client.close(),
  };
}

async function freeRequest(client: ServiceNowClient, method: string, path: string, body: Json | undefined): Promise<Json> {
  const verb = method.toUpperCase();
  if (!requestMethods.has(verb)) throw client.error("BAD_REQUEST", { message: `“${method}” is not a method of REST.` });
  const write = verb !== "GET" && verb !== "HEAD";
  const call = { method: verb, path, ...(body === undefined ? {} : { body: { type: "application/json", data: JSON.stringify(body) } }) };
  return await client.json(call, { what: `answer ${verb} ${path.split("?", 1)[0]}`, write });
}
