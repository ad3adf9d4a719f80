import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Connector, Watch, WatchedChange } from "../connector.ts";
import { type Caller, createCase, type SimulatedOrg, simulatedOrg } from "./simulator/simulated-org.ts";

let org: SimulatedOrg;
let connector: Connector;
let human: Caller;
const cases: Watch = { entityType: "Case", query: "" };
const start = Date.parse("2026-05-01T00:00:00Z");
const since = "2026-04-30T00:00:00Z";

beforeEach(async () => {
  org = await simulatedOrg();
  at(0);
  connector = org.connector();
  human = await org.caller();
});
afterEach(() => org.close());

/** Sets the org's clock to so many seconds after the start. */
function at(seconds: number): void {
  org.simulator.server.clock.set({ frozenAt: start + seconds * 1000 });
}

const newCase = async (fields: object = {}) => (await human("POST", "/sobjects/Case", { Subject: "s", ...fields })).body.id as string;
const newCases = async (count: number) => {
  const records = Array.from({ length: count }, (_, i) => ({ attributes: { type: "Case" }, Subject: `${i}` }));
  return ((await human("POST", "/composite/sobjects", { records })).body as { id: string }[]).map(({ id }) => id);
};

/** Polls to the tip, as the engine does. */
async function poll(
  watch: Watch,
  cursor: string | undefined,
  limit = 200,
): Promise<{ ids: string[]; changes: WatchedChange[]; cursor: string; pages: number }> {
  const changes: WatchedChange[] = [];
  for (let pages = 1; ; pages++) {
    const page = await connector.poll(watch, cursor, limit, since);
    expect(new Set(page.changes.map(({ ref }) => ref.id)).size).toBe(page.changes.length);
    expect(page.changes.length).toBeLessThanOrEqual(limit);
    changes.push(...page.changes);
    cursor = page.cursor;
    if (!page.more) return { ids: changes.map(({ ref }) => ref.id), changes, cursor, pages };
    expect(pages).toBeLessThan(200);
  }
}

