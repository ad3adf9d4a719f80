import { createHash, randomBytes } from "node:crypto";
import type { Db } from "./database.ts";

/** Makes the node's first API token and returns its text, which is shown once; undefined when there is one already. */
export async function firstToken(db: Db): Promise<string | undefined> {
  const text = `ib_${randomBytes(32).toString("base64url")}`;
  const made = await db
    .insertInto("api_token")
    .values({ name: "first", hash: tokenHash(text) })
    .onConflict((conflict) => conflict.column("name").doNothing())
    .returning("id")
    .executeTakeFirst();
  return made === undefined ? undefined : text;
}

/** Makes another token by this name, in place of an earlier one of that name. */
export async function replaceToken(db: Db, name: string): Promise<string> {
  const text = `ib_${randomBytes(32).toString("base64url")}`;
  await db
    .insertInto("api_token")
    .values({ name, hash: tokenHash(text) })
    .onConflict((conflict) => conflict.column("name").doUpdateSet({ hash: tokenHash(text) }))
    .execute();
  return text;
}

/** The name of a token that this node gave out. Looked up by its hash, so that no comparison can be timed. */
export async function tokenName(db: Db, text: string): Promise<string | undefined> {
  return (await db.selectFrom("api_token").select("name").where("hash", "=", tokenHash(text)).executeTakeFirst())?.name;
}

function tokenHash(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
