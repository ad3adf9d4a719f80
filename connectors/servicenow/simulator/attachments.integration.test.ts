import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { afterEach, beforeAll, expect, test } from "vitest";
import { generatedBytes, generatedHash } from "../../simulation/generated-bytes.ts";
import { PersonAtWork } from "./person.ts";
import { control, openSimulator } from "./simulator.testbed.ts";
import { seededAccounts } from "./simulator.ts";

const simulator = openSimulator();
let maya: PersonAtWork;
let id: string;
beforeAll(async () => {
  maya = new PersonAtWork(simulator().url, seededAccounts.maya);
  id = await maya.create("incident", { short_description: "with files" });
});
afterEach(async () => {
  await control(simulator().url, "POST", "settings", { attachmentExtensions: null, attachmentLimitBytes: 1024 * 1024 * 1024 });
});

const authorization = `Basic ${btoa(`${seededAccounts.maya.userName}:${seededAccounts.maya.password}`)}`;

async function send(fileName: string, body: RequestInit["body"], type = "application/octet-stream") {
  const query = new URLSearchParams({ table_name: "incident", table_sys_id: id, file_name: fileName });
  const response = await fetch(`${simulator().url}/api/now/attachment/file?${query}`, {
    method: "POST",
    headers: { authorization, accept: "application/json", "content-type": type },
    body,
    duplex: "half",
  });
  // The fields are checked by the tests.
  return { status: response.status, body: (await response.json()) as { result?: Record<string, string>; error?: { message: string } } };
}

async function hashOf(attachment: string) {
  const response = await fetch(`${simulator().url}/api/now/attachment/${attachment}/file`, { headers: { authorization, accept: "*/*" } });
  const hash = createHash("sha256");
  for await (const chunk of response.body ?? []) hash.update(chunk);
  return { length: response.headers.get("content-length"), sha256: hash.digest("hex") };
}

const megabytes64 = 64 * 1024 * 1024;

test("a file passes through in both directions without being held whole", async () => {
  const sent = await send("large.bin", Readable.toWeb(Readable.from(generatedBytes(megabytes64))) as ReadableStream);
  expect(sent).toMatchObject({ status: 201, body: { result: { size_bytes: String(megabytes64), file_name: "large.bin" } } });
  const attachment = sent.body.result?.sys_id ?? "";
  const whole = { length: String(megabytes64), sha256: generatedHash(megabytes64) };
  expect(await hashOf(attachment)).toEqual(whole);
  expect((await control(simulator().url, "GET", `attachments/${attachment}`)).body).toEqual({ bytes: megabytes64, sha256: whole.sha256 });
});

test("a file can be planted that is made while it is read", async () => {
  const planted = await control(simulator().url, "POST", "attachments", { table: "incident", recordId: id, fileName: "planted.bin", bytes: megabytes64 });
  const { sys_id } = planted.body as { sys_id: string };
  expect((await maya.call("GET", `/api/now/attachment/${sys_id}`)).body.result).toMatchObject({ size_bytes: String(megabytes64), table_sys_id: id });
  expect(await hashOf(sys_id)).toEqual({ length: String(megabytes64), sha256: generatedHash(megabytes64) });
});

test("the answer describes a file in texts throughout, and holds no hash of it [D]", async () => {
  const { result = {} } = (await send("ü.txt", "abc", "text/plain")).body;
  expect(Object.values(result).every((value) => typeof value === "string")).toBe(true);
  expect(result).toMatchObject({
    file_name: "ü.txt",
    content_type: "text/plain",
    size_bytes: "3",
    image_width: "",
    average_image_color: "",
    sys_mod_count: "0",
  });
  expect(Object.keys(result).filter((key) => /hash|sha|md5/.test(key))).toEqual([]);
});

test("a file without bytes is a file, a record that is not there is 404, and Content-Type is mandatory [D]", async () => {
  expect(await send("empty.txt", "")).toMatchObject({ status: 201, body: { result: { size_bytes: "0" } } });
  const query = new URLSearchParams({ table_name: "incident", table_sys_id: "0".repeat(32), file_name: "a" });
  expect((await maya.call("POST", `/api/now/attachment/file?${query}`, "x", { "content-type": "text/plain" })).status).toBe(404);
  const untyped = await fetch(`${simulator().url}/api/now/attachment/file?${query}`, { method: "POST", headers: { authorization }, body: new Uint8Array([1]) });
  expect(untyped.status).toBe(400);
});

test("only extensions on the list are taken, where there is one [D]", async () => {
  await control(simulator().url, "POST", "settings", { attachmentExtensions: ["txt", "png"] });
  expect((await send("a.TXT", "x")).status).toBe(201);
  expect(await send("a.exe", "x")).toMatchObject({ status: 400, body: { error: { message: "Invalid file extension" } } });
});

test("a file that is too large is refused when it has been read, and nothing of it stays [D]", async () => {
  await control(simulator().url, "POST", "settings", { attachmentLimitBytes: 2_000_000 });
  const before = simulator().rows("sys_attachment").length;
  const sent = await send("too-large.bin", Readable.toWeb(Readable.from(generatedBytes(3_000_000))) as ReadableStream);
  expect(sent.status).toBe(413);
  expect(simulator().rows("sys_attachment")).toHaveLength(before);
});

test("at most 1000 are listed when nothing else is asked for [D]", async () => {
  const record = await maya.create("incident", { short_description: "many files" });
  for (let n = 0; n < 1001; n++) simulator().plant("sys_attachment", { table_name: "incident", table_sys_id: record, file_name: `${n}.txt` });
  const list = await maya.call("GET", `/api/now/attachment?sysparm_query=table_sys_id=${record}`);
  expect([list.body.result.length, list.headers.get("x-total-count")]).toEqual([1000, "1001"]);
});
