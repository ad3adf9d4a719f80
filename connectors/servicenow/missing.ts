import type { EntityRef } from "../connector.ts";
import { ConnectorError } from "../errors.ts";
import type { ServiceNowClient } from "./client.ts";
import { concernsInstance } from "./errors.ts";
import { inChunks, isSysId } from "./ids.ts";
import type { People } from "./people.ts";
import { term } from "./query.ts";
import type { Schemas } from "./schema.ts";
import type { TableSchema } from "./table-schema.ts";
import { textOf } from "./values.ts";

/**
 * Which of these records are surely gone. Being absent from an answer is no proof, as hidden rows are absent too; but they
 * count in the total, which is blind to access controls [R]. So what is absent is asked for a second time together with a
 * record that is there, in the topmost table that it may have been moved to: only when exactly the absent ones are missing
 * from the total are they gone. Records that before-query business rules or domain separation hide escape the total as well:
 * the integration account must not be subject to those. An account that loses its roles still sees what it made itself, so that
 * is no witness.
 */
export async function missingRecords(client: ServiceNowClient, schemas: Schemas, people: People, refs: readonly EntityRef[]): Promise<EntityRef[]> {
  const { username } = await people.self();
  const others = username === undefined || /[,^]/.test(username) ? "" : `${term("sys_created_by", "!=", username)}^`;
  return await gone(client, schemas, refs, others);
}

/** The same for what we are removing ourselves: there any witness will do, and of an empty table nothing is left. */
export async function removedRecords(client: ServiceNowClient, schemas: Schemas, refs: readonly EntityRef[]): Promise<EntityRef[]> {
  return await gone(client, schemas, refs, undefined);
}

/** `others` is the condition on witnesses. */
async function gone(client: ServiceNowClient, schemas: Schemas, refs: readonly EntityRef[], others: string | undefined): Promise<EntityRef[]> {
  const groups = await Promise.all(
    [...Map.groupBy(refs, ({ type }) => type)].map(async ([type, ofType]) => {
      try {
        const ids = await goneOf(client, await schemas.table(type), [...new Set(ofType.map(({ id }) => id))].filter(isSysId), others);
        return ofType.filter(({ id }) => ids.has(id));
      } catch (error) {
        // A table that is closed to us tells nothing.
        if (!(error instanceof ConnectorError) || concernsInstance(error)) throw error;
        return [];
      }
    }),
  );
  return groups.flat();
}

async function goneOf(client: ServiceNowClient, schema: TableSchema, ids: readonly string[], others: string | undefined): Promise<ReadonlySet<string>> {
  const table = schema.entity.entityType;
  const [witnesses, ...lists] = await Promise.all([
    client.list({ table, query: `${others ?? ""}ORDERBYsys_id`, fields: ["sys_id"], limit: 50 }),
    ...inChunks(ids).map(async (chunk) => await client.listAll({ table, query: `sys_idIN${chunk.join(",")}^ORDERBYsys_id`, fields: ["sys_id"] })),
  ]);
  const present = new Set(lists.flat().map((row) => textOf(row, "sys_id")));
  const absent = ids.filter((id) => !present.has(id));
  const [witness] = witnesses.rows.map((row) => textOf(row, "sys_id"));
  if (witness === undefined) {
    // A table that shows nothing at all may just as well be closed to us.
    const empty = others === undefined && witnesses.counted && witnesses.total === 0;
    return new Set(empty ? absent : []);
  }
  const top = schema.lineage.at(-1) ?? table;
  const parts = await Promise.all(inChunks(absent).map((chunk) => notCounted(client, top, witness, chunk)));
  return new Set(parts.flat());
}

/** Halves the list where hidden records are among it, until each is told apart. */
async function notCounted(client: ServiceNowClient, table: string, witness: string, ids: readonly string[]): Promise<readonly string[]> {
  const query = `sys_idIN${[witness, ...ids].join(",")}^ORDERBYsys_id`;
  const page = await client.list({ table, query, fields: ["sys_id"], limit: ids.length + 1 });
  const shown = new Set(page.rows.map((row) => textOf(row, "sys_id")));
  if (!page.counted || !shown.has(witness)) return [];
  const absent = ids.filter((id) => !shown.has(id));
  if (page.total <= shown.size) return absent;
  if (ids.length === 1) return [];
  const half = Math.ceil(ids.length / 2);
  const parts = await Promise.all([ids.slice(0, half), ids.slice(half)].map((part) => notCounted(client, table, witness, part)));
  return parts.flat();
}
