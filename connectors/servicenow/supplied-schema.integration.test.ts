import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { servicenowConfig } from "./config.ts";
import { systemColumns } from "./simulator/platform-tables.ts";
import { openTestbed, type Testbed } from "./testbed.ts";

let bed: Testbed;
beforeAll(async () => {
  bed = await openTestbed({
    tables: [
      {
        name: "incident",
        label: "Incident",
        columns: [
          { element: "short_description", label: "Short description", mandatory: true },
          { element: "description", label: "Description", readOnly: true },
        ],
      },
      {
        name: "u_machine",
        label: "Machine",
        columns: [...systemColumns, { element: "install_status", label: "Status", choice: 1, choices: [["1", "Installed"]] }],
      },
      {
        name: "u_shipment",
        label: "Shipment",
        columns: [
          ...systemColumns,
          {
            element: "u_state",
            label: "State",
            choice: 1,
            choices: [
              ["1", "Open"],
              ["2", "Done"],
            ],
          },
          { element: "u_cost", label: "Cost", type: "currency" },
          { element: "u_isobridge_marker", label: "Marker", maxLength: 80 },
          { element: "u_weight", label: "Weight", type: "integer" },
          { element: "u_code", label: "Code" },
        ],
      },
    ],
  });
});
afterAll(() => bed.close());
afterEach(() => {
  bed.simulator.clearFaults();
  bed.simulator.setAccess("isobridge", {});
});

const shipment = {
  label: "Shipments",
  display: "u_code",
  comments: false,
  fields: {
    u_state: { type: "choice", label: "State", choices: { "1": "Open", "2": "Done" } },
    u_weight: { type: "integer" },
    u_code: { type: "text", maxLength: 40, mandatory: true },
  },
} as const;

describe("a description of a table by an administrator", () => {
  test("stands for the dictionary where that is closed: types, choices, labels, and what is no field is refused", async () => {
    bed.simulator.setAccess("isobridge", { dictionaryHidden: true });
    const connector = bed.connect({ schema: { u_shipment: shipment } });
    const schema = await connector.describe("u_shipment");
    expect(schema).toMatchObject({ label: "Shipments", sampled: false, comments: false });
    expect(schema.fields.find(({ name }) => name === "u_weight")).toMatchObject({ type: "integer", custom: true });
    expect(schema.fields.find(({ name }) => name === "sys_updated_on")).toMatchObject({ type: "instant", readOnly: true });
    const id = await bed.done({ kind: "create", entityType: "u_shipment", fields: { u_code: "C1", u_state: "Done", u_weight: 7 }, marker: "m" }, connector);
    const [outcome] = await connector.read([{ type: "u_shipment", id }]);
    expect(outcome).toMatchObject({ ok: true, entity: { key: "C1", fields: { u_state: "2", u_weight: 7 }, display: { u_state: "Done" } } });
    await expect(connector.checkQuery({ entityType: "u_shipment", query: "u_wieght=7" })).rejects.toMatchObject({ code: "BAD_REQUEST", fields: ["u_wieght"] });
    expect(await connector.write([{ kind: "create", entityType: "u_shipment", fields: { u_nothing: "x" }, marker: "n" }])).toMatchObject([
      { ok: false, error: { code: "BAD_REQUEST", fields: ["u_nothing"] } },
    ]);
  });

  test("that is not complete adds to what records show", async () => {
    bed.simulator.plant("u_shipment", { u_code: "C2", u_weight: "1" });
    bed.simulator.setAccess("isobridge", { dictionaryHidden: true });
    const schema = await bed.connect({ schema: { u_shipment: { fields: { u_weight: { type: "integer" } }, complete: false } } }).describe("u_shipment");
    expect(schema.sampled).toBe(true);
    expect(schema.fields.find(({ name }) => name === "u_weight")?.type).toBe("integer");
    expect(schema.fields.find(({ name }) => name === "u_code")).toBeDefined();
  });

  test("goes over what the dictionary says, field by field", async () => {
    const schema = await bed.connect({ schema: { u_shipment: { fields: { u_weight: { type: "decimal", label: "Kilograms" } } } } }).describe("u_shipment");
    expect(schema.fields.find(({ name }) => name === "u_weight")).toMatchObject({ type: "decimal", label: "Kilograms" });
    expect(schema.fields.find(({ name }) => name === "u_code")).toMatchObject({ type: "text" });
  });

  test("may build on another one", async () => {
    bed.simulator.setAccess("isobridge", { dictionaryHidden: true });
    const connector = bed.connect({
      schema: { u_shipment: { extends: "u_base", fields: { u_weight: { type: "integer" } } }, u_base: { fields: { u_code: { type: "text" } } } },
    });
    expect((await connector.describe("u_shipment")).fields.map(({ name }) => name)).toEqual(expect.arrayContaining(["u_code", "u_weight", "sys_id"]));
  });

  test("with an unknown type or a label for a name is refused with its place", () => {
    const parse = (schema: unknown) => servicenowConfig.safeParse({ url: "https://a.example", auth: { type: "basic", username: "u" }, schema });
    expect(parse({ u_shipment: { fields: { u_weight: { type: "kilograms" } } } }).error?.issues[0]?.path).toEqual([
      "schema",
      "u_shipment",
      "fields",
      "u_weight",
      "type",
    ]);
    expect(parse({ u_shipment: { fields: { Weight: { type: "integer" } } } }).success).toBe(false);
  });
});

