import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Connector, Watch, WatchedChange } from "../connector.ts";
import { type Caller, type SimulatedOrg, simulatedOrg } from "./simulator/simulated-org.ts";

let org: SimulatedOrg;
let connector: Connector;
let human: Caller;
const cases: Watch = { entityType: "Case", query: "" };
const start = Date.parse("2026-05-01T00:00:00Z");
const since = "2026-04-30T00:00:00Z";

beforeEach(async () => {
  org = await simulatedOrg();
  at(0);
  connector = org.connector();
  human = await org.caller();
});
afterEach(() => org.close());

function at(seconds: number): void {
  org.simulator.server.clock.set({ frozenAt: start + seconds * 1000 });
}

const made = async (type: string, fields: object) => (await human("POST", `/sobjects/${type}`, fields)).body.id as string;
const newCase = async (fields: object = {}) => await made("Case", { Subject: "s", ...fields });
const control = async (path: string, body: unknown = {}, method = "POST") => {
  const response = await fetch(`${org.simulator.url}/__control/${path}`, { method, ...(method === "POST" && { body: JSON.stringify(body) }) });
  expect(response.ok).toBe(true);
};
const gone = (id: string, type = "Case"): WatchedChange => ({ ref: { type, id }, version: "deleted", deleted: true });

/** Polls to the tip, as the engine does. */
async function poll(watch: Watch, cursor: string | undefined, limit = 200): Promise<{ changes: WatchedChange[]; cursor: string }> {
  const changes: WatchedChange[] = [];
  for (let pages = 1; ; pages++) {
    const page = await connector.poll(watch, cursor, limit, since);
    expect(page.changes.length).toBeLessThanOrEqual(limit);
    changes.push(...page.changes);
    cursor = page.cursor;
    if (!page.more) return { changes, cursor };
    expect(pages).toBeLessThan(100);
  }
}

