import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { WebhookCall } from "../connector.ts";
import { readHint } from "./hint.ts";

const secret = "a shared secret – ä";
const sysId = "0123456789abcdef0123456789abcdef";
const shipped = (name: string) => readFileSync(new URL(`../../docs/servicenow/${name}`, import.meta.url), "utf8");
const noParents = () => [];

function signed(body: string, changes: Partial<WebhookCall> & { readonly timestamp?: number; readonly key?: string } = {}): WebhookCall {
  const { timestamp = 1_780_000_000, key = secret, ...call } = changes;
  const signature = createHmac("sha256", key).update(`${timestamp}.${body}`).digest("hex");
  return {
    method: "POST",
    headers: { "x-isobridge-timestamp": String(timestamp), "x-isobridge-signature": `sha256=${signature}` },
    body: Buffer.from(body),
    receivedAt: 1_780_000_000_000,
    ...call,
  };
}

const hint = {
  event_id: "e1b2c3d4e5f60718",
  table: "incident",
  sys_id: sysId,
  op: "update",
  sys_mod_count: "3",
  sys_updated_on: "2026-07-13 17:28:40",
  sys_updated_by: "maya",
};

describe("a hint", () => {
  test("names the table that is worth a look, and the tables above it, and tells repeated deliveries apart", () => {
    expect(readHint(signed(JSON.stringify(hint)), secret, () => ["task"])).toEqual({
      hints: [{ entityType: "incident" }, { entityType: "task" }],
      deliveryId: hint.event_id,
      answer: { status: 202, contentType: "application/json", body: '{"accepted":true}' },
    });
  });

  test("may carry its signature in base64 as the platform makes it", () => {
    const body = JSON.stringify(hint);
    const mac = createHmac("sha256", secret).update(`1780000000.${body}`).digest("base64");
    const call = signed(body, { headers: { "x-isobridge-timestamp": "1780000000", "x-isobridge-signature": `sha256=${mac}` } });
    expect(readHint(call, secret, noParents).deliveryId).toBe(hint.event_id);
  });

  test.each([
    ["with another secret", signed(JSON.stringify(hint), { key: "another" })],
    ["whose body was changed", { ...signed(JSON.stringify(hint)), body: Buffer.from(JSON.stringify({ ...hint, table: "problem" })) }],
    [
      "whose time was changed",
      { ...signed(JSON.stringify(hint)), headers: { ...signed(JSON.stringify(hint)).headers, "x-isobridge-timestamp": "1780000001" } },
    ],
    ["without a signature", signed(JSON.stringify(hint), { headers: { "x-isobridge-timestamp": "1780000000" } })],
    ["with a signature cut short", signed(JSON.stringify(hint), { headers: { "x-isobridge-timestamp": "1780000000", "x-isobridge-signature": "sha256=00" } })],
    ["from more than five minutes ago", signed(JSON.stringify(hint), { receivedAt: 1_780_000_301_000 })],
    ["from more than five minutes ahead", signed(JSON.stringify(hint), { receivedAt: 1_779_999_699_000 })],
  ])("%s is refused", (_what, call) => {
    expect(() => readHint(call, secret, noParents)).toThrow(expect.objectContaining({ code: "PERMISSION" }));
  });

  test("is refused where no secret is set, whatever it is signed with", () => {
    expect(() => readHint(signed(JSON.stringify(hint), { key: "" }), "", noParents)).toThrow(expect.objectContaining({ code: "PERMISSION" }));
  });

  test.each([
    ["is no JSON", "{"],
    ["names no record", JSON.stringify({ ...hint, sys_id: "1" })],
    ["has a table that is none", JSON.stringify({ ...hint, table: "incident^ORstate=1" })],
    ["does something unknown", JSON.stringify({ ...hint, op: "drop" })],
    ["says more than it should", JSON.stringify({ ...hint, short_description: "secret" })],
    ["is far too long", JSON.stringify({ ...hint, sys_updated_by: "x".repeat(20_000) })],
  ])("that is signed but %s is BAD_REQUEST", (_what, body) => {
    expect(() => readHint(signed(body), secret, noParents)).toThrow(expect.objectContaining({ code: "BAD_REQUEST" }));
  });

  test("comes by POST alone", () => {
    expect(() => readHint(signed(JSON.stringify(hint), { method: "PUT" }), secret, noParents)).toThrow(expect.objectContaining({ code: "BAD_REQUEST" }));
  });
});

