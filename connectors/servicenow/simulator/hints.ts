import { createHmac, randomUUID } from "node:crypto";
import { setTimeout as later } from "node:timers";
import { z } from "zod";
import type { Instance } from "./instance.ts";
import { matchesQuery } from "./query.ts";
import type { Saving } from "./rules.ts";
import type { Row } from "./store.ts";

/** An asynchronous business rule that tells somebody outside what was saved. */
export const webhookSchema = z.strictObject({
  url: z.url(),
  /** Key of the signature. */
  secret: z.string(),
  /** Whose records; those of tables that extend it too. */
  table: z.string(),
  /** Encoded query over the saved record; empty = all. */
  when: z.string().default(""),
});
export type WebhookInput = z.input<typeof webhookSchema>;
type Webhook = z.infer<typeof webhookSchema>;

/** What goes wrong on the way of the next `times` hints (0 = for ever). `reorder` holds a hint back until the next one has left. */
export const hintFaultSchema = z.strictObject({
  kind: z.enum(["lose", "duplicate", "delay", "reorder", "bad-signature", "old-timestamp"]),
  times: z.int().min(0).default(1),
  /** For `delay`. */
  ms: z.int().min(0).default(1000),
});
export type HintFault = z.input<typeof hintFaultSchema>;

export interface HintDelivery {
  readonly url: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  /** What the receiver answered; 0 when it could not be reached, absent while nobody knows. */
  status?: number;
  readonly fault?: HintFault["kind"];
}

const logLimit = 10_000;

/**
 * The hints that an instance sends: a JSON body that names the saved record, signed with HMAC-SHA256 over the time stamp,
 * a dot and the body. The platform has no signature of its own, so this is what the business rule of the update set makes
 * with it: `X-Isobridge-Timestamp` (unix seconds) and `X-Isobridge-Signature: sha256=<hex>`. Sent once, never repeated.
 */
export class Hints {
  readonly #instance: Instance;
  readonly #webhooks: Webhook[] = [];
  readonly #faults: { kind: HintFault["kind"]; left: number; ms: number }[] = [];
  readonly #underWay = new Set<Promise<void>>();
  #heldBack: (() => void) | undefined;
  /** What was sent, or should have been. */
  readonly deliveries: HintDelivery[] = [];

  constructor(instance: Instance) {
    this.#instance = instance;
  }

  add(webhook: WebhookInput): void {
    this.#webhooks.push(webhookSchema.parse(webhook));
  }

  clear(): void {
    this.#webhooks.length = 0;
    this.#faults.length = 0;
    this.release();
  }

  arm(fault: HintFault): void {
    const { kind, times, ms } = hintFaultSchema.parse(fault);
    this.#faults.push({ kind, left: times === 0 ? Number.POSITIVE_INFINITY : times, ms });
  }

  /** Lets a hint go that was held back for the sake of the order. */
  release(): void {
    const held = this.#heldBack;
    this.#heldBack = undefined;
    held?.();
  }

  tell(saving: Saving, row: Row): void {
    const classes = this.#instance.schema.ancestry(saving.table);
    for (const webhook of this.#webhooks) {
      if (!classes.includes(webhook.table) || !matchesQuery(saving.table, row, webhook.when, this.#instance.queryContext(saving))) continue;
      this.#send(webhook, {
        event_id: randomUUID(),
        table: saving.table,
        sys_id: row.sys_id ?? "",
        op: saving.occasion,
        sys_mod_count: row.sys_mod_count ?? "",
        sys_updated_on: row.sys_updated_on ?? "",
        sys_updated_by: row.sys_updated_by ?? "",
      });
    }
  }

  /** Waits until nothing is under way any more. */
  async settled(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  #send(webhook: Webhook, hint: object): void {
    const fault = this.#nextFault();
    const body = JSON.stringify(hint);
    const seconds = Math.floor(this.#instance.clock.now().getTime() / 1000) - (fault?.kind === "old-timestamp" ? 3600 : 0);
    const key = fault?.kind === "bad-signature" ? `${webhook.secret}?` : webhook.secret;
    const signature = createHmac("sha256", key).update(`${seconds}.${body}`).digest("hex");
    const headers = { "content-type": "application/json", "x-isobridge-timestamp": String(seconds), "x-isobridge-signature": `sha256=${signature}` };
    const deliver = () => this.#deliver({ url: webhook.url, body, headers, ...(fault === undefined ? {} : { fault: fault.kind }) }, fault?.kind === "lose");
    if (fault?.kind === "reorder") {
      this.release();
      this.#heldBack = deliver;
      return;
    }
    if (fault?.kind === "delay") later(deliver, fault.ms).unref();
    else deliver();
    if (fault?.kind === "duplicate") deliver();
    this.release();
  }

  #deliver(delivery: HintDelivery, lost: boolean): void {
    if (this.deliveries.length >= logLimit) this.deliveries.splice(0, logLimit / 2);
    this.deliveries.push(delivery);
    if (lost) return;
    const sent = fetch(delivery.url, { method: "POST", headers: delivery.headers, body: delivery.body, redirect: "manual" })
      .then(async (response) => {
        await response.body?.cancel();
        delivery.status = response.status;
      })
      .catch(() => {
        delivery.status = 0;
      })
      .finally(() => this.#underWay.delete(sent));
    this.#underWay.add(sent);
  }

  #nextFault(): { readonly kind: HintFault["kind"]; readonly ms: number } | undefined {
    const fault = this.#faults.find(({ left }) => left > 0);
    if (fault !== undefined) fault.left--;
    return fault;
  }
}
