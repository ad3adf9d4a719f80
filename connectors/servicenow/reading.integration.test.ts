import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { EntityRef } from "../connector.ts";
import { openTestbed, type Testbed } from "./testbed.ts";

let bed: Testbed;
beforeAll(async () => {
  bed = await openTestbed({
    tables: [
      {
        name: "incident",
        label: "Incident",
        columns: [
          { element: "u_region", label: "Region", choice: 2, choices: [["n", "North"]] },
          { element: "u_effort", label: "Effort", type: "glide_duration" },
          { element: "u_must", label: "Must", mandatory: true },
        ],
      },
      { name: "u_special_incident", label: "Special", extends: "incident" },
    ],
  });
});
afterAll(() => bed.close());
afterEach(() => {
  bed.simulator.clearFaults();
  bed.simulator.setAccess("isobridge", {});
});

describe("the schema", () => {
  test("has inherited and own fields, choices of the nearest class, labels, references, and what is required", async () => {
    const schema = await bed.connector.describe("incident");
    expect(schema).toMatchObject({
      entityType: "incident",
      label: "Incident",
      statusField: "state",
      sampled: false,
      comments: true,
      internalComments: true,
      attachments: true,
    });
    const field = (name: string) => schema.fields.find((candidate) => candidate.name === name);
    expect(field("state")).toMatchObject({ type: "choice", label: "Incident state", closed: true });
    expect(field("state")?.choices?.map(({ label }) => label)).toEqual(["New", "In Progress", "On Hold", "Resolved", "Closed", "Canceled"]);
    expect(field("short_description")).toMatchObject({ type: "text", maxLength: 160, help: "What this is about, in one line" });
    expect(field("description")).toMatchObject({ type: "longText" });
    expect(field("caller_id")).toMatchObject({ type: "reference", references: ["sys_user"], nullable: true });
    expect(field("watch_list")).toMatchObject({ type: "references" });
    expect(field("sys_created_on")).toMatchObject({ type: "instant", readOnly: true });
    expect(field("u_region")).toMatchObject({ type: "choice", custom: true, closed: false });
    expect(field("u_must")).toMatchObject({ requiredOnCreate: true, nullable: false });
    expect(field("comments")).toBeUndefined();
  });

  test("of a table below incident holds what it inherits over two steps", async () => {
    const schema = await bed.connector.describe("u_special_incident");
    expect(schema.fields.map(({ name }) => name)).toEqual(expect.arrayContaining(["caller_id", "short_description"]));
    expect(schema.statusField).toBe("state");
  });

  test("of a table without a journal says so", async () => {
    expect(await bed.connector.describe("core_company")).toMatchObject({ comments: false, internalComments: false });
    expect((await bed.connector.describe("core_company")).statusField).toBeUndefined();
  });

  test("of an unknown table is BAD_REQUEST, and so is a name that is none", async () => {
    await expect(bed.connector.describe("incidents")).rejects.toMatchObject({ code: "BAD_REQUEST", message: expect.stringContaining("“incidents”") });
    await expect(bed.connector.describe("a/../b")).rejects.toMatchObject({ code: "BAD_REQUEST" });
  });

  test("is asked for once, also by many at the same time", async () => {
    const connector = bed.connect();
    bed.calls();
    await Promise.all([connector.describe("incident"), connector.describe("incident"), connector.describe("incident")]);
    await connector.describe("incident");
    expect(bed.tables().toSorted()).toEqual(["sys_choice", "sys_db_object", "sys_dictionary", "sys_dictionary_override", "sys_documentation"]);
  });

  test("is inferred from records where the account may not read the dictionary [R]", async () => {
    await bed.create({ short_description: "sample", caller_id: "Tom Okafor", urgency: "1", due_date: "2026-01-01 10:00:00" });
    bed.simulator.setAccess("isobridge", { dictionaryHidden: true });
    const connector = bed.connect();
    const schema = await connector.describe("incident");
    const type = (name: string) => schema.fields.find((field) => field.name === name)?.type;
    expect(schema).toMatchObject({ sampled: true, comments: true, statusField: "state" });
    expect([type("active"), type("caller_id"), type("due_date"), type("urgency"), type("number"), type("sys_mod_count")]).toEqual([
      "boolean",
      "reference",
      "instant",
      "choice",
      "text",
      "integer",
    ]);
    await expect(connector.describe("nothing")).rejects.toMatchObject({ code: "BAD_REQUEST" });
    await expect(connector.checkQuery({ entityType: "nothing", query: "urgency=1" })).rejects.toMatchObject({ code: "BAD_REQUEST" });
    await connector.checkQuery({ entityType: "incident", query: "urgency=1^u_region=n" });
  });

  test("that was sampled lets a look-up name a field that was not seen, unless the answer shows that the condition was ignored", async () => {
    await bed.create({ short_description: "sample" });
    bed.simulator.setAccess("isobridge", { dictionaryHidden: true });
    await expect(bed.connector.find("incident", [{ field: "u_not_there", operator: "=", value: "1" }], 5)).rejects.toMatchObject({
      code: "BAD_REQUEST",
      fields: ["u_not_there"],
    });
  });
});

