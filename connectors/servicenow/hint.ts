import { createHmac, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import type { WebhookCall, WebhookReading } from "../connector.ts";
import { ConnectorError } from "../errors.ts";

/** Beyond it a call is taken for a repeated one, in milliseconds. */
const staleMs = 300_000;
const largestBody = 16_384;

const stamp = z.string().regex(/^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)?$/);
const hintBody = z.strictObject({
  event_id: z.string().regex(/^[\w-]{8,64}$/),
  table: z.string().regex(/^[a-z][a-z0-9_]{0,79}$/),
  sys_id: z.string().regex(/^[0-9a-f]{32}$/),
  op: z.enum(["insert", "update", "delete"]),
  sys_mod_count: z.union([z.string().regex(/^\d*$/), z.int().min(0)]).optional(),
  sys_updated_on: stamp.optional(),
  sys_updated_by: z.string().max(100).optional(),
});

/**
 * Reads what the business rule of docs/servicenow sends: `X-Isobridge-Timestamp` (seconds since 1970) and
 * `X-Isobridge-Signature: sha256=…`, the HMAC-SHA256 with the shared secret over timestamp, a full stop and the raw body. It
 * says no more than that a table is worth a look; `parentsOf` names the tables above it that may be watched as well.
 */
export function readHint(call: WebhookCall, secret: string, parentsOf: (table: string) => readonly string[]): WebhookReading {
  if (call.method.toUpperCase() !== "POST") throw new ConnectorError("BAD_REQUEST", { message: "The hint of a business rule comes by POST." });
  if (call.body.length > largestBody)
    throw new ConnectorError("BAD_REQUEST", { message: `A hint is ${call.body.length} bytes long; ${largestBody} are taken.` });
  const timestamp = call.headers["x-isobridge-timestamp"] ?? "";
  if (secret === "" || !/^\d{9,11}$/.test(timestamp) || !isSigned(call.headers["x-isobridge-signature"] ?? "", secret, timestamp, call.body))
    throw new ConnectorError("PERMISSION", {
      message: "The hint is not signed with the secret that this instance and the node share.",
      advice: "Compare the system property isobridge.webhook.secret with the secret webhookSecret of the instance.",
    });
  const awayMs = Math.abs(call.receivedAt - Number(timestamp) * 1000);
  if (awayMs > staleMs)
    throw new ConnectorError("PERMISSION", {
      message: `The hint was signed ${Math.round(awayMs / 1000)} seconds away from now; ${staleMs / 1000} are taken.`,
      advice: "Compare the clocks of the instance and of the node.",
    });
  const hint = parsed(call.body);
  return {
    hints: [hint.table, ...parentsOf(hint.table)].map((entityType) => ({ entityType })),
    deliveryId: hint.event_id,
    answer: { status: 202, contentType: "application/json", body: JSON.stringify({ accepted: true }) },
  };
}

function isSigned(signature: string, secret: string, timestamp: string, body: Buffer): boolean {
  const text = /^sha256=(.+)$/.exec(signature.trim())?.[1] ?? "";
  // The platform's own function gives base64; the script turns it into the usual hexadecimal.
  const given = /^[0-9a-f]{64}$/i.test(text) ? Buffer.from(text, "hex") : /^[A-Za-z0-9+/]{43}=$/.test(text) ? Buffer.from(text, "base64") : Buffer.alloc(0);
  const expected = createHmac("sha256", secret).update(`${timestamp}.`).update(body).digest();
  return given.length === expected.length && timingSafeEqual(given, expected);
}

function parsed(body: Buffer): z.output<typeof hintBody> {
  try {
    return hintBody.parse(JSON.parse(body.toString("utf8")));
  } catch {
    throw new ConnectorError("BAD_REQUEST", {
      message: "The hint is signed, but not what the business rule of Isobridge sends.",
      advice: "Import the update set of this version again.",
    });
  }
}