describe("a poll", () => {
  it("starts at now without a cursor, or where it is told", async () => {
    const id = await newCase();
    at(60);
    expect((await connector.poll(cases, undefined, 10)).changes).toEqual([]);
    expect((await connector.poll(cases, undefined, 10, since)).changes.map(({ ref }) => ref)).toEqual([{ type: "Case", id }]);
  });

  it("tells each state once, with the version that a read gives it", async () => {
    const id = await newCase();
    let { changes, cursor } = await poll(cases, undefined);
    const [outcome] = await connector.read([{ type: "Case", id }]);
    expect(changes).toEqual([{ ref: { type: "Case", id }, version: outcome?.ok && outcome.entity.version }]);
    ({ changes, cursor } = await poll(cases, cursor));
    expect(changes).toEqual([]);
    at(5);
    await human("PATCH", `/sobjects/Case/${id}`, { Subject: "t" });
    ({ changes, cursor } = await poll(cases, cursor));
    expect(changes.map(({ ref }) => ref.id)).toEqual([id]);
    at(3600);
    expect((await poll(cases, cursor)).changes).toEqual([]);
  });

  it("tells of a second save within the same second", async () => {
    const id = await newCase();
    const first = await poll(cases, undefined);
    await human("PATCH", `/sobjects/Case/${id}`, { Subject: "t" });
    const second = await poll(cases, first.cursor);
    expect(second.ids).toEqual([id]);
    await human("PATCH", `/sobjects/Case/${id}`, { Subject: "s" });
    expect((await poll(cases, second.cursor)).ids).toEqual([id]);
  });

  it("tells of new, edited and removed comments, though they do not touch their case", async () => {
    const id = await newCase();
    let { ids, cursor } = await poll(cases, undefined);
    at(60);
    const comment = (await human("POST", "/sobjects/CaseComment", { ParentId: id, CommentBody: "c" })).body.id;
    for (const change of [
      async () => {},
      () => human("PATCH", `/sobjects/CaseComment/${comment}`, { CommentBody: "d" }),
      () => human("DELETE", `/sobjects/CaseComment/${comment}`),
    ]) {
      await change();
      ({ ids, cursor } = await poll(cases, cursor));
      expect(ids).toEqual([id]);
    }
    expect((await poll(cases, cursor)).ids).toEqual([]);
  });

  it("tells of new files, new versions of files, and old files shown by another record", async () => {
    const [a, b] = [await newCase(), await newCase()];
    const watch = { entityType: "Case", query: "IsClosed = false" };
    let { ids, cursor } = await poll(watch, undefined);
    at(60);
    const version = (await human("POST", "/sobjects/ContentVersion", { PathOnClient: "a.txt", VersionData: "YQ==", FirstPublishLocationId: a })).body.id;
    ({ ids, cursor } = await poll(watch, cursor));
    expect(ids).toEqual([a]);
    at(120);
    const { ContentDocumentId } = (await human("GET", `/sobjects/ContentVersion/${version}`)).body;
    await human("POST", "/sobjects/ContentVersion", { PathOnClient: "a.txt", VersionData: "YmI=", ContentDocumentId });
    ({ ids, cursor } = await poll(watch, cursor));
    expect(ids).toEqual([a]);
    at(180);
    await human("POST", "/sobjects/ContentDocumentLink", { ContentDocumentId, LinkedEntityId: b, ShareType: "V" });
    ({ ids, cursor } = await poll(watch, cursor));
    expect(ids).toEqual([b]);
  });

  it("tells of posts and replies in the feed, where comments are there", async () => {
    const { id } = (await human("POST", "/sobjects/Account", { Name: "Acme" })).body;
    const accounts = { entityType: "Account", query: "" };
    await newCase();
    let { ids, cursor } = await poll(accounts, undefined);
    expect(ids).toEqual([id]);
    at(60);
    const post = (await human("POST", "/sobjects/FeedItem", { ParentId: id, Body: "p" })).body.id;
    ({ ids, cursor } = await poll(accounts, cursor));
    expect(ids).toEqual([id]);
    await human("POST", "/sobjects/FeedComment", { FeedItemId: post, CommentBody: "r" });
    ({ ids, cursor } = await poll(accounts, cursor));
    expect(ids).toEqual([id]);
  });

  it.each([
    "Priority = 'High'",
    "WHERE Priority = 'High'",
    "Priority = 'High' OR Subject = 'x'",
    "Id IN (SELECT ParentId FROM CaseComment WHERE IsPublished = true)",
  ])("keeps to the trigger's query: %s", async (query) => {
    const [high, low] = [await newCase({ Priority: "High" }), await newCase({ Priority: "Low" })];
    await human("POST", "/sobjects/CaseComment", { ParentId: high, CommentBody: "c", IsPublished: true });
    const watch = { entityType: "Case", query };
    let { ids, cursor } = await poll(watch, undefined);
    expect(ids).toEqual([high]);
    at(60);
    for (const ParentId of [low, high]) await human("POST", "/sobjects/CaseComment", { ParentId, CommentBody: "d" });
    ({ ids, cursor } = await poll(watch, cursor));
    expect(ids).toEqual([high]);
  });

  it("loses none of many records that share a second, whatever the page size", async () => {
    const made = [...(await newCases(120)), ...(await newCases(37))];
    for (const limit of [1, 10, 157, 200]) {
      const { ids, cursor } = await poll(cases, undefined, limit);
      expect(ids.toSorted()).toEqual(made.toSorted());
      expect((await poll(cases, cursor, limit)).ids).toEqual([]);
    }
  });

  it("lists oldest first across records and comments, page by page", async () => {
    const ids: string[] = [];
    for (let i = 0; i < 6; i++) {
      at(i * 10);
      ids.push(await newCase());
    }
    at(100);
    await human("POST", "/sobjects/CaseComment", { ParentId: ids[0], CommentBody: "c" });
    const { ids: seen } = await poll(cases, undefined, 2);
    expect(seen).toEqual(ids);
    at(200);
    expect(new Set((await poll(cases, (await poll(cases, undefined, 3)).cursor)).ids)).toEqual(new Set());
  });

  it("finds rows that commit late, behind what was already seen", async () => {
    org.simulator.org.rules.lateCommits = { ms: 8000, times: 1 };
    const late = await newCase();
    at(4);
    const prompt = await newCase();
    let { ids, cursor } = await poll(cases, undefined);
    expect(ids).toEqual([prompt]);
    at(9);
    ({ ids, cursor } = await poll(cases, cursor));
    expect(ids).toEqual([late]);
    expect((await poll(cases, cursor)).ids).toEqual([]);
  });

  it("finds rows that commit late in the middle of a long catching-up", async () => {
    const made = await newCases(50);
    at(2);
    org.simulator.org.rules.lateCommits = { ms: 8000, times: 1 };
    const late = await newCase();
    at(4);
    const first = await connector.poll(cases, undefined, 20, since);
    at(11);
    await newCases(1);
    const rest = await poll(cases, first.cursor, 20);
    expect(new Set([...first.changes.map(({ ref }) => ref.id), ...rest.ids])).toEqual(new Set([...made, late, ...rest.ids]));
    expect(rest.ids).toContain(late);
  });

  it("costs one call when nothing happened, and its cursor stays small", async () => {
    await newCases(150);
    let { cursor } = await poll(cases, undefined);
    at(3600);
    for (let i = 0; i < 2; i++) ({ cursor } = await poll(cases, cursor));
    const before = connector.calls();
    ({ cursor } = await poll(cases, cursor));
    expect(connector.calls() - before).toBe(1);
    expect(cursor.length).toBeLessThan(200);
  });

  it("goes on with a cursor that another connector left, and refuses one that is none", async () => {
    await newCase();
    const { cursor } = await poll(cases, undefined);
    at(5);
    const id = await newCase();
    connector = org.connector();
    expect((await poll(cases, cursor)).ids).toEqual([id]);
    await expect(connector.poll(cases, "{}", 10)).rejects.toMatchObject({ code: "CURSOR_LOST" });
  });

  it("in random histories tells of every last state at least once", async () => {
    const seed = Date.now() % 100_000;
    let state = seed;
    const random = (below: number) => {
      state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
      return state % below;
    };
    const ids = await newCases(8);
    const told = new Map<string, string>();
    let cursor: string | undefined;
    let now = 0;
    for (let step = 0; step < 60; step++) {
      now += random(4);
      at(now);
      const id = ids[random(ids.length)] ?? "";
      if (random(5) === 0) org.simulator.org.rules.lateCommits = { ms: random(9) * 1000, times: 1 };
      if (random(2) === 0) await human("PATCH", `/sobjects/Case/${id}`, { Subject: `${step}` });
      else await human("POST", "/sobjects/CaseComment", { ParentId: id, CommentBody: `${step}` });
      if (random(3) > 0) continue;
      const page = await connector.poll(cases, cursor, 1 + random(6), since);
      for (const { ref, version } of page.changes) told.set(ref.id, version);
      cursor = page.cursor;
    }
    for (const wait of [9, 0]) {
      now += wait;
      at(now);
      const rest = await poll(cases, cursor, 4);
      for (const { ref, version } of rest.changes) told.set(ref.id, version);
      cursor = rest.cursor;
    }
    const states = await connector.read(ids.map((id) => ({ type: "Case", id })));
    expect({ seed, told: ids.map((id) => told.get(id)) }).toEqual({ seed, told: states.map((outcome) => outcome.ok && outcome.entity.version) });
  });
});

