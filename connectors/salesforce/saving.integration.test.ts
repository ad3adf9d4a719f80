import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Connector, EntityRef, WriteOperation } from "../connector.ts";
import { type Caller, createCase, idOf, type SimulatedOrg, simulatedOrg } from "./simulator/simulated-org.ts";

let org: SimulatedOrg;
let connector: Connector;
let human: Caller;

beforeEach(async () => {
  org = await simulatedOrg();
  connector = org.connector();
  human = await org.caller();
});
afterEach(() => org.close());

const requests = (path: string) => org.simulator.server.requests.filter((request) => request.path.includes(path));
const arm = (fault: Parameters<SimulatedOrg["simulator"]["server"]["faults"]["arm"]>[0]) => org.simulator.server.faults.arm(fault);
const update = (ref: EntityRef, fields: Record<string, string | number | null>): WriteOperation => ({ kind: "update", ref, fields });
const comment = (ref: EntityRef, body: string): WriteOperation => ({ kind: "addComment", ref, body, internal: false, marker: "" });
const create = (marker: string, Subject = "s"): WriteOperation => ({ kind: "create", entityType: "Case", fields: { Subject }, marker });
const refused = (errorCode: string, status = 400) => ({ kind: "status", status, body: [{ errorCode, message: errorCode }] }) as const;
const made = async (count: number) => await Promise.all(Array.from({ length: count }, () => createCase(connector)));

describe("a create", () => {
  it("that was carried out before, unknown to us, finds its record instead of making a second", async () => {
    const first = idOf((await connector.write([create("m", "one")]))[0]);
    const second = idOf((await connector.write([create("m", "one")]))[0]);
    expect([second, org.simulator.org.tables.count("Case")]).toEqual([first, 1]);
  });

  it("whose first try is still being saved is a conflict to try again, not somebody else's duplicate", async () => {
    const errors = [
      { statusCode: "DUPLICATE_VALUE", message: "duplicate value found: Isobridge_Marker__c duplicates value on record with id: 500x", fields: [] },
    ];
    arm({ path: "/composite/sobjects", effect: { kind: "status", status: 200, body: [{ success: false, errors }] } });
    expect((await connector.write([create("m")]))[0]).toMatchObject({ ok: false, error: { code: "CONFLICT" } });
  });

  it("goes without its external id where records cannot be saved by one", async () => {
    await connector.describe("Case");
    arm({ path: "/composite/sobjects/Case/", times: 0, effect: refused("NOT_FOUND", 404) });
    for (const marker of ["a", "b"]) idOf((await connector.write([create(marker)]))[0]);
    expect([...org.simulator.org.rows("Case")].map(({ Isobridge_Marker__c }) => Isobridge_Marker__c)).toEqual(["a", "b"]);
    expect(requests("/composite/sobjects/Case/")).toHaveLength(1);
  });

  it("leaves the choice of the owner to the org's assignment rules, unless it is configured not to", async () => {
    const queue = (await human("POST", "/sobjects/Group", { Name: "Support", Type: "Queue" })).body.id;
    await fetch(`${org.simulator.url}/__control/assignment-rules`, { method: "POST", body: JSON.stringify([{ object: "Case", ownerId: queue }]) });
    const ownerOf = async (by: Connector) => {
      const [outcome] = await connector.read([await createCase(by)]);
      return outcome?.ok ? outcome.entity.fields.OwnerId : undefined;
    };
    expect(await ownerOf(connector)).toMatchObject({ id: queue });
    expect(await ownerOf(org.connector({ assignmentRules: false }))).toMatchObject({ type: "User" });
  });
});

