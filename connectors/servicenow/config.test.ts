import { describe, expect, test } from "vitest";
import { servicenowConfig, servicenowSecrets } from "./config.ts";

const basic = { type: "basic", username: "u" } as const;

describe("the configuration", () => {
  test.each(["https://example.service-now.com", "https://example.service-now.com/", "http://127.0.0.1:8080", "http://localhost:1"])("takes %s", (url) => {
    expect(servicenowConfig.safeParse({ url, auth: basic }).success).toBe(true);
  });
  test.each(["http://example.service-now.com", "https://example.service-now.com/nav_to.do", "https://u:p@example.service-now.com", "ftp://x", "example"])(
    "refuses %s",
    (url) => {
      expect(servicenowConfig.safeParse({ url, auth: basic }).success).toBe(false);
    },
  );
  test("takes plain http to another machine only when that is allowed in so many words", () => {
    expect(servicenowConfig.safeParse({ url: "http://10.1.2.3:8080", auth: basic, allowHttp: true }).success).toBe(true);
  });
  test("refuses secrets: they come separately", () => {
    expect(servicenowConfig.safeParse({ url: "https://a.example", auth: { ...basic, password: "x" } }).success).toBe(false);
  });
});

test("each way of signing in names its secrets", () => {
  const needed = [basic, { type: "oauth-password", clientId: "c", username: "u" } as const, { type: "client-credentials", clientId: "c" } as const].map(
    (auth) => servicenowSecrets({ auth }),
  );
  expect(needed).toEqual([["password"], ["clientSecret", "password"], ["clientSecret"]]);
});
