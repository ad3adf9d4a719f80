import type { WriteOperation } from "../connector.ts";
import { escaped, type ServiceNowClient } from "./client.ts";
import { isRefused } from "./errors.ts";
import { rawResult, textOf } from "./values.ts";
import { recordPath } from "./write-plan.ts";

/** Streams a file to a record; gives the attachment's sys_id. Never repeated here: each upload makes another attachment [D]. */
export async function uploadAttachment(client: ServiceNowClient, operation: Extract<WriteOperation, { kind: "addAttachment" }>): Promise<string> {
  const { ref, filename, mimetype, filesize } = operation;
  const attempt = { what: `attach “${filename}” to ${ref.type} ${ref.id}`, write: true };
  recordPath(ref);
  const data = await operation.open();
  const path = `/api/now/attachment/file?table_name=${ref.type}&table_sys_id=${ref.id}&file_name=${escaped(filename)}`;
  const answer = await client.answer({ method: "POST", path, body: { type: mimetype || "application/octet-stream", data, length: filesize } });
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
