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
const only = async (query: string) => await maya.call("GET", `${incident}?sysparm_query=${encodeURIComponent(query)}&sysparm_fields=sys_id,short_description`);
const names = async (query: string) => (await only(query)).body.result.map((row: { short_description: string }) => row.short_description).toSorted();

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
    const beta = await tom.create("incident", { short_description: "q beta", urgency: "2", category: "hardware" });
    await tom.attach("incident", beta, "joined.txt", Buffer.from("x"));
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
    ["roles are found one by one behind a reference [D]", "short_descriptionSTARTSWITHq^opened_by.roles=itil^urgency=3", ["q Gamma"]],
    ["a role that nobody has finds nothing [D]", "short_descriptionSTARTSWITHq^opened_by.roles=nobody", []],
    ["dot-walking [D]", "short_descriptionSTARTSWITHq^opened_by.email=tom.okafor@servicenow.example^urgency=3", ["q Gamma"]],
    ["scripted values are worked out for the caller [D]", "short_descriptionSTARTSWITHq^sys_created_by=javascript:gs.getUserName()", []],
    ["BETWEEN [D]", "short_descriptionSTARTSWITHq^urgencyBETWEEN2@3", ["q Gamma", "q beta"]],
    ["empty is never less [D]", "short_descriptionSTARTSWITHq^due_date<javascript:gs.dateGenerate('2026-06-01','00:00:00')", ["q alpha"]],
    ["fields of other classes are unknown, and so dropped [R]", "short_descriptionSTARTSWITHq^known_error!=true", ["q Gamma", "q alpha", "q beta"]],
    ["text search looks into several fields [D]", "123TEXTQUERY321=alpha", ["q alpha"]],
    ["SAMEAS compares two fields [D]", "short_descriptionSTARTSWITHq^urgencySAMEASimpact", ["q Gamma"]],
    ["GT_FIELD too [D]", "short_descriptionSTARTSWITHq^impactGT_FIELDurgency", ["q alpha", "q beta"]],
    ["INSTANCEOF [D]", "short_descriptionSTARTSWITHq^sys_class_nameINSTANCEOFtask^urgency=1", ["q alpha"]],
    ["ON looks at the two instants after the name [D]", "due_dateONToday@javascript:gs.dateGenerate('2026-01-01','00:00:00')@2026-01-01 23:59:59", ["q alpha"]],
    ["RELATIVEGT [D]", "short_descriptionSTARTSWITHq^sys_created_onRELATIVEGT@hour@ago@1^urgency=2", ["q beta"]],
    ["RELATIVELT [D]", "short_descriptionSTARTSWITHq^sys_created_onRELATIVELT@hour@ago@1", []],
    ["DATEPART: the first of January 2026 was a Thursday [D]", "due_dateDATEPARTThursday@javascript:gs.datePart('dayofweek','thursday','EE')", ["q alpha"]],
    ["MORETHAN between two fields [D]", "due_dateMORETHANopened_at@day@before@1^short_descriptionSTARTSWITHq", ["q alpha"]],
    ["DYNAMIC: the shipped filter for me [K]", "short_descriptionSTARTSWITHq^opened_byDYNAMIC90d1921e5f510100a9ad2572f2b477fe", []],
    ["EQ ends nothing but the conditions [D]", "short_description=q beta^EQ", ["q beta"]],
    ["changes are not known to a list, and so dropped", "short_description=q beta^stateVALCHANGES", ["q beta"]],
    ["an attachment joined [D]", "JOINincident.sys_id=sys_attachment.table_sys_id!file_name=joined.txt", ["q beta"]],
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

  test("a related list counts what points here [D]", async () => {
    const [opener] = (await maya.call("GET", "/api/now/table/sys_user?sysparm_query=user_name=tom.okafor&sysparm_fields=sys_id")).body.result;
    const users = async (query: string) =>
      (await maya.call("GET", `/api/now/table/sys_user?sysparm_query=${query}^ORDERBYuser_name&sysparm_fields=user_name`)).body.result.map(
        ({ user_name }: { user_name: string }) => user_name,
      );
    expect(opener).toBeDefined();
    expect(await users("RLQUERYincident.opened_by,>=2^short_descriptionSTARTSWITHq^ENDRLQUERY")).toEqual(["tom.okafor"]);
    expect(await users("RLQUERYincident.opened_by,=0^ENDRLQUERY")).not.toContain("tom.okafor");
  });
});
