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
const list = async (table: string, query: string) => (await admin.call("GET", `/api/now/table/${table}?${query}`)).body.result;

test.each([
  ["incident", "INC"],
  ["problem", "PRB"],
  ["change_request", "CHG"],
  ["sn_customerservice_case", "CS"],
  ["sc_request", "REQ"],
  ["sc_req_item", "RITM"],
  ["sc_task", "SCTASK"],
  ["dmn_demand", "DMND"],
  ["change_task", "CTASK"],
])("%s is a task with numbers of its own [K]", async (table, prefix) => {
  const id = await maya.create(table, { short_description: "numbered" });
  expect(await list("task", `sysparm_query=sys_id=${id}&sysparm_fields=number,sys_class_name`)).toEqual([
    { number: expect.stringMatching(new RegExp(`^${prefix}\\d{7}$`)), sys_class_name: table },
  ]);
});

describe("configuration items, companies and people", () => {
  test("a server is found as a configuration item, with the columns of its class on its own table [K]", async () => {
    const [server] = await list("cmdb_ci_server", "sysparm_query=name=web-01&sysparm_fields=sys_id,sys_class_name,os,serial_number");
    expect(server).toMatchObject({ sys_class_name: "cmdb_ci_linux_server", os: "Linux", serial_number: "WB-0001" });
    const [item] = await list("cmdb_ci", `sysparm_query=sys_id=${server.sys_id}`);
    expect(item).toMatchObject({ serial_number: "WB-0001" });
    expect(item).not.toHaveProperty("os");
  });

  test("an account is a company with a number, a contact is a user with an account [K]", async () => {
    const account = await admin.create("customer_account", { name: "Harbour Logistics" });
    const contact = simulator().plant("customer_contact", { name: "Ines Duarte", email: "ines@harbour.example", account });
    expect(await list("core_company", `sysparm_query=sys_id=${account}&sysparm_fields=name,sys_class_name`)).toEqual([
      { name: "Harbour Logistics", sys_class_name: "customer_account" },
    ]);
    expect(await list("sys_user", `sysparm_query=sys_id=${contact}&sysparm_fields=name`)).toEqual([{ name: "Ines Duarte" }]);
  });
});

describe("the service catalog", () => {
  test("an order makes a request, an item, and an option for each of its questions [D, K]", async () => {
    const [item] = await list("sc_cat_item", "sysparm_query=name=Developer laptop");
    const order = async (variables: object) =>
      await maya.call("POST", `/api/sn_sc/servicecatalog/items/${item.sys_id}/order_now`, { sysparm_quantity: "2", variables });
    expect((await order({ memory: "32" })).status).toBe(400);
    const { result } = (await order({ memory: "32", reason: "builds" })).body;
    expect(result).toMatchObject({ table: "sc_request", number: expect.stringMatching(/^REQ\d{7}$/) });
    const [requested] = await list("sc_req_item", `sysparm_query=request=${result.sys_id}&sysparm_exclude_reference_link=true`);
    expect(requested).toMatchObject({ cat_item: item.sys_id, quantity: "2", price: "USD;1499.00" });
    const fields = "sc_item_option.item_option_new.name,sc_item_option.item_option_new.question_text,sc_item_option.value";
    const options = await list("sc_item_option_mtom", `sysparm_query=request_item=${requested.sys_id}^ORDERBYsc_item_option.order&sysparm_fields=${fields}`);
    expect(options.map((option: object) => Object.values(option))).toEqual([
      ["memory", "How much memory?", "32"],
      ["reason", "Why do you need it?", "builds"],
    ]);
  });
});

describe("the dictionary", () => {
  test("says what a class changes in an inherited column as an override, its labels and choices elsewhere [D]", async () => {
    const query = "sysparm_query=name=problem^element=state";
    expect(await list("sys_dictionary", query)).toEqual([]);
    expect(await list("sys_dictionary_override", `${query}&sysparm_fields=base_table,default_value_override,default_value,mandatory_override`)).toEqual([
      { base_table: "task", default_value_override: "true", default_value: "101", mandatory_override: "false" },
    ]);
    expect(await list("sys_documentation", `${query}&sysparm_fields=label`)).toEqual([{ label: "State" }]);
  });

  test("keeps choices that can no longer be chosen as inactive: they have a label, and writing them is dropped [D]", async () => {
    simulator().define({
      name: "incident",
      label: "Incident",
      columns: [{ element: "u_site", label: "Site", choice: 1, choices: [["a", "North"]], inactiveChoices: [["b", "South"]] }],
    });
    expect(await list("sys_choice", "sysparm_query=element=u_site^ORDERBYsequence&sysparm_fields=value,label,inactive")).toEqual([
      { value: "a", label: "North", inactive: "false" },
      { value: "b", label: "South", inactive: "true" },
    ]);
    const old = simulator().plant("incident", { u_site: "b" });
    const shown = await maya.call("GET", `/api/now/table/incident/${old}?sysparm_display_value=all&sysparm_fields=u_site`);
    expect(shown.body.result.u_site).toEqual({ value: "b", display_value: "South" });
    const id = await maya.create("incident", { u_site: "b" });
    expect((await maya.call("GET", `/api/now/table/incident/${id}?sysparm_fields=u_site`)).body.result).toEqual({ u_site: "" });
  });

  test("has rows of their own for labels in further languages [D]", async () => {
    const choices = [["n", "North"]] as const;
    simulator().define({
      name: "problem",
      label: "Problem",
      columns: [{ element: "u_region", label: "Region", choice: 1, choices, translations: { sv: { label: "Område", choices: { n: "Norr" } } } }],
    });
    expect(await list("sys_choice", "sysparm_query=element=u_region^ORDERBYlanguage&sysparm_fields=value,label,language")).toEqual([
      { value: "n", label: "North", language: "en" },
      { value: "n", label: "Norr", language: "sv" },
    ]);
    expect(await list("sys_documentation", "sysparm_query=element=u_region^ORDERBYlanguage&sysparm_fields=label")).toEqual([
      { label: "Region" },
      { label: "Område" },
    ]);
  });

  test("ties the choices of one column to the value of another [D]", async () => {
    expect(await list("sys_choice", "sysparm_query=name=incident^element=subcategory^value=vpn&sysparm_fields=dependent_value")).toEqual([
      { dependent_value: "network" },
    ]);
    expect(await list("sys_dictionary", "sysparm_query=name=incident^element=subcategory&sysparm_fields=dependent")).toEqual([{ dependent: "category" }]);
  });
});

