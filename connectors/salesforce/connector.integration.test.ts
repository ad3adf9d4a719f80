import { buffer, text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Connector, Entity, EntityRef, WriteOperation } from "../connector.ts";
import { bytes, type Caller, createCase, idOf, type SimulatedOrg, simulatedOrg } from "./simulator/simulated-org.ts";

let org: SimulatedOrg;
let connector: Connector;
let human: Caller;

beforeEach(async () => {
  org = await simulatedOrg({
    fields: {
      Case: [
        { name: "Tags__c", type: "multipicklist", picklist: [{ value: "a", label: "Alpha" }, { value: "b" }] },
        { name: "Severity__c", type: "picklist", restricted: true, picklist: [{ value: "1", label: "One" }] },
        { name: "Hours__c", type: "double" },
        { name: "Due__c", type: "date" },
        { name: "Met__c", type: "datetime" },
      ],
    },
  });
  connector = org.connector();
  human = await org.caller();
});
afterEach(() => org.close());

async function read(ref: EntityRef, by = connector): Promise<Entity> {
  const [outcome] = await by.read([ref]);
  if (!outcome?.ok) throw outcome?.error ?? new Error("no outcome");
  return outcome.entity;
}

const attach = (ref: EntityRef, filename: string, content: string | Buffer, marker: string = crypto.randomUUID()): WriteOperation => ({
  kind: "addAttachment",
  ref,
  filename,
  mimetype: "text/plain",
  filesize: Buffer.byteLength(content),
  open: bytes(content),
  marker,
});

describe("the account", () => {
  it("is named, and problems of the org are told", async () => {
    expect(await connector.check()).toEqual({ account: "Isobridge Integration (integration@isobridge.example)", problems: [] });
    Object.assign(org.simulator.usage, { used: 14_000 });
    expect((await connector.check()).problems).toEqual([expect.stringMatching(/^Only \d+ of 15000 API calls are left/)]);
  });

  it("of an org without the marker field hears what to add", async () => {
    const bare = await simulatedOrg({ marker: false });
    expect((await bare.connector().check()).problems).toEqual([expect.stringContaining("Case has no field Isobridge_Marker__c")]);
    await bare.close();
  });

  it.each([
    ["a signed assertion", { type: "jwt-bearer", clientId: "3MVG9simulated", username: "integration@isobridge.example" }],
    ["client credentials", { type: "client-credentials", clientId: "3MVG9simulated" }],
    ["a password and an app", { type: "password", clientId: "3MVG9simulated", username: "integration@isobridge.example" }],
    ["a password alone", { type: "password", username: "integration@isobridge.example" }],
  ] as const)("signs in by %s", async (_, auth) => {
    expect((await org.connector({ auth }).check()).account).toContain("Isobridge Integration");
  });
});