describe("reading", () => {
  test("gives times in UTC and takes them so, whatever zone and format the integration user has [R]", async () => {
    bed.simulator.addAccount({
      userName: "tokyo",
      password: "tokyo-password",
      firstName: "To",
      lastName: "Kyo",
      email: "tokyo@example.com",
      timeZone: "Asia/Tokyo",
      dateFormat: "dd/MM/yyyy",
      timeFormat: "hh:mm:ss a",
    });
    const connector = bed.connect({ auth: { type: "basic", username: "tokyo" } }, { password: "tokyo-password" });
    const ref = await bed.create({ short_description: "when", due_date: "2026-07-13 17:28:40" });
    const [before] = await connector.read([ref]);
    expect(before).toMatchObject({ ok: true, entity: { fields: { due_date: "2026-07-13T17:28:40Z" } } });
    const outcomes = await connector.write([{ kind: "update", ref, fields: { due_date: "2026-12-31T23:30:00+09:00" } }]);
    expect(outcomes).toEqual([{ ok: true, id: ref.id }]);
    expect(bed.simulator.rows("incident").find(({ sys_id }) => sys_id === ref.id)).toMatchObject({ due_date: "2026-12-31 14:30:00" });
  });

  test("gives values by type, labels of choices, references with names, and nothing of journals among the fields", async () => {
    const company = bed.simulator.rows("core_company")[0]?.sys_id ?? "";
    const ref = await bed.create({ short_description: "whole", caller_id: "Tom Okafor", company, watch_list: "", u_effort: "1970-01-01 01:00:00" });
    const entity = await bed.read(ref);
    expect(entity.key).toMatch(/^INC\d{7}$/);
    expect(entity.url).toBe(`${bed.simulator.url}/nav_to.do?uri=incident.do%3Fsys_id%3D${ref.id}`);
    expect(entity.fields).toMatchObject({
      short_description: "whole",
      description: null,
      active: true,
      state: "1",
      sys_mod_count: 0,
      reassignment_count: 0,
      u_effort: 3600,
      company: { id: company, display: "Northwind Ferries", type: "core_company" },
    });
    expect(entity.fields.sys_created_on).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    expect(entity.display).toMatchObject({ state: "New", impact: "3 - Low" });
    expect(Object.keys(entity.fields)).not.toEqual(expect.arrayContaining(["comments"]));
  });

  test("comes with comments, work notes and attachments, and who made them", async () => {
    const ref = await bed.create({ short_description: "talk" });
    await bed.maya.comment("incident", ref.id, "public\n[code]<b>x</b>[/code]");
    await bed.tom.workNote("incident", ref.id, "internal");
    const file = await bed.tom.attach("incident", ref.id, "log é.txt", Buffer.from("12345"), "text/plain");
    const entity = await bed.read(ref);
    expect(entity.comments).toMatchObject([
      {
        body: "public\n[code]<b>x</b>[/code]",
        internal: false,
        author: { displayName: "Maya Lindqvist", email: "maya.lindqvist@servicenow.example", username: "maya.lindqvist" },
      },
    ]);
    expect(entity.internalComments).toMatchObject([{ body: "internal", internal: true, author: { username: "tom.okafor" } }]);
    expect(entity.attachments).toMatchObject([{ id: file, filename: "log é.txt", mimetype: "text/plain", filesize: 5, author: { displayName: "Tom Okafor" } }]);
  });

  test("takes at most six calls for a hundred records with comments, and keeps their order", async () => {
    const refs: EntityRef[] = [];
    for (let n = 0; n < 100; n++) {
      const id = bed.simulator.plant("incident", { short_description: `many ${n}` });
      bed.simulator.plant("sys_journal_field", {
        name: "incident",
        element: "comments",
        element_id: id,
        value: `comment ${n}`,
        sys_created_by: "maya.lindqvist",
      });
      refs.push({ type: "incident", id });
    }
    await bed.connector.describe("incident");
    const before = bed.connector.calls();
    const outcomes = await bed.connector.read(refs);
    expect(bed.connector.calls() - before).toBeLessThanOrEqual(6);
    expect(outcomes.map((outcome) => outcome.ok && [outcome.entity.ref.id, outcome.entity.comments[0]?.body])).toEqual(
      refs.map(({ id }, n) => [id, `comment ${n}`]),
    );
  });

  test("tells a record that is gone from one that is hidden or unknown", async () => {
    const gone = await bed.create({ short_description: "gone" });
    const hidden = await bed.create({ short_description: "hidden one" });
    await bed.maya.remove("incident", gone.id);
    bed.simulator.setAccess("isobridge", { hiddenRows: { incident: "short_descriptionSTARTSWITHhidden" } });
    const refs = [gone, hidden, { type: "incident", id: "f".repeat(32) }, { type: "incident", id: "x' OR" }];
    expect((await bed.connector.read(refs)).map((outcome) => outcome.ok || outcome.error.code)).toEqual(Array(4).fill("NOT_FOUND_OR_HIDDEN"));
    const asAdmin = bed.connect({ auth: { type: "basic", username: "admin" } }, { password: "admin-password" });
    expect((await asAdmin.read(refs)).map((outcome) => outcome.ok || outcome.error.code)).toEqual([
      "DELETED",
      true,
      "NOT_FOUND_OR_HIDDEN",
      "NOT_FOUND_OR_HIDDEN",
    ]);
  });

  test("the version moves with fields, comments and attachments, and only then", async () => {
    const ref = await bed.create({ short_description: "versions" });
    const versions = [(await bed.read(ref)).version];
    const step = async (what: () => Promise<unknown>) => {
      await what();
      versions.push((await bed.read(ref)).version);
    };
    await step(() => bed.maya.change("incident", ref.id, { urgency: "1" }));
    await step(() => bed.maya.comment("incident", ref.id, "c"));
    await step(() => bed.maya.attach("incident", ref.id, "a.txt", Buffer.from("a")));
    expect(new Set(versions).size).toBe(4);
    expect((await bed.read(ref)).version).toBe(versions.at(-1));
  });

  test("an account without access to the journal is told so, rather than shown no comments, and other tables are read all the same", async () => {
    const ref = await bed.create({ short_description: "no journal" });
    bed.simulator.setAccess("isobridge", { deniedTables: ["sys_journal_field"] });
    const company = bed.simulator.rows("core_company")[0]?.sys_id ?? "";
    const outcomes = await bed.connector.read([ref, { type: "core_company", id: company }, { type: "nothing", id: company }]);
    expect(outcomes).toMatchObject([
      { error: { code: "PERMISSION", message: expect.stringContaining("sys_journal_field") } },
      { ok: true },
      { error: { code: "BAD_REQUEST" } },
    ]);
  });
});

