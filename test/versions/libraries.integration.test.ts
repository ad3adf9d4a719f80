import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openRuleDesk, type RuleDesk, rule } from "./desk.ts";

/** Libraries that rules of a node share: drafts, versions, and what publishing one means for the rules that use it. */
let desk: RuleDesk;
let original: string;
beforeAll(async () => {
  desk = await openRuleDesk();
  original = await desk.activeSource("SN", "outgoing");
});
afterAll(async () => {
  await desk?.close();
});

const status = (prefix: string): string => `/** What we call a state. */
export function mapStatus(state: string | null): string {
  return "${prefix}" + (state ?? "none");
}
`;
const library = (rest = "", name = "status"): string => `/api/libraries/${name}${rest}`;

const published = async (name: string, source: string, more: object = {}) =>
  await desk.call("POST", library("/versions", name), { source, note: "for the test", ...more });

const publishedRule = async (source: string, direction: "outgoing" | "incoming" = "outgoing", side: "SF" | "SN" = "SN") =>
  await desk.call("POST", rule(side, direction, "/versions"), { source, note: "for the test" });

const using = (): string =>
  `import { mapStatus } from "lib/status";\n${original}\nif (entity.entityType === "incident") replica.custom = { state: mapStatus(entity.state) };`;

const activeVersion = async (side: "SF" | "SN" = "SN", direction = "outgoing") => {
  const [active] = (await desk.call("GET", `/api/rules?side=${side}&direction=${direction}`)).body.items;
  return (await desk.call("GET", `/api/rule-versions/${active.id}`)).body;
};

test("a rule cannot import what the node does not have", async () => {
  expect((await desk.call("GET", "/api/libraries")).body).toEqual({ items: [], drafts: [] });
  expect((await publishedRule(using())).body.error).toMatchObject({
    code: "RULE_REFUSED",
    diagnostics: [{ code: "IMPORT", message: 'there is no library "status": there is none at all', line: 1 }],
  });
  expect((await desk.call("GET", library())).status).toBe(404);
});

describe("a draft of a library", () => {
  test("is begun, saved over its revision only, compared and published", async () => {
    const begun = (await desk.call("PUT", library("/draft"), { source: "export const x = 1;", revision: null })).body;
    expect(begun).toMatchObject({ basedOn: null, author: "ada" });
    expect((await desk.call("GET", "/api/libraries")).body.drafts).toEqual([{ name: "status", revision: begun.revision }]);
    const saved = (await desk.asBen("PUT", library("/draft"), { source: status("was "), revision: begun.revision })).body;
    expect(await desk.call("PUT", library("/draft"), { source: "mine", revision: begun.revision })).toMatchObject({
      status: 409,
      body: { error: { code: "DRAFT_CHANGED", detail: { theirs: { draft: { author: "ben" } }, yours: { source: "mine" } } } },
    });
    expect((await desk.call("GET", library("/draft/comparison"))).body).toMatchObject({ from: "nothing", to: "the draft" });
    expect(await desk.call("POST", library("/draft/publish"), { revision: saved.revision, note: "first" })).toMatchObject({
      status: 201,
      body: { number: 1, rules: [] },
    });
    expect((await desk.call("GET", library("/draft"))).status).toBe(404);
    expect((await desk.call("GET", library())).body).toMatchObject({
      number: 1,
      note: "first",
      author: "ada",
      active: true,
      usedBy: [],
      source: status("was "),
    });
  });

  test("is refused with file, line and column when the library does not check by itself", async () => {
    const { body, status: code } = await published("status", "export const x: number = 'a';\nexport const y = z;");
    expect(code).toBe(422);
    expect(body.error.diagnostics).toMatchObject([
      { file: "lib/status", line: 1, code: "TS2322" },
      { file: "lib/status", line: 2, code: "TS2304" },
    ]);
    expect(body.error.message).toContain("lib/status.ts:2:18: Cannot find name 'z'. (TS2304)");
  });

  test("may use what only one direction knows, or what an instance's types are called", async () => {
    expect((await published("incoming-only", "export const isNew = (): boolean => firstSync && changes.has('summary');")).status).toBe(201);
    expect((await published("typed", "export const title = (incident: IncidentEntity): string | null => incident.short_description;")).status).toBe(201);
    expect((await published("typed", "export const title = (incident: IncidentEntity): string | null => incident.short_descripton;")).status).toBe(422);
  });
});

