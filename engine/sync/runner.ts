import { type ClaimedLane, LeaseLost } from "../lanes/lanes.ts";
import { listenForWork } from "../lanes/wake.ts";
import { listSides, type SideRow } from "../store/configuration.ts";
import { forgetDeliveries } from "../store/hints.ts";
import { freeListeningOf } from "../store/listening.ts";
import { beat, registerRunner, strikeOffDead, unregisterRunner } from "../store/runners.ts";
import { forgetRuns } from "../store/runs.ts";
import type { RunnerId, SideId } from "../store/schema.ts";
import { claimWatches, freeWatchesOf } from "../store/watches.ts";
import { apply } from "./apply.ts";
import { paceOf, type SyncContext } from "./context.ts";
import { hourlyDriftCheck } from "./drift.ts";
import { parseJob } from "./jobs.ts";
import { Listeners } from "./listening.ts";
import { observe } from "./observe.ts";
import { poll } from "./poll.ts";
import { reconcile } from "./reconcile.ts";
import { settleError } from "./settle.ts";

export interface RunnerOptions {
  /** For hints that there is work; without it the runner only looks by itself. */
  readonly databaseUrl?: string;
  readonly leaseMs?: number;
  /** Lanes taken at once. They are grouped by side, so larger groups mean fewer platform calls. */
  readonly lanesAtOnce?: number;
  /** Groups worked at the same time. */
  readonly groupsAtOnce?: number;
  /** How long to sleep when there was nothing to do and nobody gave a hint, in milliseconds. */
  readonly idleMs?: number;
  /** How long recorded runs are kept, in days, and how many of a connection, where it says nothing of its own. */
  readonly keepRunsDays?: number;
  readonly keepRuns?: number;
}

const housekeepingMs = 2_000;
const forgettingMs = 60_000;

/**
 * Works lanes and polls until stopped. Any number of runners may be at work on one database, on any number of machines: a lane
 * and a watch is in the hands of one of them at a time.
 */
export class Runner {
  readonly id: RunnerId;
  readonly #context: SyncContext;
  readonly #leaseMs: number;
  readonly #lanesAtOnce: number;
  readonly #groupsAtOnce: number;
  readonly #idleMs: number;
  readonly #keepRunsDays: number;
  readonly #keepRuns: number;
  /** By key, the claim: a lane may be finished and claimed anew while the rest of its first group is still being worked. */
  readonly #held = new Map<string, number>();
  readonly #busy = new Set<Promise<void>>();
  readonly #polling = new Set<Promise<void>>();
  #stopping = false;
  #wake: () => void = () => undefined;
  #loop: Promise<void> = Promise.resolve();
  #timers: NodeJS.Timeout[] = [];
  /** Housekeeping under way: what it needs must not be closed under it. */
  readonly #chores = new Set<Promise<void>>();
  #listener: { close(): Promise<void> } | undefined;
  readonly #listeners: Listeners;

  private constructor(id: RunnerId, context: SyncContext, options: RunnerOptions) {
    this.id = id;
    this.#context = context;
    this.#leaseMs = options.leaseMs ?? 30_000;
    this.#lanesAtOnce = options.lanesAtOnce ?? 100;
    this.#groupsAtOnce = options.groupsAtOnce ?? 4;
    this.#idleMs = options.idleMs ?? 1_000;
    this.#keepRunsDays = options.keepRunsDays ?? 30;
    this.#keepRuns = options.keepRuns ?? 100_000;
    this.#listeners = new Listeners(context, id, this.#leaseMs);
  }

  static async start(context: SyncContext, options: RunnerOptions = {}): Promise<Runner> {
    const runner = new Runner(await registerRunner(context.db), context, options);
    await runner.#housekeep();
    if (options.databaseUrl !== undefined) runner.#listener = await listenForWork(options.databaseUrl, () => runner.#wake());
    runner.#every(housekeepingMs, async () => await runner.#housekeep());
    runner.#every(Math.floor(runner.#leaseMs / 3), async () => await context.lanes.renew(runner.id, [...runner.#held.keys()], runner.#leaseMs));
    runner.#every(forgettingMs, async () => await runner.#forget());
    runner.#every(forgettingMs, async () => await reconcile(context, () => runner.#stopping));
    runner.#every(housekeepingMs, async () => await runner.#listeners.look());
    runner.#every(forgettingMs, async () => await hourlyDriftCheck(context, () => runner.#stopping));
    runner.#loop = runner.#work();
    return runner;
  }

