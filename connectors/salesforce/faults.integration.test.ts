import { generateKeyPairSync } from "node:crypto";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Connector, EntityRef, LostWrite, WriteOperation } from "../connector.ts";
import { ConnectorError } from "../errors.ts";
import type { Fault } from "../simulation/faults.ts";
import { bytes, createCase, idOf, integration, type SimulatedOrg, simulatedOrg } from "./simulator/simulated-org.ts";

let org: SimulatedOrg;
let connector: Connector;

beforeEach(async () => {
  org = await simulatedOrg();
  connector = org.connector();
});
afterEach(() => org.close());

const arm = (fault: Fault) => org.simulator.server.faults.arm(fault);
const failureOf = async (work: Promise<unknown>): Promise<ConnectorError> => {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof ConnectorError) return error;
  throw new Error(`no connector error: ${inspect(error)}`);
};
const requests = (path: string) => org.simulator.server.requests.filter((request) => request.path.includes(path)).length;
const create = (marker: string, fields: Record<string, string> = { Subject: "lost" }): WriteOperation => ({
  kind: "create",
  entityType: "Case",
  fields,
  marker,
});

describe("a session", () => {
  it("that ends midway is renewed without anybody noticing, once for all who wait", async () => {
    const ref = await createCase(connector);
    org.simulator.accounts.revokeAll();
    const before = requests("/oauth2/token");
    const outcomes = await Promise.all(Array.from({ length: 10 }, () => connector.read([ref])));
    expect(outcomes.every(([outcome]) => outcome?.ok)).toBe(true);
    expect(requests("/oauth2/token") - before).toBe(1);
  });

  it("that ends before a write is renewed and the write done once, as the first was not let in", async () => {
    await connector.check();
    org.simulator.accounts.revokeAll();
    const [outcome] = await connector.write([create("m")]);
    expect(outcome?.ok).toBe(true);
    expect(org.simulator.org.tables.count("Case")).toBe(1);
  });

  it("refused for ever ends after a few calls with AUTH_EXPIRED, and does not burn sign-ins", async () => {
    await connector.check();
    arm({
      path: "/services/data",
      times: 0,
      effect: { kind: "status", status: 401, body: [{ message: "Session expired or invalid", errorCode: "INVALID_SESSION_ID" }] },
    });
    const before = connector.calls();
    expect(await failureOf(connector.findUser({ email: "x@y.example" }))).toMatchObject({ code: "AUTH_EXPIRED", status: 401 });
    expect(connector.calls() - before).toBeLessThanOrEqual(3);
    const signIns = requests("/oauth2/token");
    for (let i = 0; i < 20; i++) expect((await failureOf(connector.findUser({ email: "x@y.example" }))).code).toBe("AUTH_EXPIRED");
    expect(requests("/oauth2/token") - signIns).toBe(0);
  });

  it("refused at one address alone does not go round for ever", async () => {
    await connector.check();
    arm({ path: "sobjects/Foo", times: 0, effect: { kind: "status", status: 401, body: [{ message: "x", errorCode: "INVALID_SESSION_ID" }] } });
    const others = (async () => {
      for (let i = 0; i < 20; i++) await connector.findUser({ email: "x@y.example" });
    })();
    expect((await failureOf(connector.request("GET", "/services/data/v60.0/sobjects/Foo"))).code).toBe("AUTH_EXPIRED");
    await others;
  });

  it("is believed again after the quarantine", async () => {
    let now = Date.now();
    const patient = org.connector({}, undefined, { now: () => now });
    await patient.check();
    arm({ path: "/services/data", times: 0, effect: { kind: "status", status: 401, body: [{ message: "x", errorCode: "INVALID_SESSION_ID" }] } });
    await failureOf(patient.check());
    org.simulator.server.faults.clear();
    org.simulator.accounts.revokeAll();
    await failureOf(patient.check());
    now += 31_000;
    expect((await patient.check()).problems).toEqual([]);
  });
});

