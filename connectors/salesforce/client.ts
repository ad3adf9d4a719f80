import { Readable } from "node:stream";
import type { ReadableStream } from "node:stream/web";
import { Connection } from "jsforce";
import { ConnectorError } from "../errors.ts";
import { Redactor } from "../http-redaction.ts";
import { Absences, isMissingEndpoint, isMissingObject } from "./absence.ts";
import type { SalesforceConfig } from "./config.ts";
import { itemOutcome, oneByOne } from "./items.ts";
import { answerError } from "./platform-errors.ts";
import { expired, Session } from "./session.ts";
import { type CallFacts, type CallOptions, FetchTransport, type RawRequest } from "./transport.ts";

/** A record as SOQL gives it: values, parents as objects, children as pages. */
export type SoqlRecord = { readonly [field: string]: unknown };

interface Page {
  readonly totalSize: number;
  readonly done: boolean;
  readonly nextRecordsUrl?: string;
  readonly records: readonly SoqlRecord[];
}

export interface Call {
  readonly method: "GET" | "POST" | "PATCH" | "PUT" | "DELETE";
  /** From the root of the instance, or from the API version where it does not begin with `/services`. */
  readonly path: string;
  readonly body?: unknown;
  /** In words, for errors: `read Case`. */
  readonly what: string;
  /** True when the call changes something. */
  readonly write: boolean;
  /** True when doing it twice is the same as doing it once. */
  readonly repeatable: boolean;
}

export interface ClientOptions {
  readonly sleep: (ms: number) => Promise<void>;
  readonly random: () => number;
  readonly now: () => number;
  /** How long an answer may take. */
  readonly timeoutMs: number;
}

export interface Statement {
  readonly soql: string;
  /** With the recycle bin. */
  readonly all?: boolean;
  /** The object that it asks, where that one may be missing: then there are no rows. */
  readonly optional?: string;
}

/** First pause before a repeat; each further one is twice as long, and all are shortened at random. */
const firstPauseMs = 300;
const tries = 3;
/** A session may end twice during one call, but hardly more often. */
const mostRenewals = 2;
/** Longer addresses come near the platform's ceiling of 16 KB [K], so such statements travel in a body. */
const longestUrl = 8000;
/** A composite takes five queries [D]. */
const queriesPerComposite = 5;
/** No complaint is worth waiting longer for inside one call. */
const retryable = new Set(["TRANSIENT", "CONFLICT"]);

/** Calls one org: one session, one layer of repeats (for calls that may be repeated), every answer judged, every call counted. */
export class SalesforceClient {
  readonly #connection: Connection;
  readonly #transport: FetchTransport;
  readonly #session: Session;
  readonly #options: ClientOptions;
  readonly #version: string;
  readonly absences: Absences;
  #clockAheadMs: number | undefined;

  constructor(config: SalesforceConfig, secrets: Readonly<Record<string, string>>, options: ClientOptions) {
    const redactor = new Redactor(Object.values(secrets));
    this.#options = options;
    this.#version = config.apiVersion;
    this.absences = new Absences(options.now);
    this.#transport = new FetchTransport(options.timeoutMs, (text) => redactor.redact(text));
    this.#connection = new Connection({ loginUrl: config.url, version: config.apiVersion, callOptions: { client: "isobridge" } });
    this.#connection._transport = this.#transport;
    this.#connection.oauth2._transport = this.#transport;
    this.#session = new Session(this.#connection, config, secrets, (secret) => redactor.hide(secret), options.now);
  }

  get calls(): number {
    return this.#transport.calls;
  }

  /** Where the org is, known once signed in. */
  async instanceUrl(): Promise<string> {
    await this.#session.token();
    return this.#connection.instanceUrl;
  }

  /** The user that this account is, as the sign-in said; undefined where it did not. */
  async signedInUser(): Promise<string | undefined> {
    await this.#session.token();
    return this.#connection.userInfo?.id;
  }

