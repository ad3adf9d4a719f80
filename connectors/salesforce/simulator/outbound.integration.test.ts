import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type Caller, ines, type SimulatedOrg, simulatedOrg } from "./simulated-org.ts";
import { find, readXml, texts } from "./xml.ts";

const start = Date.parse("2026-05-01T10:00:00Z");
const ack = (value: boolean) =>
  `<?xml version="1.0"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body><notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>${value}</Ack></notificationsResponse></soapenv:Body></soapenv:Envelope>`;

let org: SimulatedOrg;
let call: Caller;
/** What the endpoint was sent, and whether it acknowledges. */
let posts: string[];
let acknowledges: boolean;
const endpoint = createServer(async (request, response) => {
  posts.push(await text(request));
  response.writeHead(200, { "content-type": "text/xml" }).end(ack(acknowledges));
});

const control = async (path: string, body: unknown, method = "POST") => {
  expect((await fetch(`${org.simulator.url}/__control/${path}`, { method, body: JSON.stringify(body) })).ok).toBe(true);
};
const newCase = async (Subject: string) => (await call("POST", "/sobjects/Case", { Subject })).body.id as string;
const later = async (seconds: number) => {
  org.simulator.server.clock.set({ frozenAt: start + seconds * 1000 });
  await org.simulator.outbound.deliver();
};
const subjectsOf = (xml: string) => [...xml.matchAll(/<sf:Subject>(.*?)<\/sf:Subject>/g)].map(([, subject]) => subject);

beforeEach(async () => {
  org = await simulatedOrg();
  call = await org.caller();
  org.simulator.server.clock.set({ frozenAt: start });
  posts = [];
  acknowledges = true;
  await new Promise<void>((resolve) => endpoint.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(endpoint.address() as AddressInfo).port}/hook`;
  await control("outbound-messages", [{ name: "Cases", object: "Case", url, fields: ["Subject", "Priority"], sessionOf: ines }], "PUT");
});
afterEach(async () => {
  await org.close();
  await new Promise((resolve) => endpoint.close(resolve));
});

it("an outbound message names the org, the action and the session, and shows the record's fields as they are when it is sent [K]", async () => {
  const id = await newCase("a & b");
  await expect.poll(() => posts.length).toBe(1);
  const notifications = find(readXml(posts[0] ?? ""), "notifications");
  expect(posts[0]).toContain('<notifications xmlns="http://soap.sforce.com/2005/09/outbound">');
  expect(notifications?.children.map(({ name }) => name)).toEqual(["OrganizationId", "ActionId", "SessionId", "EnterpriseUrl", "PartnerUrl", "Notification"]);
  expect(texts(notifications ?? { name: "", children: [], text: "" }, "OrganizationId")).toEqual(["00D5g000000SIMUEA4"]);
  expect(posts[0]).toContain('<sObject xsi:type="sf:Case" xmlns:sf="urn:sobject.enterprise.soap.sforce.com">');
  expect(find(notifications, "sObject")?.children.map(({ name, text: value }) => [name, value])).toEqual([
    ["Id", id],
    ["Subject", "a & b"],
    ["Priority", "Medium"],
  ]);
  await expect.poll(() => org.simulator.outbound.pending()).toEqual([]);
});

it("one that is not acknowledged is sent again, later each time, for a day, with the values of then [K]", async () => {
  acknowledges = false;
  const id = await newCase("first");
  await expect.poll(() => posts.length).toBe(1);
  await call("PATCH", `/sobjects/Case/${id}`, { Subject: "second" });
  await expect.poll(() => posts.length).toBe(2);
  await later(4);
  expect(posts.length).toBe(2);
  await later(5);
  expect(posts.length).toBe(3);
  expect(posts.map(subjectsOf)).toEqual([["first"], ["second"], ["second", "second"]]);
  await later(86_401);
  expect(org.simulator.outbound.pending()).toEqual([]);
  expect(posts.length).toBe(3);
});

it.each([
  ["lose", []],
  ["duplicate", [["a"], ["a"]]],
])("may be met by %s: then %j arrives", async (kind, arrived) => {
  await control("outbound-messages/faults", { kind });
  await newCase("a");
  await org.simulator.outbound.deliver();
  expect(posts.map(subjectsOf)).toEqual(arrived);
  await later(5);
  expect(posts.map(subjectsOf)).toEqual(arrived.length === 0 ? [["a"]] : arrived);
});

it("may be sent by somebody else, in another org's name", async () => {
  await control("outbound-messages/faults", { kind: "stranger" });
  await newCase("a");
  await org.simulator.outbound.deliver();
  expect(posts[0]).toContain("<OrganizationId>00D000000000000EAA</OrganizationId>");
});

it("several wait for one post of at most 100, and may come out of order [K]", async () => {
  acknowledges = false;
  await control("outbound-messages/faults", { kind: "reorder", times: 2 });
  const records = Array.from({ length: 101 }, (_, n) => ({ attributes: { type: "Case" }, Subject: String(n) }));
  await call("POST", "/composite/sobjects", { records });
  await org.simulator.outbound.deliver();
  await org.simulator.outbound.deliver();
  expect(posts.map((post) => subjectsOf(post).length)).toEqual([100, 1]);
  expect(subjectsOf(posts[0] ?? "").slice(0, 2)).toEqual(["99", "98"]);
});
