import { Readable } from "node:stream";
import type { EntityRef } from "../connector.ts";
import type { ServiceNowClient } from "./client.ts";
import { isSysId } from "./ids.ts";
import { rawResult, textOf } from "./values.ts";

/**
 * Streams an attachment. Its description is read first: it says whose it is, and how many bytes must come, so that neither
 * a login page nor a cut-off file passes for the content.
 */
export async function openAttachment(client: ServiceNowClient, ref: EntityRef, attachmentId: string): Promise<Readable> {
  const what = `read attachment ${attachmentId} of ${ref.type} ${ref.id}`;
  if (!isSysId(attachmentId)) throw client.error("NOT_FOUND_OR_HIDDEN", { message: `“${attachmentId}” is not the sys_id of an attachment.` });
  const meta = rawResult(await client.json({ method: "GET", path: `/api/now/attachment/${attachmentId}` }, { what, write: false }));
  if (meta === undefined) throw client.error("PROTOCOL", { message: `ServiceNow's answer to “${what}” is without its result.` });
  if (textOf(meta, "table_sys_id") !== ref.id)
    throw client.error("NOT_FOUND_OR_HIDDEN", { message: `Attachment ${attachmentId} does not belong to ${ref.type} ${ref.id}.` });
  const bytes = await client.download(`/api/now/attachment/${attachmentId}/file`, what);
  return Readable.from(counted(client, bytes, Number(textOf(meta, "size_bytes")), what), { objectMode: false });
}

async function* counted(client: ServiceNowClient, source: Readable, expected: number, what: string): AsyncGenerator<Buffer> {
  let seen = 0;
  for await (const chunk of source) {
    // Bodies of binary streams come as buffers.
    const bytes = chunk as Buffer;
    seen += bytes.length;
    yield bytes;
  }
  if (seen !== expected) throw client.error("PROTOCOL", { message: `ServiceNow sent ${seen} bytes instead of ${expected} (${what}).` });
}