  /** The org's time, from the `Date` of its latest answer; asks for one where there was none. */
  async orgTime(): Promise<number> {
    if (this.#clockAheadMs === undefined) await this.#knock("read the time");
    // An answer without a time, or none at all: the next one that has it counts.
    this.#clockAheadMs ??= 0;
    return this.#options.now() + this.#clockAheadMs;
  }

  /** Makes a call whose answer is JSON; null for an empty answer. */
  async json(call: Call): Promise<unknown> {
    const url = await this.#url(call.path);
    const body = call.body === undefined ? undefined : JSON.stringify(call.body);
    const headers: Record<string, string> = body === undefined ? {} : { "content-type": "application/json" };
    const answer = await this.#repeating(call, async (facts) => {
      const options: CallOptions = { retry: { maxRetries: 0 }, followRedirect: false, call: facts } as CallOptions; // `call` is read by our transport
      return (await this.#connection.request<unknown>({ method: call.method, url, headers, ...(body !== undefined && { body }) }, options)) ?? null;
    });
    return answer;
  }

  /** Like {@link json}, for answers that must be objects or lists: text where data belongs is no answer of Salesforce. */
  async data(call: Call): Promise<unknown> {
    const answer = await this.json(call);
    if (typeof answer === "object" && answer !== null) return answer;
    throw new ConnectorError("PROTOCOL", { message: `Salesforce answered something that is not JSON when asked to ${call.what}.`, uncertain: call.write });
  }

  /** Opens the bytes behind an address. */
  async stream(path: string, what: string): Promise<Readable> {
    const call = { method: "GET", path, what, write: false, repeatable: true } as const;
    const response = await this.#repeating(call, async (facts, token) => await this.#transport.send(await this.#raw("GET", path, token), facts));
    return response.body === null ? Readable.from([]) : Readable.fromWeb(response.body as ReadableStream); // the same class under two names
  }

