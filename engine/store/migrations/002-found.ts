import { type Kysely, sql } from "kysely";

/** What merging edits of both sides and going on after a crash need to know of a message that is not settled yet. */
export async function up(db: Kysely<unknown>): Promise<void> {
  // What the sender held the other side to know before this message: the difference to the body is what the message is about.
  await sql`alter table message add column previous jsonb`.execute(db);
  // The local record as it was before anything was written for this message.
  await sql`alter table message add column found jsonb`.execute(db);
  // Creates under way on a side: a record that a poll finds meanwhile may be one of them.
  await sql`create index intent_open on intent (side_id) where state = 'intended'`.execute(db);
}
