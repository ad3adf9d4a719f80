import { setTimeout as sleep } from "node:timers/promises";
import type { Capabilities, Connector, Json } from "../connector.ts";
import { ConnectorError } from "../errors.ts";
import { openBytes } from "./attachments.ts";
import { type Call, type ClientOptions, SalesforceClient } from "./client.ts";
import type { SalesforceConfig } from "./config.ts";
import { listenToEvents } from "./events.ts";
import { checkHealth } from "./health.ts";
import { locateMany } from "./locate.ts";
import { findByKey, findRecords, findUser } from "./lookup.ts";
import { readOutboundMessage } from "./outbound-messages.ts";
import { type Reader, readMany } from "./read.ts";
import { roomsOf } from "./rooms.ts";
import { entitySchema, Schemas } from "./schema.ts";
import { checkWatch } from "./trigger-query.ts";
import { pollChanges } from "./watch.ts";
import { Lookahead } from "./watch-rows.ts";
import { writeMany } from "./write.ts";

export { type SalesforceConfig, salesforceConfig, salesforceSecrets } from "./config.ts";

const capabilities: Capabilities = {
  editComment: true,
  removeComment: true,
  internalComments: true,
  removeAttachment: true,
  impersonation: false,
  batchSize: 200,
};
const defaults: ClientOptions = { sleep: (ms) => sleep(ms), random: Math.random, now: Date.now, timeoutMs: 120_000, keepSecret: async () => {} };
const methods = new Set(["GET", "POST", "PATCH", "PUT", "DELETE"]);

/** Speaks one Salesforce org. Secrets are named by `salesforceSecrets`; they stay inside and appear in no error. */
export function salesforceConnector(config: SalesforceConfig, secrets: Readonly<Record<string, string>>, options: Partial<ClientOptions> = {}): Connector {
  const all = { ...defaults, ...options };
  const client = new SalesforceClient(config, secrets, all);
  const reader: Reader = { client, schemas: new Schemas(client, all.now), config, lookahead: new Lookahead(all.now) };
  const closed = new AbortController();
  return {
    platform: "salesforce",
    capabilities,
    check: () => checkHealth(reader),
    describe: async (entityType) => {
      const object = await reader.schemas.object(entityType);
      const { comments, files } = roomsOf(object, config);
      return entitySchema(object, {
        comments: comments.kind !== "none",
        internalComments: comments.kind === "caseComments" || (comments.kind === "feed" && (await hasInternalPosts(reader))),
        attachments: files !== undefined,
      });
    },
    checkQuery: (watch) => checkWatch(reader, watch),
    read: (refs) => readMany(reader, refs),
    find: (entityType, conditions, limit) => findRecords(reader, entityType, conditions, limit),
    findByKey: (entityType, key) => findByKey(reader, entityType, key),
    findUser: (by) => findUser(reader, by),
    poll: (watch, cursor, limit, since) => pollChanges(reader, watch, cursor, limit, since),
    write: (operations) => writeMany(reader, operations),
    locate: (lost) => locateMany(reader, lost),
    openAttachment: (ref, attachmentId) => openBytes(client, ref, attachmentId),
    request: (method, path, body) => request(client, method, path, body),
    calls: () => client.calls,
    allowance: () => client.budget.allowance,
    close: async () => closed.abort(),
    ...pushOf(client, config, closed.signal),
  };
}

/** What the platform says unasked, as the instance is configured for it. */
function pushOf(client: SalesforceClient, { push }: SalesforceConfig, closed: AbortSignal): Pick<Connector, "listen" | "receive"> {
  if (push === undefined) return {};
  if (push.type === "outbound-message") return { receive: async (call) => readOutboundMessage(call, push.organizationId) };
  return {
    listen: (position, entityTypes, onHint, signal) => listenToEvents(client, push, position, entityTypes, onHint, AbortSignal.any([signal, closed])),
  };
}

/** Whether a post can be kept from the users of communities; without communities there is no such choice. */
async function hasInternalPosts({ schemas }: Reader): Promise<boolean> {
  return (await schemas.optional("FeedItem"))?.byName.get("Visibility")?.createable ?? false;
}

async function request(client: SalesforceClient, given: string, path: string, body: Json | undefined): Promise<Json> {
  const method = given.toUpperCase();
  if (!methods.has(method)) throw new ConnectorError("BAD_REQUEST", { message: `“${given}” is not a method of the Salesforce API.` });
  if (!/^\/services\/(data|apexrest)\//.test(path) || /[\\#]|\/\.\.?(\/|$)/.test(path)) {
    throw new ConnectorError("BAD_REQUEST", {
      message: `“${path}” is not a path of the Salesforce API.`,
      advice: "Begin with /services/data/ or /services/apexrest/.",
    });
  }
  const write = method !== "GET";
  const call: Call = {
    method: method as Call["method"],
    path,
    what: `${method} ${path.split("?")[0] ?? path}`,
    write,
    repeatable: !write,
    ...(body !== undefined && { body }),
  }; // one of `methods`
  return (await client.json(call)) as Json; // parsed JSON, or text
}