describe("wrong credentials", () => {
  const otherKey = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  }).privateKey;
  const jwt = { type: "jwt-bearer", clientId: "3MVG9simulated", username: integration } as const;

  it.each([
    ["client id", { ...jwt, clientId: "unknown" }, {}, "Salesforce does not know the app with the client id “unknown”."],
    [
      "private key",
      jwt,
      { privateKey: otherKey },
      "Salesforce refused the signed assertion: the private key does not belong to the certificate of the app “3MVG9simulated”, or the clock of this machine is wrong.",
    ],
    [
      "form of key",
      jwt,
      { privateKey: "-----BEGIN PRIVATE KEY-----\nc2VjcmV0LWtleS1tYXRlcmlhbA==\n-----END PRIVATE KEY-----" },
      "The private key of the Salesforce account is not an RSA key in PEM form.",
    ],
    ["missing key", jwt, { privateKey: "" }, "The secret “privateKey” of the Salesforce account is not set."],
    ["user", { ...jwt, username: "nobody@x.example" }, {}, "The user “nobody@x.example” may not use the app “3MVG9simulated”."],
    ["audience", { ...jwt, audience: "https://elsewhere.example" }, {}, "Salesforce refused the audience of the signed assertion."],
    [
      "client secret",
      { type: "client-credentials", clientId: "3MVG9simulated" },
      { clientSecret: "wrong-client-secret" },
      "Salesforce refused the client secret of the app “3MVG9simulated”.",
    ],
    [
      "password",
      { type: "password", username: integration, clientId: "3MVG9simulated" },
      { password: "wrong-password-1" },
      `Salesforce refused the password of “${integration}”.`,
    ],
    [
      "password without an app",
      { type: "password", username: integration },
      { password: "wrong-password-2" },
      `Salesforce refused the password of “${integration}”.`,
    ],
  ] as const)("(%s) are one clear message", async (_, auth, secrets, message) => {
    const given: Record<string, string> = { privateKey: org.keys.privateKey, clientSecret: "simulated-client-secret", ...secrets };
    const error = await failureOf(org.connector({ auth }, given).check());
    expect([error.code, error.message]).toEqual(["AUTH_CONFIG", message]);
    const shown = inspect(error, { depth: 10, showHidden: true }) + JSON.stringify(error);
    for (const secret of Object.values(given)) if (secret !== "") expect(shown).not.toContain(secret.split("\n")[1] ?? secret);
  });

  it("(an address that is not Salesforce) are told from an outage", async () => {
    arm({ path: "/oauth2/token", effect: { kind: "html" } });
    expect((await failureOf(connector.check())).code).toBe("PROTOCOL");
    arm({ path: "/oauth2/token", effect: { kind: "status", status: 200, body: { instance_url: org.simulator.url, id: "x/y" } } });
    expect(await failureOf(org.connector().check())).toMatchObject({
      code: "PROTOCOL",
      message: `${org.simulator.url} does not answer a sign-in as Salesforce does.`,
    });
    arm({ path: "/oauth2/token", effect: { kind: "status", status: 503, body: "" } });
    expect((await failureOf(org.connector().check())).code).toBe("TRANSIENT");
    expect((await failureOf(org.connector({ url: "http://127.0.0.1:1" }).check())).message).toContain("http://127.0.0.1:1");
  });
});

describe("a read", () => {
  it.each([
    ["is dropped", { kind: "reset" }],
    ["loses its answer", { kind: "lost-reply" }],
    ["is cut off", { kind: "truncate" }],
    ["meets an outage", { kind: "status", status: 503, body: [{ errorCode: "SERVER_UNAVAILABLE", message: "x" }] }],
    ["meets a locked row", { kind: "status", status: 500, body: [{ errorCode: "UNABLE_TO_LOCK_ROW", message: "x" }] }],
  ] as const)("that %s is repeated up to three times", async (_, effect) => {
    const ref = await createCase(connector);
    arm({ path: "/query", times: 2, effect });
    expect((await connector.read([ref]))[0]?.ok).toBe(true);
    arm({ path: "/query", times: 0, effect });
    const before = requests("/query");
    const error = await failureOf(connector.read([ref]));
    expect([error.uncertain, requests("/query") - before]).toEqual([false, 3]);
  });

  it("that meets a web page, a redirect or garbled JSON is not repeated", async () => {
    const ref = await createCase(connector);
    for (const effect of [
      { kind: "html" },
      { kind: "status", status: 302, body: "", headers: { location: "https://evil.example/" } },
      { kind: "status", status: 200, body: '{"records": [' },
    ] as const) {
      arm({ path: "/query", effect });
      expect((await failureOf(connector.read([ref]))).code).toBe("PROTOCOL");
    }
  });

  it("that exceeds the quota says how long to wait", async () => {
    await connector.check();
    org.simulator.usage.concurrentRefusals = 1;
    expect(await failureOf(connector.findUser({ email: "a@b.example" }))).toMatchObject({ code: "THROTTLED", retryAfterMs: 10_000 });
    org.simulator.usage.max = 0;
    expect(await failureOf(connector.findUser({ email: "a@b.example" }))).toMatchObject({ code: "THROTTLED", retryAfterMs: 900_000 });
  });

  it("of a query whose position was lost says so", async () => {
    const refs = [await createCase(connector), await createCase(connector), await createCase(connector)];
    org.simulator.pages.batchSize = 2;
    arm({ path: "/query/0r8", effect: { kind: "status", status: 400, body: [{ errorCode: "INVALID_QUERY_LOCATOR", message: "invalid query locator" }] } });
    expect((await failureOf(connector.read(refs))).code).toBe("CURSOR_LOST");
  });

  it("of bytes that break off midway fails in the stream and harms nothing else", async () => {
    const ref = await createCase(connector);
    const [added] = await connector.write([
      { kind: "addAttachment", ref, filename: "a.bin", mimetype: "", filesize: 500_000, open: bytes(Buffer.alloc(500_000)), marker: "m" },
    ]);
    arm({ path: "/VersionData", effect: { kind: "truncate" } });
    await expect(buffer(await connector.openAttachment(ref, idOf(added)))).rejects.toThrow();
    expect((await buffer(await connector.openAttachment(ref, idOf(added)))).length).toBe(500_000);
  });

  it("that takes too long is given up", async () => {
    const hasty = org.connector({}, undefined, { timeoutMs: 50 });
    await hasty.check().catch(() => undefined);
    arm({ path: "/query", times: 0, effect: { kind: "delay", ms: 400 } });
    expect(await failureOf(hasty.findUser({ email: "a@b.example" }))).toMatchObject({
      code: "TRANSIENT",
      message: expect.stringContaining("no answer within 50 ms"),
    });
  });
});

