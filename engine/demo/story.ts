import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { DeskAgent, type Row, SalesAgent } from "./people.ts";
import type { World } from "./world.ts";

/** Something that the demonstration claims, as it was found by asking the simulators. */
export interface Fact {
  readonly claim: string;
  readonly holds: boolean;
  readonly found: string;
}

export interface StoryOptions {
  readonly world: World;
  /** A line for the terminal. */
  readonly tell: (line: string) => void;
  /** How long to wait for a change to arrive, in milliseconds. */
  readonly patienceMs: number;
  /** How long nothing must happen to count as quiet, in milliseconds; several polls fit into it. */
  readonly quietMs: number;
}

const askEveryMs = 100;

/** Plays the main job through with people on both sides, telling what happens, and collects the facts. */
export async function playStory({ world, tell, patienceMs, quietMs }: StoryOptions): Promise<Fact[]> {
  const facts: Fact[] = [];
  const desk = new DeskAgent(world.servicenow.url);
  const sales = await SalesAgent.signIn(world.salesforce.url);
  const until = async <Found>(ask: () => Promise<Found | undefined>): Promise<Found | undefined> => {
    const end = Date.now() + patienceMs;
    for (;;) {
      const found = await ask();
      if (found !== undefined || Date.now() > end) return found;
      await sleep(askEveryMs);
    }
  };
  const fact = (claim: string, holds: boolean, found: string): void => {
    facts.push({ claim, holds, found });
    tell(`${holds ? "✓" : "✗"} ${claim}: ${found}`);
  };

  const subject = `Ferry booking page is down (${new Date().toISOString()})`;
  tell(`ServiceNow: ${desk.name} reports an incident of urgency 1: "${subject}"`);
  const incident = await desk.report({ short_description: subject, description: "Customers see an empty page since 7 o'clock.", urgency: "1", impact: "1" });
  const incidentId = String(incident["sys_id"]);
  const quiet = await desk.report({ short_description: `Printer is slow (${subject})`, urgency: "3", impact: "3" });
  const found = await until(
    async () => (await sales.query(`SELECT Id, CaseNumber, Subject, Description, Status FROM Case WHERE Subject = '${soqlText(subject)}'`))[0],
  );
  const caseId = String(found?.["Id"] ?? "");
  const caseNumber = String(found?.["CaseNumber"] ?? "");
  fact(
    "incident created → case created",
    found?.["Description"] === "Customers see an empty page since 7 o'clock.",
    found === undefined ? "no case" : `${String(incident["number"])} is case ${caseNumber}`,
  );
  if (found === undefined) return facts;

  tell(`ServiceNow: ${desk.name} comments for the customer, and writes a work note for colleagues`);
  await desk.change(incidentId, { comments: "We are looking into it." });
  await desk.change(incidentId, { work_notes: "Looks like the payment gateway. Do not tell yet." });
  const comments = async (): Promise<readonly Row[]> => await sales.query(`SELECT Id, CommentBody, IsPublished FROM CaseComment WHERE ParentId = '${caseId}'`);
  const arrived = await until(async () => (await comments()).find((comment) => String(comment["CommentBody"]).includes("We are looking into it.")));
  fact("a public comment travels to the case", arrived?.["IsPublished"] === true, arrived === undefined ? "no comment" : `"${String(arrived["CommentBody"])}"`);

  tell(`Salesforce: ${sales.name} answers on case ${caseNumber}`);
  await sales.comment(caseId, "The customer asks when it will work again.");
  const back = await until(async () =>
    (await desk.journal(incidentId)).find((entry) => entry["element"] === "comments" && String(entry["value"]).includes("when it will work again")),
  );
  fact("a public comment travels to the incident", back !== undefined, back === undefined ? "no comment" : `"${String(back["value"])}"`);

  tell(`ServiceNow: ${desk.name} attaches a screenshot`);
  const picture = Buffer.from(Array.from({ length: 20_000 }, (_, index) => (index * 7919) % 256));
  await desk.attach(incidentId, "empty page – 7 o'clock.png", "image/png", picture);
  const file = await until(async () => {
    const [link] = await sales.query(`SELECT ContentDocumentId FROM ContentDocumentLink WHERE LinkedEntityId = '${caseId}'`);
    if (link === undefined) return undefined;
    return (
      await sales.query(
        `SELECT Id, Title, PathOnClient FROM ContentVersion WHERE ContentDocumentId = '${String(link["ContentDocumentId"])}' AND IsLatest = true`,
      )
    )[0];
  });
  const bytes = file === undefined ? undefined : await sales.download(String(file["Id"]));
  fact(
    "an attachment travels, byte for byte",
    bytes !== undefined && sha256(bytes) === sha256(picture),
    file === undefined ? "no file" : `${String(file["PathOnClient"])}, ${bytes?.length ?? 0} bytes`,
  );

  tell(`Salesforce: ${sales.name} sets the status of case ${caseNumber} to Working`);
  await sales.change(caseId, { Status: "Working" });
  const working = await until(async () => {
    const now = await desk.incident(incidentId);
    return now["state"] === "2" ? now : undefined;
  });
  fact(
    "the case's status changes the incident's state",
    working !== undefined,
    `state ${String((await desk.incident(incidentId))["state"])}${working === undefined ? "" : " (In Progress)"}`,
  );

  tell(`ServiceNow: ${desk.name} changes the summary`);
  const newSubject = `${subject}: payment gateway`;
  await desk.change(incidentId, { short_description: newSubject });
  const renamed = await until(async () => (await sales.query(`SELECT Id FROM Case WHERE Id = '${caseId}' AND Subject = '${soqlText(newSubject)}'`))[0]);
  fact("an edit of the incident changes the case", renamed !== undefined, renamed === undefined ? "the case has the old subject" : `"${newSubject}"`);

  tell("Now nobody does anything for a while: an edit made by us must not come back");
  const before = await stateOf(desk, sales, incidentId, caseId);
  await sleep(quietMs);
  const after = await stateOf(desk, sales, incidentId, caseId);
  fact("an edit made by us is not echoed", before === after, before === after ? "not one save of either record" : `${before} became ${after}`);
  const caseComments = await comments();
  fact(
    "each comment arrived once",
    caseComments.length === 2,
    `${caseComments.length} comments on the case, ${(await desk.journal(incidentId)).filter((entry) => entry["element"] === "comments").length} on the incident`,
  );
  fact(
    "a work note does not travel",
    !caseComments.some((comment) => String(comment["CommentBody"]).includes("payment gateway. Do not tell")),
    "no trace of it in Salesforce",
  );
  const uninvited = await sales.query(`SELECT Id FROM Case WHERE Subject LIKE 'Printer is slow (${soqlText(subject)}%'`);
  fact("an incident that the trigger does not fit stays at home", uninvited.length === 0, `${String(quiet["number"])} has no case`);
  const twins = await sales.query(`SELECT Id FROM Case WHERE Subject LIKE '${soqlText(subject)}%'`);
  fact("the incident has exactly one case", twins.length === 1, `${twins.length}`);
  return facts;
}

/** How often the incident was saved, when the case was last, and how many entries hang on each: any write shows in it. */
async function stateOf(desk: DeskAgent, sales: SalesAgent, incidentId: string, caseId: string): Promise<string> {
  const incident = await desk.incident(incidentId);
  const journal = await desk.journal(incidentId);
  const [record] = await sales.query(`SELECT SystemModstamp FROM Case WHERE Id = '${caseId}'`);
  const comments = await sales.query(`SELECT Id FROM CaseComment WHERE ParentId = '${caseId}'`);
  const files = await sales.query(`SELECT Id FROM ContentDocumentLink WHERE LinkedEntityId = '${caseId}'`);
  return `incident saved ${String(incident["sys_mod_count"])} times with ${journal.length} entries, case saved at ${String(record?.["SystemModstamp"])} with ${comments.length} comments and ${files.length} files`;
}

function soqlText(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("'", "\\'");
}

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
