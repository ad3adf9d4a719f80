import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { HelperCall } from "../sandbox/completion.ts";
import { ambientNames } from "./names.ts";
import { blankEntityView } from "./run-input.ts";
import { aCase, answering, incomingInput, outgoingInput, Workbench } from "./workbench.ts";

let bench: Workbench;

beforeAll(async () => {
  bench = await Workbench.start();
});

afterAll(async () => {
  await bench.close();
});

const nobody = { author: null, created: "2026-01-01T00:00:00Z", updated: "2026-01-01T00:00:00Z" };
const alice = { id: "u1", displayName: "Alice Smith", email: "alice@example.com" };
const remote = (id: string, body: string, more = {}) => ({ ...nobody, id, body, internal: false, author: alice, ...more });
const local = (id: string, body: string, more = {}) => ({ ...nobody, id, body, internal: false, ...more });

describe("an outgoing rule", () => {
  test("runs the script that users of other products write as it stands", async () => {
    const script = `
if (entity.entityType == "Task") {
  replica.key         = entity.Id
  replica.summary     = entity.Subject
  replica.description = entity.Description
}
`;
    const entity = { ...blankEntityView, entityType: "Task", entityRef: { type: "Task", id: "00T" }, Id: "00T", Subject: "Call back", Description: "Tomorrow" };
    expect(await bench.replica(script, { entity })).toEqual({ key: "00T", summary: "Call back", description: "Tomorrow" });
  });

  test("sees entity, previous, firstSync and connection", async () => {
    const script =
      "replica.seen = [entity.key, entity.entityRef?.id, entity.url, issue === entity, previous?.summary, firstSync, connection.name, connection.local, connection.remote]";
    expect(await bench.replica(script, { previous: { summary: "before" }, firstSync: true })).toEqual({
      seen: ["00001000", "500", "https://org.example/500", true, "before", true, "support", "SF", "SN"],
    });
  });

  test("has no previous at first", async () => {
    expect(await bench.replica("replica.type = typeof previous")).toEqual({ type: "undefined" });
  });

  test("may carry any JSON and whole lists of comments", async () => {
    const entity = { ...aCase, comments: [local("c1", "hello")] };
    expect(
      await bench.replica("replica.comments = entity.comments; replica.custom = { deep: [1, { two: entity.OwnerId }] }; replica.nothing = undefined", {
        entity,
      }),
    ).toEqual({
      comments: [local("c1", "hello")],
      custom: { deep: [1, { two: { id: "005", display: "Alice", type: "User" } }] },
    });
  });

  test("sends internal comments by their name alone", async () => {
    const entity = { ...aCase, comments: [local("c1", "hello")], internalComments: [local("n1", "secret", { internal: true })] };
    const whole = await bench.replica("replica.custom = { all: entity, spread: { ...issue } }; replica.keys = Object.keys(entity)", { entity });
    expect(JSON.stringify(whole)).not.toContain("secret");
    expect(whole).toMatchObject({ custom: { all: { Subject: "Printer on fire", comments: [{ id: "c1" }] }, spread: { Subject: "Printer on fire" } } });
    expect(await bench.replica("const { internalComments } = entity; replica.comments = [...entity.comments, ...internalComments]", { entity })).toMatchObject({
      comments: [{ id: "c1" }, { id: "n1", body: "secret", internal: true }],
    });
  });

  test("may give status, priority and type as text or by name", async () => {
    expect(await bench.replica("replica.status = { name: 'Open' }; replica.priority = 'High'; replica.type = { name: 'Bug' }")).toEqual({
      status: { name: "Open" },
      priority: "High",
      type: { name: "Bug" },
    });
  });

  test("is told where a value stands that cannot travel", async () => {
    const completion = await bench.run("replica.custom = { hours: [1, Number('x')] }", outgoingInput);
    expect(completion).toMatchObject({
      ok: false,
      error: { code: "RESULT_INVALID", message: expect.stringMatching(/^replica\.custom\.hours\[1\] is NaN/) as string },
    });
  });

  test("cannot use what only incoming rules may do", async () => {
    await expect(bench.replica("status('Closed')")).rejects.toThrow("Cannot find name 'status'");
    const completion = await bench.run("// @ts-ignore\nstatus('Closed')", outgoingInput);
    expect(completion).toMatchObject({
      ok: false,
      error: { message: "TypeError: status is for incoming rules: an outgoing rule changes nothing here", line: 2 },
    });
  });
});

