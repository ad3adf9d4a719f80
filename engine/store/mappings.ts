import { createHash } from "node:crypto";
import { canonicalText } from "../replica/canonical.ts";
import type { Json } from "../replica/json.ts";
import { type Db, jsonText, type Tx } from "./database.ts";
import type { SideId, StoredMapping } from "./schema.ts";

export type MappingTables = Readonly<Record<string, StoredMapping>>;

/** Gives a side its tables of values. Runs that were given earlier ones keep naming those. */
export async function saveMappings(tx: Tx, sideId: SideId, tables: MappingTables): Promise<void> {
  const hash = mappingsHash(tables);
  if (hash !== null) {
    await tx
      .insertInto("mapping_set")
      .values({ hash, tables: jsonText(tables) })
      .onConflict((conflict) => conflict.column("hash").doNothing())
      .execute();
  }
  await tx.updateTable("side").set({ mappings_hash: hash }).where("id", "=", sideId).execute();
}

/** Names a set of tables by its content; null for none. */
export function mappingsHash(tables: MappingTables): string | null {
  // Tables of values are JSON by construction; their interface does not count as such.
  return Object.keys(tables).length === 0
    ? null
    : createHash("sha256")
        .update(canonicalText(tables as unknown as Json))
        .digest("hex");
}

export async function mappingsOf(db: Db | Tx, sideId: SideId): Promise<MappingTables> {
  const row = await db
    .selectFrom("side")
    .innerJoin("mapping_set", "mapping_set.hash", "side.mappings_hash")
    .select("mapping_set.tables")
    .where("side.id", "=", sideId)
    .executeTakeFirst();
  return row?.tables ?? {};
}
