import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Json } from "./completion.ts";
import { parseUntrusted } from "./gate.ts";

const limits = { bytes: 100_000, depth: 8, keys: 100 };

describe("text from a child", () => {
  test("is parsed when it is within the limits", () => {
    expect(parseUntrusted('{"a":[1,"x,{[",{"b":null}]}', "the result", limits)).toEqual({ ok: true, value: { a: [1, "x,{[", { b: null }] } });
  });

  test("gives the same as JSON.parse for any JSON", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value);
        const gated = parseUntrusted(text, "x", { bytes: 1e7, depth: 1e4, keys: 1e6 });
        expect(gated).toEqual({ ok: true, value: withoutProto(JSON.parse(text)) });
      }),
    );
  });

  test("RET-11: is refused by its depth, and a long text before it is parsed", () => {
    const depth = (levels: number) => parseUntrusted("[".repeat(levels) + "]".repeat(levels), "the result", limits);
    expect(depth(8)).toMatchObject({ ok: true });
    expect(depth(9)).toEqual({ ok: false, code: "LIMIT_RESULT", message: "the result goes deeper than 8 levels, which is the limit" });
    expect(depth(30_000)).toMatchObject({ ok: false, code: "LIMIT_RESULT" });
    expect(depth(40_000)).toMatchObject({ ok: false, code: "LIMIT_RESULT" });
    const objects = (levels: number) => parseUntrusted('{"a":'.repeat(levels) + 1 + "}".repeat(levels), "the result", limits);
    expect(objects(8)).toMatchObject({ ok: true });
    expect(objects(9)).toMatchObject({ ok: false, code: "LIMIT_RESULT" });
    expect(objects(10_000)).toMatchObject({ ok: false, code: "LIMIT_RESULT" });
  });

  test("is judged alike whether it is short or long", () => {
    const long = "x".repeat(70_000);
    for (const filling of ["", long]) {
      const wide = { bytes: 1e6, depth: 3, keys: 5 };
      expect(parseUntrusted(JSON.stringify([filling, {}, [], 1]), "x", wide)).toEqual({ ok: true, value: [filling, {}, [], 1] });
      expect(parseUntrusted(JSON.stringify([filling, [[[]]]]), "x", wide)).toMatchObject({
        code: "LIMIT_RESULT",
        message: "x goes deeper than 3 levels, which is the limit",
      });
      expect(parseUntrusted(JSON.stringify([filling, 1, 2, 3, 4, 5, 6, 7]), "x", wide)).toMatchObject({
        message: "x has more than 5 keys, which is the limit",
      });
      expect(parseUntrusted(`{"a":${JSON.stringify(filling)},"__proto__":{"isAdmin":true}}`, "x", wide)).toEqual({ ok: true, value: { a: filling } });
      expect(parseUntrusted(`["${filling}",}`, "x", wide)).toMatchObject({ code: "PROTOCOL" });
    }
  });

  test("PRO-05: is not judged by what somebody put on the prototype of all objects", () => {
    const deep = { a: { a: { a: { a: { a: { a: { a: { a: { a: {} } } } } } } } } };
    Object.defineProperty(Object.prototype, "polluted", { value: deep, configurable: true, enumerable: true, writable: true });
    const gated = parseUntrusted('{"a":1}', "x", limits);
    Reflect.deleteProperty(Object.prototype, "polluted");
    expect(gated).toEqual({ ok: true, value: { a: 1 } });
  });

  test("RET-12: is refused by its size and by the number of its values", () => {
    expect(parseUntrusted(JSON.stringify("x".repeat(100_000)), "the result", limits)).toMatchObject({
      code: "LIMIT_RESULT",
      message: "the result is larger than 100000 bytes, which is the limit",
    });
    expect(parseUntrusted(JSON.stringify("é".repeat(60_000)), "the result", limits)).toMatchObject({ code: "LIMIT_RESULT" });
    expect(parseUntrusted(JSON.stringify(new Array(100).fill(0)), "the result", limits)).toMatchObject({ ok: true });
    expect(parseUntrusted(JSON.stringify(new Array(110).fill(0)), "the result", limits)).toMatchObject({
      code: "LIMIT_RESULT",
      message: "the result has more than 100 keys, which is the limit",
    });
  });

  test("is not misled by quotes and backslashes inside text", () => {
    const value = { a: '\\"', b: '\\\\"[[[[[[[[[[[[[[[[', c: "]]]]]]", d: ",".repeat(500) };
    expect(parseUntrusted(JSON.stringify(value), "x", limits)).toEqual({ ok: true, value });
  });

  test("RET-06: loses its __proto__ members, however they are spelled, and no prototype is set", () => {
    for (const key of ["__proto__", "\\u005f_proto__", "__pr\\u006fto__", "\\u005F\\u005fproto__"]) {
      const gated = parseUntrusted(`{"a":{"${key}":{"isAdmin":true},"b":1}}`, "x", limits);
      expect(gated).toEqual({ ok: true, value: { a: { b: 1 } } });
      expect(gated.ok && (gated.value as { a: { isAdmin?: boolean } }).a.isAdmin).toBeUndefined();
    }
    const copied = Object.assign({}, parseUntrusted('{"__proto__":{"isAdmin":true}}', "x", limits));
    expect((copied as { isAdmin?: boolean }).isAdmin).toBeUndefined();
  });

  test("is refused when it is no JSON at all", () => {
    for (const text of ["", "{", "{]", "undefined", '"', "{'a':1}"]) expect(parseUntrusted(text, "x", limits)).toMatchObject({ ok: false, code: "PROTOCOL" });
  });
});

function withoutProto(value: Json): Json {
  return JSON.parse(JSON.stringify(value), (_key, member: Json) => {
    if (typeof member === "object" && member !== null && !Array.isArray(member)) Reflect.deleteProperty(member, "__proto__");
    return member;
  }) as Json;
}
