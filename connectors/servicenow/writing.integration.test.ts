import { Readable } from "node:stream";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { EntityRef, WriteOperation, WriteOutcome } from "../connector.ts";
import { openTestbed, type Testbed } from "./testbed.ts";

let bed: Testbed;
beforeAll(async () => {
  bed = await openTestbed();
});
afterAll(() => bed.close());
afterEach(() => {
  bed.simulator.clearFaults();
  bed.simulator.setAccess("isobridge", {});
  bed.simulator.settings.batchServes = null;
});

const row = (id: string) => bed.simulator.rows("incident").find(({ sys_id }) => sys_id === id);
const update = (ref: EntityRef, fields: Record<string, string | number | boolean | null | { id: string }>): WriteOperation => ({ kind: "update", ref, fields });
const comment = (ref: EntityRef, body: string, internal = false): WriteOperation => ({ kind: "addComment", ref, body, internal, marker: "m" });
const file = (ref: EntityRef, filename: string, text: string): WriteOperation => ({
  kind: "addAttachment",
  ref,
  filename,
  mimetype: "text/plain",
  filesize: Buffer.byteLength(text),
  open: async () => Readable.from([Buffer.from(text)]),
  marker: "m",
});
const failed = (outcome: WriteOutcome | undefined) => {
  if (outcome === undefined || outcome.ok) throw new Error("the write succeeded");
  return outcome.error;
};

describe("creating", () => {
  test("sets the fields, carries the marker in correlation_id, and gives the sys_id", async () => {
    const maya = await bed.connector.findUser({ username: "maya.lindqvist" });
    const id = await bed.done({
      kind: "create",
      entityType: "incident",
      fields: {
        short_description: "new",
        urgency: "High",
        impact: 2,
        caller_id: { id: maya?.id ?? "", display: "x", type: "sys_user" },
        due_date: "2026-12-01T10:00:00+02:00",
        active: true,
      },
      marker: "marker-1",
    });
    expect(row(id)).toMatchObject({
      short_description: "new",
      urgency: "1",
      impact: "2",
      caller_id: maya?.id,
      due_date: "2026-12-01 08:00:00",
      correlation_id: "marker-1",
      correlation_display: "Isobridge",
      sys_created_by: "isobridge",
    });
  });

  test("leaves correlation_id to a rule that fills it", async () => {
    const id = await bed.done({ kind: "create", entityType: "incident", fields: { short_description: "own", correlation_id: "mine" }, marker: "marker-2" });
    expect(row(id)).toMatchObject({ correlation_id: "mine", correlation_display: "" });
  });

  test("works on tables without correlation_id too", async () => {
    const asAdmin = bed.connect({ auth: { type: "basic", username: "admin" } }, { password: "admin-password" });
    const id = await bed.done({ kind: "create", entityType: "core_company", fields: { name: "New Ltd" }, marker: "marker-3" }, asAdmin);
    expect(bed.simulator.rows("core_company").find(({ sys_id }) => sys_id === id)).toMatchObject({ name: "New Ltd" });
  });
});

describe("updating", () => {
  test("names the fields that the platform did not keep [R]", async () => {
    const ref = await bed.create({ short_description: "to drop" });
    bed.simulator.setAccess("isobridge", { readOnlyFields: { incident: ["description"] } });
    const [outcome] = await bed.connector.write([update(ref, { description: "no", priority: "1", short_description: "kept", assigned_to: "No Such Person" })]);
    expect(outcome).toEqual({ ok: true, id: ref.id, dropped: ["description", "priority", "assigned_to"] });
    expect(row(ref.id)?.short_description).toBe("kept");
  });

  test("names the columns behind a data policy's labels also where the dictionary is closed [R]", async () => {
    const ref = await bed.create({ short_description: "to close" });
    bed.simulator.setAccess("isobridge", { dictionaryHidden: true });
    const [outcome] = await bed.connect().write([update(ref, { state: "6" })]);
    bed.simulator.setAccess("isobridge", {});
    expect(failed(outcome)).toMatchObject({ code: "VALIDATION", fields: ["close_code", "close_notes"] });
  });

  test("takes a state by its label, and a data policy's refusal names the fields, not only their labels [R]", async () => {
    const ref = await bed.create({ short_description: "to resolve" });
    const error = failed((await bed.connector.write([update(ref, { state: "Resolved" })]))[0]);
    expect(error).toMatchObject({ code: "VALIDATION", fields: ["close_code", "close_notes"], status: 403, uncertain: false });
    expect(error.message).toContain("Resolution code, Resolution notes (close_code, close_notes)");
    await bed.done(update(ref, { state: "Resolved", close_code: "Solved (Permanently)", close_notes: "ok" }));
    expect(row(ref.id)?.state).toBe("6");
  });

  test("refuses before sending what would be dropped without a word: unknown fields, choices and journals", async () => {
    const ref = await bed.create({ short_description: "checked" });
    await bed.connector.describe("incident");
    bed.calls();
    const outcomes = await bed.connector.write([update(ref, { short_descriptoin: "x" }), update(ref, { state: "Escalated" }), update(ref, { comments: "x" })]);
    expect(outcomes.map((outcome) => [failed(outcome).code, failed(outcome).fields])).toEqual([
      ["BAD_REQUEST", ["short_descriptoin"]],
      ["VALIDATION", ["state"]],
      ["BAD_REQUEST", ["comments"]],
    ]);
    expect(bed.calls()).toEqual([]);
  });

  test("a business rule's refusal is VALIDATION in the platform's words", async () => {
    bed.simulator.addBusinessRule({ table: "incident", name: "Frozen", abortWhen: "short_description=frozen" });
    const ref = await bed.create({ short_description: "warm" });
    expect(failed((await bed.connector.write([update(ref, { short_description: "frozen" })]))[0])).toMatchObject({
      code: "VALIDATION",
      message: expect.stringContaining("aborted by Business Rule 'Frozen^"),
      advice: expect.stringContaining("“Frozen”"),
    });
  });

  test("of a table that the account may not write to is PERMISSION, of a missing record NOT_FOUND_OR_HIDDEN", async () => {
    const ref = await bed.create({ short_description: "locked" });
    bed.simulator.setAccess("isobridge", { readOnlyTables: ["incident"] });
    expect(failed((await bed.connector.write([update(ref, { urgency: "1" })]))[0])).toMatchObject({ code: "PERMISSION" });
    expect(failed((await bed.connector.write([update({ type: "incident", id: "f".repeat(32) }, { urgency: "1" })]))[0])).toMatchObject({
      code: "NOT_FOUND_OR_HIDDEN",
    });
  });
});

