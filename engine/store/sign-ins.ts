import { createHash } from "node:crypto";
import { sql } from "kysely";
import { type Db, jsonText } from "./database.ts";
import type { InstanceId, SealedSecret } from "./schema.ts";

/** A sign-in under way: what the answer of the platform is checked and traded with. */
export interface BegunSignIn {
  readonly instanceId: InstanceId;
  readonly verifier: SealedSecret;
  readonly redirectUri: string;
  /** Who began it. */
  readonly author: string;
}

/** Notes a sign-in by its state, of which only the hash is kept. Forgets those that never came back. */
export async function beginSignIn(db: Db, state: string, begun: BegunSignIn): Promise<void> {
  await sql`delete from sign_in where began_at < clock_timestamp() - interval '10 minutes'`.execute(db);
  await db
    .insertInto("sign_in")
    .values({
      state_hash: hash(state),
      instance_id: begun.instanceId,
      verifier: jsonText(begun.verifier),
      redirect_uri: begun.redirectUri,
      author: begun.author,
    })
    .execute();
}

/** Takes a sign-in that was begun within ten minutes, once. */
export async function takeSignIn(db: Db, state: string): Promise<BegunSignIn | undefined> {
  const row = await db
    .deleteFrom("sign_in")
    .where("state_hash", "=", hash(state))
    .where("began_at", ">", sql<Date>`clock_timestamp() - interval '10 minutes'`)
    .returning(["instance_id as instanceId", "verifier", "redirect_uri as redirectUri", "author"])
    .executeTakeFirst();
  return row;
}

function hash(state: string): string {
  return createHash("sha256").update(state).digest("hex");
}