describe("ending a run", () => {
  test("skip ends it with a reason, whatever was set before", async () => {
    expect(await bench.outgoing("replica.a = 1; skip('not ours'); replica.b = 2")).toEqual({ kind: "skipped", why: "not ours" });
    expect(await bench.incoming("entity.key; skip()")).toEqual({ kind: "skipped", why: "no reason given" });
  });

  test("fail ends it with a message for a person", async () => {
    expect(await bench.incoming("fail('no such customer')")).toEqual({ kind: "failed", why: "no such customer" });
  });

  test("waitFor parks it until a twin exists", async () => {
    expect(await bench.incoming("waitFor(replica.parent)", { replica: { parent: "INC1" } })).toEqual({ kind: "waiting", remoteKey: "INC1" });
  });

  test("an end cannot be caught, in whatever function it stands", async () => {
    expect(await bench.incoming("async function deep() { try { skip('deep') } catch {} }\ntry { await deep() } catch {} fail('too late')")).toEqual({
      kind: "skipped",
      why: "deep",
    });
  });

  test("a top-level return keeps what was set so far", async () => {
    expect(await bench.replica("replica.a = 1; if (entity.key) return; replica.b = 2")).toEqual({ a: 1 });
  });

  test("a first sync that touches nothing gives the blank view back", async () => {
    const result = await bench.incoming("if (!replica.summary) return", { entity: blankEntityView, firstSync: true });
    expect(result).toEqual({ kind: "changed", entity: blankEntityView, effects: { startSync: [], syncBack: false, unlink: false } });
  });
});

