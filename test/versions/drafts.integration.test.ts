import { afterAll, beforeAll, expect, test } from "vitest";
import { openRuleDesk, type RuleDesk, rule } from "./desk.ts";

let desk: RuleDesk;
beforeAll(async () => {
  desk = await openRuleDesk({ start: false });
});
afterAll(async () => {
  await desk?.close();
});

const draft = rule("SN", "outgoing", "/draft");

test("a draft is saved over the revision that the editor has, and nothing that runs changes", async () => {
  const source = await desk.activeSource("SN", "outgoing");
  expect((await desk.call("GET", draft)).status).toBe(404);
  const begun = await desk.call("PUT", draft, { source: `${source}\n// one`, revision: null });
  expect(begun).toMatchObject({ status: 200, body: { basedOn: 1, author: "ada" } });
  const saved = await desk.asBen("PUT", draft, { source: `${source}\n// two`, revision: begun.body.revision });
  expect(saved).toMatchObject({ status: 200, body: { basedOn: 1, author: "ben" } });
  expect(saved.body.revision).toBeGreaterThan(begun.body.revision);
  expect((await desk.call("GET", draft)).body.source).toBe(`${source}\n// two`);
  expect(await desk.activeSource("SN", "outgoing")).toBe(source);
  const { lines } = (await desk.call("GET", `${draft}/comparison`)).body;
  expect(lines.filter((line: { op: string }) => line.op !== "=")).toEqual([{ op: "+", text: "// two", to: expect.any(Number) }]);
  expect((await desk.call("DELETE", `${draft}?revision=${saved.body.revision}`)).status).toBe(200);
});

test("who saves over an older revision is given both texts, and the newer one stays", async () => {
  const begun = await desk.call("PUT", draft, { source: "// Ada's", revision: null });
  const theirs = await desk.asBen("PUT", draft, { source: "// Ben's", revision: begun.body.revision });
  const refused = await desk.call("PUT", draft, { source: "// Ada's second", revision: begun.body.revision });
  expect(refused).toMatchObject({
    status: 409,
    body: {
      error: {
        code: "DRAFT_CHANGED",
        detail: { yours: { source: "// Ada's second" }, theirs: { draft: { source: "// Ben's", revision: theirs.body.revision, author: "ben" } } },
      },
    },
  });
  expect(await desk.call("PUT", draft, { source: "// a second beginning", revision: null })).toMatchObject({
    status: 409,
    body: { error: { code: "DRAFT_EXISTS" } },
  });
  expect((await desk.call("DELETE", `${draft}?revision=${begun.body.revision}`)).status).toBe(409);
  expect((await desk.call("GET", draft)).body.source).toBe("// Ben's");
  expect((await desk.call("DELETE", `${draft}?revision=${theirs.body.revision}`)).status).toBe(200);
});

test("of many who save at the same time from one revision, one is served", async () => {
  const { revision } = (await desk.call("PUT", draft, { source: "// start", revision: null })).body;
  const answers = await Promise.all(Array.from({ length: 12 }, async (_, n) => await desk.call("PUT", draft, { source: `// writer ${n}`, revision })));
  expect(answers.map((answer) => answer.status).sort()).toEqual([200, ...Array.from({ length: 11 }, () => 409)]);
  const winner = answers.find((answer) => answer.status === 200);
  expect((await desk.call("GET", draft)).body).toMatchObject({ source: winner?.body.source, revision: winner?.body.revision });
  await desk.call("DELETE", `${draft}?revision=${winner?.body.revision}`);
});

test("the revision of a draft that was discarded does not fit a later draft", async () => {
  const first = await desk.call("PUT", draft, { source: "// first", revision: null });
  await desk.asBen("DELETE", `${draft}?revision=${first.body.revision}`);
  expect(await desk.call("PUT", draft, { source: "// first, edited", revision: first.body.revision })).toMatchObject({
    status: 409,
    body: { error: { code: "DRAFT_GONE" } },
  });
  const second = await desk.asBen("PUT", draft, { source: "// second", revision: null });
  expect((await desk.call("PUT", draft, { source: "// first, edited", revision: first.body.revision })).status).toBe(409);
  await desk.call("DELETE", `${draft}?revision=${second.body.revision}`);
});

