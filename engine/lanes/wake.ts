import { sql } from "kysely";
import pg from "pg";
import type { Tx } from "../store/database.ts";

const channel = "isobridge_lanes";

/** Tells runners on every machine, once the transaction commits, that there is work. A hint: they look by themselves as well. */
export async function wakeRunners(tx: Tx): Promise<void> {
  await sql`select pg_notify(${channel}, '')`.execute(tx);
}

/** Calls `wake` on each hint until closed. A lost connection is opened again; hints missed meanwhile are made up for by polling. */
export async function listenForWork(url: string, wake: () => void): Promise<{ close(): Promise<void> }> {
  let client: pg.Client | undefined;
  let closed = false;
  let again: NodeJS.Timeout | undefined;
  const connect = async (): Promise<void> => {
    const next = new pg.Client({ connectionString: url, application_name: "isobridge-wake", keepAlive: true });
    next.on("notification", wake);
    next.on("error", () => undefined);
    next.on("end", () => {
      if (!closed) again = setTimeout(() => connect().catch(() => undefined), 1000);
    });
    await next.connect();
    await next.query(`listen ${channel}`);
    if (closed) await next.end();
    else client = next;
  };
  await connect();
  return {
    async close() {
      closed = true;
      clearTimeout(again);
      await client?.end();
    },
  };
}
