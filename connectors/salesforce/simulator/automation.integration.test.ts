import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Caller, ines, integration, type SimulatedOrg, simulatedOrg } from "./simulated-org.ts";

let org: SimulatedOrg;
let call: Caller;

const start = Date.parse("2026-05-01T10:00:00Z");
const at = (seconds: number) => org.simulator.server.clock.set({ frozenAt: start + seconds * 1000 });
const control = async (path: string, body: unknown) => {
  expect((await fetch(`${org.simulator.url}/__control/${path}`, { method: "POST", body: JSON.stringify(body) })).ok).toBe(true);
};
const newCase = async (fields: object = {}) => (await call("POST", "/sobjects/Case", { Subject: "s", ...fields })).body.id as string;
const read = async (id: string) => (await call("GET", `/sobjects/Case/${id}`)).body;
const query = async (soql: string, caller = call) => (await caller("GET", `/query?q=${encodeURIComponent(soql)}`)).body;

beforeEach(async () => {
  org = await simulatedOrg();
  call = await org.caller();
  at(0);
});
afterEach(() => org.close());

describe("an automation", () => {
  it("before a save rewrites what is being saved, and what it makes is checked like what was given [K]", async () => {
    await control("automations", [
      { object: "Case", on: "create", before: true, when: { Origin: "Email" }, set: { Subject: "[mail] {Subject}", Priority: "High" } },
    ]);
    expect(await read(await newCase({ Origin: "Email" }))).toMatchObject({ Subject: "[mail] s", Priority: "High" });
    expect(await read(await newCase({ Origin: "Web" }))).toMatchObject({ Subject: "s", Priority: "Medium" });
    await control("automations", [{ object: "Case", on: "create", before: true, set: { Subject: "{Subject}{Subject}" } }]);
    expect((await call("POST", "/sobjects/Case", { Subject: "x".repeat(200) })).body[0].errorCode).toBe("STRING_TOO_LONG");
  });

  it("after a save sets fields in the same second, comments, and closes [K]", async () => {
    const id = await newCase();
    await control("automations", [
      {
        object: "Case",
        on: "update",
        when: { Priority: "Low" },
        set: { Status: "Closed" },
        comment: { body: "closed {CaseNumber} by itself", published: true },
      },
    ]);
    await call("PATCH", `/sobjects/Case/${id}`, { Priority: "Low" });
    expect(await read(id)).toMatchObject({ Status: "Closed", SystemModstamp: "2026-05-01T10:00:00.000+0000" });
    expect((await query(`SELECT CommentBody, IsPublished FROM CaseComment WHERE ParentId = '${id}'`)).records).toMatchObject([
      { CommentBody: "closed 00001000 by itself", IsPublished: true },
    ]);
  });

  it("may come a while after the save, with a stamp of its own [K]", async () => {
    await control("automations", [{ object: "Case", on: "create", afterMs: 60_000, set: { Priority: "High" } }]);
    const id = await newCase();
    expect((await read(id)).Priority).toBe("Medium");
    at(60);
    expect(await read(id)).toMatchObject({ Priority: "High", SystemModstamp: "2026-05-01T10:01:00.000+0000" });
  });

  it("assigns new cases, unless the request says not to [D]", async () => {
    const queue = (await call("POST", "/sobjects/Group", { Name: "Tier 1", Type: "Queue" })).body.id;
    await control("assignment-rules", [{ object: "Case", when: { Origin: "Web" }, ownerId: queue }]);
    expect(await read(await newCase({ Origin: "Web" }))).toMatchObject({ OwnerId: queue });
    const unassigned = await call("POST", "/sobjects/Case", { Origin: "Web" }, { "sforce-auto-assign": "FALSE" });
    expect((await read(unassigned.body.id)).OwnerId).not.toBe(queue);
    expect((await query("SELECT Owner.Name, Owner.Type FROM Case WHERE Owner.Type = 'Queue'")).totalSize).toBe(0);
    expect((await query(`SELECT Owner.Name FROM Case WHERE OwnerId = '${queue}'`)).records).toMatchObject([{ Owner: { Name: "Tier 1" } }]);
  });

  it("works formula fields out with every save; nobody may write them [K]", async () => {
    await control("fields/Case", { name: "Sum_up__c", type: "string", calculated: true, formula: "{Status}/{Priority}" });
    const id = await newCase();
    expect((await read(id)).Sum_up__c).toBe("New/Medium");
    await call("PATCH", `/sobjects/Case/${id}`, { Priority: "High" });
    expect((await read(id)).Sum_up__c).toBe("New/High");
    expect((await query("SELECT Id FROM Case WHERE Sum_up__c = 'new/high'")).totalSize).toBe(1);
    expect((await call("PATCH", `/sobjects/Case/${id}`, { Sum_up__c: "x" })).body[0].errorCode).toBe("INVALID_FIELD_FOR_INSERT_UPDATE");
    const { fields } = (await call("GET", "/sobjects/Case/describe")).body;
    expect(fields.find(({ name }: { name: string }) => name === "Sum_up__c")).toMatchObject({ calculated: true, createable: false, updateable: false });
  });
});

