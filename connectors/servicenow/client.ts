import { Readable } from "node:stream";
import type { Allowance, Json } from "../connector.ts";
import type { ConnectorError, ConnectorErrorCode, ConnectorErrorDetails } from "../errors.ts";
import { type HttpAnswer, type HttpCall, HttpClient, type HttpStream } from "../http.ts";
import { Absences, isAbsent, isOutOfReach } from "./absence.ts";
import { type Authorization, authorizationFor, type Credential, type KeepSecret, type Secrets } from "./authorization.ts";
import type { ServiceNowSettings } from "./config.ts";
import { type Attempt, isRefused, refusalOf } from "./errors.ts";
import { GatheredReads } from "./gathered-reads.ts";
import { RateWindow } from "./rate-window.ts";
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
  /** Never part of a batch: what is asked for once in a while and stands before other calls. */
  readonly apart?: boolean;
}

export interface ListPage {
  readonly rows: readonly RawRow[];
  /** Rows that match, those hidden from this account included [R]. */
  readonly total: number;
  /** False when the instance did not say how many match: `total` is then what was seen, and without end while pages are full. */
  readonly counted: boolean;
}

/** Calls the REST API of one instance: signs, renews the session once, and turns refusals into errors. */
export class ServiceNowClient {
  readonly url: string;
  /** What this system does not have, or not for this account. */
  readonly absences: Absences;
  readonly #http: HttpClient;
  readonly #authorization: Authorization;
  readonly #reads: GatheredReads;
  readonly #window = new RateWindow();
  /** This system lists attachments at their own address alone. */
  #attachmentsApart = false;

  constructor(config: ServiceNowSettings, secrets: Secrets, keepSecret?: KeepSecret) {
    this.url = config.url.replace(/\/$/, "");
    this.absences = new Absences(config.schemaSeconds * 1000);
    this.#http = new HttpClient({
      platform: "ServiceNow",
      baseUrl: this.url,
      secrets: Object.values(secrets),
      deadlineMs: config.deadlineSeconds * 1000,
      retry: config.retry,
    });
    this.#authorization = authorizationFor(config.auth, secrets, this.#http, keepSecret);
    this.#reads = new GatheredReads(this, this.absences, longestPath);
  }

  get calls(): number {
    return this.#http.calls;
  }

  allowance(): Allowance | undefined {
    return this.#window.allowance();
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

  /** A page of rows. Attachments have an API of their own beside their table [D], and it serves where the table is not there. */
  async list(request: ListRequest, what = `read ${request.table}`): Promise<ListPage> {
    if (request.table !== "sys_attachment") return await this.#listAt(listPath(request), request, what);
    if (this.#attachmentsApart) return await this.#listAt(attachmentsPath(request), request, what);
    try {
      return await this.#listAt(listPath(request), request, what);
    } catch (error) {
      if (!isAbsent(error)) throw error;
      const page = await this.#listAt(attachmentsPath(request), request, what).catch((second: unknown) => {
        throw isOutOfReach(second) ? error : second;
      });
      this.#attachmentsApart = true;
      return page;
    }
  }

  async #listAt(path: string, request: ListRequest, what: string): Promise<ListPage> {
    const answer = await (request.apart === true ? this.answer({ method: "GET", path }) : this.#reads.get(path));
    if (isRefused(answer)) throw this.refusal(answer, { what, write: false });
    const rows = rawRows(answer.body);
    if (rows === undefined)
      throw this.error("PROTOCOL", { message: `ServiceNow answered a list of ${request.table} without its result.`, status: answer.status });
    this.absences.answered(request.table);
    const total = Number(answer.headers["x-total-count"] ?? Number.NaN);
    const counted = !Number.isNaN(total);
    // Without a count, a full page is no end.
    return { rows, total: counted ? total : rows.length === request.limit ? Number.POSITIVE_INFINITY : (request.offset ?? 0) + rows.length, counted };
  }

  /** All rows of a query. */
  async listAll(request: Omit<ListRequest, "limit" | "offset">): Promise<RawRow[]> {
    return (await this.listWhole(request)).rows;
  }

  /**
   * All rows of a query, page after page until the offset passes the total: hidden rows make pages short, not last [R]. `hidden`
   * says how many match beside them that this account is not shown.
   */
  async listWhole(request: Omit<ListRequest, "limit" | "offset">, pageSize = 1000): Promise<{ readonly rows: RawRow[]; readonly hidden: number }> {
    const rows: RawRow[] = [];
    for (let offset = 0; ; offset += pageSize) {
      const page = await this.list({ ...request, limit: pageSize, offset });
      rows.push(...page.rows);
      if (offset + pageSize >= page.total) return { rows, hidden: page.counted ? Math.max(page.total - rows.length, 0) : 0 };
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

  async #authorized<Answer extends HttpAnswer | HttpStream>(call: HttpCall, send: (call: HttpCall) => Promise<Answer>): Promise<Answer> {
    const credential = await this.#authorization.credential();
    const first = await send(signed(call, credential));
    this.#window.note(first.status, first.headers);
    if (first.status !== 401) {
      this.#authorization.accepted(credential);
      return first;
    }
    // 401 comes before anything is done, so any call may be made again; a stream is used up by then.
    const renewed = await this.#authorization.renew(credential);
    const repeatable = !(call.body?.data instanceof Readable);
    const second = renewed === undefined || !repeatable ? first : await send(signed(call, renewed));
    if (second.status !== 401) {
      if (renewed !== undefined) this.#authorization.accepted(renewed);
      return second;
    }
    if (renewed === undefined || repeatable)
      throw this.#authorization.refusal({ status: 401, headers: second.headers, body: "body" in second ? second.body : undefined });
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

/** It gives whole rows of bare values, whatever is asked for. */
function attachmentsPath({ query, limit, offset = 0 }: ListRequest): string {
  return `/api/now/attachment?sysparm_query=${escaped(query)}&sysparm_limit=${limit}&sysparm_offset=${offset}&sysparm_suppress_pagination_header=true`;
}

/** Percent-encodes once; halves of characters, which have no such form, become U+FFFD. Commas may stand as they are, which saves a fifth of every list of ids. */
export function escaped(value: string): string {
  return encodeURIComponent(value.toWellFormed()).replaceAll("%2C", ",");
}

function signed(call: HttpCall, credential: Credential): HttpCall {
  return { ...call, headers: { ...call.headers, [credential.name]: credential.value } };
}
