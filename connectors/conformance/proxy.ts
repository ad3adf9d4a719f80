import { Agent, createServer, request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";

export interface ProxiedRequest {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export interface PlannedAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What goes wrong with one call. In `lost`, `truncated`, `garbled` and `drip` the platform has done what was asked. */
export type Trouble =
  /** The connection ends before the call reaches the platform. */
  | { readonly kind: "reset" }
  /** The connection ends before the answer comes back. */
  | { readonly kind: "lost" }
  /** Half of the answer comes. */
  | { readonly kind: "truncated" }
  /** Something else answers, and the platform never hears of the call. */
  | { readonly kind: "instead"; readonly answer: PlannedAnswer }
  /** The platform does it, and something else comes back. */
  | { readonly kind: "garbled"; readonly answer: PlannedAnswer }
  /** The call is taken and nothing ever comes; the platform never hears of it. */
  | { readonly kind: "silence" }
  /** The answer comes whole, in many small pieces. */
  | { readonly kind: "drip" };

/** Looks at each call before it goes on; may do something meanwhile, such as editing a record between two pages. */
export type Meddler = (request: ProxiedRequest, number: number) => Trouble | undefined | Promise<Trouble | undefined>;

/** The way between a connector and its platform, in our hands: it sees each call and can spoil it. */
export class FaultyWay {
  /** Calls in the order of their coming. */
  readonly requests: ProxiedRequest[] = [];
  readonly #server: Server;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #target: URL;
  #meddler: Meddler = () => undefined;

  private constructor(target: string) {
    this.#target = new URL(target);
    this.#server = createServer((incoming, outgoing) => {
      // A connection that the other end has given up has nobody left to tell.
      this.#pass(incoming, outgoing).catch(() => outgoing.destroy());
    });
  }

  static async open(target: string): Promise<FaultyWay> {
    const way = new FaultyWay(target);
    await new Promise<void>((resolve) => way.#server.listen(0, "127.0.0.1", resolve));
    return way;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Replaces the meddler; without one all goes well. */
  meddle(meddler: Meddler = () => undefined): void {
    this.#meddler = meddler;
  }

  async close(): Promise<void> {
    this.#agent.destroy();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #pass(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const headers = Object.fromEntries(
      Object.entries(incoming.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(", ") : (value ?? "")]),
    );
    const request: ProxiedRequest = { method: incoming.method ?? "", path: incoming.url ?? "", headers, body: await buffer(incoming) };
    this.requests.push(request);
    const trouble = await this.#meddler(request, this.requests.length - 1);
    switch (trouble?.kind) {
      case "silence":
        return;
      case "reset":
        outgoing.destroy();
        return;
      case "instead":
        answer(outgoing, trouble.answer.status, { "content-type": "application/json", ...trouble.answer.headers }, Buffer.from(trouble.answer.body));
        return;
      default: {
        const { status, headers, body } = await this.#forward(request);
        if (trouble?.kind === "lost") outgoing.destroy();
        else if (trouble?.kind === "truncated") cutShort(outgoing, status, headers, body);
        else if (trouble?.kind === "garbled")
          answer(outgoing, trouble.answer.status, { "content-type": "application/json", ...trouble.answer.headers }, Buffer.from(trouble.answer.body));
        else if (trouble?.kind === "drip") await drip(outgoing, status, headers, body);
        else answer(outgoing, status, headers, body);
      }
    }
  }

  async #forward({
    method,
    path,
    headers,
    body,
  }: ProxiedRequest): Promise<{ readonly status: number; readonly headers: OutgoingHttpHeaders; readonly body: Buffer }> {
    const { connection: _, "transfer-encoding": __, "keep-alive": ___, ...rest } = headers;
    return await new Promise((resolve, reject) => {
      const outgoing = httpRequest({
        host: this.#target.hostname,
        port: this.#target.port,
        method,
        path,
        agent: this.#agent,
        headers: { ...rest, ...(body.length > 0 || "content-length" in headers ? { "content-length": String(body.length) } : {}) },
      });
      outgoing.on("error", reject);
      outgoing.on("response", (response) => {
        buffer(response).then((bytes) => resolve({ status: response.statusCode ?? 0, headers: ownHeaders(response), body: bytes }), reject);
      });
      outgoing.end(body);
    });
  }
}

function ownHeaders(response: IncomingMessage): OutgoingHttpHeaders {
  const { connection: _, "transfer-encoding": __, "keep-alive": ___, "content-length": ____, ...headers } = response.headers;
  return headers;
}

function answer(outgoing: ServerResponse, status: number, headers: OutgoingHttpHeaders, body: Buffer): void {
  outgoing.writeHead(status, { ...headers, ...(status === 204 ? {} : { "content-length": String(body.length) }) });
  outgoing.end(body);
}

/** Announces more than comes. */
function cutShort(outgoing: ServerResponse, status: number, headers: OutgoingHttpHeaders, body: Buffer): void {
  outgoing.writeHead(status === 204 ? 200 : status, { ...headers, "content-length": String(body.length + 1) });
  outgoing.write(body.subarray(0, Math.ceil(body.length / 2)), () => outgoing.destroy());
}

const dripPieces = 20;

async function drip(outgoing: ServerResponse, status: number, headers: OutgoingHttpHeaders, body: Buffer): Promise<void> {
  outgoing.writeHead(status, { ...headers, ...(status === 204 ? {} : { "content-length": String(body.length) }) });
  const size = Math.max(1, Math.ceil(body.length / dripPieces));
  for (let start = 0; start < body.length; start += size) {
    outgoing.write(body.subarray(start, start + size));
    await sleep(2);
  }
  outgoing.end();
}