describe("a save", () => {
  it("is refused by validation rules, and by triggers with a code of their own [R]", async () => {
    await control("validations", [
      { object: "Case", field: "Description", required: true, when: { Status: "Closed" }, message: "Say how it ended" },
      {
        object: "Case",
        field: "Subject",
        equals: "crash",
        message: "CaseTrigger: execution of BeforeInsert",
        errorCode: "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
      },
    ]);
    const id = await newCase();
    expect(await call("PATCH", `/sobjects/Case/${id}`, { Status: "Closed" })).toMatchObject({
      status: 400,
      body: [{ errorCode: "FIELD_CUSTOM_VALIDATION_EXCEPTION", message: "Say how it ended", fields: ["Description"] }],
    });
    expect((await call("PATCH", `/sobjects/Case/${id}`, { Status: "Closed", Description: "well" })).status).toBe(204);
    expect((await call("POST", "/sobjects/Case", { Subject: "crash" })).body[0].errorCode).toBe("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY");
  });

  it("of a duplicate is refused with the records that it is like, and let through where rule and request allow it [R,D]", async () => {
    await control("duplicate-rules", [{ name: "Same_mail", object: "Contact", fields: ["Email"], allowSave: true }]);
    const first = (await call("POST", "/sobjects/Contact", { LastName: "A", Email: "a@x.example" })).body.id;
    const second = { LastName: "B", Email: "A@x.example" };
    expect(await call("POST", "/sobjects/Contact", second)).toMatchObject({
      status: 400,
      body: [
        {
          errorCode: "DUPLICATES_DETECTED",
          message: "Use one of these records?",
          duplicateResult: {
            allowSave: true,
            duplicateRule: "Same_mail",
            matchResults: [{ size: 1, matchRecords: [{ record: { Id: first, attributes: { type: "Contact" } } }] }],
          },
        },
      ],
    });
    const inCollection = await call("POST", "/composite/sobjects", { records: [{ attributes: { type: "Contact" }, ...second }] });
    expect(inCollection.body[0].errors[0].statusCode).toBe("DUPLICATES_DETECTED");
    expect((await call("POST", "/sobjects/Contact", second, { "sforce-duplicate-rule-header": "allowSave=true" })).status).toBe(201);
    await control("duplicate-rules", [{ name: "Never", object: "Contact", fields: ["Email"], allowSave: false }]);
    expect((await call("POST", "/sobjects/Contact", second, { "sforce-duplicate-rule-header": "allowSave=true" })).status).toBe(400);
  });

  it("of a locked record is refused as 400 and as 500 [R]", async () => {
    const id = await newCase();
    for (const status of [400, 500]) {
      await control("locks", { ids: [id], times: 1, status });
      expect(await call("PATCH", `/sobjects/Case/${id}`, {})).toMatchObject({
        status,
        body: [{ errorCode: "UNABLE_TO_LOCK_ROW", message: `unable to obtain exclusive access to this record or 1 records: ${id}` }],
      });
    }
    expect((await call("PATCH", `/sobjects/Case/${id}`, {})).status).toBe(204);
  });

  it("that fails half-way leaves nothing behind", async () => {
    const first = await call("POST", "/sobjects/ContentVersion", { PathOnClient: "a.txt", VersionData: "YQ==", FirstPublishLocationId: await newCase() });
    const { ContentDocumentId, FirstPublishLocationId } = (await call("GET", `/sobjects/ContentVersion/${first.body.id}`)).body;
    const again = { ContentDocumentId, LinkedEntityId: FirstPublishLocationId };
    expect((await call("POST", "/sobjects/ContentDocumentLink", again)).body[0].errorCode).toBe("DUPLICATE_VALUE");
    expect((await query(`SELECT Id FROM ContentDocumentLink WHERE LinkedEntityId = '${FirstPublishLocationId}'`)).totalSize).toBe(1);
  });

  it("in an org with several currencies has one of them [D]", async () => {
    const rich = await simulatedOrg({ currencies: ["EUR", "USD"] });
    const caller = await rich.caller();
    const id = (await caller("POST", "/sobjects/Opportunity", { Name: "o", StageName: "Prospecting", CloseDate: "2026-06-01", Amount: 10.005 })).body.id;
    expect((await caller("GET", `/sobjects/Opportunity/${id}`)).body).toMatchObject({ CurrencyIsoCode: "EUR", Amount: 10.01 });
    expect((await caller("PATCH", `/sobjects/Opportunity/${id}`, { CurrencyIsoCode: "XXX" })).body[0].errorCode).toBe(
      "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
    );
    await rich.close();
  });
});