test("a published draft becomes the next version, with note, author, check report and the hash of what it was checked against", async () => {
  const source = `${await desk.activeSource("SN", "outgoing")}\n// by way of a draft\n`;
  const { revision } = (await desk.call("PUT", draft, { source, revision: null })).body;
  const published = await desk.call("POST", `${draft}/publish`, { revision, note: "by way of a draft" });
  expect(published).toMatchObject({ status: 201, body: { number: 2 } });
  const version = (await desk.call("GET", `/api/rule-versions/${published.body.id}`)).body;
  const { hash } = (await desk.call("GET", rule("SN", "outgoing", "/declarations"))).body;
  expect(version).toMatchObject({
    source,
    note: "by way of a draft",
    author: "ada",
    active: true,
    declarationsHash: hash,
    report: {
      diagnostics: [],
      declarationsHash: hash,
      sizes: { source: Buffer.byteLength(source) },
      limits: { cpuMs: 1_000 },
      samples: { passed: 0, failed: [] },
    },
  });
  expect((await desk.call("GET", draft)).status).toBe(404);
});

test("a draft that does not check is refused with every error and its place, and stays", async () => {
  const { revision } = (await desk.call("PUT", draft, { source: "replica.summary = entity.nope;\nreplica.x = entity.neither;", revision: null })).body;
  const refused = await desk.call("POST", `${draft}/publish`, { revision, note: "broken" });
  expect(refused).toMatchObject({ status: 422, body: { error: { code: "RULE_REFUSED", diagnostics: [{ line: 1 }, { line: 2 }] } } });
  expect((await desk.call("POST", rule("SN", "outgoing", "/check"), { source: "replica.summary = entity.nope;" })).body).toMatchObject({
    ok: false,
    diagnostics: [{ line: 1, column: 26 }],
  });
  expect((await desk.call("GET", draft)).body.revision).toBe(revision);
  await desk.call("DELETE", `${draft}?revision=${revision}`);
});

test("a draft is not published over a version that it does not take into account, unless said so", async () => {
  const source = await desk.activeSource("SN", "outgoing");
  const { revision, basedOn } = (await desk.call("PUT", draft, { source: `${source}\n// mine`, revision: null })).body;
  expect((await desk.asBen("POST", rule("SN", "outgoing", "/versions"), { source: `${source}\n// Ben's`, note: "Ben's" })).status).toBe(201);
  const refused = await desk.call("POST", `${draft}/publish`, { revision, note: "mine" });
  expect(refused).toMatchObject({
    status: 409,
    body: { error: { code: "NEWER_VERSION", detail: { theirs: { version: { number: basedOn + 1, source: `${source}\n// Ben's` } } } } },
  });
  expect(await desk.call("POST", rule("SN", "outgoing", "/versions"), { source, note: "direct", basedOn })).toMatchObject({ status: 409 });
  expect(await desk.call("POST", `${draft}/publish`, { revision, note: "mine", overNewer: true })).toMatchObject({
    status: 201,
    body: { number: basedOn + 2 },
  });
  expect(await desk.activeSource("SN", "outgoing")).toBe(`${source}\n// mine`);
});

test("of two who publish one draft at the same time, one does", async () => {
  const source = `${await desk.activeSource("SN", "outgoing")}\n// twice`;
  const { revision } = (await desk.call("PUT", draft, { source, revision: null })).body;
  const answers = await Promise.all([
    desk.call("POST", `${draft}/publish`, { revision, note: "twice" }),
    desk.asBen("POST", `${draft}/publish`, { revision, note: "twice" }),
  ]);
  expect(answers.map((answer) => answer.status).sort()).toEqual([201, 409]);
});

test("going back publishes the old text as a new version whose note names the old one; the two can be compared", async () => {
  const versions = (await desk.call("GET", "/api/rule-versions?connection=support&side=SN&direction=outgoing")).body.items;
  const first = versions.find((version: { number: number }) => version.number === 1);
  const last = versions.find((version: { active: boolean }) => version.active);
  const back = await desk.call("POST", `/api/rule-versions/${first.id}/activate`, { note: "the new one loses comments" });
  expect(back).toMatchObject({ status: 201, body: { number: last.number + 1 } });
  const version = (await desk.call("GET", `/api/rule-versions/${back.body.id}`)).body;
  expect(version).toMatchObject({ active: true, note: "Back to version 1: the new one loses comments", author: "ada" });
  expect(version.source).toBe((await desk.call("GET", `/api/rule-versions/${first.id}`)).body.source);
  const comparison = (await desk.call("GET", `/api/rule-versions/${last.id}/comparison/${back.body.id}`)).body;
  expect(comparison).toMatchObject({ from: `version ${last.number}`, to: `version ${back.body.number}` });
  expect(comparison.lines.filter((line: { op: string }) => line.op === "-").map((line: { text: string }) => line.text)).toContain("// twice");
  expect((await desk.call("POST", "/api/rule-versions/00000000-0000-4000-8000-000000000000/activate", {})).status).toBe(404);
});
