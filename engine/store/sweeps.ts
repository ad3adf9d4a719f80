import { sql } from "kysely";
import type { Db, Tx } from "./database.ts";
import type { SideId, TwinId } from "./schema.ts";

/** A tied record that is to be looked for. */
export interface SweptRecord {
  readonly twinId: TwinId;
  readonly type: string;
  readonly id: string;
}

/**
 * Takes the next part of a side's sweep over its tied records, for one runner at a time: up to `limit` records by the number of
 * their twin, those known to be missing left out. At the end of the list the sweep rests until `everyMs` after it began.
 * Undefined while it rests, or while another runner has the part before.
 */
export async function takeSweep(db: Db, sideId: SideId, limit: number, everyMs: number): Promise<readonly SweptRecord[] | undefined> {
  return await db.transaction().execute(async (tx) => {
    await tx
      .insertInto("sweep")
      .values({ side_id: sideId })
      .onConflict((conflict) => conflict.column("side_id").doNothing())
      .execute();
    const found = await sql<{ after: number; connection_id: string }>`select sweep.after, side.connection_id from sweep join side on side.id = sweep.side_id
      where sweep.side_id = ${sideId} and sweep.due_at <= clock_timestamp() for update of sweep skip locked`.execute(tx);
    const [sweep] = found.rows;
    if (sweep === undefined) return undefined;
    const rows = await sql<{ twin_id: TwinId; number: number; entity_type: string; entity_id: string }>`
      select twin.id as twin_id, twin.number, twin_side.entity_type, twin_side.entity_id
      from twin join twin_side on twin_side.twin_id = twin.id and twin_side.side_id = ${sideId}
      where twin.connection_id = ${sweep.connection_id} and twin.number > ${sweep.after} and twin.state = 'tied'
        and twin_side.entity_id is not null and twin_side.missing_since is null
      order by twin.number limit ${limit}`.execute(tx);
    const last = rows.rows.at(-1);
    const atEnd = rows.rows.length < limit || last === undefined;
    await sql`update sweep set after = ${atEnd ? 0 : last.number},
      began_at = case when after = 0 then clock_timestamp() else began_at end,
      due_at = case when ${atEnd} then (case when after = 0 then clock_timestamp() else began_at end) + ${everyMs} * interval '1 millisecond' else due_at end
      where side_id = ${sideId}`.execute(tx);
    return rows.rows.map((row) => ({ twinId: row.twin_id, type: row.entity_type, id: row.entity_id }));
  });
}

/** Notes that a tied record is gone, once. False when that was known. */
export async function recordMissing(tx: Tx, sideId: SideId, twinId: TwinId): Promise<boolean> {
  const rows = await sql`update twin_side set missing_since = clock_timestamp()
    where side_id = ${sideId} and twin_id = ${twinId} and missing_since is null returning twin_id`.execute(tx);
  return rows.rows.length > 0;
}