describe("the dictionary", () => {
  test("has what a class says otherwise of inherited columns: required, read-only, default", async () => {
    const field = async (table: string, name: string) => (await bed.connect().describe(table)).fields.find((candidate) => candidate.name === name);
    expect(await field("incident", "short_description")).toMatchObject({ requiredOnCreate: true, nullable: false });
    expect(await field("incident", "description")).toMatchObject({ readOnly: true });
    expect(await field("incident", "close_notes")).toMatchObject({ requiredOnCreate: false, readOnly: false });
    expect(await field("problem", "short_description")).toMatchObject({ requiredOnCreate: false });
  });

  test("of which choices show nothing but labels [R] has the values that records show", async () => {
    bed.simulator.setAccess("isobridge", { hiddenFields: { sys_choice: ["name", "element", "value"] } });
    await bed.create({ short_description: "sample", urgency: "1" });
    const field = (await bed.connect().describe("incident")).fields.find(({ name }) => name === "urgency");
    expect(field).toMatchObject({ type: "choice", closed: false, choices: expect.arrayContaining([{ value: "1", label: "1 - High" }]) });
  });
});

describe("the field that says where a record stands", () => {
  test.each([
    ["incident", "state"],
    ["sc_request", "request_state"],
    ["u_machine", "install_status"],
    ["core_company", undefined],
  ])("of %s is %s", async (table, field) => {
    expect((await bed.connector.describe(table)).statusField).toBe(field);
  });

  test("can be named by an administrator", async () => {
    const connector = bed.connect({ statusFields: { u_shipment: "u_state" } });
    expect((await connector.describe("u_shipment")).statusField).toBe("u_state");
  });
});

test("a table without correlation_id carries the marker in u_isobridge_marker, or a column of another name, and is found by it", async () => {
  const operation = { kind: "create", entityType: "u_shipment", fields: { u_code: "M1" }, marker: "ib-123" } as const;
  const id = await bed.done(operation);
  expect((await bed.read({ type: "u_shipment", id })).marker).toBe("ib-123");
  expect(await bed.connector.locate([{ operation, since: "2020-01-01T00:00:00Z", known: [] }])).toEqual([id]);
  const other = bed.connect({ markerField: "u_code" });
  const second = { ...operation, fields: { u_weight: 1 }, marker: "ib-456" } as const;
  const elsewhere = await bed.done(second, other);
  expect(bed.simulator.rows("u_shipment").find(({ sys_id }) => sys_id === elsewhere)).toMatchObject({ u_code: "ib-456" });
});

test("a record that carries our correlation_id says so, and one in which somebody else keeps an id of theirs does not", async () => {
  const id = await bed.done({ kind: "create", entityType: "incident", fields: { short_description: "x" }, marker: "ib-789" });
  expect((await bed.read({ type: "incident", id })).marker).toBe("ib-789");
  expect((await bed.read(await bed.create({ short_description: "y", correlation_id: "JIRA-1" }))).marker).toBeUndefined();
});

test("an amount of money is text with its currency, and an amount alone is taken as well", async () => {
  const id = await bed.done({ kind: "create", entityType: "u_shipment", fields: { u_code: "P1", u_cost: "EUR;12.50" }, marker: "ib-cost" });
  expect((await bed.read({ type: "u_shipment", id })).fields.u_cost).toBe("EUR;12.50");
  const outcomes = await bed.connector.write([
    { kind: "update", ref: { type: "u_shipment", id }, fields: { u_cost: 7 } },
    { kind: "update", ref: { type: "u_shipment", id }, fields: { u_cost: "seven" } },
  ]);
  expect(outcomes).toMatchObject([{ ok: true }, { ok: false, error: { code: "VALIDATION", fields: ["u_cost"] } }]);
});