describe("comments.merge", () => {
  const merge = "comments.merge(entity, replica)";

  test("adds a new comment with its author in front", async () => {
    expect((await bench.entityAfter(merge, { replica: { comments: [remote("r1", "hello")] } })).comments).toEqual([
      { remoteId: "r1", body: "[Alice Smith] hello", internal: false },
    ]);
  });

  test("puts nothing in front when there is no author, and no markup of a name into the text", async () => {
    const comments = [
      remote("r1", "a", { author: null }),
      remote("r2", "b", { author: { id: "x", displayName: "<b>Eve</b>\n[admin]" } }),
      remote("r3", "c", { author: { id: "x", username: "bob" } }),
    ];
    expect((await bench.entityAfter(merge, { replica: { comments } })).comments.map(({ body }) => body)).toEqual(["a", "[b Eve /b admin] b", "[bob] c"]);
  });

  test("writes nothing for comments that are there already", async () => {
    const entity = { ...aCase, comments: [local("j1", "[Alice Smith] hello")] };
    const replica = { comments: [remote("r1", "hello")] };
    const traces = { comments: { r1: { localId: "j1" } }, attachments: {} };
    for (const previous of [null, replica, { comments: [] }]) expect(await bench.entityAfter(merge, { entity, replica, previous, traces })).toEqual(entity);
  });

  test("updates an edited one, keeping its id", async () => {
    const entity = { ...aCase, comments: [local("j1", "[Alice Smith] hello"), local("j2", "mine")] };
    const traces = { comments: { r1: { localId: "j1" } }, attachments: {} };
    const after = await bench.entityAfter(merge, {
      entity,
      previous: { comments: [remote("r1", "hello")] },
      replica: { comments: [remote("r1", "hello again")] },
      traces,
    });
    expect(after.comments).toEqual([local("j1", "[Alice Smith] hello again"), local("j2", "mine")]);
  });

  test("removes one that the other side removed, and no other", async () => {
    const entity = { ...aCase, comments: [local("j1", "theirs"), local("j2", "mine")] };
    const traces = { comments: { r1: { localId: "j1" } }, attachments: {} };
    const after = await bench.entityAfter(merge, {
      entity,
      previous: { comments: [remote("r1", "x"), remote("r9", "never came")] },
      replica: { comments: [] },
      traces,
    });
    expect(after.comments).toEqual([local("j2", "mine")]);
  });

  test("keeps an internal comment internal", async () => {
    const after = await bench.entityAfter(merge, { replica: { comments: [remote("r1", "secret", { internal: true })] } });
    expect([after.comments, after.internalComments]).toEqual([[], [{ remoteId: "r1", body: "[Alice Smith] secret", internal: true }]]);
  });

  test("takes what the function changes, returns anew, or leaves out", async () => {
    const script = `comments.merge(entity, replica, comment => {
      if (comment.body === "leave out") return undefined;
      if (comment.body === "own text") { comment.body = comment.author?.displayName + ": " + comment.body; return comment; }
      if (comment.body === "as note") { comment.internal = true; return comment; }
      if (comment.body === "new one") return { body: "brand new", internal: false };
      comment.author = { id: "007", displayName: "Bond" };
      return comment;
    })`;
    const replica = { comments: ["leave out", "own text", "as note", "new one", "by another"].map((body, index) => remote(`r${index}`, body)) };
    const after = await bench.entityAfter(script, { replica });
    expect(after.comments).toEqual([
      { remoteId: "r1", body: "Alice Smith: own text", internal: false },
      { remoteId: "r3", body: "brand new", internal: false },
      { remoteId: "r4", body: "[Bond] by another", internal: false, author: { id: "007", displayName: "Bond" } },
    ]);
    expect(after.internalComments).toEqual([{ remoteId: "r2", body: "[Alice Smith] as note", internal: true }]);
  });

  test("names whom the function makes the author, unless it sets the body, or gives nobody or an id alone", async () => {
    const script = `const bot = await users.byUsername("bot");
      comments.merge(entity, replica, (comment) => {
        if (comment.body === "own text") return { body: "said so", author: bot };
        if (comment.body === "id") return { ...comment, author: "005" };
        if (comment.body === "reference") return { ...comment, author: entity.OwnerId };
        if (comment.body === "nobody") return { ...comment, author: null };
        return { ...comment, author: bot };
      })`;
    const replica = { comments: ["own text", "id", "reference", "nobody", "person"].map((body, index) => remote(`r${index}`, body)) };
    const bot = { id: "009", username: "bot" };
    const merged = async (platform?: { name: string; impersonation: boolean }) =>
      (await bench.entityAfter(script, { replica, ...(platform === undefined ? {} : { platform }) }, answering({ "users.byUsername": bot }))).comments.map(
        ({ body, ...comment }) => [body, "author" in comment ? (comment.author as { id?: string }) : undefined],
      );
    const owner = { id: "005", display: "Alice", type: "User" };
    expect(await merged({ name: "Salesforce", impersonation: false })).toEqual([
      ["said so", bot],
      ["[Alice Smith] id", "005"],
      ["[Alice] reference", owner],
      ["[Alice Smith] nobody", undefined],
      ["[bot] person", bot],
    ]);
    expect(await merged({ name: "Jira", impersonation: true })).toEqual([
      ["said so", bot],
      ["id", "005"],
      ["reference", owner],
      ["[Alice Smith] nobody", undefined],
      ["person", bot],
    ]);
  });

  test("says that its function cannot wait", async () => {
    const error = await bench.error("comments.merge(entity, replica, (async (comment: any) => comment) as any)", {
      replica: { comments: [remote("r1", "x")] },
    });
    expect(error).toMatchObject({ message: expect.stringContaining("cannot wait") as string, line: 1 });
  });

  test("passes over what is no comment, in a replica that anybody may have written", async () => {
    for (const comments of [null, 5, "x", {}, [null, 1, "x", {}, { id: "" }, { id: "r1" }, { id: "r2", body: 5 }, { id: "r3", body: "" }, [[]]]]) {
      expect((await bench.entityAfter(merge, { replica: { comments } })).comments).toEqual([]);
    }
    expect(await bench.entityAfter(merge, { replica: null })).toEqual(aCase);
    expect(
      (
        await bench.entityAfter(merge, { replica: { comments: [remote("constructor", "x"), remote("__proto__", "y"), { ...remote("", "z"), id: 12 }] } })
      ).comments.map((each) => ("remoteId" in each ? each.remoteId : undefined)),
    ).toEqual(["constructor", "__proto__", "12"]);
  });

  test("goes by its old name too", async () => {
    const after = await bench.entityAfter("commentHelper.mergeComments(issue, replica, c => c)", { replica: { comments: [remote("r1", "hello")] } });
    expect(after.comments).toHaveLength(1);
  });

  test("does not stop a rule from using the name for itself", async () => {
    const after = await bench.entityAfter(
      "const { comments, attachments } = entity; const status = 'x' + comments.length + attachments.length; entity.Subject = status; const text = 1, mapping = 2, skip = 3",
      {},
    );
    expect(after.Subject).toBe("x00");
  });
});

