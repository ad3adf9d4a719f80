import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { EntityRef } from "../connector.ts";
import { openTestbed, type Testbed } from "./testbed.ts";

let bed: Testbed;
beforeAll(async () => {
  bed = await openTestbed();
});
afterAll(() => bed.close());
afterEach(() => {
  bed.simulator.clearFaults();
  bed.simulator.setAccess("isobridge", {});
});

/** A requested item with the answers of its form. */
function item(answers: Readonly<Record<string, string>>): EntityRef {
  const id = bed.simulator.plant("sc_req_item", { short_description: "Laptop" });
  for (const [name, value] of Object.entries(answers)) {
    const question = bed.simulator.plant("item_option_new", { name, question_text: `What ${name}?` });
    const answer = bed.simulator.plant("sc_item_option", { item_option_new: question, value });
    bed.simulator.plant("sc_item_option_mtom", { request_item: id, sc_item_option: answer });
  }
  return { type: "sc_req_item", id };
}

test("are one field of requested items, an object of texts by name, and no field of other tables [K]", async () => {
  const ref = item({ size: "XL", color: "", quantity: "2" });
  const other = item({ size: "S" });
  const outcomes = await bed.connector.read([ref, other]);
  expect(outcomes.map((outcome) => outcome.ok && outcome.entity.fields.variables)).toEqual([{ size: "XL", color: null, quantity: "2" }, { size: "S" }]);
  const fields = async (type: string) => (await bed.connector.describe(type)).fields.find(({ name }) => name === "variables");
  expect(await fields("sc_req_item")).toMatchObject({ type: "other", readOnly: false });
  expect(await fields("incident")).toBeUndefined();
});

test("can be changed, only those that differ, beside other fields", async () => {
  const ref = item({ size: "XL", color: "red" });
  const [outcome] = await bed.connector.write([
    { kind: "update", ref, fields: { short_description: "Better laptop", variables: { size: "M", color: "red" } } },
  ]);
  expect(outcome).toEqual({ ok: true, id: ref.id });
  expect((await bed.read(ref)).fields).toMatchObject({ short_description: "Better laptop", variables: { size: "M", color: "red" } });
  const [alone] = await bed.connector.write([{ kind: "update", ref, fields: { variables: { size: null, color: "blue" } } }]);
  expect(alone).toEqual({ ok: true, id: ref.id });
  expect((await bed.read(ref)).fields.variables).toEqual({ size: null, color: "blue" });
});

test("that the item does not have are VALIDATION that names them, and so are those of an item that is not there yet", async () => {
  const ref = item({ size: "XL" });
  const [unknown, created, odd] = await bed.connector.write([
    { kind: "update", ref, fields: { variables: { seize: "M" } } },
    { kind: "create", entityType: "sc_req_item", fields: { short_description: "x", variables: { size: "M" } }, marker: "m" },
    { kind: "update", ref: item({ size: "S" }), fields: { variables: "M" } },
  ]);
  expect(unknown).toMatchObject({ ok: false, error: { code: "VALIDATION", fields: ["variables.seize"], message: expect.stringContaining("it has size") } });
  expect(created).toMatchObject({ ok: false, error: { code: "VALIDATION", fields: ["variables"] } });
  expect(odd).toMatchObject({ ok: false, error: { code: "VALIDATION", fields: ["variables"] } });
});

test("that change are seen by the poll, although they leave the item alone, with the version that a read gives [K]", async () => {
  const ref = item({ size: "XL" });
  const watch = { entityType: "sc_req_item", query: "" };
  let { cursor } = await bed.connector.poll(watch, undefined, 100, "2020-01-01T00:00:00Z");
  ({ cursor } = await bed.connector.poll(watch, cursor, 100));
  const before = (await bed.read(ref)).version;
  const answer = bed.simulator.rows("sc_item_option_mtom").find(({ request_item }) => request_item === ref.id)?.sc_item_option ?? "";
  await bed.admin.change("sc_item_option", answer, { value: "L" });
  const page = await bed.connector.poll(watch, cursor, 100);
  const after = (await bed.read(ref)).version;
  expect(page.changes).toEqual([{ ref, version: after }]);
  expect(after).not.toBe(before);
});