describe("a write", () => {
  it("that was never sent is certain not to have happened", async () => {
    await connector.check();
    await connector.describe("Case");
    await org.simulator.close();
    // Uses up the connections that were kept open; what is sent on one of those may have arrived.
    await failureOf(connector.check());
    const [outcome] = await connector.write([create("m")]);
    expect(outcome).toMatchObject({ ok: false, error: { code: "TRANSIENT", uncertain: false } });
    org = await simulatedOrg();
  });

  it.each([
    ["lost", { kind: "lost-reply" }],
    ["cut off", { kind: "truncate" }],
    ["a web page", { kind: "html" }],
    ["an outage", { kind: "status", status: 503, body: "" }],
  ] as const)("whose answer is %s is uncertain, and a create is never repeated", async (_, effect) => {
    await connector.describe("Case");
    arm({ path: "/composite/sobjects", times: 0, effect });
    const outcomes = await connector.write([create("m1"), create("m2")]);
    expect(outcomes.map((outcome) => !outcome.ok && outcome.error.uncertain)).toEqual([true, true]);
    expect(requests("/composite/sobjects")).toBe(1);
  });

  it("that is an update is repeated, as twice is the same as once", async () => {
    const ref = await createCase(connector);
    arm({ method: "PATCH", times: 2, effect: { kind: "lost-reply" } });
    expect(await connector.write([{ kind: "update", ref, fields: { Subject: "again" } }])).toEqual([{ ok: true, id: ref.id }]);
    arm({ method: "DELETE", times: 1, effect: { kind: "lost-reply" } });
    expect(await connector.write([{ kind: "delete", ref }])).toEqual([{ ok: true, id: ref.id }]);
  });

  it("shows none of its secrets in any error", async () => {
    const secrets = { clientSecret: "simulated-client-secret" };
    const errors: unknown[] = [];
    for (const effect of [
      { kind: "status", status: 400, body: [{ errorCode: "X", message: "you sent simulated-client-secret" }] },
      { kind: "reset" },
      { kind: "html" },
    ] as const) {
      arm({ path: "/services/data", effect });
      errors.push(await failureOf(connector.request("POST", "/services/data/v60.0/sobjects/Account", {})));
      arm({ path: "/oauth2/token", effect });
      errors.push(await failureOf(org.connector({}, secrets).check()));
    }
    const [session] = [...org.simulator.org.tables.rows("__sessions")];
    const shown =
      errors.map((error) => inspect(error, { depth: 10, showHidden: true }) + JSON.stringify(error)).join() +
      inspect(connector, { depth: 10, showHidden: true });
    expect(shown).not.toContain("simulated-client-secret");
    expect(shown).not.toContain(session?.Id);
    expect(shown).not.toContain("Bearer");
  });
});

