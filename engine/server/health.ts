import { listInstances } from "../store/configuration.ts";
import { answers } from "../store/database.ts";
import { backlog } from "../store/lists.ts";
import { listRunners } from "../store/runners.ts";
import type { SyncContext } from "../sync/context.ts";

export interface Health {
  readonly status: "ok" | "degraded" | "down";
  readonly process: { readonly pid: number; readonly uptimeSeconds: number };
  readonly database: { readonly ok: boolean; readonly latencyMs?: number; readonly message?: string };
  readonly runners: readonly { readonly id: string; readonly pid: number; readonly heartbeatAgeMs: number }[];
  readonly instances: readonly { readonly name: string; readonly stopped: string | null }[];
  readonly openFailures: number;
}

/** Whether the node works. Down without a database, degraded without a runner or with a stopped instance; failures of single records are counted only. */
export async function healthOf(context: SyncContext): Promise<Health> {
  const process_ = { pid: process.pid, uptimeSeconds: Math.round(process.uptime()) };
  try {
    const asked = performance.now();
    await answers(context.db);
    const latencyMs = Math.round((performance.now() - asked) * 10) / 10;
    const [runners, instances, figures] = await Promise.all([listRunners(context.db), listInstances(context.db), backlog(context.db)]);
    const degraded = runners.length === 0 || instances.some((instance) => instance.stopped !== null);
    return {
      status: degraded ? "degraded" : "ok",
      process: process_,
      database: { ok: true, latencyMs },
      runners: runners.map(({ id, pid, heartbeatAgeMs }) => ({ id, pid, heartbeatAgeMs: Math.round(heartbeatAgeMs) })),
      instances: instances.map(({ name, stopped }) => ({ name, stopped: stopped?.message ?? null })),
      openFailures: figures.openFailures,
    };
  } catch (error) {
    context.log.error({ err: error }, "The database does not answer.");
    return {
      status: "down",
      process: process_,
      database: { ok: false, message: "The database does not answer." },
      runners: [],
      instances: [],
      openFailures: 0,
    };
  }
}
