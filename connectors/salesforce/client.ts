import type { Readable } from "node:stream";
import { Connection } from "jsforce";
import { ConnectorError } from "../errors.ts";
import { Redactor } from "../http-redaction.ts";
import { Absences, isMissingEndpoint } from "./absence.ts";
import type { BayeuxClient, BayeuxExtension } from "./bayeux.ts";
import { compositeAnswers, compositeBody, type Part, type PartAnswer } from "./composite.ts";
import type { SalesforceConfig } from "./config.ts";
import { oneByOne, type SavedItem, savedItems } from "./items.ts";
import { Budget } from "./limits.ts";
import { Queries, type SoqlRecord, type Statement } from "./queries.ts";
import { expired, Session } from "./session.ts";
import { type CallFacts, type CallOptions, FetchTransport, type RawRequest } from "./transport.ts";

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
  /** How long an answer may take, or the next piece of a file. */
  readonly timeoutMs: number;
  /** Keeps a secret that the platform replaced: a refresh token that is good for one use. */
  readonly keepSecret: (name: string, value: string) => Promise<void>;
}

/** By this the org's logs and events tell our calls: `changeOrigin` of an event ends in it [D]. */
const clientName = "isobridge";
/** First pause before a repeat; each further one is twice as long, and all are shortened at random. */
const firstPauseMs = 300;
const tries = 3;
/** A session may end twice during one call, but hardly more often. */
const mostRenewals = 2;
/** No complaint is worth waiting longer for inside one call. */
const retryable = new Set(["TRANSIENT", "CONFLICT"]);

/** Calls one org: one session, one layer of repeats (for calls that may be repeated), every answer judged, every call counted. */
export class SalesforceClient {
  readonly #connection: Connection;
  readonly #transport: FetchTransport;
  readonly #session: Session;
  readonly #options: ClientOptions;
  readonly #assignmentRules: boolean;
  /** Of the API: `60.0`. */
  readonly version: string;
  readonly absences: Absences;
  readonly budget: Budget;
  readonly rows: Queries;
  #clockAheadMs: number | undefined;

