import { createHmac } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { readHint } from "../hint.ts";
import type { HintDelivery } from "./hints.ts";
import { PersonAtWork } from "./person.ts";
import { control, openSimulator } from "./simulator.testbed.ts";
import { seededAccounts } from "./simulator.ts";

interface Received {
  readonly timestamp: string;
  readonly signature: string;
  readonly body: string;
}

const simulator = openSimulator();
const secret = "a secret of the webhook";
const received: Received[] = [];
let receiver: Server;
let url: string;
let maya: PersonAtWork;

beforeAll(async () => {
  receiver = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    received.push({
      timestamp: String(request.headers["x-isobridge-timestamp"]),
      signature: String(request.headers["x-isobridge-signature"]),
      body: Buffer.concat(chunks).toString(),
    });
    response.writeHead(202).end();
  });
  await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`;
  maya = new PersonAtWork(simulator().url, seededAccounts.maya);
});
afterAll(() => receiver.close());
beforeEach(async () => {
  received.length = 0;
  simulator().hints.deliveries.length = 0;
  expect((await control(simulator().url, "POST", "webhooks", { url, secret, table: "task", when: "short_description!=private" })).status).toBe(204);
});

const settled = async () => (await control(simulator().url, "GET", "webhooks/deliveries?settled=true")).body;
const isSigned = ({ timestamp, body, signature }: Received) =>
  signature === `sha256=${createHmac("sha256", secret).update(`${timestamp}.${body}`).digest("hex")}`;
const named = () => received.map(({ body }) => JSON.parse(body).sys_id);

test("each save of a watched table sends a signed hint that names the record and says what happened", async () => {
  simulator().clock.set({ frozenAt: Date.parse("2026-07-13T17:28:40Z") });
  const id = await maya.create("incident", { short_description: "seen" });
  await maya.change("incident", id, { urgency: "1" });
  await maya.create("incident", { short_description: "private" });
  await maya.create("core_company", { name: "elsewhere" });
  await maya.remove("incident", id);
  await settled();
  expect(received.map(({ body }) => JSON.parse(body).op).toSorted()).toEqual(["delete", "insert", "update"]);
  expect(received.every(isSigned)).toBe(true);
  const update = received.map(({ body }) => JSON.parse(body)).find(({ op }) => op === "update");
  expect(update).toEqual({
    event_id: expect.any(String),
    table: "incident",
    sys_id: id,
    op: "update",
    sys_mod_count: "1",
    sys_updated_on: "2026-07-13 17:28:40",
    sys_updated_by: "maya.lindqvist",
  });
  expect(received[0]?.timestamp).toBe(String(Date.parse("2026-07-13T17:28:40Z") / 1000));
});

test("the connector believes such a hint, and not one with another signature or an old time stamp", async () => {
  for (const kind of ["bad-signature", "old-timestamp"]) await control(simulator().url, "POST", "webhooks/faults", { kind });
  for (const text of ["badly signed", "old", "good"]) await maya.create("incident", { short_description: text });
  await settled();
  const read = (delivery: HintDelivery) =>
    readHint({ method: "POST", headers: delivery.headers, body: Buffer.from(delivery.body), receivedAt: Date.now() }, secret, () => ["task"]);
  const [badlySigned, old, good] = simulator().hints.deliveries;
  if (badlySigned === undefined || old === undefined || good === undefined) throw new Error("three hints were to be sent");
  expect(() => read(badlySigned)).toThrow("is not signed with the secret");
  expect(() => read(old)).toThrow("seconds away from now");
  expect(read(good)).toMatchObject({ hints: [{ entityType: "incident" }, { entityType: "task" }], deliveryId: JSON.parse(good.body).event_id });
});

test("a save past the workflow sends none [R]", async () => {
  const id = simulator().plant("incident", { short_description: "quiet" });
  await control(simulator().url, "POST", "scripts", { table: "incident", query: `sys_id=${id}`, set: { urgency: "1" }, workflow: false });
  expect(await settled()).toEqual([]);
});

test("hints get lost, come twice, late, in another order, with a bad signature or an old time stamp", async () => {
  const arm = async (kind: string, ms = 20) => expect((await control(simulator().url, "POST", "webhooks/faults", { kind, ms })).status).toBe(204);
  const sent: Record<string, string> = {};
  for (const kind of ["lose", "duplicate", "delay", "bad-signature", "old-timestamp", "reorder"]) {
    await arm(kind);
    sent[kind] = await maya.create("incident", { short_description: kind });
  }
  const after = await maya.create("incident", { short_description: "after" });
  await expect.poll(() => received.length).toBe(7);
  expect(named().filter((id) => id === sent.duplicate)).toHaveLength(2);
  expect(named()).not.toContain(sent.lose);
  expect(received.filter((one) => !isSigned(one)).map(({ body }) => JSON.parse(body).sys_id)).toEqual([sent["bad-signature"]]);
  const stale = received.filter(({ timestamp }) => Number(timestamp) < Date.now() / 1000 - 3000);
  expect(stale.map(({ body }) => JSON.parse(body).sys_id)).toEqual([sent["old-timestamp"]]);
  const order = simulator().hints.deliveries.map(({ body }) => JSON.parse(body).sys_id);
  expect(order.indexOf(after)).toBeLessThan(order.indexOf(sent.reorder));
});

test("a receiver that is away is not tried again", async () => {
  await control(simulator().url, "DELETE", "webhooks");
  await control(simulator().url, "POST", "webhooks", { url: "http://127.0.0.1:9/", secret, table: "incident" });
  await maya.create("incident", {});
  expect(await settled()).toMatchObject([{ status: 0 }]);
});
