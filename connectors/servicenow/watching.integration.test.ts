import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Connector, Watch } from "../connector.ts";
import { openTestbed, type Testbed } from "./testbed.ts";

let bed: Testbed;
beforeEach(async () => {
  bed = await openTestbed();
});
afterEach(() => bed.close());

const everything: Watch = { entityType: "incident", query: "" };
const since = "2020-01-01T00:00:00Z";

/** Polls until nothing more comes at once; gives the ids of all changes, page by page. */
async function drain(cursor: string | undefined, options: { watch?: Watch; limit?: number; by?: Connector; since?: string } = {}) {
  const { watch = everything, limit = 100, by = bed.connector } = options;
  const pages: string[][] = [];
  let position = cursor;
  for (let turn = 0; turn < 500; turn++) {
    const page = await by.poll(watch, position, limit, options.since);
    position = page.cursor;
    pages.push(page.changes.map(({ ref }) => ref.id));
    if (!page.more) return { ids: pages.flat(), pages, cursor: page.cursor };
  }
  throw new Error("the poll never ends");
}

describe("polling", () => {
  test("starts at now when nothing else is said, and then sees new and changed records with their version", async () => {
    const old = await bed.create({ short_description: "old", sys_updated_on: "2020-01-01 00:00:00" });
    bed.simulator.clock.set({ offsetMs: 5000 });
    const start = await bed.connector.poll(everything, undefined, 10);
    expect([start.changes, start.more]).toEqual([[], false]);
    const fresh = await bed.create({ short_description: "fresh" });
    await bed.maya.change("incident", old.id, { urgency: "1" });
    const page = await bed.connector.poll(everything, start.cursor, 10);
    expect(page.changes.map(({ ref }) => ref.id).toSorted()).toEqual([old.id, fresh.id].toSorted());
    for (const change of page.changes) expect(change.version).toBe((await bed.read(change.ref)).version);
  });

  test("starts at an instant when one is given, oldest first", async () => {
    for (const [n, day] of [
      [1, "03"],
      [2, "01"],
      [3, "02"],
    ])
      bed.simulator.plant("incident", { short_description: `n ${n}`, sys_updated_on: `2026-01-${day} 00:00:00`, sys_id: `${n}`.repeat(32) });
    expect((await drain(undefined, { since: "2026-01-02T00:00:00Z" })).ids).toEqual(["3".repeat(32), "1".repeat(32)]);
  });

  test("an idle poll takes one call, and tells nothing twice", async () => {
    await bed.create({ short_description: "one" });
    const { cursor } = await drain(undefined, { since });
    bed.calls();
    const again = await bed.connector.poll(everything, cursor, 10);
    expect(again.changes).toEqual([]);
    expect(bed.calls()).toEqual(["POST /api/now/v1/batch"]);
  });

  test.each([
    ["are closed to us", 403, "User Not Authorized"],
    ["are not there", 400, "Invalid table"],
  ])(
    "goes on with the table alone where journal and attachments %s, asks for them again after a while, and then misses nothing",
    async (_what, status, message) => {
      const by = bed.connect({ schemaSeconds: 0.5 });
      const ref = await bed.create({ short_description: "alone" });
      const start = await drain(undefined, { since, by });
      const effect = { kind: "status", status, body: { error: { message, detail: null }, status: "failure" } } as const;
      for (const path of ["/table/sys_journal_field", "/table/sys_attachment", "/attachment\\?"]) bed.simulator.arm({ path, times: 0, effect });
      expect(await drain(start.cursor, { by })).toMatchObject({ ids: [] });
      await bed.maya.attach("incident", ref.id, "a.txt", Buffer.from("a"));
      const other = await bed.create({ short_description: "seen" });
      const alone = await drain(start.cursor, { by });
      expect(alone.ids).toEqual([other.id]);
      expect((await by.check()).problems).toEqual([expect.stringContaining("sys_journal_field"), expect.stringContaining("sys_attachment")]);
      bed.simulator.clearFaults();
      await expect.poll(async () => (await drain(alone.cursor, { by })).ids, { timeout: 5000 }).toEqual([ref.id]);
    },
  );

  test("sees attachments where their own address lists them and their table is not there [D]", async () => {
    const ref = await bed.create({ short_description: "apart" });
    const start = await drain(undefined, { since });
    const effect = { kind: "status", status: 400, body: { error: { message: "Invalid table sys_attachment", detail: null }, status: "failure" } } as const;
    bed.simulator.arm({ path: "/table/sys_attachment", times: 0, effect });
    await bed.maya.attach("incident", ref.id, "a.txt", Buffer.from("a"));
    expect((await drain(start.cursor)).ids).toEqual([ref.id]);
    expect((await bed.read(ref)).attachments).toMatchObject([{ filename: "a.txt", filesize: 1 }]);
    expect((await bed.connector.check()).problems).toEqual([]);
  });

  test("does not ask at every poll for what is out of reach", async () => {
    const effect = { kind: "status", status: 403, body: { error: { message: "User Not Authorized", detail: null }, status: "failure" } } as const;
    for (const table of ["sys_journal_field", "sys_attachment"]) bed.simulator.arm({ path: `/table/${table}`, times: 0, effect });
    const { cursor } = await drain(undefined, { since });
    bed.calls();
    await bed.connector.poll(everything, cursor, 10);
    expect(bed.tables().toSorted()).toEqual(["incident", "sys_audit_delete"]);
  });

  test("sees comments and attachments, also where they leave the record alone [K], and only of records that match", async () => {
    const match = await bed.create({ short_description: "match", category: "network" });
    const other = await bed.create({ short_description: "other", category: "software" });
    const watch = { entityType: "incident", query: "category=network" };
    const { cursor } = await drain(undefined, { watch, since });
    await bed.maya.attach("incident", match.id, "a.txt", Buffer.from("a"));
    await bed.maya.attach("incident", other.id, "a.txt", Buffer.from("a"));
    const page = await bed.connector.poll(watch, cursor, 10);
    expect(page.changes.map(({ ref }) => ref.id)).toEqual([match.id]);
    expect(page.changes[0]?.version).toBe((await bed.read(match)).version);
    bed.simulator.plant("sys_journal_field", {
      name: "incident",
      element: "comments",
      element_id: match.id,
      value: "past all rules",
      sys_created_by: "maya.lindqvist",
    });
    const next = await bed.connector.poll(watch, page.cursor, 10);
    expect(next.changes.map(({ ref }) => ref.id)).toEqual([match.id]);
    expect(next.changes[0]?.version).not.toBe(page.changes[0]?.version);
    expect((await bed.connector.poll(watch, next.cursor, 10)).changes).toEqual([]);
  });

  test("comes to an end with pages of one, too", async () => {
    const refs = [await bed.create({ short_description: "one", comments: "c" }), await bed.create({ short_description: "two" })];
    for (const { id } of refs) await bed.maya.attach("incident", id, "a.txt", Buffer.from("a"));
    const { ids, pages } = await drain(undefined, { since, limit: 1 });
    expect(new Set(ids)).toEqual(new Set(refs.map(({ id }) => id)));
    expect(pages.every((page) => page.length <= 1)).toBe(true);
  });

  test("watching a parent table sees what happens in its classes", async () => {
    const watch = { entityType: "task", query: "active=true" };
    const ref = await bed.create({ short_description: "below" });
    const { cursor } = await drain(undefined, { watch, since });
    await bed.maya.attach("incident", ref.id, "a.txt", Buffer.from("a"));
    expect((await drain(cursor, { watch })).ids).toEqual([ref.id]);
  });

  test("alternatives of a query are each narrowed by the position", async () => {
    const one = await bed.create({ short_description: "one", category: "network" });
    const two = await bed.create({ short_description: "two", urgency: "1" });
    await bed.create({ short_description: "three" });
    const watch = { entityType: "incident", query: "category=network^NQurgency=1^ORDERBYDESCnumber" };
    const first = await drain(undefined, { watch, since });
    expect(first.ids.toSorted()).toEqual([one.id, two.id].toSorted());
    expect((await drain(first.cursor, { watch })).ids).toEqual([]);
  });
});

