import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { WebhookCall } from "../connector.ts";
import { ConnectorError } from "../errors.ts";
import { readOutboundMessage } from "./outbound-messages.ts";
import { parseStrictXml } from "./strict-xml.ts";

const organizationId = "00D5g000000SIMUEA4";
const notification = (id: string, type = "Case") =>
  `<Notification><Id>${id}</Id><sObject xsi:type="sf:${type}" xmlns:sf="urn:sobject.enterprise.soap.sforce.com"><sf:Id>500D000000IqhSLIAZ</sf:Id><sf:Subject>a &amp; b &#252;</sf:Subject></sObject></Notification>`;
const message = (...notifications: string[]) => `<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
 <soapenv:Body>
  <notifications xmlns="http://soap.sforce.com/2005/09/outbound">
   <OrganizationId>${organizationId}</OrganizationId>
   <ActionId>04k5g0000000001AAA</ActionId>
   <SessionId xsi:nil="true"/>
   <EnterpriseUrl>https://acme.my.salesforce.com/services/Soap/c/60.0/00D5g000000SIMU</EnterpriseUrl>
   <PartnerUrl>https://acme.my.salesforce.com/services/Soap/u/60.0/00D5g000000SIMU</PartnerUrl>
   ${notifications.join("\n   ")}
  </notifications>
 </soapenv:Body>
</soapenv:Envelope>`;
const call = (body: string | Buffer, method = "POST"): WebhookCall => ({
  method,
  headers: { "content-type": "text/xml" },
  body: Buffer.from(body),
  receivedAt: 0,
});
const read = (body: string, id = organizationId) => readOutboundMessage(call(body), id);
const refusal = (body: string | Buffer, method?: string): ConnectorError => {
  try {
    readOutboundMessage(call(body, method), organizationId);
  } catch (error) {
    if (error instanceof ConnectorError) return error;
    throw error;
  }
  throw new Error("it was taken");
};

describe("an outbound message", () => {
  it("names the objects that changed, and is acknowledged as the platform wants it [K]", () => {
    const reading = read(message(notification("04l1"), notification("04l2"), notification("04l3", "Custom__c")));
    expect(reading.hints).toEqual([{ entityType: "Case" }, { entityType: "Custom__c" }]);
    expect(reading.answer).toMatchObject({ status: 200, contentType: expect.stringContaining("text/xml") });
    expect(reading.answer.body).toContain('<notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>true</Ack></notificationsResponse>');
  });

  it("is known again when it is delivered twice, whatever the order of what it holds", () => {
    const [first, again, other] = [
      read(message(notification("04l1"), notification("04l2"))),
      read(message(notification("04l2"), notification("04l1"))),
      read(message(notification("04l1"))),
    ];
    expect(first.deliveryId).toBe(again.deliveryId);
    expect(first.deliveryId).not.toBe(other.deliveryId);
  });

  it("of another org, or of none, is refused", () => {
    for (const id of ["00D5g000000OTHER", "", "00D5g000000SIMUEA4<"])
      expect(refusal(message(notification("1")).replace(organizationId, id)).code).not.toBe(undefined);
    expect(refusal(message(notification("1")).replace(organizationId, "00D5g000000OTHERxx")).code).toBe("PERMISSION");
    expect(refusal(message(notification("1")).replace(/<OrganizationId>.*<\/OrganizationId>/, "")).code).toBe("PERMISSION");
  });

  it("may name the org by 15 characters", () => {
    expect(read(message(notification("1")).replace(organizationId, organizationId.slice(0, 15))).hints).toHaveLength(1);
  });

  it.each([
    ["nothing", ""],
    ["JSON", '{"OrganizationId": "00D5g000000SIMUEA4"}'],
    ["another envelope", "<Envelope><Body><login/></Body></Envelope>"],
    ["no notifications", message()],
    ["too many notifications", message(...Array.from({ length: 101 }, (_, i) => notification(`${i}`)))],
    ["a document type", message(notification("1")).replace("?>", '?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>')],
    ["an entity of its own", message(notification("1")).replace("a &amp; b", "&e;")],
    ["CDATA", message(notification("1")).replace("a &amp; b", "<![CDATA[x]]>")],
    ["a comment", message(notification("1")).replace("a &amp; b", "<!-- x -->")],
    ["a processing instruction", message(notification("1")).replace("a &amp; b", "<?php x ?>")],
    ["an end that is missing", message(notification("1")).slice(0, -10)],
    ["ends that cross", "<Envelope><Body></Envelope></Body>"],
    ["depth", "<a>".repeat(1000)],
  ])("that is %s is refused", (_, body) => {
    expect(refusal(body).code).toBe("BAD_REQUEST");
  });

  it("that is not posted, not UTF-8 or larger than any is refused", () => {
    expect(refusal(message(notification("1")), "GET").code).toBe("BAD_REQUEST");
    expect(refusal(Buffer.from([0x3c, 0xff, 0xfe])).code).toBe("BAD_REQUEST");
    expect(refusal(Buffer.alloc(10_000_001, 0x20)).code).toBe("BAD_REQUEST");
  });

  it("never shows in an error what it holds", () => {
    const error = refusal(
      message(notification("1")).replace(organizationId, "00D5g000000OTHERxx").replace('<SessionId xsi:nil="true"/>', "<SessionId>00D!secret</SessionId>"),
    );
    expect(JSON.stringify(error) + error.message).not.toContain("secret");
  });
});

describe("the strict reader of XML", () => {
  it("reads elements, types, texts and the five entities", () => {
    expect(parseStrictXml(`<a:b xsi:type='sf:Case' x="1"><c>&lt;&#x41;&apos;</c><d/></a:b>`)).toMatchObject({
      name: "b",
      type: "sf:Case",
      children: [
        { name: "c", text: "<A'", children: [] },
        { name: "d", text: "" },
      ],
    });
  });

  it("never throws and never hangs, whatever it is given", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom("<", ">", "/", "a", " ", '"', "=", "&", ";", "!", "?", "x:y"), { maxLength: 200 }), (pieces) => {
        parseStrictXml(pieces.join(""));
      }),
    );
    expect(parseStrictXml(`<a ${'x="1" '.repeat(50_000)}`)).toBeUndefined();
    expect(parseStrictXml(`<a>${"&".repeat(50_000)}</a>`)).toBeUndefined();
  });
});