test("comments.add adds comments of our own", async () => {
  const after = await bench.entityAfter("comments.add('closed by sync'); comments.add('for us', { internal: true, track: true }); comments.add('')");
  expect(after.comments).toEqual([{ body: "closed by sync", internal: false, track: false }]);
  expect(after.internalComments).toEqual([{ body: "for us", internal: true, track: true }]);
});

describe("attachments.merge", () => {
  const file = (id: string, filename: string, more = {}) => ({
    id,
    filename,
    mimetype: "text/plain",
    filesize: 3,
    author: null,
    created: "2026-01-01T00:00:00Z",
    ...more,
  });
  const merge = "attachments.merge(entity, replica)";

  test("adds new ones, leaves traced ones, removes removed ones", async () => {
    const entity = { ...aCase, attachments: [file("f1", "kept.txt"), file("f2", "gone.txt"), file("f3", "mine.txt")] };
    const traces = { comments: {}, attachments: { a1: { localId: "f1" }, a2: { localId: "f2" } } };
    const after = await bench.entityAfter(merge, {
      entity,
      traces,
      previous: { attachments: [file("a1", "kept.txt"), file("a2", "gone.txt")] },
      replica: { attachments: [file("a1", "kept.txt"), file("a4", "new.txt")] },
    });
    expect(after.attachments).toEqual([
      file("f1", "kept.txt"),
      file("f3", "mine.txt"),
      { remoteId: "a4", filename: "new.txt", mimetype: "text/plain", filesize: 3 },
    ]);
  });

  test("takes the same file, put on both sides by hand, for the same", async () => {
    const entity = { ...aCase, attachments: [file("f1", "a.txt", { hash: "abc" })] };
    expect(await bench.entityAfter(merge, { entity, replica: { attachments: [file("a1", "a.txt", { hash: "abc" })] } })).toEqual(entity);
  });

  test("asks the filter", async () => {
    const replica = { attachments: [file("a1", "a.txt"), file("a2", "b.exe")] };
    const after = await bench.entityAfter("attachments.merge(entity, replica, file => !file.filename.endsWith('.exe'))", { replica });
    expect(after.attachments.map((each) => each.filename)).toEqual(["a.txt"]);
  });

  test("does not add a file twice when called twice", async () => {
    expect(
      (await bench.entityAfter(`${merge}; attachmentHelper.mergeAttachments(issue, replica)`, { replica: { attachments: [file("a1", "a.txt")] } })).attachments,
    ).toHaveLength(1);
  });
});

describe("changes", () => {
  test("say what differs from the replica before", async () => {
    const previous = {
      summary: "a",
      custom: { x: 1, y: [1, 2] },
      labels: ["l"],
      comments: [remote("c1", "one"), remote("c2", "two"), remote("c3", "three")],
      attachments: [],
    };
    const replica = {
      summary: "b",
      custom: { y: [1, 2], x: 2 },
      labels: ["l"],
      comments: [remote("c1", "one"), remote("c2", "two!"), remote("c4", "four")],
      attachments: [{ id: "a1", filename: "f" }],
    };
    const script = `entity.Subject = JSON.stringify({
      has: ["summary", "custom", "custom.x", "custom.y", "labels", "description", "comments"].filter(name => changes.has(name)),
      comments: [changes.comments.added, changes.comments.edited, changes.comments.removed].map(list => list.map(each => each.id)),
      attachments: changes.attachments.added.map(each => each.id),
    })`;
    expect(JSON.parse(String((await bench.entityAfter(script, { previous, replica })).Subject))).toEqual({
      has: ["summary", "custom", "custom.x", "comments"],
      comments: [["c4"], ["c2"], ["c3"]],
      attachments: ["a1"],
    });
  });

  test("are everything when there was none before", async () => {
    expect((await bench.entityAfter("entity.Subject = String([changes.has('summary'), changes.has('nothing')])", { replica: { summary: "a" } })).Subject).toBe(
      "true,false",
    );
  });
});