describe("the scripts that are shipped for the instance", () => {
  const received: { headers: IncomingHttpHeaders; body: Buffer; method: string }[] = [];
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      received.push({ headers: request.headers, body: Buffer.concat(parts), method: request.method ?? "" });
      response.writeHead(202).end();
    });
  });
  beforeAll(async () => await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  /** Runs a business rule as the platform would, with the platform's own objects as they are documented [K]; what it sends is really sent. */
  async function run(rule: string, current: Record<string, unknown>, properties: Record<string, string> = {}): Promise<void> {
    // Its address is a port, as it listens on one.
    const { port } = server.address() as AddressInfo;
    const set: Record<string, string> = {
      "isobridge.webhook.url": `http://127.0.0.1:${port}/hooks/helpdesk/key`,
      "isobridge.webhook.secret": secret,
      "isobridge.webhook.tables": "incident, problem",
      ...properties,
    };
    const sent: Promise<unknown>[] = [];
    class RESTMessageV2 {
      readonly headers: Record<string, string> = {};
      url = "";
      method = "";
      body = "";
      setEndpoint(url: string): void {
        this.url = url;
      }
      setHttpMethod(method: string): void {
        this.method = method;
      }
      setHttpTimeout(): void {}
      setRequestHeader(name: string, value: string): void {
        this.headers[name] = value;
      }
      setRequestBody(body: string): void {
        this.body = body;
      }
      executeAsync(): void {
        sent.push(fetch(this.url, { method: this.method, headers: this.headers, body: this.body }));
      }
    }
    const classes = {
      create: () =>
        function made(this: { initialize(): void }) {
          this.initialize();
        },
    };
    runInNewContext(`${shipped("isobridge-hint.js")}\n${shipped(rule)}`, {
      Class: classes,
      sn_ws: { RESTMessageV2 },
      gs: { getProperty: (name: string, otherwise: string) => set[name] ?? otherwise, generateGUID: () => "f".repeat(32), warn: () => undefined },
      GlideDateTime: class {
        getNumericValue(): number {
          return 1_780_000_000_000;
        }
      },
      GlideStringUtil: { base64Encode: (text: string) => Buffer.from(text).toString("base64") },
      GlideCertificateEncryption: class {
        generateMac(key: string, algorithm: string, text: string): string {
          expect(algorithm).toBe("HmacSHA256");
          return createHmac("sha256", Buffer.from(key, "base64")).update(text).digest("base64");
        }
      },
      current,
      previous: null,
    });
    await Promise.all(sent);
  }

  const record = (values: Record<string, string>, table: string, operation: string) => ({
    getValue: (name: string) => values[name] ?? null,
    getRecordClassName: () => table,
    getUniqueValue: () => sysId,
    operation: () => operation,
  });
  const call = ({ headers, body, method }: (typeof received)[number]): WebhookCall => ({
    method,
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)])),
    body,
    receivedAt: 1_780_000_003_000,
  });

  test("send hints of changed records that the connector takes, also where the editor's name is not ASCII", async () => {
    received.length = 0;
    await run("record-rule.js", record({ sys_mod_count: "4", sys_updated_on: "2026-07-13 17:28:40", sys_updated_by: "jürgen.😀" }, "incident", "update"));
    expect(received).toHaveLength(1);
    expect(received.map((one) => readHint(call(one), secret, noParents).hints)).toEqual([[{ entityType: "incident" }]]);
    expect(JSON.parse(received[0]?.body.toString() ?? "")).toMatchObject({ op: "update", sys_id: sysId, sys_mod_count: "4", sys_updated_by: "jürgen.😀" });
  });

  test("send hints of new and removed attachments as changes of their record", async () => {
    received.length = 0;
    await run("attachment-rule.js", record({ table_name: "problem", table_sys_id: sysId, sys_updated_by: "maya" }, "sys_attachment", "insert"));
    expect(received.map((one) => readHint(call(one), secret, noParents).hints)).toEqual([[{ entityType: "problem" }]]);
  });

  test("send nothing of other tables, and nothing before address and secret are set", async () => {
    received.length = 0;
    await run("record-rule.js", record({}, "change_request", "insert"));
    await run("record-rule.js", record({}, "incident", "insert"), { "isobridge.webhook.url": "" });
    await run("record-rule.js", record({}, "incident", "insert"), { "isobridge.webhook.secret": "" });
    expect(received).toEqual([]);
  });

  test("are word for word those in the update set", () => {
    const xml = shipped("isobridge-update-set.xml");
    const payloads = [...xml.matchAll(/<payload><!\[CDATA\[([\s\S]*?)\]\]><\/payload>/g)].map(([, payload = ""]) => payload);
    const scripts = payloads.flatMap((payload) => [...payload.matchAll(/<script>([\s\S]*?)<\/script>/g)].map(([, script = ""]) => unescaped(script)));
    expect(scripts).toEqual([shipped("isobridge-hint.js"), shipped("record-rule.js"), shipped("attachment-rule.js")]);
    expect(payloads.map((payload) => /<record_update table="(\w+)">/.exec(payload)?.[1])).toEqual([
      "sys_properties",
      "sys_properties",
      "sys_properties",
      "sys_script_include",
      "sys_script",
      "sys_script",
    ]);
  });
});

function unescaped(text: string): string {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}