describe("security by profile", () => {
  let api: Caller;
  beforeEach(async () => {
    api = await org.caller(integration);
  });

  it("hides fields everywhere: describe, read, query, write [K]", async () => {
    const id = await newCase({ Description: "secret", Reason: "Other" });
    await control("security", [{ object: "Case", profile: "API Only", hiddenFields: ["Description"], readOnlyFields: ["Reason"] }]);
    const names = (await api("GET", "/sobjects/Case/describe")).body.fields.map(({ name }: { name: string }) => name);
    expect(names).not.toContain("Description");
    expect((await api("GET", `/sobjects/Case/${id}`)).body).not.toHaveProperty("Description");
    expect((await query("SELECT Description FROM Case", api))[0]).toMatchObject({ errorCode: "INVALID_FIELD" });
    expect((await query("SELECT Case.Description FROM Contact", api))[0].errorCode).toBe("INVALID_FIELD");
    expect((await api("PATCH", `/sobjects/Case/${id}`, { Description: "x" })).body[0].errorCode).toBe("INVALID_FIELD");
    expect((await api("PATCH", `/sobjects/Case/${id}`, { Reason: "Performance" })).body[0]).toMatchObject({
      errorCode: "INVALID_FIELD_FOR_INSERT_UPDATE",
      fields: ["Reason"],
    });
    expect((await read(id)).Description).toBe("secret");
  });

  it("follows changes of the schema and of a user's profile [K]", async () => {
    await control("fields/Case", { name: "Extra__c", type: "string" });
    await control("security", [{ object: "Case", profile: "API Only", readOnlyFields: ["Extra__c"] }]);
    const field = async (caller: Caller) =>
      (await caller("GET", "/sobjects/Case/describe")).body.fields.find(({ name }: { name: string }) => name === "Extra__c");
    expect(await field(api)).toMatchObject({ type: "string", updateable: false });
    await control("fields/Case", { name: "Extra__c", type: "double" });
    expect(await field(api)).toMatchObject({ type: "double", updateable: false });
    const user = org.simulator.org.rowsWith("User", "Username", integration)[0];
    const standard = [...org.simulator.org.rows("Profile")].find(({ Name }) => Name === "Standard User")?.Id;
    await call("PATCH", `/sobjects/User/${user?.Id}`, { ProfileId: standard });
    expect(await field(api)).toMatchObject({ updateable: true });
  });

  it("forbids to create, update and delete, and hides whole objects [R]", async () => {
    const id = await newCase();
    await control("security", [
      { object: "Case", profile: "API Only", denied: ["create", "update", "delete"] },
      { object: "Account", profile: "API Only", denied: ["read"] },
    ]);
    for (const [method, path] of [
      ["POST", "/sobjects/Case"],
      ["PATCH", `/sobjects/Case/${id}`],
      ["DELETE", `/sobjects/Case/${id}`],
    ] as const) {
      expect(await api(method, path, method === "DELETE" ? undefined : {})).toMatchObject({
        status: 403,
        body: [{ errorCode: "INSUFFICIENT_ACCESS_OR_READONLY" }],
      });
    }
    expect((await api("GET", "/sobjects/Case/describe")).body).toMatchObject({ createable: false, updateable: false, deletable: false });
    expect((await api("GET", "/sobjects/Account/describe")).status).toBe(404);
    expect((await query("SELECT Id FROM Account", api))[0].errorCode).toBe("INVALID_TYPE");
    expect((await call("POST", "/sobjects/Account", { Name: "a" })).status).toBe(201);
  });

  it("shows only what one owns, alone or by a queue, with counts that look honest [K]", async () => {
    const mine = (await api("POST", "/sobjects/Case", { Subject: "mine" })).body.id;
    const queue = (await call("POST", "/sobjects/Group", { Name: "Q", Type: "Queue" })).body.id;
    const shared = await newCase({ Subject: "shared", OwnerId: queue });
    const theirs = await newCase({ Subject: "theirs" });
    await control("security", [{ object: "Case", profile: "API Only", rows: "own" }]);
    expect((await query("SELECT Subject FROM Case", api)).totalSize).toBe(1);
    const member = org.simulator.org.rowsWith("User", "Username", integration)[0]?.Id;
    await call("POST", "/sobjects/GroupMember", { GroupId: queue, UserOrGroupId: member });
    expect((await query("SELECT Id FROM Case ORDER BY Id", api)).records.map(({ Id }: { Id: string }) => Id)).toEqual([mine, shared]);
    expect((await api("GET", `/sobjects/Case/${theirs}`)).body[0].errorCode).toBe("NOT_FOUND");
    expect((await api("PATCH", `/sobjects/Case/${theirs}`, {})).body[0].errorCode).toBe("INVALID_CROSS_REFERENCE_KEY");
    await control("security", [{ object: "Case", profile: "API Only", rows: "readAllWriteOwn" }]);
    expect((await api("GET", `/sobjects/Case/${theirs}`)).status).toBe(200);
    expect((await api("PATCH", `/sobjects/Case/${theirs}`, {})).body[0].errorCode).toBe("INSUFFICIENT_ACCESS_OR_READONLY");
    expect((await (await org.caller(ines))("GET", `/sobjects/Case/${theirs}`)).status).toBe(200);
  });
});
