import { sql } from "kysely";
import type { Json } from "../replica/json.ts";
import { type Db, jsonText, type Tx } from "../store/database.ts";
import type { ConnectionId, RunnerId } from "../store/schema.ts";
import type { Wait } from "./waiting.ts";

/** Work to be done in order with all other work of the same lane. */
export interface NewJob {
  readonly laneKey: string;
  readonly connectionId: ConnectionId;
  readonly kind: string;
  readonly payload: Json;
  /** While a job with this key waits in the lane, this one is dropped: it would do the same. */
  readonly dedupeKey?: string;
}

/** A lane in our hands until the lease ends, with the job at its head. */
export interface ClaimedLane {
  readonly key: string;
  readonly connectionId: ConnectionId;
  /** Grows with each claim; who comes with an older one has lost the lane. */
  readonly fence: number;
  /** How often the head was tried and put back. */
  readonly attempts: number;
  readonly jobId: number;
  readonly kind: string;
  readonly payload: Json;
}

/** Somebody else holds the lane now: what we did for it must not be recorded. */
export class LeaseLost extends Error {
  override readonly name = "LeaseLost";
  constructor(laneKey: string) {
    super(`The lease of lane ${laneKey} has passed to another runner.`);
  }
}

/**
 * Ordered durable work on PostgreSQL. A lane is one row per key with pending work; its jobs hang off it in the order of
 * their ids. Runners claim lanes, never jobs, so two runners cannot be at work on one key.
 *
 * Why ids are in commit order: enqueueing first takes the row lock of the lane, then draws the id, so a later id of the same
 * lane belongs to a transaction that committed later.
 */
export class Lanes {
  readonly #db: Db;

  constructor(db: Db) {
    this.#db = db;
  }

  /**
   * Queues jobs inside the caller's transaction. Lanes are locked in key order, so that two bulk enqueues cannot deadlock.
   * Jobs of one lane keep the order given.
   */
  async enqueue(tx: Tx, jobs: readonly NewJob[]): Promise<void> {
    if (jobs.length === 0) return;
    const lanes = new Map<string, ConnectionId>();
    for (const job of jobs) lanes.set(job.laneKey, job.connectionId);
    const keys = [...lanes.keys()].sort();
    // One statement takes every lane's row lock; the order by decides the order of locking.
    // Lanes are forgotten when empty; a new one starts beyond every fence that one of its name can have had.
    await sql`insert into lane (key, connection_id, fence)
      select key, connection_id, (extract(epoch from clock_timestamp()) * 1000)::bigint from unnest(${keys}::text[], ${keys.map((key) => lanes.get(key))}::uuid[]) as given(key, connection_id) order by key
      on conflict (key) do update set connection_id = excluded.connection_id`.execute(tx);
    const added = await sql<{ lane_key: string }>`insert into job (lane_key, kind, payload, dedupe_key)
      select lane_key, kind, payload::jsonb, dedupe_key
      from unnest(${jobs.map((job) => job.laneKey)}::text[], ${jobs.map((job) => job.kind)}::text[], ${jobs.map((job) => jsonText(job.payload))}::text[],
        ${jobs.map((job) => job.dedupeKey ?? null)}::text[]) with ordinality as given(lane_key, kind, payload, dedupe_key, place) order by place
      on conflict (lane_key, dedupe_key) where dedupe_key is not null do nothing
      returning lane_key`.execute(tx);
    const counts = new Map<string, number>();
    for (const { lane_key } of added.rows) counts.set(lane_key, (counts.get(lane_key) ?? 0) + 1);
    if (counts.size === 0) return;
    await sql`update lane set pending = pending + given.added,
        ready_at = case when lane.pending = 0 then clock_timestamp() else lane.ready_at end
      from unnest(${[...counts.keys()]}::text[], ${[...counts.values()]}::integer[]) as given(key, added) where lane.key = given.key`.execute(tx);
  }

