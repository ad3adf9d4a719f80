import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { PersonAtWork } from "./person.ts";
import { type ServiceNowSimulator, seededAccounts, startServiceNowSimulator } from "./simulator.ts";

let simulator: ServiceNowSimulator;
let maya: PersonAtWork;
beforeAll(async () => {
  simulator = await startServiceNowSimulator();
  maya = new PersonAtWork(simulator.url, seededAccounts.maya);
});
afterAll(() => simulator.close());
afterEach(() => {
  simulator.clearFaults();
  simulator.clock.set({ frozenAt: null, offsetMs: 0 });
  simulator.setAccess("maya.lindqvist", {});
  Object.assign(simulator.settings, { batchServes: null, invalidQueryMatchesNothing: false });
});

const incident = "/api/now/table/incident";

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
