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