describe("comments", () => {
  test("become journal entries, public or internal, and are known by the entry's id", async () => {
    const ref = await bed.create({ short_description: "talk" });
    const outcomes = await bed.connector.write([comment(ref, "to all"), comment(ref, "to us", true), comment(ref, "to all")]);
    const ids = outcomes.map((outcome) => outcome.ok && outcome.id);
    expect(new Set(ids).size).toBe(3);
    const entity = await bed.read(ref);
    expect(entity.comments.map(({ id }) => id).toSorted()).toEqual([ids[0], ids[2]].toSorted());
    expect(entity.internalComments).toMatchObject([{ id: ids[1], body: "to us", author: { username: "isobridge" } }]);
  });

  test("of many records take one batch and one look-up", async () => {
    const refs = await Promise.all(Array.from({ length: 20 }, (_, n) => bed.create({ short_description: `c ${n}` })));
    await bed.connector.check();
    await bed.connector.describe("incident");
    bed.calls();
    const outcomes = await bed.connector.write(refs.map((ref, n) => comment(ref, `hello ${n}`)));
    expect(outcomes.every(({ ok }) => ok)).toBe(true);
    expect(bed.calls()).toEqual(["POST /api/now/v1/batch", "GET /api/now/table/sys_journal_field"]);
  });

  test("are not mistaken for an equal one that a person wrote", async () => {
    const ref = await bed.create({ short_description: "twice" });
    await bed.maya.comment("incident", ref.id, "same words");
    const id = await bed.done(comment(ref, "same words"));
    expect(bed.simulator.rows("sys_journal_field").find(({ sys_id }) => sys_id === id)?.sys_created_by).toBe("isobridge");
  });

  test("cannot be edited, removed or empty, which is said without asking the platform", async () => {
    const ref = await bed.create({ short_description: "fixed" });
    await bed.connector.describe("incident");
    bed.calls();
    const outcomes = await bed.connector.write([
      { kind: "editComment", ref, commentId: "a".repeat(32), body: "x" },
      { kind: "removeComment", ref, commentId: "a".repeat(32) },
      comment(ref, "  "),
    ]);
    expect(outcomes.map((outcome) => failed(outcome).code)).toEqual(["BAD_REQUEST", "BAD_REQUEST", "VALIDATION"]);
    expect(bed.calls()).toEqual([]);
  });

  test("without access to the journal are reported as uncertain: they were taken, but cannot be recognised", async () => {
    const ref = await bed.create({ short_description: "blind" });
    bed.simulator.setAccess("isobridge", { deniedTables: ["sys_journal_field"] });
    expect(failed((await bed.connector.write([comment(ref, "x")]))[0])).toMatchObject({ code: "PERMISSION", uncertain: true });
  });
});

