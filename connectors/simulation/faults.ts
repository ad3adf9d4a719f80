import { z } from "zod";

/**
 * What goes wrong.
 * - `status`: this answer instead; with `applied`, after the request was handled all the same (a 5xx after applying).
 * - `reset` and `lost-reply` end the connection before and after the request was handled.
 * - `truncate`: half the body, then the connection drops; with `complete`, half the body as if that were all of it.
 * - `html`: a login page, or the page of a hibernating instance; with a 3xx status a redirect to it.
 * - `delay`: late; `drip`: the body in pieces of `bytes`, one every `ms`.
 */
export const faultEffect = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("status"),
    status: z.int().min(200).max(599),
    headers: z.record(z.string(), z.string()).optional(),
    body: z.unknown(),
    applied: z.boolean().optional(),
  }),
  z.strictObject({ kind: z.literal("lost-reply") }),
  z.strictObject({ kind: z.literal("reset") }),
  z.strictObject({ kind: z.literal("truncate"), complete: z.boolean().optional() }),
  z.strictObject({ kind: z.literal("html"), status: z.int().optional(), page: z.enum(["login", "hibernating"]).optional() }),
  z.strictObject({ kind: z.literal("delay"), ms: z.int().min(0) }),
  z.strictObject({ kind: z.literal("drip"), bytes: z.int().min(1).default(64), ms: z.int().min(1).default(20) }),
]);

/** Arms a fault: the first `after` matching requests pass, the next `times` (0 = for ever) are hit. */
export const faultSchema = z.strictObject({
  method: z.string().optional(),
  /** A regular expression over path and query. */
  path: z.string().optional(),
  after: z.int().min(0).default(0),
  times: z.int().min(0).default(1),
  effect: faultEffect,
});
export type FaultEffect = z.infer<typeof faultEffect>;
export type Fault = z.input<typeof faultSchema>;

/** The armed faults of one simulator, tried in the order in which they were armed; the first that fits is used. */
export class Faults {
  #armed: { fault: z.infer<typeof faultSchema>; seen: number }[] = [];

  arm(fault: Fault): void {
    this.#armed.push({ fault: faultSchema.parse(fault), seen: 0 });
  }

  clear(): void {
    this.#armed = [];
  }

  list(): readonly Fault[] {
    return this.#armed.map(({ fault }) => fault);
  }

  next(method: string, pathAndQuery: string): FaultEffect | undefined {
    for (const entry of this.#armed) {
      const { fault } = entry;
      if (fault.method !== undefined && fault.method.toUpperCase() !== method) continue;
      if (fault.path !== undefined && !new RegExp(fault.path).test(pathAndQuery)) continue;
      entry.seen++;
      if (entry.seen <= fault.after) continue;
      if (fault.times > 0 && entry.seen > fault.after + fault.times) continue;
      return fault.effect;
    }
    return undefined;
  }
}
