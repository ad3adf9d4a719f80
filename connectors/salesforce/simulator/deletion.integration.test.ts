import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Caller, type SimulatedOrg, simulatedOrg } from "./simulated-org.ts";

let org: SimulatedOrg;
let call: Caller;

const start = Date.parse("2026-05-01T10:00:00Z");
const hour = 3600;
const at = (seconds: number) => org.simulator.server.clock.set({ frozenAt: start + seconds * 1000 });
const iso = (seconds: number) => new Date(start + seconds * 1000).toISOString();
const control = async (path: string, body?: unknown, method = "POST") => {
  expect((await fetch(`${org.simulator.url}/__control/${path}`, { method, ...(body !== undefined && { body: JSON.stringify(body) }) })).ok).toBe(true);
};
const newRecord = async (type: string, fields: object) => (await call("POST", `/sobjects/${type}`, fields)).body.id as string;
const list = async (what: "deleted" | "updated", from: number, to: number, type = "Case") =>
  await call("GET", `/sobjects/${type}/${what}?start=${encodeURIComponent(iso(from))}&end=${encodeURIComponent(iso(to))}`);
const queryAll = async (soql: string) => (await call("GET", `/queryAll?q=${encodeURIComponent(soql)}`)).body;

beforeEach(async () => {
  org = await simulatedOrg();
  call = await org.caller();
  at(0);
});
afterEach(() => org.close());

describe("a list of changed ids", () => {
  it("ignores seconds, and says where the next one begins [D]", async () => {
    const gone = await newRecord("Case", {});
    const kept = await newRecord("Case", {});
    at(90);
    await call("DELETE", `/sobjects/Case/${gone}`);
    at(200);
    expect((await list("deleted", -30, 150)).body).toEqual({
      deletedRecords: [{ id: gone, deletedDate: "2026-05-01T10:01:30.000+0000" }],
      earliestDateAvailable: expect.stringMatching(/\+0000$/),
      latestDateCovered: "2026-05-01T10:02:00.000+0000",
    });
    expect((await list("deleted", -30, 89)).body.deletedRecords).toEqual([]);
    expect((await list("updated", -30, 150)).body).toEqual({ ids: [kept], latestDateCovered: "2026-05-01T10:02:00.000+0000" });
  });

  it("may not be of less than a minute, nor begin more than 30 days ago, nor be too long [D]", async () => {
    expect((await list("deleted", 0, 50)).body[0].errorCode).toBe("INVALID_REPLICATION_DATE");
    expect((await list("updated", -31 * 24 * hour, 0)).body[0].errorCode).toBe("INVALID_REPLICATION_DATE");
    await control("seed", { object: "Case", count: 3 });
    await control("replication", { idLimit: 2 });
    expect(await list("updated", -60, 60)).toMatchObject({ status: 400, body: [{ errorCode: "EXCEEDED_ID_LIMIT" }] });
  });

  it("covers less while a long transaction runs [D]", async () => {
    const id = await newRecord("Case", {});
    at(30 * 60);
    await call("PATCH", `/sobjects/Case/${id}`, { Subject: "t" });
    at(hour);
    await control("replication", { lagMs: 45 * 60_000 });
    expect((await list("updated", 0, hour)).body).toEqual({ ids: [], latestDateCovered: "2026-05-01T10:15:00.000+0000" });
    await control("replication", { lagMs: 0 });
    expect((await list("updated", 0, hour)).body.ids).toEqual([id]);
  });

  it("knows records that left the recycle bin, forgets restored ones, and refuses what the log does not reach [D]", async () => {
    const [purged, restored] = [await newRecord("Case", {}), await newRecord("Case", {})];
    for (const id of [purged, restored]) await call("DELETE", `/sobjects/Case/${id}`);
    await control(`tables/Case/${purged}`, undefined, "DELETE");
    await control(`tables/Case/${restored}/undelete`);
    expect((await list("deleted", -60, 60)).body.deletedRecords.map(({ id }: { id: string }) => id)).toEqual([purged]);
    at(hour);
    await control("replication/purge");
    expect((await list("deleted", 0, hour)).body[0].errorCode).toBe("INVALID_REPLICATION_DATE");
    expect((await list("deleted", hour, 2 * hour)).body.earliestDateAvailable).toBe("2026-05-01T11:00:00.000+0000");
  });
});