describe("a lost write", () => {
  const since = () => new Date(Date.now() - 1000).toISOString();
  const lost = (operation: LostWrite["operation"], more: Partial<LostWrite> = {}): LostWrite => ({ operation, since: since(), known: [], ...more });

  it("that is a create is found by its marker, or surely not there", async () => {
    await connector.describe("Case");
    arm({ path: "/composite/sobjects", effect: { kind: "lost-reply" } });
    arm({ path: "/composite/sobjects", effect: { kind: "reset" } });
    const [there, never] = [create("there"), create("never")] as [Extract<WriteOperation, { kind: "create" }>, Extract<WriteOperation, { kind: "create" }>];
    await connector.write([there]);
    await connector.write([never]);
    const [row] = [...org.simulator.org.rows("Case")];
    expect(await connector.locate([lost(never), lost(there)])).toEqual([undefined, row?.Id]);
  });

  it("that is a create in an org without the marker is found by author, time and texts, each record once", async () => {
    const bare = await simulatedOrg({ marker: false });
    const unmarked = bare.connector();
    const human = await bare.caller();
    const fields = { Subject: " twin ", Description: "same" };
    await human("POST", "/sobjects/Case", fields);
    const refs = [await createCase(unmarked, fields), await createCase(unmarked, fields), await createCase(unmarked, { Subject: "other" })];
    bare.simulator.org.touch("Case", bare.simulator.org.existing("Case", refs[0]?.id ?? ""), { Priority: "High" }, "");
    const operation = { kind: "create", entityType: "Case", fields: { ...fields, Priority: "Low" }, marker: "m" } as const;
    const found = await unmarked.locate([
      lost(operation),
      lost(operation),
      lost(operation),
      lost({ ...operation, fields: { Subject: "other" } }, { known: [refs[2]?.id ?? ""] }),
    ]);
    expect(found).toEqual([refs[0]?.id, refs[1]?.id, undefined, undefined]);
    expect(await unmarked.locate([{ operation, since: new Date(Date.now() + 60_000).toISOString(), known: [] }])).toEqual([undefined]);
    await bare.close();
  });

  it("that is a comment is found by record, author, time and exact body", async () => {
    const [a, b] = [await createCase(connector), await createCase(connector)];
    await (await org.caller())("POST", "/sobjects/CaseComment", { ParentId: a.id, CommentBody: "it's\nlost" });
    const comment = (ref: typeof a, body: string) => ({ kind: "addComment", ref, body, internal: false, marker: "" }) as const;
    const [earlier] = await connector.write([comment(a, "it's\nlost")]);
    arm({ method: "POST", path: "/composite/sobjects", effect: { kind: "lost-reply" } });
    expect(await connector.write([comment(a, "it's\nlost ")])).toMatchObject([{ ok: false, error: { uncertain: true } }]);
    const ours = [...org.simulator.org.rows("CaseComment")].at(-1)?.Id;
    expect(ours).not.toBe(idOf(earlier));
    const found = await connector.locate([
      lost(comment(a, "it's\nlost "), { known: [idOf(earlier)] }),
      lost(comment(b, "it's\nlost")),
      lost(comment(a, "It's\nlost")),
    ]);
    expect(found).toEqual([ours, undefined, undefined]);
  });

  it("that is a file is found by the marker it carries", async () => {
    const ref = await createCase(connector);
    const file = (marker: string) => ({ kind: "addAttachment", ref, filename: "a.txt", mimetype: "text/plain", filesize: 1, marker }) as const;
    const [other] = await connector.write([{ ...file("other"), open: bytes("x") }]);
    arm({ method: "POST", path: "/sobjects/ContentVersion", effect: { kind: "lost-reply" } });
    expect(await connector.write([{ ...file("mine"), open: bytes("x") }])).toMatchObject([{ ok: false, error: { uncertain: true } }]);
    const mine = [...org.simulator.org.rows("ContentDocument")].at(-1)?.Id;
    expect(mine).not.toBe(idOf(other));
    expect(await connector.locate([lost(file("mine")), lost(file("never")), lost(file("other"), { known: [idOf(other)] })])).toEqual([
      mine,
      undefined,
      undefined,
    ]);
  });

  it("whose own bytes could not be read was certainly not made", async () => {
    const ref = await createCase(connector);
    const open = async () =>
      Readable.from(
        (async function* () {
          yield Buffer.from("x");
          throw new Error("disk gone");
        })(),
      );
    expect(await connector.write([{ kind: "addAttachment", ref, filename: "a.txt", mimetype: "", filesize: 5, open, marker: "m" }])).toMatchObject([
      { ok: false, error: { uncertain: false } },
    ]);
    expect(org.simulator.org.tables.count("ContentVersion")).toBe(0);
  });

  it("that is a big file meeting the end of the session was certainly not made, and the next try works", async () => {
    const ref = await createCase(connector);
    const big = Buffer.alloc(5_000_001);
    const upload = async () =>
      await connector.write([{ kind: "addAttachment", ref, filename: "a.bin", mimetype: "", filesize: big.length, open: bytes(big), marker: "m" }]);
    arm({
      method: "POST",
      path: "/sobjects/ContentVersion",
      effect: { kind: "status", status: 401, body: [{ message: "x", errorCode: "INVALID_SESSION_ID" }] },
    });
    expect(await upload()).toMatchObject([{ ok: false, error: { code: "TRANSIENT", uncertain: false } }]);
    expect(await upload()).toMatchObject([{ ok: true }]);
  });

  it("whose id could not be read is uncertain, and found", async () => {
    const ref = await createCase(connector);
    arm({ path: "ContentDocumentId", times: 3, effect: { kind: "reset" } });
    const file = { kind: "addAttachment", ref, filename: "a.txt", mimetype: "", filesize: 1, marker: "m" } as const;
    expect(await connector.write([{ ...file, open: bytes("x") }])).toMatchObject([{ ok: false, error: { code: "TRANSIENT", uncertain: true } }]);
    expect(await connector.locate([lost(file)])).toEqual([[...org.simulator.org.rows("ContentDocument")][0]?.Id]);
  });
});

