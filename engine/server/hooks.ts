import { timingSafeEqual } from "node:crypto";
import { type Context, Hono } from "hono";
import { ConnectorError } from "../../connectors/errors.ts";
import { wakeRunners } from "../lanes/wake.ts";
import { listInstances } from "../store/configuration.ts";
import { transact } from "../store/database.ts";
import { hasten, rememberDelivery } from "../store/hints.ts";
import type { SyncContext } from "../sync/context.ts";
import { hastenMs } from "../sync/listening.ts";
import { ApiError, readBytes } from "./body.ts";

/**
 * The webhook addresses of instances, `POST /hooks/<instance>/<key>`. The key in the address keeps strangers out where the
 * platform signs nothing; what may be believed of a call is for the connector to say. A call is only ever a hint to poll.
 */
export function createHooks(context: SyncContext): Hono {
  const app = new Hono();
  app.on(["POST", "PUT"], "/hooks/:instance/:key", async (c) => {
    const name = c.req.param("instance");
    const instance = (await listInstances(context.db)).find((row) => row.name === name);
    // One answer for all that does not fit, so that nobody learns names by asking.
    if (instance === undefined || !sameText(c.req.param("key"), context.connectors.hookKey(instance.id))) throw noSuchHook();
    const { connector } = await context.connectors.instance(instance.id);
    if (connector.receive === undefined) throw noSuchHook();
    const body = await readBytes(c);
    try {
      const reading = await connector.receive({ method: c.req.method, headers: headersOf(c), body, receivedAt: context.now().getTime() });
      await transact(context.db, async (tx) => {
        if (reading.deliveryId !== undefined && !(await rememberDelivery(tx, instance.id, reading.deliveryId))) return;
        for (const type of new Set(reading.hints.map((hint) => hint.entityType))) await hasten(tx, instance.id, type, hastenMs(instance.pollIntervalMs));
        await wakeRunners(tx);
      });
      return new Response(reading.answer.body, { status: reading.answer.status, headers: { "content-type": reading.answer.contentType } });
    } catch (error) {
      if (!(error instanceof ConnectorError)) throw error;
      context.log.warn({ instance: name, code: error.code }, `A webhook call was refused: ${error.message}`);
      if (error.code === "PERMISSION") throw new ApiError(403, "FORBIDDEN", error.message);
      throw new ApiError(400, "BAD_REQUEST", error.message);
    }
  });
  return app;
}

/** The path below the node's address to which an instance's platform sends its calls; null where its connector reads none. */
export async function hookPath(context: Pick<SyncContext, "db" | "connectors">, name: string): Promise<string | null> {
  const instance = (await listInstances(context.db)).find((row) => row.name === name);
  if (instance === undefined) return null;
  const { connector } = await context.connectors.instance(instance.id);
  return connector.receive === undefined ? null : `/hooks/${encodeURIComponent(name)}/${context.connectors.hookKey(instance.id)}`;
}

function sameText(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function noSuchHook(): ApiError {
  return new ApiError(404, "NOT_FOUND", "There is no such webhook address.");
}

function headersOf(c: Context): Record<string, string> {
  return Object.fromEntries([...c.req.raw.headers].map(([name, value]) => [name.toLowerCase(), value]));
}
