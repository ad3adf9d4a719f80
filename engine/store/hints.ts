import { sql } from "kysely";
import type { Db, Tx } from "./database.ts";
import type { InstanceId } from "./schema.ts";

/**
 * Brings the polls of an instance forward, of one entity type or (undefined) of all: to `delayMs` from now, so that a burst of
 * hints costs one poll. A watch that waits because its last poll failed goes on waiting.
 */
export async function hasten(tx: Tx, instanceId: InstanceId, entityType: string | undefined, delayMs: number): Promise<void> {
  await sql`update watch set hints = hints + 1, poll_after = least(poll_after, clock_timestamp() + ${delayMs} * interval '1 millisecond')
    from side where side.id = watch.side_id and side.instance_id = ${instanceId} and watch.active and watch.problem is null
    and (${entityType ?? null}::text is null or watch.entity_type = ${entityType ?? null})`.execute(tx);
}

/** Lets every watch of an instance be polled now, also those that wait after a failure: what was in their way is gone. */
export async function pollAtOnce(tx: Tx, instanceId: InstanceId): Promise<void> {
  await sql`update watch set poll_after = clock_timestamp() from side where side.id = watch.side_id and side.instance_id = ${instanceId}`.execute(tx);
}

/** Remembers a webhook delivery. False when it came before: platforms deliver more than once. */
export async function rememberDelivery(tx: Tx, instanceId: InstanceId, deliveryId: string): Promise<boolean> {
  const made = await tx
    .insertInto("webhook_delivery")
    .values({ instance_id: instanceId, delivery_id: deliveryId })
    .onConflict((conflict) => conflict.columns(["instance_id", "delivery_id"]).doNothing())
    .returning("delivery_id")
    .execute();
  return made.length > 0;
}

/** Forgets deliveries older than a day: senders give up sooner, and calls that are late are refused by their time stamp. */
export async function forgetDeliveries(db: Db): Promise<void> {
  await sql`delete from webhook_delivery where received_at < clock_timestamp() - interval '1 day'`.execute(db);
}
