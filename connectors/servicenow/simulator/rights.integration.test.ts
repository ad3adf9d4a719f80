import { afterEach, beforeAll, expect, test } from "vitest";
import { PersonAtWork } from "./person.ts";
import { openSimulator } from "./simulator.testbed.ts";
import { seededAccounts } from "./simulator.ts";

const simulator = openSimulator();
let maya: PersonAtWork;
let tom: PersonAtWork;
beforeAll(() => {
  maya = new PersonAtWork(simulator().url, seededAccounts.maya);
  tom = new PersonAtWork(simulator().url, seededAccounts.tom);
});
afterEach(() => simulator().setAccess("maya.lindqvist", {}));

const incident = "/api/now/table/incident";
const refusedWith = (what: string) => ({
  status: 403,
  body: { error: { message: "Operation Failed", detail: `ACL Exception ${what} Failed due to security constraints` } },
});

test("rights of a table can be missing one by one, and the refusal names the operation [R]", async () => {
  const id = await tom.create("incident", { short_description: "guarded" });
  simulator().setAccess("maya.lindqvist", { deniedRights: { task: ["create", "delete"] } });
  expect(await maya.call("POST", incident, {})).toMatchObject(refusedWith("Insert"));
  expect(await maya.call("DELETE", `${incident}/${id}`)).toMatchObject(refusedWith("Delete"));
  expect((await maya.call("PATCH", `${incident}/${id}`, { urgency: "1" })).status).toBe(200);
  simulator().setAccess("maya.lindqvist", { readOnlyTables: ["task"] });
  expect(await maya.call("PATCH", `${incident}/${id}`, { urgency: "2" })).toMatchObject(refusedWith("Update"));
});

test("rows can be seen but not written, by a condition on them", async () => {
  const [open, guarded] = [await tom.create("incident", { urgency: "3" }), await tom.create("incident", { urgency: "1" })];
  simulator().setAccess("maya.lindqvist", { readOnlyRows: { incident: "urgency=1" } });
  expect((await maya.call("GET", `${incident}/${guarded}`)).status).toBe(200);
  expect(await maya.call("PATCH", `${incident}/${guarded}`, { description: "x" })).toMatchObject(refusedWith("Update"));
  expect((await maya.call("PATCH", `${incident}/${open}`, { description: "x" })).status).toBe(200);
});

test("a table without read rights is 403, its children too", async () => {
  simulator().setAccess("maya.lindqvist", { deniedTables: ["task"] });
  expect((await maya.call("GET", incident)).body).toEqual({
    error: { message: "User Not Authorized", detail: "Failed API level ACL Validation" },
    status: "failure",
  });
});

test("hidden fields stay hidden through dot-walks, in rows and in queries [R]", async () => {
  await tom.create("incident", { short_description: "walked", caller_id: simulator().rows("sys_user")[0]?.sys_id });
  simulator().setAccess("maya.lindqvist", { hiddenFields: { sys_user: ["email"] } });
  const rows = (await maya.call("GET", `${incident}?sysparm_query=short_description=walked&sysparm_fields=number,caller_id.email,caller_id.name`)).body.result;
  expect(Object.keys(rows[0])).toEqual(["number", "caller_id.name"]);
  for (const query of ["caller_id.emailLIKE@", "ORDERBYcaller_id.email"]) {
    const refused = await maya.call("GET", `${incident}?sysparm_query=${query}`);
    expect([refused.status, refused.body.error.message]).toEqual([403, "Insufficient rights to query records"]);
  }
});

test("attachments of a hidden record are hidden with it, in lists as well", async () => {
  const id = await tom.create("incident", { short_description: "secret" });
  const file = await tom.attach("incident", id, "a.txt", Buffer.from("x"));
  simulator().setAccess("maya.lindqvist", { hiddenRows: { incident: "short_description=secret" } });
  expect((await maya.call("GET", `/api/now/attachment?sysparm_query=table_sys_id=${id}`)).body.result).toEqual([]);
  expect((await maya.call("GET", `/api/now/attachment/${file}/file`, undefined, { accept: "*/*" })).status).toBe(404);
});

test("the dictionary shows itself to those whose role maintains it [R]", async () => {
  const integration = new PersonAtWork(simulator().url, seededAccounts.integration);
  const path = "/api/now/table/sys_dictionary?sysparm_query=name=incident^element=caller_id";
  expect((await integration.call("GET", path)).body.result).toHaveLength(1);
  expect((await maya.call("GET", path)).body.result).toEqual([]);
});
