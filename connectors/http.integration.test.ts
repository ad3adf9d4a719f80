import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ConnectorError } from "./errors.ts";
import { type HttpCall, HttpClient, type HttpOptions } from "./http.ts";

const secret = "s3cret-value";
let server: Server;
let handle: (request: IncomingMessage, response: ServerResponse) => void;
let seen: { method: string; url: string; headers: IncomingMessage["headers"]; body: string }[];
let client: HttpClient;

beforeEach(async () => {
  seen = [];
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer);
    } catch {
      // Who called went away in the middle.
      return;
    }
    seen.push({ method: request.method ?? "", url: request.url ?? "", headers: request.headers, body: Buffer.concat(chunks).toString() });
    handle(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  client = clientWith({});
});
afterEach(async () => {
  client.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function clientWith(options: Partial<HttpOptions>): HttpClient {
  return new HttpClient({ platform: "Test", baseUrl: origin(), secrets: [secret], retry: { tries: 3, baseMs: 1, capMs: 20 }, deadlineMs: 2000, ...options });
}

function origin(): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function failure(call: HttpCall, from = client): Promise<ConnectorError> {
  const outcome = await from.send(call).catch((error: unknown) => error);
  expect(outcome).toBeInstanceOf(ConnectorError);
  return outcome as ConnectorError;
}

const json =
  (status: number, body: unknown, headers: Record<string, string> = {}) =>
  (_: IncomingMessage, response: ServerResponse) =>
    response.writeHead(status, { "content-type": "text/plain", ...headers }).end(JSON.stringify(body));
const post: HttpCall = { method: "POST", path: "/a", body: { type: "application/json", data: "{}" } };

describe("answers", () => {
  test("are JSON by their content, whatever content type they claim", async () => {
    handle = json(200, { a: 1 });
    expect(await client.send({ method: "GET", path: "/a" })).toMatchObject({ status: 200, body: { a: 1 } });
  });

  test("with error statuses are handed on, parsed or not", async () => {
    handle = (_, response) => response.writeHead(404).end("<html>gone</html>");
    expect(await client.send({ method: "GET", path: "/a" })).toMatchObject({ status: 404, body: undefined });
  });

  test("that are a web page are PROTOCOL with advice, also when they claim to be JSON", async () => {
    handle = (_, response) => response.writeHead(200, { "content-type": "application/json" }).end("<!DOCTYPE html><title>Log in</title>");
    const error = await failure({ method: "GET", path: "/a?q=private" });
    expect(error).toMatchObject({ code: "PROTOCOL", uncertain: false });
    expect(error.message).toBe("Test answered GET /a with a web page (status 200).");
    expect(error.advice).toContain("login page");
    expect(await failure(post)).toMatchObject({ code: "PROTOCOL", uncertain: true });
  });

  test("that are cut off are TRANSIENT for a read, and uncertain for a write", async () => {
    handle = (_, response) => {
      response.writeHead(200, { "content-length": "100" });
      response.write('{"a":', () => response.destroy());
    };
    expect(await failure({ method: "GET", path: "/a" })).toMatchObject({ code: "TRANSIENT", uncertain: false });
    expect(await failure(post)).toMatchObject({ code: "TRANSIENT", uncertain: true });
  });

  test("larger than the limit are TOO_LARGE", async () => {
    handle = json(200, "x".repeat(5000));
    expect(await failure({ method: "GET", path: "/a" }, clientWith({ maxAnswerBytes: 1000 }))).toMatchObject({ code: "TOO_LARGE" });
  });
});

describe("repeating", () => {
  test("reads are repeated through passing failures, and every try is counted", async () => {
    handle = (request, response) => json(seen.length < 3 ? 503 : 200, { ok: true })(request, response);
    expect(await client.send({ method: "GET", path: "/a" })).toMatchObject({ status: 200 });
    expect([seen.length, client.calls]).toEqual([3, 3]);
  });

  test("ends after the tries allowed, with the last answer", async () => {
    handle = json(503, { down: true });
    expect(await client.send({ method: "GET", path: "/a" })).toMatchObject({ status: 503, body: { down: true } });
    expect(seen).toHaveLength(3);
  });

  test("writes are never repeated, unless they are marked as harmless", async () => {
    handle = json(503, {});
    await client.send(post);
    expect(seen).toHaveLength(1);
    await client.send({ ...post, idempotent: true });
    expect(seen).toHaveLength(4);
  });

  test("errors that would come again are not repeated", async () => {
    handle = json(400, {});
    await client.send({ method: "GET", path: "/a" });
    expect(seen).toHaveLength(1);
  });

  test("a Retry-After beyond the cap is left to the caller", async () => {
    handle = json(429, {}, { "retry-after": "30" });
    expect(await client.send({ method: "GET", path: "/a" })).toMatchObject({ status: 429, headers: { "retry-after": "30" } });
    expect(seen).toHaveLength(1);
  });

  test("dropped connections are tried again for reads", async () => {
    handle = (request, response) => (seen.length < 2 ? request.socket.destroy() : json(200, 1)(request, response));
    expect(await client.send({ method: "GET", path: "/a" })).toMatchObject({ body: 1 });
  });
});

describe("failures of the network", () => {
  test("a refused connection was never sent, so nothing is uncertain", async () => {
    const closed = createServer();
    await new Promise<void>((resolve) => closed.listen(0, "127.0.0.1", resolve));
    const { port } = closed.address() as AddressInfo;
    await new Promise((resolve) => closed.close(resolve));
    const error = await failure(post, clientWith({ baseUrl: `http://127.0.0.1:${port}` }));
    expect(error).toMatchObject({ code: "TRANSIENT", uncertain: false });
    expect(error.message).toContain("the connection was refused");
  });

  test("a write whose connection drops is uncertain", async () => {
    handle = (request) => request.socket.destroy();
    expect(await failure(post)).toMatchObject({ code: "TRANSIENT", uncertain: true });
  });

  test("the deadline ends a call that hangs", async () => {
    handle = () => undefined;
    const error = await failure(post, clientWith({ deadlineMs: 50 }));
    expect(error).toMatchObject({ code: "TRANSIENT", uncertain: true });
    expect(error.message).toContain("no answer within 50 ms");
  });
});

describe("redirects", () => {
  test("within the origin are followed for reads, with the credentials", async () => {
    handle = (request, response) =>
      request.url === "/a" ? response.writeHead(302, { location: "/b" }).end() : json(200, { at: request.url })(request, response);
    expect(await client.send({ method: "GET", path: "/a", headers: { authorization: "Bearer x" } })).toMatchObject({ body: { at: "/b" } });
    expect(seen.map(({ headers }) => headers.authorization)).toEqual(["Bearer x", "Bearer x"]);
  });

  test("to another origin are never followed: the credentials stay here", async () => {
    let asked = 0;
    const other = createServer((_, response) => {
      asked++;
      response.end("{}");
    });
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const target = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
    handle = (_, response) => response.writeHead(302, { location: `${target}/login?token=1` }).end();
    const error = await failure({ method: "GET", path: "/a", headers: { authorization: "Bearer x" } });
    expect(error).toMatchObject({ code: "PROTOCOL" });
    expect(error.message).toContain(target);
    expect(asked).toBe(0);
    await new Promise((resolve) => other.close(resolve));
  });

  test("of writes, and in circles, are refused", async () => {
    handle = (_, response) => response.writeHead(307, { location: "/a" }).end();
    expect(await failure(post)).toMatchObject({ code: "PROTOCOL" });
    expect(await failure({ method: "GET", path: "/a" })).toMatchObject({ code: "PROTOCOL" });
  });

  test("paths cannot leave the origin", async () => {
    expect(await failure({ method: "GET", path: "@evil.example/a" })).toMatchObject({ code: "BAD_REQUEST" });
    expect(seen).toEqual([]);
  });
});

describe("secrets", () => {
  test("are in no part of an error, however it is looked at", async () => {
    handle = (request) => request.socket.destroy();
    const error = await failure({
      method: "POST",
      path: `/a/${secret}`,
      headers: { authorization: `Bearer ${secret}` },
      body: { type: "text/plain", data: secret },
    });
    expect(inspect(error, { depth: 20, showHidden: true }) + JSON.stringify(error) + String(error.stack)).not.toContain(secret);
  });

  test("are not shown when the client is inspected or serialised", () => {
    expect(inspect(client, { depth: 20, showHidden: true }) + JSON.stringify(client)).not.toContain(secret);
  });
});

test("proxies of the environment are not used for loopback", async () => {
  handle = json(200, "direct");
  process.env.http_proxy = "http://127.0.0.1:1";
  try {
    expect(await client.send({ method: "GET", path: "/a" })).toMatchObject({ body: "direct" });
  } finally {
    delete process.env.http_proxy;
  }
});

test("the platform's clock is known from its answers", async () => {
  handle = json(200, {}, { date: "Thu, 01 Jan 2099 00:00:00 GMT" });
  await client.send({ method: "GET", path: "/a" });
  expect(client.now().getUTCFullYear()).toBe(2099);
});

describe("streams", () => {
  test("go up with their length and without being held in memory whole", async () => {
    handle = json(201, { ok: true });
    const data = Readable.from([Buffer.from("ab"), Buffer.from("cd")]);
    expect(await client.send({ method: "POST", path: "/a", body: { type: "text/plain", data, length: 4 } })).toMatchObject({ status: 201 });
    expect(seen[0]).toMatchObject({ body: "abcd", headers: { "content-length": "4", "content-type": "text/plain" } });
  });

  test("that go up for longer than the deadline are not cut off while their bytes move", async () => {
    handle = json(201, { ok: true });
    const slow = async function* () {
      for (let piece = 0; piece < 12; piece++) {
        await sleep(100);
        yield Buffer.from("x");
      }
    };
    const body = { type: "text/plain", data: Readable.from(slow(), { objectMode: false }), length: 12 };
    expect(await clientWith({ deadlineMs: 1000 }).send({ method: "POST", path: "/a", body })).toMatchObject({ status: 201 });
  });

  test("that stop moving on their way up end after the deadline, in doubt", async () => {
    const data = new Readable({ read: () => undefined });
    data.push("x");
    const error = await failure({ method: "POST", path: "/a", body: { type: "text/plain", data, length: 12 } }, clientWith({ deadlineMs: 50 }));
    expect(error).toMatchObject({ code: "TRANSIENT", uncertain: true });
    await expect.poll(() => data.destroyed).toBe(true);
  });

  test("that break off where they come from end the call, in doubt", async () => {
    const broken = async function* () {
      yield Buffer.from("x");
      throw new Error("the disk is gone");
    };
    const body = { type: "text/plain", data: Readable.from(broken(), { objectMode: false }), length: 12 };
    expect(await failure({ method: "POST", path: "/a", body })).toMatchObject({ code: "TRANSIENT", uncertain: true });
  });

  test("come down byte for byte", async () => {
    handle = (_, response) => response.writeHead(200, { "content-type": "image/png" }).end(Buffer.from([0, 255, 1]));
    const answer = await client.open({ method: "GET", path: "/a" });
    if (!("stream" in answer)) throw new Error("no stream");
    expect(await bytesOf(answer.stream)).toEqual(Buffer.from([0, 255, 1]));
  });

  test("that break off end in TRANSIENT, not in a short file", async () => {
    handle = (_, response) => {
      response.writeHead(200, { "content-length": "10" });
      response.write("abc", () => response.destroy());
    };
    const answer = await client.open({ method: "GET", path: "/a" });
    if (!("stream" in answer)) throw new Error("no stream");
    await expect(bytesOf(answer.stream)).rejects.toMatchObject({ code: "TRANSIENT" });
  });

  test("that stall end after the deadline between two pieces", async () => {
    handle = (_, response) => response.writeHead(200, { "content-length": "10" }).write("abc");
    const answer = await clientWith({ deadlineMs: 50 }).open({ method: "GET", path: "/a" });
    if (!("stream" in answer)) throw new Error("no stream");
    await expect(bytesOf(answer.stream)).rejects.toMatchObject({ code: "TRANSIENT" });
  });

  test("with an error status are read as an answer", async () => {
    handle = json(404, { error: "gone" });
    expect(await client.open({ method: "GET", path: "/a" })).toMatchObject({ status: 404, body: { error: "gone" } });
  });
});

async function bytesOf(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