describe("an org that offers less", () => {
  const gone = (errorCode = "NOT_FOUND", status = 404) => ({ kind: "status", status, body: [{ errorCode, message: "not here" }] }) as const;
  const missing = (path: string, effect: Fault["effect"] = gone()) => arm({ path, times: 0, effect });
  const since = "2020-01-01T00:00:00Z";
  const watch = { entityType: "Case", query: "" };
  const addComment = (ref: EntityRef, body: string): WriteOperation => ({ kind: "addComment", ref, body, internal: false, marker: body });
  const file = (ref: EntityRef): WriteOperation => {
    return { kind: "addAttachment", ref, filename: "a.txt", mimetype: "text/plain", filesize: 1, open: bytes("x"), marker: "f" };
  };
  const readOne = async (by: Connector, ref: EntityRef) => {
    const [outcome] = await by.read([ref]);
    if (!outcome?.ok) throw outcome?.error ?? new Error("no outcome");
    return outcome.entity;
  };
  const filled = async (by: Connector) => {
    const ref = await createCase(by);
    for (const outcome of await by.write([addComment(ref, "one"), addComment(ref, "two"), file(ref)])) idOf(outcome);
    return ref;
  };

  it.each([403, 404, 405, 501])("polls query by query without composites (%i), and remembers it", async (status) => {
    const ref = await filled(connector);
    missing("/composite$", gone(status === 403 ? "FUNCTIONALITY_NOT_ENABLED" : `HTTP_${status}`, status));
    const first = await connector.poll(watch, undefined, 10, since);
    expect(first.changes.map((change) => change.ref)).toEqual([ref]);
    await connector.write([addComment(ref, "three")]);
    expect((await connector.poll(watch, first.cursor, 10)).changes.map((change) => change.ref)).toEqual([ref]);
    expect(requests("/composite") - requests("/composite/sobjects")).toBe(1);
  });

  it("does not take comments that it may no longer read for deleted ones", async () => {
    const ref = await filled(connector);
    expect((await readOne(connector, ref)).comments).toHaveLength(2);
    missing("CaseComment", gone("INVALID_TYPE", 400));
    expect(await failureOf(readOne(connector, ref))).toMatchObject({ platformCode: "INVALID_TYPE" });
    org.simulator.server.faults.clear();
    expect((await readOne(connector, ref)).comments).toHaveLength(2);
  });

  it("goes on where a part of a composite is refused for what is missing, and stops where the records themselves are", async () => {
    const ref = await filled(connector);
    const none = { httpStatusCode: 200, body: { totalSize: 0, done: true, records: [] } };
    const [noPath, noObject] = ["NOT_FOUND", "INVALID_TYPE"].map((code) => ({ httpStatusCode: code === "NOT_FOUND" ? 404 : 400, body: gone(code).body }));
    const answers = (...compositeResponse: unknown[]) => missing("/composite$", { kind: "status", status: 200, body: { compositeResponse } });
    const nothing = { httpStatusCode: 200, body: { deletedRecords: [], latestDateCovered: new Date().toISOString() } };
    answers(none, noPath, noObject, none, nothing);
    expect((await connector.poll(watch, undefined, 10, since)).changes.map((change) => change.ref)).toEqual([ref]);
    org.simulator.server.faults.clear();
    answers(noObject, none, none, none, nothing);
    expect(await failureOf(connector.poll(watch, undefined, 10, since))).toMatchObject({ code: "BAD_REQUEST", platformCode: "INVALID_TYPE" });
    org.simulator.server.faults.clear();
    answers(noPath, none, none, none, nothing);
    missing("/query", gone("NOT_FOUND", 404));
    const before = requests("/composite");
    for (let i = 0; i < 2; i++) expect((await failureOf(connector.poll(watch, undefined, 10, since))).code).toBe("NOT_FOUND_OR_HIDDEN");
    expect(requests("/composite") - before).toBe(2);
  });

  it("whose composites take nothing but queries is asked for deleted records by calls of their own, now and then", async () => {
    const ref = await filled(connector);
    const refusal = { kind: "status", status: 400, body: [{ errorCode: "INVALID_INPUT", message: "not supported in a composite" }] } as const;
    org.simulator.server.faults.arm({ path: "/composite$", effect: refusal });
    const first = await connector.poll(watch, undefined, 10, since);
    expect(first.changes.map((change) => change.ref)).toEqual([ref]);
    org.simulator.server.faults.clear();
    const lists = requests("/deleted?");
    await connector.poll(watch, first.cursor, 10);
    expect(requests("/deleted?")).toBe(lists);
  });

  it("whose composites take no collections is written to call by call, and remembered so", async () => {
    const [a, b] = [await createCase(connector), await createCase(connector)];
    const refusal = { kind: "status", status: 400, body: [{ errorCode: "INVALID_INPUT", message: "not supported in a composite" }] } as const;
    org.simulator.server.faults.arm({ path: "/composite$", times: 0, effect: refusal });
    const work = [addComment(a, "one"), { kind: "update", ref: b, fields: { Subject: "x" } }, addComment(a, "two")] as const;
    for (let i = 0; i < 2; i++) expect((await connector.write(work)).every(({ ok }) => ok)).toBe(true);
    expect(requests("/composite") - requests("/composite/sobjects")).toBe(1);
  });

  it("that shows e-mails but not all of their fields is read without them", async () => {
    const ref = await filled(connector);
    const refused = {
      kind: "status",
      status: 400,
      body: [{ errorCode: "INVALID_FIELD", message: "No such column 'HtmlBody' on entity 'EmailMessage'." }],
    } as const;
    org.simulator.server.faults.arm({ path: "HtmlBody", times: 0, effect: refused });
    const entity = await readOne(org.connector(), ref);
    expect(entity.comments).toHaveLength(2);
  });

  it("that does not list links by a condition on their records is polled without them, and new files are noticed all the same", async () => {
    const body = [{ errorCode: "MALFORMED_QUERY", message: "Implementation restriction: ContentDocumentLink requires a filter by a single Id" }];
    arm({ path: "/composite$", times: 0, effect: { kind: "status", status: 404, body: [{ errorCode: "NOT_FOUND", message: "no composites" }] } });
    arm({ path: "FROM%20ContentDocumentLink%20WHERE%20LinkedEntityId%20IN%20\\(SELECT", times: 0, effect: { kind: "status", status: 400, body } });
    const asks = () => org.simulator.server.requests.filter(({ path }) => path.includes("LinkedEntityId%20IN%20(SELECT")).length;
    const watch = { entityType: "Case", query: "Status = 'New'" };
    const { cursor } = await connector.poll(watch, undefined, 10);
    const ref = await createCase(connector);
    const first = await connector.poll(watch, cursor, 10);
    expect(first.changes.map((change) => change.ref.id)).toEqual([ref.id]);
    const file = { kind: "addAttachment", ref, filename: "a.txt", mimetype: "text/plain", filesize: 1, open: bytes("x"), marker: "f" } as const;
    expect((await connector.write([file]))[0]?.ok).toBe(true);
    expect((await connector.poll(watch, first.cursor, 10)).changes.map((change) => change.ref.id)).toEqual([ref.id]);
    expect(asks()).toBe(1);
  });

  it("is asked for composites again after a while", async () => {
    let now = Date.now();
    const patient = org.connector({}, undefined, { now: () => now });
    const asked = () => requests("/composite") - requests("/composite/sobjects");
    missing("/composite$");
    await patient.poll(watch, undefined, 10, since);
    now += 601_000;
    org.simulator.server.faults.clear();
    await patient.poll(watch, undefined, 10, since);
    await patient.poll(watch, undefined, 10, since);
    expect(asked()).toBe(3);
  });

  it.each([
    ["a refused account", { kind: "status", status: 401, body: [{ errorCode: "INVALID_SESSION_ID", message: "x" }] }, "AUTH_EXPIRED"],
    ["a blocked API", gone("API_DISABLED_FOR_ORG", 403), "AUTH_CONFIG"],
    ["throttling", gone("REQUEST_LIMIT_EXCEEDED", 403), "THROTTLED"],
    ["an outage", { kind: "status", status: 503, body: "" }, "TRANSIENT"],
    ["a web page", { kind: "html", status: 404 }, "PROTOCOL"],
    ["a web page of a proxy", { kind: "html", status: 501 }, "TRANSIENT"],
  ] as const)("is not what %s looks like", async (_, effect, code) => {
    missing("/composite$", effect);
    expect((await failureOf(connector.poll(watch, undefined, 10, since))).code).toBe(code);
    org.simulator.server.faults.clear();
    missing("/limits", effect);
    expect((await failureOf(org.connector().check())).code).toBe(code);
  });

  it("reads many records in parts where their statement is too long for an address", async () => {
    const refs = await Promise.all(Array.from({ length: 12 }, (_, i) => createCase(connector, { Subject: `${i}` })));
    missing("/composite$");
    missing(`FROM%20Case%20WHERE.*(${refs[0]?.id.slice(0, 3)}.*){7}`, { kind: "status", status: 414, body: "" });
    expect((await connector.read(refs)).every(({ ok }) => ok)).toBe(true);
  });

  it("is healthy without limits and without its list of versions: each answer says how many calls are left", async () => {
    missing("/services/data/?$");
    missing("/limits$", gone("INSUFFICIENT_ACCESS", 403));
    expect((await connector.check()).problems).toEqual([]);
    expect(connector.allowance?.()?.max).toBe(15_000);
    expect((await connector.poll(watch, undefined, 10)).changes).toEqual([]);
    const big = Buffer.alloc(5_000_001);
    const ref = await createCase(connector);
    const upload = { kind: "addAttachment", ref, filename: "a.bin", mimetype: "", filesize: big.length, open: bytes(big), marker: "m" } as const;
    expect(await connector.write([upload])).toMatchObject([{ ok: true }]);
  });

  it("is healthy without users, and finds none", async () => {
    missing("FROM%20User", gone("INVALID_TYPE", 400));
    const { account, problems } = await connector.check();
    expect([account.slice(0, 3), problems]).toEqual(["005", [expect.stringContaining("may not see users")]]);
    expect(await connector.findUser({ username: integration })).toBeUndefined();
    expect((await readOne(connector, await filled(connector))).comments[0]?.author?.username).toBe(integration);
  });

  it("without anything at all is not healthy: the address or the version is wrong", async () => {
    missing("/services/data/");
    expect((await failureOf(connector.check())).code).toBe("NOT_FOUND_OR_HIDDEN");
    expect((await failureOf(connector.poll(watch, undefined, 10, since))).code).toBe("BAD_REQUEST");
  });

  it.each([
    ["CaseComment", "CaseComments?", "CaseComment"],
    ["ContentVersion", "ContentVersion", "CaseComment"],
    ["ContentDocumentLink", "ContentDocumentLinks?", "CaseComment"],
    ["FeedItem", "FeedItem", "Chatter"],
  ] as const)("reads and polls without %s", async (object, pattern, comments) => {
    const lesser = org.connector({ comments });
    const ref = await filled(lesser);
    missing("/composite$");
    missing(`/sobjects/${object}/describe`);
    missing(`FROM%20${pattern}(%20|\\)|$)`, {
      kind: "status",
      status: 400,
      body: [{ errorCode: "INVALID_TYPE", message: `sObject type '${object}' is not supported.` }],
    });
    const fresh = org.connector({ comments });
    expect((await fresh.poll(watch, undefined, 10, since)).changes.map((change) => change.ref)).toEqual([ref]);
    const entity = await readOne(fresh, ref);
    expect([entity.comments.length, entity.attachments.length]).toEqual([
      object === "CaseComment" || object === "FeedItem" ? 0 : 2,
      object === "ContentDocumentLink" ? 0 : 1,
    ]);
    expect((await fresh.describe("Case")).comments).toBe(true);
    const { problems } = await fresh.check();
    expect(problems).toHaveLength(1);
  });

  it.each([
    ["CaseComment", "MALFORMED_QUERY", "unexpected token: '('"],
    ["CaseComment", "INVALID_FIELD", "Didn't understand relationship 'CaseComments' in FROM part of query call."],
    ["Chatter", "MALFORMED_QUERY", "unexpected token: '('"],
  ] as const)("that refuses sub-selects gives the same records by statements of their own (%s, %s)", async (comments, errorCode, message) => {
    const by = org.connector({ comments });
    const ref = await filled(by);
    if (comments === "Chatter") {
      const item = [...org.simulator.org.rows("FeedItem")][0]?.Id;
      expect((await (await org.caller())("POST", "/sobjects/FeedComment", { FeedItemId: item, CommentBody: "reply" })).status).toBe(201);
    }
    const whole = await readOne(by, ref);
    expect(whole.comments).toHaveLength(comments === "Chatter" ? 3 : 2);
    missing("/composite$");
    missing("SELECT.*\\(SELECT", { kind: "status", status: 400, body: [{ errorCode, message }] });
    expect(await readOne(by, ref)).toEqual(whole);
    const refused = () => org.simulator.server.requests.filter(({ path, status }) => status === 400 && path.includes("query")).length;
    const before = refused();
    expect(before).toBeGreaterThan(0);
    expect(await readOne(by, ref)).toEqual(whole);
    expect(refused()).toBe(before);
  });

  it("without collections is written to record by record, each with its own outcome", async () => {
    missing("/composite/sobjects");
    const [a, b] = await connector.write([create("a"), create("b", { Subject: "b", NoSuchField__c: "x" })]);
    expect([a?.ok, b]).toMatchObject([true, { ok: false, error: { uncertain: false } }]);
    const ref = { type: "Case", id: idOf(a) };
    expect(await connector.write([{ kind: "update", ref, fields: { Subject: "new" } }])).toEqual([{ ok: true, id: ref.id }]);
    const added = await connector.write([addComment(ref, "one"), addComment(ref, "two"), file(ref)]);
    const entity = await readOne(connector, ref);
    expect([entity.fields.Subject, entity.comments.map(({ body }) => body), entity.attachments.length]).toEqual(["new", ["one", "two"], 1]);
    const removals = await connector.write([
      { kind: "removeComment", ref, commentId: idOf(added[0]) },
      { kind: "removeAttachment", ref, attachmentId: idOf(added[2]) },
    ]);
    expect(removals.map(({ ok }) => ok)).toEqual([true, true]);
    const [deleted, again] = [await connector.write([{ kind: "delete", ref }]), await connector.write([{ kind: "delete", ref }])];
    expect([deleted, again]).toEqual([[{ ok: true, id: ref.id }], [{ ok: true, id: ref.id }]]);
    expect(requests("/composite/sobjects")).toBe(2);
  });

  it("without collections leaves unsent what follows an outage, and calls only the lost one uncertain", async () => {
    missing("/composite/sobjects");
    await connector.write([create("a")]);
    missing("/sobjects/Case$", { kind: "lost-reply" });
    const outcomes = await connector.write([create("b"), create("c")]);
    expect(outcomes.map((outcome) => !outcome.ok && outcome.error.uncertain)).toEqual([true, false]);
    expect(org.simulator.org.tables.count("Case")).toBe(2);
  });

  it("without a look into the recycle bin is queried outside it, and says what is lost", async () => {
    const ref = await filled(connector);
    missing("/queryAll");
    missing("/composite$");
    const fresh = org.connector();
    expect((await fresh.check()).problems).toEqual([expect.stringContaining("recycle bin")]);
    expect((await fresh.poll(watch, undefined, 10, since)).changes.map((change) => change.ref)).toEqual([ref]);
    await fresh.write([{ kind: "delete", ref }]);
    expect(await fresh.read([ref])).toMatchObject([{ ok: false, error: { code: "NOT_FOUND_OR_HIDDEN" } }]);
  });

  it.each(["userinfo", "username", "nothing"])("whose sign-in does not say who signed in works, and knows it by %s", async (source) => {
    const session = org.simulator.accounts.open([...org.simulator.org.rows("User")].find(({ Username }) => Username === integration)?.Id ?? "");
    missing("/oauth2/token", { kind: "status", status: 200, body: { access_token: session } });
    if (source !== "userinfo") missing("/userinfo");
    const auth = { type: "password", username: integration, clientId: "3MVG9simulated" } as const;
    const nameless = source === "username" ? org.connector({ auth }) : org.connector();
    const { account } = await nameless.check();
    expect(account).toContain(source === "nothing" ? "does not name" : integration);
    const ref = await filled(nameless);
    const operation = { kind: "addComment", ref, body: "two", internal: false, marker: "" } as const;
    const row = [...org.simulator.org.rows("CaseComment")].find(({ CommentBody }) => CommentBody === "two");
    expect(await nameless.locate([{ operation, since, known: [] }])).toEqual([row?.Id]);
  });
});