describe("a rule that uses a library", () => {
  test("is published with the version of the library that is part of it, and runs with it", async () => {
    expect((await publishedRule(using())).status).toBe(201);
    expect(await activeVersion()).toMatchObject({ libraries: [{ name: "status", number: 1 }] });
    const { twin } = await desk.syncedIncident({ short_description: "With a library", state: "2" });
    expect((await desk.call("GET", `/api/twins/${twin}`)).body.replicas.find(({ side }: { side: string }) => side === "SN").sent.custom).toEqual({
      state: "was 2",
    });
  });

  test("is tried, previewed and replayed with it", async () => {
    const { number } = await desk.syncedIncident({ short_description: "Seen before", state: "1" });
    const preview = await desk.call("POST", rule("SN", "outgoing", "/preview"), { source: using(), entityType: "incident", key: number });
    expect(preview.body).toMatchObject({ outcome: "nothing", replica: { custom: { state: "was 1" } } });
    const shadow = await desk.call("POST", rule("SN", "outgoing", "/shadow"), {
      source: using().replace("mapStatus(entity.state)", "mapStatus('x')"),
      runs: 5,
    });
    expect(shadow.body.different[0].differences).toMatchObject([{ path: "replica.custom.state", actual: "was x" }]);
  });

  test("follows when the library is published: same text, next version, active at once; what ran is what each version names", async () => {
    const before = await activeVersion();
    const done = await published("status", status("is "), { basedOn: 1 });
    expect(done).toMatchObject({
      status: 201,
      body: { number: 2, rules: [{ connection: "support", side: "SN", direction: "outgoing", number: before.number + 1 }] },
    });
    const after = await activeVersion();
    expect(after).toMatchObject({ source: before.source, note: "library status 2: for the test", libraries: [{ name: "status", number: 2 }] });
    expect((await desk.call("GET", library())).body.usedBy).toEqual([
      { connection: "support", side: "SN", direction: "outgoing", number: after.number, id: after.id },
    ]);
    const { twin } = await desk.syncedIncident({ short_description: "With the next one", state: "3" });
    const [run] = (await desk.call("GET", `/api/runs?twin=${twin}&side=SN&direction=outgoing`)).body.items;
    expect(run).toMatchObject({ versionId: after.id });
    expect((await desk.call("GET", `/api/runs/${run.id}`)).body.output.replica.custom).toEqual({ state: "is 3" });
    const replayed = (await desk.call("POST", `/api/runs/${run.id}/replay`, { version: before.id })).body;
    expect(replayed.different[0].after.replica.custom).toEqual({ state: "was 3" });
  });

  test("a draft that was begun before is not held to be out of date by it", async () => {
    const { number } = await activeVersion();
    const draft = (await desk.call("PUT", rule("SN", "outgoing", "/draft"), { source: `${using()}\n// more`, revision: null })).body;
    await published("status", status("is now "));
    expect((await activeVersion()).number).toBe(number + 1);
    expect(await desk.call("POST", rule("SN", "outgoing", "/draft/publish"), { revision: draft.revision, note: "more" })).toMatchObject({ status: 201 });
    expect(await activeVersion()).toMatchObject({ libraries: [{ name: "status", number: 3 }] });
  });
});

describe("publishing a library is refused", () => {
  test("naming the rules and lines that would break, and then nothing has changed", async () => {
    const before = await activeVersion();
    const renamed = status("x").replace("mapStatus", "statusOf");
    const refused = await published("status", renamed);
    expect(refused.status).toBe(422);
    expect(refused.body.error.diagnostics).toMatchObject([{ rule: "support/SN/outgoing.ts", line: 1, column: 10, code: "TS2305" }]);
    expect(refused.body.error.message).toMatch(/^support\/SN\/outgoing\.ts:1:10: .*mapStatus.* \(TS2305\)$/);
    expect(await activeVersion()).toEqual(before);
    expect((await desk.call("GET", library())).body).toMatchObject({ number: 3 });
    expect((await desk.call("POST", library("/check"), { source: renamed })).body).toMatchObject({
      ok: false,
      diagnostics: [{ rule: "support/SN/outgoing.ts" }],
    });
    expect((await desk.call("POST", library("/check"), { source: status("y") })).body).toEqual({
      ok: true,
      diagnostics: [],
      checkedWith: ["support/SN/outgoing.ts"],
    });
  });

  test("where a rule uses it only through another library", async () => {
    await published("base", "export const base = 1;");
    await published("above", 'import { base } from "lib/base";\nexport const sum = base + 1;');
    expect((await publishedRule(`import { sum } from "lib/above";\n${using()}\nreplica.sum = sum;`)).status).toBe(201);
    expect((await activeVersion()).libraries.map(({ name }: { name: string }) => name)).toEqual(["above", "base", "status"].sort());
    const refused = await published("base", "export const other = 1;");
    expect(refused.body.error.diagnostics).toMatchObject([{ file: "lib/above", line: 1 }]);
    expect(await published("base", "export const base = 10;")).toMatchObject({ status: 201, body: { rules: [{ side: "SN" }] } });
  });

  test("where a library that no rule uses yet would break", async () => {
    await published("unused", 'import { base } from "lib/base";\nexport const more = base.toFixed(2);');
    await publishedRule(using());
    expect((await published("base", "export const base = 'text';")).body.error.diagnostics).toMatchObject([{ file: "lib/unused", line: 2 }]);
  });

  test("while a pinned sample of a rule that uses it fails, unless an admin says why", async () => {
    const content = {
      direction: "outgoing",
      entity: { entityType: "incident", number: "INC1", state: "7", display: {} },
      expected: { replica: { custom: { state: "is now 7" } } },
    };
    const tried = (await desk.call("POST", rule("SN", "outgoing", "/samples"), { name: "status", content, pinned: false })).status;
    expect(tried).toBe(201);
    const [{ outcome }] = (await desk.call("POST", rule("SN", "outgoing", "/try"), {})).body.results;
    await desk.call("PUT", rule("SN", "outgoing", "/samples/status"), { content: { ...content, expected: outcome }, pinned: true });
    const refused = await published("status", status("has been "));
    expect(refused).toMatchObject({ status: 422, body: { error: { code: "SAMPLES_FAIL" } } });
    expect(refused.body.error.message).toContain("lib/status: a pinned sample fails: support/SN/outgoing.ts status (replica.custom.state");
    expect(await published("status", status("has been "), { despite: "The other side agreed." })).toMatchObject({ status: 201, body: { number: 4 } });
    expect(await activeVersion()).toMatchObject({ report: { despite: "The other side agreed.", samples: { passed: 0 } } });
  });

  test("when somebody else published it meanwhile", async () => {
    expect(await published("status", status("z"), { basedOn: 1 })).toMatchObject({ status: 409, body: { error: { code: "NEWER_VERSION" } } });
  });
});

