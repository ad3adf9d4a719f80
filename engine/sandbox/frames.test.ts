import { describe, expect, test } from "vitest";
import { encodeFrame, FrameReader, FrameWriter, longestFrame } from "./frames.ts";
import { readFromChild } from "./messages.ts";

describe("frames", () => {
  test("come out as they went in, however the stream was cut", () => {
    const sent = [
      ["{}", ""],
      ['{"a":1}', "payload\nwith lines"],
      ['{"b":2}', "ünï😀".repeat(1000)],
      ["{}", "\u2028"],
    ] as const;
    const bytes = Buffer.concat(sent.map(([header, payload]) => encodeFrame(JSON.parse(header), payload)));
    for (const size of [1, 3, 4, 5, 7, 1000, bytes.length]) {
      const reader = new FrameReader();
      const got: [string, string][] = [];
      for (let at = 0; at < bytes.length; at += size)
        expect(reader.push(bytes.subarray(at, at + size), (header, payload) => got.push([header, payload]))).toBe(true);
      expect(got).toEqual(sent);
    }
  });

  test("written piece by piece are the same bytes, also when they outgrow the buffer and when buffers are used again", () => {
    const out = new FrameWriter();
    for (const texts of [["one", "two"], ["ünï😀".repeat(200_000), ""], ["x".repeat(1_500_000), "\u2028"], ["again"], ["and again"]]) {
      expect(out.isEmpty).toBe(true);
      for (const header of [{ a: 1 }, { b: "é" }]) {
        out.open(header);
        for (const [index, text] of texts.entries()) {
          if (index > 0) out.addLineFeed();
          out.add(text);
        }
        out.close();
      }
      const bytes = out.take();
      expect(bytes.equals(Buffer.concat([encodeFrame({ a: 1 }, texts.join("\n")), encodeFrame({ b: "é" }, texts.join("\n"))]))).toBe(true);
      out.recycle(bytes);
    }
  });

  test("PRO-04: a frame that claims to be longer than the cap is refused before its bytes arrive", () => {
    const head = Buffer.alloc(4);
    head.writeUInt32LE(longestFrame + 1);
    expect(new FrameReader().push(head, () => {})).toBe(false);
  });

  test("PRO-04: a frame without a header line is refused", () => {
    const frame = Buffer.from("\u0005\0\0\0hello", "latin1");
    expect(new FrameReader().push(frame, () => {})).toBe(false);
  });
});

describe("what a child says", () => {
  test("is read when it is of the protocol", () => {
    expect(readFromChild('{"type":"begin","runs":[1,2]}')).toEqual({ type: "begin", runs: [1, 2] });
    expect(readFromChild('{"type":"steps","runs":[1],"cpuMs":2}')).toEqual({ type: "steps", runs: [1], cpuMs: 2 });
    expect(readFromChild('{"type":"idle","weary":true}')).toEqual({ type: "idle", weary: true });
    expect(readFromChild('{"type":"ready","user":61200,"dropped":true}')).toEqual({ type: "ready", user: 61_200, dropped: true });
  });

  test.each([
    "",
    "null",
    "1",
    "[]",
    "{",
    '{"type":"other","runs":[1]}',
    '{"type":"steps"}',
    '{"type":"steps","runs":1}',
    '{"type":"steps","runs":[]}',
    '{"type":"steps","runs":["1"]}',
    '{"type":"steps","runs":[1.5]}',
    `{"type":"begin","runs":[${Array(65).fill(1).join()}]}`,
    '{"type":"lost","run":"1"}',
    '{"type":"broken","runs":[1],"why":"x"}',
    '{"type":"thrown","runs":[1],"stage":"x"}',
  ])("PRO-04: %s is no message", (header) => {
    expect(readFromChild(header)).toBeUndefined();
  });

  test("PRO-04: lies about time and long words are cut", () => {
    expect(readFromChild('{"type":"steps","runs":[1],"cpuMs":-5}')).toMatchObject({ cpuMs: 0 });
    expect(readFromChild('{"type":"steps","runs":[1],"cpuMs":1e99}')).toMatchObject({ cpuMs: 0 });
    expect(readFromChild(JSON.stringify({ type: "thrown", runs: [1], stage: "run", message: "x".repeat(9999), stack: "" }))).toMatchObject({
      message: "x".repeat(2000),
    });
  });
});
