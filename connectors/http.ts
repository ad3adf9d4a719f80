import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import axios, { type AxiosResponse } from "axios";
import type { Json } from "./connector.ts";
import { ConnectorError, type ConnectorErrorCode, type ConnectorErrorDetails } from "./errors.ts";
import { networkError } from "./http-failures.ts";
import { Redactor } from "./http-redaction.ts";
import { type RetryOptions, waitBefore } from "./http-retry.ts";
import { type Deadline, moving } from "./http-upload.ts";

export interface HttpOptions {
  /** The name that messages use: "ServiceNow". */
  readonly platform: string;
  /** Everything is relative to it; plain http only makes sense for loopback. */
  readonly baseUrl: string;
  /** Values that must never show up in a message, in any of their usual encodings. */
  readonly secrets: readonly string[];
  /** For one call with its repetitions, in milliseconds. For downloads: until the first byte, and between two; for uploads: between two, and after the last. */
  readonly deadlineMs?: number;
  readonly retry?: RetryOptions;
  /** Largest JSON answer that is taken in, in bytes. */
  readonly maxAnswerBytes?: number;
}

export interface HttpCall {
  readonly method: string;
  /** Relative to the base address, starting with a slash; query included. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A string or bytes go out as they are, with the content type given; a stream is sent once and never repeated. */
  readonly body?: { readonly type: string; readonly data: string | Buffer | Readable; readonly length?: number };
  /** May be repeated without harm. Default: GET, HEAD, PUT and DELETE. */
  readonly idempotent?: boolean;
  /** Changes something, so that a lost answer leaves in doubt whether it did. Default: all but GET and HEAD. */
  readonly changes?: boolean;
}

export interface HttpAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** The parsed body; undefined when it was empty, or was not JSON and the status says "error" anyway. */
  readonly body: Json | undefined;
}

export interface HttpStream {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly stream: Readable;
}

const idempotentMethods = new Set(["GET", "HEAD", "PUT", "DELETE"]);
const redirectStatuses = new Set([301, 302, 303, 307, 308]);
const mostRedirects = 3;

/**
 * The HTTP client of all REST platforms. It knows nothing of any platform: it brings an answer or a {@link ConnectorError}.
 *
 * - A deadline bounds each call, and only here are calls repeated (two retry layers multiply): passing failures of
 *   idempotent calls, exponential with full jitter, Retry-After honoured.
 * - What an answer is, is decided by parsing it: single sign-on pages and sleeping instances answer HTML with 200 [R],
 *   and platforms send JSON under other content types.
 * - Redirects are followed for reads within the same origin only, so credentials never reach another host.
 * - Failures of the network are TRANSIENT; `uncertain` when a call that changes something may have been sent.
 */
export class HttpClient {
  readonly #options: HttpOptions;
  readonly #base: URL;
  readonly #redactor: Redactor;
  readonly #httpAgent = new HttpAgent({ keepAlive: true });
  readonly #httpsAgent = new HttpsAgent({ keepAlive: true });
  #calls = 0;
  #clockSkewMs = 0;

  constructor(options: HttpOptions) {
    this.#options = options;
    this.#base = new URL(options.baseUrl);
    this.#redactor = new Redactor(options.secrets);
  }

  /** Calls sent so far, repetitions included. */
  get calls(): number {
    return this.#calls;
  }

