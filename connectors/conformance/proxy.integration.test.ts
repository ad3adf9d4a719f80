import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FaultyWay, type Trouble } from "./proxy.ts";

let platform: Server;
let way: FaultyWay;
let arrived: string[];

beforeEach(async () => {
  arrived = [];
  platform = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += String(chunk);
    arrived.push(`${request.method} ${request.url} ${request.headers["x-mark"] ?? ""} ${body}`);
    if (request.url === "/empty") response.writeHead(204).end();
    else response.writeHead(201, { "content-type": "text/plain", "x-answer": "yes" }).end("a whole answer");
  });
  await new Promise<void>((resolve) => platform.listen(0, "127.0.0.1", resolve));
  way = await FaultyWay.open(`http://127.0.0.1:${(platform.address() as AddressInfo).port}`);
});
afterEach(async () => {
  await way.close();
  platform.closeAllConnections();
  await new Promise((resolve) => platform.close(resolve));
});

const ask = async (path = "/x?y=1") => {
  const response = await fetch(way.url + path, { method: "POST", body: "hello", headers: { "x-mark": "m" } });
  return { status: response.status, mark: response.headers.get("x-answer"), text: await response.text() };
};
const whole = { status: 201, mark: "yes", text: "a whole answer" };
const other = { status: 503, body: "elsewhere" };

describe("the way between a connector and its platform", () => {
  it("passes calls and answers on as they are, and remembers the calls", async () => {
    expect(await ask()).toEqual(whole);
    expect(arrived).toEqual(["POST /x?y=1 m hello"]);
    expect(way.requests).toMatchObject([{ method: "POST", path: "/x?y=1", headers: { "x-mark": "m" }, body: Buffer.from("hello") }]);
    expect(await ask("/empty")).toEqual({ status: 204, mark: null, text: "" });
  });

  it.each<[string, Trouble, number, typeof whole | { status: number; mark: null; text: string } | undefined]>([
    ["reset: nothing arrives", { kind: "reset" }, 0, undefined],
    ["lost: it arrives, and no answer comes", { kind: "lost" }, 1, undefined],
    ["truncated: it arrives, and half an answer comes", { kind: "truncated" }, 1, undefined],
    ["instead: nothing arrives, and something else answers", { kind: "instead", answer: other }, 0, { status: 503, mark: null, text: "elsewhere" }],
    ["garbled: it arrives, and something else answers", { kind: "garbled", answer: other }, 1, { status: 503, mark: null, text: "elsewhere" }],
    ["drip: it arrives, and the answer comes whole", { kind: "drip" }, 1, whole],
  ])("makes the trouble %s", async (_, trouble, reached, answer) => {
    way.meddle(() => trouble);
    const outcome = await ask().catch(() => undefined);
    expect([arrived.length, outcome]).toEqual([reached, answer]);
    way.meddle();
    expect(await ask()).toEqual(whole);
  });

  it("makes the trouble silence: nothing arrives, and nothing comes until the caller gives up", async () => {
    way.meddle(() => ({ kind: "silence" }));
    await expect(fetch(way.url, { signal: AbortSignal.timeout(50) })).rejects.toThrow(/timeout|aborted/i);
    expect(arrived).toEqual([]);
  });

  it("asks the meddler about each call in turn, and waits for what it does meanwhile", async () => {
    const seen: number[] = [];
    way.meddle(async ({ path }, number) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      seen.push(number);
      return path === "/second" ? { kind: "instead", answer: other } : undefined;
    });
    expect([(await ask("/first")).status, (await ask("/second")).status, (await ask("/third")).status, seen]).toEqual([201, 503, 201, [0, 1, 2]]);
  });
});
