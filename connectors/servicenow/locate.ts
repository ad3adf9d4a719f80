import type { Json, LostWrite } from "../connector.ts";
import type { ConnectorError } from "../errors.ts";
import type { ServiceNowClient } from "./client.ts";
import { encoded, holds } from "./encoding.ts";
import { inChunks, isSysId } from "./ids.ts";
import { isSameUser, type People } from "./people.ts";
import { term } from "./query.ts";
import { isEntryOf, journalBy } from "./read-back.ts";
import type { Schemas } from "./schema.ts";
import { type RawRow, stampOf, textOf } from "./values.ts";
import { markerColumnOf, markerText } from "./write-plan.ts";

/** Clocks may differ a little, and stamps are cut to the second. */
const toleranceMs = 2000;

type Lost<Kind extends LostWrite["operation"]["kind"]> = {
  readonly index: number;
  readonly lost: LostWrite & { readonly operation: Extract<LostWrite["operation"], { kind: Kind }> };
};

/** Looks for writes whose answer was lost: creates by their marker, comments and attachments by content, author and time. */
export async function locateWrites(client: ServiceNowClient, schemas: Schemas, people: People, lost: readonly LostWrite[]): Promise<(string | undefined)[]> {
  const found: (string | undefined)[] = lost.map(() => undefined);
  if (lost.length === 0) return found;
  const userName = (await people.self()).username ?? "";
  // No record, comment or attachment is the answer to two losses of one call.
  const taken = new Set<string>();
  const take = (index: number, id: string | undefined) => {
    if (id === undefined) return;
    taken.add(id);
    found[index] = id;
  };
  for (const { index, lost: write } of ofKind(lost, "create")) take(index, await createdRecord(client, schemas, write, userName, taken));
  for (const chunk of inChunks(ofKind(lost, "addComment"))) {
    const { entries, hidden } = await journalBy(client, {
      recordIds: chunk.map(({ lost: { operation } }) => operation.ref.id).filter(isSysId),
      userName,
      since: earliest(client, chunk),
    });
    for (const { index, lost: write } of chunk) {
      const { operation } = write;
      const comment = { recordId: operation.ref.id, element: operation.internal ? "work_notes" : "comments", body: operation.body };
      take(
        index,
        firstOf(
          client,
          entries.filter((entry) => isEntryOf(entry, comment)),
          write,
          taken,
        ),
      );
    }
    if (hidden > 0 && chunk.some(({ index }) => found[index] === undefined)) throw outOfSight(client, "comment", hidden, "sys_journal_field");
  }
  for (const chunk of inChunks(ofKind(lost, "addAttachment"))) {
    const ids = [...new Set(chunk.map(({ lost: { operation } }) => operation.ref.id))].filter(isSysId);
    const author = /[,^]/.test(userName) ? "" : `^sys_created_by=${userName}`;
    const { rows: files, hidden } = await client.listWhole({
      table: "sys_attachment",
      query: `table_sys_idIN${ids.join(",")}${author}^sys_created_on>=${earliest(client, chunk)}^ORDERBYsys_created_on^ORDERBYsys_id`,
      fields: ["sys_id", "table_sys_id", "file_name", "size_bytes", "sys_created_on", "sys_created_by"],
    });
    for (const { index, lost: write } of chunk) {
      const { ref, filename, filesize } = write.operation;
      const same = (file: RawRow) =>
        textOf(file, "table_sys_id") === ref.id &&
        textOf(file, "file_name") === filename &&
        Number(textOf(file, "size_bytes")) === filesize &&
        isSameUser(textOf(file, "sys_created_by"), userName);
      take(index, firstOf(client, files.filter(same), write, taken));
    }
    if (hidden > 0 && chunk.some(({ index }) => found[index] === undefined)) throw outOfSight(client, "attachment", hidden, "sys_attachment");
  }
  return found;
}

/**
 * By the marker. Where the table has no column for it, or the rule filled it itself, by content: made by us
 * since then, and holding every value that was sent.
 */
