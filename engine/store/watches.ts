import { sql } from "kysely";
import { type Db, jsonText, type Tx } from "./database.ts";
import type { Problem, RunnerId, SideId, WatchId } from "./schema.ts";

/** A watch in a runner's hands until its lease ends. */
export interface ClaimedWatch {
  readonly id: WatchId;
  readonly sideId: SideId;
  readonly kind: "trigger" | "twins";
  readonly entityType: string;
  readonly query: string;
  readonly cursor: string | null;
  readonly since: Date;
  readonly fence: number;
  /** Hints that this poll answers. */
  readonly hints: number;
}

/** Takes watches that are due, of active connections, and leases them. One runner polls a watch at a time. */
export async function claimWatches(db: Db, runner: RunnerId, limit: number, leaseMs: number): Promise<ClaimedWatch[]> {
  const rows = await sql<{
    id: WatchId;
    side_id: SideId;
    kind: "trigger" | "twins";
    entity_type: string;
    query: string;
    cursor: string | null;
    since: Date;
    fence: number;
    hints: number;
  }>`
    with due as (
      select watch.id from watch join side on side.id = watch.side_id join connection on connection.id = side.connection_id
      where watch.active and connection.active and watch.poll_after <= clock_timestamp() and (watch.locked_until is null or watch.locked_until < clock_timestamp())
      order by watch.poll_after limit ${limit} for update of watch skip locked
    )
    update watch set locked_until = clock_timestamp() + ${leaseMs} * interval '1 millisecond', owner = ${runner}, fence = fence + 1
    from due where watch.id = due.id
    returning watch.id, watch.side_id, watch.kind, watch.entity_type, watch.query, watch.cursor, watch.since, watch.fence, watch.hints`.execute(db);
  return rows.rows.map((row) => ({
    id: row.id,
    sideId: row.side_id,
    kind: row.kind,
    entityType: row.entity_type,
    query: row.query,
    cursor: row.cursor,
    since: row.since,
    fence: row.fence,
    hints: row.hints,
  }));
}

/** Moves the cursor with what it found, in one transaction, if the lease is still ours. False when it is not: roll back. */
export async function advanceWatch(tx: Tx, watch: ClaimedWatch, cursor: string): Promise<boolean> {
  const moved = await tx.updateTable("watch").set({ cursor }).where("id", "=", watch.id).where("fence", "=", watch.fence).returning("id").execute();
  return moved.length > 0;
}

/** How soon a watch is polled again that was given a hint while it was being polled, in milliseconds. */
const hintedMs = 500;

/** Gives the watch back until `delayMs` from now, with what is wrong with it, if anything. A hint that came meanwhile brings a sound one back sooner. */
export async function releaseWatch(db: Db, watch: ClaimedWatch, delayMs: number, problem: Problem | null): Promise<void> {
  await db
    .updateTable("watch")
    .set({
      locked_until: null,
      owner: null,
      poll_after:
        problem === null
          ? sql<Date>`clock_timestamp() + (case when hints = ${watch.hints} then ${delayMs}::float8 else least(${delayMs}::float8, ${hintedMs}) end) * interval '1 millisecond'`
          : sql<Date>`clock_timestamp() + ${delayMs} * interval '1 millisecond'`,
      problem: problem === null ? null : jsonText(problem),
    })
    .where("id", "=", watch.id)
    .where("fence", "=", watch.fence)
    .execute();
}

/** Forgets a cursor that the platform no longer accepts; the next poll starts `backMs` ago. */
export async function restartWatch(db: Db, watch: ClaimedWatch, backMs: number): Promise<void> {
  await db
    .updateTable("watch")
    .set({ cursor: null, since: sql<Date>`clock_timestamp() - ${backMs} * interval '1 millisecond'` })
    .where("id", "=", watch.id)
    .where("fence", "=", watch.fence)
    .execute();
}

/** Watches all records of a type on a side from five minutes ago on, so that changes of twins are seen whether or not a trigger still fits them. */
export async function watchTwins(tx: Tx, sideId: SideId, entityType: string): Promise<void> {
  await tx
    .insertInto("watch")
    .values({
      side_id: sideId,
      kind: "twins",
      entity_type: entityType,
      query: "",
      cursor: null,
      since: sql<Date>`clock_timestamp() - interval '5 minutes'`,
      locked_until: null,
      owner: null,
      problem: null,
    })
    .onConflict((conflict) => conflict.columns(["side_id", "kind", "entity_type", "query"]).doNothing())
    .execute();
}

/** Frees the watches of runners that are gone. */
export async function freeWatchesOf(db: Db, dead: readonly RunnerId[]): Promise<void> {
  if (dead.length === 0) return;
  await sql`update watch set locked_until = null, owner = null, fence = fence + 1 where owner = any(${dead}::uuid[])`.execute(db);
}
