import { request } from "node:http";
import { beforeAll, describe, expect, test } from "vitest";
import type { Fault } from "../../simulation/faults.ts";
import { PersonAtWork } from "./person.ts";
import { control, openSimulator } from "./simulator.testbed.ts";
import { seededAccounts, startServiceNowSimulator } from "./simulator.ts";

const simulator = openSimulator();
let maya: PersonAtWork;
beforeAll(() => {
  maya = new PersonAtWork(simulator().url, seededAccounts.maya);
});
const incident = "/api/now/table/incident";
const arm = async (fault: Fault) => expect((await control(simulator().url, "POST", "faults", fault)).status).toBe(204);
const known = (text: string) =>
  simulator()
    .rows("incident")
    .some(({ short_description }) => short_description === text);

describe("faults, armed through the control API", () => {
  test("a 5xx may come before or after the write was applied", async () => {
    const body = { error: { message: "Service Unavailable", detail: null }, status: "failure" };
    await arm({ method: "POST", effect: { kind: "status", status: 503, body } });
    await arm({ method: "POST", effect: { kind: "status", status: 502, body, applied: true } });
    expect(await maya.call("POST", incident, { short_description: "before" })).toMatchObject({ status: 503, body });
    expect(await maya.call("POST", incident, { short_description: "after" })).toMatchObject({ status: 502, body });
    expect([known("before"), known("after")]).toEqual([false, true]);
  });

  test("a connection may end before or after the write was applied, and the log says 0", async () => {
    await arm({ method: "POST", effect: { kind: "reset" } });
    await arm({ method: "POST", effect: { kind: "lost-reply" } });
    await expect(maya.call("POST", incident, { short_description: "reset" })).rejects.toThrow();
    await expect(maya.call("POST", incident, { short_description: "lost" })).rejects.toThrow();
    expect([known("reset"), known("lost")]).toEqual([false, true]);
    const log = await control(simulator().url, "GET", `requests?method=POST&path=${encodeURIComponent("/incident$")}`);
    expect(log.body).toMatchObject([{ status: 503 }, { status: 502 }, { status: 0 }, { status: 0, body: '{"short_description":"lost"}' }]);
  });

  test("a body may break off midway, or be cut short as if it were whole", async () => {
    await arm({ effect: { kind: "truncate" } });
    await expect(maya.call("GET", incident)).rejects.toThrow();
    await arm({ effect: { kind: "truncate", complete: true } });
    const cut = await maya.call("GET", incident);
    expect([cut.status, cut.body]).toEqual([200, expect.stringMatching(/^\{"result":/)]);
  });

  test("a body may drip, a page may stand in for it with 200 or a redirect, and an answer may be late", async () => {
    const whole = (await maya.call("GET", `${incident}?sysparm_limit=1`)).body;
    expect(whole.result).toHaveLength(1);
    await arm({ effect: { kind: "drip", bytes: 100, ms: 1 } });
    expect((await maya.call("GET", `${incident}?sysparm_query=sys_id=${whole.result[0].sys_id}`)).body).toEqual(whole);
    await arm({ effect: { kind: "html", page: "hibernating" } });
    expect((await maya.call("GET", incident)).body).toContain("hibernating");
    await arm({ effect: { kind: "html", status: 302 } });
    expect((await maya.call("GET", incident)).status).toBe(302);
    await arm({ path: "/problem", effect: { kind: "delay", ms: 500 } });
    const order: string[] = [];
    const asked = ["problem", "incident"].map(async (table) => {
      await maya.call("GET", `/api/now/table/${table}?sysparm_limit=1`);
      order.push(table);
    });
    await Promise.all(asked);
    expect(order).toEqual(["incident", "problem"]);
  });

  test("they hit items inside a batch too, where what is lost is an item that failed", async () => {
    await arm({ path: "/table/incident$", effect: { kind: "lost-reply" } });
    const item = { id: "1", method: "POST", url: incident, headers: [{ name: "Content-Type", value: "application/json" }] };
    const body = Buffer.from(JSON.stringify({ short_description: "in a batch" })).toString("base64");
    const answer = await maya.call("POST", "/api/now/v1/batch", { batch_request_id: "1", rest_requests: [{ ...item, body }] });
    expect([answer.status, answer.body.serviced_requests[0].status_code, known("in a batch")]).toEqual([200, 500, true]);
  });

  test("what is ill-formed is refused with the reason", async () => {
    expect(await control(simulator().url, "POST", "faults", { effect: { kind: "magic" } })).toMatchObject({
      status: 400,
      body: { error: expect.stringContaining("kind") },
    });
    expect(await control(simulator().url, "POST", "settings", { attachmentLimitBytes: "much" })).toMatchObject({ status: 400 });
  });
});

describe("time", () => {
  test("a tie storm: many records of the same second [R]", async () => {
    const stamp = "2026-02-03 04:05:06";
    const made = await control(simulator().url, "POST", "tables/problem/ties", { count: 250, stamp, fields: { short_description: "tied" } });
    expect(made.body).toHaveLength(250);
    const page = await maya.call(
      "GET",
      `/api/now/table/problem?sysparm_query=sys_updated_on=${stamp}^ORDERBYsys_updated_on^ORDERBYsys_id&sysparm_limit=100&sysparm_offset=200`,
    );
    expect([page.body.result.length, page.headers.get("x-total-count")]).toEqual([50, "250"]);
  });

  test("the clock stops, jumps and is cut to the second in stamps [R]", async () => {
    await control(simulator().url, "POST", "clock", { frozenAt: Date.parse("2026-02-03T04:05:06.999Z") });
    const answer = await maya.call("POST", incident, {});
    expect([answer.body.result.sys_created_on, answer.headers.get("date")]).toEqual(["2026-02-03 04:05:06", "Tue, 03 Feb 2026 04:05:06 GMT"]);
    await control(simulator().url, "POST", "clock", { frozenAt: null, offsetMs: -86_400_000 });
    const yesterday = (await maya.call("POST", incident, {})).body.result.sys_created_on;
    expect(yesterday < new Date().toISOString().slice(0, 10)).toBe(true);
  });
});

describe("the simulator by itself", () => {
  test("tells at its root what it is, who may sign in, and what its control API can do", async () => {
    const page = await (await fetch(simulator().url)).text();
    for (const told of ["Simulated ServiceNow instance", "maya.lindqvist", "POST /__control/faults", "POST /__control/webhooks", "POST /__control/scripts"])
      expect(page).toContain(told);
  });

  test("keeps its control API to those who know the token, where there is one", async () => {
    const guarded = await startServiceNowSimulator({ controlToken: "only for tests" });
    try {
      const ask = async (headers: Record<string, string>) => (await fetch(`${guarded.url}/__control/tables/incident`, { headers })).status;
      expect([await ask({}), await ask({ "x-control-token": "guess" })]).toEqual([401, 401]);
      expect([await ask({ "x-control-token": "only for tests" }), await ask({ authorization: "Bearer only for tests" })]).toEqual([200, 200]);
    } finally {
      await guarded.close();
    }
  });
});

describe("what the wire must carry", () => {
  async function raw(method: string, headers: Record<string, string>, body = ""): Promise<number | undefined> {
    const { userName, password } = seededAccounts.maya;
    return await new Promise((resolve, reject) => {
      request(`${simulator().url}${incident}`, { method, auth: `${userName}:${password}`, headers }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .once("error", reject)
        .end(body);
    });
  }

  test("Accept and, with a body, Content-Type: without them 400, with others 406 and 415 [D]", async () => {
    expect(await raw("GET", {})).toBe(400);
    expect(await raw("GET", { accept: "image/png" })).toBe(406);
    expect(await raw("POST", { accept: "application/json" }, "{}")).toBe(400);
    expect(await raw("POST", { accept: "application/json", "content-type": "text/plain" }, "{}")).toBe(415);
    expect(await raw("POST", { accept: "application/json", "content-type": "application/json; charset=utf-8" }, "{}")).toBe(201);
  });

  test("answers carry the headers that were recorded [R]", async () => {
    const { headers } = await maya.call("GET", incident);
    expect([headers.get("server"), headers.get("x-is-logged-in"), headers.get("cache-control")]).toEqual([
      "snow_adc",
      "true",
      "no-cache,no-store,must-revalidate,max-age=-1",
    ]);
    expect(headers.get("x-transaction-id")).toMatch(/^[0-9a-f]{12}$/);
  });

  test("of a list in the body only the first record counts [D]", async () => {
    const answer = await maya.call("POST", incident, [{ short_description: "first of two" }, { short_description: "second of two" }]);
    expect([answer.status, answer.body.result.short_description, known("second of two")]).toEqual([201, "first of two", false]);
  });

  test("a filter beside a query is not looked at, and parameters without meaning here change nothing [D]", async () => {
    const seen = async (query: string) => (await maya.call("GET", `${incident}?${query}`)).headers.get("x-total-count");
    const one = await seen("sysparm_query=short_description=first of two");
    expect(one).toBe("1");
    expect(await seen("sysparm_query=short_description=first of two&category=network")).toBe(one);
    expect(await seen("sysparm_query=short_description=first of two&sysparm_view=mobile&sysparm_query_no_domain=true&sysparm_query_category=x")).toBe(one);
  });
});