describe("nothing is lost", () => {
  test("when many records share a second and pages end among them", async () => {
    const ids = Array.from({ length: 730 }, (_, n) =>
      bed.simulator.plant("incident", { short_description: `tie ${n}`, sys_updated_on: "2026-03-01 12:00:00" }),
    );
    const { ids: seen, pages } = await drain(undefined, { since, limit: 100 });
    expect(seen.toSorted()).toEqual(ids.toSorted());
    expect(pages.every((page) => page.length <= 100)).toBe(true);
  });

  test("when records become visible after later ones", async () => {
    const start = await bed.connector.poll(everything, undefined, 10);
    bed.simulator.setCommitDelay(4000);
    const late = await bed.create({ short_description: "late" });
    bed.simulator.setCommitDelay(0);
    bed.simulator.clock.set({ offsetMs: 3000 });
    const early = await bed.create({ short_description: "in time" });
    const first = await bed.connector.poll(everything, start.cursor, 10);
    expect(first.changes.map(({ ref }) => ref.id)).toEqual([early.id]);
    bed.simulator.clock.set({ offsetMs: 6000 });
    const second = await bed.connector.poll(everything, first.cursor, 10);
    expect(second.changes.map(({ ref }) => ref.id)).toEqual([late.id]);
  });

  test("also while pages keep coming and never reach the end", async () => {
    const start = await bed.connector.poll(everything, undefined, 10);
    bed.simulator.setCommitDelay(2000);
    const late = await bed.create({ short_description: "late" });
    bed.simulator.setCommitDelay(0);
    bed.simulator.clock.set({ offsetMs: 1000 });
    for (let n = 0; n < 7; n++) await bed.create({ short_description: `busy ${n}` });
    let { cursor, more } = await bed.connector.poll(everything, start.cursor, 3);
    expect(more).toBe(true);
    bed.simulator.clock.set({ offsetMs: 3000 });
    const seen: string[] = [];
    while (more) {
      const page = await bed.connector.poll(everything, cursor, 3);
      seen.push(...page.changes.map(({ ref }) => ref.id));
      ({ cursor, more } = page);
    }
    expect(seen).toContain(late.id);
  });

  test("when rows that this account cannot see fill whole pages", async () => {
    bed.simulator.setAccess("isobridge", { hiddenRows: { incident: "short_descriptionSTARTSWITHhidden" } });
    const shown: string[] = [];
    for (let n = 0; n < 1500; n++) {
      const visible = n % 500 === 499;
      const id = bed.simulator.plant("incident", {
        short_description: `${visible ? "shown" : "hidden"} ${n}`,
        sys_updated_on: new Date(Date.UTC(2026, 0, 1, 0, 0, n)).toISOString().slice(0, 19).replace("T", " "),
      });
      if (visible) shown.push(id);
    }
    for (let n = 0; n < 300; n++) bed.simulator.plant("incident", { short_description: `hidden end ${n}`, sys_updated_on: "2026-02-01 00:00:00" });
    const first = await drain(undefined, { since });
    expect(first.ids).toEqual(shown);
    bed.calls();
    expect((await bed.connector.poll(everything, first.cursor, 100)).changes).toEqual([]);
    // What is hidden at the end was passed once, and is not paged through again.
    expect(bed.calls()).toHaveLength(1);
    const late = await bed.create({ short_description: "shown at last" });
    expect((await drain(first.cursor)).ids).toEqual([late.id]);
  });

  test("when a record changes while it is being paged", async () => {
    const ids = Array.from({ length: 250 }, (_, n) =>
      bed.simulator.plant("incident", {
        short_description: `p ${n}`,
        sys_updated_on: `2026-03-01 12:${String(Math.floor(n / 60)).padStart(2, "0")}:${String(n % 60).padStart(2, "0")}`,
      }),
    );
    const first = await bed.connector.poll(everything, undefined, 100, since);
    // Those already told move to the end: the rest must not slip through the gap.
    for (const { ref } of first.changes.slice(0, 50)) await bed.maya.change("incident", ref.id, { urgency: "1" });
    const rest = await drain(first.cursor, { limit: 100 });
    expect(new Set([...first.changes.map(({ ref }) => ref.id), ...rest.ids])).toEqual(new Set(ids));
    expect(rest.ids).toHaveLength(200);
  });

  test("when the node starts again: the cursor is all that is kept", async () => {
    const ref = await bed.create({ short_description: "before" });
    const { cursor } = await drain(undefined, { since });
    await bed.maya.comment("incident", ref.id, "meanwhile");
    const afterRestart = bed.connect();
    expect((await drain(JSON.parse(JSON.stringify(cursor)), { by: afterRestart })).ids).toEqual([ref.id]);
  });
});

