import { PassThrough } from "node:stream";
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
    const refusedSignIn = call === undefined && (response.status < 500 || type.startsWith("text/xml"));
    if ((response.status < 300 || (refusedSignIn && response.status >= 400)) && !html) return response;
    const facts = call ?? { what: "sign in", write: false };
    const text = await this.#text(response, request, call);
    if (html && response.status < 500) throw this.#foreign(facts, response.status, "a web page instead of data");
    if (response.status > 300 && response.status < 400) throw this.#foreign(facts, response.status, "a redirect");
    const context = { what: facts.what, write: facts.write, retryAfter: response.headers.get("retry-after"), webPage: html };
    throw this.#clean(answerError(response.status, parsed(text), context));
  }

  async #exchange(request: HttpRequest, call: CallFacts | undefined): Promise<HttpResponse> {
    const { method, url, headers, body } = request;
    const raw: RawRequest = { method, url, ...(headers !== undefined && { headers }), ...(body !== undefined && body !== null && { body: body as string }) }; // we hand jsforce nothing but text
    const response = await this.send(raw, call);
    const text = await this.#text(response, raw, call);
    return { statusCode: response.status, headers: Object.fromEntries(response.headers), body: text };
  }

  async #fetch(request: RawRequest, call: CallFacts | undefined): Promise<Response> {
    this.calls++;
    const { "content-length": _, ...headers } = request.headers ?? {};
    try {
      const streamed = request.body instanceof ReadableStream && { duplex: "half" as const };
      return await fetch(request.url, {
        method: request.method,
        headers,
        redirect: "manual",
        signal: AbortSignal.timeout(this.#timeoutMs),
        ...(request.body !== undefined && { body: request.body }),
        ...streamed,
      });
    } catch (error) {
      throw this.#failed(error, request, call);
    }
  }

  async #text(response: Response, request: RawRequest, call: CallFacts | undefined): Promise<string> {
    try {
      return await response.text();
    } catch (error) {
      throw this.#failed(error, request, call);
    }
  }

  #failed(error: unknown, request: RawRequest, call: CallFacts | undefined): ConnectorError {
    const timedOut = error instanceof DOMException && error.name === "TimeoutError";
    return networkError(error, {
      what: call?.what ?? "sign in",
      platform: "Salesforce",
      origin: new URL(request.url).origin,
      idempotent: !(call?.write ?? false),
      timedOutAfterMs: timedOut ? this.#timeoutMs : undefined,
      redact: this.#redact,
    });
  }

  #foreign(call: CallFacts, status: number, thing: string): ConnectorError {
    return new ConnectorError("PROTOCOL", {
      message: `Salesforce answered ${thing} when asked to ${call.what} (HTTP ${status}).`,
      advice: "Check that the address is the org's My Domain and that no proxy or sign-in page stands between.",
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

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