describe("a record", () => {
  it("is read whole: typed values, names of references, labels, comments with authors, files", async () => {
    const account = (await human("POST", "/sobjects/Account", { Name: "Acme" })).body.id;
    const parent = (await human("POST", "/sobjects/Case", { Subject: "parent" })).body.id;
    const made = await human("POST", "/sobjects/Case", {
      Subject: "Ünïcode 🖨",
      AccountId: account,
      ParentId: parent,
      Tags__c: "a;b",
      Severity__c: "1",
      Hours__c: 1.5,
      Due__c: "2026-05-03",
      Met__c: "2026-05-01T09:25:37+02:00",
    });
    const ref = { type: "Case", id: made.body.id };
    await human("POST", "/sobjects/CaseComment", { ParentId: ref.id, CommentBody: "public", IsPublished: true });
    await human("POST", "/sobjects/CaseComment", { ParentId: ref.id, CommentBody: "internal" });
    await human("POST", "/sobjects/ContentVersion", {
      PathOnClient: "log.tar.gz",
      VersionData: Buffer.from("zip").toString("base64"),
      FirstPublishLocationId: ref.id,
    });
    await human("POST", "/sobjects/Attachment", { ParentId: ref.id, Name: "old.txt", Body: "b2xk", ContentType: "text/plain" });
    const entity = await read(ref);
    expect(entity).toMatchObject({ ref, key: "00001001", url: `${org.simulator.url}/${ref.id}` });
    expect(entity.fields).toMatchObject({
      Subject: "Ünïcode 🖨",
      Description: null,
      IsEscalated: false,
      Tags__c: ["a", "b"],
      Severity__c: "1",
      Hours__c: 1.5,
      Due__c: "2026-05-03",
      Met__c: "2026-05-01T07:25:37.000Z",
      CreatedDate: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/),
      AccountId: { id: account, display: "Acme", type: "Account" },
      ParentId: { id: parent, display: "00001000", type: "Case" },
      OwnerId: { display: "Ines Duarte", type: "User" },
      ContactId: null,
    });
    expect(entity.display).toMatchObject({ Tags__c: "Alpha; b", Severity__c: "One", Status: "New" });
    const author = { displayName: "Ines Duarte", email: "ines.duarte@service.example" };
    expect(entity.comments).toMatchObject([{ body: "public", internal: false, author }]);
    expect(entity.internalComments).toMatchObject([{ body: "internal", internal: true, author }]);
    expect(entity.attachments).toMatchObject(
      [
        { filename: "log.tar.gz", filesize: 3, mimetype: "application/gzip", hash: expect.stringMatching(/^md5:[0-9a-f]{32}$/), author },
        { filename: "old.txt", filesize: 3, mimetype: "text/plain", author },
      ].toSorted((a, b) => ((entity.attachments[0]?.filename ?? "") === a.filename ? -1 : (entity.attachments[0]?.filename ?? "") === b.filename ? 1 : 0)),
    );
    const contents = await Promise.all(entity.attachments.map(async ({ id, filename }) => [filename, await text(await connector.openAttachment(ref, id))]));
    expect(Object.fromEntries(contents)).toEqual({ "log.tar.gz": "zip", "old.txt": "old" });
  });

  it("among 200 with comments and files is read in one call", async () => {
    const outcomes = await connector.write(
      Array.from({ length: 200 }, (_, i): WriteOperation => ({ kind: "create", entityType: "Case", fields: { Subject: `${i}` }, marker: `m${i}` })),
    );
    const refs = outcomes.map((outcome) => ({ type: "Case", id: idOf(outcome) }));
    await connector.write(refs.flatMap((ref) => [{ kind: "addComment", ref, body: "c", internal: false, marker: "" } as const]));
    await human("POST", "/sobjects/ContentVersion", { PathOnClient: "a.txt", VersionData: "YQ==", FirstPublishLocationId: refs[7]?.id });
    const before = connector.calls();
    const entities = await connector.read(refs);
    expect(connector.calls() - before).toBe(1);
    expect(entities.map((outcome) => outcome.ok && outcome.entity.fields.Subject)).toEqual(refs.map((_, i) => `${i}`));
    expect(entities.every((outcome) => outcome.ok && outcome.entity.comments.length === 1)).toBe(true);
    expect(entities[7]?.ok && entities[7].entity.attachments.map(({ filename }) => filename)).toEqual(["a.txt"]);
  });

  it("is read to the end when rows or children come in pages", async () => {
    const ref = await createCase(connector);
    await connector.write(Array.from({ length: 7 }, (_, i): WriteOperation => ({ kind: "addComment", ref, body: `${i}`, internal: false, marker: "" })));
    const others = await Promise.all([createCase(connector), createCase(connector), createCase(connector)]);
    org.simulator.pages.batchSize = 2;
    const entities = await connector.read([ref, ...others]);
    expect(entities.every(({ ok }) => ok)).toBe(true);
    expect((await read(ref)).comments.map(({ body }) => body)).toEqual(["0", "1", "2", "3", "4", "5", "6"]);
  });

  it("that was deleted is told from one that is hidden, unknown, or no id at all, each in its place", async () => {
    const [kept, deleted, hidden] = [await createCase(connector), await createCase(connector), await createCase(connector)];
    await human("DELETE", `/sobjects/Case/${deleted.id}`);
    org.simulator.org.rules.hidden.add(hidden.id);
    const outcomes = await connector.read([
      deleted,
      kept,
      hidden,
      { type: "Case", id: "500000000000000AAA" },
      { type: "Case", id: "' OR Id != '" },
      { type: "Case", id: kept.id.slice(0, 15) },
    ]);
    expect(outcomes.map((outcome) => (outcome.ok ? "ok" : outcome.error.code))).toEqual([
      "DELETED",
      "ok",
      "NOT_FOUND_OR_HIDDEN",
      "NOT_FOUND_OR_HIDDEN",
      "BAD_REQUEST",
      "ok",
    ]);
  });

  it("has a version that changes with every save, comment and file, even within one second, and stays while nothing does", async () => {
    org.simulator.server.clock.set({ frozenAt: Date.parse("2026-05-01T00:00:00Z") });
    const ref = await createCase(connector);
    const versions = [(await read(ref)).version];
    const step = async (operation: WriteOperation) => {
      const [outcome] = await connector.write([operation]);
      versions.push((await read(ref)).version);
      return idOf(outcome);
    };
    await step({ kind: "update", ref, fields: { Subject: "other" } });
    const commentId = await step({ kind: "addComment", ref, body: "one", internal: false, marker: "" });
    await step({ kind: "editComment", ref, commentId, body: "two" });
    const attachmentId = await step(attach(ref, "a.txt", "a"));
    await step({ kind: "removeComment", ref, commentId });
    await step({ kind: "removeAttachment", ref, attachmentId });
    expect(versions[1]).toBe(versions.at(-1));
    expect(new Set(versions.slice(0, -1)).size).toBe(versions.length - 1);
    expect((await read(ref)).version).toBe(versions.at(-1));
  });
});