  /** Sends a body as it is; never repeated, as a stream can be read only once. The caller gets a fresh session beforehand. */
  async upload(path: string, what: string, headers: Readonly<Record<string, string>>, body: RawRequest["body"]): Promise<unknown> {
    const facts: CallFacts = { what, write: true };
    const token = await this.#session.token();
    const raw = await this.#raw("POST", path, token, headers);
    const response = await this.#transport.send({ ...raw, ...(body !== undefined && { body }) }, facts).catch(async (error: unknown) => {
      if (!(error instanceof ConnectorError) || error.code !== "AUTH_EXPIRED") throw error;
      await this.#session.renewed(token);
      throw new ConnectorError("TRANSIENT", { message: `The session ended just before Salesforce was asked to ${what}; it was not done.` });
    });
    this.#session.worked();
    try {
      return await response.json();
    } catch {
      throw new ConnectorError("PROTOCOL", { message: `Salesforce's answer was cut off or garbled when asked to ${what}.`, uncertain: true });
    }
  }

  /** Makes sure that the session is alive, for a call that cannot be repeated. */
  async keepAlive(): Promise<void> {
    await this.#knock("check the session");
  }

  /** A small call for what every answer brings; that the limits are not for this account is an answer too. */
  async #knock(what: string): Promise<void> {
    await this.json({ method: "GET", path: "/limits", what, write: false, repeatable: true }).catch((error: unknown) => {
      if (!isMissingEndpoint(error)) throw error;
    });
  }

  async query(soql: string, what: string): Promise<readonly SoqlRecord[]> {
    const [records = []] = await this.queries([{ soql }], what);
    return records;
  }

  /** Runs statements in as few calls as possible and reads all their pages. Without composites they are run one by one. */
  async queries(statements: readonly Statement[], what: string): Promise<readonly (readonly SoqlRecord[])[]> {
    const [only] = statements;
    if (only !== undefined && statements.length === 1 && this.#queryPath(only).length < longestUrl) return [await this.#single(only, what)];
    const results: (readonly SoqlRecord[])[] = [];
    for (let i = 0; i < statements.length; i += queriesPerComposite) {
      const group = statements.slice(i, i + queriesPerComposite);
      const answers = await this.#composite(group, what);
      for (const [n, statement] of group.entries()) {
        const answer = answers?.[n];
        if (answer === undefined) {
          results.push(await this.#single(statement, what));
          continue;
        }
        const ask = async () => {
          if (answer.httpStatusCode >= 300) throw answerError(answer.httpStatusCode, answer.body, { what, write: false });
          return await this.#pages(pageOf(answer.body, what), what);
        };
        results.push(await this.#tolerant(statement, what, ask));
      }
    }
    return results;
  }

  /** The answers to a few statements sent in one call; undefined where there are no composites. */
  async #composite(group: readonly Statement[], what: string): Promise<ReturnType<typeof compositeAnswers> | undefined> {
    const compositeRequest = group.map((statement, n) => ({ method: "GET", url: this.#queryPath(statement), referenceId: `q${n}` }));
    const call: Call = { method: "POST", path: "/composite", body: { compositeRequest }, what, write: false, repeatable: true };
    return await this.absences.orElse(
      "composite",
      isMissingEndpoint,
      async (): Promise<ReturnType<typeof compositeAnswers> | undefined> => compositeAnswers(await this.data(call), group.length, what),
      async () => undefined,
    );
  }

  async #single(statement: Statement, what: string): Promise<readonly SoqlRecord[]> {
    if (statement.optional !== undefined && this.absences.has(statement.optional)) return [];
    return await this.#tolerant(statement, what, async () => await this.#pages(await this.#get(this.#queryPath(statement), what), what));
  }

  /** The rows of a statement; where the recycle bin cannot be looked into, those outside it, and none where an optional object is missing. */
  async #tolerant(statement: Statement, what: string, ask: () => Promise<readonly SoqlRecord[]>): Promise<readonly SoqlRecord[]> {
    try {
      const rows = await ask();
      if (statement.optional !== undefined) this.absences.saw(statement.optional);
      return rows;
    } catch (error) {
      if (statement.all && isMissingEndpoint(error) && !this.absences.has("queryAll")) {
        const rows = await this.#single({ ...statement, all: false }, what);
        // The object may be what is missing: only rows of it show that it was the recycle bin.
        if (statement.optional === undefined || !this.absences.has(statement.optional)) this.absences.note("queryAll");
        return rows;
      }
      if (statement.optional === undefined || !isMissingObject(error)) throw error;
      // Names of people may go; comments and files that go would be taken for deleted ones on the other side.
      if (statement.optional !== "User" && this.absences.wasThere(statement.optional)) throw error;
      this.absences.note(statement.optional);
      return [];
    }
  }

  /** Saves or deletes a collection; the outcome of each item, in order. Without collections each item goes by a call of its own. */
  async collection(call: Call, singles: readonly Call[]): Promise<readonly ({ readonly id: string } | ConnectorError)[]> {
    return await this.absences.orElse(
      "collections",
      isMissingEndpoint,
      async () => await this.#collection(call, singles.length),
      async () => await oneByOne(singles, async (single) => await this.json(single)),
    );
  }

  async #collection(call: Call, size: number): Promise<readonly ({ readonly id: string } | ConnectorError)[]> {
    const answer = await this.data(call);
    if (!Array.isArray(answer) || answer.length !== size) {
      throw new ConnectorError("PROTOCOL", {
        message: `Salesforce did not answer for each of the ${size} records when asked to ${call.what}.`,
        uncertain: true,
      });
    }
    return answer.map((item: unknown) => itemOutcome(item, call));
  }

  async #pages(first: Page, what: string): Promise<readonly SoqlRecord[]> {
    const records: SoqlRecord[] = [];
    for (let page = first; ; page = await this.#get(page.nextRecordsUrl ?? "", what)) {
      for (const record of page.records) records.push(await this.#withAllChildren(record, what));
      if (page.done) return records;
      if (page.nextRecordsUrl === undefined)
        throw new ConnectorError("PROTOCOL", { message: `Salesforce announced more rows but not where they are (${what}).` });
    }
  }

  /** Children come in pages of their own, when there are many. */
  async #withAllChildren(record: SoqlRecord, what: string): Promise<SoqlRecord> {
    const unfinished = Object.entries(record).filter((entry): entry is [string, Page] => isPage(entry[1]) && !entry[1].done);
    if (unfinished.length === 0) return record;
    const whole: Record<string, unknown> = { ...record };
    for (const [name, page] of unfinished) {
      const records = await this.#pages(page, what);
      whole[name] = { totalSize: records.length, done: true, records };
    }
    return whole;
  }

  async #get(path: string, what: string): Promise<Page> {
    return pageOf(await this.data({ method: "GET", path, what, write: false, repeatable: true }), what);
  }

  #queryPath({ soql, all }: Statement): string {
    return `/services/data/v${this.#version}/${all && !this.absences.has("queryAll") ? "queryAll" : "query"}?q=${encodeURIComponent(soql)}`;
  }

  async #raw(method: string, path: string, token: string, headers: Readonly<Record<string, string>> = {}): Promise<RawRequest> {
    return { method, url: await this.#url(path), headers: { authorization: `Bearer ${token}`, "sforce-call-options": "client=isobridge", ...headers } };
  }

  async #url(path: string): Promise<string> {
    const instance = await this.instanceUrl();
    const full = path.startsWith("/services/") ? path : `/services/data/v${this.#version}${path}`;
    const url = new URL(instance + full);
    // The session must not leave the org, whatever a path looks like.
    if (url.origin !== new URL(instance).origin) throw new ConnectorError("BAD_REQUEST", { message: `“${path}” does not lie on ${instance}.` });
    return url.href;
  }

  /** The one layer of repeats: a refused session is renewed once (the call was not done), and a call that may be repeated is, up to three times. */
  async #repeating<T>(call: Call, attempt: (facts: CallFacts, token: string) => Promise<T>): Promise<T> {
    let token = await this.#session.token();
    let renewals = 0;
    for (let tried = 1; ; ) {
      const facts: CallFacts = { what: call.what, write: call.write };
      try {
        const answer = await attempt(facts, token);
        this.#noteTime(facts);
        this.#session.worked();
        return answer;
      } catch (error) {
        this.#noteTime(facts);
        if (!(error instanceof ConnectorError))
          throw new ConnectorError("PROTOCOL", { message: `Salesforce's answer made no sense when asked to ${call.what}.`, uncertain: call.write });
        if (error.code === "AUTH_EXPIRED") {
          // An address that refuses every session must not be asked for ever.
          if (++renewals > mostRenewals) throw expired();
          token = await this.#session.renewed(token);
          continue;
        }
        if (!call.repeatable || !retryable.has(error.code) || tried >= tries) throw error;
        await this.#options.sleep(firstPauseMs * 2 ** (tried - 1) * (0.5 + this.#options.random() / 2));
        tried++;
      }
    }
  }

  #noteTime({ answer }: CallFacts): void {
    const time = Date.parse(answer?.headers.get("date") ?? "");
    if (!Number.isNaN(time)) this.#clockAheadMs = time - this.#options.now();
  }
}

function compositeAnswers(answer: unknown, size: number, what: string): readonly { readonly httpStatusCode: number; readonly body: unknown }[] {
  const { compositeResponse } = answer as { compositeResponse?: unknown }; // looked at next
  if (!Array.isArray(compositeResponse) || compositeResponse.length !== size)
    throw new ConnectorError("PROTOCOL", { message: `Salesforce did not answer each part of a composite (${what}).` });
  return compositeResponse as { httpStatusCode: number; body: unknown }[]; // the documented shape; bodies are judged one by one
}

function pageOf(body: unknown, what: string): Page {
  if (isPage(body)) return body;
  throw new ConnectorError("PROTOCOL", { message: `Salesforce's answer holds no records (${what}).` });
}

function isPage(value: unknown): value is Page {
  return typeof value === "object" && value !== null && "records" in value && Array.isArray(value.records) && "done" in value;
}