  /** The platform's time by the Date header of its last answer, whole seconds; ours before there was one. */
  now(): Date {
    return new Date(Date.now() + this.#clockSkewMs);
  }

  /** Hides one more value from now on: a session token. */
  hide(secret: string): void {
    this.#redactor.hide(secret);
  }

  redact(text: string): string {
    return this.#redactor.redact(text);
  }

  /** An error whose texts hold no secret. */
  error(code: ConnectorErrorCode, details: ConnectorErrorDetails): ConnectorError {
    const { advice } = details;
    return new ConnectorError(code, { ...details, message: this.redact(details.message), ...(advice === undefined ? {} : { advice: this.redact(advice) }) });
  }

  /** Sends and reads the whole answer, whatever its status. Throws for everything that is no answer of a REST API. */
  async send(call: HttpCall): Promise<HttpAnswer> {
    return await this.#withRetries(call, async (signal, deadline) => {
      const sent = moving(call, deadline);
      try {
        const response = await this.#request<string>(sent, "text", signal);
        return this.#answer(call, response.status, flat(response), response.data);
      } finally {
        // Whatever was to be sent is not read any further: it may be an open file.
        if (sent.body?.data instanceof Readable) sent.body.data.destroy();
      }
    });
  }

  /** Opens a download. An error status is read whole and given as an {@link HttpAnswer}. */
  async open(call: HttpCall): Promise<HttpStream | HttpAnswer> {
    return await this.#withRetries(call, async (signal, deadline) => {
      const response = await this.#request<Readable>(call, "stream", signal);
      if (response.status >= 300) {
        const text = await new Response(Readable.toWeb(response.data) as ReadableStream<Uint8Array>).text();
        return this.#answer(call, response.status, flat(response), text);
      }
      deadline.lift();
      return { status: response.status, headers: flat(response), stream: Readable.from(this.#guarded(call, response.data), { objectMode: false }) };
    });
  }

  close(): void {
    this.#httpAgent.destroy();
    this.#httpsAgent.destroy();
  }

  async #withRetries<Result extends { readonly status: number; readonly headers: Readonly<Record<string, string>> }>(
    call: HttpCall,
    attempt: (signal: AbortSignal, deadline: Deadline) => Promise<Result>,
  ): Promise<Result> {
    const { tries = 3, baseMs = 300, capMs = 8_000 } = this.#options.retry ?? {};
    const repeatable = isIdempotent(call) && !(call.body?.data instanceof Readable);
    const deadline = Date.now() + this.#deadlineMs;
    for (let attemptNumber = 1; ; attemptNumber++) {
      const outcome = await this.#once(call, deadline - Date.now(), attempt);
      const wait = waitBefore(outcome, attemptNumber, baseMs, capMs);
      if (wait === undefined || !repeatable || attemptNumber >= tries || Date.now() + wait >= deadline) {
        if (outcome instanceof ConnectorError) throw outcome;
        return outcome;
      }
      if (!(outcome instanceof ConnectorError) && "stream" in outcome && outcome.stream instanceof Readable) outcome.stream.destroy();
      await sleep(wait);
    }
  }

  async #once<Result>(
    call: HttpCall,
    budgetMs: number,
    attempt: (signal: AbortSignal, deadline: Deadline) => Promise<Result>,
  ): Promise<Result | ConnectorError> {
    const abort = new AbortController();
    let timer = setTimeout(() => abort.abort(), Math.max(budgetMs, 1));
    let over = false;
    const deadline: Deadline = {
      lift: () => clearTimeout(timer),
      putOff: () => {
        clearTimeout(timer);
        // An answer may come before the last byte went.
        if (!over) timer = setTimeout(() => abort.abort(), this.#deadlineMs);
      },
    };
    try {
      return await attempt(abort.signal, deadline);
    } catch (error) {
      if (error instanceof ConnectorError) return error;
      if (!axios.isAxiosError(error) && !(error instanceof Error && "code" in error) && !abort.signal.aborted) throw error;
      return this.#failure(call, error, abort.signal.aborted);
    } finally {
      over = true;
      clearTimeout(timer);
    }
  }

  async #request<Data>(call: HttpCall, responseType: "text" | "stream", signal: AbortSignal): Promise<AxiosResponse<Data>> {
    let url = this.#resolve(call.path);
    for (let hops = 0; ; hops++) {
      this.#calls++;
      const response = await axios.request<Data>({
        url: url.href,
        method: call.method,
        headers: { accept: "application/json", ...call.headers, ...bodyHeaders(call) },
        ...(call.body === undefined ? {} : { data: call.body.data }),
        responseType,
        signal,
        adapter: "http",
        maxRedirects: 0,
        validateStatus: () => true,
        transformRequest: (data: unknown) => data,
        transformResponse: (data: unknown) => data,
        maxBodyLength: Number.POSITIVE_INFINITY,
        maxContentLength: responseType === "stream" ? Number.POSITIVE_INFINITY : (this.#options.maxAnswerBytes ?? 64 * 1024 * 1024),
        httpAgent: this.#httpAgent,
        httpsAgent: this.#httpsAgent,
        ...(isLoopback(url.hostname) ? { proxy: false as const } : {}),
      });
      this.#noteClock(response);
      if (!redirectStatuses.has(response.status)) return response;
      if (response.data instanceof Readable) response.data.destroy();
      url = this.#redirect(call, url, response, hops);
    }
  }

  #resolve(path: string): URL {
    const url = path.startsWith("/") ? URL.parse(this.#base.href.replace(/\/$/, "") + path) : null;
    if (url?.origin !== this.#base.origin) {
      throw this.error("BAD_REQUEST", { message: `“${path}” is not a path of ${this.#base.origin}: it must start with a slash and stay there.` });
    }
    return url;
  }

  #redirect(call: HttpCall, from: URL, response: AxiosResponse, hops: number): URL {
    const target = URL.parse(flat(response).location ?? "", from);
    const read = call.method === "GET" || call.method === "HEAD";
    if (read && target !== null && target.origin === this.#base.origin && hops < mostRedirects) return target;
    throw this.error("PROTOCOL", {
      message: `${this.#options.platform} answered ${call.method} ${pathOnly(call.path)} with a redirect (${response.status}) to ${target === null ? "nowhere" : target.origin}.`,
      advice: "Check the address of the instance: single sign-on pages and moved or sleeping instances answer so.",
      status: response.status,
    });
  }

  #answer(call: HttpCall, status: number, headers: Readonly<Record<string, string>>, text: string): HttpAnswer {
    if (text.trim() === "") return { status, headers, body: undefined };
    try {
      return { status, headers, body: JSON.parse(text) as Json };
    } catch {
      if (status >= 400) return { status, headers, body: undefined };
      const html = /^\s*<(!doctype|html|\?xml)/i.test(text);
      throw this.error("PROTOCOL", {
        message: `${this.#options.platform} answered ${call.method} ${pathOnly(call.path)} with ${html ? "a web page" : "something that is not JSON"} (status ${status}).`,
        advice: html
          ? "This is usually a login page, a sleeping instance or a proxy in between: check the address, and that API calls are not sent through single sign-on."
          : "The answer may have been cut off on its way; if it stays so, check what stands between this node and the instance.",
        status,
        uncertain: mayChange(call),
      });
    }
  }

  #failure(call: HttpCall, error: unknown, timedOut: boolean): ConnectorError {
    return networkError(error, {
      what: `${call.method} ${pathOnly(call.path)}`,
      platform: this.#options.platform,
      origin: this.#base.origin,
      changes: mayChange(call),
      timedOutAfterMs: timedOut ? this.#deadlineMs : undefined,
      redact: (text) => this.redact(text),
    });
  }

  /** Passes bytes on, and turns a broken or stalled download into an error of the closed set. */
  async *#guarded(call: HttpCall, source: Readable): AsyncGenerator<Buffer> {
    // Destroying an answer that stalls does not wake up who reads it (Node 26), so each piece races against the deadline.
    const pieces = source[Symbol.asyncIterator]();
    try {
      for (;;) {
        const piece = await this.#withinDeadline(call, pieces.next());
        if (piece.done === true) return;
        yield piece.value as Buffer;
      }
    } finally {
      source.on("error", () => undefined).destroy();
    }
  }

  async #withinDeadline<Result>(call: HttpCall, next: Promise<Result>): Promise<Result> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(this.#failure(call, new Error("no bytes came"), true)), this.#deadlineMs);
    try {
      return await Promise.race([next, late.promise]);
    } catch (error) {
      throw error instanceof ConnectorError ? error : this.#failure(call, error, false);
    } finally {
      clearTimeout(timer);
    }
  }

  #noteClock(response: AxiosResponse): void {
    const date = Date.parse(flat(response).date ?? "");
    if (!Number.isNaN(date)) this.#clockSkewMs = date - Date.now();
  }

  get #deadlineMs(): number {
    return this.#options.deadlineMs ?? 60_000;
  }
}

export function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || hostname === "::1" || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

function isIdempotent(call: HttpCall): boolean {
  return call.idempotent ?? idempotentMethods.has(call.method);
}

function mayChange(call: HttpCall): boolean {
  return call.changes ?? (call.method !== "GET" && call.method !== "HEAD");
}

function bodyHeaders(call: HttpCall): Record<string, string> {
  if (call.body === undefined) return {};
  return { "content-type": call.body.type, ...(call.body.length === undefined ? {} : { "content-length": String(call.body.length) }) };
}

function flat(response: AxiosResponse): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(response.headers)) {
    if (value !== undefined && value !== null) headers[name.toLowerCase()] = Array.isArray(value) ? value.join(", ") : String(value);
  }
  return headers;
}

/** Queries can be long and hold people's data: messages show the path alone. */
function pathOnly(path: string): string {
  return path.split("?", 1)[0] ?? path;
}
