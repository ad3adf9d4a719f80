import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { PersonAtWork } from "./person.ts";
import { type ServiceNowSimulator, seededAccounts, startServiceNowSimulator } from "./simulator.ts";

let simulator: ServiceNowSimulator;
let maya: PersonAtWork;
let admin: PersonAtWork;
beforeAll(async () => {
  simulator = await startServiceNowSimulator();
  maya = new PersonAtWork(simulator.url, seededAccounts.maya);
  admin = new PersonAtWork(simulator.url, seededAccounts.admin);
});
afterAll(() => simulator.close());
afterEach(() => {
  simulator.clearFaults();
  simulator.clock.set({ frozenAt: null, offsetMs: 0 });
  simulator.setAccess("maya.lindqvist", {});
  Object.assign(simulator.settings, { batchServes: null, invalidQueryMatchesNothing: false });
});

const incident = "/api/now/table/incident";

describe("journals, attachments, deletes", () => {
  test("comments are appended, read back empty, shown as one blob, and bump the record [R]", async () => {
    simulator.clock.set({ frozenAt: Date.parse("2026-07-13T17:28:40Z") });
    const id = await maya.create("incident", { short_description: "talk" });
    simulator.clock.set({ frozenAt: Date.parse("2026-07-13T17:30:00Z") });
    const answer = await maya.call("PATCH", `${incident}/${id}`, { work_notes: "hi", comments: "" });
    expect(answer.body.result).toMatchObject({ work_notes: "", comments: "", sys_mod_count: "1", sys_updated_on: "2026-07-13 17:30:00" });
    const shown = (await maya.call("GET", `${incident}/${id}?sysparm_display_value=true`)).body.result;
    expect(shown.work_notes).toBe("2026-07-13 19:30:00 - Maya Lindqvist (Work notes)\nhi\n\n");
    const rows = (await maya.call("GET", `/api/now/table/sys_journal_field?sysparm_query=element_id=${id}`)).body.result;
    expect(rows).toMatchObject([
      { name: "incident", element: "work_notes", value: "hi", sys_created_by: "maya.lindqvist", sys_created_on: "2026-07-13 17:30:00" },
    ]);
    expect((await admin.call("DELETE", `/api/now/table/sys_journal_field/${rows[0].sys_id}`)).status).toBe(403);
  });

  test("attachments keep their bytes and leave the record's stamp alone [K]", async () => {
    const id = await maya.create("incident", { short_description: "with file" });
    const bytes = Buffer.from([0, 255, 1, 254]);
    const attachment = await maya.attach("incident", id, "ü ../'a\".bin", bytes);
    const list = (await maya.call("GET", `/api/now/attachment?sysparm_query=table_sys_id=${id}`)).body.result;
    expect(list).toMatchObject([
      {
        sys_id: attachment,
        file_name: "ü ../'a\".bin",
        size_bytes: "4",
        table_name: "incident",
        download_link: `${simulator.url}/api/now/attachment/${attachment}/file`,
      },
    ]);
    const authorization = `Basic ${btoa(`${seededAccounts.maya.userName}:${seededAccounts.maya.password}`)}`;
    const file = await fetch(`${simulator.url}/api/now/attachment/${attachment}/file`, { headers: { authorization, accept: "*/*" } });
    expect(Buffer.from(await file.arrayBuffer())).toEqual(bytes);
    expect(simulator.rows("incident").find(({ sys_id }) => sys_id === id)?.sys_mod_count).toBe("0");
    expect((await maya.call("DELETE", `/api/now/attachment/${attachment}`)).status).toBe(204);
    expect((await maya.call("GET", `/api/now/attachment/${attachment}`)).status).toBe(404);
  });

  test("multipart uploads want the record named before the file [D]", async () => {
    const id = await maya.create("incident", { short_description: "multipart" });
    const authorization = `Basic ${btoa(`${seededAccounts.maya.userName}:${seededAccounts.maya.password}`)}`;
    const upload = async (parts: [string, string | Blob][]) => {
      const form = new FormData();
      for (const [name, value] of parts) form.append(name, value);
      return (await fetch(`${simulator.url}/api/now/attachment/upload`, { method: "POST", headers: { authorization, accept: "application/json" }, body: form }))
        .status;
    };
    const file: [string, Blob] = ["uploadFile", new File(["x"], "x.txt", { type: "text/plain" })];
    expect(await upload([["table_name", "incident"], ["table_sys_id", id], file])).toBe(201);
    expect(await upload([file, ["table_name", "incident"], ["table_sys_id", id]])).toBe(400);
  });

  test("a delete leaves a tombstone that only administrators see [R]", async () => {
    const id = await maya.create("incident", { short_description: "doomed" });
    await maya.remove("incident", id);
    const path = `/api/now/table/sys_audit_delete?sysparm_query=documentkey=${id}&sysparm_fields=tablename,documentkey`;
    expect((await admin.call("GET", path)).body.result).toEqual([{ tablename: "incident", documentkey: id }]);
    expect((await maya.call("GET", path)).body.result).toEqual([]);
  });
});
