/** A simulator's clock: real, shifted, or stopped, so that tests own stamps and ties. */
export class Clock {
  #offsetMs = 0;
  #frozenAt: number | undefined;

  now(): Date {
    return new Date(this.#frozenAt ?? Date.now() + this.#offsetMs);
  }

  /** `frozenAt` stops the clock at an instant (ms since the epoch), `offsetMs` shifts a running one. */
  set(to: { readonly frozenAt?: number | null; readonly offsetMs?: number }): void {
    if (to.frozenAt !== undefined) this.#frozenAt = to.frozenAt ?? undefined;
    if (to.offsetMs !== undefined) this.#offsetMs = to.offsetMs;
  }
}
