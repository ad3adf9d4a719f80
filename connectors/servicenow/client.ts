import { Readable } from "node:stream";
import type { Json } from "../connector.ts";
import type { ConnectorError, ConnectorErrorCode, ConnectorErrorDetails } from "../errors.ts";
import { type HttpAnswer, type HttpCall, HttpClient } from "../http.ts";
import { Absences } from "./absence.ts";
import { type Authorization, authorizationFor, type Secrets } from "./authorization.ts";
import type { ServiceNowSettings } from "./config.ts";
import { type Attempt, isRefused, refusalOf } from "./errors.ts";
import { type RawRow, rawRows } from "./values.ts";

/** Longest path and query of a call; the platform refuses beyond about 8192 bytes [R]. */
export const longestPath = 8000;

export interface ListRequest {
  readonly table: string;
  readonly query: string;
  /** Absent = all columns. */
  readonly fields?: readonly string[];
  readonly limit: number;
  readonly offset?: number;
  /** Values with their display texts and links; otherwise bare values. */
  readonly display?: boolean;
}

export interface ListPage {
  readonly rows: readonly RawRow[];
  /** Rows that match, those hidden from this account included [R]. */
  readonly total: number;
}

/** Calls the REST API of one instance: signs, renews the session once, and turns refusals into errors. */
export class ServiceNowClient {
  readonly url: string;
  /** What this system does not have, or not for this account. */
  readonly absences: Absences;
  readonly #http: HttpClient;
  readonly #authorization: Authorization;

  constructor(config: ServiceNowSettings, secrets: Secrets) {
    this.url = config.url.replace(/\/$/, "");
    this.absences = new Absences(config.schemaSeconds * 1000);
    this.#http = new HttpClient({
      platform: "ServiceNow",
      baseUrl: this.url,
      secrets: Object.values(secrets),
      deadlineMs: config.deadlineSeconds * 1000,
      retry: config.retry,
    });
    this.#authorization = authorizationFor(config.auth, secrets, this.#http);
  }

  get calls(): number {
    return this.#http.calls;
  }

  /** The instance's time, by the last answer. */
  now(): Date {
    return this.#http.now();
  }

  error(code: ConnectorErrorCode, details: ConnectorErrorDetails): ConnectorError {
    return this.#http.error(code, details);
  }

  /** An answer of the platform that may be a refusal; only 401 is dealt with here. */
  async answer(call: HttpCall): Promise<HttpAnswer> {
    return await this.#authorized(call, (signed) => this.#http.send(signed));
  }

  /** The body of an answer that is none of its refusals. */
  async json(call: HttpCall, attempt: Attempt): Promise<Json> {
    const answer = await this.answer(call);
    if (isRefused(answer)) throw this.refusal(answer, attempt);
    return answer.body ?? null;
  }

  refusal(answer: HttpAnswer, attempt: Attempt): ConnectorError {
    return refusalOf(this.#http, answer, attempt);
  }

  async list(request: ListRequest, what = `read ${request.table}`): Promise<ListPage> {
    const path = listPath(request);
    if (path.length > longestPath)
      throw this.error("TOO_LARGE", { message: `The query on ${request.table} is too long for one call (${path.length} of ${longestPath} bytes).` });
    const answer = await this.answer({ method: "GET", path });
    if (isRefused(answer)) throw this.refusal(answer, { what, write: false });
    const rows = rawRows(answer.body);
    if (rows === undefined)
      throw this.error("PROTOCOL", { message: `ServiceNow answered a list of ${request.table} without its result.`, status: answer.status });
    this.absences.answered(request.table);
    const total = Number(answer.headers["x-total-count"] ?? Number.NaN);
    return { rows, total: Number.isNaN(total) ? (request.offset ?? 0) + rows.length : total };
  }

  /** All rows of a query, page after page until the offset passes the total: hidden rows make pages short, not last [R]. */
  async listAll(request: Omit<ListRequest, "limit" | "offset">, pageSize = 1000): Promise<RawRow[]> {
    const rows: RawRow[] = [];
    for (let offset = 0; ; offset += pageSize) {
      const page = await this.list({ ...request, limit: pageSize, offset });
      rows.push(...page.rows);
      if (offset + pageSize >= page.total) return rows;
    }
  }

  async download(path: string, what: string): Promise<Readable> {
    const answer = await this.#authorized({ method: "GET", path, headers: { accept: "*/*" } }, (signed) => this.#http.open(signed));
    if ("stream" in answer) return answer.stream;
    throw this.refusal(answer, { what, write: false });
  }

  close(): void {
    this.#http.close();
  }

  async #authorized<Answer extends { readonly status: number }>(call: HttpCall, send: (call: HttpCall) => Promise<Answer>): Promise<Answer> {
    const header = await this.#authorization.header();
    const first = await send(signed(call, header));
    if (first.status !== 401) {
      this.#authorization.accepted();
      return first;
    }
    // 401 comes before anything is done, so any call may be made again; a stream is used up by then.
    const renewed = await this.#authorization.renew(header);
    const repeatable = !(call.body?.data instanceof Readable);
    const second = renewed === undefined || !repeatable ? first : await send(signed(call, renewed));
    if (second.status !== 401) {
      this.#authorization.accepted();
      return second;
    }
    const refusal = this.#authorization.refusal({ status: 401, headers: {}, body: undefined });
    if (renewed === undefined || repeatable) throw refusal;
    throw this.error("TRANSIENT", { message: "The session ended before the upload; it was renewed.", status: 401 });
  }
}

export function listPath(request: ListRequest): string {
  const parameters: [string, string][] = [["sysparm_query", request.query]];
  if (request.fields !== undefined) parameters.push(["sysparm_fields", request.fields.join(",")]);
  if (request.display === true) parameters.push(["sysparm_display_value", "all"]);
  else parameters.push(["sysparm_exclude_reference_link", "true"]);
  // Link headers overflow with long queries; the offset is counted here anyway.
  parameters.push(["sysparm_limit", String(request.limit)], ["sysparm_offset", String(request.offset ?? 0)], ["sysparm_suppress_pagination_header", "true"]);
  return `/api/now/table/${request.table}?${parameters.map(([name, value]) => `${name}=${escaped(value)}`).join("&")}`;
}

/** Percent-encodes once. Commas may stand as they are, which saves a fifth of every list of ids. */
export function escaped(value: string): string {
  return encodeURIComponent(value).replaceAll("%2C", ",");
}

function signed(call: HttpCall, authorization: string): HttpCall {
  return { ...call, headers: { ...call.headers, authorization } };
}