  /**
   * Takes up to `limit` lanes that are ready, longest ready first, and leases them for `leaseMs`. The head's dedupe key is
   * cleared: what happens from now on needs a job of its own.
   */
  async claim(runner: RunnerId, limit: number, leaseMs: number): Promise<ClaimedLane[]> {
    return await this.#db.transaction().execute(async (tx) => {
      // `skip locked` lets runners pass each other. The clock is the database's: runners' own clocks may differ.
      const held = await sql<{ key: string; fence: number; attempts: number }>`
        with ready as (
          select key from lane
          where pending > 0 and blocked_by is null and locked_until is null and ready_at <= clock_timestamp()
          order by ready_at limit ${limit} for update skip locked
        )
        update lane set locked_until = clock_timestamp() + ${leaseMs} * interval '1 millisecond', owner = ${runner}, fence = fence + 1,
          waiting_side = null, waiting_for = null
        from ready where lane.key = ready.key
        returning lane.key, lane.fence, lane.attempts`.execute(tx);
      if (held.rows.length === 0) return [];
      // A statement of its own: within the first one's snapshot, a head that was finished while we waited for the lane's row
      // would still be seen, and the lane would stay leased with no job in hand.
      const heads = await sql<{ key: string; connection_id: ConnectionId; job_id: number; kind: string; payload: Json }>`
        update job set dedupe_key = null
        from lane where lane.key = any(${held.rows.map((row) => row.key)}::text[])
          and job.id = (select id from job as head where head.lane_key = lane.key order by id limit 1)
        returning lane.key, lane.connection_id, job.id as job_id, job.kind, job.payload`.execute(tx);
      const headOf = new Map(heads.rows.map((row) => [row.key, row]));
      return held.rows.flatMap((lane) => {
        const head = headOf.get(lane.key);
        if (head === undefined) return [];
        return [
          {
            key: lane.key,
            connectionId: head.connection_id,
            fence: lane.fence,
            attempts: lane.attempts,
            jobId: head.job_id,
            kind: head.kind,
            payload: head.payload,
          },
        ];
      });
    });
  }

  /** Locks the lane's row for this transaction if we still hold the lane. Throws {@link LeaseLost} otherwise. */
  async holdFence(tx: Tx, lane: Pick<ClaimedLane, "key" | "fence">): Promise<void> {
    const held = await tx
      .selectFrom("lane")
      .select("key")
      .where("key", "=", lane.key)
      .where("fence", "=", lane.fence)
      .where("locked_until", "is not", null)
      .forUpdate()
      .execute();
    if (held.length === 0) throw new LeaseLost(lane.key);
  }

  /** The head is done: removes it and frees the lane for its next job. Part of the transaction that records what was done. */
  async complete(tx: Tx, lane: ClaimedLane): Promise<void> {
    await this.holdFence(tx, lane);
    await tx.deleteFrom("job").where("id", "=", lane.jobId).execute();
    await tx
      .updateTable("lane")
      .set((set) => ({ pending: set("pending", "-", 1), locked_until: null, owner: null, attempts: 0, ready_at: sql<Date>`clock_timestamp()` }))
      .where("key", "=", lane.key)
      .execute();
  }

  /**
   * Puts the head back for later. `counts` is false when the try says nothing about this job (the instance is down). With `until` the lane
   * waits for a twin, and is woken by it: see waiting.ts.
   */
  async putBack(tx: Tx, lane: ClaimedLane, delayMs: number, counts = true, until?: Wait): Promise<void> {
    await this.holdFence(tx, lane);
    await tx
      .updateTable("lane")
      .set((set) => ({
        locked_until: null,
        owner: null,
        attempts: counts ? set("attempts", "+", 1) : set.ref("attempts"),
        waiting_side: until?.sideId ?? null,
        waiting_for: until?.remoteKey ?? null,
        ready_at: sql<Date>`clock_timestamp() + ${delayMs} * interval '1 millisecond'`,
      }))
      .where("key", "=", lane.key)
      .execute();
  }

  /** Parks the lane at its head until a person retries or skips. */
  async block(tx: Tx, lane: ClaimedLane): Promise<void> {
    await this.holdFence(tx, lane);
    await tx.updateTable("lane").set({ locked_until: null, owner: null, blocked_by: lane.jobId }).where("key", "=", lane.key).execute();
  }

  /** Lets a parked lane go on with the job that it stopped at. False when it was not parked. */
  async retry(tx: Tx, laneKey: string): Promise<boolean> {
    const freed = await tx
      .updateTable("lane")
      .set({ blocked_by: null, attempts: 0, ready_at: sql<Date>`clock_timestamp()` })
      .where("key", "=", laneKey)
      .where("blocked_by", "is not", null)
      .returning("key")
      .execute();
    return freed.length > 0;
  }

  /** Lets a parked lane go on without the job that it stopped at. The job's payload, or undefined when it was not parked. */
  async skip(tx: Tx, laneKey: string): Promise<{ readonly kind: string; readonly payload: Json } | undefined> {
    const lane = await tx.selectFrom("lane").select("blocked_by").where("key", "=", laneKey).where("blocked_by", "is not", null).forUpdate().executeTakeFirst();
    if (lane?.blocked_by == null) return undefined;
    const job = await tx.deleteFrom("job").where("id", "=", lane.blocked_by).returning(["kind", "payload"]).executeTakeFirst();
    await tx
      .updateTable("lane")
      .set((set) => ({ blocked_by: null, attempts: 0, pending: set("pending", "-", 1), ready_at: sql<Date>`clock_timestamp()` }))
      .where("key", "=", laneKey)
      .execute();
    return job;
  }

  // Whatever takes several lanes takes them in key order, as enqueueing does, or the two would deadlock.
  /** Prolongs the leases of lanes that are still being worked. Lanes lost meanwhile are left alone. */
  async renew(runner: RunnerId, keys: readonly string[], leaseMs: number): Promise<void> {
    if (keys.length === 0) return;
    await sql`update lane set locked_until = clock_timestamp() + ${leaseMs} * interval '1 millisecond'
      where key in (select key from lane where key = any(${keys}::text[]) and owner = ${runner} and locked_until is not null order by key for update)`.execute(
      this.#db,
    );
  }

  /** Frees lanes whose lease ran out, or whose owner is in `dead`. The fence rises, so that a late owner records nothing. Returns how many. */
  async sweep(dead: readonly RunnerId[] = []): Promise<number> {
    const freed = await sql`update lane set locked_until = null, owner = null, fence = fence + 1
      where key in (select key from lane where locked_until is not null and (locked_until < clock_timestamp() or owner = any(${dead}::uuid[]))
        order by key for update skip locked)`.execute(this.#db);
    return Number(freed.numAffectedRows ?? 0);
  }

  /** Drops the rows of lanes that are empty; they are made again when needed. */
  async forgetEmpty(): Promise<void> {
    await sql`delete from lane where key in (
      select key from lane where pending = 0 and locked_until is null and blocked_by is null and ready_at < clock_timestamp() - interval '1 hour' limit 1000 for update skip locked)`.execute(
      this.#db,
    );
  }
}
