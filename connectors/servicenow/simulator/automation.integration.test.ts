import { beforeAll, describe, expect, test } from "vitest";
import { PersonAtWork } from "./person.ts";
import { control, openSimulator } from "./simulator.testbed.ts";
import { seededAccounts } from "./simulator.ts";

const simulator = openSimulator();
let maya: PersonAtWork;
let admin: PersonAtWork;
beforeAll(() => {
  maya = new PersonAtWork(simulator().url, seededAccounts.maya);
  admin = new PersonAtWork(simulator().url, seededAccounts.admin);
});
const row = (table: string, id: string) =>
  simulator()
    .rows(table)
    .find(({ sys_id }) => sys_id === id);
const incident = "/api/now/table/incident";

describe("business rules", () => {
  test("compute one field from others on the way into the database, and the answer shows it", async () => {
    simulator().addBusinessRule({ table: "incident", name: "Describe", set: { description: "{short_description} ({category})" } });
    const created = await maya.call("POST", incident, { short_description: "mail down", category: "network", description: "what I wrote" });
    expect(created.body.result.description).toBe("mail down (network)");
  });

  test("rewrite what was sent", async () => {
    simulator().addBusinessRule({ table: "task", name: "Mask", rewrite: [{ field: "short_description", pattern: "\\d{4}", replacement: "####" }] });
    const id = await maya.create("incident", { short_description: "card 1234 5678" });
    expect(row("incident", id)).toMatchObject({ short_description: "card #### ####", sys_mod_count: "0" });
  });

  test("close a record and append a comment after the save, in a save of their own under the same user", async () => {
    simulator().addBusinessRule({
      table: "incident",
      name: "Close resolved",
      on: ["update"],
      when: "state=6",
      after: true,
      set: { state: "7" },
      journal: { element: "comments", text: "Closed: {close_notes}" },
    });
    const id = await maya.create("incident", { short_description: "auto" });
    const answer = await maya.call("PATCH", `${incident}/${id}`, { state: "6", close_code: "Solved (Permanently)", close_notes: "done" });
    expect(answer.body.result).toMatchObject({ state: "6", sys_mod_count: "1" });
    expect(row("incident", id)).toMatchObject({ state: "7", incident_state: "7", active: "false", sys_mod_count: "2", sys_updated_by: "maya.lindqvist" });
    expect(simulator().rows("sys_journal_field").at(-1)).toMatchObject({ element: "comments", value: "Closed: done", sys_created_by: "maya.lindqvist" });
  });

  test("may run as the system, and late", async () => {
    simulator().addBusinessRule({ table: "incident", name: "Later", on: ["insert"], after: true, delayMs: 5, runAs: "system", set: { urgency: "1" } });
    const { result } = (await maya.call("POST", incident, { short_description: "late rule" })).body;
    expect(result).toMatchObject({ urgency: "3", sys_mod_count: "0" });
    await expect.poll(() => row("incident", result.sys_id)).toMatchObject({ urgency: "1", sys_mod_count: "1", sys_updated_by: "system" });
  });

  test("abort updates and deletes as well, in the recorded words [R]", async () => {
    const id = await maya.create("incident", { short_description: "kept" });
    simulator().addBusinessRule({ table: "incident", name: "Keep", on: ["delete"], abort: true });
    const refused = await maya.call("DELETE", `${incident}/${id}`);
    expect([refused.status, refused.body.error.detail]).toEqual([
      403,
      expect.stringMatching(/^Operation against file 'incident' was aborted by Business Rule 'Keep\^[0-9a-f]{32}'\. Business Rule Stack:Keep$/),
    ]);
    expect(row("incident", id)).toBeDefined();
  });
});

describe("data policies", () => {
  test("want fields by their labels, all that are missing at once [R]", async () => {
    simulator().addPolicy({ table: "problem", when: "state=106", mandatory: ["cause_notes", "assigned_to"] });
    const id = await maya.create("problem", { short_description: "p" });
    const refused = await maya.call("PATCH", `/api/now/table/problem/${id}`, { state: "106" });
    expect([refused.status, refused.body.error.detail]).toEqual([403, "Data Policy Exception: The following fields are mandatory: Cause notes, Assigned to"]);
  });

  test("keep fields from being changed [K]", async () => {
    simulator().addPolicy({ table: "change_request", when: "type=emergency", readOnly: ["risk"] });
    const id = await maya.create("change_request", { type: "emergency" });
    expect((await maya.call("PATCH", `/api/now/table/change_request/${id}`, { risk: "2" })).body.error.detail).toContain("read only: Risk");
    expect((await maya.call("PATCH", `/api/now/table/change_request/${id}`, { risk: "3", justification: "same risk" })).status).toBe(200);
  });
});

describe("scripts on the server", () => {
  test("edit without moving stamp and count: autoSysFields(false) [R]", async () => {
    const id = await maya.create("incident", { short_description: "quiet" });
    const before = row("incident", id);
    const answer = await control(simulator().url, "POST", "scripts", {
      table: "incident",
      query: `sys_id=${id}`,
      set: { short_description: "edited" },
      autoSysFields: false,
    });
    expect(answer.body).toEqual({ count: 1 });
    expect(row("incident", id)).toEqual({ ...before, short_description: "edited" });
  });

  test("write past rules and policies: setWorkflow(false) [R]", async () => {
    simulator().addBusinessRule({ table: "incident", name: "Never", abort: true });
    simulator().plant("incident", { short_description: "imported" });
    const script = { table: "incident", query: "short_description=imported", set: { state: "6" }, workflow: false };
    expect((await control(simulator().url, "POST", "scripts", script)).body).toEqual({ count: 1 });
    expect(
      simulator()
        .rows("incident")
        .find(({ short_description }) => short_description === "imported"),
    ).toMatchObject({ state: "6", close_code: "" });
  });

  test("deleteMultiple leaves no tombstones, and neither does a table with no_audit_delete=true [D, K]", async () => {
    simulator().define({ name: "u_log", label: "Log", extends: "task", attributes: "no_audit_delete=true" });
    const loud = await maya.create("incident", { short_description: "one of many" });
    const quiet = await maya.create("incident", { short_description: "all of many" });
    const log = await maya.create("u_log", { short_description: "log" });
    await control(simulator().url, "POST", "scripts", { table: "incident", query: `sys_id=${quiet}`, delete: "deleteMultiple" });
    await control(simulator().url, "POST", "scripts", { table: "incident", query: `sys_id=${loud}`, delete: "deleteRecord" });
    await admin.remove("u_log", log);
    expect(
      simulator()
        .rows("sys_audit_delete")
        .map(({ documentkey }) => documentkey),
    ).toEqual([loud]);
    const attributes = await admin.call("GET", "/api/now/table/sys_dictionary?sysparm_query=name=u_log^internal_type=collection&sysparm_fields=attributes");
    expect(attributes.body.result).toEqual([{ attributes: "no_audit_delete=true" }]);
  });
});
