import { Readable } from "node:stream";
import type { ReadableStream as NodeReadableStream } from "node:stream/web";
import type { Hono } from "hono";
import { readForm } from "../../simulation/multipart.ts";
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
    const file = instance.fileOf(row.sys_id ?? "");
    const headers = {
      "content-type": row.content_type ?? "",
      "content-length": String(file.size),
      "content-disposition": `attachment;filename*=UTF-8''${encodeURIComponent(row.file_name ?? "")}`,
      "x-attachment-metadata": JSON.stringify({ result: meta(c, instance, account, row) }).replace(/[^\x20-\x7e]/g, "?"),
    };
    // The two kinds of web streams, that of Node and that of the DOM, differ in their types only.
    return c.body(Readable.toWeb(file.open()) as ReadableStream<Uint8Array>, 200, headers);
  });
  api(app, instance, ["POST"], "/attachment/file", async (c, account) => {
    const type = c.req.header("content-type");
    if (type === undefined) throw await read(c, new Refusal(400, "Content-Type header is missing", null));
    const target = { table: c.req.query("table_name") ?? "", recordId: c.req.query("table_sys_id") ?? "", fileName: c.req.query("file_name") ?? "", type };
    const row = await store(instance, account, target, contentOf(c)).catch((error) => read(c, error));
    return c.json({ result: meta(c, instance, account, row) }, 201, { location: `${baseOf(c)}/api/now/attachment/${row.sys_id ?? ""}` });
  });
  api(app, instance, ["POST"], "/attachment/upload", async (c, account) => {
    const row = await uploaded(c, instance, account).catch((error) => read(c, error));
    return c.json({ result: meta(c, instance, account, row) }, 201, { location: `${baseOf(c)}/api/now/attachment/${row.sys_id ?? ""}` });
  });
  api(app, instance, ["DELETE"], "/attachment/:id", (c, account) => {
    const row = attachment(c, instance, account);
    if (!mayWrite(instance, account, row.table_name ?? "")) throw refusals.mayNotDelete();
    forget(instance, row);
    return c.body(null, 204);
  });
}

interface Upload {
  readonly table: string;
  readonly recordId: string;
  readonly fileName: string;
  readonly type: string;
}

function contentOf(c: ApiContext): Readable {
  const { body } = c.req.raw;
  // As above: one kind of web stream for the other.
  return body === null ? Readable.from([]) : Readable.fromWeb(body as unknown as NodeReadableStream<Uint8Array>);
}

/** What is refused is still read to its end, or the sender would see a broken connection instead of the refusal. */
async function read(c: ApiContext, error: unknown): Promise<never> {
  const { body } = c.req.raw;
  if (body !== null && !body.locked) for await (const _ of contentOf(c));
  throw error;
}

/** Multipart: the parts that name the record must stand before the file, which must be last [D]. */
async function uploaded(c: ApiContext, instance: Instance, account: Account): Promise<Row> {
  const fields = new Map<string, string>();
  let row: Row | undefined;
  let last = true;
  try {
    for await (const part of readForm(contentOf(c), c.req.header("content-type") ?? "")) {
      if (row !== undefined) last = false;
      else if (part.filename === undefined) fields.set(part.name, await textOf(part.bytes));
      else {
        const [table, recordId] = [fields.get("table_name"), fields.get("table_sys_id")];
        if (table === undefined || recordId === undefined) break;
        row = await store(instance, account, { table, recordId, fileName: unescaped(part.filename), type: part.contentType }, part.bytes);
      }
    }
  } catch (error) {
    throw error instanceof SyntaxError ? refusals.unreadableRequest() : error;
  }
  if (row !== undefined && last) return row;
  if (row !== undefined) forget(instance, row);
  throw new Refusal(400, "Missing required parameters", "table_name and table_sys_id must precede the file");
}

/** Browsers and Node write quotes and line ends of names so. */
function unescaped(name: string): string {
  return name.replaceAll("%22", '"').replaceAll(/%0D/gi, "\r").replaceAll(/%0A/gi, "\n");
}

async function textOf(content: AsyncIterable<Uint8Array>): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of content) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces).toString("utf8");
}

async function store(instance: Instance, account: Account, upload: Upload, content: AsyncIterable<Uint8Array>): Promise<Row> {
  if (upload.fileName === "") throw new Refusal(400, "Missing file_name parameter", null);
  if (instance.schema.table(upload.table) === undefined) throw refusals.invalidTable(upload.table);
  const found = instance.store.find(upload.table, upload.recordId);
  if (found === undefined || !maySeeRow(instance, account, found.table, found.row)) throw refusals.noRecord();
  if (!mayWrite(instance, account, found.table)) throw refusals.mayNotInsert();
  const { attachmentExtensions, attachmentLimitBytes } = instance.settings;
  const extension = /\.([^.]*)$/.exec(upload.fileName)?.[1]?.toLowerCase() ?? "";
  // `glide.attachment.extensions`: only these [D]; the words of the refusal are not recorded [K].
  if (attachmentExtensions !== null && !attachmentExtensions.includes(extension))
    throw new Refusal(400, "Invalid file extension", `Files with the extension ${extension} are not allowed`);
  const id = newSysId();
  const arrived = await instance.bytes.arrive(content);
  if (arrived.size > attachmentLimitBytes) {
    instance.bytes.drop(arrived);
    throw new Refusal(413, "Attachment too large", `The limit is ${attachmentLimitBytes} bytes`);
  }
  instance.bytes.keep(id, arrived);
  return attached(instance, account.userName, { ...upload, id, bytes: arrived.size });
}

/** Writes the row of an attachment whose content is there. */
export function attached(instance: Instance, userName: string, upload: Upload & { readonly id: string; readonly bytes: number }): Row {
  const stamp = instance.stamp();
  const row: Row = {
    sys_id: upload.id,
    sys_created_on: stamp,
    sys_created_by: userName,
    sys_updated_on: stamp,
    sys_updated_by: userName,
    sys_mod_count: "0",
    sys_tags: "",
    file_name: upload.fileName,
    content_type: upload.type,
    size_bytes: String(upload.bytes),
    size_compressed: String(upload.bytes),
    compressed: "true",
    table_name: upload.table,
    table_sys_id: upload.recordId,
  };
  instance.store.put("sys_attachment", row);
  return row;
}

function forget(instance: Instance, row: Row): void {
  instance.store.delete("sys_attachment", row.sys_id ?? "");
  instance.bytes.delete(row.sys_id ?? "");
}

function attachment(c: ApiContext, instance: Instance, account: Account): Row {
  const found = instance.store.find("sys_attachment", c.req.param("id") ?? "");
  if (found === undefined || !maySeeRow(instance, account, "sys_attachment", found.row)) throw refusals.noRecord();
  return found.row;
}

function meta(c: ApiContext, instance: Instance, account: Account, row: Row): Record<string, unknown> {
  const shown = present(instance, account, "sys_attachment", row, { mode: "false", excludeLinks: true, fields: undefined, base: baseOf(c) });
  return { ...shown, download_link: `${baseOf(c)}/api/now/attachment/${row.sys_id ?? ""}/file`, image_width: "", image_height: "", average_image_color: "" };
}
