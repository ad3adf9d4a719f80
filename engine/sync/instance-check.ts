import type { HealthReport } from "../../connectors/connector.ts";
import { setInstanceStopped } from "../store/configuration.ts";
import { transact } from "../store/database.ts";
import { pollAtOnce } from "../store/hints.ts";
import type { SyncContext } from "./context.ts";
import { instanceNamed } from "./operations.ts";

/**
 * Signs in to an instance anew and asks what is missing there. One that was stopped and lets us in goes on at once. Throws UnknownName,
 * or the ConnectorError that says why it does not let us in.
 */
export async function checkInstance(context: Pick<SyncContext, "db" | "connectors">, name: string): Promise<HealthReport> {
  const instance = await instanceNamed(context.db, name);
  const connector = await context.connectors.fresh(instance.id);
  try {
    const report = await connector.check();
    if (instance.stopped !== null) {
      await transact(context.db, async (tx) => {
        await setInstanceStopped(tx, instance.id, null);
        await pollAtOnce(tx, instance.id);
      });
    }
    return report;
  } finally {
    await connector.close();
  }
}
