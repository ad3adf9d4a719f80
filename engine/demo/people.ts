import axios, { type AxiosInstance } from "axios";
import { simulatedAccounts } from "../../connectors/salesforce/simulator/simulator.ts";
import { seededAccounts } from "../../connectors/servicenow/simulator/simulator.ts";

/** A record of a simulator as its API shows it. */
export type Row = Readonly<Record<string, string | number | boolean | null>>;

/** A person at the ServiceNow desk, working through the platform's own REST API with credentials of her own. */
export class DeskAgent {
  readonly name = `${seededAccounts.maya.firstName} ${seededAccounts.maya.lastName}`;
  readonly #http: AxiosInstance;

  constructor(url: string) {
    this.#http = axios.create({
      baseURL: `${url}/api/now`,
      auth: { username: seededAccounts.maya.userName, password: seededAccounts.maya.password },
      headers: { accept: "application/json" },
      proxy: false,
    });
  }

  async report(incident: Readonly<Record<string, string>>): Promise<Row> {
    return (await this.#http.post<{ result: Row }>("/table/incident", incident)).data.result;
  }

  async change(sysId: string, fields: Readonly<Record<string, string>>): Promise<void> {
    await this.#http.patch(`/table/incident/${sysId}`, fields);
  }

  async attach(sysId: string, filename: string, mimetype: string, bytes: Buffer): Promise<void> {
    await this.#http.post("/attachment/file", bytes, {
      params: { table_name: "incident", table_sys_id: sysId, file_name: filename },
      headers: { "content-type": mimetype },
    });
  }

  async incident(sysId: string): Promise<Row> {
    return (await this.#http.get<{ result: Row }>(`/table/incident/${sysId}`)).data.result;
  }

  /** Incidents that fit an encoded query. */
  async incidents(query: string): Promise<readonly Row[]> {
    return (await this.#http.get<{ result: Row[] }>("/table/incident", { params: { sysparm_query: `${query}^ORDERBYsys_id`, sysparm_limit: 10_000 } })).data
      .result;
  }

  /** Comments and work notes, oldest first. */
  async journal(sysId: string): Promise<readonly Row[]> {
    return (await this.#http.get<{ result: Row[] }>("/table/sys_journal_field", { params: { sysparm_query: `element_id=${sysId}^ORDERBYsys_created_on` } }))
      .data.result;
  }
}

/** A person of the sales team, working in Salesforce. */
export class SalesAgent {
  readonly name = `${simulatedAccounts.humans[0].firstName} ${simulatedAccounts.humans[0].lastName}`;
  readonly #http: AxiosInstance;

  private constructor(http: AxiosInstance) {
    this.#http = http;
  }

  static async signIn(url: string): Promise<SalesAgent> {
    const { username, password } = simulatedAccounts.humans[0];
    const { clientId, clientSecret } = simulatedAccounts.app;
    const form = new URLSearchParams({ grant_type: "password", client_id: clientId, client_secret: clientSecret, username, password });
    const { data } = await axios.post<{ access_token: string; instance_url: string }>(`${url}/services/oauth2/token`, form, { proxy: false });
    return new SalesAgent(
      axios.create({ baseURL: `${data.instance_url}/services/data/v60.0`, headers: { authorization: `Bearer ${data.access_token}` }, proxy: false }),
    );
  }

  async query(soql: string): Promise<readonly Row[]> {
    const records: Row[] = [];
    let answer = (await this.#http.get<{ records: Row[]; nextRecordsUrl?: string }>("/query", { params: { q: soql } })).data;
    records.push(...answer.records);
    while (answer.nextRecordsUrl !== undefined) {
      answer = (await this.#http.get<{ records: Row[]; nextRecordsUrl?: string }>(answer.nextRecordsUrl.replace(/^.*\/v\d+\.0/, ""))).data;
      records.push(...answer.records);
    }
    return records;
  }

  async change(caseId: string, fields: Readonly<Record<string, string>>): Promise<void> {
    await this.#http.patch(`/sobjects/Case/${caseId}`, fields);
  }

  async comment(caseId: string, text: string): Promise<void> {
    await this.#http.post("/sobjects/CaseComment", { ParentId: caseId, CommentBody: text, IsPublished: true });
  }

  async download(contentVersionId: string): Promise<Buffer> {
    return Buffer.from((await this.#http.get<ArrayBuffer>(`/sobjects/ContentVersion/${contentVersionId}/VersionData`, { responseType: "arraybuffer" })).data);
  }
}
