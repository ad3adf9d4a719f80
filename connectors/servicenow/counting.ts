import { z } from "zod";
import { ConnectorError } from "../errors.ts";
import { escaped, longestPath, type ServiceNowClient } from "./client.ts";
import type { EncodedQuery } from "./encoded-query.ts";
import { textSearchField } from "./encoded-query.ts";
import { similarNames } from "./field-names.ts";
import type { TableSchema } from "./table-schema.ts";

/** Fields of one query that are tried one by one; a query that a person wrote has fewer. */
const mostFields = 25;

/**
 * The platform drops conditions on fields that it does not know without a word, and answers with the whole table [R]. So a
 * query that takes nothing away from the table, or that speaks of fields which no schema confirms, has each such field tried
 * by itself: every record either has a value in a field or has none, so a field with which “is empty” and “is not empty” both
 * give all records is one that the platform ignores. A query that all records truly match passes. BAD_REQUEST names the field.
 */
export async function requireFiltering(client: ServiceNowClient, schema: TableSchema, text: string, query: EncodedQuery): Promise<void> {
  const table = schema.entity.entityType;
  const terms = query.alternatives.flatMap(({ groups }) => groups.flat()).filter(({ field }) => field !== textSearchField);
  if (terms.length === 0) return;
  const [filtered, total] = await Promise.all([countOf(client, table, text), countOf(client, table, "")]);
  if (filtered === undefined || total === undefined || total === 0) return;
  const byField = Map.groupBy(terms, ({ field }) => field);
  const doubtful = [...byField].filter(([path]) => filtered >= total || !isConfirmed(schema, path)).slice(0, mostFields);
  await Promise.all(doubtful.map(([path, [term]]) => requireKnown(client, schema, path, term?.text ?? "", total)));
}

function isConfirmed(schema: TableSchema, path: string): boolean {
  return !path.includes(".") && !schema.entity.sampled && (schema.columns.has(path) || schema.journals.has(path));
}

async function requireKnown(client: ServiceNowClient, schema: TableSchema, path: string, term: string, total: number): Promise<void> {
  const table = schema.entity.entityType;
  const alone = await countOf(client, table, term);
  if (alone === undefined || (alone > 0 && alone < total)) return;
  const [filled, empty] = await Promise.all([countOf(client, table, `${path}ISNOTEMPTY`), countOf(client, table, `${path}ISEMPTY`)]);
  if (filled === undefined || empty === undefined) return;
  const ignored = alone > 0 && filled >= total && empty >= total;
  // Some instances are set to find nothing instead (glide.invalid_query.returns_no_rows) [D]; behind empty references both can be nothing.
  const findsNothing = alone === 0 && filled === 0 && empty === 0 && !path.includes(".");
  if (!ignored && !findsNothing) return;
  const similar = similarNames(path, [...schema.columns.keys()]).filter((name) => name !== path);
  throw new ConnectorError("BAD_REQUEST", {
    message:
      `${table} has no field “${path}”: ServiceNow ${ignored ? `ignores the condition on it, and would give every record (${total})` : "finds nothing with a condition on it"}.` +
      (similar.length === 0 ? "" : ` Did you mean ${similar.join(", ")}?`),
    advice: "Use the column's name, not its label. A field that exists may also be hidden from the integration account.",
    fields: [path],
  });
}

const statsAnswer = z.object({ result: z.object({ stats: z.object({ count: z.coerce.number().int().min(0) }) }) });

/** Records that match, those hidden from this account included [R]; undefined where the instance does not tell. */
async function countOf(client: ServiceNowClient, table: string, query: string): Promise<number | undefined> {
  const path = `/api/now/stats/${table}?sysparm_count=true&sysparm_query=${escaped(query)}`;
  if (path.length > longestPath) return undefined;
  const read = () => client.json({ method: "GET", path }, { what: `count ${table}`, write: false });
  const counted = statsAnswer.safeParse(await client.absences.unlessOutOfReach("stats", read));
  if (counted.success) return counted.data.result.stats.count;
  const page = await client.list({ table, query, fields: ["sys_id"], limit: 1 }, `count ${table}`);
  return page.counted ? page.total : undefined;
}