describe("attachments", () => {
  test("whose type is none that a header can say arrive as plain bytes", async () => {
    const ref = await bed.create({ short_description: "odd types" });
    const types = ["", "Wörd document\n", "text/plain; charset=utf-8"];
    for (const mimetype of types) await bed.done({ ...file(ref, `${mimetype.length}.bin`, "abc"), mimetype } as WriteOperation);
    const { attachments } = await bed.read(ref);
    expect(attachments.map((one) => one.mimetype).toSorted()).toEqual(["application/octet-stream", "application/octet-stream", "text/plain; charset=utf-8"]);
  });

  test("are streamed up under their own name, and removed again", async () => {
    const ref = await bed.create({ short_description: "files" });
    const odd = `ü &"'../a+b #1.txt`;
    const [one, two] = await bed.connector.write([file(ref, odd, "hello"), file(ref, "empty.txt", "")]);
    const entity = await bed.read(ref);
    expect(entity.attachments.map(({ filename, filesize }) => [filename, filesize]).toSorted()).toEqual(
      [
        ["empty.txt", 0],
        [odd, 5],
      ].toSorted(),
    );
    expect([one, two].map((outcome) => outcome?.ok && outcome.id).toSorted()).toEqual(entity.attachments.map(({ id }) => id).toSorted());
    await bed.done({ kind: "removeAttachment", ref, attachmentId: one?.ok === true ? one.id : "" });
    expect((await bed.read(ref)).attachments.map(({ filename }) => filename)).toEqual(["empty.txt"]);
  });

  test("beyond the instance's limit are TOO_LARGE", async () => {
    const ref = await bed.create({ short_description: "big" });
    bed.simulator.settings.attachmentLimitBytes = 3;
    expect(failed((await bed.connector.write([file(ref, "a", "12345")]))[0])).toMatchObject({ code: "TOO_LARGE" });
    bed.simulator.settings.attachmentLimitBytes = 1024 * 1024;
  });
});

describe("many at once", () => {
  test("one bad item of a batch fails by itself, and the outcomes keep their order", async () => {
    const refs = await Promise.all(Array.from({ length: 60 }, (_, n) => bed.create({ short_description: `b ${n}` })));
    const outcomes = await bed.connector.write(refs.map((ref, n) => update(ref, n === 33 ? { state: "6" } : { short_description: `done ${n}` })));
    expect(outcomes.map((outcome, n) => (outcome.ok ? outcome.id === refs[n]?.id : n))).toEqual(refs.map((_, n) => (n === 33 ? 33 : true)));
    expect(failed(outcomes[33])).toMatchObject({ code: "VALIDATION", fields: ["close_code", "close_notes"] });
    expect(refs.map(({ id }) => row(id)?.short_description)).toEqual(refs.map((_, n) => (n === 33 ? "b 33" : `done ${n}`)));
  });

  test("what a batch left unserviced is sent alone, and only that [D]", async () => {
    const refs = await Promise.all([1, 2, 3, 4].map((n) => bed.create({ short_description: `u ${n}` })));
    bed.simulator.settings.batchServes = 2;
    const outcomes = await bed.connector.write(refs.map((ref) => comment(ref, "once")));
    expect(outcomes.every(({ ok }) => ok)).toBe(true);
    expect(refs.map(({ id }) => bed.simulator.rows("sys_journal_field").filter(({ element_id }) => element_id === id).length)).toEqual([1, 1, 1, 1]);
  });

  test("operations on one record are done in the order given", async () => {
    const ref = await bed.create({ short_description: "order" });
    const other = await bed.create({ short_description: "other" });
    const outcomes = await bed.connector.write([
      update(ref, { state: "2" }),
      update(other, { urgency: "1" }),
      comment(ref, "between"),
      update(ref, { state: "6", close_code: "Solved (Permanently)", close_notes: "n" }),
      update(other, { urgency: "2" }),
      update(ref, { state: "2" }),
      { kind: "delete", ref: other },
    ]);
    expect(outcomes.map(({ ok }) => ok)).toEqual([true, true, true, true, true, true, true]);
    expect(row(ref.id)?.state).toBe("2");
    expect(row(other.id)).toBeUndefined();
  });

  test("an account without the batch API writes one by one", async () => {
    const refs = await Promise.all([1, 2, 3].map((n) => bed.create({ short_description: `s ${n}` })));
    bed.simulator.setAccess("isobridge", { batchDenied: true });
    const connector = bed.connect();
    expect((await connector.write(refs.map((ref) => update(ref, { urgency: "1" })))).every(({ ok }) => ok)).toBe(true);
    expect(refs.map(({ id }) => row(id)?.urgency)).toEqual(["1", "1", "1"]);
  });

  test("an item that the batch answers with a server error is uncertain, and what follows on its record waits", async () => {
    const ref = await bed.create({ short_description: "shaky" });
    const other = await bed.create({ short_description: "steady" });
    bed.simulator.arm({
      method: "PATCH",
      path: `incident/${ref.id}`,
      times: 1,
      effect: { kind: "status", status: 500, body: { error: { message: "Server error", detail: null } } },
    });
    const outcomes = await bed.connector.write([comment(ref, "first"), comment(other, "there"), comment(ref, "second")]);
    expect(failed(outcomes[0])).toMatchObject({ code: "TRANSIENT", uncertain: true });
    expect(outcomes[1]).toMatchObject({ ok: true });
    expect(failed(outcomes[2])).toMatchObject({ code: "TRANSIENT", uncertain: false, message: expect.stringContaining("Not tried") });
    expect(bed.simulator.rows("sys_journal_field").filter(({ element_id }) => element_id === ref.id)).toEqual([]);
  });
});