describe("a write", () => {
  it("that creates leaves its marker in the record, and a person's record has none", async () => {
    expect((await read(await createCase(connector, {}, "isobridge:1"))).marker).toBe("isobridge:1");
    expect(await read({ type: "Case", id: (await human("POST", "/sobjects/Case", { Subject: "s" })).body.id })).not.toHaveProperty("marker");
  });

  it("takes references by id or whole, choices by value or label, and empties fields", async () => {
    const account = (await human("POST", "/sobjects/Account", { Name: "Acme" })).body.id;
    const ref = await createCase(connector, { AccountId: account, Severity__c: "One" });
    expect((await read(ref)).fields).toMatchObject({ AccountId: { id: account }, Severity__c: "1" });
    await connector.write([
      {
        kind: "update",
        ref,
        fields: { AccountId: null, Severity__c: "", Tags__c: ["Alpha", "b"], Hours__c: "2.5", Met__c: "2026-05-01T09:25:37+02:00", IsEscalated: "true" },
      },
    ]);
    expect((await read(ref)).fields).toMatchObject({
      AccountId: null,
      Severity__c: null,
      Tags__c: ["a", "b"],
      Hours__c: 2.5,
      Met__c: "2026-05-01T07:25:37.000Z",
      IsEscalated: true,
    });
    await connector.write([{ kind: "update", ref, fields: { AccountId: { id: account, display: "Acme", type: "Account" } } }]);
    expect((await read(ref)).fields.AccountId).toMatchObject({ display: "Acme" });
  });

  it("of 205 items with one bad one does the others, and says what is wrong with that one", async () => {
    const operations = Array.from(
      { length: 205 },
      (_, i): WriteOperation => ({
        kind: "create",
        entityType: "Case",
        fields: i === 102 ? { Subject: "bad", Priority: "Urgent" } : { Subject: `${i}` },
        marker: `m${i}`,
      }),
    );
    await connector.describe("Case");
    const before = connector.calls();
    const outcomes = await connector.write(operations);
    expect(connector.calls() - before).toBe(2);
    expect(outcomes.flatMap(({ ok }, i) => (ok ? [] : [i]))).toEqual([102]);
    const bad = outcomes[102];
    expect(!bad?.ok && bad?.error).toMatchObject({
      code: "VALIDATION",
      fields: ["Priority"],
      platformCode: "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
      uncertain: false,
      message: "Salesforce refused to create Case: Priority: bad value for restricted picklist field: Urgent (INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST)",
    });
    const entities = await connector.read(outcomes.flatMap((outcome) => (outcome.ok ? [{ type: "Case", id: outcome.id }] : [])));
    expect(entities.map((outcome) => outcome.ok && outcome.entity.fields.Subject)).toEqual(operations.flatMap((_, i) => (i === 102 ? [] : [`${i}`])));
  });

  it("of many kinds on two records keeps the order on each, in one call, and one more reads back what was kept", async () => {
    const [a, b] = [await createCase(connector), await createCase(connector)];
    const before = connector.calls();
    const outcomes = await connector.write([
      { kind: "update", ref: a, fields: { Subject: "first" } },
      { kind: "addComment", ref: a, body: "one", internal: false, marker: "" },
      { kind: "addComment", ref: a, body: "two", internal: true, marker: "" },
      { kind: "update", ref: b, fields: { Subject: "other" } },
      { kind: "addComment", ref: b, body: "three", internal: false, marker: "" },
      { kind: "update", ref: a, fields: { Subject: "last" } },
    ]);
    expect(outcomes.every(({ ok }) => ok)).toBe(true);
    expect(connector.calls() - before).toBe(2);
    expect(await read(a)).toMatchObject({ fields: { Subject: "last" }, comments: [{ body: "one" }], internalComments: [{ body: "two" }] });
    expect(await read(b)).toMatchObject({ fields: { Subject: "other" }, comments: [{ body: "three" }] });
  });

  it("names in each refusal the record, the field and the platform's words", async () => {
    const [gone, locked, kept] = [await createCase(connector), await createCase(connector), await createCase(connector)];
    await human("DELETE", `/sobjects/Case/${gone.id}`);
    org.simulator.org.rules.locked.set(locked.id, 1);
    org.simulator.org.rules.validations = [{ object: "Case", field: "Subject", equals: "forbidden", message: "Not that subject" }];
    const outcomes = await connector.write([
      { kind: "update", ref: gone, fields: { Subject: "x" } },
      { kind: "update", ref: locked, fields: { Subject: "x" } },
      { kind: "update", ref: kept, fields: { Subject: "forbidden" } },
      { kind: "update", ref: { type: "Case", id: "500000000000000AAA" }, fields: {} },
      { kind: "create", entityType: "Case", fields: { CaseNumber: "1" }, marker: "x" },
      { kind: "create", entityType: "Case", fields: { ContactId: "003000000000000AAA" }, marker: "y" },
      { kind: "create", entityType: "Case", fields: { AccountId: "Acme" }, marker: "z" },
      { kind: "create", entityType: "Nonsense", fields: {}, marker: "n" },
      { kind: "addComment", ref: { type: "Case", id: "500000000000001AAA" }, body: "x", internal: false, marker: "" },
    ]);
    expect(outcomes.map((outcome) => !outcome.ok && outcome.error.code)).toEqual([
      "DELETED",
      "CONFLICT",
      "VALIDATION",
      "NOT_FOUND_OR_HIDDEN",
      "PERMISSION",
      "VALIDATION",
      "VALIDATION",
      "BAD_REQUEST",
      "NOT_FOUND_OR_HIDDEN",
    ]);
    const messages = outcomes.map((outcome) => (outcome.ok ? "" : outcome.error.message));
    expect(messages[2]).toBe(`Salesforce refused to update Case ${kept.id}: Not that subject [Subject] (FIELD_CUSTOM_VALIDATION_EXCEPTION)`);
    expect(messages[4]).toContain("Unable to create fields: CaseNumber");
    expect(messages[6]).toBe('"Acme" does not fit AccountId (Account ID), which is of type reference.');
    expect(messages[8]).toContain("add a comment to Case 500000000000001AAA");
  });

  it("adds, edits and removes comments; what is gone already counts as removed", async () => {
    const ref = await createCase(connector);
    const [added] = await connector.write([{ kind: "addComment", ref, body: "tpyo 'quoted' \\ 🖨\nnext", internal: true, marker: "" }]);
    const commentId = idOf(added);
    expect((await read(ref)).internalComments).toMatchObject([{ id: commentId, body: "tpyo 'quoted' \\ 🖨\nnext" }]);
    await connector.write([{ kind: "editComment", ref, commentId, body: "typo" }]);
    expect((await read(ref)).internalComments).toMatchObject([{ id: commentId, body: "typo" }]);
    for (let i = 0; i < 2; i++) expect(await connector.write([{ kind: "removeComment", ref, commentId }])).toMatchObject([{ ok: true }]);
    expect((await read(ref)).internalComments).toEqual([]);
    expect(
      await connector.write([
        { kind: "delete", ref },
        { kind: "delete", ref },
      ]),
    ).toMatchObject([{ ok: true }, { ok: true }]);
  });

  it.each(["plain.txt", "no extension", "a.tar.gz", "ünï 🖨 'quoted' \"double\".txt", ".hidden", "dots...", "blank .txt", "x.verylongextension"])(
    "adds a file called %j and reads its name and bytes back",
    async (filename) => {
      const ref = await createCase(connector);
      const content = Buffer.from([0, 255, 13, 10, 127]);
      const [added] = await connector.write([attach(ref, filename, content)]);
      const { attachments } = await read(ref);
      expect(attachments).toMatchObject([{ id: idOf(added), filename, filesize: 5 }]);
      expect(await buffer(await connector.openAttachment(ref, idOf(added)))).toEqual(content);
    },
  );

  it("streams a big file as a form", async () => {
    const ref = await createCase(connector);
    const content = Buffer.alloc(25_000_000, "isobridge");
    const [added] = await connector.write([attach(ref, "big.bin", content)]);
    expect(org.simulator.server.requests.at(-2)).toMatchObject({ method: "POST", path: "/services/data/v60.0/sobjects/ContentVersion" });
    expect((await buffer(await connector.openAttachment(ref, idOf(added)))).equals(content)).toBe(true);
  });

  it("removes a file from its record, and from the org only when no other record shows it", async () => {
    const [a, b] = [await createCase(connector), await createCase(connector)];
    const [one, two] = await connector.write([attach(a, "one.txt", "1"), attach(a, "two.txt", "2")]);
    await human("POST", "/sobjects/ContentDocumentLink", { ContentDocumentId: idOf(two), LinkedEntityId: b.id, ShareType: "V" });
    expect(await connector.write([one, two].map((added): WriteOperation => ({ kind: "removeAttachment", ref: a, attachmentId: idOf(added) })))).toMatchObject([
      { ok: true },
      { ok: true },
    ]);
    expect((await read(a)).attachments).toEqual([]);
    expect((await read(b)).attachments).toMatchObject([{ filename: "two.txt" }]);
    expect((await human("GET", `/sobjects/ContentDocument/${idOf(one)}`)).body[0].errorCode).toBe("ENTITY_IS_DELETED");
  });
});

