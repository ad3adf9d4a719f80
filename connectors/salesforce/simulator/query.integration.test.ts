import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Caller, type SimulatedOrg, simulatedOrg } from "./simulated-org.ts";

let org: SimulatedOrg;
let call: Caller;
const ids: Record<string, string> = {};

const query = async (soql: string, path = "query") => await call("GET", `/${path}?q=${encodeURIComponent(soql)}`);
const subjects = async (where: string) =>
  (await query(`SELECT Subject FROM Case WHERE ${where} ORDER BY Subject`)).body.records?.map(({ Subject }: { Subject: string }) => Subject);

beforeAll(async () => {
  org = await simulatedOrg({
    fields: {
      Case: [
        { name: "Tags__c", type: "multipicklist", picklist: [{ value: "a" }, { value: "b" }, { value: "c" }] },
        { name: "Hours__c", type: "double" },
        { name: "Due__c", type: "date" },
      ],
    },
  });
  call = await org.caller();
  org.simulator.server.clock.set({ frozenAt: Date.parse("2026-05-01T10:00:00Z") });
  const make = async (name: string, type: string, body: object) => {
    ids[name] = (await call("POST", `/sobjects/${type}`, body)).body.id;
  };
  await make("acme", "Account", { Name: "Acme" });
  await make("a", "Case", { Subject: "alpha", Priority: "High", AccountId: ids.acme, Tags__c: "a;b", Hours__c: 1.5, Due__c: "2026-05-03" });
  org.simulator.server.clock.set({ frozenAt: Date.parse("2026-05-02T10:00:00Z") });
  await make("b", "Case", { Subject: "Beta 100%", Priority: "Low", Tags__c: "c" });
  await make("c", "Case", { Subject: "gamma", Status: "Closed", ParentId: ids.a });
  await make("gone", "Case", { Subject: "gone" });
  await call("DELETE", `/sobjects/Case/${ids.gone}`);
  await make("comment", "CaseComment", { ParentId: ids.a, CommentBody: "hello", IsPublished: true });
});
afterAll(() => org.close());

describe("a condition", () => {
  it.each([
    ["Subject = 'ALPHA'", ["alpha"]],
    ["Subject != 'alpha'", ["Beta 100%", "gamma"]],
    ["Subject LIKE 'b%'", ["Beta 100%"]],
    ["Subject LIKE '%100\\%'", ["Beta 100%"]],
    ["Subject LIKE '_amma'", ["gamma"]],
    ["(NOT Subject LIKE 'a%')", ["Beta 100%", "gamma"]],
    ["Subject IN ('alpha', 'gamma')", ["alpha", "gamma"]],
    ["Subject NOT IN ('alpha', 'gamma')", ["Beta 100%"]],
    ["AccountId = null", ["Beta 100%", "gamma"]],
    ["AccountId != null", ["alpha"]],
    ["IsClosed = true", ["gamma"]],
    ["Hours__c > 1 AND Hours__c <= 1.5", ["alpha"]],
    ["Tags__c INCLUDES ('b', 'c')", ["alpha", "Beta 100%"]],
    ["Tags__c INCLUDES ('a;b')", ["alpha"]],
    ["Tags__c EXCLUDES ('c')", ["alpha", "gamma"]],
    ["CreatedDate = 2026-05-01T12:00:00+02:00", ["alpha"]],
    ["CreatedDate >= 2026-05-02T00:00:00Z", ["Beta 100%", "gamma"]],
    ["CreatedDate = TODAY", ["Beta 100%", "gamma"]],
    ["CreatedDate < TODAY", ["alpha"]],
    ["CreatedDate = LAST_N_DAYS:3", ["alpha", "Beta 100%", "gamma"]],
    ["Due__c = TOMORROW", ["alpha"]],
    ["Due__c = 2026-05-03", ["alpha"]],
    ["Account.Name = 'acme'", ["alpha"]],
    ["Parent.Account.Name = 'Acme'", ["gamma"]],
    ["Owner.Type = 'User'", ["alpha", "Beta 100%", "gamma"]],
    ["Status = 'New' AND (Priority = 'High' OR Priority = 'Low')", ["alpha", "Beta 100%"]],
    ["NOT (Priority = 'High' OR IsClosed = true)", ["Beta 100%"]],
    ["Id IN (SELECT ParentId FROM CaseComment WHERE IsPublished = true)", ["alpha"]],
    ["Id NOT IN (SELECT ParentId FROM CaseComment WHERE IsPublished = true)", ["Beta 100%", "gamma"]],
  ])("%s finds %j [K]", async (where, found) => {
    expect(await subjects(where)).toEqual(found);
  });

  it("takes a 15-character id and a text with any escaped character", async () => {
    expect(await subjects(`Id = '${ids.a?.slice(0, 15)}'`)).toEqual(["alpha"]);
    expect(await subjects("Subject = 'it\\'s \\\\ \\n \\u0041'")).toEqual([]);
  });

  it.each([
    ["Status = 'New' AND Priority = 'High' OR Priority = 'Low'", "MALFORMED_QUERY", "unexpected token: 'OR'"],
    ["Status = 'New", "MALFORMED_QUERY", "mismatched character '<EOF>'"],
    ["Status == 'New'", "MALFORMED_QUERY", "unexpected token: '='"],
    ["Foo = 1", "INVALID_FIELD", "No such column 'Foo' on entity 'Case'"],
    ["Foo.Name = 'x'", "INVALID_FIELD", "Didn't understand relationship 'Foo' in field path"],
    [
      "CreatedDate > '2026-05-01T00:00:00Z'",
      "INVALID_FIELD",
      "value of filter criterion for field 'CreatedDate' must be of type dateTime and should not be enclosed in quotes",
    ],
    ["Id IN (SELECT ParentId FROM CaseComment WHERE CommentBody LIKE 'h%')", "INVALID_FIELD", "field 'CommentBody' can not be filtered in a query call"],
    ["Description = 'x'", "INVALID_FIELD", "field 'Description' can not be filtered in a query call"],
    ["Id = 'x'", "INVALID_QUERY_FILTER_OPERATOR", "invalid ID field: x"],
  ])("%s is refused as %s [R]", async (where, errorCode, message) => {
    const { status, body } = await query(`SELECT Id FROM Case WHERE ${where}`);
    expect([status, body[0].errorCode]).toEqual([400, errorCode]);
    expect(body[0].message).toContain(message);
  });
});

