import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import type { Clock } from "../../simulation/clock.ts";
import { Refusal } from "./refusal.ts";

/** A rate limit rule of the instance [D]. */
export const rateLimitSchema = z.strictObject({
  name: z.string(),
  /** Which API it counts: the first part of the path after `/api/now`; all when absent. */
  api: z.enum(["table", "attachment", "batch", "stats", "import"]).optional(),
  /** Whose calls; everybody's when absent. */
  userName: z.string().optional(),
  perHour: z.int().min(0),
  /** Whether a refusal says how long to wait. */
  retryAfter: z.boolean().default(true),
});
export type RateLimit = z.infer<typeof rateLimitSchema>;

/** The pool that bounds how many REST calls are worked on at once (`API_INT`): the rest wait, and beyond the queue they are refused [R, K]. */
export const semaphoresSchema = z.strictObject({
  slots: z.int().min(1),
  queue: z.int().min(0),
  /** How long a call holds its slot, beyond the time it takes. */
  holdMs: z.int().min(0).default(0),
});
export type Semaphores = z.infer<typeof semaphoresSchema>;

const hourMs = 3_600_000;
const apiNames = { table: "Table API", attachment: "Attachment API", batch: "Batch API", stats: "Aggregate API", import: "Import Set API" } as const;

/** Counts calls against the rules, hour by hour of the instance's clock, and lets only so many in at once. */
export class Limits {
  readonly #clock: Clock;
  readonly #counts = new Map<string, number>();
  readonly #waiting: (() => void)[] = [];
  #inside = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Headers for the answer, where a rule matches [D]. Throws the 429 once the hour's share is used up. */
  count(rules: readonly RateLimit[], userName: string, path: string): Readonly<Record<string, string>> {
    const api = /^\/api\/now(?:\/v\d)?\/(\w+)/.exec(path)?.[1] ?? "";
    const rule = rules.find((one) => (one.api === undefined || one.api === api) && (one.userName === undefined || one.userName === userName));
    if (rule === undefined) return {};
    const now = this.#clock.now().getTime();
    const hour = Math.floor(now / hourMs);
    const key = `${rule.name} ${hour}`;
    const used = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, used);
    const end = (hour + 1) * hourMs;
    const headers = { "x-ratelimit-limit": String(rule.perHour), "x-ratelimit-reset": String(end / 1000), "x-ratelimit-rule": rule.name };
    if (used <= rule.perHour) return headers;
    const name = apiNames[rule.api ?? "table"];
    throw new Refusal(429, "Rate limit exceeded", `Rate limit of ${rule.perHour} requests per hour for ${name} exceeded`, {
      ...headers,
      ...(rule.retryAfter ? { "retry-after": String(Math.ceil((end - now) / 1000)) } : {}),
    });
  }

  /** Waits for a slot, holds it while `work` runs; refuses with 503 when too many wait already. */
  async within(pool: Semaphores | null, work: () => Promise<Response>): Promise<Response> {
    if (pool === null) return await work();
    if (this.#inside >= pool.slots) {
      if (this.#waiting.length >= pool.queue) throw new Refusal(503, "Service Unavailable", "Semaphore queue depth exceeded for API_INT");
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else this.#inside++;
    try {
      const response = await work();
      if (pool.holdMs > 0) await sleep(pool.holdMs, undefined, { ref: false });
      return response;
    } finally {
      const next = this.#waiting.shift();
      // A slot goes from hand to hand, so that nobody slips in between.
      if (next === undefined) this.#inside--;
      else next();
    }
  }
}
