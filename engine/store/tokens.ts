import { createHash, randomBytes } from "node:crypto";
import type { Db } from "./database.ts";
import type { Role } from "./schema.ts";

/** Makes the node's first API token, an admin's, and returns its text, which is shown once; undefined when there is one already. */
export async function firstToken(db: Db): Promise<string | undefined> {
  const text = `ib_${randomBytes(32).toString("base64url")}`;
  const made = await db
    .insertInto("api_token")
    .values({ name: "first", role: "admin", hash: tokenHash(text) })
    .onConflict((conflict) => conflict.column("name").doNothing())
    .returning("id")
    .executeTakeFirst();
  return made === undefined ? undefined : text;
}

/** Makes another token by this name, in place of an earlier one of that name, whatever role that had. */
export async function replaceToken(db: Db, name: string, role: Role = "admin"): Promise<string> {
  const text = `ib_${randomBytes(32).toString("base64url")}`;
  await db
    .insertInto("api_token")
    .values({ name, role, hash: tokenHash(text) })
    .onConflict((conflict) => conflict.column("name").doUpdateSet({ role, hash: tokenHash(text) }))
    .execute();
  return text;
}

/** Whose a token that this node gave out is. Looked up by its hash, so that no comparison can be timed. */
export async function tokenHolder(db: Db, text: string): Promise<{ readonly name: string; readonly role: Role } | undefined> {
  return await db.selectFrom("api_token").select(["name", "role"]).where("hash", "=", tokenHash(text)).executeTakeFirst();
}

function tokenHash(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
