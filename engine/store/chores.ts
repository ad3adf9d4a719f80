import { sql } from "kysely";
import type { Db } from "./database.ts";

/** True for the one caller, among all runners, whose turn it is to do what is done every `everyMs`. */
export async function takeChore(db: Db, name: string, everyMs: number): Promise<boolean> {
  const taken = await sql`insert into chore (name, due_at) values (${name}, clock_timestamp() + ${everyMs} * interval '1 millisecond')
    on conflict (name) do update set due_at = excluded.due_at where chore.due_at <= clock_timestamp() returning name`.execute(db);
  return taken.rows.length > 0;
}
