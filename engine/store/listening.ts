import { sql } from "kysely";
import { type Db, jsonText, type Tx } from "./database.ts";
import type { InstanceId, Problem, RunnerId } from "./schema.ts";

/** An instance whose events might be listened to, with the entity types that somebody watches there. */
export interface Listenable {
  readonly id: InstanceId;
  readonly name: string;
  readonly entityTypes: readonly string[];
  /** Null while nobody has asked its connector. */
  readonly listens: boolean | null;
}

/** The right to listen to an instance, in a runner's hands until its lease ends. */
export interface ClaimedListening {
  readonly instanceId: InstanceId;
  readonly fence: number;
  readonly position: string | null;
  /** Starts that failed in a row. */
  readonly attempts: number;
}

/** Instances that are watched by an active connection and are not known to be silent. */
export async function listenables(db: Db): Promise<Listenable[]> {
  const rows = await sql<{ id: InstanceId; name: string; listens: boolean | null; entity_types: string[] }>`
    select instance.id, instance.name, instance.listens, array_agg(distinct watch.entity_type order by watch.entity_type) as entity_types
    from instance join side on side.instance_id = instance.id join connection on connection.id = side.connection_id and connection.active
    join watch on watch.side_id = side.id and watch.active
    where instance.listens is distinct from false group by instance.id`.execute(db);
  return rows.rows.map((row) => ({ id: row.id, name: row.name, listens: row.listens, entityTypes: row.entity_types }));
}

export async function recordListens(db: Db, instanceId: InstanceId, listens: boolean): Promise<void> {
  await db.updateTable("instance").set({ listens }).where("id", "=", instanceId).execute();
}

/** Takes the right to listen, if nobody has it and the last failure is long enough ago. */
export async function claimListening(db: Db, instanceId: InstanceId, runner: RunnerId, leaseMs: number): Promise<ClaimedListening | undefined> {
  await db
    .insertInto("listening")
    .values({ instance_id: instanceId })
    .onConflict((conflict) => conflict.column("instance_id").doNothing())
    .execute();
  const rows = await sql<{ fence: number; position: string | null; attempts: number }>`
    update listening set owner = ${runner}, locked_until = clock_timestamp() + ${leaseMs} * interval '1 millisecond', fence = fence + 1
    where instance_id = ${instanceId} and start_after <= clock_timestamp() and (locked_until is null or locked_until < clock_timestamp())
    returning fence, position, attempts`.execute(db);
  const [row] = rows.rows;
  return row === undefined ? undefined : { instanceId, ...row };
}

/** False when the right was lost to another runner. */
export async function renewListening(db: Db, claim: ClaimedListening, leaseMs: number): Promise<boolean> {
  const rows = await sql`update listening set locked_until = clock_timestamp() + ${leaseMs} * interval '1 millisecond'
    where instance_id = ${claim.instanceId} and fence = ${claim.fence} returning fence`.execute(db);
  return rows.rows.length > 0;
}

/** Moves the position on, with what was heard. False when the right was lost: roll back. */
export async function recordHeard(tx: Tx, claim: ClaimedListening, position: string | undefined): Promise<boolean> {
  const rows = await sql`update listening set position = coalesce(${position ?? null}, position), heard_at = clock_timestamp(), attempts = 0, problem = null
    where instance_id = ${claim.instanceId} and fence = ${claim.fence} returning fence`.execute(tx);
  return rows.rows.length > 0;
}

/** Gives the right back. With a problem, nobody starts before `delayMs` have passed; `lost` forgets a position that is no longer valid. */
export async function releaseListening(
  tx: Db | Tx,
  claim: ClaimedListening,
  end: { readonly problem: Problem; readonly delayMs: number; readonly lost: boolean } | undefined,
): Promise<void> {
  await sql`update listening set owner = null, locked_until = null,
    attempts = attempts + ${end === undefined ? 0 : 1},
    start_after = clock_timestamp() + ${end?.delayMs ?? 0} * interval '1 millisecond',
    problem = ${end === undefined ? null : jsonText(end.problem)}::jsonb,
    position = case when ${end?.lost ?? false} then null else position end
    where instance_id = ${claim.instanceId} and fence = ${claim.fence}`.execute(tx);
}

/** Frees what runners that are gone were listening to. */
export async function freeListeningOf(db: Db, dead: readonly RunnerId[]): Promise<void> {
  if (dead.length === 0) return;
  await sql`update listening set locked_until = null, owner = null, fence = fence + 1 where owner = any(${dead}::uuid[])`.execute(db);
}
