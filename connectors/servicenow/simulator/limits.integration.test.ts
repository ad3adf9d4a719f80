import { afterEach, beforeAll, expect, test } from "vitest";
import { PersonAtWork } from "./person.ts";
import { control, openSimulator } from "./simulator.testbed.ts";
import { seededAccounts, startServiceNowSimulator } from "./simulator.ts";

const simulator = openSimulator();
let maya: PersonAtWork;
beforeAll(() => {
  maya = new PersonAtWork(simulator().url, seededAccounts.maya);
});
const set = async (settings: object) => expect((await control(simulator().url, "POST", "settings", settings)).status).toBe(200);
afterEach(async () => await set({ rateLimits: [], semaphores: null, cancelAfterRows: null, batchItemMs: 0 }));

const incident = "/api/now/table/incident?sysparm_limit=1";

test("a rate limit rule shows itself on successes, and answers 429 with Retry-After once the hour is used up [D]", async () => {
  simulator().clock.set({ frozenAt: Date.parse("2026-07-13T17:58:00Z") });
  await set({ rateLimits: [{ name: "table-rule", api: "table", userName: "maya.lindqvist", perHour: 2 }] });
  const first = await maya.call("GET", incident);
  const reset = String(Date.parse("2026-07-13T18:00:00Z") / 1000);
  const shown = (answer: typeof first) => ["limit", "reset", "rule"].map((name) => answer.headers.get(`x-ratelimit-${name}`));
  expect([first.status, ...shown(first)]).toEqual([200, "2", reset, "table-rule"]);
  await maya.call("GET", incident);
  const third = await maya.call("GET", incident);
  expect([third.status, third.headers.get("retry-after"), ...shown(third)]).toEqual([429, "120", "2", reset, "table-rule"]);
  expect(third.body.error).toEqual({ message: "Rate limit exceeded", detail: "Rate limit of 2 requests per hour for Table API exceeded" });
  const tom = new PersonAtWork(simulator().url, seededAccounts.tom);
  expect((await tom.call("GET", incident)).status).toBe(200);
  expect((await maya.call("GET", "/api/now/stats/incident?sysparm_count=true")).status).toBe(200);
  simulator().clock.set({ frozenAt: Date.parse("2026-07-13T18:00:00Z") });
  expect((await maya.call("GET", incident)).status).toBe(200);
});

test("a refusal may keep quiet about how long to wait", async () => {
  await set({ rateLimits: [{ name: "mute", perHour: 0, retryAfter: false }] });
  const answer = await maya.call("GET", incident);
  expect([answer.status, answer.headers.get("retry-after")]).toEqual([429, null]);
});

test("of two calls at once, one is 503 where the pool has one place and no queue [R, K]", async () => {
  const crowded = await startServiceNowSimulator({ settings: { semaphores: { slots: 1, queue: 0, holdMs: 600_000 } } });
  const worker = new PersonAtWork(crowded.url, seededAccounts.maya);
  const calls = [worker.call("GET", incident), worker.call("GET", incident)];
  // The other one is still at work when the instance goes down.
  const ends = Promise.allSettled(calls);
  expect(await Promise.race(calls)).toMatchObject({ status: 503, body: { error: { message: "Service Unavailable" }, status: "failure" } });
  await crowded.close();
  expect((await ends).map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
});

test("a batch holds one place in the pool, whatever it carries", async () => {
  await set({ semaphores: { slots: 1, queue: 0 } });
  const batch = { batch_request_id: "1", rest_requests: [1, 2].map((id) => ({ id: String(id), method: "GET", url: incident, headers: [] })) };
  const { body } = await maya.call("POST", "/api/now/v1/batch", batch);
  expect(body.serviced_requests.map(({ status_code }: { status_code: number }) => status_code)).toEqual([200, 200]);
});

test("a batch serves what its 30 s suffice for, the rest comes back unserviced [D]", async () => {
  await set({ batchItemMs: 700 });
  const items = Array.from({ length: 50 }, (_, id) => ({ id: String(id), method: "GET", url: incident, headers: [] }));
  const { body } = await maya.call("POST", "/api/now/v1/batch", { batch_request_id: "1", rest_requests: items });
  expect([body.serviced_requests.length, body.unserviced_requests.length]).toEqual([42, 8]);
});

test("a long list is cut with 200 and an error beside its rows [R]", async () => {
  for (let n = 0; n < 3; n++) await maya.create("problem", {});
  await set({ cancelAfterRows: 2 });
  const answer = await maya.call("GET", "/api/now/table/problem");
  expect(answer).toMatchObject({ status: 200, body: { error: { message: "Transaction cancelled: maximum execution time exceeded" }, status: "failure" } });
  expect(answer.body.result).toHaveLength(2);
});