describe("a trigger's query", () => {
  it("is tried out, and what is wrong with it is told in the platform's words", async () => {
    await createCase(connector);
    for (const query of ["", "Status = 'New'", "where CreatedDate = TODAY AND (Priority = 'High' OR Origin = null)"])
      await connector.checkQuery({ entityType: "Case", query });
    const refusal = async (query: string, entityType = "Case") =>
      await connector.checkQuery({ entityType, query }).then(
        () => "accepted",
        (error: { code: string; message: string }) => `${error.code}: ${error.message}`,
      );
    expect(await refusal("Foo = 1")).toMatch(/^BAD_REQUEST: .*No such column 'Foo' on entity 'Case'.* at column 1 \(INVALID_FIELD\)$/);
    expect(await refusal("where Status = 'New' AND Foo = 1")).toContain(" at column 26 ");
    expect(await refusal("Status = 'New' AND Priority = 'x' OR Origin = 'y'")).toMatch(/^BAD_REQUEST: .*unexpected token: 'OR'/);
    expect(await refusal("Status = 'New")).toMatch(/^BAD_REQUEST: /);
    expect(await refusal("Status = 'New' LIMIT 5")).toMatch(/^BAD_REQUEST: /);
    expect(await refusal("CreatedDate > '2026-01-01'")).toMatch(/^BAD_REQUEST: .*should not be enclosed in quotes/);
    expect(await refusal("Id != null", "Nonsense")).toMatch(/^BAD_REQUEST: .*“Nonsense”/);
  });

  it.each([
    ["reaches out of its brackets", "Status = 'New') OR (Id != null", "it should end before “)”"],
    ["is more than a condition", "Status = 'New' ORDER BY Id", "it holds more than conditions (orderBy)"],
    ["is a whole statement", "SELECT Id FROM Case", "is not a SOQL condition"],
    ["has a text without an end", "Status = 'New", "at column 10"],
    ["has a variable", "Status = :mine", "a value, such as 'New', is expected in place of “"],
    ["lacks its comparison", "Status 'New'", "a comparison, such as =, is expected in place of “'New'”"],
    ["ends too early", "Status = ", "a value, such as 'New', is expected where it ends"],
  ])("that %s is refused before the platform sees it, by a check and by a poll, saying what is wrong", async (_, query, reason) => {
    await connector.describe("Case");
    const before = connector.calls();
    const watch = { entityType: "Case", query };
    await expect(connector.checkQuery(watch)).rejects.toMatchObject({ code: "BAD_REQUEST", message: expect.stringContaining(reason) });
    await expect(connector.poll(watch, undefined, 10)).rejects.toMatchObject({ code: "BAD_REQUEST" });
    expect(connector.calls()).toBe(before);
  });
});
