import axios, { type AxiosInstance } from "axios";
import { simulatedAccounts } from "../../connectors/salesforce/simulator/simulator.ts";
import { seededAccounts } from "../../connectors/servicenow/simulator/simulator.ts";
import { DeskAgent, type Row, SalesAgent } from "../../engine/demo/people.ts";

/** The person at the ServiceNow desk, with what tests do beyond the demonstration. */
export class Desk extends DeskAgent {
  readonly url: string;
  readonly #integration: AxiosInstance;

  constructor(url: string) {
    super(url);
    this.url = url;
    this.#integration = axios.create({
      baseURL: `${url}/api/now`,
      auth: { username: seededAccounts.integration.userName, password: seededAccounts.integration.password },
      proxy: false,
    });
  }

  async open(fields: Readonly<Record<string, string>>): Promise<string> {
    return String((await this.report(fields))["sys_id"]);
  }

  /** The same edit by somebody who signed in with the account that Isobridge uses. */
  async changeAsIntegration(sysId: string, fields: Readonly<Record<string, string>>): Promise<void> {
    await this.#integration.patch(`/table/incident/${sysId}`, fields);
  }

  /** Deletes an incident as an administrator does. */
  async remove(sysId: string): Promise<void> {
    const { userName: username, password } = seededAccounts.admin;
    await axios.delete(`${this.url}/api/now/table/incident/${sysId}`, { auth: { username, password }, proxy: false });
  }

  /** Public comments, oldest first. */
  async comments(sysId: string): Promise<string[]> {
    return (await this.journal(sysId)).filter((entry) => entry["element"] === "comments").map((entry) => String(entry["value"]));
  }

  async attachments(sysId: string): Promise<readonly Row[]> {
    const { data } = await this.#integration.get<{ result: Row[] }>("/attachment", { params: { sysparm_query: `table_sys_id=${sysId}`, sysparm_limit: 1000 } });
    return data.result;
  }

  async detach(attachmentId: string): Promise<void> {
    await this.#integration.delete(`/attachment/${attachmentId}`);
  }

  async download(attachmentId: string): Promise<Buffer> {
    return Buffer.from((await this.#integration.get<ArrayBuffer>(`/attachment/${attachmentId}/file`, { responseType: "arraybuffer" })).data);
  }
}

/** The person in Salesforce, likewise. */
export class Sales {
  readonly agent: SalesAgent;
  readonly #http: AxiosInstance;
  readonly #integration: AxiosInstance;

  private constructor(agent: SalesAgent, http: AxiosInstance, integration: AxiosInstance) {
    this.agent = agent;
    this.#http = http;
    this.#integration = integration;
  }

  static async signIn(url: string): Promise<Sales> {
    const signed = async (username: string, password: string): Promise<AxiosInstance> => {
      const { clientId, clientSecret } = simulatedAccounts.app;
      const form = new URLSearchParams({ grant_type: "password", client_id: clientId, client_secret: clientSecret, username, password });
      const { data } = await axios.post<{ access_token: string; instance_url: string }>(`${url}/services/oauth2/token`, form, { proxy: false });
      return axios.create({ baseURL: `${data.instance_url}/services/data/v60.0`, headers: { authorization: `Bearer ${data.access_token}` }, proxy: false });
    };
    const [human] = simulatedAccounts.humans;
    const { integration } = simulatedAccounts;
    return new Sales(await SalesAgent.signIn(url), await signed(human.username, human.password), await signed(integration.username, integration.password));
  }

  async open(fields: Readonly<Record<string, string>>): Promise<string> {
    return (await this.#http.post<{ id: string }>("/sobjects/Case", fields)).data.id;
  }

  async query(soql: string): Promise<readonly Row[]> {
    return await this.agent.query(soql);
  }

  /** Cases whose subject begins so. */
  async cases(subject: string): Promise<readonly Row[]> {
    return await this.query(
      `SELECT Id, CaseNumber, Subject, Description, Status, Priority, SystemModstamp FROM Case WHERE Subject LIKE '${soqlText(subject)}%'`,
    );
  }

  async case(id: string): Promise<Row> {
    const [row] = await this.query(`SELECT Id, Subject, Description, Status, Priority, SystemModstamp FROM Case WHERE Id = '${id}'`);
    if (row === undefined) throw new Error(`There is no case ${id}.`);
    return row;
  }

  async change(caseId: string, fields: Readonly<Record<string, string>>): Promise<void> {
    await this.agent.change(caseId, fields);
  }

  async remove(caseId: string): Promise<void> {
    await this.#http.delete(`/sobjects/Case/${caseId}`);
  }

  async changeAsIntegration(caseId: string, fields: Readonly<Record<string, string>>): Promise<void> {
    await this.#integration.patch(`/sobjects/Case/${caseId}`, fields);
  }

  async comment(caseId: string, text: string, published = true): Promise<string> {
    return (await this.#http.post<{ id: string }>("/sobjects/CaseComment", { ParentId: caseId, CommentBody: text, IsPublished: published })).data.id;
  }

  async editComment(commentId: string, text: string): Promise<void> {
    await this.#http.patch(`/sobjects/CaseComment/${commentId}`, { CommentBody: text });
  }

  async removeComment(commentId: string): Promise<void> {
    await this.#http.delete(`/sobjects/CaseComment/${commentId}`);
  }

  async comments(caseId: string): Promise<string[]> {
    return (await this.query(`SELECT Id, CommentBody FROM CaseComment WHERE ParentId = '${caseId}' ORDER BY CreatedDate, Id`)).map((row) =>
      String(row["CommentBody"]),
    );
  }

  async attach(caseId: string, filename: string, bytes: Buffer): Promise<void> {
    await this.#http.post("/sobjects/ContentVersion", { PathOnClient: filename, FirstPublishLocationId: caseId, VersionData: bytes.toString("base64") });
  }

  async files(caseId: string): Promise<readonly Row[]> {
    const links = await this.query(`SELECT ContentDocumentId FROM ContentDocumentLink WHERE LinkedEntityId = '${caseId}'`);
    const files: Row[] = [];
    for (const link of links)
      files.push(
        ...(await this.query(
          `SELECT Id, Title, PathOnClient, ContentSize FROM ContentVersion WHERE ContentDocumentId = '${String(link["ContentDocumentId"])}' AND IsLatest = true`,
        )),
      );
    return files;
  }

  async download(contentVersionId: string): Promise<Buffer> {
    return await this.agent.download(contentVersionId);
  }
}

function soqlText(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("'", "\\'");
}
