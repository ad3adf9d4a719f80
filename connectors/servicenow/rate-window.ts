import type { Allowance } from "../connector.ts";

/**
 * What the rate limit rules of an instance leave us. Answers that a rule covers say how many calls an hour it allows and when
 * the hour ends, but not how many are used [D], so those are counted here; others that use the same account are not seen.
 */
export class RateWindow {
  #max = 0;
  #endsAt = 0;
  #used = 0;

  note(status: number, headers: Readonly<Record<string, string>>): void {
    const max = Number(headers["x-ratelimit-limit"]);
    const endsAt = resetAt(headers);
    if (!(max > 0) || endsAt === undefined) return;
    if (endsAt !== this.#endsAt) this.#used = 0;
    this.#endsAt = endsAt;
    this.#max = max;
    this.#used = status === 429 ? max : Math.min(this.#used + 1, max);
  }

  allowance(now = Date.now()): Allowance | undefined {
    if (this.#max === 0) return undefined;
    return { used: now >= this.#endsAt ? 0 : this.#used, max: this.#max };
  }
}

/** When the hour of the rate limit ends, in milliseconds since 1970: the header counts seconds [D]. */
export function resetAt(headers: Readonly<Record<string, string>>): number | undefined {
  const seconds = Number(headers["x-ratelimit-reset"]);
  return seconds > 0 ? seconds * 1000 : undefined;
}
