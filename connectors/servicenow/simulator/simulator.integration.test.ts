import { fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { PersonAtWork } from "./person.ts";
import { type ServiceNowSimulator, seededAccounts, startServiceNowSimulator } from "./simulator.ts";

let simulator: ServiceNowSimulator;
let maya: PersonAtWork;
let admin: PersonAtWork;

beforeAll(async () => {
  simulator = await startServiceNowSimulator({
    tables: [
      {
        name: "u_asset",
        label: "Asset",
        columns: [
          { element: "sys_id", label: "Sys ID", type: "GUID", readOnly: true },
          { element: "u_serial", label: "Serial" },
        ],
      },
    ],
  });
});
afterAll(() => simulator.close());
beforeEach(() => {
  maya = new PersonAtWork(simulator.url, seededAccounts.maya);
  admin = new PersonAtWork(simulator.url, seededAccounts.admin);
});
afterEach(() => {
  simulator.clearFaults();
  simulator.clock.set({ frozenAt: null, offsetMs: 0 });
  simulator.setAccess("maya.lindqvist", {});
  Object.assign(simulator.settings, { batchServes: null, invalidQueryMatchesNothing: false });
});

const incident = "/api/now/table/incident";
const only = async (query: string, more = "") =>
  await maya.call("GET", `${incident}?sysparm_query=${encodeURIComponent(query)}&sysparm_fields=sys_id,short_description${more}`);
const names = async (query: string) => (await only(query)).body.result.map((row: { short_description: string }) => row.short_description).toSorted();

describe("the Table API", () => {
  test("creates with 201, Location, a number from INC0010001 upward, and strings throughout [R]", async () => {
    const answer = await maya.call("POST", incident, { short_description: "first", impact: 3, urgency: 3, bogus: "x" });
    expect(answer.status).toBe(201);
    const { result } = answer.body;
    expect(answer.headers.get("location")).toBe(`${simulator.url}/api/now/table/incident/${result.sys_id}`);
    expect(result).toMatchObject({ state: "1", active: "true", sys_mod_count: "0", work_notes: "", closed_at: "" });
    expect(result.number).toMatch(/^INC001\d{4}$/);
    expect(result.sys_id).toMatch(/^[0-9a-f]{32}$/);
    expect(result.opened_by).toEqual({ link: `${simulator.url}/api/now/table/sys_user/${result.opened_by.value}`, value: result.opened_by.value });
    expect(result).not.toHaveProperty("bogus");
  });

  test("updates with PATCH and PUT alike, deletes with 204, and then says 404 [R]", async () => {
    const id = await maya.create("incident", { short_description: "short-lived" });
    expect((await maya.call("PATCH", `${incident}/${id}`, { urgency: "1" })).body.result).toMatchObject({ urgency: "1", short_description: "short-lived" });
    expect((await maya.call("PUT", `${incident}/${id}`, { impact: "1" })).body.result).toMatchObject({ urgency: "1", impact: "1", sys_mod_count: "2" });
    expect((await maya.call("DELETE", `${incident}/${id}`)).status).toBe(204);
    const gone = await maya.call("GET", `${incident}/${id}`);
    expect(gone).toMatchObject({
      status: 404,
      body: { error: { message: "No Record found", detail: "Record doesn't exist or ACL restricts the record retrieval" }, status: "failure" },
    });
  });

  test("an update that changes nothing leaves stamp and count alone", async () => {
    const id = await maya.create("incident", { short_description: "same" });
    expect((await maya.call("PATCH", `${incident}/${id}`, { short_description: "same" })).body.result.sys_mod_count).toBe("0");
  });

  test("bodies are left out on request, and methods can be overridden [D]", async () => {
    const quiet = await maya.call("POST", incident, { short_description: "noiseless" }, { "x-no-response-body": "true" });
    expect(quiet).toMatchObject({ status: 201, body: "" });
    const id = quiet.headers.get("location")?.split("/").at(-1) ?? "";
    expect((await maya.call("POST", `${incident}/${id}`, { urgency: "1" }, { "x-http-method-override": "PATCH" })).body.result.urgency).toBe("1");
  });

  test("shows references by display mode: link and value, bare id, display and link, or all three [R]", async () => {
    const id = await maya.create("incident", { short_description: "modes" });
    const opener = async (parameters: string) =>
      (await maya.call("GET", `${incident}/${id}?sysparm_fields=opened_by,closed_by,state&${parameters}`)).body.result;
    const { value, link } = (await opener("")).opened_by;
    expect(await opener("sysparm_exclude_reference_link=true")).toEqual({ opened_by: value, closed_by: "", state: "1" });
    expect(await opener("sysparm_display_value=true")).toEqual({ opened_by: { display_value: "Maya Lindqvist", link }, closed_by: "", state: "New" });
    expect(await opener("sysparm_display_value=all")).toEqual({
      opened_by: { display_value: "Maya Lindqvist", value, link },
      closed_by: { display_value: "", value: "" },
      state: { display_value: "New", value: "1" },
    });
  });

  test("values of times are UTC, display texts are the reader's local time [R]", async () => {
    simulator.clock.set({ frozenAt: Date.parse("2026-07-13T17:28:40.900Z") });
    const id = await maya.create("incident", { short_description: "times" });
    const { result } = (await maya.call("GET", `${incident}/${id}?sysparm_display_value=all&sysparm_fields=sys_created_on`)).body;
    expect(result.sys_created_on).toEqual({ value: "2026-07-13 17:28:40", display_value: "2026-07-13 19:28:40" });
  });

  test("pages with total and links, which are absent when one page holds everything [R]", async () => {
    for (const n of [1, 2, 3]) await maya.create("problem", { short_description: `p${n}` });
    const page = await maya.call("GET", "/api/now/table/problem?sysparm_limit=2&sysparm_query=ORDERBYnumber&sysparm_fields=short_description");
    expect(page.headers.get("x-total-count")).toBe("3");
    expect(page.headers.get("link")).toMatch(/^<[^>]*sysparm_offset=0>;rel="first",<[^>]*sysparm_offset=2>;rel="next",<[^>]*sysparm_offset=2>;rel="last"$/);
    const whole = await maya.call("GET", "/api/now/table/problem");
    expect(whole.headers.get("link")).toBeNull();
    const quiet = await maya.call("GET", "/api/now/table/problem?sysparm_limit=1&sysparm_no_count=true&sysparm_suppress_pagination_header=true");
    expect([quiet.headers.get("x-total-count"), quiet.headers.get("link")]).toEqual([null, null]);
  });

  test("an empty list is 404 in v1 and an empty list elsewhere [D]", async () => {
    const query = "?sysparm_query=number=NONE";
    expect((await maya.call("GET", `/api/now/v1/table/incident${query}`)).status).toBe(404);
    expect((await maya.call("GET", `/api/now/v2/table/incident${query}`)).body).toEqual({ result: [] });
    expect((await maya.call("GET", `${incident}${query}`)).body).toEqual({ result: [] });
  });

  test("refuses unknown tables and paths, broken JSON and other media types in the recorded words [R]", async () => {
    expect((await maya.call("GET", "/api/now/table/nothing")).body.error.message).toBe("Invalid table nothing");
    expect((await maya.call("GET", "/api/now/nothing")).body.error.message).toBe("Requested URI does not represent any resource");
    expect((await maya.call("POST", incident, "{")).body.error.message).toBe("Exception while reading request");
    expect((await maya.call("POST", incident, "<a/>", { "content-type": "text/csv" })).status).toBe(415);
    expect((await maya.call("GET", incident, undefined, { accept: "text/csv" })).status).toBe(406);
    expect((await maya.call("PATCH", incident, {})).status).toBe(405);
  });

  test("other parameters act as filters, and fields that do not exist are ignored [D]", async () => {
    await maya.create("incident", { short_description: "by filter", category: "network" });
    const answer = await maya.call("GET", `${incident}?category=network&sysparm_fields=short_description,nothing,opened_by.email`);
    expect(answer.body.result).toEqual([{ short_description: "by filter", "opened_by.email": "maya.lindqvist@servicenow.example" }]);
  });

  test("display values are understood on input when asked to [D]", async () => {
    const id = (
      await maya.call("POST", `${incident}?sysparm_input_display_value=true`, { short_description: "in words", urgency: "1 - High", caller_id: "Tom Okafor" })
    ).body.result.sys_id;
    const { result } = (await maya.call("GET", `${incident}/${id}?sysparm_display_value=true&sysparm_exclude_reference_link=true`)).body;
    expect(result).toMatchObject({ urgency: "1 - High", caller_id: "Tom Okafor" });
  });
});

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
    simulator.setAccess("maya.lindqvist", { dictionaryHidden: true });
    expect((await maya.call("GET", "/api/now/table/sys_dictionary?sysparm_query=name=task")).body.result).toEqual([]);
    expect((await maya.call("GET", "/api/now/table/sys_db_object")).status).toBe(403);
    const choice = (await maya.call("GET", "/api/now/table/sys_choice?sysparm_limit=1")).body.result[0];
    expect(Object.keys(choice)).toEqual(["label"]);
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

describe("encoded queries", () => {
  beforeAll(async () => {
    const tom = new PersonAtWork(simulator.url, seededAccounts.tom);
    await tom.create("incident", {
      short_description: "q alpha",
      urgency: "1",
      category: "software",
      description: "LIKE this",
      due_date: "2026-01-01 10:00:00",
    });
    await tom.create("incident", { short_description: "q beta", urgency: "2", category: "hardware" });
    await tom.create("incident", { short_description: "q Gamma", urgency: "3", category: "network" });
  });

  test.each([
    ["text is compared without case [K]", "short_description=Q ALPHA", ["q alpha"]],
    ["NOT IN is read before IN [D]", "short_descriptionSTARTSWITHq^urgencyNOT IN1,2", ["q Gamma"]],
    ["ISNOTEMPTY takes no value [D]", "short_descriptionSTARTSWITHq^descriptionISNOTEMPTY", ["q alpha"]],
    ["ENDSWITH [D]", "short_descriptionSTARTSWITHq^short_descriptionENDSWITHbeta", ["q beta"]],
    ["a value may look like an operator [D]", "descriptionSTARTSWITHLIKE", ["q alpha"]],
    ["OR binds to the term before it [D]", "urgency=1^ORurgency=2^short_descriptionSTARTSWITHq", ["q alpha", "q beta"]],
    ["NQ starts a new alternative [D]", "short_description=q alpha^NQshort_description=q beta^urgency=2", ["q alpha", "q beta"]],
    ["dot-walking [D]", "short_descriptionSTARTSWITHq^opened_by.email=tom.okafor@servicenow.example^urgency=3", ["q Gamma"]],
    ["scripted values are worked out for the caller [D]", "short_descriptionSTARTSWITHq^sys_created_by=javascript:gs.getUserName()", []],
    ["BETWEEN [D]", "short_descriptionSTARTSWITHq^urgencyBETWEEN2@3", ["q Gamma", "q beta"]],
    ["empty is never less [D]", "short_descriptionSTARTSWITHq^due_date<javascript:gs.dateGenerate('2026-06-01','00:00:00')", ["q alpha"]],
    ["fields of other classes are unknown, and so dropped [R]", "short_descriptionSTARTSWITHq^known_error!=true", ["q Gamma", "q alpha", "q beta"]],
  ])("%s: %s", async (_rule, query, expected) => {
    expect(await names(query)).toEqual(expected);
  });

  test("!= on booleans finds the empty ones too [D]", async () => {
    const id = simulator.plant("problem", { short_description: "empty flag", known_error: "" });
    const answer = await maya.call("GET", `/api/now/table/problem?sysparm_query=known_error!=true^sys_id=${id}`);
    expect(answer.body.result).toHaveLength(1);
  });

  test("incidents are found through the parent table, with its columns", async () => {
    const answer = await maya.call("GET", "/api/now/table/task?sysparm_query=short_description=q beta&sysparm_display_value=all");
    expect(answer.body.result[0].sys_class_name).toEqual({ value: "incident", display_value: "Incident" });
    expect(answer.body.result[0]).not.toHaveProperty("caller_id");
  });
});

describe("schema", () => {
  test("inherited columns stand under the parent, the table itself is the row of type collection [D]", async () => {
    const rows = (await maya.call("GET", "/api/now/table/sys_dictionary?sysparm_query=name=incident&sysparm_fields=element,internal_type")).body.result;
    expect(rows).toContainEqual({ element: "", internal_type: "collection" });
    expect(rows.map((row: { element: string }) => row.element)).not.toContain("short_description");
    const object = (await maya.call("GET", "/api/now/table/sys_db_object?sysparm_query=name=incident&sysparm_fields=name,super_class.name")).body.result;
    expect(object).toEqual([{ name: "incident", "super_class.name": "task" }]);
  });

  test("choices differ by class: 3 is On Hold for an incident and Closed Complete for a task [R]", async () => {
    const label = async (table: string) =>
      (await maya.call("GET", `/api/now/table/sys_choice?sysparm_query=name=${table}^element=state^value=3&sysparm_fields=label`)).body.result;
    expect([await label("incident"), await label("task")]).toEqual([[{ label: "On Hold" }], [{ label: "Closed Complete" }]]);
  });

  test("custom tables and columns come by option and while it runs", async () => {
    expect((await maya.call("POST", "/api/now/table/u_asset", { u_serial: "S-1" })).body.result.u_serial).toBe("S-1");
    simulator.define({ name: "incident", label: "Incident", columns: [{ element: "u_region", label: "Region" }] });
    const id = await maya.create("incident", { short_description: "custom", u_region: "north" });
    expect((await maya.call("GET", `${incident}/${id}`)).body.result.u_region).toBe("north");
  });
});

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

describe("many at once", () => {
  test("a batch answers each item in base64 under its id as text, and leaves unserviced what time did not suffice for [D]", async () => {
    simulator.settings.batchServes = 2;
    const item = (id: number | string, method: string, url: string, body?: unknown) => ({
      id,
      method,
      url,
      headers: [{ name: "Content-Type", value: "application/json" }],
      ...(body === undefined ? {} : { body: Buffer.from(JSON.stringify(body)).toString("base64") }),
    });
    const { body } = await maya.call("POST", "/api/now/v1/batch", {
      batch_request_id: 1,
      rest_requests: [
        item(1, "POST", incident, { short_description: "batched" }),
        item(2, "GET", "/api/now/table/nothing"),
        item(3, "POST", incident, { short_description: "left over" }),
      ],
    });
    expect(body.batch_request_id).toBe("1");
    expect(body.serviced_requests.map(({ id, status_code }: { id: string; status_code: number }) => [id, status_code])).toEqual([
      ["1", 201],
      ["2", 400],
    ]);
    expect(JSON.parse(Buffer.from(body.serviced_requests[0].body, "base64").toString()).result.short_description).toBe("batched");
    expect(body.unserviced_requests).toEqual(["3"]);
    expect(await names("short_description=left over")).toEqual([]);
  });

  test("import sets insert, update and ignore by their coalescing column [D]", async () => {
    const load = async (fields: object) => (await maya.call("POST", "/api/now/import/u_incident_import", fields)).body.result[0];
    const first = await load({ correlation_id: "c-1", short_description: "imported" });
    expect(first).toMatchObject({ status: "inserted", table: "incident", display_name: "number" });
    expect(await load({ correlation_id: "c-1", short_description: "imported again" })).toMatchObject({ status: "updated", sys_id: first.sys_id });
    expect(await load({ correlation_id: "c-1", short_description: "imported again" })).toMatchObject({ status: "ignored" });
    expect(await load({ correlation_id: "c-1", state: "6" })).toMatchObject({ status: "error" });
  });

  test("stats count [D]", async () => {
    const answer = await maya.call("GET", "/api/now/stats/incident?sysparm_count=true&sysparm_query=correlation_id=c-1");
    expect(answer.body).toEqual({ result: { stats: { count: "1" } } });
  });

  test("a selective query over 100 000 records reads no more rows than match", async () => {
    const large = await startServiceNowSimulator();
    try {
      for (let n = 0; n < 100_000; n++) large.plant("problem", { short_description: `row ${n}`, sys_updated_on: "2020-01-01 00:00:00" });
      const person = new PersonAtWork(large.url, seededAccounts.maya);
      const id = await person.create("problem", { short_description: "the new one" });
      const answer = await person.call(
        "GET",
        "/api/now/table/problem?sysparm_query=sys_updated_on>2020-01-01 00:00:00^ORDERBYsys_updated_on&sysparm_fields=sys_id,number",
      );
      expect(answer.body.result).toEqual([{ sys_id: id, number: "PRB0140001" }]);
    } finally {
      await large.close();
    }
  });
});

describe("the database", () => {
  test("everything that was answered survives kill -9", async () => {
    const folder = mkdtempSync(join(tmpdir(), "servicenow-"));
    try {
      const child = fork(new URL("./simulator.process.ts", import.meta.url), [folder], {
        execPath: process.execPath,
        stdio: ["ignore", "inherit", "inherit", "ipc"],
      });
      const url = await new Promise<string>((resolve, reject) => {
        child.once("message", (message) => resolve(String(message)));
        child.once("exit", (code) => reject(new Error(`ended with ${code}`)));
      });
      const person = new PersonAtWork(url, seededAccounts.maya);
      const id = await person.create("incident", { short_description: "kept" });
      await person.comment("incident", id, "kept too");
      const attachment = await person.attach("incident", id, "a.txt", Buffer.from("bytes"));
      const dead = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await dead;
      const again = await startServiceNowSimulator({ folder });
      try {
        const back = new PersonAtWork(again.url, seededAccounts.maya);
        expect((await back.call("GET", `${incident}/${id}`)).body.result).toMatchObject({
          short_description: "kept",
          number: "INC0010001",
          sys_mod_count: "1",
        });
        expect(again.rows("sys_journal_field").map(({ value }) => value)).toEqual(["kept too"]);
        expect((await back.call("GET", `/api/now/attachment/${attachment}`)).body.result.size_bytes).toBe("5");
        expect((await back.call("POST", incident, {})).body.result.number).toBe("INC0010002");
        expect(again.rows("core_company")).toHaveLength(2);
      } finally {
        await again.close();
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
