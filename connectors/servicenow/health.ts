import type { HealthReport } from "../connector.ts";
import { isOutOfReach } from "./absence.ts";
import type { ListRequest, ServiceNowClient } from "./client.ts";
import type { People } from "./people.ts";

interface Probe {
  readonly requests: readonly ListRequest[];
  readonly otherwise: string;
  readonly neverEmpty?: boolean;
  /** Said only when the probe itself finds nothing missing: what is missing there includes it. */
  readonly next?: Probe;
}

/** What the account should be able to read, and what is missing without it. */
const probes: readonly Probe[] = [
  {
    requests: [{ table: "sys_user", query: "ORDERBYsys_id", fields: ["sys_id"], limit: 1 }],
    otherwise: "The account may not read sys_user, or it is not there: people are known by their user names alone, and look-ups of users find nobody.",
    neverEmpty: true,
  },
  {
    requests: [
      { table: "sys_dictionary", query: "name=task^element=number", fields: ["sys_id"], limit: 1 },
      { table: "sys_db_object", query: "name=task", fields: ["sys_id"], limit: 1 },
    ],
    otherwise:
      "The account may not read sys_dictionary or sys_db_object, or they are not there: fields and choices are inferred from records, which is less exact; " +
      "conditions on fields that no record shows cannot be checked; comments and attachments of records in child tables are not noticed by themselves.",
    neverEmpty: true,
    next: {
      requests: [{ table: "sys_choice", query: "name=task", fields: ["sys_id"], limit: 1 }],
      otherwise: "The account may not read sys_choice, or it is not there: choices are those that records show.",
      neverEmpty: true,
    },
  },
  {
    requests: [{ table: "sys_journal_field", query: "ORDERBYDESCsys_created_on", fields: ["sys_id"], limit: 1 }],
    otherwise:
      "The account may not read sys_journal_field, or it is not there: comments and work notes cannot be synchronised, and new ones are not noticed by themselves.",
  },
  {
    requests: [{ table: "sys_attachment", query: "ORDERBYDESCsys_created_on", fields: ["sys_id"], limit: 1 }],
    otherwise: "The account may not read sys_attachment, or it is not there: attachments cannot be synchronised, and new ones are not noticed by themselves.",
  },
];

/** Signs in and looks at what the account may read. A table is unreadable when it is refused, or when rows exist but none is shown [R]. */
export async function checkAccount(client: ServiceNowClient, people: People): Promise<HealthReport> {
  const self = await people.self();
  const problems = await Promise.all(probes.map((probe) => problemsOf(client, probe)));
  const name = self.username ?? self.id;
  return { account: self.displayName === undefined ? name : `${name} (${self.displayName})`, problems: problems.flat() };
}

async function problemsOf(client: ServiceNowClient, probe: Probe): Promise<string[]> {
  const readable = await Promise.all(probe.requests.map((request) => isReadable(client, request, probe.neverEmpty === true)));
  if (!readable.every(Boolean)) return [probe.otherwise];
  return probe.next === undefined ? [] : await problemsOf(client, probe.next);
}

async function isReadable(client: ServiceNowClient, request: ListRequest, neverEmpty: boolean): Promise<boolean> {
  try {
    const page = await client.list(request);
    return page.rows.length > 0 || (page.total === 0 && !neverEmpty);
  } catch (error) {
    if (isOutOfReach(error)) return false;
    throw error;
  }
}