describe("helpers that ask the host", () => {
  test("find users", async () => {
    const asked: HelperCall[] = [];
    const script =
      "const user = await users.byEmail('a@b.c'); entity.OwnerId = user; entity.Subject = String([await users.byUsername('x'), await users.byEmail(undefined), (await nodeHelper.getUserByEmail('z'))?.id])";
    const after = await bench.entityAfter(script, {}, answering({ "users.byEmail": { id: "005", displayName: "A" } }, asked));
    expect(after).toMatchObject({ OwnerId: { id: "005" }, Subject: ",,005" });
    expect(asked.map(({ name, args }) => [name, ...args])).toEqual([
      ["users.byEmail", "a@b.c"],
      ["users.byUsername", "x"],
      ["users.byEmail", "z"],
    ]);
  });

  test("look records up", async () => {
    const asked: HelperCall[] = [];
    const script = `
      const one = await lookup.one("Account", { Name: "O'Hara", Active: true });
      const many = await lookup.many("Account", {}, 3);
      const all = await lookup.many("Account", { Name: null });
      const got = await lookup.get("Case", "500");
      entity.Subject = [one?.key, many.length, all.length, got].join();`;
    const after = await bench.entityAfter(
      script,
      {},
      answering(
        {
          "lookup.one": { key: "A1", entityRef: { type: "Account", id: "001" } },
          "lookup.many": (_type, _where, limit) => new Array(Number(limit ?? 7)).fill({ key: "x" }),
        },
        asked,
      ),
    );
    expect(after.Subject).toBe("A1,3,7,");
    expect(asked.map(({ name, args }) => [name, ...args])).toEqual([
      ["lookup.one", "Account", { Name: "O'Hara", Active: true }],
      ["lookup.many", "Account", {}, 3],
      ["lookup.many", "Account", { Name: null }],
      ["lookup.get", "Case", "500"],
    ]);
  });

  test("call the platform", async () => {
    const asked: HelperCall[] = [];
    const script =
      "const a = await platform.get('/limits'); const b = await platform.request('POST', '/x', { y: 1 }); const c = await httpClient.get('/old'); entity.Subject = [a.n, b.n, c.n].join()";
    expect((await bench.entityAfter(script, {}, answering({ "platform.get": { n: 1 }, "platform.request": { n: 2 } }, asked))).Subject).toBe("1,2,1");
    expect(asked[1]?.args).toEqual(["POST", "/x", { y: 1 }]);
  });

  test("map records of the two sides", async () => {
    const asked: HelperCall[] = [];
    const script =
      "const parent = await twins.localFor(replica.parent, 'Case'); entity.Subject = [parent?.id, await twins.isSynced(entity.OwnerId!), await syncHelper.getLocalIssueKeyFromRemoteId('INC2')].join()";
    const after = await bench.entityAfter(
      script,
      { replica: { parent: "INC1" } },
      answering({ "twins.localFor": { type: "Case", id: "500", key: "0001", display: "0001" }, "twins.isSynced": true }, asked),
    );
    expect(after.Subject).toBe("500,true,0001");
    expect(asked.map(({ args }) => args)).toEqual([["INC1", "Case"], [{ type: "User", id: "005" }], ["INC2"]]);
  });

  test("fail with the platform's words at their place in the rule", async () => {
    const answer = async (calls: HelperCall[]) =>
      calls.map(({ id }) => ({ id, ok: false, error: { code: "PERMISSION", message: "this account may not read users" } }) as const);
    expect(await bench.error("\nconst owner =\n  await users.byEmail('a@b.c');", {}, answer)).toMatchObject({
      code: "PERMISSION",
      message: "this account may not read users",
      line: 3,
      column: 15,
    });
    const after = await bench.entityAfter(
      "try { await users.byEmail('a@b.c') } catch (error) { entity.Subject = error.code + ': ' + error.message }",
      {},
      answer,
    );
    expect(after.Subject).toBe("PERMISSION: this account may not read users");
  });
});