  /** Finishes what is in hand and stops. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#wake();
    await this.#loop;
    await Promise.all([...this.#busy, ...this.#polling]);
    for (const timer of this.#timers) clearInterval(timer);
    await Promise.all(this.#chores);
    await this.#listeners.close();
    await this.#listener?.close();
    await unregisterRunner(this.#context.db, this.id);
  }

  async #work(): Promise<void> {
    while (!this.#stopping) {
      const hint = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      let found = false;
      try {
        await this.#startPolls();
        if (this.#busy.size < this.#groupsAtOnce) found = await this.#startGroups();
      } catch (error) {
        this.#context.log.error({ err: error }, "The runner could not take work; it tries again.");
      }
      if (found && this.#busy.size < this.#groupsAtOnce) continue;
      const idle = new Promise<void>((resolve) => setTimeout(resolve, this.#idleMs));
      await Promise.race([hint, idle, ...this.#busy]);
    }
  }

  async #startPolls(): Promise<void> {
    const room = 4 - this.#polling.size;
    if (room <= 0) return;
    const watches = await claimWatches(this.#context.db, this.id, room, Math.max(this.#leaseMs, 120_000));
    if (watches.length === 0) return;
    const sides = await this.#sides();
    for (const watch of watches) {
      const side = sides.get(watch.sideId);
      if (side === undefined) continue;
      const polling = this.#context.connectors
        .instance(side.instanceId)
        .then(async (instance) => await poll(this.#context, side, instance, watch))
        .catch((error: unknown) => this.#context.log.error({ err: error, connection: side.connectionName }, "A poll could not be started."))
        .finally(() => {
          this.#polling.delete(polling);
          this.#wake();
        });
      this.#polling.add(polling);
    }
  }

  async #startGroups(): Promise<boolean> {
    const lanes = await this.#context.lanes.claim(this.id, this.#lanesAtOnce, this.#leaseMs);
    if (lanes.length === 0) return false;
    for (const lane of lanes) this.#held.set(lane.key, lane.fence);
    const sides = await this.#sides();
    for (const group of grouped(lanes)) {
      const working = this.#workGroup(sides.get(group.sideId), group)
        .catch((error: unknown) => this.#context.log.error({ err: error }, "A group of lanes could not be worked; they are freed when their leases end."))
        .finally(() => {
          for (const lane of group.lanes) if (this.#held.get(lane.key) === lane.fence) this.#held.delete(lane.key);
          this.#busy.delete(working);
        });
      this.#busy.add(working);
    }
    return true;
  }

  async #workGroup(side: SideRow | undefined, group: Group): Promise<void> {
    const context = this.#context;
    if (side === undefined) {
      // The connection was removed; its lanes go with it.
      return;
    }
    const jobs = group.lanes.map((lane) => ({ lane, job: parseJob(lane.kind, lane.payload) }));
    try {
      if (!side.active) {
        await this.#putOff(group, pausedDelayMs);
        return;
      }
      const instance = await context.connectors.instance(side.instanceId);
      if (instance.stopped !== null && !this.#mayProbe(side)) {
        await this.#putOff(group, paceOf(context).stoppedMs);
        return;
      }
      if (group.kind === "observe")
        await observe(
          context,
          side,
          instance,
          jobs.map(({ lane, job }) => ({ lane, twinId: job.twinId, anyway: job.kind === "observe" && job.anyway })),
        );
      else
        await apply(
          context,
          side,
          instance,
          jobs.flatMap(({ lane, job }) => (job.kind === "apply" ? [{ lane, twinId: job.twinId, messageId: job.messageId }] : [])),
        );
    } catch (error) {
      await Promise.all(jobs.map(async ({ lane, job }) => await settleError(context, { lane, side, twinId: job.twinId, runs: [] }, error)));
    }
  }

  readonly #probes = new Map<string, number>();

  /** While an instance is stopped, one group at a time finds out whether it works again. */
  #mayProbe(side: SideRow): boolean {
    const now = this.#context.now().getTime();
    if (now - (this.#probes.get(side.instanceId) ?? 0) < paceOf(this.#context).stoppedMs) return false;
    this.#probes.set(side.instanceId, now);
    return true;
  }

  async #putOff(group: Group, delayMs: number): Promise<void> {
    for (const lane of group.lanes) {
      try {
        await this.#context.db.transaction().execute(async (tx) => await this.#context.lanes.putBack(tx, lane, delayMs, false));
      } catch (error) {
        if (!(error instanceof LeaseLost)) throw error;
      }
    }
  }

  async #sides(): Promise<Map<SideId, SideRow>> {
    return new Map((await listSides(this.#context.db)).map((side) => [side.id, side]));
  }

  async #housekeep(): Promise<void> {
    const alive = await beat(this.#context.db, this.id);
    if (!alive) this.#context.log.warn("This runner was taken for dead by another one; its lanes have been given away. It goes on with new ones.");
    const dead = (await strikeOffDead(this.#context.db)).filter((id) => id !== this.id);
    await freeWatchesOf(this.#context.db, dead);
    await freeListeningOf(this.#context.db, dead);
    const freed = await this.#context.lanes.sweep(dead);
    if (freed > 0) {
      this.#context.log.warn({ lanes: freed }, "Freed lanes of runners that are gone.");
      this.#wake();
    }
  }

  async #forget(): Promise<void> {
    await this.#context.lanes.forgetEmpty();
    await forgetDeliveries(this.#context.db);
    const usual = { days: this.#keepRunsDays, count: this.#keepRuns };
    while (!this.#stopping && (await forgetRuns(this.#context.db, this.#context.now(), usual, 1_000)));
  }

  #every(ms: number, task: () => Promise<void>): void {
    const timer = setInterval(() => {
      const chore = task()
        .catch((error: unknown) => this.#context.log.warn({ err: error }, "Housekeeping failed; it is tried again."))
        .finally(() => this.#chores.delete(chore));
      this.#chores.add(chore);
    }, ms);
    this.#timers.push(timer);
  }
}

const pausedDelayMs = 5_000;

interface Group {
  readonly kind: "observe" | "apply";
  readonly sideId: SideId;
  readonly lanes: ClaimedLane[];
}

/** Lanes whose heads ask for the same kind of work on the same side. */
function grouped(lanes: readonly ClaimedLane[]): Group[] {
  const groups = new Map<string, Group>();
  for (const lane of lanes) {
    const job = parseJob(lane.kind, lane.payload);
    const key = `${job.kind} ${job.sideId}`;
    const group = groups.get(key) ?? { kind: job.kind, sideId: job.sideId, lanes: [] };
    groups.set(key, group);
    group.lanes.push(lane);
  }
  return [...groups.values()];
}
