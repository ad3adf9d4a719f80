import { Agent, request } from "node:https";
import { createRequire } from "node:module";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { selfSignedCertificate } from "../../simulation/self-signed-certificate.ts";
import { type ServiceNowSimulator, seededAccounts, startServiceNowSimulator } from "./simulator.ts";

/** What this suite uses of the published package `servicenow-rest-api`, which brings no types. */
interface ForeignClient {
  Authenticate(): void;
  setNetworkOptions(options: object): void;
  getSampleData(table: string, done: (rows: Rows) => void): void;
  getTableData(fields: readonly string[], filters: readonly string[], table: string, done: (rows: Rows) => void): void;
  getSysId(table: string, number: string, done: (id: string) => void): void;
  createNewTask(data: object, table: string, done: (row: Record<string, unknown>) => void): void;
  UpdateTask(table: string, number: string, data: object, done: (row: Record<string, unknown>) => void): void;
  DeleteTask(table: string, number: string, done: (answer: { status: number }) => void): void;
  getAttachmentMetaData(id: string, done: (row: Record<string, unknown>) => void): void;
  getAllAttachmentsMetaData(recordId: string, done: (rows: Rows) => void): void;
  getAttachment(id: string, done: (answer: { data: string; headers: Record<string, string> }) => void): void;
  getChangeTasks(table: string, change: string, done: (rows: Rows) => void): void;
}
type Rows = readonly Record<string, unknown>[];

// The package is CommonJS, as published, and is used as it is.
const require = createRequire(import.meta.url);
const Client = require("servicenow-rest-api") as new (instance: string, user: string, password: string) => ForeignClient;

let simulator: ServiceNowSimulator;
let client: ForeignClient;
let certificate: string;
const said: string[] = [];

beforeAll(async () => {
  // It only speaks https, and reports to the console.
  vi.spyOn(console, "log").mockImplementation((...words) => void said.push(words.join(" ")));
  const tls = selfSignedCertificate();
  certificate = tls.cert;
  simulator = await startServiceNowSimulator({ tls });
  client = new Client(new URL(simulator.url).host, seededAccounts.maya.userName, seededAccounts.maya.password);
  client.setNetworkOptions({ httpsAgent: new Agent({ ca: certificate }), proxy: false });
});
afterAll(async () => {
  vi.restoreAllMocks();
  await simulator.close();
});

/** The package cannot upload: somebody else attaches. Gives the sys_id. */
async function attach(record: string, fileName: string, text: string): Promise<string> {
  const { userName, password } = seededAccounts.tom;
  const query = new URLSearchParams({ table_name: "incident", table_sys_id: record, file_name: fileName });
  const body = await new Promise<string>((resolve, reject) => {
    const options = { method: "POST", ca: certificate, auth: `${userName}:${password}`, headers: { "content-type": "text/plain", accept: "application/json" } };
    request(`${simulator.url}/api/now/attachment/file?${query}`, options, async (response) => {
      let received = "";
      for await (const chunk of response) received += chunk;
      resolve(received);
    })
      .once("error", reject)
      .end(text);
  });
  return JSON.parse(body).result.sys_id;
}

const answer = async <Value>(call: (done: (value: Value) => void) => void) => {
  const value = await new Promise<Value>(call);
  // The package hands errors to the same function.
  if (value instanceof Error) throw value;
  return value;
};

describe("a published client, unmodified, over https", () => {
  test("signs in", async () => {
    client.Authenticate();
    await expect.poll(() => said).toContain("Authenticated");
  });

  test("creates by display values and gets display values back", async () => {
    const created = await answer<Record<string, unknown>>((done) =>
      client.createNewTask(
        { short_description: "Need urgent attention!!", urgency: "1 - High", impact: "1 - High", assignment_group: "Network" },
        "incident",
        done,
      ),
    );
    expect(created).toMatchObject({ number: "INC0010001", priority: "1 - Critical", urgency: "1 - High", assignment_group: { display_value: "Network" } });
  });

  test("reads with fields and filters, and a sample of a table", async () => {
    const rows = await answer<Rows>((done) => client.getTableData(["number", "short_description", "priority"], ["urgency=1", "active=true"], "incident", done));
    expect(rows).toEqual([{ number: "INC0010001", short_description: "Need urgent attention!!", priority: "1 - Critical" }]);
    const sample = await answer<Rows>((done) => client.getSampleData("sys_user", done));
    expect(sample).toHaveLength(1);
    expect(sample[0]).toHaveProperty("user_name");
  });

  test("looks up an id by number, updates by it, and sees its work note in the journal text", async () => {
    const id = await answer<string>((done) => client.getSysId("incident", "INC0010001", done));
    expect(id).toMatch(/^[0-9a-f]{32}$/);
    const note = { work_notes: "Assigning this to different team", assignment_group: "Service Desk" };
    const updated = await answer<Record<string, unknown>>((done) => client.UpdateTask("incident", "INC0010001", note, done));
    expect(updated).toMatchObject({
      assignment_group: { display_value: "Service Desk" },
      work_notes: expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d - Maya Lindqvist \(Work notes\)\nAssigning this to different team\n\n$/),
    });
  });

  test("reads attachments: one, all of a record, and the bytes", async () => {
    const id = await answer<string>((done) => client.getSysId("incident", "INC0010001", done));
    const file = await attach(id, "note.txt", "hello");
    expect(await answer<Record<string, unknown>>((done) => client.getAttachmentMetaData(file, done))).toMatchObject({ file_name: "note.txt", size_bytes: "5" });
    expect(await answer<Rows>((done) => client.getAllAttachmentsMetaData(id, done))).toMatchObject([{ sys_id: file, table_sys_id: id }]);
    const { data, headers } = await answer<{ data: string; headers: Record<string, string> }>((done) => client.getAttachment(file, done));
    expect([data, headers["content-type"], headers["content-disposition"]]).toEqual(["hello", "text/plain", "attachment;filename*=UTF-8''note.txt"]);
    expect(JSON.parse(headers["x-attachment-metadata"] ?? "")).toMatchObject({ result: { sys_id: file } });
  });

  test("reads the tasks of a change", async () => {
    const change = simulator.plant("change_request", { short_description: "new switch" });
    simulator.plant("change_task", { change_request: change });
    simulator.plant("change_task", {});
    const tasks = await answer<Rows>((done) => client.getChangeTasks("change_task", change, done));
    expect(tasks).toEqual([{ number: "CTASK0010001", sys_id: expect.stringMatching(/^[0-9a-f]{32}$/) }]);
  });

  test("deletes, and then finds nothing", async () => {
    const { status } = await answer<{ status: number }>((done) => client.DeleteTask("incident", "INC0010001", done));
    expect(status).toBe(204);
    expect(await answer<Rows>((done) => client.getTableData([], ["number=INC0010001"], "incident", done))).toEqual([]);
  });

  test("is refused with wrong credentials", async () => {
    const stranger = new Client(new URL(simulator.url).host, "maya.lindqvist", "wrong");
    await expect(answer<Rows>((done) => stranger.getSampleData("incident", done))).rejects.toThrow("401");
  });
});