test("mapping reads a table in the direction of the run", async () => {
  const mappings = {
    priority: { outgoing: { High: "1 - Critical" }, incoming: { "1 - Critical": "High", "3": "Low" } },
    strict: { outgoing: {}, incoming: {}, otherwise: "Medium" },
  };
  expect(
    await bench.replica("replica.a = [mapping('priority', 'High'), mapping('priority', 'x'), mapping('priority', 'constructor', 'none')]", { mappings }),
  ).toEqual({ a: ["1 - Critical", null, "none"] });
  const after = await bench.entityAfter(
    "entity.Subject = [mapping('priority', { name: '1 - Critical' }), mapping('priority', 3), mapping('strict', 'x'), mapping('strict', 'x', 'own'), mapping('priority', null)].join()",
    { mappings },
  );
  expect(after.Subject).toBe("High,Low,Medium,own,");
  expect((await bench.error("mapping('prio', 1)", { mappings })).message).toBe('there is no mapping "prio": this connection has priority, strict');
});

test("worklogs arrive, and merging them fails with a code, the platform and the place, unless caught", async () => {
  const replica = { worklogs: [{ id: "w1", seconds: 3600, started: "2026-01-01T09:00:00Z", body: "looked", author: alice }] };
  const platform = { name: "Salesforce", impersonation: false };
  expect((await bench.entityAfter("entity.Score = replica.worklogs.reduce((sum, each) => sum + each.seconds, 0)", { replica, platform })).Score).toBe(3600);
  expect(await bench.error("\n  // @ts-ignore\n  worklogs.merge(entity, replica)", { replica, platform })).toMatchObject({
    code: "NO_WORKLOGS",
    message: expect.stringContaining("worklogs.merge: Salesforce has no worklogs; those that arrive can be read in replica.worklogs") as string,
    line: 3,
    column: 12,
  });
  const caught = "// @ts-ignore\ntry { worklogs.merge(entity, replica) } catch (error) { entity.Subject = error.code }";
  expect((await bench.entityAfter(caught, { replica, platform })).Subject).toBe("NO_WORKLOGS");
});

test("numbers and dates have words for people, the same on every machine: English in UTC unless the rule says otherwise", async () => {
  const script =
    "entity.Subject = [(1234.5).toLocaleString(), (1234.5).toLocaleString('de'), new Date(0).toLocaleString(), new Date(0).toLocaleString('de-DE', { timeZone: 'Asia/Tokyo' }), 'ä'.localeCompare('z', 'sv')].join(' | ')";
  expect((await bench.entityAfter(script)).Subject).toBe("1,234.5 | 1.234,5 | 1/1/1970, 12:00:00 AM | 1.1.1970, 09:00:00 | 1");
});

test("status, linkTo, startSync, syncBack and unlink are told with the result and do not end the run", async () => {
  const script =
    "status({ name: 'Closed' }); linkTo({ type: 'Case', id: '1' }); startSync(entity.OwnerId!); startSync(entity); syncHelper.syncBackAfterProcessing(); unlink(); entity.Subject = 'after'; status(null)";
  expect(await bench.incoming(script)).toEqual({
    kind: "changed",
    entity: { ...aCase, Subject: "after" },
    status: "Closed",
    effects: {
      linkTo: { type: "Case", id: "1" },
      startSync: [
        { type: "User", id: "005" },
        { type: "Case", id: "500" },
      ],
      syncBack: true,
      unlink: true,
    },
  });
  expect((await bench.error("linkTo({} as any)")).message).toContain("linkTo needs a record");
});

