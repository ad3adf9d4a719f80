import { describe, expect, it } from "vitest";
import { answerError, complaintError, complaintsOf, queryComplaint } from "./platform-errors.ts";

const refused = (code: string, status: number, message = code, fields: string[] = []) =>
  complaintError({ code, message, fields }, { what: "update Case 500", status, write: true });

describe("a complaint of Salesforce", () => {
  it.each([
    ["INVALID_SESSION_ID", 401, "AUTH_EXPIRED"],
    ["INSUFFICIENT_ACCESS_OR_READONLY", 403, "PERMISSION"],
    ["INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", 400, "PERMISSION"],
    ["INVALID_FIELD_FOR_INSERT_UPDATE", 400, "PERMISSION"],
    ["NOT_FOUND", 404, "NOT_FOUND_OR_HIDDEN"],
    ["ENTITY_IS_DELETED", 404, "DELETED"],
    ["REQUIRED_FIELD_MISSING", 400, "VALIDATION"],
    ["INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", 400, "VALIDATION"],
    ["STRING_TOO_LONG", 400, "VALIDATION"],
    ["FIELD_CUSTOM_VALIDATION_EXCEPTION", 400, "VALIDATION"],
    ["CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", 400, "VALIDATION"],
    ["DUPLICATE_VALUE", 400, "DUPLICATE"],
    ["DUPLICATES_DETECTED", 400, "DUPLICATE"],
    ["REQUEST_LIMIT_EXCEEDED", 403, "THROTTLED"],
    ["SERVER_UNAVAILABLE", 503, "TRANSIENT"],
    ["EXCEEDED_ID_LIMIT", 400, "TOO_LARGE"],
    ["INVALID_QUERY_LOCATOR", 400, "CURSOR_LOST"],
    ["MALFORMED_QUERY", 400, "BAD_REQUEST"],
    ["INVALID_TYPE", 400, "BAD_REQUEST"],
    ["INVALID_FIELD", 400, "BAD_REQUEST"],
  ])("%s with status %i is %s", (code, status, kind) => {
    expect(refused(code, status).code).toBe(kind);
  });

  it("of a locked row is a conflict whether it came as 400 or as 500 [R]", () => {
    expect([400, 500].map((status) => refused("UNABLE_TO_LOCK_ROW", status)).map(({ code, uncertain }) => [code, uncertain])).toEqual([
      ["CONFLICT", false],
      ["CONFLICT", false],
    ]);
  });

  it("about the calls of the day pauses for long, about those at one time for seconds [R]", () => {
    expect(refused("REQUEST_LIMIT_EXCEEDED", 403, "TotalRequests Limit exceeded.").retryAfterMs).toBe(900_000);
    expect(refused("REQUEST_LIMIT_EXCEEDED", 403, "ConcurrentPerOrgLongTxn Limit exceeded.").retryAfterMs).toBe(10_000);
  });

  it("that no new session heals is a matter of configuration [S]", () => {
    expect(refused("INVALID_SESSION_ID", 401, "This session is not valid for use with the REST API").code).toBe("AUTH_CONFIG");
  });

  it("names what was asked, the fields and the platform's own words", () => {
    const error = refused("STRING_TOO_LONG", 400, "Subject: data value too large", ["Subject", "Other__c"]);
    expect(error.message).toBe("Salesforce refused to update Case 500: Subject: data value too large [Other__c] (STRING_TOO_LONG)");
    expect(error.fields).toEqual(["Subject", "Other__c"]);
    expect(error.platformCode).toBe("STRING_TOO_LONG");
  });

  it("leaves the outcome of a write open when the server failed", () => {
    expect(answerError(503, [{ errorCode: "SERVER_UNAVAILABLE", message: "x" }], { what: "w", write: true }).uncertain).toBe(true);
    expect(answerError(503, "", { what: "w", write: false }).uncertain).toBe(false);
  });
});

describe("an error answer", () => {
  it("may say errorCode or statusCode [R], or nothing that can be read", () => {
    expect(complaintsOf([{ errorCode: "A", message: "m", fields: ["F"] }])).toEqual([{ code: "A", message: "m", fields: ["F"] }]);
    expect(complaintsOf([{ statusCode: "B", message: "m", fields: [] }])).toEqual([{ code: "B", message: "m", fields: [] }]);
    expect(complaintsOf("<html>")).toEqual([]);
    expect(answerError(413, "<html>", { what: "w", write: true }).code).toBe("TOO_LARGE");
    expect(answerError(429, "", { what: "w", write: true, retryAfter: "7" }).retryAfterMs).toBe(7000);
    expect(answerError(300, ["/a", "/b"], { what: "w", write: true }).code).toBe("DUPLICATE");
  });

  it("of a query is told without the statement that it repeats", () => {
    const message = "\nSELECT Foo FROM Case\n       ^\nERROR at Row:1:Column:8\nNo such column 'Foo' on entity 'Case'.";
    expect(queryComplaint(message)).toEqual({ text: "No such column 'Foo' on entity 'Case'.", column: 8 });
  });
});
