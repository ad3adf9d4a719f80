/** Versions that killed too many children lately. */
export class Quarantine {
  readonly #kills = new Map<string, number[]>();
  readonly #most: number;
  readonly #windowMs: number;

  /** `most` kills within `windowMs` put a version into quarantine, until fewer lie within that time. */
  constructor(most = 3, windowMs = 600_000) {
    this.#most = most;
    this.#windowMs = windowMs;
  }

  charge(version: string, now: number): void {
    this.#kills.set(version, [...this.#recent(version, now), now]);
  }

  holds(version: string, now: number): boolean {
    return this.#recent(version, now).length >= this.#most;
  }

  release(version: string): void {
    this.#kills.delete(version);
  }

  count(now: number): number {
    return [...this.#kills.keys()].filter((version) => this.holds(version, now)).length;
  }

  /** In words, for the run that is refused. */
  words(): string {
    return `this version is in quarantine: it killed ${this.#most} processes within ${this.#windowMs / 60_000} minutes, which is the limit`;
  }

  #recent(version: string, now: number): number[] {
    const kills = this.#kills.get(version);
    if (kills === undefined) return [];
    const recent = kills.filter((at) => now - at < this.#windowMs);
    if (recent.length === 0) this.#kills.delete(version);
    return recent;
  }
}
