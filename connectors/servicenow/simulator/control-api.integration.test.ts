import { afterAll, beforeAll, expect, test } from "vitest";
import { PersonAtWork } from "./person.ts";
import { type ServiceNowSimulator, seededAccounts, startServiceNowSimulator } from "./simulator.ts";

let simulator: ServiceNowSimulator;
beforeAll(async () => {
  simulator = await startServiceNowSimulator();
});
afterAll(() => simulator.close());

async function control(method: string, path: string, body?: unknown) {
  const response = await fetch(`${simulator.url}/__control/${path}`, { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  const text = await response.text();
  return { status: response.status, body: text === "" ? undefined : JSON.parse(text) };
}

test("rows are planted, shown and rewritten past all rules, also with stamps of another time", async () => {
  const planted = await control("POST", "tables/incident", [{ short_description: "old", sys_updated_on: "2020-01-01 00:00:00" }]);
  const [id] = planted.body;
  expect((await control("GET", "tables/incident")).body).toMatchObject([{ sys_id: id, number: "INC0010001", sys_updated_on: "2020-01-01 00:00:00" }]);
  expect((await control("PATCH", `tables/incident/${id}`, { short_description: "rewritten" })).status).toBe(204);
  expect((await control("GET", "tables/incident")).body).toMatchObject([{ short_description: "rewritten", sys_mod_count: "0" }]);
  expect((await control("GET", "tables/nothing")).status).toBe(404);
});

test("people, their rights, tables and business rules are added while it runs", async () => {
  const person = { userName: "new.person", password: "p", firstName: "New", lastName: "Person", email: "new@servicenow.example" };
  expect((await control("POST", "accounts", person)).status).toBe(201);
  expect((await control("POST", "accounts/new.person/access", { readOnlyTables: ["incident"] })).status).toBe(204);
  expect((await control("POST", "schema", { name: "u_thing", label: "Thing", columns: [{ element: "u_name", label: "Name" }] })).status).toBe(204);
  expect((await control("POST", "rules", { table: "problem", name: "None", abortWhen: "" })).status).toBe(204);
  const worker = new PersonAtWork(simulator.url, person);
  expect((await worker.call("POST", "/api/now/table/incident", {})).status).toBe(403);
  expect((await worker.call("POST", "/api/now/table/u_thing", { u_name: "n" })).body.result).toEqual({ u_name: "n" });
  expect((await worker.call("POST", "/api/now/table/problem", {})).status).toBe(403);
});

test("settings are switched, and sessions ended", async () => {
  expect((await control("POST", "settings", { batchServes: 1, commitDelayMs: 0 })).body).toMatchObject({ batchServes: 1, commitDelayMs: 0 });
  const form = { client_id: "isobridge-client", client_secret: "isobridge-client-secret", grant_type: "client_credentials" };
  const token = async () =>
    String(
      ((await (await fetch(`${simulator.url}/oauth_token.do`, { method: "POST", body: new URLSearchParams(form) })).json()) as { access_token: string })
        .access_token,
    );
  const first = await token();
  expect((await control("POST", "session/expire")).status).toBe(204);
  const maya = new PersonAtWork(simulator.url, seededAccounts.maya);
  expect((await maya.call("GET", "/api/now/table/incident", undefined, { authorization: `Bearer ${first}` })).status).toBe(401);
  expect(await token()).not.toBe(first);
});
