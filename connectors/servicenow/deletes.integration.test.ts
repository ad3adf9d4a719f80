import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Connector, WatchedChange } from "../connector.ts";
import { openTestbed, type Testbed } from "./testbed.ts";

let bed: Testbed;
let administrator: Connector;
beforeEach(async () => {
  bed = await openTestbed();
  administrator = bed.connect({ auth: { type: "basic", username: "admin" } }, { password: "admin-password" });
});
afterEach(() => bed.close());

const everything = { entityType: "incident", query: "" };
const since = "2020-01-01T00:00:00Z";

async function drained(by: Connector, cursor: string | undefined): Promise<{ readonly changes: WatchedChange[]; readonly cursor: string }> {
  const changes: WatchedChange[] = [];
  let at = cursor;
  for (;;) {
    const page = await by.poll(everything, at, 50, since);
    changes.push(...page.changes);
    at = page.cursor;
    if (!page.more) return { changes, cursor: at };
  }
}

describe("the feed", () => {
  test("tells once of a record that was deleted, where the account may read sys_audit_delete [R]", async () => {
    const ref = await bed.create({ short_description: "to go" });
    await bed.create({ short_description: "to stay" });
    const start = await drained(administrator, undefined);
    await bed.admin.remove("incident", ref.id);
    const next = await drained(administrator, start.cursor);
    expect(next.changes).toMatchObject([{ ref, deleted: true }]);
    expect((await drained(administrator, next.cursor)).changes).toEqual([]);
  });

  test("asks for deletes in the call of the poll itself", async () => {
    const start = await drained(administrator, undefined);
    bed.calls();
    await administrator.poll(everything, start.cursor, 50);
    expect(bed.calls()).toEqual(["POST /api/now/v1/batch"]);
  });

  test("tells of a record that comes back as of an ordinary change, whether or not its stamp moved", async () => {
    const ref = await bed.create({ short_description: "back again" });
    const row = bed.simulator.rows("incident").find(({ sys_id }) => sys_id === ref.id) ?? {};
    const start = await drained(administrator, undefined);
    await bed.admin.remove("incident", ref.id);
    const gone = await drained(administrator, start.cursor);
    bed.simulator.plant("incident", { ...row, sys_updated_on: "2021-01-01 00:00:00" });
    const back = await drained(administrator, gone.cursor);
    expect(back.changes.map(({ ref: { id }, deleted }) => [id, deleted])).toEqual([[ref.id, undefined]]);
    expect((await drained(administrator, back.cursor)).changes).toEqual([]);
  });

  test("does not call a record deleted that was restored before anybody looked, nor one that is only hidden", async () => {
    const [restored, hidden] = [await bed.create({ short_description: "restored" }), await bed.create({ short_description: "hidden" })];
    const row = bed.simulator.rows("incident").find(({ sys_id }) => sys_id === restored.id) ?? {};
    const start = await drained(administrator, undefined);
    await bed.admin.remove("incident", restored.id);
    bed.simulator.plant("incident", row);
    bed.simulator.setAccess("admin", { hiddenRows: { incident: "short_description=hidden" } });
    await bed.maya.change("incident", hidden.id, { urgency: "1" });
    expect((await drained(administrator, start.cursor)).changes.filter(({ deleted }) => deleted === true)).toEqual([]);
  });

  test("of an account that may not read sys_audit_delete tells of no delete, and goes on", async () => {
    const ref = await bed.create({ short_description: "to go" });
    const start = await drained(bed.connector, undefined);
    await bed.admin.remove("incident", ref.id);
    const other = await bed.create({ short_description: "new" });
    expect((await drained(bed.connector, start.cursor)).changes.map(({ ref: { id } }) => id)).toEqual([other.id]);
  });

  test("reads cursors on that were stored before it told of deletes", async () => {
    const start = JSON.parse((await drained(administrator, undefined)).cursor);
    const { deletions: _d, variables: _v, gone: _g, ...older } = start;
    const ref = await bed.create({ short_description: "later" });
    expect((await drained(administrator, JSON.stringify(older))).changes.map(({ ref: { id } }) => id)).toEqual([ref.id]);
  });
});

