import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Caller, callerOf, ines, type SimulatedOrg, simulatedOrg } from "./simulated-org.ts";
import { simulatedAccounts } from "./simulator.ts";

let org: SimulatedOrg;
let call: Caller;

beforeEach(async () => {
  org = await simulatedOrg();
  call = await org.caller();
});
afterEach(() => org.close());

const newCase = async (fields: object = {}) => (await call("POST", "/sobjects/Case", { Subject: "s", ...fields })).body.id as string;
const control = async (path: string, body: unknown) => await fetch(`${org.simulator.url}/__control/${path}`, { method: "POST", body: JSON.stringify(body) });

describe("sign-in", () => {
  const grant = async (params: Record<string, string>) => {
    const response = await fetch(`${org.simulator.url}/services/oauth2/token`, { method: "POST", body: new URLSearchParams(params) });
    return { status: response.status, body: (await response.json()) as Record<string, string> };
  };
  const { clientId, clientSecret } = simulatedAccounts.app;

  it("by client credentials gives a token, the instance, the user and no expires_in [D]", async () => {
    const { status, body } = await grant({ grant_type: "client_credentials", client_id: clientId, client_secret: clientSecret });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      token_type: "Bearer",
      instance_url: org.simulator.url,
      id: expect.stringMatching(/\/id\/00D\w{15}\/005\w{15}$/),
      access_token: expect.stringMatching(/^00D\w{12}!/),
    });
    expect(body).not.toHaveProperty("expires_in");
  });

  it.each([
    [{ grant_type: "client_credentials", client_id: "other", client_secret: "x" }, "invalid_client_id", "client identifier invalid"],
    [{ grant_type: "client_credentials", client_id: clientId, client_secret: "x" }, "invalid_client", "invalid client credentials"],
    [{ grant_type: "password", client_id: clientId, client_secret: clientSecret, username: ines, password: "x" }, "invalid_grant", "authentication failure"],
    [{ grant_type: "refresh_token", client_id: clientId, client_secret: clientSecret, refresh_token: "x" }, "invalid_grant", "expired access/refresh token"],
    [{ grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion: "x" }, "invalid_grant", "invalid assertion"],
  ])("refuses %j with 400 %s [R]", async (params, error, error_description) => {
    expect(await grant(params as Record<string, string>)).toEqual({ status: 400, body: { error, error_description } });
  });

  it("by refresh token gives a new session [D]", async () => {
    const { status } = await grant({
      grant_type: "refresh_token",
      client_id: clientId,
      client_secret: clientSecret,
      refresh_token: org.simulator.accounts.refreshToken(ines),
    });
    expect(status).toBe(200);
  });

  it("on the login host refuses client credentials [R]", async () => {
    const login = await simulatedOrg({ loginHost: true });
    const response = await fetch(`${login.simulator.url}/services/oauth2/token`, {
      method: "POST",
      body: new URLSearchParams({ grant_type: "client_credentials", client_id: clientId, client_secret: clientSecret }),
    });
    expect(await response.json()).toEqual({ error: "invalid_grant", error_description: "request not supported on this domain" });
    await login.close();
  });

  it("ends by control, by revocation and by time, with 401 INVALID_SESSION_ID [R]", async () => {
    await control("session/expire", {});
    expect(await call("GET", "/limits")).toMatchObject({ status: 401, body: [{ message: "Session expired or invalid", errorCode: "INVALID_SESSION_ID" }] });
    const again = await org.caller();
    await control("session/lifetime", { ms: 0 });
    org.simulator.server.clock.set({ offsetMs: 5000 });
    expect((await again("GET", "/limits")).status).toBe(401);
  });
});

