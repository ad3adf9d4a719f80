import type { Hint } from "../../connectors/connector.ts";
import { ConnectorError } from "../../connectors/errors.ts";
import { wakeRunners } from "../lanes/wake.ts";
import { transact } from "../store/database.ts";
import { hasten } from "../store/hints.ts";
import {
  type ClaimedListening,
  claimListening,
  type Listenable,
  listenables,
  recordHeard,
  recordListens,
  releaseListening,
  renewListening,
} from "../store/listening.ts";
import type { InstanceId, RunnerId } from "../store/schema.ts";
import type { LiveInstance } from "./connector-pool.ts";
import type { SyncContext } from "./context.ts";
import { delayAfter } from "./settle.ts";

interface Listening {
  readonly claim: ClaimedListening;
  /** What it was started for: another connector or other entity types end it. */
  readonly made: LiveInstance["connector"];
  readonly types: string;
  readonly stop: AbortController;
  readonly ended: Promise<void>;
}

/**
 * Listens to the events of platforms, each instance in one runner at a time. An event is a hint that brings polls forward and
 * nothing more, so that a lost, repeated, late or forged one does no harm.
 */
export class Listeners {
  readonly #context: SyncContext;
  readonly #runner: RunnerId;
  readonly #leaseMs: number;
  readonly #held = new Map<InstanceId, Listening>();
  #closed = false;
  #looking: Promise<void> | undefined;

  constructor(context: SyncContext, runner: RunnerId, leaseMs: number) {
    this.#context = context;
    this.#runner = runner;
    this.#leaseMs = leaseMs;
  }

  /** Renews what is held and takes what nobody has. To be called more often than a lease lasts; a call during another one is that one. */
  async look(): Promise<void> {
    if (this.#closed) return;
    this.#looking ??= this.#lookOnce().finally(() => {
      this.#looking = undefined;
    });
    await this.#looking;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#looking?.catch(() => undefined);
    for (const { stop } of this.#held.values()) stop.abort();
    await Promise.all([...this.#held.values()].map(({ ended }) => ended));
  }

  async #lookOnce(): Promise<void> {
    const { db } = this.#context;
    const wanted = new Map((await listenables(db)).map((listenable) => [listenable.id, listenable]));
    for (const [id, { claim, stop, made, types }] of this.#held) {
      const listenable = wanted.get(id);
      const still =
        listenable !== undefined &&
        listenable.entityTypes.join() === types &&
        (await this.#context.connectors.instance(id)).connector === made &&
        (await renewListening(db, claim, this.#leaseMs));
      if (!still) stop.abort();
    }
    for (const listenable of wanted.values()) if (!this.#closed && !this.#held.has(listenable.id)) await this.#take(listenable);
  }

  async #take(listenable: Listenable): Promise<void> {
    const { db, connectors } = this.#context;
    const { connector, pollIntervalMs } = await connectors.instance(listenable.id);
    const listens = connector.listen !== undefined;
    if (listens !== listenable.listens) await recordListens(db, listenable.id, listens);
    if (!listens) return;
    const claim = await claimListening(db, listenable.id, this.#runner, this.#leaseMs);
    if (claim === undefined) return;
    const stop = new AbortController();
    const ended = this.#listen(listenable, connector, claim, pollIntervalMs, stop)
      .catch((error: unknown) => this.#context.log.error({ err: error, instance: listenable.name }, "What became of listening could not be recorded."))
      .finally(() => this.#held.delete(listenable.id));
    this.#held.set(listenable.id, { claim, made: connector, types: listenable.entityTypes.join(), stop, ended });
  }

  async #listen(
    { id, name, entityTypes }: Listenable,
    connector: LiveInstance["connector"],
    claim: ClaimedListening,
    pollIntervalMs: number,
    stop: AbortController,
  ): Promise<void> {
    // Connectors give one hint at a time, and those of a burst together: see Connector.listen.
    const store = async ({ entityType, position }: Hint): Promise<void> => {
      const ours = await transact(this.#context.db, async (tx) => {
        if (!(await recordHeard(tx, claim, position))) return false;
        await hasten(tx, id, entityType, hastenMs(pollIntervalMs));
        await wakeRunners(tx);
        return true;
      });
      if (!ours) stop.abort();
    };
    let problem: unknown;
    try {
      await connector.listen?.(claim.position ?? undefined, entityTypes, store, stop.signal);
      if (!stop.signal.aborted) problem = new ConnectorError("TRANSIENT", { message: `The events of ${name} stopped coming.` });
    } catch (error) {
      if (!stop.signal.aborted) problem = error;
    }
    if (problem === undefined) {
      await releaseListening(this.#context.db, claim, undefined);
      return;
    }
    const known = problem instanceof ConnectorError ? problem : undefined;
    if (known === undefined) this.#context.log.error({ err: problem, instance: name }, "Listening failed inside Isobridge.");
    else this.#context.log.warn({ instance: name, code: known.code }, known.message);
    const lost = known?.code === "CURSOR_LOST";
    await transact(this.#context.db, async (tx) => {
      await releaseListening(tx, claim, {
        problem: {
          code: known?.code ?? "INTERNAL",
          message: known?.message ?? "Listening failed inside Isobridge; the node's log says why.",
          ...(known?.advice === undefined ? {} : { advice: known.advice }),
        },
        delayMs: lost ? 0 : (known?.retryAfterMs ?? delayAfter(this.#context, claim.attempts)),
        lost,
      });
      // What was said while nobody listened is found by asking.
      await hasten(tx, id, undefined, 0);
      await wakeRunners(tx);
    });
  }
}

/** How long after a hint to poll, so that a burst costs one poll: a tenth of the poll interval, within 0.2 to 2 seconds. */
export function hastenMs(pollIntervalMs: number): number {
  return Math.min(2_000, Math.max(200, pollIntervalMs / 10));
}