async function createdRecord(
  client: ServiceNowClient,
  schemas: Schemas,
  lost: LostWrite,
  userName: string,
  taken: ReadonlySet<string>,
): Promise<string | undefined> {
  const { operation } = lost;
  if (operation.kind !== "create") return undefined;
  const table = operation.entityType;
  const schema = await schemas.table(table);
  const column = markerColumnOf(schema, operation.fields);
  if (column !== undefined) {
    const marker = markerText(schema, column, operation.marker);
    const { rows, hidden } = await client.listWhole({
      table,
      query: `${term(column, "=", marker)}^ORDERBYsys_created_on^ORDERBYsys_id`,
      fields: ["sys_id", column],
    });
    // A column that is not there after all is ignored in queries, and every record would match [R].
    const marked = rows.filter((row) => textOf(row, column) === marker);
    const found = marked.map((row) => textOf(row, "sys_id")).find((id) => !taken.has(id) && !lost.known.includes(id));
    if (found === undefined && hidden > 0 && !schema.entity.sampled) throw outOfSight(client, "record", hidden, table);
    // With a sampled schema the column may have been unknown when the record was made.
    if (found !== undefined || !schema.entity.sampled) return found;
  }
  const values = Object.entries(operation.fields).map(([name, value]) => ({ name, sent: encoded(value, schema.columns.get(name), table) }));
  const author = /[,^]/.test(userName) ? "" : `^sys_created_by=${userName}`;
  const rows = await client.listAll({
    table,
    query: `sys_created_on>=${sinceStamp(client, lost.since)}${author}^ORDERBYsys_created_on^ORDERBYsys_id`,
    fields: ["sys_id", "sys_created_on", "correlation_id", ...values.map(({ name }) => name)],
    display: true,
  });
  return firstOf(
    client,
    rows.filter((row) => isUnmarked(row, operation.fields) && values.every(({ name, sent }) => holds(row[name], sent, schema.columns.get(name)))),
    lost,
    taken,
  );
}

/** What is hidden may be what was lost: to say that it did not happen would have it made twice. */
function outOfSight(client: ServiceNowClient, what: string, hidden: number, table: string): ConnectorError {
  return client.error("PERMISSION", {
    message: `Whether a ${what} was made cannot be told: ${hidden} ${hidden === 1 ? "row" : "rows"} of ${table} that may be it ${hidden === 1 ? "is" : "are"} hidden from the integration account.`,
    advice: `Give the integration account read access to what it makes itself in ${table}, then retry.`,
  });
}

/** A record with another marker is the answer to another create. */
function isUnmarked(row: RawRow, fields: Readonly<Record<string, Json>>): boolean {
  return "correlation_id" in fields || textOf(row, "correlation_id") === "";
}

/** The oldest that is neither known already nor taken, nor older than the intention. */
function firstOf(client: ServiceNowClient, candidates: readonly RawRow[], lost: LostWrite, taken: ReadonlySet<string>): string | undefined {
  const since = sinceStamp(client, lost.since);
  const ids = candidates.filter((row) => textOf(row, "sys_created_on") >= since).map((row) => textOf(row, "sys_id"));
  return ids.find((id) => !taken.has(id) && !lost.known.includes(id));
}

function earliest(client: ServiceNowClient, chunk: readonly { readonly lost: LostWrite }[]): string {
  return chunk.map(({ lost }) => sinceStamp(client, lost.since)).toSorted()[0] ?? "";
}

/** Our instant in the instance's time: its clock may differ from ours, and its stamps are its own. */
function sinceStamp(client: ServiceNowClient, since: string): string {
  const skew = client.now().getTime() - Date.now();
  return stampOf(new Date(Date.parse(since) + skew - toleranceMs));
}

function ofKind<Kind extends LostWrite["operation"]["kind"]>(lost: readonly LostWrite[], kind: Kind): Lost<Kind>[] {
  const found: Lost<Kind>[] = [];
  for (const [index, write] of lost.entries()) {
    // The check of the kind is what the narrower type says.
    if (write.operation.kind === kind) found.push({ index, lost: write as Lost<Kind>["lost"] });
  }
  return found;
}
