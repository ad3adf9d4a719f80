import { type Kysely, sql } from "kysely";

/** What a parked lane waits for, so that it can be woken by the very thing; where a replica holds rich text; limits of a connection's own. */
export async function up(db: Kysely<unknown>): Promise<void> {
  // The side whose rule waits, and the key or id of the other side's record that is to be tied. Both null unless the lane waits.
  await sql`alter table lane add column waiting_side uuid, add column waiting_for text`.execute(db);
  // Each tie asks who waits for its record; nearly always nobody does.
  await sql`create index lane_waiting on lane (waiting_side, waiting_for) where waiting_for is not null`.execute(db);
  // Paths of members that came from rich fields: a plain field gets them converted. Null for none.
  await sql`alter table message add column rich jsonb`.execute(db);
  // What runs of the connection's rules may use, where it is not what the node allows by itself.
  await sql`alter table connection add column limits jsonb not null default '{}'`.execute(db);
}