describe("positions and queries", () => {
  test("a cursor that is not ours is CURSOR_LOST", async () => {
    await expect(bed.connector.poll(everything, "{}", 10)).rejects.toMatchObject({ code: "CURSOR_LOST" });
  });

  test("an unknown field is BAD_REQUEST with the likely ones, in checking and in polling: the platform would give the whole table [R]", async () => {
    const watch = { entityType: "incident", query: "asigned_to=x^active=true" };
    await expect(bed.connector.checkQuery(watch)).rejects.toMatchObject({
      code: "BAD_REQUEST",
      fields: ["asigned_to"],
      message: expect.stringContaining("assigned_to"),
    });
    await expect(bed.connector.poll(watch, undefined, 10)).rejects.toMatchObject({ code: "BAD_REQUEST" });
  });

  test.each([
    ["garbage", "active=true^whatever", /“whatever”/],
    ["an unknown field behind a reference", "caller_id.emial=x", /sys_user has no field “emial”.*email/],
    ["a walk from what is no reference", "number.name=x", /no reference/],
    ["a label in place of a value", "stateINNew,2", /label “New”.*state=1/],
    ["a comparison with an unknown field", "assigned_toSAMEAScaler_id", /“caler_id”.*caller_id/],
    ["an order by an unknown field", "active=true^ORDERBYnubmer", /“nubmer”/],
  ])("%s is explained", async (_what, query, message) => {
    await expect(bed.connector.checkQuery({ entityType: "incident", query })).rejects.toMatchObject({
      code: "BAD_REQUEST",
      message: expect.stringMatching(message),
    });
  });

  test.each([
    "",
    "active=true^NQcaller_id.company.nameSTARTSWITHNorth",
    "sys_created_onONToday@javascript:gs.beginningOfToday()@javascript:gs.endOfToday()",
    "123TEXTQUERY321=mail",
    "assigned_toNSAMEAScaller_id^sys_updated_onGT_FIELDsys_created_on^opened_atSAMEASclosed_at@day",
    "state!=7^EQ",
  ])("“%s” is fine", async (query) => {
    await expect(bed.connector.checkQuery({ entityType: "incident", query })).resolves.toBeUndefined();
  });

  test("a field that the account may not read is PERMISSION in the platform's words, and is named although those do not [R]", async () => {
    bed.simulator.setAccess("isobridge", { hiddenFields: { incident: ["description"] } });
    await expect(bed.connector.checkQuery({ entityType: "incident", query: "urgency=1^descriptionLIKEx" })).rejects.toMatchObject({
      code: "PERMISSION",
      message: expect.stringContaining("Insufficient rights"),
      fields: ["description"],
    });
  });

  test("a table that the account may not read is PERMISSION and names no field", async () => {
    bed.simulator.setAccess("isobridge", { deniedTables: ["incident"] });
    await expect(bed.connector.checkQuery({ entityType: "incident", query: "urgency=1" })).rejects.toMatchObject({ code: "PERMISSION", fields: [] });
  });
});