describe("a batch", () => {
  it("with operations in order on one record travels as one composite, beside one call that reads back", async () => {
    const [a, b] = await made(2);
    if (a === undefined || b === undefined) return expect.fail();
    const before = connector.calls();
    const outcomes = await connector.write([update(a, { Subject: "1" }), comment(a, "c"), update(a, { Subject: "2" }), update(b, { Subject: "3" })]);
    expect(outcomes.every(({ ok }) => ok)).toBe(true);
    expect(connector.calls() - before).toBe(2);
    const subjects = (await connector.read([a, b])).map((outcome) => outcome.ok && outcome.entity.fields.Subject);
    expect(subjects).toEqual(["2", "3"]);
  });

  it("goes on call by call where there are no composites, and in the same order", async () => {
    const [a] = await made(1);
    if (a === undefined) return expect.fail();
    arm({ path: "/composite$", times: 0, effect: refused("NOT_FOUND", 404) });
    expect((await connector.write([update(a, { Subject: "1" }), comment(a, "c"), update(a, { Subject: "2" })])).every(({ ok }) => ok)).toBe(true);
    expect((await connector.read([a]))[0]).toMatchObject({ ok: true, entity: { fields: { Subject: "2" }, comments: [{ body: "c" }] } });
  });

  it("whose composite is lost is uncertain for each of its operations, and not sent again where it holds an insert", async () => {
    const [a] = await made(1);
    if (a === undefined) return expect.fail();
    arm({ path: "/composite$", effect: { kind: "lost-reply" } });
    const outcomes = await connector.write([update(a, { Subject: "1" }), comment(a, "c")]);
    expect(outcomes.map((outcome) => !outcome.ok && outcome.error.uncertain)).toEqual([true, true]);
    expect(org.simulator.org.tables.count("CaseComment")).toBe(1);
  });

  it("with records that others hold tries those again, in smaller parts and then alone", async () => {
    const refs = await made(30);
    for (const { id } of refs.slice(0, 25)) org.simulator.org.rules.locked.set(id, 1);
    org.simulator.org.rules.locked.set(refs[3]?.id ?? "", 2);
    org.simulator.org.rules.locked.set(refs[4]?.id ?? "", 99);
    const before = requests("/composite/sobjects").length;
    const outcomes = await connector.write(refs.map((ref) => update(ref, { Subject: "t" })));
    expect(outcomes.flatMap((outcome, i) => (outcome.ok ? [] : [[i, outcome.error.code]]))).toEqual([[4, "CONFLICT"]]);
    expect(requests("/composite/sobjects").length - before).toBe(1 + 2 + 2);
  });

  it("too large for one call is halved until it is taken, and only what is too large by itself is refused", async () => {
    const refs = await made(8);
    const before = requests("/composite/sobjects").length;
    arm({ path: "/composite/sobjects", times: 3, effect: refused("EXCEEDED_MAX_SIZE_REQUEST", 413) });
    expect((await connector.write(refs.map((ref) => update(ref, { Subject: "t" })))).every(({ ok }) => ok)).toBe(true);
    expect(requests("/composite/sobjects").length - before).toBeGreaterThanOrEqual(5);
    arm({ path: "/composite/sobjects", times: 1, effect: refused("EXCEEDED_MAX_SIZE_REQUEST", 413) });
    const [only] = refs;
    if (only === undefined) return expect.fail();
    expect((await connector.write([update(only, { Subject: "u" })]))[0]).toMatchObject({ ok: false, error: { code: "TOO_LARGE" } });
  });
});

describe("a record that cannot be parsed", () => {
  it("does not take down those that share its call", async () => {
    const refs = await made(5);
    const effect = { kind: "status", status: 400, body: [{ errorCode: "JSON_PARSER_ERROR", message: "Cannot deserialize instance of boolean" }] } as const;
    arm({ path: "/composite/sobjects", times: 3, effect });
    const outcomes = await connector.write(refs.map((ref) => update(ref, { Subject: "t" })));
    // Refused: all five, the first three of them, the first two of those; then each of the two goes alone.
    expect(outcomes.map(({ ok }) => ok)).toEqual([true, true, true, true, true]);
    expect(requests("/composite/sobjects").length - 5).toBe(7);
  });
});