  constructor(config: SalesforceConfig, secrets: Readonly<Record<string, string>>, options: ClientOptions) {
    const redactor = new Redactor(Object.values(secrets));
    this.#options = options;
    this.version = config.apiVersion;
    this.#assignmentRules = config.assignmentRules;
    this.absences = new Absences(options.now);
    this.budget = new Budget(options.now);
    this.rows = new Queries(this);
    this.#transport = new FetchTransport(options.timeoutMs, (text) => redactor.redact(text));
    this.#connection = new Connection({ loginUrl: config.url, version: config.apiVersion, callOptions: { client: clientName } });
    this.#connection._transport = this.#transport;
    this.#connection.oauth2._transport = this.#transport;
    this.#session = new Session(this.#connection, config, secrets, {
      hide: (secret) => redactor.hide(secret),
      redact: (text) => redactor.redact(text),
      now: options.now,
      keepSecret: options.keepSecret,
    });
  }

  get calls(): number {
    return this.#transport.calls;
  }

  /** Where the org is, known once signed in. */
  async instanceUrl(): Promise<string> {
    await this.#session.token();
    return this.#connection.instanceUrl;
  }

  /** The versions of the API that the org offers; empty where it does not tell. Anybody may ask, so that the answer proves no session [R]. */
  async versions(): Promise<readonly string[]> {
    const facts: CallFacts = { what: "list the versions of the API", write: false };
    try {
      const response = await this.#transport.send({ method: "GET", url: await this.#url("/services/data") }, facts);
      const entries: unknown = await response.json().catch(() => undefined);
      return Array.isArray(entries) ? entries.flatMap(({ version }: { version?: unknown }) => (typeof version === "string" ? [version] : [])) : [];
    } catch (error) {
      // What asks for a session here is no list of Salesforce; whether ours is good, other calls tell.
      if (isMissingEndpoint(error) || (error instanceof ConnectorError && error.code === "AUTH_EXPIRED")) return [];
      throw error;
    }
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
    const headers: Record<string, string> = {
      ...(body !== undefined && { "content-type": "application/json" }),
      ...(call.write && !this.#assignmentRules && { "sforce-auto-assign": "FALSE" }),
    };
    const answer = await this.#repeating(call, async (facts) => {
      const options: CallOptions = { retry: { maxRetries: 0 }, followRedirect: false, call: facts } as CallOptions; // `call` is read by our transport
      const given = (await this.#connection.request<unknown>({ method: call.method, url, headers, ...(body !== undefined && { body }) }, options)) ?? null;
      const isJson = facts.answer?.headers.get("content-type")?.includes("json") ?? false;
      if (typeof given === "string" && given !== "" && isJson && !facts.quoted) throw notJson(call);
      return given;
    });
    return answer;
  }

  /** Like {@link json}, for answers that must be objects or lists: text where data belongs is no answer of Salesforce. */
  async data(call: Call): Promise<unknown> {
    const answer = await this.json(call);
    if (typeof answer === "object" && answer !== null) return answer;
    throw notJson(call);
  }

  /** Opens the bytes behind an address. */
  async stream(path: string, what: string): Promise<Readable> {
    const call = { method: "GET", path, what, write: false, repeatable: true } as const;
    return await this.#repeating(call, async (facts, token) => {
      const raw = await this.#raw("GET", path, token);
      return this.#transport.bytes(await this.#transport.send(raw, facts), raw, facts);
    });
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

  /** A client of the Streaming API with the present session, and that session's token. It starts when something is subscribed to. */
  async eventStream(extensions: BayeuxExtension[]): Promise<{ readonly stream: BayeuxClient; readonly token: string }> {
    const token = await this.#session.token();
    return { stream: this.#connection.streaming.createClient(extensions) as unknown as BayeuxClient, token }; // jsforce's types of faye's client know neither its events nor how to stop it
  }

  /** A session other than the one that was refused. */
  async renewSession(refused: string): Promise<void> {
    await this.#session.renewed(refused);
  }

  /** Says that the present session was let in elsewhere. */
  sessionWorked(): void {
    this.#session.worked();
  }

  /** Waits before a repeat: longer each time, and never quite as long as others do. */
  async pause(tried: number): Promise<void> {
    await this.#options.sleep(firstPauseMs * 2 ** (tried - 1) * (0.5 + this.#options.random() / 2));
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

  /** Runs statements in as few calls as possible and reads all their pages. */
  async queries(statements: readonly Statement[], what: string): Promise<readonly (readonly SoqlRecord[])[]> {
    return await this.rows.rows(statements, what);
  }

  /** Makes several requests in one call; undefined where there are no composites: nothing was done then. */
  async composite(parts: readonly Part[], how: Pick<Call, "what" | "write" | "repeatable">): Promise<readonly PartAnswer[] | undefined> {
    const call: Call = { ...how, method: "POST", path: "/composite", body: compositeBody(parts) };
    return await this.absences.orElse(
      "composite",
      isMissingEndpoint,
      async (): Promise<readonly PartAnswer[] | undefined> => compositeAnswers(await this.json(call), parts.length, how.what, how.write),
      async () => undefined,
    );
  }

  /** Saves or deletes a collection; the outcome of each item, in order. Without collections each item goes by a call of its own. */
  async collection(call: Call, singles: readonly Call[]): Promise<readonly SavedItem[]> {
    return await this.absences.orElse(
      "collections",
      isMissingEndpoint,
      async () => await this.#collection(call, singles.length),
      async () => await oneByOne(singles, async (single) => await this.json(single)),
    );
  }

  async #collection(call: Call, size: number): Promise<readonly SavedItem[]> {
    return savedItems(await this.data(call), size, call);
  }

  /** A path under the API version. */
  versioned(path: string): string {
    return `/services/data/v${this.version}${path}`;
  }

  async #raw(method: string, path: string, token: string, headers: Readonly<Record<string, string>> = {}): Promise<RawRequest> {
    return { method, url: await this.#url(path), headers: { authorization: `Bearer ${token}`, "sforce-call-options": `client=${clientName}`, ...headers } };
  }

  async #url(path: string): Promise<string> {
    const instance = await this.instanceUrl();
    const full = path.startsWith("/services/") ? path : this.versioned(path);
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
        this.#note(facts);
        this.#session.worked();
        return answer;
      } catch (error) {
        this.#note(facts);
        if (!(error instanceof ConnectorError))
          throw new ConnectorError("PROTOCOL", { message: `Salesforce's answer made no sense when asked to ${call.what}.`, uncertain: call.write });
        if (error.code === "AUTH_EXPIRED") {
          // An address that refuses every session must not be asked for ever.
          if (++renewals > mostRenewals) throw expired();
          token = await this.#session.renewed(token);
          continue;
        }
        if (!call.repeatable || !retryable.has(error.code) || tried >= tries) throw error;
        await this.pause(tried);
        tried++;
      }
    }
  }

  /** What comes with every answer beside what was asked: the org's time and how much of its allowance is used. */
  #note({ answer }: CallFacts): void {
    this.budget.heard(answer?.headers.get("sforce-limit-info") ?? null);
    const time = Date.parse(answer?.headers.get("date") ?? "");
    if (!Number.isNaN(time)) this.#clockAheadMs = time - this.#options.now();
  }
}

function notJson({ what, write }: Call): ConnectorError {
  return new ConnectorError("PROTOCOL", { message: `Salesforce answered something that is not JSON when asked to ${what}.`, uncertain: write });
}
