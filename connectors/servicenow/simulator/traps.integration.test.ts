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
  for (const text of ["one", "two"]) await maya.create("incident", { short_description: text });
});
afterAll(() => simulator.close());
afterEach(() => {
  simulator.clearFaults();
  simulator.clock.set({ frozenAt: null, offsetMs: 0 });
  simulator.setAccess("maya.lindqvist", {});
  Object.assign(simulator.settings, { batchServes: null, invalidQueryMatchesNothing: false });
});

const incident = "/api/now/table/incident";
const only = async (query: string, more = "") =>
  await maya.call("GET", `${incident}?sysparm_query=${encodeURIComponent(query)}&sysparm_fields=sys_id,short_description${more}`);

describe("behaviours that break naive clients", () => {
  test("rows hidden by access controls are absent with 200, and the total still counts them [R]", async () => {
    await maya.create("change_request", { short_description: "seen" });
    const hidden = await maya.create("change_request", { short_description: "secret plan" });
    simulator.setAccess("maya.lindqvist", { hiddenRows: { change_request: "short_descriptionSTARTSWITHsecret" } });
    const answer = await maya.call("GET", "/api/now/table/change_request");
    expect([answer.status, answer.body.result.length, answer.headers.get("x-total-count")]).toEqual([200, 1, "2"]);
    expect((await maya.call("GET", `/api/now/table/change_request/${hidden}`)).status).toBe(404);
  });

  test("the limit comes before access controls, so a page may be empty before the end [D]", async () => {
    simulator.setAccess("maya.lindqvist", { hiddenRows: { change_request: "short_descriptionSTARTSWITHsecret" } });
    const page = await maya.call("GET", "/api/now/table/change_request?sysparm_query=ORDERBYDESCnumber&sysparm_limit=1");
    expect([page.body.result.length, page.headers.get("x-total-count")]).toEqual([0, "2"]);
  });

  test("unknown fields and garbage in a query are dropped, so the whole table comes; a bad value finds nothing [R]", async () => {
    const all = Number((await only("")).headers.get("x-total-count"));
    expect(all).toBeGreaterThan(1);
    expect((await only("no_such_field=1")).headers.get("x-total-count")).toBe(String(all));
    expect((await only("?!")).headers.get("x-total-count")).toBe(String(all));
    expect((await only("state=Nonsense")).body.result).toEqual([]);
    simulator.settings.invalidQueryMatchesNothing = true;
    expect((await only("no_such_field=1")).body.result).toEqual([]);
  });

  test("hidden fields are stripped from rows, and querying on them is 403 [R]", async () => {
    simulator.setAccess("maya.lindqvist", { hiddenFields: { incident: ["description"] } });
    const row = (await maya.call("GET", `${incident}?sysparm_limit=1`)).body.result[0];
    expect(row).not.toHaveProperty("description");
    const refused = await only("descriptionLIKEx");
    expect(refused).toMatchObject({
      status: 403,
      body: { error: { message: "Insufficient rights to query records", detail: "Field(s) present in the query do not have permission to be read" } },
    });
  });

  test("roles of integrations see no dictionary: no rows, 403, labels only [R]", async () => {
    const dictionary = await maya.call("GET", "/api/now/table/sys_dictionary?sysparm_query=name=task");
    expect([dictionary.status, dictionary.body.result, Number(dictionary.headers.get("x-total-count")) > 0]).toEqual([200, [], true]);
    expect((await maya.call("GET", "/api/now/table/sys_db_object")).status).toBe(403);
    const choice = (await maya.call("GET", "/api/now/table/sys_choice?sysparm_limit=1")).body.result[0];
    expect(Object.keys(choice)).toEqual(["label"]);
    expect((await maya.call("GET", "/api/now/table/sys_choice?sysparm_query=name=incident")).status).toBe(403);
  });

  test("invalid choices, unknown fields and protected fields are dropped while the answer is 200 [R]", async () => {
    const id = await maya.create("incident", { short_description: "dropped", urgency: "2" });
    simulator.setAccess("maya.lindqvist", { readOnlyFields: { incident: ["description"] } });
    const answer = await maya.call("PATCH", `${incident}/${id}`, { urgency: "9", description: "no", sys_created_by: "me", nothing: 1 });
    expect(answer.status).toBe(200);
    expect(answer.body.result).toMatchObject({ urgency: "2", description: "", sys_created_by: "maya.lindqvist", sys_mod_count: "0" });
    await admin.call("PATCH", `/api/now/table/sys_user/${answer.body.result.opened_by.value}`, { user_password: "new" });
    expect(simulator.rows("sys_user").find((user) => user.user_name === "maya.lindqvist")?.user_password).toBe("");
  });

  test("an invalid resolution code is dropped, and then the data policy complains of it by its label [R]", async () => {
    const id = await maya.create("incident", { short_description: "to resolve" });
    const refused = await maya.call("PATCH", `${incident}/${id}`, { state: "6", close_code: "Magic", close_notes: "done" });
    expect(refused).toMatchObject({
      status: 403,
      body: { error: { message: "Operation Failed", detail: "Data Policy Exception: The following fields are mandatory: Resolution code" } },
    });
    const held = await maya.call("PATCH", `${incident}/${id}`, { state: "3" });
    expect(held.body.error.detail).toContain("On hold reason");
    expect((await maya.call("PATCH", `${incident}/${id}`, { state: "6", close_code: "Solved (Permanently)", close_notes: "done" })).body.result.state).toBe(
      "6",
    );
  });

  test("state and incident_state mirror each other, and priority follows from impact and urgency [R]", async () => {
    const id = await maya.create("incident", { short_description: "mirror", incident_state: "2", impact: "1", urgency: "2", priority: "5" });
    const row = () => simulator.rows("incident").find(({ sys_id }) => sys_id === id);
    expect(row()).toMatchObject({ state: "2", incident_state: "2", priority: "2" });
    await maya.change("incident", id, { state: "8" });
    expect(row()).toMatchObject({ incident_state: "8", active: "false" });
  });

  test("addresses of more than 8 KB are 414; 200 ids in a list fit, 250 do not [R]", async () => {
    const list = (count: number) => `${incident}?sysparm_query=sys_idIN${Array.from({ length: count }, () => "0".repeat(32)).join(",")}`;
    expect((await maya.call("GET", list(200))).status).toBe(200);
    expect((await maya.call("GET", list(250))).status).toBe(414);
  });

  test("without an order, pages come in another order each time [R]", async () => {
    const first = async () => (await maya.call("GET", `${incident}?sysparm_limit=1&sysparm_fields=sys_id`)).body.result[0].sys_id;
    const seen = new Set([await first(), await first(), await first()]);
    expect(seen.size).toBeGreaterThan(1);
  });

  test("an error may come with 200, a login page instead of an answer, and 429 with or without Retry-After [R]", async () => {
    const error = { result: [], error: { message: "Transaction cancelled: maximum execution time exceeded", detail: null }, status: "failure" };
    simulator.arm({ effect: { kind: "status", status: 200, body: error } });
    expect(await maya.call("GET", incident)).toMatchObject({ status: 200, body: error });
    simulator.arm({ effect: { kind: "html" } });
    expect((await maya.call("GET", incident)).body).toContain("<html>");
    simulator.arm({
      effect: {
        kind: "status",
        status: 429,
        headers: { "retry-after": "7", "x-ratelimit-limit": "100" },
        body: { error: { message: "Rate limit exceeded", detail: null } },
      },
    });
    simulator.arm({ effect: { kind: "status", status: 429, body: { error: { message: "Rate limit exceeded", detail: null } } } });
    expect((await maya.call("GET", incident)).headers.get("retry-after")).toBe("7");
    expect((await maya.call("GET", incident)).headers.get("retry-after")).toBeNull();
  });

  test("a business rule aborts in the recorded words [R]", async () => {
    simulator.addBusinessRule({ table: "incident", name: "No cats", abortWhen: "short_descriptionLIKEcat" });
    const refused = await maya.call("POST", incident, { short_description: "a cat" });
    expect(refused.status).toBe(403);
    expect(refused.body.error.detail).toMatch(
      /^Operation against file 'incident' was aborted by Business Rule 'No cats\^[0-9a-f]{32}'\. Business Rule Stack:No cats$/,
    );
  });

  test("what commits late keeps its early stamp and appears afterwards", async () => {
    simulator.setCommitDelay(60_000);
    const id = await maya.create("incident", { short_description: "late" });
    simulator.setCommitDelay(0);
    expect((await only(`sys_id=${id}`)).body.result).toEqual([]);
    simulator.clock.set({ offsetMs: 61_000 });
    expect((await only(`sys_id=${id}`)).body.result).toHaveLength(1);
  });
});
