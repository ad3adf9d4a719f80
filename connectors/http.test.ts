import { describe, expect, test } from "vitest";
import { isLoopback } from "./http.ts";
import { Redactor } from "./http-redaction.ts";
import { retryAfterMs } from "./http-retry.ts";

describe("Retry-After", () => {
  test("is read as seconds", () => expect(retryAfterMs({ "retry-after": "7" })).toBe(7000));
  test("is read as a date", () => expect(retryAfterMs({ "retry-after": "Sat, 21 Nov 2026 10:00:05 GMT" }, Date.parse("2026-11-21T10:00:00Z"))).toBe(5000));
  test("in the past means now", () => expect(retryAfterMs({ "retry-after": "Sat, 21 Nov 2026 09:00:00 GMT" }, Date.parse("2026-11-21T10:00:00Z"))).toBe(0));
  test("is undefined when absent or unreadable", () => expect([retryAfterMs({}), retryAfterMs({ "retry-after": "soon" })]).toEqual([undefined, undefined]));
});

describe("redaction", () => {
  test("takes a secret out as it is, percent-encoded, as a form field, in JSON and in base64", () => {
    const secret = 'p&ss "w ord+';
    const redactor = new Redactor([secret]);
    const spellings = [
      secret,
      encodeURIComponent(secret),
      new URLSearchParams({ secret }).toString(),
      JSON.stringify({ secret }),
      Buffer.from(secret).toString("base64"),
    ];
    const clean = redactor.redact(spellings.join(" | "));
    expect(clean.match(/\[hidden\]/g)).toHaveLength(5);
    expect(clean).not.toContain("ord");
  });

  test("takes the longer of two secrets first, so that no rest stays behind", () => {
    expect(new Redactor(["abc", "abcdef"]).redact("abcdef abc")).toBe("[hidden] [hidden]");
  });

  test("hides tokens learnt later, and an empty secret hides nothing", () => {
    const redactor = new Redactor([""]);
    redactor.hide("token-1");
    expect(redactor.redact("a token-1 b")).toBe("a [hidden] b");
  });
});

test("loopback is this machine, by name or address, and nothing that only looks like it", () => {
  expect(["localhost", "127.0.0.1", "127.9.9.9", "[::1]"].every(isLoopback)).toBe(true);
  expect(["localhost.example.com", "128.0.0.1", "127.0.0.1.example.com"].some(isLoopback)).toBe(false);
});