describe("Chatter", () => {
  it("holds the comments of objects without case comments: posts, replies and their visibility", async () => {
    const [created] = await connector.write([{ kind: "create", entityType: "Account", fields: { Name: "Acme" }, marker: "a" }]);
    const ref = { type: "Account", id: idOf(created) };
    const [post] = await connector.write([
      { kind: "addComment", ref, body: "post", internal: false, marker: "" },
      { kind: "addComment", ref, body: "secret", internal: true, marker: "" },
    ]);
    await human("POST", "/sobjects/FeedComment", { FeedItemId: idOf(post), CommentBody: "reply" });
    const entity = await read(ref);
    expect(entity.comments.map(({ body, author }) => [body, author?.displayName])).toEqual([
      ["post", "Isobridge Integration"],
      ["reply", "Ines Duarte"],
    ]);
    expect(entity.internalComments).toMatchObject([{ body: "secret" }]);
    await connector.write([{ kind: "editComment", ref, commentId: idOf(post), body: "edited" }]);
    expect((await read(ref)).comments[0]).toMatchObject({ id: idOf(post), body: "edited" });
  });

  it("says when a post or a reply was edited, which is not when somebody replied", async () => {
    const server = org.simulator.server;
    const stop = (time: string) => server.clock.set({ frozenAt: Date.parse(time) });
    stop("2026-05-01T10:00:00Z");
    const [created] = await connector.write([{ kind: "create", entityType: "Account", fields: { Name: "Acme" }, marker: "a" }]);
    const ref = { type: "Account", id: idOf(created) };
    const [post] = await connector.write([{ kind: "addComment", ref, body: "post", internal: false, marker: "" }]);
    stop("2026-05-01T11:00:00Z");
    const reply = await human("POST", "/sobjects/FeedComment", { FeedItemId: idOf(post), CommentBody: "reply" });
    const updated = async () => (await read(ref)).comments.map((comment) => comment.updated.slice(11, 16));
    expect(await updated()).toEqual(["10:00", "11:00"]);
    stop("2026-05-01T12:00:00Z");
    await human("PATCH", `/sobjects/FeedComment/${reply.body.id}`, { CommentBody: "edited" });
    expect(await updated()).toEqual(["10:00", "12:00"]);
  });

  it("without a choice of visibility refuses internal comments, rather than to show them", async () => {
    org.simulator.org.schema.removeField("FeedItem", "Visibility");
    const [created] = await connector.write([{ kind: "create", entityType: "Account", fields: { Name: "Acme" }, marker: "a" }]);
    const ref = { type: "Account", id: idOf(created) };
    const [outcome] = await connector.write([{ kind: "addComment", ref, body: "secret", internal: true, marker: "" }]);
    expect(outcome).toMatchObject({ ok: false, error: { code: "BAD_REQUEST", message: "The feed of Account knows no internal posts in this org." } });
    expect((await connector.describe("Account")).internalComments).toBe(false);
    expect((await read(ref)).comments).toEqual([]);
  });

  it("holds those of cases where it is configured so", async () => {
    const chatter = org.connector({ comments: "Chatter" });
    const ref = await createCase(chatter);
    await chatter.write([{ kind: "addComment", ref, body: "in the feed", internal: false, marker: "" }]);
    expect((await read(ref, chatter)).comments).toMatchObject([{ body: "in the feed" }]);
    expect((await read(ref)).comments).toEqual([]);
  });
});