describe("a deleted record", () => {
  it("is told of once, as deleted, and never a record that is merely hidden", async () => {
    const [deleted, hidden] = [await newCase(), await newCase()];
    let { changes, cursor } = await poll(cases, undefined);
    at(60);
    await human("DELETE", `/sobjects/Case/${deleted}`);
    org.simulator.org.rules.hidden.add(hidden);
    ({ changes, cursor } = await poll(cases, cursor));
    expect(changes).toEqual([gone(deleted)]);
    for (const seconds of [60, 62, 80, 200, 4000]) {
      at(seconds);
      ({ changes, cursor } = await poll(cases, cursor));
      expect(changes).toEqual([]);
    }
  });

  it("costs an idle poll no call of its own", async () => {
    let { cursor } = await poll(cases, undefined);
    at(3600);
    for (let i = 0; i < 2; i++) ({ cursor } = await poll(cases, cursor));
    const before = connector.calls();
    await poll(cases, cursor);
    expect(connector.calls() - before).toBe(1);
  });

  it("is told of although it no longer met the trigger's query, as it may have been synced before", async () => {
    const id = await newCase({ Priority: "High" });
    const watch = { entityType: "Case", query: "Priority = 'High'" };
    let { cursor } = await poll(watch, undefined);
    at(60);
    await human("PATCH", `/sobjects/Case/${id}`, { Priority: "Low" });
    ({ cursor } = await poll(watch, cursor));
    at(120);
    await human("DELETE", `/sobjects/Case/${id}`);
    expect((await poll(watch, cursor)).changes).toEqual([gone(id)]);
  });

  it("is told of where the query holds a sub-select, which may not stand beside an OR", async () => {
    const id = await newCase();
    await human("POST", "/sobjects/CaseComment", { ParentId: id, CommentBody: "c" });
    const watch = { entityType: "Case", query: "Id IN (SELECT ParentId FROM CaseComment WHERE IsDeleted = false)" };
    const { cursor } = await poll(watch, undefined);
    at(60);
    await human("DELETE", `/sobjects/Case/${id}`);
    expect((await poll(watch, cursor)).changes).toEqual([gone(id)]);
  });

  it("that was restored is an ordinary change, with the version that a read gives it", async () => {
    const id = await newCase();
    const { cursor } = await poll(cases, undefined);
    at(60);
    await human("DELETE", `/sobjects/Case/${id}`);
    const after = await poll(cases, cursor);
    at(90);
    await control(`tables/Case/${id}/undelete`);
    const restored = await poll(cases, after.cursor);
    const [outcome] = await connector.read([{ type: "Case", id }]);
    expect(restored.changes).toEqual([{ ref: { type: "Case", id }, version: outcome?.ok && outcome.entity.version }]);
    at(120);
    await human("DELETE", `/sobjects/Case/${id}`);
    expect((await poll(cases, restored.cursor)).changes).toEqual([gone(id)]);
  });

  it("that was restored before anybody looked is not told of as deleted", async () => {
    const id = await newCase();
    const { cursor } = await poll(cases, undefined);
    at(60);
    await human("DELETE", `/sobjects/Case/${id}`);
    at(90);
    await control(`tables/Case/${id}/undelete`);
    expect((await poll(cases, cursor)).changes.map(({ deleted }) => deleted)).toEqual([undefined]);
  });

  it("that is gone from the recycle bin too is found in the platform's list of deleted records", async () => {
    const [purged, binned] = [await newCase(), await newCase()];
    let { changes, cursor } = await poll(cases, undefined);
    at(120);
    for (const id of [purged, binned]) await human("DELETE", `/sobjects/Case/${id}`);
    await control(`tables/Case/${purged}`, undefined, "DELETE");
    at(240);
    ({ changes, cursor } = await poll(cases, cursor));
    expect(changes.toSorted((a, b) => (a.ref.id < b.ref.id ? -1 : 1))).toEqual([gone(purged), gone(binned)]);
    for (const seconds of [250, 400, 4000]) {
      at(seconds);
      ({ changes, cursor } = await poll(cases, cursor));
      expect(changes).toEqual([]);
    }
  });

  it("is told of by the list alone, page by page, where many were purged at once", async () => {
    const ids = await Promise.all(Array.from({ length: 7 }, () => newCase()));
    const { cursor } = await poll(cases, undefined);
    at(120);
    for (const id of ids) {
      await human("DELETE", `/sobjects/Case/${id}`);
      await control(`tables/Case/${id}`, undefined, "DELETE");
    }
    at(240);
    const { changes } = await poll(cases, cursor, 3);
    expect(changes.map(({ ref }) => ref.id).toSorted()).toEqual(ids.toSorted());
    expect(changes.every(({ deleted }) => deleted)).toBe(true);
  });

  it("is found although the list lags behind for hours", async () => {
    await control("replication", { lagMs: 3 * 3_600_000 });
    const id = await newCase();
    let { cursor } = await poll(cases, undefined);
    at(600);
    await human("DELETE", `/sobjects/Case/${id}`);
    await control(`tables/Case/${id}`, undefined, "DELETE");
    const told: WatchedChange[] = [];
    for (let hours = 0; hours < 6; hours++) {
      at(700 + hours * 3600);
      const page = await poll(cases, cursor);
      told.push(...page.changes);
      cursor = page.cursor;
    }
    expect(told).toEqual([gone(id)]);
  });

  it("is found in halves where the list is too long", async () => {
    await control("replication", { idLimit: 3 });
    const { cursor } = await poll(cases, undefined);
    const ids: string[] = [];
    for (let i = 1; i <= 5; i++) {
      at(i * 600);
      const id = await newCase();
      await human("DELETE", `/sobjects/Case/${id}`);
      await control(`tables/Case/${id}`, undefined, "DELETE");
      ids.push(id);
    }
    at(3200);
    let after = await poll(cases, cursor);
    const told = [...after.changes];
    for (let i = 0; i < 4; i++) {
      at(3300 + i * 700);
      after = await poll(cases, after.cursor);
      told.push(...after.changes);
    }
    expect(told.map(({ ref }) => ref.id).toSorted()).toEqual(ids);
  });

  it("is told of by the list where the recycle bin is not for this account", async () => {
    const id = await newCase();
    const { cursor } = await poll(cases, undefined);
    const refusal = { kind: "status", status: 403, body: [{ errorCode: "INSUFFICIENT_ACCESS", message: "no" }] } as const;
    org.simulator.server.faults.arm({ path: "/queryAll", times: 0, effect: refusal });
    org.simulator.server.faults.arm({ path: "/composite$", times: 0, effect: refusal });
    at(700);
    await human("DELETE", `/sobjects/Case/${id}`);
    at(1400);
    expect((await poll(cases, cursor)).changes).toEqual([gone(id)]);
  });

  it("is told of without the list, which not every object has", async () => {
    const id = await newCase();
    const { cursor } = await poll(cases, undefined);
    org.simulator.server.faults.arm({ path: "/deleted", times: 0, effect: { kind: "status", status: 404, body: [{ errorCode: "NOT_FOUND", message: "no" }] } });
    at(60);
    await human("DELETE", `/sobjects/Case/${id}`);
    expect((await poll(cases, cursor)).changes).toEqual([gone(id)]);
  });
});

describe("a merged record", () => {
  it.each([
    ["Account", { Name: "Acme" }],
    ["Contact", { LastName: "Duarte" }],
  ])("(%s) is told of as deleted, with the record that it lives on in", async (type, fields) => {
    const [master, loser] = [await made(type, fields), await made(type, fields)];
    const watch = { entityType: type, query: "" };
    const { cursor } = await poll(watch, undefined);
    at(60);
    await control("merge", { object: type, master, losers: [loser] });
    const { changes } = await poll(watch, cursor);
    expect(changes.filter(({ deleted }) => deleted)).toEqual([
      { ref: { type, id: loser }, version: `deleted/into ${master}`, deleted: true, mergedInto: { type, id: master } },
    ]);
  });
});