describe("looking up", () => {
  test("finds by conditions, up to the limit, past hidden rows", async () => {
    for (let n = 0; n < 120; n++)
      bed.simulator.plant("problem", { short_description: n < 100 ? `hidden ${n}` : `shown ${n}`, sys_id: `${String(n).padStart(3, "0")}`.padEnd(32, "0") });
    bed.simulator.setAccess("isobridge", { hiddenRows: { problem: "short_descriptionSTARTSWITHhidden" } });
    const found = await bed.connector.find("problem", [{ field: "known_error", operator: "=", value: false }], 15);
    expect(found).toHaveLength(15);
    expect(found[0]).toMatchObject({ comments: [], attachments: [], fields: { short_description: "shown 100" } });
  });

  test("splits a list of values that is too long for one address", async () => {
    const ids = Array.from({ length: 400 }, (_, n) => bed.simulator.plant("change_request", { short_description: `c ${n}` }));
    expect(await bed.connector.find("change_request", [{ field: "sys_id", operator: "in", value: ids }], 1000)).toHaveLength(400);
  });

  test("finds nothing by a list of no values, and half a character harms nothing", async () => {
    await bed.create({ short_description: "a" });
    expect(await bed.connector.find("incident", [{ field: "number", operator: "in", value: [] }], 5)).toEqual([]);
    expect(await bed.connector.find("incident", [{ field: "short_description", operator: "=", value: "a\ud83d" }], 5)).toEqual([]);
  });

  test("a ^ in a value is refused, not sent", async () => {
    bed.calls();
    await expect(bed.connector.find("incident", [{ field: "short_description", operator: "=", value: "a^active=false" }], 1)).rejects.toMatchObject({
      code: "BAD_REQUEST",
    });
    expect(bed.calls()).toEqual([]);
  });

  test("other special characters arrive as they are", async () => {
    const odd = `50% & "more" #1 + ü 😀 'x' \\ a=b,c`;
    const ref = await bed.create({ short_description: odd });
    const found = await bed.connector.find("incident", [{ field: "short_description", operator: "=", value: odd }], 2);
    expect(found.map((entity) => entity.ref)).toEqual([ref]);
  });

  test("finds records by number and by sys_id, and people by e-mail and user name", async () => {
    const ref = await bed.create({ short_description: "by key" });
    const { key } = await bed.read(ref);
    expect(await bed.connector.findByKey("incident", key)).toEqual(ref);
    expect(await bed.connector.findByKey("incident", ref.id)).toEqual(ref);
    expect(await bed.connector.findByKey("incident", "INC9999999")).toBeUndefined();
    expect(await bed.connector.findUser({ email: "TOM.okafor@servicenow.example" })).toMatchObject({ username: "tom.okafor", displayName: "Tom Okafor" });
    expect(await bed.connector.findUser({ username: "nobody" })).toBeUndefined();
  });

  test("free requests stay on the instance and bring the platform's own words", async () => {
    expect(await bed.connector.request("GET", "/api/now/stats/sys_user?sysparm_count=true&sysparm_query=user_name=admin")).toEqual({
      result: { stats: { count: "1" } },
    });
    for (const path of ["@evil.example/x", "https://evil.example/x", ":1/x"])
      await expect(bed.connector.request("GET", path)).rejects.toMatchObject({ code: "BAD_REQUEST" });
    await expect(bed.connector.request("GET", "/api/now/table/nothing")).rejects.toMatchObject({
      code: "BAD_REQUEST",
      message: expect.stringContaining("Invalid table nothing"),
    });
  });
});

