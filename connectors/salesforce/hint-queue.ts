import type { Hint } from "../connector.ts";

/**
 * Hands hints on one after another. What comes meanwhile is kept as the set of objects that changed, so that a flood of events is a few
 * hints and takes no memory.
 */
export class HintQueue {
  readonly #positions: Map<string, number>;
  readonly #onHint: (hint: Hint) => Promise<void>;
  readonly #fail: (error: unknown) => void;
  #waiting = new Set<string | undefined>();
  #busy = false;
  #ended = false;
  #draining: Promise<void> = Promise.resolve();

  /** `positions` (replay id by channel) is kept up to date; `fail` is told when a hint could not be handed on. */
  constructor(positions: Map<string, number>, onHint: (hint: Hint) => Promise<void>, fail: (error: unknown) => void) {
    this.#positions = positions;
    this.#onHint = onHint;
    this.#fail = fail;
  }

  add(entityType: string | undefined, channel: string, replayId: number): void {
    if (this.#ended) return;
    this.#positions.set(channel, replayId);
    this.#waiting.add(entityType);
    if (!this.#busy) this.#draining = this.#drain();
  }

  /** Says that anything may have changed, where no event tells. */
  addUnknown(): void {
    if (this.#ended) return;
    this.#waiting.add(undefined);
    if (!this.#busy) this.#draining = this.#drain();
  }

  /** Hands nothing on any more. Resolves once the hint that is in hand has been taken, so that nobody stores one after listening is over. */
  async end(): Promise<void> {
    this.#ended = true;
    await this.#draining;
  }

  async #drain(): Promise<void> {
    this.#busy = true;
    try {
      while (this.#waiting.size > 0 && !this.#ended) {
        const types = [...this.#waiting];
        const position = this.#positions.size === 0 ? undefined : JSON.stringify(Object.fromEntries(this.#positions));
        this.#waiting = new Set();
        // The position covers all of them, so only the last one may carry it.
        for (const [i, entityType] of types.entries())
          if (!this.#ended)
            await this.#onHint({ ...(entityType !== undefined && { entityType }), ...(i === types.length - 1 && position !== undefined && { position }) });
      }
    } catch (error) {
      // A later hint would carry a position beyond the one that was not stored.
      this.#ended = true;
      this.#fail(error);
    } finally {
      this.#busy = false;
    }
  }
}
