import type { Hono } from "hono";
import type { SimulatorBindings } from "../../simulation/server.ts";
import type { Account } from "./accounts.ts";
import { type Instance, newSysId } from "./instance.ts";
import { present } from "./present.ts";
import { Refusal, refusals } from "./refusal.ts";
import { maySeeRow, mayWrite } from "./rights.ts";
import { type ApiContext, api, baseOf } from "./rim.ts";
import type { Row } from "./store.ts";
import { pagingHeaders, queryPage } from "./table-api.ts";

const defaultLimit = 1000;

/** `/api/now/attachment…` [D]. An attachment does not touch its record's stamp [K]. */
export function attachmentRoutes(app: Hono<SimulatorBindings>, instance: Instance): void {
  api(app, instance, ["GET"], "/attachment", (c, account) => {
    const { rows, total } = queryPage(c, instance, account, "sys_attachment", defaultLimit);
    return c.json({ result: rows.map((row) => meta(c, instance, account, row)) }, 200, pagingHeaders(c, total, defaultLimit));
  });
  api(app, instance, ["GET"], "/attachment/:id", (c, account) => c.json({ result: meta(c, instance, account, attachment(c, instance, account)) }));
  api(app, instance, ["GET"], "/attachment/:id/file", (c, account) => {
    const row = attachment(c, instance, account);
    const bytes = instance.tables.blob(row.sys_id ?? "") ?? Buffer.alloc(0);
    const headers = {
      "content-type": row.content_type ?? "",
      "x-attachment-metadata": JSON.stringify({ result: meta(c, instance, account, row) }).replace(/[^\x20-\x7e]/g, "?"),
    };
    return c.body(new Uint8Array(bytes), 200, headers);
  });
  api(app, instance, ["POST"], "/attachment/file", async (c, account) => {
    const type = c.req.header("content-type");
    if (type === undefined) throw new Refusal(400, "Content-Type header is missing", null);
    const row = store(instance, account, {
      table: c.req.query("table_name") ?? "",
      recordId: c.req.query("table_sys_id") ?? "",
      fileName: c.req.query("file_name") ?? "",
      type,
      bytes: Buffer.from(await c.req.arrayBuffer()),
    });
    return c.json({ result: meta(c, instance, account, row) }, 201, { location: `${baseOf(c)}/api/now/attachment/${row.sys_id ?? ""}` });
  });
  api(app, instance, ["POST"], "/attachment/upload", async (c, account) => {
    const row = store(instance, account, await uploaded(c));
    return c.json({ result: meta(c, instance, account, row) }, 201, { location: `${baseOf(c)}/api/now/attachment/${row.sys_id ?? ""}` });
  });
  api(app, instance, ["DELETE"], "/attachment/:id", (c, account) => {
    const row = attachment(c, instance, account);
    if (!mayWrite(instance, account, row.table_name ?? "")) throw refusals.mayNotDelete();
    instance.store.delete("sys_attachment", row.sys_id ?? "");
    return c.body(null, 204);
  });
}

interface Upload {
  readonly table: string;
  readonly recordId: string;
  readonly fileName: string;
  readonly type: string;
  readonly bytes: Buffer;
}

/** Multipart: the parts that name the record must stand before the file, which must be last [D]. */
async function uploaded(c: ApiContext): Promise<Upload> {
  let form: FormData;
  try {
    form = await c.req.formData();
  } catch {
    throw refusals.unreadableRequest();
  }
  const parts = [...form.entries()];
  const [, file] = parts.at(-1) ?? [];
  const field = (name: string) => parts.slice(0, -1).find(([part, value]) => part === name && typeof value === "string")?.[1];
  const table = field("table_name");
  const recordId = field("table_sys_id");
  if (!(file instanceof File) || typeof table !== "string" || typeof recordId !== "string")
    throw new Refusal(400, "Missing required parameters", "table_name and table_sys_id must precede the file");
  return { table, recordId, fileName: file.name, type: file.type, bytes: Buffer.from(await file.arrayBuffer()) };
}

function store(instance: Instance, account: Account, upload: Upload): Row {
  if (upload.fileName === "") throw new Refusal(400, "Missing file_name parameter", null);
  if (instance.schema.table(upload.table) === undefined) throw refusals.invalidTable(upload.table);
  const found = instance.store.find(upload.table, upload.recordId);
  if (found === undefined || !maySeeRow(instance, account, found.table, found.row)) throw refusals.noRecord();
  if (!mayWrite(instance, account, found.table)) throw refusals.mayNotInsert();
  if (upload.bytes.length > instance.settings.attachmentLimitBytes)
    throw new Refusal(413, "Attachment too large", `The limit is ${instance.settings.attachmentLimitBytes} bytes`);
  const stamp = instance.stamp();
  const row: Row = {
    sys_id: newSysId(),
    sys_created_on: stamp,
    sys_created_by: account.userName,
    sys_updated_on: stamp,
    sys_updated_by: account.userName,
    sys_mod_count: "0",
    sys_tags: "",
    file_name: upload.fileName,
    content_type: upload.type,
    size_bytes: String(upload.bytes.length),
    size_compressed: String(upload.bytes.length),
    compressed: "true",
    table_name: upload.table,
    table_sys_id: upload.recordId,
  };
  instance.tables.putBlob(row.sys_id ?? "", upload.bytes);
  instance.store.put("sys_attachment", row);
  return row;
}

function attachment(c: ApiContext, instance: Instance, account: Account): Row {
  const found = instance.store.find("sys_attachment", c.req.param("id") ?? "");
  const parent = found === undefined ? undefined : instance.store.find(found.row.table_name ?? "", found.row.table_sys_id ?? "");
  if (found === undefined || !maySeeRow(instance, account, "sys_attachment", found.row)) throw refusals.noRecord();
  if (parent !== undefined && !maySeeRow(instance, account, parent.table, parent.row)) throw refusals.noRecord();
  return found.row;
}

function meta(c: ApiContext, instance: Instance, account: Account, row: Row): Record<string, unknown> {
  const shown = present(instance, account, "sys_attachment", row, { mode: "false", excludeLinks: true, fields: undefined, base: baseOf(c) });
  return { ...shown, download_link: `${baseOf(c)}/api/now/attachment/${row.sys_id ?? ""}/file`, image_width: "", image_height: "", average_image_color: "" };
}
