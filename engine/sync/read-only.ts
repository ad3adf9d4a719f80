import type { Connector } from "../../connectors/connector.ts";
import { ConnectorError } from "../../connectors/errors.ts";
import type { Instances, LiveInstance } from "./connector-pool.ts";
import type { SyncContext } from "./context.ts";

/** The same node, but nothing is written to a platform, for trying a rule against live records: writes are refused, a rule's own requests answered by null. */
export function readOnly(context: SyncContext): SyncContext {
  const { connectors } = context;
  const guarded: Instances = {
    async instance(id): Promise<LiveInstance> {
      const live = await connectors.instance(id);
      return { ...live, connector: readOnlyConnector(live.connector) };
    },
    fresh: async (id) => readOnlyConnector(await connectors.fresh(id)),
    secretsOf: async (id) => await connectors.secretsOf(id),
    usage: () => connectors.usage(),
    hookKey: (id) => connectors.hookKey(id),
  };
  return { ...context, connectors: guarded };
}

/** Written out method by method: one that the interface gains later is not let through without a thought. */
function readOnlyConnector(connector: Connector): Connector {
  return {
    platform: connector.platform,
    capabilities: connector.capabilities,
    check: async () => await connector.check(),
    describe: async (entityType) => await connector.describe(entityType),
    checkQuery: async (watch) => await connector.checkQuery(watch),
    read: async (refs) => await connector.read(refs),
    find: async (entityType, conditions, limit) => await connector.find(entityType, conditions, limit),
    findByKey: async (entityType, key) => await connector.findByKey(entityType, key),
    findUser: async (by) => await connector.findUser(by),
    poll: async (watch, cursor, limit, since) => await connector.poll(watch, cursor, limit, since),
    write: async (operations) => {
      throw refusal(`${operations.length === 1 ? "a write" : `${operations.length} writes`}`);
    },
    locate: async (lost) => await connector.locate(lost),
    openAttachment: async (ref, attachmentId) => await connector.openAttachment(ref, attachmentId),
    request: async (method, path, body) => {
      // Whoever looks at the calls of the run is told; see platform-request.ts.
      if (method !== "GET" || body !== undefined) return null;
      return await connector.request(method, path);
    },
    calls: () => connector.calls(),
    close: async () => await connector.close(),
  };
}

function refusal(what: string): ConnectorError {
  return new ConnectorError("PERMISSION", { message: `A preview only reads: ${what} was not sent.` });
}