describe("an answer", () => {
  it("tells the use of the quota and that it is not to be kept [R]", async () => {
    const { headers } = await call("GET", "/limits");
    expect(headers.get("sforce-limit-info")).toMatch(/^api-usage=\d+\/15000$/);
    expect(headers.get("content-type")).toBe("application/json;charset=UTF-8");
    expect(headers.get("cache-control")).toContain("no-store");
  });

  it("lists versions, refuses unknown ones, and refuses the day's last call [R]", async () => {
    expect((await call("GET", "/services/data")).body).toContainEqual({ label: "Version 60", url: "/services/data/v60.0", version: "60.0" });
    expect((await call("GET", "/services/data/v999.0/limits")).body).toEqual([{ message: "The requested resource does not exist", errorCode: "NOT_FOUND" }]);
    await control("limits", { max: 0 });
    expect(await call("GET", "/limits")).toMatchObject({
      status: 403,
      body: [{ errorCode: "REQUEST_LIMIT_EXCEEDED", message: "TotalRequests Limit exceeded." }],
    });
    await control("limits", { max: 10_000, concurrentRefusals: 1 });
    expect((await call("GET", "/limits")).body[0].message).toBe("ConcurrentPerOrgLongTxn Limit exceeded.");
    expect((await call("GET", "/limits")).status).toBe(200);
  });
});

