import { PassThrough, Readable } from "node:stream";
import { Transport } from "jsforce/lib/transport.js";
import type { HttpRequest, HttpRequestOptions, HttpResponse } from "jsforce/lib/types/common.js";
import { StreamPromise } from "jsforce/lib/util/promise.js";
import { ConnectorError } from "../errors.ts";
import { networkError } from "../http-failures.ts";
import { answerError } from "./platform-errors.ts";

/** What a call is, for its errors. Without it a call belongs to a sign-in, whose answers are judged there. */
export interface CallFacts {
  readonly what: string;
  /** True when the call changes something, so that a lost answer leaves its outcome open. */
  readonly write: boolean;
  /** Filled with what the platform answered, which jsforce does not hand out. */
  answer?: { readonly status: number; readonly headers: Headers };
  /** Set where the body says to be JSON and is a text in quotes, which jsforce gives in the same form as one that it could not read. */
  quoted?: boolean;
}

export type CallOptions = HttpRequestOptions & { readonly call?: CallFacts };

export interface RawRequest {
  readonly method: string;
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | ReadableStream<Uint8Array>;
}

/**
 * The way of every call to the platform. jsforce's own transport repeats calls by itself, hides status and headers, follows redirects with
 * the session in hand, and lets an answer that is cut off end the whole process; this one does none of it [X].
 */
export class FetchTransport extends Transport {
  calls = 0;
  readonly #timeoutMs: number;
  readonly #redact: (text: string) => string;
  readonly #deadlines = new WeakMap<Response, Deadline>();

  constructor(timeoutMs: number, redact: (text: string) => string) {
    super();
    this.#timeoutMs = timeoutMs;
    this.#redact = redact;
  }

  /** The method that jsforce calls. */
  override httpRequest(request: HttpRequest, options: CallOptions = {}): StreamPromise<HttpResponse> {
    return StreamPromise.create(() => ({ stream: new PassThrough(), promise: this.#exchange(request, options.call) }));
  }

  /** Sends a request and returns the answer with its body still to be read. Throws for answers that are errors or not this platform's. */
  async send(request: RawRequest, call: CallFacts | undefined): Promise<Response> {
    const response = await this.#fetch(request, call);
    if (call !== undefined) call.answer = { status: response.status, headers: response.headers };
    const type = response.headers.get("content-type") ?? "";
    const html = type.startsWith("text/html");
    // A refused sign-in has shapes of its own, and SOAP reports it with 500: what is no outage is left to the session.
    const refusedSignIn = call === undefined && response.status !== 429 && (response.status < 500 || type.startsWith("text/xml"));
    if ((response.status < 300 || (refusedSignIn && response.status >= 400)) && !html) return response;
    const facts = call ?? { what: "sign in", write: false };
    const text = await this.#text(response, request, call);
    const { origin } = new URL(request.url);
    if (html && response.status < 500) throw this.#foreign(facts, response.status, origin, "a web page instead of data");
    if (response.status > 300 && response.status < 400) throw this.#foreign(facts, response.status, origin, "a redirect");
    const context = { what: facts.what, write: facts.write, retryAfter: response.headers.get("retry-after"), webPage: html };
    throw this.#clean(answerError(response.status, parsed(text), context));
  }

  /**
   * The body of an answer, piece by piece: each may take as long as a whole answer otherwise, so that a file of gigabytes is not cut off. What
   * breaks off ends in an error of the closed set.
   */
  bytes(response: Response, request: RawRequest, call: CallFacts): Readable {
    return Readable.from(this.#guarded(response, request, call), { objectMode: false });
  }

  async *#guarded(response: Response, request: RawRequest, call: CallFacts): AsyncGenerator<Uint8Array> {
    const deadline = this.#deadlines.get(response);
    try {
      for await (const piece of response.body ?? []) {
        deadline?.heard();
        yield piece;
      }
    } catch (error) {
      throw this.#failed(error, request, call);
    } finally {
      deadline?.end();
    }
  }

  async #exchange(request: HttpRequest, call: CallFacts | undefined): Promise<HttpResponse> {
    const { method, url, headers, body } = request;
    const raw: RawRequest = { method, url, ...(headers !== undefined && { headers }), ...(body !== undefined && body !== null && { body: body as string }) }; // we hand jsforce nothing but text
    const response = await this.send(raw, call);
    const text = await this.#text(response, raw, call);
    if (call !== undefined) call.quoted = text.trimStart().startsWith('"');
    return { statusCode: response.status, headers: Object.fromEntries(response.headers), body: text };
  }

  async #fetch(request: RawRequest, call: CallFacts | undefined): Promise<Response> {
    this.calls++;
    const { "content-length": _, ...headers } = request.headers ?? {};
    const deadline = new Deadline(this.#timeoutMs);
    try {
      const { body } = request;
      const streamed = body instanceof ReadableStream;
      const response = await fetch(request.url, {
        method: request.method,
        headers,
        redirect: "manual",
        signal: deadline.signal,
        ...(body !== undefined && { body: streamed ? body.pipeThrough(deadline.watching()) : body }),
        ...(streamed && { duplex: "half" as const }),
      });
      this.#deadlines.set(response, deadline);
      return response;
    } catch (error) {
      deadline.end();
      throw this.#failed(error, request, call);
    }
  }

  async #text(response: Response, request: RawRequest, call: CallFacts | undefined): Promise<string> {
    try {
      return await response.text();
    } catch (error) {
      throw this.#failed(error, request, call);
    } finally {
      this.#deadlines.get(response)?.end();
    }
  }

  #failed(error: unknown, request: RawRequest, call: CallFacts | undefined): ConnectorError {
    const timedOut = error instanceof DOMException && error.name === "TimeoutError";
    return networkError(error, {
      what: call?.what ?? "sign in",
      platform: "Salesforce",
      origin: new URL(request.url).origin,
      changes: call?.write ?? false,
      timedOutAfterMs: timedOut ? this.#timeoutMs : undefined,
      redact: this.#redact,
    });
  }

  #foreign(call: CallFacts, status: number, origin: string, thing: string): ConnectorError {
    return new ConnectorError("PROTOCOL", {
      message: `${origin} answered ${thing} when asked to ${call.what} (HTTP ${status}).`,
      advice:
        "Check that the address is the org's My Domain and that no proxy or sign-in page stands between. The address of a sandbox that was refreshed or has ended answers so too.",
      status,
      uncertain: call.write,
    });
  }

  #clean(error: ConnectorError): ConnectorError {
    const message = this.#redact(error.message);
    if (message === error.message) return error;
    const { code, advice, fields, retryAfterMs, uncertain, status, platformCode } = error;
    return new ConnectorError(code, {
      message,
      fields,
      uncertain,
      ...(advice !== undefined && { advice }),
      ...(retryAfterMs !== undefined && { retryAfterMs }),
      ...(status !== undefined && { status }),
      ...(platformCode !== undefined && { platformCode }),
    });
  }
}

/** Ends a call that nothing was heard of for too long. */
class Deadline {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;

  constructor(ms: number) {
    this.#timer = setTimeout(() => this.#controller.abort(new DOMException("nothing was heard for too long", "TimeoutError")), ms).unref();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  end(): void {
    clearTimeout(this.#timer);
  }

  /** Waits anew. */
  heard(): void {
    this.#timer.refresh();
  }

  /** Lets bytes through and waits anew with each piece. */
  watching(): TransformStream<Uint8Array, Uint8Array> {
    return new TransformStream({
      transform: (piece, controller) => {
        this.heard();
        controller.enqueue(piece);
      },
    });
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