describe("a deleted record", () => {
  it("lies in the recycle bin for fifteen days and is gone then [D]", async () => {
    const id = await newRecord("Case", { Subject: "bin" });
    await call("DELETE", `/sobjects/Case/${id}`);
    at(14 * 24 * hour);
    expect((await queryAll("SELECT Id FROM Case WHERE IsDeleted = true")).totalSize).toBe(1);
    org.simulator.accounts.lifetimeMs = Number.MAX_SAFE_INTEGER;
    at(15 * 24 * hour);
    expect((await queryAll("SELECT Id FROM Case WHERE IsDeleted = true")).totalSize).toBe(0);
    expect((await call("GET", `/sobjects/Case/${id}`)).body[0].errorCode).toBe("NOT_FOUND");
  });
});

describe("merged records", () => {
  it.each(["Account", "Contact", "Lead"])("%s: the losers are deleted and name the master, their children go over to it [D]", async (type) => {
    const fields = type === "Account" ? { Name: "a" } : { LastName: "a", Company: "c" };
    const given = type === "Contact" ? { LastName: "a" } : fields;
    const [master, loser] = [await newRecord(type, given), await newRecord(type, given)];
    const link = type === "Account" ? { WhatId: loser } : { WhoId: loser };
    const task = await newRecord("Task", { Subject: "call", ...link });
    at(60);
    await control("merge", { object: type, master, losers: [loser] });
    expect((await queryAll(`SELECT IsDeleted, MasterRecordId, SystemModstamp FROM ${type} WHERE Id = '${loser}'`)).records).toMatchObject([
      { IsDeleted: true, MasterRecordId: master, SystemModstamp: "2026-05-01T10:01:00.000+0000" },
    ]);
    expect((await call("GET", `/sobjects/${type}/${loser}`)).body[0].errorCode).toBe("ENTITY_IS_DELETED");
    const { WhatId, WhoId } = (await call("GET", `/sobjects/Task/${task}`)).body;
    expect(WhatId ?? WhoId).toBe(master);
    expect((await list("deleted", 0, 120, type)).body.deletedRecords).toMatchObject([{ id: loser }]);
  });

  it("of cases bring their comments along, and are told of as one transaction [D]", async () => {
    const [master, loser] = [await newRecord("Case", {}), await newRecord("Case", {})];
    const comment = await newRecord("CaseComment", { ParentId: loser, CommentBody: "c" });
    const [before] = org.simulator.events.after(-2, () => true)?.slice(-1) ?? [];
    await control("merge", { object: "Case", master, losers: [loser] });
    expect((await call("GET", `/sobjects/CaseComment/${comment}`)).body.ParentId).toBe(master);
    const told =
      org.simulator.events.after(before?.replayId ?? -2, () => true)?.map(({ data }) => data.payload as { ChangeEventHeader: Record<string, unknown> }) ?? [];
    expect(told.map(({ ChangeEventHeader }) => [ChangeEventHeader.entityName, ChangeEventHeader.changeType, ChangeEventHeader.recordIds])).toEqual([
      ["CaseComment", "UPDATE", [comment]],
      ["Case", "DELETE", [loser]],
    ]);
    expect(new Set(told.map(({ ChangeEventHeader }) => ChangeEventHeader.transactionKey)).size).toBe(1);
  });

  it("must be of one kind that can be merged, with one or two losers that are not the master [D]", async () => {
    const [master, loser] = [await newRecord("Account", { Name: "a" }), await newRecord("Account", { Name: "b" })];
    const merge = async (object: string, losers: string[]) => {
      const response = await fetch(`${org.simulator.url}/__control/merge`, { method: "POST", body: JSON.stringify({ object, master, losers }) });
      return response.ok;
    };
    expect(await merge("Task", [loser])).toBe(false);
    expect(await merge("Account", [master])).toBe(false);
    expect(await merge("Account", [loser, loser])).toBe(false);
    expect((await call("GET", `/sobjects/Account/${loser}`)).status).toBe(200);
    expect(await merge("Account", [loser])).toBe(true);
  });
});
