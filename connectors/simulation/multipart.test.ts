import { Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import { readForm } from "./multipart.ts";

async function partsOf(form: FormData, cut: number): Promise<{ name: string; filename: string | undefined; bytes: Buffer }[]> {
  const response = new Response(form);
  const whole = Buffer.from(await response.arrayBuffer());
  const chunks = Array.from({ length: Math.ceil(whole.length / cut) }, (_, i) => whole.subarray(i * cut, (i + 1) * cut));
  const parts = [];
  for await (const { name, filename, bytes } of readForm(Readable.from(chunks), response.headers.get("content-type") ?? "")) {
    const read: Buffer[] = [];
    for await (const piece of bytes) read.push(piece);
    parts.push({ name, filename, bytes: Buffer.concat(read) });
  }
  return parts;
}

describe("a form", () => {
  const tricky = Buffer.from("\r\n--\r\n----\r\n\0\xff--boundary\r\n", "latin1");
  const form = () => {
    const form = new FormData();
    form.append("plain", "text");
    form.append("record", new Blob(['{"a":1}'], { type: "application/json" }));
    form.append("bytes", new Blob([tricky]), 'a "quoted".bin');
    form.append("empty", new Blob([]), "empty.txt");
    return form;
  };

  it.each([1, 2, 7, 64, 100_000])("is read part by part however it is cut: %i bytes at a time", async (cut) => {
    expect(await partsOf(form(), cut)).toEqual([
      { name: "plain", filename: undefined, bytes: Buffer.from("text") },
      { name: "record", filename: "blob", bytes: Buffer.from('{"a":1}') },
      { name: "bytes", filename: "a %22quoted%22.bin", bytes: tricky },
      { name: "empty", filename: "empty.txt", bytes: Buffer.alloc(0) },
    ]);
  });

  it("may be read in part: what is left of a part is passed over", async () => {
    const response = new Response(form());
    const names: string[] = [];
    for await (const { name } of readForm(Readable.from([Buffer.from(await response.arrayBuffer())]), response.headers.get("content-type") ?? ""))
      names.push(name);
    expect(names).toEqual(["plain", "record", "bytes", "empty"]);
  });

  it.each([
    ["multipart/form-data; boundary=b", '--b\r\nContent-Disposition: form-data; name="x"\r\n\r\nabc'],
    ["multipart/form-data; boundary=b", "no form at all"],
    ["multipart/form-data", "--b--"],
  ])("%s of %j is refused", async (type, body) => {
    await expect(async () => {
      for await (const { bytes } of readForm(Readable.from([Buffer.from(body)]), type)) for await (const _ of bytes);
    }).rejects.toBeInstanceOf(SyntaxError);
  });
});