describe("statistics", () => {
  test("count, add up and group [D]", async () => {
    for (const [urgency, severity] of [
      ["1", "1"],
      ["1", "3"],
      ["2", "3"],
    ])
      await maya.create("incident", { short_description: "counted", urgency, severity });
    const stats = async (query: string) => (await maya.call("GET", `/api/now/stats/incident?sysparm_query=short_description=counted&${query}`)).body.result;
    expect(await stats("sysparm_count=true&sysparm_sum_fields=severity&sysparm_max_fields=severity")).toEqual({
      stats: { count: "3", sum: { severity: "7" }, max: { severity: "3" } },
    });
    expect(await stats("sysparm_count=true&sysparm_group_by=urgency&sysparm_display_value=true")).toEqual([
      { stats: { count: "2" }, groupby_fields: [{ field: "urgency", value: "1 - High" }] },
      { stats: { count: "1" }, groupby_fields: [{ field: "urgency", value: "2 - Medium" }] },
    ]);
  });

  test("count what the caller cannot see, and drop unknown fields as lists do [R]", async () => {
    simulator().setAccess("maya.lindqvist", { hiddenRows: { incident: "short_description=counted" } });
    const count = async (query: string) =>
      (await maya.call("GET", `/api/now/stats/incident?sysparm_count=true&sysparm_query=${query}`)).body.result.stats.count;
    expect(await count("short_description=counted")).toBe("3");
    expect(await count("u_nothing=1")).toBe(await count(""));
    simulator().setAccess("maya.lindqvist", {});
  });
});

describe("import sets", () => {
  test("map staging columns, take many at once, and leave out what is no text [D]", async () => {
    await control(simulator().url, "POST", "import-maps", {
      staging: "u_asset_import",
      target: "cmdb_ci_computer",
      coalesce: "serial_number",
      fields: { u_serial: "serial_number" },
    });
    const answer = await admin.call("POST", "/api/now/import/u_asset_import/insertMultiple", {
      records: [
        { u_serial: "S-1", name: "laptop" },
        { u_serial: "S-1", ram: 16 },
        { u_serial: "S-1", ram: "16" },
      ],
    });
    expect(answer.body).toMatchObject({ staging_table: "u_asset_import", import_set: expect.stringMatching(/^ISET\d{7}$/) });
    expect(answer.body.result.map(({ status }: { status: string }) => status)).toEqual(["inserted", "ignored", "updated"]);
    expect(await list("cmdb_ci_computer", "sysparm_query=serial_number=S-1&sysparm_fields=name,ram")).toEqual([{ name: "laptop", ram: "16" }]);
  });
});

describe("values", () => {
  test("money carries its currency, and dates and times are read and shown in the reader's format and zone [D, R]", async () => {
    simulator().addAccount({
      userName: "american",
      password: "p",
      firstName: "Ann",
      lastName: "A",
      email: "ann@servicenow.example",
      dateFormat: "MM/dd/yyyy",
      timeFormat: "hh:mm:ss a",
    });
    const ann = new PersonAtWork(simulator().url, { userName: "american", password: "p" });
    const written = await ann.call("POST", "/api/now/table/dmn_demand?sysparm_input_display_value=true&sysparm_display_value=all", {
      capital_outlay: "12.5",
      start_date: "07/14/2026",
      due_date: "07/13/2026 10:28:40 PM",
    });
    expect(written.body.result).toMatchObject({
      capital_outlay: { value: "USD;12.5", display_value: "$12.50" },
      start_date: { value: "2026-07-14", display_value: "07/14/2026" },
      // Los Angeles is seven hours behind in summer.
      due_date: { value: "2026-07-14 05:28:40", display_value: "07/13/2026 10:28:40 PM" },
    });
    const seen = await maya.call("GET", `/api/now/table/dmn_demand/${written.body.result.sys_id.value}?sysparm_display_value=all&sysparm_fields=due_date`);
    expect(seen.body.result.due_date).toEqual({ value: "2026-07-14 05:28:40", display_value: "2026-07-14 07:28:40" });
  });

  test("durations count from the epoch [R]", async () => {
    const id = await maya.create("incident", { calendar_duration: "1970-01-01 00:02:17" });
    const shown = await maya.call("GET", `/api/now/table/incident/${id}?sysparm_display_value=all&sysparm_fields=calendar_duration`);
    expect(shown.body.result.calendar_duration).toEqual({ value: "1970-01-01 00:02:17", display_value: "2 Minutes 17 Seconds" });
  });
});