describe("a record", () => {
  it("is made with 201 and its place, read with nulls, changed and deleted with 204 [R]", async () => {
    const made = await call("POST", "/sobjects/Case", { Subject: "s" });
    expect(made).toMatchObject({ status: 201, body: { success: true, errors: [] } });
    expect(made.headers.get("location")).toBe(`/services/data/v60.0/sobjects/Case/${made.body.id}`);
    const read = await call("GET", `/sobjects/Case/${made.body.id}?fields=Subject,Description,CaseNumber,Status`);
    expect(read.body).toEqual({
      attributes: { type: "Case", url: `/services/data/v60.0/sobjects/Case/${made.body.id}` },
      Subject: "s",
      Description: null,
      CaseNumber: "00001000",
      Status: "New",
    });
    expect((await call("PATCH", `/sobjects/Case/${made.body.id}`, { Subject: "t" })).status).toBe(204);
    expect((await call("DELETE", `/sobjects/Case/${made.body.id}`)).status).toBe(204);
    const gone = { status: 404, body: [{ message: "entity is deleted", errorCode: "ENTITY_IS_DELETED", fields: [] }] };
    expect(await call("GET", `/sobjects/Case/${made.body.id}`)).toMatchObject(gone);
    expect(await call("DELETE", `/sobjects/Case/${made.body.id}`)).toMatchObject(gone);
  });

  it("is known by 15 and by 18 characters, and an unknown id is not found [R]", async () => {
    const id = await newCase();
    expect((await call("GET", `/sobjects/Case/${id.slice(0, 15)}`)).body.Id).toBe(id);
    expect((await call("GET", "/sobjects/Case/500000000000000AAA")).body[0].errorCode).toBe("NOT_FOUND");
    expect((await call("PATCH", "/sobjects/Case/500000000000000AAA", {})).body[0].errorCode).toBe("INVALID_CROSS_REFERENCE_KEY");
  });

  it("has stamps in whole seconds, written the one way, by the one who saved [R]", async () => {
    org.simulator.server.clock.set({ frozenAt: Date.parse("2026-05-01T07:25:37.900Z") });
    const id = await newCase();
    const { body } = await call("GET", `/sobjects/Case/${id}`);
    expect([body.CreatedDate, body.LastModifiedDate, body.SystemModstamp]).toEqual(Array(3).fill("2026-05-01T07:25:37.000+0000"));
    expect(body.CreatedById).toBe(org.simulator.org.rowsWith("User", "Username", ines)[0]?.Id);
  });

  it("keeps no blanks around texts and no empty text [K]", async () => {
    const { body } = await call("GET", `/sobjects/Case/${await newCase({ Subject: "  a b \n", SuppliedName: "   " })}`);
    expect([body.Subject, body.SuppliedName]).toEqual(["a b", null]);
  });

  it.each([
    [{ Priority: "Urgent" }, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "Priority: bad value for restricted picklist field: Urgent", ["Priority"]],
    [{ Subject: "x".repeat(256) }, "STRING_TOO_LONG", `Subject: data value too large: ${"x".repeat(256)} (max length=255)`, ["Subject"]],
    [
      { CaseNumber: "1" },
      "INVALID_FIELD_FOR_INSERT_UPDATE",
      expect.stringMatching(/^Unable to create fields: CaseNumber\. Please check the security settings/),
      ["CaseNumber"],
    ],
    [{ ContactId: "x" }, "MALFORMED_ID", "Contact ID: id value of incorrect type: x", ["ContactId"]],
    [{ ContactId: "003000000000000AAA" }, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", []],
  ])("with %j is refused as %s [R]", async (fields, errorCode, message, named) => {
    expect(await call("POST", "/sobjects/Case", fields)).toMatchObject({ status: 400, body: [{ errorCode, message, fields: named }] });
  });

  it("without a required field, with an unknown one, or of an unknown object is refused [R]", async () => {
    expect((await call("POST", "/sobjects/Account", {})).body).toEqual([
      { message: "Required fields are missing: [Name]", errorCode: "REQUIRED_FIELD_MISSING", fields: ["Name"] },
    ]);
    expect((await call("POST", "/sobjects/Account", { Name: "a", Foo: 1 })).body).toEqual([
      { message: "No such column 'Foo' on sobject of type Account", errorCode: "INVALID_FIELD" },
    ]);
    expect((await call("POST", "/sobjects/Foo", {})).status).toBe(404);
    expect((await call("GET", "/sobjects/Foo/describe")).body[0].errorCode).toBe("NOT_FOUND");
  });

  it("may be locked, hidden, read-only, refused by a validation rule or changed by a flow", async () => {
    const id = await newCase();
    await control("locks", { ids: [id], times: 1 });
    expect((await call("PATCH", `/sobjects/Case/${id}`, { Subject: "t" })).body[0]).toMatchObject({
      errorCode: "UNABLE_TO_LOCK_ROW",
      message: expect.stringContaining(id),
    });
    expect((await call("PATCH", `/sobjects/Case/${id}`, { Subject: "t" })).status).toBe(204);
    await control("validations", [{ object: "Case", field: "Subject", equals: "bad", message: "No bad subjects" }]);
    expect((await call("PATCH", `/sobjects/Case/${id}`, { Subject: "bad" })).body).toEqual([
      { message: "No bad subjects", errorCode: "FIELD_CUSTOM_VALIDATION_EXCEPTION", fields: ["Subject"] },
    ]);
    await control("automations", [{ object: "Case", on: "update", set: { Priority: "High" } }]);
    await call("PATCH", `/sobjects/Case/${id}`, { Priority: "Low" });
    expect((await call("GET", `/sobjects/Case/${id}`)).body.Priority).toBe("High");
    await control("read-only", { ids: [id] });
    expect((await call("PATCH", `/sobjects/Case/${id}`, { Subject: "t" })).body[0].errorCode).toBe("INSUFFICIENT_ACCESS_OR_READONLY");
    await control("hidden", { ids: [id] });
    expect((await call("GET", `/sobjects/Case/${id}`)).status).toBe(404);
  });

  it("is saved only if unmodified since, and given only if modified since [D]", async () => {
    const id = await newCase();
    const before = new Date(Date.now() - 3_600_000).toUTCString();
    expect((await call("PATCH", `/sobjects/Case/${id}`, { Subject: "t" }, { "if-unmodified-since": before })).status).toBe(412);
    expect((await call("GET", `/sobjects/Case/${id}`, undefined, { "if-modified-since": new Date(Date.now() + 5000).toUTCString() })).status).toBe(304);
  });

  it("is upserted by an external id: 201 created, 200 updated, 300 where several match [R]", async () => {
    const path = `/sobjects/Case/Isobridge_Marker__c/${encodeURIComponent("a/b #1?x")}`;
    const created = await call("PATCH", path, { Subject: "u" });
    expect(created).toMatchObject({ status: 201, body: { success: true, errors: [], created: true } });
    expect(await call("PATCH", path, { Subject: "v" })).toMatchObject({ status: 200, body: { id: created.body.id, created: false } });
    expect((await call("GET", path)).body.Subject).toBe("v");
    expect((await call("PATCH", path, { Isobridge_Marker__c: "x" })).body[0].errorCode).toBe("INVALID_FIELD");
    for (const LastName of ["A", "B"]) await call("POST", "/sobjects/Contact", { LastName, Email: "same@x.example" });
    expect(await call("PATCH", "/sobjects/Contact/Email/same%40x.example", { Title: "t" })).toMatchObject({
      status: 300,
      body: [expect.stringContaining("/sobjects/Contact/003"), expect.stringContaining("/sobjects/Contact/003")],
    });
  });

  it("with a unique value held by another is refused, naming that one [R]", async () => {
    const id = await newCase({ Isobridge_Marker__c: "m" });
    expect((await call("POST", "/sobjects/Case", { Isobridge_Marker__c: "M" })).body[0]).toMatchObject({
      errorCode: "DUPLICATE_VALUE",
      message: `duplicate value found: Isobridge_Marker__c duplicates value on record with id: ${id}`,
    });
  });

  it("is listed as deleted and as updated in a span of time [D]", async () => {
    const [a, b] = [await newCase(), await newCase()];
    await call("DELETE", `/sobjects/Case/${a}`);
    const span = `start=${new Date(Date.now() - 60_000).toISOString()}&end=${new Date(Date.now() + 60_000).toISOString()}`;
    expect((await call("GET", `/sobjects/Case/deleted?${span}`)).body).toMatchObject({
      deletedRecords: [{ id: a }],
      latestDateCovered: expect.stringMatching(/\+0000$/),
    });
    expect((await call("GET", `/sobjects/Case/updated?${span}`)).body.ids).toEqual([b]);
  });
});

describe("describe", () => {
  it("lists objects, and of one its fields, choices, references and children [R]", async () => {
    const all = (await call("GET", "/sobjects")).body;
    expect(all).toMatchObject({ encoding: "UTF-8", maxBatchSize: 200 });
    expect(all.sobjects.map(({ name }: { name: string }) => name)).toContain("Case");
    const { body } = await call("GET", "/sobjects/Case/describe");
    expect(body).toMatchObject({ name: "Case", keyPrefix: "500", custom: false, feedEnabled: true });
    expect(body.childRelationships).toContainEqual(
      expect.objectContaining({ childSObject: "CaseComment", field: "ParentId", relationshipName: "CaseComments", cascadeDelete: true }),
    );
    const field = (name: string) => body.fields.find((entry: { name: string }) => entry.name === name);
    expect(Object.keys(field("Status")).length).toBeGreaterThanOrEqual(55);
    expect(field("Status")).toMatchObject({
      type: "picklist",
      restrictedPicklist: true,
      nillable: false,
      defaultedOnCreate: true,
      picklistValues: [{ active: true, defaultValue: true, label: "New", value: "New", validFor: null }, {}, {}, {}],
    });
    expect(field("OwnerId")).toMatchObject({ type: "reference", referenceTo: ["Group", "User"], relationshipName: "Owner", polymorphicForeignKey: true });
    expect(field("Isobridge_Marker__c")).toMatchObject({ externalId: true, unique: true, custom: true, length: 255 });
  });

  it("shows fields and objects that are added by control, and an org without the marker has none", async () => {
    await control("fields/Case", { name: "Severity__c", type: "picklist", picklist: [{ value: "1", label: "One" }] });
    await control("objects", { name: "Device__c", keyPrefix: "a00", fields: [{ name: "Name", type: "string", nameField: true }] });
    const fields = (await call("GET", "/sobjects/Case/describe")).body.fields.map(({ name }: { name: string }) => name);
    expect(fields).toContain("Severity__c");
    expect((await call("POST", "/sobjects/Device__c", { Name: "d" })).body.id).toMatch(/^a00/);
    const bare = await simulatedOrg({ marker: false });
    expect((await (await bare.caller())("POST", "/sobjects/Case", { Isobridge_Marker__c: "x" })).body[0].errorCode).toBe("INVALID_FIELD");
    await bare.close();
  });
});

describe("a comment and a file", () => {
  it("of a case does not touch it, unless the org is set up so", async () => {
    org.simulator.server.clock.set({ frozenAt: Date.parse("2026-05-01T00:00:00Z") });
    const ParentId = await newCase();
    const stamp = async () => (await call("GET", `/sobjects/Case/${ParentId}`)).body.SystemModstamp;
    org.simulator.server.clock.set({ frozenAt: Date.parse("2026-05-01T00:01:00Z") });
    await call("POST", "/sobjects/CaseComment", { ParentId, CommentBody: "c" });
    expect(await stamp()).toBe("2026-05-01T00:00:00.000+0000");
    await control("options", { commentTouchesCase: true });
    await call("POST", "/sobjects/CaseComment", { ParentId, CommentBody: "d" });
    expect(await stamp()).toBe("2026-05-01T00:01:00.000+0000");
  });

  it("has at most 4000 bytes of text, not characters [K]", async () => {
    const ParentId = await newCase();
    expect((await call("POST", "/sobjects/CaseComment", { ParentId, CommentBody: "é".repeat(2000) })).status).toBe(201);
    expect((await call("POST", "/sobjects/CaseComment", { ParentId, CommentBody: "é".repeat(2001) })).body[0].errorCode).toBe("STRING_TOO_LONG");
  });

  it("goes with its record when that is deleted", async () => {
    const ParentId = await newCase();
    const { body } = await call("POST", "/sobjects/CaseComment", { ParentId, CommentBody: "c" });
    await call("DELETE", `/sobjects/Case/${ParentId}`);
    expect((await call("GET", `/sobjects/CaseComment/${body.id}`)).body[0].errorCode).toBe("ENTITY_IS_DELETED");
  });

  it("comes as base64 in JSON and makes document, version and links; its bytes are read back [D]", async () => {
    const caseId = await newCase();
    const made = await call("POST", "/sobjects/ContentVersion", {
      PathOnClient: "a/ü.txt",
      VersionData: Buffer.from("hällo").toString("base64"),
      FirstPublishLocationId: caseId,
    });
    const version = (await call("GET", `/sobjects/ContentVersion/${made.body.id}`)).body;
    expect(version).toMatchObject({
      Title: "ü",
      FileExtension: "txt",
      FileType: "TEXT",
      ContentSize: 6,
      IsLatest: true,
      VersionNumber: "1",
      Checksum: createHash("md5").update("hällo").digest("hex"),
    });
    expect(version.VersionData).toBe(`/services/data/v60.0/sobjects/ContentVersion/${made.body.id}/VersionData`);
    expect((await call("GET", version.VersionData)).body).toBe("hällo");
    const links = await call(
      "GET",
      `/query?q=${encodeURIComponent(`SELECT ContentDocumentId, ShareType FROM ContentDocumentLink WHERE LinkedEntityId = '${caseId}'`)}`,
    );
    expect(links.body.records).toMatchObject([{ ContentDocumentId: version.ContentDocumentId, ShareType: "V" }]);
  });

  it.each([
    ["entity_content", ["record", "bytes"]],
    ["ContentVersion", ["bytes", "record"]],
  ])("comes as a form with its record named %s and its parts in the order %j [D,X]", async (name, order) => {
    const form = new FormData();
    for (const part of order) {
      if (part === "record") form.append(name, new Blob([JSON.stringify({ Title: "t", PathOnClient: "t.bin" })], { type: "application/json" }));
      else form.append("VersionData", new Blob([Buffer.from([0, 255, 1])]), "t.bin");
    }
    const made = await call("POST", "/sobjects/ContentVersion", form);
    expect(made.status).toBe(201);
    expect((await call("GET", `/sobjects/ContentVersion/${made.body.id}`)).body.ContentSize).toBe(3);
  });

  it("gets a new version, of which the document shows the latest", async () => {
    const first = await call("POST", "/sobjects/ContentVersion", { PathOnClient: "a.txt", VersionData: "YQ==" });
    const { ContentDocumentId } = (await call("GET", `/sobjects/ContentVersion/${first.body.id}`)).body;
    const second = await call("POST", "/sobjects/ContentVersion", { ContentDocumentId, PathOnClient: "a.txt", VersionData: "YmI=" });
    expect((await call("GET", `/sobjects/ContentVersion/${first.body.id}`)).body.IsLatest).toBe(false);
    expect((await call("GET", `/sobjects/ContentDocument/${ContentDocumentId}`)).body).toMatchObject({
      LatestPublishedVersionId: second.body.id,
      ContentSize: 2,
    });
  });

  it("may be an older Attachment, a post in the feed with replies, or an e-mail", async () => {
    const ParentId = await newCase();
    const attachment = await call("POST", "/sobjects/Attachment", { ParentId, Name: "o.txt", Body: "b2xk", ContentType: "text/plain" });
    expect((await call("GET", `/sobjects/Attachment/${attachment.body.id}/Body`)).body).toBe("old");
    const post = await call("POST", "/sobjects/FeedItem", { ParentId, Body: "post" });
    await call("POST", "/sobjects/FeedComment", { FeedItemId: post.body.id, CommentBody: "reply" });
    expect((await call("GET", `/sobjects/FeedItem/${post.body.id}`)).body).toMatchObject({ Type: "TextPost", Visibility: "AllUsers", CommentCount: 1 });
    expect((await call("POST", "/sobjects/EmailMessage", { ParentId, Subject: "m", FromAddress: "a@b.example", Incoming: true })).status).toBe(201);
  });
});

describe("collections and composites", () => {
  it("answer 200 always, with an outcome for each item under statusCode [R]", async () => {
    const records = [{ Subject: "a" }, { Priority: "x" }].map((fields) => ({ attributes: { type: "Case" }, ...fields }));
    const made = await call("POST", "/composite/sobjects", { allOrNone: false, records });
    expect(made.status).toBe(200);
    expect(made.body).toEqual([
      { id: expect.stringMatching(/^500/), success: true, errors: [] },
      {
        success: false,
        errors: [
          { statusCode: "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message: "Priority: bad value for restricted picklist field: x", fields: ["Priority"] },
        ],
      },
    ]);
    const changed = await call("PATCH", "/composite/sobjects", {
      records: [
        { attributes: { type: "Case" }, id: made.body[0].id, Subject: "b" },
        { attributes: { type: "Case" }, id: "500000000000000AAA" },
      ],
    });
    expect(changed.body).toMatchObject([
      { success: true },
      { success: false, errors: [{ statusCode: "INVALID_CROSS_REFERENCE_KEY", message: "invalid cross reference id", fields: [] }] },
    ]);
    const read = await call("POST", "/composite/sobjects/Case", { ids: [made.body[0].id, "500000000000000AAA"], fields: ["Subject"] });
    expect(read.body).toMatchObject([{ Subject: "b" }, null]);
    expect((await call("DELETE", `/composite/sobjects?ids=${made.body[0].id}`)).body).toMatchObject([{ success: true }]);
  });

  it("saved all or none leave nothing behind, and blame the innocent with a code of their own [R]", async () => {
    const records = [{ Subject: "a" }, { Priority: "x" }].map((fields) => ({ attributes: { type: "Case" }, ...fields }));
    const { body } = await call("POST", "/composite/sobjects", { allOrNone: true, records });
    expect(body.map(({ errors }: { errors: { statusCode: string }[] }) => errors[0]?.statusCode)).toEqual([
      "ALL_OR_NONE_OPERATION_ROLLED_BACK",
      "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
    ]);
    expect((await call("GET", "/query?q=SELECT+COUNT()+FROM+Case")).body.totalSize).toBe(0);
  });

  it("take 200 records, each with its type first [R]", async () => {
    const records = Array.from({ length: 201 }, () => ({ attributes: { type: "Case" } }));
    expect((await call("POST", "/composite/sobjects", { records })).status).toBe(400);
    expect((await call("POST", "/composite/sobjects", { records: [{ Subject: "a", attributes: { type: "Case" } }] })).body[0].errorCode).toBe(
      "JSON_PARSER_ERROR",
    );
  });

  it("run several requests in one call, of which a later one may use an earlier answer [D]", async () => {
    const compositeRequest = [
      { method: "POST", url: "/services/data/v60.0/sobjects/Account", referenceId: "a", body: { Name: "Acme" } },
      { method: "POST", url: "/services/data/v60.0/sobjects/Case", referenceId: "c", body: { AccountId: "@{a.id}" } },
      { method: "GET", url: "/services/data/v60.0/query?q=SELECT+Account.Name+FROM+Case", referenceId: "q" },
      { method: "GET", url: "/services/data/v60.0/sobjects/Foo", referenceId: "f" },
    ];
    const before = org.simulator.usage.used;
    const { compositeResponse } = (await call("POST", "/composite", { compositeRequest })).body;
    expect(compositeResponse.map((part: { httpStatusCode: number }) => part.httpStatusCode)).toEqual([201, 201, 200, 404]);
    expect(compositeResponse[2].body.records[0].Account.Name).toBe("Acme");
    expect(org.simulator.usage.used).toBe(before + 1);
    const batch = await call("POST", "/composite/batch", {
      batchRequests: [
        { method: "GET", url: "v60.0/limits" },
        { method: "GET", url: "v60.0/sobjects/Foo" },
      ],
    });
    expect(batch.body).toMatchObject({ hasErrors: true, results: [{ statusCode: 200 }, { statusCode: 404 }] });
  });
});

describe("the org's memory", () => {
  it("survives kill -9: every answered write is there again, and ids and numbers go on", async () => {
    const folder = await mkdtemp(join(tmpdir(), "simulated-org-"));
    const source = `import { startSalesforceSimulator } from ${JSON.stringify(new URL("./simulator.ts", import.meta.url).href)};
      const { url } = await startSalesforceSimulator({ folder: process.argv[1] }); console.log(url);`;
    const start = async () => {
      const child = spawn(process.execPath, ["--input-type=module", "-e", source, folder], { stdio: ["ignore", "pipe", "inherit"] });
      const url = await new Promise<string>((resolve) => child.stdout.once("data", (data: Buffer) => resolve(data.toString().trim())));
      return { child, url };
    };
    const first = await start();
    const { clientId, clientSecret } = simulatedAccounts.app;
    const signIn = async (url: string) => {
      const answer = await fetch(`${url}/services/oauth2/token`, {
        method: "POST",
        body: new URLSearchParams({ grant_type: "client_credentials", client_id: clientId, client_secret: clientSecret }),
      });
      return ((await answer.json()) as { access_token: string }).access_token;
    };
    const session = await signIn(first.url);
    const made = await callerOf(first.url, session)("POST", "/sobjects/Case", { Subject: "kept" });
    const file = await callerOf(first.url, session)("POST", "/sobjects/ContentVersion", { PathOnClient: "a.txt", VersionData: "YQ==" });
    first.child.kill("SIGKILL");
    await new Promise((resolve) => first.child.once("exit", resolve));
    const second = await start();
    const again = callerOf(second.url, session);
    expect((await again("GET", `/sobjects/Case/${made.body.id}`)).body).toMatchObject({ Subject: "kept", CaseNumber: "00001000" });
    expect((await again("GET", `/sobjects/ContentVersion/${file.body.id}/VersionData`)).body).toBe("a");
    const next = await again("POST", "/sobjects/Case", {});
    expect(next.body.id > made.body.id).toBe(true);
    expect((await again("GET", `/sobjects/Case/${next.body.id}`)).body.CaseNumber).toBe("00001001");
    second.child.kill("SIGKILL");
    await new Promise((resolve) => second.child.once("exit", resolve));
    await rm(folder, { recursive: true });
  });

  it("shows rows that commit late only when they do, with the stamp they had", async () => {
    org.simulator.server.clock.set({ frozenAt: Date.parse("2026-05-01T00:00:00Z") });
    await control("late-commits", { ms: 5000, times: 1 });
    const id = await newCase();
    expect((await call("GET", `/sobjects/Case/${id}`)).status).toBe(404);
    org.simulator.server.clock.set({ frozenAt: Date.parse("2026-05-01T00:00:05Z") });
    expect((await call("GET", `/sobjects/Case/${id}`)).body.SystemModstamp).toBe("2026-05-01T00:00:00.000+0000");
  });

  it("is open to control: rows as they are, and a page for people who follow a link", async () => {
    const id = await newCase({ Subject: "<b>" });
    const rows = (await (await fetch(`${org.simulator.url}/__control/tables/Case`)).json()) as { Id: string }[];
    expect(rows.map(({ Id }) => Id)).toEqual([id]);
    await fetch(`${org.simulator.url}/__control/tables/Case/${id}`, {
      method: "PATCH",
      body: JSON.stringify({ SystemModstamp: "2020-01-01T00:00:00.000+0000" }),
    });
    expect((await call("GET", `/sobjects/Case/${id}`)).body.SystemModstamp).toBe("2020-01-01T00:00:00.000+0000");
    expect(await (await fetch(`${org.simulator.url}/${id}`)).text()).toContain("&lt;b&gt;");
  });
});
