import type { HealthReport } from "../connector.ts";
import { ConnectorError } from "../errors.ts";
import type { ListRequest, ServiceNowClient } from "./client.ts";
import type { People } from "./people.ts";

/** What the account should be able to read, and what is missing without it. */
const probes: readonly { readonly request: ListRequest; readonly otherwise: string }[] = [
  {
    request: { table: "sys_dictionary", query: "name=task^element=number", fields: ["sys_id"], limit: 1 },
    otherwise: "The account may not read sys_dictionary: fields and choices are inferred from records, which is less exact.",
  },
  {
    request: { table: "sys_journal_field", query: "ORDERBYDESCsys_created_on", fields: ["sys_id"], limit: 1 },
    otherwise: "The account may not read sys_journal_field: comments and work notes cannot be synchronised.",
  },
  {
    request: { table: "sys_attachment", query: "ORDERBYDESCsys_created_on", fields: ["sys_id"], limit: 1 },
    otherwise: "The account may not read sys_attachment: attachments cannot be synchronised.",
  },
];

/** Signs in and looks at what the account may read. A table is unreadable when it is refused, or when rows exist but none is shown [R]. */
export async function checkAccount(client: ServiceNowClient, people: People): Promise<HealthReport> {
  const self = await people.self();
  const problems = await Promise.all(probes.map(async ({ request, otherwise }) => ((await isReadable(client, request)) ? [] : [otherwise])));
  const name = self.username ?? self.id;
  return { account: self.displayName === undefined ? name : `${name} (${self.displayName})`, problems: problems.flat() };
}

async function isReadable(client: ServiceNowClient, request: ListRequest): Promise<boolean> {
  try {
    const page = await client.list(request);
    return page.rows.length > 0 || page.total === 0;
  } catch (error) {
    if (error instanceof ConnectorError && error.code === "PERMISSION") return false;
    throw error;
  }
}
