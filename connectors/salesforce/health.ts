import type { HealthReport } from "../connector.ts";
import { isMissingEndpoint } from "./absence.ts";
import type { Statement } from "./client.ts";
import { ownUserId } from "./own-user.ts";
import type { Reader } from "./read.ts";
import { roomsOf } from "./rooms.ts";
import type { SalesforceObject } from "./schema.ts";
import { quoted } from "./soql.ts";

/** Below this part of the daily calls a report warns. */
const lowQuota = 0.1;

/** What is lost where something is missing that a full org has; what costs calls alone is not worth a warning. */
const losses: Readonly<Record<string, string>> = {
  User: "This account may not see users: nobody is found by e-mail or username.",
  CaseComment: "Case comments are not here or not for this account: they are neither read nor watched.",
  FeedItem: "The Chatter feed is not here or not for this account: comments in it are neither read nor watched.",
  ContentVersion: "Files are not here or not for this account: new ones are not noticed.",
  ContentDocumentLink: "The links of files are not here or not for this account: files are neither read nor watched.",
  queryAll: "The recycle bin is not for this account: a deleted record looks like a hidden one, and a comment taken away is noticed with the next change only.",
};

/** Signs in and says who we are there, and what will give trouble. Looks anew for what was missing before. */
export async function checkHealth(reader: Reader): Promise<HealthReport> {
  const { client, schemas, config } = reader;
  client.absences.forget();
  const me = await ownUserId(reader);
  const who = me === undefined ? "Username = null" : `Id = ${quoted(me)}`;
  const [[user] = []] = await client.queries([{ soql: `SELECT Name, Username FROM User WHERE ${who}`, optional: "User" }], "read the own user");
  const quota = await quotaProblems(client);
  // Somebody who has just added the field wants to see it.
  schemas.forget("Case");
  const cases = await schemas.optional("Case");
  // One part may be missing; where all are, the address or the version is wrong, and this says so.
  if (user === undefined && quota === undefined && cases === undefined)
    await client.data({ method: "GET", path: "/sobjects", what: "list the objects", write: false, repeatable: true });
  if (cases !== undefined) await client.queries(probes(cases, config), "look for comments and files");
  const lost = Object.entries(losses).flatMap(([thing, loss]) => (client.absences.has(thing) ? [loss] : []));
  const account = user === undefined ? (me ?? "an account that Salesforce does not name") : `${String(user.Name)} (${String(user.Username)})`;
  return { account, problems: [...(quota ?? [noQuota]), ...markerProblems(cases, config.markerField), ...lost] };
}

const noQuota = "This account may not read the limits: no warning comes before the daily API calls are used up.";

/** Undefined where the limits are not for this account. */
async function quotaProblems(client: Reader["client"]): Promise<string[] | undefined> {
  const call = { method: "GET", path: "/limits", what: "read the limits", write: false, repeatable: true } as const;
  const limits = await client.data(call).catch((error: unknown) => {
    if (!isMissingEndpoint(error)) throw error;
  });
  if (limits === undefined) return undefined;
  const { Max, Remaining } = (limits as { DailyApiRequests?: { Max?: unknown; Remaining?: unknown } }).DailyApiRequests ?? {}; // each is looked at
  if (typeof Max !== "number" || typeof Remaining !== "number" || Remaining >= Max * lowQuota) return [];
  return [`Only ${Remaining} of ${Max} API calls are left for the next 24 hours.`];
}

/** One row of each object that comments and files are in. */
function probes(cases: SalesforceObject, config: Reader["config"]): Statement[] {
  const { comments, files } = roomsOf(cases, config.comments);
  const probe = (optional: string): Statement => ({ soql: `SELECT Id FROM ${optional} LIMIT 1`, all: true, optional });
  // Links can be listed only by their files [K]; that there is none of this id does not matter.
  const links: Statement = { soql: "SELECT Id FROM ContentDocumentLink WHERE ContentDocumentId = '069000000000000AAA'", optional: "ContentDocumentLink" };
  return [
    ...(comments.kind === "caseComments" ? [probe("CaseComment")] : []),
    ...(comments.kind === "feed" ? [probe("FeedItem")] : []),
    ...(files === undefined ? [] : [probe("ContentVersion"), links]),
  ];
}

/** An org without Service Cloud has no cases; what it does have is found out when it is used. */
function markerProblems(cases: SalesforceObject | undefined, marker: string): string[] {
  const field = cases?.byName.get(marker);
  if (cases === undefined || (field?.createable && field.filterable)) return [];
  return [
    `Case has no field ${marker} that this account may write: a create whose answer is lost is then looked for by its content. Add it as a unique external id of type text (255).`,
  ];
}
