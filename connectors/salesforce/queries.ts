import { ConnectorError } from "../errors.ts";
import { isMissingEndpoint, isMissingObject, isRefused } from "./absence.ts";
import type { SalesforceClient } from "./client.ts";
import type { PartAnswer } from "./composite.ts";
import { answerError } from "./platform-errors.ts";

/** A record as SOQL gives it: values, parents as objects, children as pages. */
export type SoqlRecord = { readonly [field: string]: unknown };

export interface Statement {
  readonly soql: string;
  /** With the recycle bin. */
  readonly all?: boolean;
  /** The object that it asks, where that one may be missing: then there are no rows. */
  readonly optional?: string;
  /** True where an org may refuse the statement itself, for how it asks: then there are no rows either. */
  readonly refusable?: boolean;
}

interface Page {
  readonly totalSize: number;
  readonly done: boolean;
  readonly nextRecordsUrl?: string;
  readonly records: readonly SoqlRecord[];
}

/** Longer addresses come near the platform's ceiling of 16 KB [K], so such statements travel in a body. */
const longestUrl = 8000;
/** A composite takes five queries, and other calls beside them [D]. */
const queriesPerComposite = 5;

/** Other calls beside queries in one composite, by which their absence is remembered. */
export const besides = "other calls in composites";

/** Runs SOQL against one org: in as few calls as possible, to the last page, without what is not there. */
export class Queries {
  readonly #client: SalesforceClient;

  constructor(client: SalesforceClient) {
    this.#client = client;
  }

  /** Runs statements in as few calls as possible and reads all their pages. Without composites they are run one by one. */
  async rows(statements: readonly Statement[], what: string): Promise<readonly (readonly SoqlRecord[])[]> {
    const [only] = statements;
    if (only !== undefined && statements.length === 1 && this.#path(only).length < longestUrl) return [await this.#single(only, what)];
    return (await this.rowsBeside(statements, undefined, what)).rows;
  }

  /** The same, with one other GET that rides along in the first composite. Its answer is undefined where there are no composites: it was not asked then. */
  async rowsBeside(
    statements: readonly Statement[],
    path: string | undefined,
    what: string,
  ): Promise<{ readonly rows: readonly (readonly SoqlRecord[])[]; readonly answer: PartAnswer | undefined }> {
    const rows: (readonly SoqlRecord[])[] = [];
    let beside: PartAnswer | undefined;
    for (let i = 0; i < statements.length; i += queriesPerComposite) {
      const group = statements.slice(i, i + queriesPerComposite);
      const own = group.map((statement) => this.#path(statement));
      const more = i === 0 && path !== undefined && !this.#client.absences.has(besides) ? [path] : [];
      const answers = await this.#together(own, more, what);
      if (more.length > 0) beside = answers?.[group.length];
      for (const [n, statement] of group.entries()) {
        const answer = answers?.[n];
        rows.push(answer === undefined ? await this.#single(statement, what) : await this.#tolerant(statement, what, () => this.#answered(answer, what)));
      }
    }
    return { rows, answer: beside };
  }

  /** Asks for several paths in one call; without those beside where a composite with them is refused as a whole. */
  async #together(own: readonly string[], more: readonly string[], what: string): Promise<readonly PartAnswer[] | undefined> {
    const how = { what, write: false, repeatable: true };
    const parts = (urls: readonly string[]) => urls.map((url) => ({ method: "GET", url }) as const);
    try {
      return await this.#client.composite(parts([...own, ...more]), how);
    } catch (error) {
      if (more.length === 0 || !isRefused(error)) throw error;
      const answers = await this.#client.composite(parts(own), how);
      this.#client.absences.note(besides);
      return answers;
    }
  }

  async #answered(answer: PartAnswer, what: string): Promise<readonly SoqlRecord[]> {
    if (answer.httpStatusCode >= 300) throw answerError(answer.httpStatusCode, answer.body, { what, write: false });
    return await this.#pages(pageOf(answer.body, what), what);
  }

  async #single(statement: Statement, what: string): Promise<readonly SoqlRecord[]> {
    if (statement.optional !== undefined && this.#client.absences.has(statement.optional)) return [];
    return await this.#tolerant(statement, what, async () => await this.#pages(await this.#get(this.#path(statement), what), what));
  }

  /** The rows of a statement; where the recycle bin cannot be looked into, those outside it, and none where an optional object is missing. */
  async #tolerant(statement: Statement, what: string, ask: () => Promise<readonly SoqlRecord[]>): Promise<readonly SoqlRecord[]> {
    const { absences } = this.#client;
    try {
      const rows = await ask();
      if (statement.optional !== undefined) absences.saw(statement.optional);
      return rows;
    } catch (error) {
      if (statement.all && isMissingEndpoint(error) && !absences.has("queryAll")) {
        const rows = await this.#single({ ...statement, all: false }, what);
        // The object may be what is missing: only rows of it show that it was the recycle bin.
        if (statement.optional === undefined || !absences.has(statement.optional)) absences.note("queryAll");
        return rows;
      }
      const missing = isMissingObject(error) || (statement.refusable === true && isRefused(error));
      if (statement.optional === undefined || !missing) throw error;
      // Names of people may go; comments and files that go would be taken for deleted ones on the other side.
      if (statement.optional !== "User" && absences.wasThere(statement.optional)) throw error;
      absences.note(statement.optional);
      return [];
    }
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
    return pageOf(await this.#client.data({ method: "GET", path, what, write: false, repeatable: true }), what);
  }

  #path({ soql, all }: Statement): string {
    return this.#client.versioned(`/${all && !this.#client.absences.has("queryAll") ? "queryAll" : "query"}?q=${encodeURIComponent(soql)}`);
  }
}

function pageOf(body: unknown, what: string): Page {
  if (isPage(body)) return body;
  throw new ConnectorError("PROTOCOL", { message: `Salesforce's answer holds no records (${what}).` });
}

function isPage(value: unknown): value is Page {
  return typeof value === "object" && value !== null && "records" in value && Array.isArray(value.records) && "done" in value;
}
