import { salesforceId } from "../id.ts";
import { organizationId } from "./accounts.ts";
import type { Org, Row } from "./org.ts";
import { meets, type When } from "./rules.ts";
import type { RowChange } from "./transactions.ts";
import { escaped } from "./xml.ts";

/** A workflow action that posts records to an address when they are saved. */
export interface OutboundMessage {
  readonly name: string;
  readonly object: string;
  readonly url: string;
  /** Beside the id. */
  readonly fields: readonly string[];
  readonly on: readonly ("create" | "update")[];
  readonly when?: When;
  /** Sends a session of this user along; without it there is none. */
  readonly sessionOf?: string;
}

/** What happens to the next `times` deliveries: lost on the way there, delivered twice, newest first, or sent by another org. */
export interface DeliveryFault {
  readonly kind: "lose" | "duplicate" | "reorder" | "stranger";
  times: number;
}

interface Notification {
  readonly id: string;
  readonly message: OutboundMessage;
  readonly recordId: string;
  readonly since: number;
  attempts: number;
  due: number;
}

/** Sent again for a day, each time later, up to two hours apart [K]. */
const keptMs = 24 * 3_600_000;
const longestWaitMs = 2 * 3_600_000;
const perRequest = 100;
const answerWithinMs = 10_000;

/**
 * Sends Outbound Messages as the platform does: SOAP posts of up to 100 notifications, with the values that the records have when they are
 * sent, not when they were saved; again and again until the answer says `<Ack>true</Ack>`, so twice or out of order where one got lost [K].
 */
export class OutboundMessages {
  messages: readonly OutboundMessage[] = [];
  readonly faults: DeliveryFault[] = [];
  /** The first wait before a message is sent again; it doubles each time. */
  retryMs = 5000;
  readonly #org: Org;
  readonly #baseUrl: () => string;
  readonly #session: (username: string) => string | undefined;
  #pending: Notification[] = [];
  #sending: Promise<void> | undefined;
  #last = 0;

  constructor(org: Org, baseUrl: () => string, session: (username: string) => string | undefined) {
    this.#org = org;
    this.#baseUrl = baseUrl;
    this.#session = session;
    org.transactions.listen(({ changes }) => {
      if (this.messages.length === 0) return;
      // A record that one transaction saves twice is told of once.
      const first = new Map<string, RowChange>();
      for (const change of changes) if (!first.has(change.after?.Id ?? "")) first.set(change.after?.Id ?? "", change);
      for (const change of first.values()) this.#queue(change);
    });
  }

  /** What waits to be sent or acknowledged. */
  pending(): readonly { readonly id: string; readonly message: string; readonly recordId: string; readonly attempts: number }[] {
    return this.#pending.map(({ id, message, recordId, attempts }) => ({ id, message: message.name, recordId, attempts }));
  }

  /** Sends what is due, one request after another. */
  async deliver(): Promise<void> {
    if (this.#pending.length === 0) return;
    this.#sending ??= this.#deliverDue().finally(() => {
      this.#sending = undefined;
    });
    await this.#sending;
  }

  /** Sends nothing any more. */
  close(): void {
    this.messages = [];
    this.#pending = [];
  }

  #queue({ type, before, after }: RowChange): void {
    if (after === undefined || after.IsDeleted === true) return;
    const on = before === undefined ? "create" : "update";
    for (const message of this.messages) {
      if (message.object !== type || !message.on.includes(on) || !meets(after, message.when)) continue;
      const now = this.#now();
      const id = salesforceId(`04l5g${String(++this.#last).padStart(10, "0")}`) ?? "";
      this.#pending.push({ id, message, recordId: after.Id, since: now, attempts: 0, due: now });
    }
  }

  async #deliverDue(): Promise<void> {
    const now = this.#now();
    this.#pending = this.#pending.filter(({ since }) => now - since < keptMs);
    for (const message of new Set(this.#pending.map((notification) => notification.message))) {
      const due = this.#pending.filter((notification) => notification.message === message && notification.due <= now).slice(0, perRequest);
      if (due.length === 0) continue;
      const fault = this.#nextFault();
      const order = fault?.kind === "reorder" ? due.toReversed() : due;
      const acknowledged = fault?.kind !== "lose" && (await this.#post(message, order, fault?.kind === "stranger" ? "00D000000000000EAA" : organizationId));
      if (fault?.kind === "duplicate") await this.#post(message, order, organizationId);
      const done = new Set(acknowledged ? due : []);
      this.#pending = this.#pending.filter((notification) => !done.has(notification));
      for (const notification of due) {
        notification.due = this.#now() + Math.min(longestWaitMs, this.retryMs * 2 ** notification.attempts);
        notification.attempts++;
      }
    }
  }

  async #post(message: OutboundMessage, notifications: readonly Notification[], sender: string): Promise<boolean> {
    const found = notifications.flatMap(({ id, recordId }) => {
      const row = this.#org.tables.get(message.object, recordId);
      return row === undefined ? [] : [{ id, row }];
    });
    if (found.length === 0) return true;
    try {
      const response = await fetch(message.url, {
        method: "POST",
        headers: { "content-type": "text/xml; charset=utf-8", soapaction: '""' },
        body: this.#envelope(message, found, sender),
        signal: AbortSignal.timeout(answerWithinMs),
      });
      return response.status === 200 && /<(?:\w+:)?Ack>\s*true\s*<\//.test(await response.text());
    } catch {
      // Nobody there, or no answer in time: it is sent again.
      return false;
    }
  }

  #envelope(message: OutboundMessage, found: readonly { readonly id: string; readonly row: Row }[], sender: string): string {
    const action = salesforceId(`04k5g${String(this.messages.indexOf(message) + 1).padStart(10, "0")}`) ?? "";
    const session = message.sessionOf === undefined ? undefined : this.#session(message.sessionOf);
    const base = this.#baseUrl();
    const notifications = found.map(({ id, row }) => `<Notification><Id>${id}</Id>${sObject(message, row)}</Notification>`).join("");
    return `<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body><notifications xmlns="http://soap.sforce.com/2005/09/outbound"><OrganizationId>${sender}</OrganizationId><ActionId>${action}</ActionId>${session === undefined ? '<SessionId xsi:nil="true"/>' : `<SessionId>${session}</SessionId>`}<EnterpriseUrl>${base}/services/Soap/c/60.0/${organizationId.slice(0, 15)}</EnterpriseUrl><PartnerUrl>${base}/services/Soap/u/60.0/${organizationId.slice(0, 15)}</PartnerUrl>${notifications}</notifications></soapenv:Body></soapenv:Envelope>`;
  }

  #now(): number {
    return this.#org.clock.now().getTime();
  }

  #nextFault(): DeliveryFault | undefined {
    const fault = this.faults.find(({ times }) => times > 0);
    if (fault !== undefined) fault.times--;
    return fault;
  }
}

/** Empty fields are left out. */
function sObject({ object, fields }: OutboundMessage, row: Row): string {
  const shown = ["Id", ...fields].flatMap((name) => {
    const value = row[name] ?? null;
    return value === null ? [] : [`<sf:${name}>${escaped(String(value).replace(/\.000\+0000$/, ".000Z"))}</sf:${name}>`];
  });
  return `<sObject xsi:type="sf:${object}" xmlns:sf="urn:sobject.enterprise.soap.sforce.com">${shown.join("")}</sObject>`;
}
