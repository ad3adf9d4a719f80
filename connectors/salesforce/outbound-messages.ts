import { createHash, timingSafeEqual } from "node:crypto";
import type { Hint, WebhookCall, WebhookReading } from "../connector.ts";
import { ConnectorError } from "../errors.ts";
import { salesforceId } from "./id.ts";
import { parseStrictXml, type XmlElement } from "./strict-xml.ts";

/** A hundred notifications [K] with every field of their records stay far below this. */
const mostBytes = 10_000_000;
const mostNotifications = 100;
const answer =
  '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body><notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>true</Ack></notificationsResponse></soapenv:Body></soapenv:Envelope>';

/**
 * Reads an outbound message of the org: which objects changed, and no more, as it is not signed, comes late, twice and out of order, and
 * holds the values of the moment of its delivery [K]. The session id that it may carry is not looked at. Throws PERMISSION for another
 * org's, BAD_REQUEST for what is no outbound message.
 */
export function readOutboundMessage({ method, body }: WebhookCall, organizationId: string): WebhookReading {
  if (method.toUpperCase() !== "POST") throw senseless("it was not posted");
  if (body.length > mostBytes) throw senseless("it is too large");
  const notifications = notificationsOf(body);
  if (!isSame(textOf(notifications, "OrganizationId"), organizationId))
    throw new ConnectorError("PERMISSION", {
      message: "This outbound message does not come from the org that this instance is.",
      advice: "Check push.organizationId.",
    });
  const entries = notifications.children.filter(({ name }) => name === "Notification");
  if (entries.length === 0 || entries.length > mostNotifications) throw senseless("it holds no notifications, or too many");
  const ids = entries.map((entry) => textOf(entry, "Id") ?? "");
  const types = new Set(entries.map(entityTypeOf));
  return {
    hints: [...types].map((entityType): Hint => (entityType === undefined ? {} : { entityType })),
    deliveryId: createHash("sha256").update(ids.toSorted().join(" ")).digest("base64url"),
    answer: { status: 200, contentType: "text/xml; charset=utf-8", body: answer },
  };
}

function notificationsOf(body: Buffer): XmlElement {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(body);
  } catch {
    throw senseless("it is not UTF-8");
  }
  const envelope = parseStrictXml(text);
  const found = envelope?.name === "Envelope" ? childOf(childOf(envelope, "Body"), "notifications") : undefined;
  if (found === undefined) throw senseless("it is not a SOAP envelope with notifications");
  return found;
}

/** `xsi:type="sf:Case"` of the record. */
function entityTypeOf(notification: XmlElement): string | undefined {
  const [, type] = /^(?:\w+:)?([A-Za-z]\w*)$/.exec(childOf(notification, "sObject")?.type ?? "") ?? [];
  return type;
}

function childOf(element: XmlElement | undefined, name: string): XmlElement | undefined {
  return element?.children.find((child) => child.name === name);
}

function textOf(element: XmlElement, name: string): string | undefined {
  return childOf(element, name)?.text.trim();
}

/** In a time that does not tell how much of it was right. */
function isSame(given: string | undefined, wanted: string): boolean {
  const digest = (id: string) => createHash("sha256").update(id).digest();
  return timingSafeEqual(digest(salesforceId(given ?? "") ?? ""), digest(wanted));
}

function senseless(reason: string): ConnectorError {
  return new ConnectorError("BAD_REQUEST", { message: `This is not an outbound message of Salesforce: ${reason}.` });
}