describe("the schema", () => {
  it("tells types, choices, limits, references and what a create needs", async () => {
    const schema = await connector.describe("Case");
    expect(schema).toMatchObject({
      entityType: "Case",
      label: "Case",
      statusField: "Status",
      sampled: false,
      comments: true,
      internalComments: true,
      attachments: true,
    });
    const field = (name: string) => schema.fields.find((entry) => entry.name === name);
    expect(field("Status")).toMatchObject({ type: "choice", closed: true, requiredOnCreate: false, choices: [{ value: "New", label: "New" }, {}, {}, {}] });
    expect(field("Severity__c")).toMatchObject({ custom: true, choices: [{ value: "1", label: "One" }] });
    expect(field("CaseNumber")).toMatchObject({ type: "computed", readOnly: true });
    expect(field("OwnerId")).toMatchObject({ type: "reference", references: ["Group", "User"] });
    expect(field("Subject")).toMatchObject({ type: "text", maxLength: 255, nullable: true, readOnly: false });
    expect(field("Description")).toMatchObject({ type: "longText" });
    expect(field("Tags__c")).toMatchObject({ type: "choices" });
    expect(field("Met__c")).toMatchObject({ type: "instant" });
    expect((await connector.describe("Account")).fields.filter(({ requiredOnCreate }) => requiredOnCreate).map(({ name }) => name)).toEqual(["Name"]);
    expect((await connector.describe("Contact")).statusField).toBeUndefined();
  });

  it("is asked for once, and an unknown object is a bad request that names it", async () => {
    await connector.describe("Case");
    const before = connector.calls();
    await connector.describe("Case");
    expect(connector.calls()).toBe(before);
    await expect(connector.describe("Nonsense")).rejects.toMatchObject({ code: "BAD_REQUEST", message: expect.stringContaining("“Nonsense”") });
    await expect(connector.describe("../limits")).rejects.toMatchObject({ code: "BAD_REQUEST" });
  });

  it("whose users hide their addresses, or whose files their checksums, is read without those, and asked once what it refuses", async () => {
    const ref = await createCase(connector);
    await connector.write([
      { kind: "addComment", ref, body: "c", internal: false, marker: "" },
      { kind: "addAttachment", ref, filename: "a.txt", mimetype: "text/plain", filesize: 1, open: bytes("x"), marker: "f" },
    ]);
    const { schema } = org.simulator.org;
    for (const [object, field] of [
      ["User", "Email"],
      ["User", "Username"],
      ["ContentVersion", "Checksum"],
      ["ContentVersion", "PathOnClient"],
    ] as const)
      schema.removeField(object, field);
    const entity = await read(ref);
    expect(entity.comments).toMatchObject([{ body: "c", author: { displayName: "Isobridge Integration" } }]);
    expect(entity.comments[0]?.author).not.toHaveProperty("email");
    expect(entity.attachments).toMatchObject([{ filename: "a.txt", filesize: 1 }]);
    const before = connector.calls();
    await Promise.all([read(ref), read(ref)]);
    expect(connector.calls() - before).toBe(2);
  });

  it("that tells of no children at all has those that every org's cases have [K]", async () => {
    const { body } = await human("GET", "/sobjects/Case/describe");
    const path = "/sobjects/Case/describe$";
    org.simulator.server.faults.arm({ path, times: 0, effect: { kind: "status", status: 200, body: { ...body, childRelationships: [] } } });
    const ref = await createCase(connector);
    await connector.write([{ kind: "addComment", ref, body: "c", internal: true, marker: "" }]);
    expect((await read(ref)).internalComments).toMatchObject([{ body: "c" }]);
  });

  it("that changed behind our back is learnt again", async () => {
    const ref = await createCase(connector);
    org.simulator.org.schema.removeField("Case", "Hours__c");
    expect((await read(ref)).fields).not.toHaveProperty("Hours__c");
  });
});