test.each([
  ["toHtml('a & b\\n\\n**bold** <x>')", "<p>a &amp; b</p><p><b>bold</b> &lt;x&gt;</p>"],
  ["toHtml('1 < 2 **no**', 'plain')", "<p>1 &lt; 2 **no**</p>"],
  ["toHtml('[x](javascript:alert(1)) [y](https://e.x/?a=1&b=2)')", '<p>[x](javascript:alert(1)) <a href="https://e.x/?a=1&amp;b=2">y</a></p>'],
  ["toHtml('<p>kept</p>')", "<p>kept</p>"],
  ["toMarkdown('<p>Hello <b>bold</b> and <em>so</em></p><ul><li>one</li><li>two</li></ul>')", "Hello **bold** and *so*\n\n- one\n- two"],
  ['toMarkdown(\'<a href="https://e.x">link</a><a href="javascript:x">bad</a><h2>T</h2>\')', "[link](https://e.x)bad\n\n## T"],
  ["toPlain('<div>a<br>b &amp; &#39;c&#39;</div><script>alert(1)</script>')", "a\nb & 'c'"],
  ["toPlain('# Title\\n**bold** [x](https://e.x) `code` snake_case_name')", "Title\nbold x (https://e.x) code snake_case_name"],
  ["toPlain(null)", ""],
  ["toPlain('a < b > c')", "a < b > c"],
])("text.%s gives readable text", async (call, expected) => {
  expect((await bench.entityAfter(`entity.Subject = text.${call}`)).Subject).toBe(expected);
});

test("conversions of text take time in proportion to the text", async () => {
  const script =
    "for (const part of ['<', '<a ', '[', '**', '&#', '<!--', '`', '*a', '[a](']) { const long = part.repeat(4000); text.toPlain(long); text.toHtml(long); text.toMarkdown(long); text.toPlain(long, 'html'); } entity.Subject = 'done'";
  expect((await bench.entityAfter(script)).Subject).toBe("done");
});

test("console lines are kept, and fields of the rule's own type are written", async () => {
  const completion = await bench.run(
    "console.log('subject', entity.Subject); entity.DueAt = new Date(0); entity.OwnerId = '006'; entity.Priority = replica.priority",
    { ...incomingInput, replica: { priority: "Low" } },
  );
  expect(completion).toMatchObject({
    ok: true,
    console: ["subject Printer on fire"],
    value: { entity: { DueAt: "1970-01-01T00:00:00.000Z", OwnerId: "006", Priority: "Low" } },
  });
});

test("what skip, fail and failing helpers throw is new in each run", async () => {
  const script = `
    const thrown: any[] = [];
    for (const each of [() => linkTo({} as any), () => mapping("x", 1), () => users.byEmail("a"), () => skip("end")]) { try { await each() } catch (error) { thrown.push(error) } }
    for (const error of thrown) {
      console.log(error.mark, Object.getPrototypeOf(error).mark, error.constructor.mark);
      for (const target of [error, Object.getPrototypeOf(error), error.constructor]) { try { target.mark = 1 } catch {} }
    }`;
  for (let time = 0; time < 2; time += 1) expect((await bench.run(script, incomingInput)).console).toEqual(Array(4).fill("undefined undefined undefined"));
});

test("nothing that a rule does to any name that it finds reaches the next run", async () => {
  const reach = `
    const seen = new Set<any>(), left: any[] = [globalThis, ${ambientNames.filter((name) => !["entity", "issue", "replica", "previous", "connection", "changes", "worklogs"].includes(name)).join()}];
    while (left.length > 0) {
      const each = left.pop();
      if ((typeof each !== "object" && typeof each !== "function") || each === null || seen.has(each)) continue;
      seen.add(each);
      left.push(Object.getPrototypeOf(each));
      for (const key of Reflect.ownKeys(each)) { const d: any = Object.getOwnPropertyDescriptor(each, key); left.push(d.value, d.get, d.set); }
    }
    seen.delete(seen); seen.delete(left);`;
  const script = `${reach}
    let found = 0;
    for (const each of seen) { if (Object.hasOwn(each, "mark")) found += 1; }
    for (const each of seen) { try { each.mark = 1 } catch {} for (const key of Reflect.ownKeys(each)) { try { delete each[key] } catch {} } try { each.merge = each.byEmail = () => 666 } catch {} }
    entity.Subject = String(found);`;
  for (let time = 0; time < 3; time += 1) expect((await bench.entityAfter(script)).Subject).toBe("0");
});