describe("a query", () => {
  it("points at the column of an unknown field or object [R]", async () => {
    expect((await query("SELECT Id, Foo FROM Case")).body[0].message).toMatch(
      /^\nSELECT Id, Foo FROM Case\n {11}\^\nERROR at Row:1:Column:12\nNo such column 'Foo' on entity 'Case'\. If you are attempting to use a custom field/,
    );
    expect((await query("SELECT Id FROM Foo")).body[0]).toMatchObject({
      errorCode: "INVALID_TYPE",
      message: expect.stringContaining("sObject type 'Foo' is not supported."),
    });
  });

  it("shows parents as objects, several with the same parent together, and none as null [R]", async () => {
    const { body } = await query(
      `SELECT Subject, Account.Name, Account.Owner.Name, Account.Id, Owner.Type FROM Case WHERE Subject IN ('alpha', 'gamma') ORDER BY Subject`,
    );
    expect(body.records).toMatchObject([
      {
        Account: { attributes: { type: "Account" }, Name: "Acme", Id: ids.acme, Owner: { Name: "Ines Duarte" } },
        Owner: { attributes: { type: "Name" }, Type: "User" },
      },
      { Account: null },
    ]);
  });

  it("shows children as a page of their own, or null [R]", async () => {
    const { body } = await query(
      "SELECT Subject, (SELECT CommentBody, CreatedBy.Email FROM CaseComments WHERE IsPublished = true ORDER BY CreatedDate LIMIT 5) FROM Case WHERE Subject IN ('alpha', 'gamma') ORDER BY Subject",
    );
    expect(body.records).toMatchObject([
      { CaseComments: { totalSize: 1, done: true, records: [{ CommentBody: "hello", CreatedBy: { Email: "ines.duarte@service.example" } }] } },
      { CaseComments: null },
    ]);
    expect((await query("SELECT (SELECT Id FROM Foos) FROM Case")).body[0].errorCode).toBe("INVALID_TYPE");
  });

  it("counts, aggregates, and skips", async () => {
    expect((await query("SELECT COUNT() FROM Case")).body).toEqual({ totalSize: 3, done: true, records: [] });
    expect((await query("SELECT COUNT(AccountId) n, MAX(Hours__c) FROM Case")).body.records).toMatchObject([{ n: 1, expr0: 1.5 }]);
    expect((await query("SELECT Subject FROM Case ORDER BY Subject LIMIT 1 OFFSET 1")).body.records).toMatchObject([{ Subject: "Beta 100%" }]);
    expect((await query("SELECT FIELDS(ALL) FROM Case LIMIT 1")).body.records[0]).toHaveProperty("CaseNumber");
    expect((await query("SELECT FIELDS(ALL) FROM Case")).body[0].errorCode).toBe("MALFORMED_QUERY");
  });

  it("puts rows together by fields, with functions called by their alias or expr0, expr1 … [D]", async () => {
    const groups = await query("SELECT Status, COUNT(Id) n, MAX(Hours__c) FROM Case GROUP BY Status ORDER BY Status DESC");
    expect(groups.body).toMatchObject({
      totalSize: 2,
      records: [
        { attributes: { type: "AggregateResult" }, Status: "New", n: 2, expr0: 1.5 },
        { Status: "Closed", n: 1, expr0: null },
      ],
    });
    expect((await query("SELECT Subject, COUNT(Id) FROM Case GROUP BY Status")).body[0].message).toContain("Field must be grouped or aggregated: Subject");
  });

  it.each([
    ["SELECT Parent.Parent.Parent.Parent.Parent.Parent.Subject FROM Case", "INVALID_FIELD", "more than 5 levels"],
    ["SELECT Id FROM Case WHERE Id IN (SELECT ParentId FROM CaseComment) OR Status = 'New'", "MALFORMED_QUERY", "not allowed with the 'OR' operator"],
    ["SELECT Id FROM Case WHERE Id IN (SELECT ParentId FROM CaseComment WHERE ParentId IN (SELECT Id FROM Case))", "MALFORMED_QUERY", "Nesting of semi join"],
    [
      `SELECT Id FROM Case WHERE ${Array(3).fill("Id IN (SELECT ParentId FROM CaseComment)").join(" AND ")}`,
      "MALFORMED_QUERY",
      "Maximum 2 semi join sub-selects",
    ],
    ["SELECT Id FROM Case LIMIT 1 OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE", "offset allowed is 2000"],
  ])("%s is refused as %s [D]", async (soql, errorCode, message) => {
    expect((await query(soql)).body[0]).toMatchObject({ errorCode, message: expect.stringContaining(message) });
  });

  it("puts nulls first unless told otherwise [K]", async () => {
    const order = async (by: string) =>
      (await query(`SELECT Subject FROM Case ORDER BY ${by}`)).body.records.map(({ Subject }: { Subject: string }) => Subject);
    expect((await order("Hours__c, Subject")).at(-1)).toBe("alpha");
    expect((await order("Hours__c NULLS LAST, Subject"))[0]).toBe("alpha");
    expect((await order("Hours__c DESC, Subject"))[0]).toBe("alpha");
  });

  it("of all rows shows the recycle bin too [D]", async () => {
    expect((await query("SELECT Subject FROM Case WHERE IsDeleted = true", "queryAll")).body.records).toMatchObject([{ Subject: "gone" }]);
    expect((await query("SELECT Subject FROM Case WHERE IsDeleted = true")).body.totalSize).toBe(0);
  });

  it("of the links of files must name a record or a document [K]", async () => {
    expect((await query("SELECT Id FROM ContentDocumentLink")).body[0]).toMatchObject({
      errorCode: "MALFORMED_QUERY",
      message: expect.stringContaining("Implementation restriction"),
    });
    expect((await query("SELECT Id FROM ContentDocumentLink WHERE LinkedEntityId IN (SELECT Id FROM Case)")).status).toBe(200);
  });

  it("comes in pages whose address is relative, with the total on each; a bad locator is refused [R]", async () => {
    org.simulator.pages.batchSize = 2;
    const first = (await query("SELECT Id FROM Case ORDER BY Id")).body;
    expect(first).toMatchObject({ totalSize: 3, done: false, nextRecordsUrl: expect.stringMatching(/^\/services\/data\/v60\.0\/query\/0r8\w+-2$/) });
    const second = (await call("GET", first.nextRecordsUrl)).body;
    expect(second).toMatchObject({ totalSize: 3, done: true });
    expect(second).not.toHaveProperty("nextRecordsUrl");
    expect([...first.records, ...second.records].map(({ Id }) => Id)).toEqual([ids.a, ids.b, ids.c]);
    expect((await call("GET", "/query/0r8000-2000")).body[0].errorCode).toBe("INVALID_QUERY_LOCATOR");
    const again = (await query("SELECT Id FROM Case ORDER BY Id")).body;
    org.simulator.accounts.lifetimeMs = Number.MAX_SAFE_INTEGER;
    org.simulator.server.clock.set({ frozenAt: Date.parse("2026-05-04T10:00:01Z") });
    expect((await call("GET", again.nextRecordsUrl)).body[0].errorCode).toBe("INVALID_QUERY_LOCATOR");
    org.simulator.pages.batchSize = 2000;
  });
});
