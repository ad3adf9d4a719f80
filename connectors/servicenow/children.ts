import { createHash } from "node:crypto";
import { variableColumns, variableRecord, variableTable, variableVersion, variableVersionColumns } from "./catalog-variables.ts";
import type { ListRequest, ServiceNowClient } from "./client.ts";
import { inChunks } from "./ids.ts";
import type { TableSchema } from "./table-schema.ts";
import { type RawRow, textOf } from "./values.ts";

export const journalElements = "elementINcomments,work_notes";
const journalFields = ["sys_id", "element", "element_id", "value", "sys_created_on", "sys_created_by"];
const attachmentFields = ["sys_id", "table_sys_id", "file_name", "content_type", "size_bytes", "sys_created_on", "sys_created_by"];
/** Pictures in image columns are kept as attachments of a shadow table [K]. */
const notPictures = "table_nameNOT LIKEZZ_YY";
/** Entries of one second have no order of their own: the platform keeps none [K]. */
const oldestFirst = "ORDERBYsys_created_on^ORDERBYsys_id";

/** Journal entries, attachments and catalog variables of many records, by record, oldest first. */
export interface Children {
  readonly journal: ReadonlyMap<string, readonly RawRow[]>;
  readonly attachments: ReadonlyMap<string, readonly RawRow[]>;
  readonly variables: ReadonlyMap<string, readonly RawRow[]>;
}

export const noChildren: Children = { journal: new Map(), attachments: new Map(), variables: new Map() };

/** Which kinds records of a table have beside attachments. */
export interface ChildKinds {
  readonly journal: boolean;
  readonly variables: boolean;
}

export function childKinds(schema: TableSchema): ChildKinds {
  return { journal: schema.journals.size > 0, variables: schema.catalogVariables };
}

/** Reads them, two or three lists per hundred records and all at once; with `idsOnly`, just enough to tell versions apart; with `lenient`, what is closed to us counts as empty. */
export async function childrenOf(
  client: ServiceNowClient,
  ids: readonly string[],
  options: ChildKinds & { readonly idsOnly?: boolean; readonly lenient?: boolean },
): Promise<Children> {
  const idsOnly = options.idsOnly === true;
  const rowsOf = async (request: Omit<ListRequest, "limit" | "offset">): Promise<readonly RawRow[]> => {
    const read = () => client.listAll(request);
    const { absences } = client;
    return (await (options.lenient === true ? absences.unlessOutOfReach(request.table, read) : absences.unlessNeverThere(request.table, read))) ?? [];
  };
  const lists = inChunks(ids).map(async (chunk) => {
    const within = chunk.join(",");
    return await Promise.all([
      options.journal
        ? rowsOf({
            table: "sys_journal_field",
            query: `element_idIN${within}^${journalElements}^${oldestFirst}`,
            fields: idsOnly ? ["sys_id", "element_id"] : journalFields,
          })
        : [],
      rowsOf({
        table: "sys_attachment",
        query: `table_sys_idIN${within}^${notPictures}^${oldestFirst}`,
        fields: idsOnly ? ["sys_id", "table_sys_id"] : attachmentFields,
      }),
      options.variables
        ? rowsOf({
            table: variableTable,
            query: `${variableRecord}IN${within}^${oldestFirst}`,
            fields: idsOnly ? variableVersionColumns : variableColumns,
          })
        : [],
    ]);
  });
  const read = await Promise.all(lists);
  return {
    journal: grouped(
      read.flatMap(([entries]) => entries),
      "element_id",
    ),
    attachments: grouped(
      read.flatMap(([, files]) => files),
      "table_sys_id",
    ),
    variables: grouped(
      read.flatMap(([, , answers]) => answers),
      variableRecord,
    ),
  };
}

function grouped(rows: readonly RawRow[], column: string): Map<string, RawRow[]> {
  return Map.groupBy(rows, (row) => textOf(row, column));
}

/**
 * The version of a record with all that belongs to it. The count of updates moves with each save and each journal
 * entry [R]; an attachment or a catalog variable leaves it alone [K], and so do entries written past the rules, hence the ids of all.
 */
export function versionOf(row: RawRow, children: Children): string {
  const id = textOf(row, "sys_id");
  const texts = [...(children.journal.get(id) ?? []), ...(children.attachments.get(id) ?? [])].map((child) => textOf(child, "sys_id"));
  const parts = [...texts, ...(children.variables.get(id) ?? []).map(variableVersion)].toSorted();
  const hash = parts.length === 0 ? "0" : createHash("sha256").update(parts.join(",")).digest("base64url").slice(0, 12);
  return `${textOf(row, "sys_mod_count")}.${textOf(row, "sys_updated_on").replace(/\D/g, "")}.${hash}`;
}
