import { ConnectorError } from "../errors.ts";
import type { ServiceNowClient } from "./client.ts";
import { type EncodedQuery, textSearchField } from "./encoded-query.ts";

/**
 * The platform refuses a query on a field that the account may not read without naming it [R]. Each field of the query is tried
 * by itself, and those that are refused are named; when the table as a whole is closed, the refusal stands as it is.
 */
export async function namingClosedFields(client: ServiceNowClient, table: string, query: EncodedQuery, refusal: unknown): Promise<unknown> {
  if (!(refusal instanceof ConnectorError) || refusal.code !== "PERMISSION") return refusal;
  if (await isRefused(client, table, "")) return refusal;
  const terms = query.alternatives.flatMap(({ groups }) => groups.flat());
  const paths = [...new Set([...terms, ...query.order].map(({ field }) => field))].filter((path) => path !== textSearchField);
  const refused = await Promise.all(paths.map(async (path) => await isRefused(client, table, `${path}ISNOTEMPTY`)));
  const closed = paths.filter((_, index) => refused[index]);
  if (closed.length === 0) return refusal;
  return client.error("PERMISSION", {
    message: `The integration account may not read ${closed.join(", ")} of ${table}, so it cannot search by it: ${refusal.message}`,
    advice: "Give the account read access to the field, or leave it out of the query.",
    fields: closed,
    ...(refusal.status === undefined ? {} : { status: refusal.status }),
    ...(refusal.platformCode === undefined ? {} : { platformCode: refusal.platformCode }),
  });
}

async function isRefused(client: ServiceNowClient, table: string, query: string): Promise<boolean> {
  try {
    await client.list({ table, query, fields: ["sys_id"], limit: 1 });
    return false;
  } catch (error) {
    if (error instanceof ConnectorError && error.code === "PERMISSION") return true;
    throw error;
  }
}
