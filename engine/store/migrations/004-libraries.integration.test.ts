import { type Kysely, sql } from "kysely";
import { expect, test } from "vitest";
import { withDatabase } from "../../../test/database.ts";
import { openDatabase } from "../database.ts";
import { readDraft } from "../drafts.ts";
import type { SideId } from "../schema.ts";
import { up as first } from "./001-first.ts";
import { up as found } from "./002-found.ts";
import { up as drafts } from "./003-drafts.ts";
import { up as libraries } from "./004-libraries.ts";

test("a node that is older than libraries keeps its drafts, and its tokens may do what they could", async () => {
  await withDatabase(async (url) => {
    const db = openDatabase(url, { connections: 1 });
    // A migration knows no tables yet.
    const bare = db as unknown as Kysely<unknown>;
    try {
      await sql`drop schema public cascade`.execute(db);
      await sql`create schema public`.execute(db);
      for (const up of [first, found, drafts]) await up(bare);
      await sql`insert into instance (name, platform, config, poll_interval_ms) values ('desk', 'servicenow', '{}', 1000)`.execute(db);
      await sql`insert into connection (name) values ('support')`.execute(db);
      const { rows } = await sql<{ id: SideId }>`insert into side (connection_id, position, name, instance_id)
        select connection.id, 'left', 'SN', instance.id from connection, instance returning id`.execute(db);
      const sideId = rows[0]?.id;
      if (sideId === undefined) throw new Error("No side was made.");
      await sql`insert into draft (side_id, direction, source, author) values (${sideId}, 'outgoing', 'text', 'ada')`.execute(db);
      await sql`insert into api_token (name, hash) values ('old', 'x')`.execute(db);

      await libraries(bare);
      expect(await readDraft(db, { sideId, direction: "outgoing" })).toMatchObject({ source: "text", author: "ada", basedOn: null });
      expect(await readDraft(db, { sideId, direction: "incoming" })).toBeUndefined();
      expect(await db.selectFrom("api_token").select(["name", "role"]).execute()).toEqual([{ name: "old", role: "admin" }]);
      expect(await db.selectFrom("side").select("allow").execute()).toEqual([{ allow: [] }]);
      await expect(sql`insert into api_token (name, hash, role) values ('boss', 'y', 'boss')`.execute(db)).rejects.toThrow("check");
      await expect(
        sql`insert into draft (side_id, direction, library, source, author) values (${sideId}, 'incoming', 'x', '', '')`.execute(db),
      ).rejects.toThrow("draft_subject");
    } finally {
      await db.destroy();
    }
  });
});