describe("a look-up", () => {
  it("finds records by typed conditions, and none for one of nothing", async () => {
    const ref = await createCase(connector, { Subject: 'it\'s 100% \\ "quoted"', Priority: "High" });
    await createCase(connector, { Subject: "it's 100x" });
    const found = async (...conditions: Parameters<Connector["find"]>[1]) => (await connector.find("Case", conditions, 10)).map((entity) => entity.ref.id);
    expect(await found({ field: "Subject", operator: "=", value: 'it\'s 100% \\ "quoted"' })).toEqual([ref.id]);
    expect(await found({ field: "Subject", operator: "startsWith", value: "it's 100%" })).toEqual([ref.id]);
    expect(await found({ field: "Subject", operator: "contains", value: "% \\" })).toEqual([ref.id]);
    expect(await found({ field: "Priority", operator: "in", value: ["High"] }, { field: "CreatedDate", operator: ">", value: "2020-01-01T00:00:00Z" })).toEqual(
      [ref.id],
    );
    expect(await found({ field: "Priority", operator: "in", value: [] })).toEqual([]);
    expect(await connector.find("Case", [], 1)).toHaveLength(1);
    await expect(found({ field: "Foo", operator: "=", value: "x" })).rejects.toMatchObject({ code: "BAD_REQUEST", fields: ["Foo"] });
  });

  it("finds a record by number, name or id, and refuses to choose between two of one name", async () => {
    const ref = await createCase(connector);
    expect(await connector.findByKey("Case", "00001000")).toEqual(ref);
    expect(await connector.findByKey("Case", ref.id.slice(0, 15))).toEqual(ref);
    expect(await connector.findByKey("Case", "99999999")).toBeUndefined();
    for (let i = 0; i < 2; i++) await human("POST", "/sobjects/Account", { Name: "Acme" });
    await expect(connector.findByKey("Account", "Acme")).rejects.toMatchObject({ code: "DUPLICATE" });
  });

  it("finds a user by e-mail or username", async () => {
    const tom = { displayName: "Tom Becker", email: "tom.becker@service.example", username: "tom@service.example" };
    expect(await connector.findUser({ email: "Tom.Becker@service.example" })).toMatchObject(tom);
    expect(await connector.findUser({ username: "tom@service.example" })).toMatchObject(tom);
    expect(await connector.findUser({ email: "' OR Email != '" })).toBeUndefined();
  });

  it("reaches the REST API of the org and nothing else", async () => {
    expect(await connector.request("get", "/services/data/v60.0/limits")).toHaveProperty("DailyApiRequests");
    expect(await connector.request("POST", "/services/data/v60.0/sobjects/Account", { Name: "Acme" })).toMatchObject({ success: true });
    await expect(connector.request("GET", "/services/data/v60.0/sobjects/Foo")).rejects.toMatchObject({
      code: "NOT_FOUND_OR_HIDDEN",
      message: expect.stringContaining("GET /services/data/v60.0/sobjects/Foo"),
    });
    for (const path of [
      "https://evil.example/services/data/",
      "//evil.example/",
      "/services/data/../oauth2/token",
      "@evil.example/",
      "/services/oauth2/token",
      "/services/data/\\evil",
    ]) {
      await expect(connector.request("GET", path)).rejects.toMatchObject({ code: "BAD_REQUEST" });
    }
  });
});
