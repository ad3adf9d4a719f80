import type { Readable } from "node:stream";
import type { WriteOperation } from "../connector.ts";
import { ConnectorError } from "../errors.ts";
import { escaped, type ServiceNowClient } from "./client.ts";
import { isRefused } from "./errors.ts";
import { rawResult, textOf } from "./values.ts";
import { recordPath } from "./write-plan.ts";

/** Streams a file to a record; gives the attachment's sys_id. Never repeated here: each upload makes another attachment [D]. */
export async function uploadAttachment(client: ServiceNowClient, operation: Extract<WriteOperation, { kind: "addAttachment" }>): Promise<string> {
  const { ref, filename, mimetype, filesize } = operation;
  const attempt = { what: `attach “${filename}” to ${ref.type} ${ref.id}`, write: true };
  recordPath(ref);
  const data = await opened(client, operation);
  const path = `/api/now/attachment/file?table_name=${ref.type}&table_sys_id=${ref.id}&file_name=${escaped(filename)}`;
  const answer = await client.answer({ method: "POST", path, body: { type: typeOf(mimetype), data, length: filesize } });
  if (isRefused(answer)) throw client.refusal(answer, attempt);
  const row = rawResult(answer.body);
  const id = row === undefined ? "" : textOf(row, "sys_id");
  if (id === "")
    throw client.error("PROTOCOL", {
      message: `ServiceNow's answer to “${attempt.what}” does not name the attachment.`,
      status: answer.status,
      uncertain: true,
    });
  return id;
}

/** What the other side calls the file's type becomes a header: of what cannot be sent, the type alone is kept. */
function typeOf(mimetype: string): string {
  const [type = "application/octet-stream"] = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+/.exec(mimetype) ?? [];
  return /^ *;[ -~]*$/.test(mimetype.slice(type.length)) ? mimetype : type;
}

/** Where the bytes come from is no business of this platform: whatever fails there concerns this one file, and nothing was sent. */
async function opened(client: ServiceNowClient, operation: Extract<WriteOperation, { kind: "addAttachment" }>): Promise<Readable> {
  try {
    return await operation.open();
  } catch (error) {
    if (error instanceof ConnectorError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw client.error("NOT_FOUND_OR_HIDDEN", { message: `The file “${operation.filename}” cannot be read where it comes from: ${reason}` });
  }
}
