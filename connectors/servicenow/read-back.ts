import type { ServiceNowClient } from "./client.ts";
import { holds } from "./encoding.ts";
import { inChunks } from "./ids.ts";
import { isSameUser } from "./people.ts";
import type { TableSchema } from "./table-schema.ts";
import { isoInstant, type RawRow, stampOf, textOf } from "./values.ts";

export interface WrittenFields {
  readonly index: number;
  readonly schema: TableSchema;
  readonly recordId: string;
  readonly values: Readonly<Record<string, string>>;
}

export interface WrittenComment {
  readonly index: number;
  readonly recordId: string;
  readonly element: "comments" | "work_notes";
  readonly body: string;
  /** The record's stamp in the answer: the entry was made then. */
  readonly savedAt: string;
}

/**
 * Fields that were not kept as given, by index of the write: the platform answers 200 all the same [R]. One call per
 * hundred records of a table. Where a record was written more than once, only the last value of a field is compared.
 */
export async function droppedFields(client: ServiceNowClient, written: readonly WrittenFields[]): Promise<Map<number, string[]>> {
  const dropped = new Map<number, string[]>();
  const lastWriter = new Map<string, number>();
  for (const { index, recordId, values } of written) for (const name of Object.keys(values)) lastWriter.set(`${recordId}.${name}`, index);
  const chunks = [...Map.groupBy(written, ({ schema }) => schema.entity.entityType)].flatMap(([table, writes]) =>
    inChunks(writes).map((chunk) => ({ table, chunk })),
  );
  const compare = async ({ table, chunk }: { table: string; chunk: WrittenFields[] }): Promise<void> => {
    const names = new Set(chunk.flatMap(({ values }) => Object.keys(values)));
    if (names.size === 0) return;
    const rows = await client.listAll({
      table,
      query: `sys_idIN${[...new Set(chunk.map(({ recordId }) => recordId))].join(",")}^ORDERBYsys_id`,
      fields: ["sys_id", ...names],
      display: true,
    });
    const byId = new Map(rows.map((row) => [textOf(row, "sys_id"), row]));
    for (const { index, recordId, values, schema } of chunk) {
      const row = byId.get(recordId);
      // A record that is hidden from us after our own write cannot be compared.
      if (row === undefined) continue;
      const lost = Object.entries(values).filter(
        ([name, sent]) => lastWriter.get(`${recordId}.${name}`) === index && !holds(row[name], sent, schema.columns.get(name)),
      );
      dropped.set(
        index,
        lost.map(([name]) => name),
      );
    }
  };
  await Promise.all(chunks.map(compare));
  return dropped;
}

/** Seconds that the entry's stamp may lie before the record's. */
const toleranceMs = 2000;

/**
 * The journal entries that our comments became, by index of the write. The platform does not name them in its answer, so
 * they are looked for: on the record, by us, with that very text, not before the save. Of equal ones the newest are ours,
 * in the order in which they were written; those in `taken` are other comments of ours, and what is found is added to it.
 */
export async function addedCommentIds(
  client: ServiceNowClient,
  comments: readonly WrittenComment[],
  userName: string,
  taken: Set<string>,
): Promise<Map<number, string>> {
  const ids = new Map<number, string>();
  const chunks = inChunks(comments);
  const found = await Promise.all(
    chunks.map((chunk) => {
      const [since = ""] = chunk.map(({ savedAt }) => savedAt).toSorted();
      return journalBy(client, { recordIds: chunk.map(({ recordId }) => recordId), userName, since: before(since) });
    }),
  );
  // Newest first, for the last written first.
  for (const [position, chunk] of [...chunks.entries()].toReversed()) {
    for (const comment of chunk.toReversed()) {
      const entry = found[position]?.entries.findLast((candidate) => !taken.has(textOf(candidate, "sys_id")) && isEntryOf(candidate, comment));
      if (entry === undefined) continue;
      taken.add(textOf(entry, "sys_id"));
      ids.set(comment.index, textOf(entry, "sys_id"));
    }
  }
  return ids;
}

/** Journal entries that one user made on some records since a stamp, oldest first; and how many there are beside them that this account is not shown. */
export async function journalBy(
  client: ServiceNowClient,
  wanted: { readonly recordIds: readonly string[]; readonly userName: string; readonly since: string },
): Promise<{ readonly entries: readonly RawRow[]; readonly hidden: number }> {
  const ids = [...new Set(wanted.recordIds)].join(",");
  const author = /[,^]/.test(wanted.userName) ? "" : `^sys_created_by=${wanted.userName}`;
  const { rows, hidden } = await client.listWhole({
    table: "sys_journal_field",
    query: `element_idIN${ids}^elementINcomments,work_notes${author}^sys_created_on>=${wanted.since}^ORDERBYsys_created_on^ORDERBYsys_id`,
    fields: ["sys_id", "element", "element_id", "value", "sys_created_on", "sys_created_by"],
  });
  return { entries: rows.filter((row) => isSameUser(textOf(row, "sys_created_by"), wanted.userName)), hidden };
}

export function isEntryOf(entry: RawRow, comment: { readonly recordId: string; readonly element: string; readonly body: string }): boolean {
  const same = textOf(entry, "element_id") === comment.recordId && textOf(entry, "element") === comment.element;
  return same && smoothed(textOf(entry, "value")) === smoothed(comment.body);
}

/** Line ends and blanks around a text may be rewritten on the way in. */
function smoothed(text: string): string {
  return text.replaceAll("\r\n", "\n").trim();
}

function before(stamp: string): string {
  return stampOf(new Date(Date.parse(isoInstant(stamp)) - toleranceMs));
}