describe("attachments", () => {
  test("are streamed byte for byte", async () => {
    const ref = await bed.create({ short_description: "bytes" });
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, n) => n % 251));
    const id = await bed.maya.attach("incident", ref.id, "b.bin", bytes);
    expect(await bytesOf(bed.connector.openAttachment(ref, id))).toEqual(bytes);
  });

  test("of no bytes are empty", async () => {
    const ref = await bed.create({ short_description: "empty" });
    expect(await bytesOf(bed.connector.openAttachment(ref, await bed.maya.attach("incident", ref.id, "e", Buffer.alloc(0))))).toHaveLength(0);
  });

  test("of another record, and a login page in place of the bytes, are refused", async () => {
    const ref = await bed.create({ short_description: "mine" });
    const other = await bed.create({ short_description: "other" });
    const id = await bed.maya.attach("incident", ref.id, "b.bin", Buffer.from("12345"));
    await expect(bed.connector.openAttachment(other, id)).rejects.toMatchObject({ code: "NOT_FOUND_OR_HIDDEN" });
    bed.simulator.arm({ path: "/file$", effect: { kind: "html" } });
    await expect(bytesOf(bed.connector.openAttachment(ref, id))).rejects.toMatchObject({ code: "PROTOCOL" });
    bed.simulator.arm({ path: "/file$", effect: { kind: "truncate" } });
    await expect(bytesOf(bed.connector.openAttachment(ref, id))).rejects.toMatchObject({ code: "TRANSIENT" });
  });
});

async function bytesOf(opened: Promise<AsyncIterable<Buffer>>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of await opened) chunks.push(chunk);
  return Buffer.concat(chunks);
}
