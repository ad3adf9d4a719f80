import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { PersonAtWork } from "./person.ts";
import { type ServiceNowSimulator, seededAccounts, startServiceNowSimulator } from "./simulator.ts";

let simulator: ServiceNowSimulator;
let maya: PersonAtWork;
let integration: PersonAtWork;
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
  maya = new PersonAtWork(simulator.url, seededAccounts.maya);
  integration = new PersonAtWork(simulator.url, seededAccounts.integration);
});
afterAll(() => simulator.close());
afterEach(() => {
  simulator.clearFaults();
  simulator.clock.set({ frozenAt: null, offsetMs: 0 });
  simulator.setAccess("maya.lindqvist", {});
  Object.assign(simulator.settings, { batchServes: null, invalidQueryMatchesNothing: false });
});

const incident = "/api/now/table/incident";

describe("schema", () => {
  test("inherited columns stand under the parent, the table itself is the row of type collection [D]", async () => {
    const rows = (await integration.call("GET", "/api/now/table/sys_dictionary?sysparm_query=name=incident&sysparm_fields=element,internal_type")).body.result;
    expect(rows).toContainEqual({ element: "", internal_type: "collection" });
    expect(rows.map((row: { element: string }) => row.element)).not.toContain("short_description");
    const object = (await integration.call("GET", "/api/now/table/sys_db_object?sysparm_query=name=incident&sysparm_fields=name,super_class.name")).body.result;
    expect(object).toEqual([{ name: "incident", "super_class.name": "task" }]);
  });

  test("choices differ by class: 3 is On Hold for an incident and Closed Complete for a task [R]", async () => {
    const label = async (table: string) =>
      (await integration.call("GET", `/api/now/table/sys_choice?sysparm_query=name=${table}^element=state^value=3&sysparm_fields=label`)).body.result;
    expect([await label("incident"), await label("task")]).toEqual([[{ label: "On Hold" }], [{ label: "Closed Complete" }]]);
  });

  test("custom tables and columns come by option and while it runs", async () => {
    expect((await maya.call("POST", "/api/now/table/u_asset", { u_serial: "S-1" })).body.result.u_serial).toBe("S-1");
    simulator.define({ name: "incident", label: "Incident", columns: [{ element: "u_region", label: "Region" }] });
    const id = await maya.create("incident", { short_description: "custom", u_region: "north" });
    expect((await maya.call("GET", `${incident}/${id}`)).body.result.u_region).toBe("north");
  });
});
