import { createHash } from "node:crypto";
import type { ListRequest, ServiceNowClient } from "./client.ts";
import { inChunks } from "./ids.ts";
import { type RawRow, textOf } from "./values.ts";

export const journalElements = "elementINcomments,work_notes";
const journalFields = ["sys_id", "element", "element_id", "value", "sys_created_on", "sys_created_by"];
const attachmentFields = ["sys_id", "table_sys_id", "file_name", "content_type", "size_bytes", "sys_created_on", "sys_created_by"];
/** Pictures in image columns are kept as attachments of a shadow table [K]. */
const notPictures = "table_nameNOT LIKEZZ_YY";
/** Entries of one second have no order of their own: the platform keeps none [K]. */
const oldestFirst = "ORDERBYsys_created_on^ORDERBYsys_id";

/** Journal entries and attachments of many records, by record, oldest first. */
export interface Children {
  readonly journal: ReadonlyMap<string, readonly RawRow[]>;
  readonly attachments: ReadonlyMap<string, readonly RawRow[]>;
}

/** Reads them in two calls per hundred records; with `idsOnly`, just enough to tell versions apart; with `lenient`, what is closed to us counts as empty. */
export async function childrenOf(
  client: ServiceNowClient,
  ids: readonly string[],
  options: { readonly journal: boolean; readonly idsOnly?: boolean; readonly lenient?: boolean },
): Promise<Children> {
  const journal = new Map<string, RawRow[]>();
  const attachments = new Map<string, RawRow[]>();
  const idsOnly = options.idsOnly === true;
  const rowsOf = async (request: Omit<ListRequest, "limit" | "offset">): Promise<readonly RawRow[]> => {
    const read = () => client.listAll(request);
    const { absences } = client;
    return (await (options.lenient === true ? absences.unlessOutOfReach(request.table, read) : absences.unlessNeverThere(request.table, read))) ?? [];
  };
  for (const chunk of inChunks(ids)) {
    const [entries, files] = await Promise.all([
      options.journal
        ? rowsOf({
            table: "sys_journal_field",
            query: `element_idIN${chunk.join(",")}^${journalElements}^${oldestFirst}`,
            fields: idsOnly ? ["sys_id", "element_id"] : journalFields,
          })
        : [],
      rowsOf({
        table: "sys_attachment",
        query: `table_sys_idIN${chunk.join(",")}^${notPictures}^${oldestFirst}`,
        fields: idsOnly ? ["sys_id", "table_sys_id"] : attachmentFields,
      }),
    ]);
    for (const entry of entries) gather(journal, textOf(entry, "element_id"), entry);
    for (const file of files) gather(attachments, textOf(file, "table_sys_id"), file);
  }
  return { journal, attachments };
}

/**
 * The version of a record with all that belongs to it. The count of updates moves with each save and each journal
 * entry [R]; an attachment leaves it alone [K], and so do entries written past the rules, hence the ids of both.
 */
export function versionOf(row: RawRow, children: Children): string {
  const id = textOf(row, "sys_id");
  const parts = [...(children.journal.get(id) ?? []), ...(children.attachments.get(id) ?? [])].map((child) => textOf(child, "sys_id")).toSorted();
  const hash = parts.length === 0 ? "0" : createHash("sha256").update(parts.join(",")).digest("base64url").slice(0, 12);
  return `${textOf(row, "sys_mod_count")}.${textOf(row, "sys_updated_on").replace(/\D/g, "")}.${hash}`;
}

function gather(map: Map<string, RawRow[]>, key: string, row: RawRow): void {
  const rows = map.get(key);
  if (rows === undefined) map.set(key, [row]);
  else rows.push(row);
}
