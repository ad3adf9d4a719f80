import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { EntityRef, WriteOperation } from "../connector.ts";
import { openTestbed, type Testbed } from "./testbed.ts";

let bed: Testbed;
beforeEach(async () => {
  bed = await openTestbed();
});
afterEach(() => bed.close());

const plants = (count: number): EntityRef[] =>
  Array.from({ length: count }, (_, n) => ({ type: "incident", id: bed.simulator.plant("incident", { short_description: `incident ${n}` }) }));
const ids = (refs: readonly EntityRef[]) => refs.map(({ id }) => id);
const read = async (refs: readonly EntityRef[], by = bed.connector) => (await by.read(refs)).map((outcome) => outcome.ok && outcome.entity.ref.id);

describe("reads that are wanted at the same time", () => {
  test("go out as one batch, for hundreds of records with comments and attachments", async () => {
    const refs = plants(250);
    await bed.connector.describe("incident");
    bed.calls();
    expect(await read(refs)).toEqual(ids(refs));
    expect(bed.calls()).toEqual(["POST /api/now/v1/batch"]);
  });

  test("go out one by one where the account may not use the Batch API, which is not asked for again at once", async () => {
    const refs = plants(3);
    bed.simulator.setAccess("isobridge", { batchDenied: true });
    expect(await read(refs)).toEqual(ids(refs));
    bed.calls();
    expect(await read(refs)).toEqual(ids(refs));
    expect(bed.calls().toSorted()).toEqual(["GET /api/now/table/incident", "GET /api/now/table/sys_attachment", "GET /api/now/table/sys_journal_field"]);
  });

  test("that the batch had no time for are asked for again, and none is lost [D]", async () => {
    const refs = plants(30);
    Object.assign(bed.simulator.settings, { batchServes: 2 });
    expect(await read(refs)).toEqual(ids(refs));
    Object.assign(bed.simulator.settings, { batchServes: 0 });
    expect(await read(refs)).toEqual(ids(refs));
  });

  test("one of which fails inside the batch is tried by itself", async () => {
    const refs = plants(3);
    await bed.connector.describe("incident");
    bed.simulator.arm({
      path: "table/incident",
      times: 1,
      effect: { kind: "status", status: 500, body: { error: { message: "Something went wrong", detail: null } } },
    });
    expect(await read(refs)).toEqual(ids(refs));
  });

  test("whose batch is answered by a web page fail with the reason once single calls show it too", async () => {
    const refs = plants(2);
    await bed.connector.describe("incident");
    bed.simulator.arm({ times: 0, effect: { kind: "html" } });
    await expect(read(refs)).rejects.toMatchObject({ code: "PROTOCOL" });
  });

  test("are one throttled call when the instance has had enough, not one for each", async () => {
    const refs = plants(2);
    await bed.connector.describe("incident");
    bed.calls();
    bed.simulator.arm({
      times: 0,
      effect: { kind: "status", status: 429, headers: { "retry-after": "60" }, body: { error: { message: "Rate limit exceeded", detail: null } } },
    });
    await expect(read(refs)).rejects.toMatchObject({ code: "THROTTLED", retryAfterMs: 60_000 });
    expect(bed.calls()).toHaveLength(1);
  });
});

describe("a trigger's query that is too long for an address", () => {
  test("is said to be too long where the instance does not take it in a batch either", async () => {
    const query = `short_descriptionLIKE${"x".repeat(9000)}`;
    await expect(bed.connector.checkQuery({ entityType: "incident", query })).rejects.toMatchObject({ code: "TOO_LARGE" });
    await expect(bed.connector.poll({ entityType: "incident", query }, undefined, 10, "2020-01-01T00:00:00Z")).rejects.toMatchObject({ code: "TOO_LARGE" });
  });
});

describe("writes that a batch had no time for", () => {
  test("are sent in smaller batches, each once, with their own outcomes [D]", async () => {
    const refs = plants(60);
    await bed.connector.describe("incident");
    Object.assign(bed.simulator.settings, { batchServes: 25 });
    bed.calls();
    const operations = refs.map((ref): WriteOperation => ({ kind: "addComment", ref, body: `on ${ref.id}`, internal: false, marker: "m" }));
    expect((await bed.connector.write(operations)).every(({ ok }) => ok)).toBe(true);
    expect(bed.simulator.rows("sys_journal_field")).toHaveLength(60);
    expect(bed.calls().length).toBeLessThan(8);
  });

  test("are sent one by one when batches get nothing done", async () => {
    const refs = plants(3);
    Object.assign(bed.simulator.settings, { batchServes: 0 });
    const outcomes = await bed.connector.write(refs.map((ref): WriteOperation => ({ kind: "update", ref, fields: { urgency: "1" } })));
    expect(outcomes).toEqual(refs.map(({ id }) => ({ ok: true, id })));
  });
});

describe("the allowance", () => {
  test("is unknown until an answer tells of a rate limit, and then counts our calls of the hour [D]", async () => {
    await bed.connector.find("incident", [], 1);
    expect(bed.connector.allowance?.()).toBeUndefined();
    Object.assign(bed.simulator.settings, { rateLimits: [{ name: "all", perHour: 5, retryAfter: false }] });
    await bed.connector.find("incident", [], 1);
    await bed.connector.find("incident", [], 1);
    expect(bed.connector.allowance?.()).toEqual({ used: 2, max: 5 });
  });

  test("that is used up is THROTTLED until the hour ends, also where nothing says how long to wait [D]", async () => {
    Object.assign(bed.simulator.settings, { rateLimits: [{ name: "all", perHour: 1, retryAfter: false }] });
    const connector = bed.connect({ retry: { tries: 1 } });
    await connector.find("incident", [], 1).catch(() => undefined);
    const error = await connector.find("incident", [], 1).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "THROTTLED" });
    expect((error as { retryAfterMs: number }).retryAfterMs).toBeGreaterThan(0);
    expect((error as { retryAfterMs: number }).retryAfterMs).toBeLessThanOrEqual(3_600_000);
    expect(connector.allowance?.()).toEqual({ used: 1, max: 1 });
  });
});

describe("people", () => {
  test("are written and found by e-mail and user name too, and one who is nobody is reported as not kept", async () => {
    const maya = bed.simulator.rows("sys_user").find(({ user_name }) => user_name === "maya.lindqvist") ?? {};
    const [byMail, byName, nobody] = plants(3);
    if (byMail === undefined || byName === undefined || nobody === undefined) throw new Error("three were planted");
    const outcomes = await bed.connector.write([
      { kind: "update", ref: byMail, fields: { caller_id: maya.email ?? "" } },
      { kind: "update", ref: byName, fields: { caller_id: "maya.lindqvist", watch_list: ["maya.lindqvist"] } },
      { kind: "update", ref: nobody, fields: { caller_id: "no.such.person" } },
    ]);
    expect(outcomes).toMatchObject([{ ok: true }, { ok: true }, { ok: true, dropped: ["caller_id"] }]);
    for (const ref of [byMail, byName]) expect((await bed.read(ref)).fields.caller_id).toMatchObject({ id: maya.sys_id, display: "Maya Lindqvist" });
    expect((await bed.read(byName)).fields.watch_list).toMatchObject([{ id: maya.sys_id }]);
    for (const key of [maya.email ?? "", "maya.lindqvist", "Maya Lindqvist"])
      expect(await bed.connector.findByKey("sys_user", key)).toEqual({ type: "sys_user", id: maya.sys_id });
    expect(await bed.connector.findByKey("sys_user", "nobody@example.com")).toBeUndefined();
  });
});
