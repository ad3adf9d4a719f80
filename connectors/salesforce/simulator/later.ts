import type { Clock } from "../../simulation/clock.ts";

/** Work that waits until the simulator's clock has come so far. */
export class Later {
  #planned: { readonly at: number; readonly work: () => void }[] = [];
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  plan(ms: number, work: () => void): void {
    this.#planned.push({ at: this.#clock.now().getTime() + ms, work });
  }

  /** Takes out what is due, in the order in which it was planned. */
  due(): readonly (() => void)[] {
    if (this.#planned.length === 0) return [];
    const now = this.#clock.now().getTime();
    const due = this.#planned.filter(({ at }) => at <= now);
    this.#planned = this.#planned.filter(({ at }) => at > now);
    return due.map(({ work }) => work);
  }
}