describe("a field that the object does not have", () => {
  const message = "No such column 'Nonsense__c' on sobject of type Case";
  const body = [{ errorCode: "INVALID_FIELD", message, fields: [] }];

  it("takes down its own record alone, in one call more, although the platform refuses all that share the call", async () => {
    const refs = await made(5);
    const before = requests("/composite/sobjects").length;
    arm({ path: "/composite/sobjects", effect: { kind: "status", status: 400, body } });
    const outcomes = await connector.write(refs.map((ref, i) => update(ref, i === 3 ? { Subject: "t", Nonsense__c: "n" } : { Subject: "t" })));
    expect(outcomes.map((outcome) => outcome.ok || outcome.error.message)).toEqual([
      true,
      true,
      true,
      `Salesforce refused to update Case ${refs[3]?.id}: ${message} (INVALID_FIELD)`,
      true,
    ]);
    expect(requests("/composite/sobjects").length - before).toBe(2);
  });

  it.each([
    ["an unknown object", { errorCode: "INVALID_TYPE", message: "sObject type 'Case' is not supported" }],
    ["no word", {}],
  ])("is not sought record by record where all are refused with %s", async (_, complaint) => {
    const refs = await made(5);
    const before = requests("/composite/sobjects").length;
    arm({ path: "/composite/sobjects", times: 0, effect: { kind: "status", status: 400, body: [complaint] } });
    expect((await connector.write(refs.map((ref) => update(ref, { Subject: "t" })))).some(({ ok }) => ok)).toBe(false);
    expect(requests("/composite/sobjects").length - before).toBe(1);
  });

  it("does not end saving by external id for other creates", async () => {
    await connector.describe("Case");
    arm({ path: "/composite/sobjects/Case/", effect: { kind: "status", status: 400, body } });
    const bad: WriteOperation = { kind: "create", entityType: "Case", fields: { Subject: "s", nonsense__c: "n" }, marker: "b" };
    expect((await connector.write([create("a"), bad, create("c")])).map(({ ok }) => ok)).toEqual([true, false, true]);
    expect(requests("/composite/sobjects/Case/")).toHaveLength(2);
  });

  it("takes down its own record alone inside a composite too, and never lets an older value overtake a newer one", async () => {
    const [a, b] = await made(2);
    if (a === undefined || b === undefined) return expect.fail();
    const refusal = { compositeResponse: [{ body, httpStatusCode: 400, httpHeaders: {}, referenceId: "part0" }] };
    const later = { body: [{ id: a.id, success: true, errors: [] }], httpStatusCode: 200, httpHeaders: {}, referenceId: "part1" };
    arm({ path: "/composite$", effect: { kind: "status", status: 200, body: { compositeResponse: [...refusal.compositeResponse, later] } } });
    const outcomes = await connector.write([update(a, { Subject: "older" }), update(b, { Subject: "t" }), update(a, { Subject: "newer" })]);
    expect(outcomes.map(({ ok }) => ok)).toEqual([false, true, true]);
    expect((await connector.read([a]))[0]).toMatchObject({ ok: true, entity: { fields: { Subject: "Printer on fire" } } });
    expect((await connector.read([b]))[0]).toMatchObject({ ok: true, entity: { fields: { Subject: "t" } } });
  });
});

describe("a field that the platform did not keep as given", () => {
  it("is named: changed by a flow, rounded, or ignored", async () => {
    await fetch(`${org.simulator.url}/__control/fields/Case`, { method: "POST", body: JSON.stringify({ name: "Hours__c", type: "double", scale: 1 }) });
    org.simulator.org.rules.automations = [{ object: "Case", on: "update", set: { Priority: "Low" } }];
    const ref = await createCase(connector);
    const [outcome] = await connector.write([update(ref, { Subject: "t", Priority: "High", Description: " kept\r\nas it is ", Hours__c: 2 })]);
    expect(outcome).toEqual({ ok: true, id: ref.id, dropped: ["Priority"] });
  });

  it("is not sought where nothing was changed: null and blank, labels, references and instants are the same in either form", async () => {
    const account = (await human("POST", "/sobjects/Account", { Name: "Acme" })).body.id;
    const ref = await createCase(connector);
    const fields = { Description: "", Priority: "High", AccountId: account.slice(0, 15), SuppliedEmail: "A@B.example", Origin: null };
    expect(await connector.write([update(ref, fields)])).toEqual([{ ok: true, id: ref.id }]);
  });

  it("stays unnamed where it cannot be read back, as the write is done all the same", async () => {
    const ref = await createCase(connector);
    arm({ path: "/query", times: 0, effect: { kind: "status", status: 503, body: "" } });
    expect(await connector.write([update(ref, { Subject: "t" })])).toEqual([{ ok: true, id: ref.id }]);
  });

  it("is judged by the last of several writes to one record", async () => {
    const ref = await createCase(connector);
    expect(await connector.write([update(ref, { Subject: "1" }), update(ref, { Subject: "2" })])).toEqual([
      { ok: true, id: ref.id },
      { ok: true, id: ref.id },
    ]);
  });
});