test("of versions of a library one can list all, read one, compare two and go back to one", async () => {
  const { items } = (await desk.call("GET", library("/versions?limit=3"))).body;
  expect(items.map(({ number, active }: { number: number; active: boolean }) => [number, active])).toEqual([
    [1, false],
    [2, false],
    [3, false],
  ]);
  const rest = (await desk.call("GET", library("/versions?after=3"))).body.items;
  expect(rest).toMatchObject([{ number: 4, active: true }]);
  expect((await desk.call("GET", `/api/library-versions/${items[0].id}`)).body).toMatchObject({ source: status("was "), hash: items[0].hash });
  const { lines } = (await desk.call("GET", `/api/library-versions/${items[0].id}/comparison/${rest[0].id}`)).body;
  expect(lines.filter(({ op }: { op: string }) => op !== "=").map(({ op, text }: { op: string; text: string }) => op + text.trim())).toEqual([
    '-return "was " + (state ?? "none");',
    '+return "has been " + (state ?? "none");',
  ]);
  const back = await desk.call("POST", `/api/library-versions/${items[2].id}/activate`, { note: "it was better" });
  expect(back).toMatchObject({ status: 201, body: { number: 5, rules: [{}] } });
  expect((await desk.call("GET", library())).body).toMatchObject({ note: "Back to version 3: it was better", source: status("is now ") });
  expect(await activeVersion()).toMatchObject({ libraries: [{ name: "status", number: 5 }] });
});

test("of rules and libraries published at the same moment none runs with a library that is not the active one", async () => {
  const publications = Array.from({ length: 6 }, async (_, index) =>
    index % 2 === 0 ? await published("status", status(`${index} `), { despite: "race" }) : await publishedRule(`${using()}\n// ${index}`),
  );
  const answers = await Promise.all(publications);
  for (const { status: code, body } of answers) expect([201, 409, 422], JSON.stringify(body)).toContain(code);
  const { number } = (await desk.call("GET", library())).body;
  expect((await activeVersion()).libraries).toMatchObject([{ name: "status", number }]);
});

test("drift says when a changed schema breaks a library, with the library's line", async () => {
  await published("typed", 'export function close(incident: IncidentEntity): void {\n  incident.close_notes = "Done.";\n}');
  const incoming = (await activeVersion("SN", "incoming")).source;
  const source = `import { close } from "lib/typed";\nif (entity.entityType === "incident" && replica.status === "Closed") close(entity);\n${incoming.replaceAll(/^.*close_notes.*$/gm, "")}`;
  expect((await publishedRule(source, "incoming")).status).toBe(201);
  desk.world.servicenow.define({ name: "incident", label: "Incident", columns: [{ element: "close_notes", label: "Close notes", readOnly: true }] });
  const { items } = (await desk.call("POST", "/api/connections/support/sides/SN/drift")).body;
  expect(items.find(({ direction }: { direction: string }) => direction === "incoming")).toMatchObject({
    changed: true,
    breaks: [{ file: "lib/typed", line: 2, message: expect.stringContaining("close_notes") }],
  });
});
