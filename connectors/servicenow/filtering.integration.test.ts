import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { openTestbed, type Testbed } from "./testbed.ts";

let bed: Testbed;
beforeAll(async () => {
  bed = await openTestbed();
  for (let n = 0; n < 5; n++) await bed.create({ short_description: `incident ${n}`, urgency: n === 0 ? "1" : "3", caller_id: "Tom Okafor" });
});
afterAll(() => bed.close());
afterEach(() => {
  bed.simulator.clearFaults();
  bed.simulator.setAccess("isobridge", {});
  Object.assign(bed.simulator.settings, { invalidQueryMatchesNothing: false });
});

const check = async (query: string, connector = bed.connect()) => await connector.checkQuery({ entityType: "incident", query });

test("a query that all records truly match is accepted", async () => {
  await check("active=true");
  await check("active=true^short_descriptionSTARTSWITHincident");
  await check("urgency=1^ORurgency!=1");
});

test("an empty query, and one that filters, are accepted", async () => {
  await check("");
  await check("urgency=1^caller_id.email=tom@example.com");
});

test("where the dictionary is closed, a field that the instance ignores is found out by counting, and named [R]", async () => {
  bed.simulator.setAccess("isobridge", { dictionaryHidden: true });
  await expect(check("u_typo=1")).rejects.toMatchObject({ code: "BAD_REQUEST", fields: ["u_typo"], message: expect.stringContaining("every record (5)") });
  await expect(check("urgency=1^u_typo=1")).rejects.toMatchObject({ code: "BAD_REQUEST", fields: ["u_typo"] });
  await expect(check("urgency=1^caller_id.emial=a@example.com")).rejects.toMatchObject({ code: "BAD_REQUEST", fields: ["caller_id.emial"] });
  await check("urgency=1^category=inquiry");
});

test("also on an instance that finds nothing with unknown fields instead (glide.invalid_query.returns_no_rows) [D]", async () => {
  bed.simulator.setAccess("isobridge", { dictionaryHidden: true });
  Object.assign(bed.simulator.settings, { invalidQueryMatchesNothing: true });
  await expect(check("u_typo=1")).rejects.toMatchObject({ code: "BAD_REQUEST", fields: ["u_typo"], message: expect.stringContaining("finds nothing") });
  await check("urgency=9");
});

test("an instance without the aggregate API counts by the totals of its lists", async () => {
  bed.simulator.setAccess("isobridge", { dictionaryHidden: true });
  bed.simulator.arm({
    path: "/stats/",
    times: 0,
    effect: { kind: "status", status: 400, body: { error: { message: "Requested URI does not represent any resource", detail: null } } },
  });
  await expect(check("u_typo=1")).rejects.toMatchObject({ code: "BAD_REQUEST", fields: ["u_typo"] });
  await check("active=true");
});

test("where nothing can be counted, the query is accepted as it is", async () => {
  bed.simulator.arm({ path: "/stats/", times: 0, effect: { kind: "status", status: 403, body: { error: { message: "User Not Authorized", detail: null } } } });
  bed.simulator.arm({ path: "/table/incident", times: 0, effect: { kind: "status", status: 200, body: { result: [{ sys_id: "a".repeat(32) }] } } });
  await check("active=true");
});
