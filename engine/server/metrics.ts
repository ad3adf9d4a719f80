import { Counter, Gauge, Registry } from "prom-client";
import { listInstances } from "../store/configuration.ts";
import { driftCounts } from "../store/drift.ts";
import { backlog } from "../store/lists.ts";
import { listRunners } from "../store/runners.ts";
import type { SyncContext } from "../sync/context.ts";

/** The node's figures for Prometheus. Those that live in the database are read when they are asked for. */
export function nodeMetrics(context: SyncContext): Registry {
  const registry = new Registry();
  const gauge = (name: string, help: string): Gauge => new Gauge({ name: `isobridge_${name}`, help, registers: [registry] });
  const lanesWaiting = gauge("lanes_waiting", "Lanes with work that no runner holds");
  const lanesHeld = gauge("lanes_held", "Lanes in the hands of a runner");
  const lanesBlocked = gauge("lanes_blocked", "Lanes parked by a failure");
  const jobs = gauge("jobs_pending", "Jobs in all lanes");
  const failures = gauge("failures_open", "Failures that wait for a person");
  const runners = gauge("runners", "Runners with a recent heartbeat");
  const drifted = gauge("rules_drifted", "Active rules whose instance's schema changed since they were checked");
  const broken = gauge("rules_broken_by_drift", "Active rules that no longer check against their instance's schema");
  const resident = gauge("process_resident_memory_bytes", "Resident memory of the node's process");
  const uptime = gauge("process_uptime_seconds", "Time since the node's process started");
  const ruleRuns = new Counter({ name: "isobridge_rule_runs_total", help: "Rule runs of this process", registers: [registry] });
  const ruleFailures = new Counter({
    name: "isobridge_rule_runs_failed_total",
    help: "Rule runs of this process that ended in an error",
    registers: [registry],
  });
  const kills = new Counter({ name: "isobridge_sandbox_kills_total", help: "Sandbox processes of this process that had to be killed", registers: [registry] });
  const calls = new Counter({
    name: "isobridge_platform_calls_total",
    help: "Calls to platforms by this process",
    labelNames: ["instance"],
    registers: [registry],
  });
  const allowance = new Gauge({
    name: "isobridge_platform_allowance",
    help: "The platform's own allowance of calls, where it tells: what is used and what there is",
    labelNames: ["instance", "of"],
    registers: [registry],
  });
  const stopped = new Gauge({
    name: "isobridge_instance_stopped",
    help: "1 while an instance is stopped because its sign-in does not work",
    labelNames: ["instance"],
    registers: [registry],
  });

  // One collect for all: each gauge asking for itself would put the same questions to the database again.
  const collect = async (): Promise<void> => {
    const [figures, alive, instances, drift] = await Promise.all([
      backlog(context.db),
      listRunners(context.db),
      listInstances(context.db),
      driftCounts(context.db),
    ]);
    lanesWaiting.set(figures.waiting);
    lanesHeld.set(figures.held);
    lanesBlocked.set(figures.blocked);
    jobs.set(figures.jobs);
    failures.set(figures.openFailures);
    runners.set(alive.length);
    drifted.set(drift.drifted);
    broken.set(drift.broken);
    resident.set(process.memoryUsage.rss());
    uptime.set(process.uptime());
    const sandbox = context.sandbox.stats();
    advance(ruleRuns, sandbox.runs);
    advance(ruleFailures, sandbox.failures);
    advance(kills, sandbox.kills);
    const usage = context.connectors.usage();
    stopped.reset();
    allowance.reset();
    calls.reset();
    for (const instance of instances) {
      stopped.set({ instance: instance.name }, instance.stopped === null ? 0 : 1);
      const used = usage.get(instance.id);
      calls.inc({ instance: instance.name }, used?.calls ?? 0);
      if (used?.allowance === undefined) continue;
      allowance.set({ instance: instance.name, of: "used" }, used.allowance.used);
      allowance.set({ instance: instance.name, of: "max" }, used.allowance.max);
    }
  };
  const metrics = registry.metrics.bind(registry);
  registry.metrics = async () => {
    await collect();
    return await metrics();
  };
  return registry;
}

/** Sets a counter to a total that is counted elsewhere. */
function advance(counter: Counter, total: number): void {
  counter.reset();
  counter.inc(total);
}
