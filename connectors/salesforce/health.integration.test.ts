import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type SimulatedOrg, simulatedOrg } from "./simulator/simulated-org.ts";

let org: SimulatedOrg;

beforeEach(async () => {
  org = await simulatedOrg();
});
afterEach(() => org.close());

const watch = { entityType: "Case", query: "" };

describe("a check", () => {
  it("of an API version that the org does not offer says which ones it does", async () => {
    await expect(org.connector({ apiVersion: "99.0" }).check()).rejects.toMatchObject({
      code: "AUTH_CONFIG",
      message: expect.stringMatching(/version 99\.0 .* newest \d+\.0/),
      advice: expect.stringContaining("apiVersion"),
    });
    expect((await org.connector({ apiVersion: "65.0" }).check()).problems).toEqual([]);
  });

  it("is not needed to hear of such a version: no record is taken for unknown because of it", async () => {
    const connector = org.connector({ apiVersion: "99.0" });
    await expect(connector.poll(watch, undefined, 10)).rejects.toMatchObject({ code: "AUTH_CONFIG", message: expect.stringContaining("99.0") });
    await expect(connector.read([{ type: "Case", id: "500000000000000AAA" }])).rejects.toMatchObject({ code: "AUTH_CONFIG" });
  });

  it("lists what this account may not do", async () => {
    org.simulator.org.access.restrictions = [
      { object: "Case", denied: ["create"], readOnlyFields: ["Priority"] },
      { object: "CaseComment", denied: ["create", "update"] },
      { object: "ContentVersion", denied: ["create"] },
    ];
    const { problems } = await org.connector().check();
    expect(problems.join("\n")).toMatch(/create cases/);
    expect(problems.join("\n")).toMatch(/add case comments/);
    expect(problems.join("\n")).toMatch(/change case comments/);
    expect(problems.join("\n")).toMatch(/add files/);
    expect(problems.join("\n")).toMatch(/may read but not change these fields of cases: Priority\./);
    expect(problems.join("\n")).not.toMatch(/change cases:/);
  });
});

describe("the allowance", () => {
  it("is what the latest answer said [R]", async () => {
    const connector = org.connector();
    expect(connector.allowance?.()).toBeUndefined();
    await connector.findUser({ email: "x@y.example" });
    expect(connector.allowance?.()).toEqual({ used: org.simulator.usage.used, max: 15_000 });
  });

  it("is the org's, not that of the app beside it [D]", async () => {
    const connector = org.connector();
    const headers = { "sforce-limit-info": "per-app-api-usage=17/250(appName=sample), api-usage=25/5000" };
    org.simulator.server.faults.arm({ path: "/query", effect: { kind: "status", status: 200, headers, body: { totalSize: 0, done: true, records: [] } } });
    await connector.findUser({ email: "x@y.example" });
    expect(connector.allowance?.()).toEqual({ used: 25, max: 5000 });
  });

  it("that is nearly used up stops polls before the platform refuses, but not writes", async () => {
    const connector = org.connector({ reserveCalls: 100 });
    await connector.poll(watch, undefined, 10);
    org.simulator.usage.used = org.simulator.usage.max - 101;
    await connector.poll(watch, undefined, 10);
    const before = connector.calls();
    await expect(connector.poll(watch, undefined, 10)).rejects.toMatchObject({
      code: "THROTTLED",
      retryAfterMs: 300_000,
      message: expect.stringContaining("of 15000"),
    });
    expect(connector.calls()).toBe(before);
    const [outcome] = await connector.write([{ kind: "create", entityType: "Case", fields: { Subject: "s" }, marker: "m" }]);
    expect(outcome?.ok).toBe(true);
  });

  it("is asked for again after a while, so that polls go on by themselves", async () => {
    let now = Date.now();
    const connector = org.connector({}, undefined, { now: () => now });
    org.simulator.usage.used = 14_500;
    await connector.findUser({ email: "x@y.example" });
    await expect(connector.poll(watch, undefined, 10)).rejects.toMatchObject({ code: "THROTTLED" });
    org.simulator.usage.used = 100;
    await expect(connector.poll(watch, undefined, 10)).rejects.toMatchObject({ code: "THROTTLED" });
    now += 300_001;
    expect((await connector.poll(watch, undefined, 10)).changes).toEqual([]);
  });
});
