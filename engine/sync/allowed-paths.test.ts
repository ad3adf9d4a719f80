import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { AllowedWrite } from "../store/schema.ts";
import { problemOfPattern, whyNotAllowed, whyNotRead } from "./allowed-paths.ts";

const allowed: AllowedWrite[] = [
  { method: "PATCH", path: "/services/apexrest/thing/*" },
  { method: "POST", path: "/services/apexrest/order" },
];

describe("a path that is open for writing", () => {
  test.each([
    ["PATCH", "/services/apexrest/thing/1"],
    ["PATCH", "/services/apexrest/thing/1/parts/2"],
    ["PATCH", "/services/apexrest/thing/1?verbose=true"],
    ["PATCH", "/services/apexrest/thing/a%20b"],
    ["POST", "/services/apexrest/order"],
    ["POST", "/services/apexrest/order?x=/../etc"],
  ])("lets %s %s through", (method, path) => {
    expect(whyNotAllowed(allowed, method, path)).toBeUndefined();
  });

  test.each([
    ["PUT", "/services/apexrest/thing/1"],
    ["patch", "/services/apexrest/thing/1"],
    ["PATCH", "/services/apexrest/thing"],
    ["PATCH", "/services/apexrest/thing/"],
    ["PATCH", "/services/apexrest/things/1"],
    ["PATCH", "/services/apexrest/THING/1"],
    ["POST", "/services/apexrest/order/1"],
    ["POST", "/services/apexrest/orders"],
    ["POST", "/"],
  ])("does not let %s %s through, and says what an administrator would have to add", (method, path) => {
    expect(whyNotAllowed(allowed, method, path)).toContain(`allow: [{ method: ${method}, path: "${path}" }]`);
  });

  test.each([
    "/services/apexrest/thing/../secret",
    "/services/apexrest/thing/..",
    "/services/apexrest/thing/./1",
    "/services/apexrest/thing/%2e%2e/secret",
    "/services/apexrest/thing/%2E./secret",
    "/services/apexrest/thing/..%2fsecret",
    "/services/apexrest/thing/..;/secret",
    "/services/apexrest/thing/%252e%252e/secret",
    "/services/apexrest/thing//secret",
    "//elsewhere.example/services/apexrest/thing/1",
    "/services/apexrest/thing/1\\..\\secret",
    "/services/apexrest/thing/%5c..",
    "/services/apexrest/thing/1#/x",
    "/services/apexrest/thing/1%00",
    "/services/apexrest/thing/%zz",
    "/services/apexrest/thing/1\r\nX: y",
    "/services/apexrest/thing/\uff0e\uff0e/secret",
    "services/apexrest/thing/1",
    "https://elsewhere.example/services/apexrest/thing/1",
    "/services/apexrest/thing/1?_HttpMethod=DELETE",
    "/services/apexrest/thing/1?a=b&_httpmethod=delete",
    "/services/apexrest/thing/1?x-http-method-override=DELETE",
    "/services/apexrest/thing/1?%5fHttpMethod=DELETE",
  ])("does not let %j through, which a server could read as something else", (path) => {
    expect(whyNotAllowed(allowed, "PATCH", path)).toMatch(/^PATCH .* is not sent: /s);
  });

  test("whatever is let through stays below what is open, also for a server that decodes and resolves it", () => {
    const part = fc.oneof(fc.constantFrom("..", ".", "%2e", "%2E%2e", "..;", "%2f", "\\", "//", "%252e", "a", "1"), fc.string());
    fc.assert(
      fc.property(fc.array(part, { maxLength: 6 }), (parts) => {
        const path = `/services/apexrest/thing/${parts.join("/")}`;
        if (whyNotAllowed(allowed, "PATCH", path) !== undefined) return;
        const resolved = new URL(decodeURIComponent(path.split("?")[0] ?? ""), "https://org.example").pathname;
        expect(resolved.startsWith("/services/apexrest/thing/")).toBe(true);
      }),
    );
  });
});

test("whatever is read is read: a query that names another method is not sent", () => {
  expect(whyNotRead("/services/data/v60.0/query?q=SELECT+Id+FROM+Case")).toBeUndefined();
  expect(whyNotRead("/services/data/v60.0/sobjects/Case/500")).toBeUndefined();
  expect(whyNotRead("/services/data/v60.0/sobjects/Case/500?_HttpMethod=DELETE")).toContain("the query may not name another method (_HttpMethod)");
});

test.each([
  ["/a/b/*", undefined],
  ["/a", undefined],
  ["/*", "must name at least one segment"],
  ["/", "must name at least one segment"],
  ["/a*", "as its last segment"],
  ["/a/*/b", "as its last segment"],
  ["/a/**", "as its last segment"],
  ["/a?x=1", "without a query"],
  ["a/b", "starts with /"],
  ["/a/../b", "as a segment"],
  ["/a//b", "empty segments"],
])("as a path to be opened, %s is %s", (pattern, problem) => {
  if (problem === undefined) expect(problemOfPattern(pattern)).toBeUndefined();
  else expect(problemOfPattern(pattern)).toContain(problem);
});
