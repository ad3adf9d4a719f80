import { sql } from "kysely";
import type { Tx } from "../store/database.ts";
import type { ConnectionId, SideId } from "../store/schema.ts";
import { wakeRunners } from "./wake.ts";

/** What a lane waits for: that the record which goes by `remoteKey` (its key or id) on the other side has a twin on this one. */
export interface Wait {
  /** The side whose rule waits. */
  readonly sideId: SideId;
  readonly remoteKey: string;
}

/**
 * To be called first in a transaction that looks whether a twin is there and parks a lane if it is not. A tie that is being recorded on the
 * connection is then seen, and one that comes later sees the parked lane: none falls between. Also lets two lanes that begin to wait for each
 * other see it. Held until the transaction ends.
 */
export async function beforeWaiting(tx: Tx, connectionId: ConnectionId): Promise<void> {
  await sql`select pg_advisory_xact_lock(${lockOf(connectionId)})`.execute(tx);
}

/**
 * Wakes the lanes of a connection that wait for what this transaction has just tied. Ties do not wait for each other. Index: lane_waiting.
 * A type of the record does not matter: a rule that wants another one waits again.
 */
export async function wakeWaiting(
  tx: Tx,
  connectionId: ConnectionId,
  met: readonly { readonly sideId: SideId; readonly remoteKeys: readonly string[] }[],
): Promise<void> {
  await sql`select pg_advisory_xact_lock_shared(${lockOf(connectionId)})`.execute(tx);
  const waits = met.flatMap(({ sideId, remoteKeys }) => remoteKeys.map((remoteKey) => ({ sideId, remoteKey })));
  // In key order, as whatever takes several lanes does.
  const woken = await sql`update lane set ready_at = clock_timestamp(), waiting_side = null, waiting_for = null
    where key in (select lane.key from lane
      join unnest(${waits.map(({ sideId }) => sideId)}::uuid[], ${waits.map(({ remoteKey }) => remoteKey)}::text[]) as met(side_id, remote_key)
        on lane.waiting_side = met.side_id and lane.waiting_for = met.remote_key
      order by lane.key for update of lane)`.execute(tx);
  if ((woken.numAffectedRows ?? 0n) > 0n) await wakeRunners(tx);
}

/** Wakes all lanes that wait because of a rule of this side: it is about to be another rule. */
export async function wakeWaitingOf(tx: Tx, sideId: SideId): Promise<void> {
  const woken = await sql`update lane set ready_at = clock_timestamp(), waiting_side = null, waiting_for = null
    where key in (select key from lane where waiting_side = ${sideId} and waiting_for is not null order by key for update)`.execute(tx);
  if ((woken.numAffectedRows ?? 0n) > 0n) await wakeRunners(tx);
}

/**
 * The remote keys by which one comes from a wait back to the lane that is to wait; undefined when waiting may end. A twin's lane is called
 * `prefix` and the twin's id.
 */
export async function circleOf(tx: Tx, prefix: string, laneKey: string, wait: Wait): Promise<readonly string[] | undefined> {
  const seen = new Set<string>();
  let open: (Wait & { readonly path: readonly string[] })[] = [{ ...wait, path: [wait.remoteKey] }];
  while (open.length > 0 && seen.size < mostSteps) {
    const next: typeof open = [];
    for (const step of open) {
      const { rows } = await sql<{ key: string; waiting_side: SideId | null; waiting_for: string | null }>`
        select lane.key, lane.waiting_side, lane.waiting_for
        from side as here
        join side as there on there.connection_id = here.connection_id and there.id <> here.id
        join twin_side as remote on remote.side_id = there.id and remote.active and (remote.entity_key = ${step.remoteKey} or remote.entity_id = ${step.remoteKey})
        join lane on lane.key = ${prefix} || remote.twin_id
        where here.id = ${step.sideId}`.execute(tx);
      for (const row of rows) {
        if (row.key === laneKey) return step.path;
        if (row.waiting_side === null || row.waiting_for === null || seen.has(row.key)) continue;
        seen.add(row.key);
        next.push({ sideId: row.waiting_side, remoteKey: row.waiting_for, path: [...step.path, row.waiting_for] });
      }
    }
    open = next;
  }
  return undefined;
}

/** A chain of parents is seldom longer than five; a longer one than this is not followed to its end. */
const mostSteps = 200;

function lockOf(connectionId: ConnectionId): ReturnType<typeof sql> {
  return sql`hashtextextended(${`waiting ${connectionId}`}, 0)`;
}