describe("what is surely gone", () => {
  const missing = async (refs: Parameters<NonNullable<Connector["missing"]>>[0], by: Connector = bed.connector) => (await by.missing?.(refs)) ?? [];

  test("is what was deleted, also for an account that sees no tombstones; what is hidden or there is not", async () => {
    const [gone, hidden, there] = [
      await bed.create({ short_description: "gone" }),
      await bed.create({ short_description: "hidden" }),
      await bed.create({ short_description: "there" }),
    ];
    await bed.admin.remove("incident", gone.id);
    bed.simulator.setAccess("isobridge", { hiddenRows: { incident: "short_description=hidden" } });
    expect(await missing([gone, hidden, there])).toEqual([gone]);
  });

  test("is told apart in few calls when hundreds are asked for", async () => {
    const ids = Array.from({ length: 250 }, (_, n) => bed.simulator.plant("incident", { short_description: n % 10 === 0 ? "hidden" : "shown" }));
    bed.simulator.setAccess("isobridge", { hiddenRows: { incident: "short_description=hidden" } });
    const never = Array.from({ length: 20 }, (_, n) => ({ type: "incident", id: n.toString(16).padStart(32, "e") }));
    await bed.connector.describe("incident");
    bed.calls();
    expect(await missing([...ids.map((id) => ({ type: "incident", id })), ...never])).toEqual(never);
    expect(bed.calls().length).toBeLessThan(20);
  });

  test("is nothing where the account sees nothing of the table, or only what it made itself: it may have lost its roles", async () => {
    const ref = await bed.create({ short_description: "there" });
    const never = { type: "incident", id: "e".repeat(32) };
    await bed.done({ kind: "create", entityType: "incident", fields: { short_description: "ours" }, marker: "m" });
    bed.simulator.setAccess("isobridge", { hiddenRows: { incident: "sys_created_by!=isobridge" } });
    expect(await missing([ref, never])).toEqual([]);
    bed.simulator.setAccess("isobridge", { deniedTables: ["incident"] });
    expect(await missing([ref, never])).toEqual([]);
  });

  test("is nothing where the instance does not count what it hides", async () => {
    await bed.create({ short_description: "there" });
    bed.simulator.arm({
      path: "table/incident",
      times: 0,
      effect: { kind: "status", status: 200, body: { result: [{ sys_id: "a".repeat(32) }] } },
    });
    bed.simulator.setAccess("isobridge", { batchDenied: true });
    expect(await missing([{ type: "incident", id: "e".repeat(32) }], bed.connect({ schema: { incident: { fields: {} } } }))).toEqual([]);
  });

  test("is not what was moved to another class of the same family", async () => {
    await bed.create({ short_description: "there" });
    const id = bed.simulator.plant("problem", { short_description: "was an incident" });
    expect(await missing([{ type: "incident", id }])).toEqual([]);
  });

  test("throws when the instance is out of reach", async () => {
    await bed.connector.describe("incident");
    bed.simulator.arm({ times: 0, effect: { kind: "status", status: 503, body: {} } });
    await expect(missing([{ type: "incident", id: "e".repeat(32) }])).rejects.toMatchObject({ code: "TRANSIENT" });
  });
});

describe("deleting again", () => {
  test("what an earlier try deleted is done; what is only hidden is refused", async () => {
    const [gone, hidden] = [await bed.create({ short_description: "gone" }), await bed.create({ short_description: "hidden" })];
    await bed.create({ short_description: "another" });
    await bed.done({ kind: "delete", ref: gone });
    bed.simulator.setAccess("isobridge", { hiddenRows: { incident: "short_description=hidden" } });
    const outcomes = await bed.connector.write([
      { kind: "delete", ref: gone },
      { kind: "delete", ref: hidden },
    ]);
    expect(outcomes).toMatchObject([
      { ok: true, id: gone.id },
      { ok: false, error: { code: "NOT_FOUND_OR_HIDDEN" } },
    ]);
  });
});
