import type { Allowance, HealthReport } from "../connector.ts";
import { assertVersion } from "./api-version.ts";
import { readAllowance } from "./limits.ts";
import { ownUserId } from "./own-user.ts";
import type { Statement } from "./queries.ts";
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
  EmailMessage: "E-mails are not here or not for this account: they are neither read nor watched.",
  FeedItem: "The Chatter feed is not here or not for this account: comments in it are neither read nor watched.",
  ContentVersion: "Files are not here or not for this account: new ones are not noticed.",
  ContentDocumentLink: "The links of files are not here or not for this account: files are neither read nor watched.",
  queryAll: "The recycle bin is not for this account: a deleted record looks like a hidden one, and a comment taken away is noticed with the next change only.",
};

/** Signs in and says who we are there, and what will give trouble. Looks anew for what was missing before. */
export async function checkHealth(reader: Reader): Promise<HealthReport> {
  const { client, schemas, config } = reader;
  client.absences.forget();
  await assertVersion(client);
  const me = await ownUserId(reader);
  const who = me === undefined ? "Username = null" : `Id = ${quoted(me)}`;
  const [[user] = []] = await client.queries([{ soql: `SELECT Name, Username FROM User WHERE ${who}`, optional: "User" }], "read the own user");
  const limits = await readAllowance(client);
  // Somebody who has just added the field wants to see it.
  schemas.forget("Case");
  const cases = await schemas.optional("Case");
  // One part may be missing; where all are, the address or the version is wrong, and this says so.
  if (user === undefined && limits === undefined && cases === undefined)
    await client.data({ method: "GET", path: "/sobjects", what: "list the objects", write: false, repeatable: true });
  if (cases !== undefined) await client.queries(probes(cases, config), "look for comments and files");
  const lost = Object.entries(losses).flatMap(([thing, loss]) => (client.absences.has(thing) ? [loss] : []));
  const account = user === undefined ? (me ?? "an account that Salesforce does not name") : `${String(user.Name)} (${String(user.Username)})`;
  const missing = await missingRights(reader, cases);
  return { account, problems: [...quotaProblems(limits ?? client.budget.allowance), ...markerProblems(cases, config.markerField), ...missing, ...lost] };
}

/** What this account may not do with cases, their comments and files, as their descriptions show; what is not there at all is told otherwise. */
async function missingRights({ schemas, config, client }: Reader, cases: SalesforceObject | undefined): Promise<string[]> {
  if (cases === undefined) return [];
  const { comments, files } = roomsOf(cases, config);
  const child = async (type: string) => (client.absences.has(type) ? undefined : await schemas.optional(type));
  const comment = comments.kind === "none" ? undefined : await child(comments.kind === "feed" ? "FeedItem" : "CaseComment");
  const file = files === undefined ? undefined : await child("ContentVersion");
  const rights: readonly [boolean | undefined, string][] = [
    [cases.createable, "create cases"],
    [cases.updateable, "change cases"],
    [comment?.createable, comments.kind === "feed" ? "post to the feed of cases" : "add case comments"],
    [comment?.updateable, comments.kind === "feed" ? "change posts" : "change case comments"],
    [file?.createable, "add files"],
  ];
  const readOnly = ["Subject", "Description", "Status", "Priority"].filter((name) => cases.updateable && cases.byName.get(name)?.updateable === false);
  return [
    ...rights.flatMap(([may, what]) => (may === false ? [`This account may not ${what}: give its permission set the right.`] : [])),
    ...(readOnly.length > 0 ? [`This account may read but not change these fields of cases: ${readOnly.join(", ")}.`] : []),
  ];
}

const noQuota = "This account may not read the limits: no warning comes before the daily API calls are used up.";

function quotaProblems(allowance: Allowance | undefined): string[] {
  if (allowance === undefined) return [noQuota];
  const left = allowance.max - allowance.used;
  return left < allowance.max * lowQuota ? [`Only ${left} of ${allowance.max} API calls are left for the next 24 hours.`] : [];
}

/** One row of each object that comments and files are in. */
function probes(cases: SalesforceObject, config: Reader["config"]): Statement[] {
  const { comments, emails, files } = roomsOf(cases, config);
  const probe = (optional: string): Statement => ({ soql: `SELECT Id FROM ${optional} LIMIT 1`, all: true, optional });
  // Links can be listed only by their files [K]; that there is none of this id does not matter.
  const links: Statement = { soql: "SELECT Id FROM ContentDocumentLink WHERE ContentDocumentId = '069000000000000AAA'", optional: "ContentDocumentLink" };
  return [
    ...(comments.kind === "caseComments" ? [probe("CaseComment")] : []),
    ...(comments.kind === "feed" ? [probe("FeedItem")] : []),
    ...(emails === undefined ? [] : [probe("EmailMessage")]),
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
