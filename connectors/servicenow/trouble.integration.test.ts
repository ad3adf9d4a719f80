import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { EntityRef, EntitySchema, LostWrite, WriteOperation } from "../connector.ts";
import { ConnectorError } from "../errors.ts";
import { ServiceNowClient } from "./client.ts";
import { servicenowConfig } from "./config.ts";
import { seededApiKey } from "./simulator/simulator.ts";
import { openTestbed, secrets, type Testbed } from "./testbed.ts";

let bed: Testbed;
beforeEach(async () => {
  bed = await openTestbed();
});
afterEach(() => bed.close());

const oauth = { auth: { type: "oauth-password", clientId: "isobridge-client", username: "isobridge" } } as const;
const clientCredentials = { auth: { type: "client-credentials", clientId: "isobridge-client" } } as const;
const caught = async (promise: Promise<unknown>): Promise<ConnectorError> => {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ConnectorError);
  return error as ConnectorError;
};
const file = (ref: EntityRef): Extract<WriteOperation, { kind: "addAttachment" }> => ({
  kind: "addAttachment",
  ref,
  filename: "log.txt",
  mimetype: "text/plain",
  filesize: 3,
  open: async () => Readable.from([Buffer.from("log")]),
  marker: "m",
});
const now = () => new Date().toISOString();

describe("sessions", () => {
  test.each([
    ["oauth-password", oauth],
    ["client-credentials", clientCredentials],
  ] as const)("%s signs in once for many calls", async (_name, config) => {
    const connector = bed.connect(config);
    bed.calls();
    expect(await Promise.all([connector.check(), connector.describe("incident"), connector.find("incident", [], 1)])).toMatchObject([
      { account: "isobridge (Isobridge Integration)", problems: [] },
      {},
      [],
    ]);
    expect(bed.calls().filter((call) => call.endsWith("/oauth_token.do"))).toHaveLength(1);
  });

  test("a session that ends midway is renewed once by all who need it, writes included", async () => {
    const connector = bed.connect(oauth);
    const refs = [await bed.create({ short_description: "a" }), await bed.create({ short_description: "b" })];
    await connector.describe("incident");
    bed.simulator.expireSessions();
    bed.calls();
    const [read, written] = await Promise.all([
      connector.read(refs),
      connector.write(refs.map((ref) => ({ kind: "addComment", ref, body: "once", internal: false, marker: "m" }) as const)),
    ]);
    expect([...read, ...written].every(({ ok }) => ok)).toBe(true);
    expect(bed.calls().filter((call) => call.endsWith("/oauth_token.do"))).toHaveLength(1);
    expect(bed.simulator.rows("sys_journal_field")).toHaveLength(2);
  });

  test("401 for ever is AUTH_EXPIRED after one renewal, for reads and writes", async () => {
    const connector = bed.connect(oauth);
    const ref = await bed.create({ short_description: "a" });
    await connector.describe("incident");
    bed.simulator.arm({
      path: "^/api/",
      times: 0,
      effect: {
        kind: "status",
        status: 401,
        body: { error: { message: "User Not Authenticated", detail: "Required to provide Auth information" }, status: "failure" },
      },
    });
    expect(await caught(connector.read([ref]))).toMatchObject({ code: "AUTH_EXPIRED", status: 401 });
    expect(await caught(connector.write([{ kind: "update", ref, fields: { urgency: "1" } }]))).toMatchObject({ code: "AUTH_EXPIRED" });
  });

  test("401 for once, while the platform holds on to the session, is passed over", async () => {
    const connector = bed.connect(oauth);
    const ref = await bed.create({ short_description: "a" });
    await connector.describe("incident");
    bed.simulator.arm({ path: "^/api/", effect: { kind: "status", status: 401, body: { error: { message: "User Not Authenticated" } } } });
    expect(await connector.read([ref])).toMatchObject([{ ok: true }]);
    bed.simulator.arm({ path: "^/api/", effect: { kind: "status", status: 401, body: { error: { message: "User Not Authenticated" } } } });
    expect(await connector.write([{ kind: "update", ref, fields: { urgency: "1" } }])).toMatchObject([{ ok: true }]);
  });

  test("an account that worked and is shut out is AUTH_EXPIRED, one that never worked AUTH_CONFIG", async () => {
    await bed.connector.check();
    bed.simulator.settings.basicAuthRestricted = true;
    expect(await caught(bed.connector.find("incident", [], 1))).toMatchObject({ code: "AUTH_EXPIRED" });
    expect(await caught(bed.connect().check())).toMatchObject({ code: "AUTH_CONFIG", advice: expect.stringContaining("snc_basic_auth_api_access") });
  });

  test.each([
    ["a wrong password", undefined, { password: "wrong-password" }, "ServiceNow does not let the user isobridge in with this password."],
    [
      "a wrong password for OAuth",
      oauth,
      { ...secrets, password: "wrong-password" },
      "ServiceNow refused the sign-in (client isobridge-client, user isobridge): server_error, access_denied.",
    ],
    [
      "a wrong client secret",
      clientCredentials,
      { clientSecret: "wrong-secret" },
      "ServiceNow refused the sign-in (client isobridge-client): server_error, access_denied.",
    ],
  ])("%s is one clear message", async (_what, config, given, message) => {
    const error = await caught(bed.connect(config, given).check());
    expect([error.code, error.message]).toEqual(["AUTH_CONFIG", message]);
  });
});

describe("answers that are none", () => {
  test("a login page is PROTOCOL with advice", async () => {
    bed.simulator.arm({ times: 0, effect: { kind: "html" } });
    expect(await caught(bed.connector.find("incident", [], 1))).toMatchObject({ code: "PROTOCOL", advice: expect.stringContaining("login page") });
  });

  test("an error that comes with 200 is an error all the same, also when it follows rows [R]", async () => {
    const ref = await bed.create({ short_description: "slow" });
    await bed.connector.describe("incident");
    const body = {
      result: [{ sys_id: ref.id }],
      error: { message: "Transaction cancelled: maximum execution time exceeded", detail: "Check logs" },
      status: "failure",
    };
    bed.simulator.arm({ path: "table/incident", times: 0, effect: { kind: "status", status: 200, body } });
    expect(await caught(bed.connector.find("incident", [], 1))).toMatchObject({
      code: "TRANSIENT",
      message: expect.stringContaining("maximum execution time"),
      advice: expect.stringContaining("slow query"),
    });
    const [outcome] = await bed.connector.write([{ kind: "update", ref, fields: { urgency: "1" } }]);
    expect(outcome).toMatchObject({ ok: false, error: { code: "TRANSIENT", uncertain: true } });
  });

  test("a cut-off answer is fetched again for a read", async () => {
    const ref = await bed.create({ short_description: "cut" });
    bed.simulator.arm({ path: "table/incident", effect: { kind: "truncate" } });
    expect(await bed.read(ref)).toMatchObject({ fields: { short_description: "cut" } });
  });

  test("a list without its result is PROTOCOL", async () => {
    await bed.connector.describe("incident");
    bed.simulator.arm({ path: "table/incident", times: 0, effect: { kind: "status", status: 200, body: { something: "else" } } });
    expect(await caught(bed.connector.find("incident", [], 1))).toMatchObject({ code: "PROTOCOL" });
  });

  test("a list that does not say how many records match is read on while its pages are full", async () => {
    const server = createServer((request, response) => {
      const asked = URL.parse(request.url ?? "", "http://127.0.0.1")?.searchParams;
      const offset = Number(asked?.get("sysparm_offset"));
      const length = Math.max(0, Math.min(Number(asked?.get("sysparm_limit")), 1500 - offset));
      const result = Array.from({ length }, (_, position) => ({ sys_id: String(offset + position) }));
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ result }));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const client = new ServiceNowClient(servicenowConfig.parse({ url, auth: { type: "basic", username: "isobridge" } }), secrets);
    expect(await client.listAll({ table: "sys_journal_field", query: "ORDERBYsys_id", fields: ["sys_id"] })).toHaveLength(1500);
    client.close();
    server.closeAllConnections();
    server.close();
  });

  test("429 is waited out when it is short, and THROTTLED with its time when it is long", async () => {
    await bed.connector.describe("incident");
    const body = { error: { message: "Rate limit exceeded", detail: "Rate limit of 100 requests per hour for Table API exceeded" } };
    bed.simulator.arm({ path: "table/incident", effect: { kind: "status", status: 429, body } });
    expect(await bed.connector.find("incident", [], 1)).toEqual([]);
    bed.simulator.arm({ path: "table/incident", times: 0, effect: { kind: "status", status: 429, headers: { "retry-after": "120" }, body } });
    expect(await caught(bed.connector.find("incident", [], 1))).toMatchObject({ code: "THROTTLED", retryAfterMs: 120_000 });
  });

  test("a refused connection is TRANSIENT and nothing is uncertain, so a write fails as a whole", async () => {
    const closed = createServer();
    await new Promise<void>((resolve) => closed.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(closed.address() as AddressInfo).port}`;
    await new Promise((resolve) => closed.close(resolve));
    const connector = bed.connect({ url });
    expect(await caught(connector.write([{ kind: "delete", ref: { type: "incident", id: "a".repeat(32) } }]))).toMatchObject({
      code: "TRANSIENT",
      uncertain: false,
    });
  });
});

describe("lost replies", () => {
  const lostCreate = { kind: "create", entityType: "incident", fields: { short_description: "lost" }, marker: "marker-9" } as const;

  test("of a create: it is found by its marker, and not made twice", async () => {
    await bed.connector.describe("incident");
    const since = now();
    bed.simulator.arm({ method: "POST", path: "table/incident", effect: { kind: "lost-reply" } });
    const [outcome] = await bed.connector.write([lostCreate]);
    expect(outcome).toMatchObject({ ok: false, error: { code: "TRANSIENT", uncertain: true } });
    const [id] = await bed.connector.locate([{ operation: lostCreate, since, known: [] }]);
    expect(bed.simulator.rows("incident").map(({ sys_id }) => sys_id)).toEqual([id]);
  });

  test("of a create that never arrived: nothing is found", async () => {
    await bed.connector.describe("incident");
    bed.simulator.arm({ method: "POST", path: "table/incident", effect: { kind: "reset" } });
    expect(await bed.connector.write([lostCreate])).toMatchObject([{ ok: false, error: { uncertain: true } }]);
    expect(await bed.connector.locate([{ operation: lostCreate, since: now(), known: [] }])).toEqual([undefined]);
  });

  test("of a create without a place for the marker: it is found by what was sent", async () => {
    const asAdmin = bed.connect({ auth: { type: "basic", username: "admin" } }, { password: "admin-password" });
    const operation = { kind: "create", entityType: "core_company", fields: { name: "Lost Ltd", customer: true }, marker: "m" } as const;
    bed.simulator.plant("core_company", { name: "Lost Ltd", customer: "true", sys_created_by: "admin", sys_created_on: "2020-01-01 00:00:00" });
    await asAdmin.describe("core_company");
    const since = now();
    bed.simulator.arm({ method: "POST", path: "table/core_company", effect: { kind: "lost-reply" } });
    await asAdmin.write([operation]);
    const [id] = await asAdmin.locate([{ operation, since, known: [] }]);
    expect(bed.simulator.rows("core_company").findLast(({ name }) => name === "Lost Ltd")?.sys_id).toBe(id);
    expect(await asAdmin.locate([{ operation, since, known: [id ?? ""] }])).toEqual([undefined]);
  });

  test("of a batch: each item is uncertain and is found, comments by author, text and time", async () => {
    const refs = [await bed.create({ short_description: "a" }), await bed.create({ short_description: "b" })];
    const operations = refs.map((ref, n) => ({ kind: "addComment", ref, body: `text ${n}\r\nend`, internal: n === 1, marker: "m" }) as const);
    await bed.maya.comment("incident", refs[0]?.id ?? "", "text 0\nend");
    await bed.connector.describe("incident");
    const since = now();
    bed.simulator.arm({ path: "/batch$", effect: { kind: "lost-reply" } });
    expect(await bed.connector.write(operations)).toMatchObject([
      { ok: false, error: { uncertain: true } },
      { ok: false, error: { uncertain: true } },
    ]);
    const lost: LostWrite[] = operations.map((operation) => ({ operation, since, known: [] }));
    const found = await bed.connector.locate(lost);
    const ours = bed.simulator.rows("sys_journal_field").filter(({ sys_created_by }) => sys_created_by === "isobridge");
    expect(found).toEqual(ours.map(({ sys_id }) => sys_id));
  });

  test("of two equal comments: each finds its own, and a known one is never the answer", async () => {
    const ref = await bed.create({ short_description: "twice" });
    const operation = { kind: "addComment", ref, body: "same", internal: false, marker: "m" } as const;
    const since = now();
    const first = await bed.done(operation);
    const second = await bed.done(operation);
    const both = await bed.connector.locate([
      { operation, since, known: [] },
      { operation, since, known: [] },
    ]);
    expect(both.toSorted()).toEqual([first, second].toSorted());
    expect(await bed.connector.locate([{ operation, since, known: [first] }])).toEqual([second]);
    expect(await bed.connector.locate([{ operation, since, known: [first, second] }])).toEqual([undefined]);
    expect(await bed.connector.locate([{ operation, since: new Date(Date.now() + 60_000).toISOString(), known: [] }])).toEqual([undefined]);
  });

  test("of an attachment: it is found by record, name, size and time", async () => {
    const ref = await bed.create({ short_description: "file" });
    await bed.maya.attach("incident", ref.id, "log.txt", Buffer.from("not ours"));
    const since = now();
    bed.simulator.arm({ path: "attachment/file", effect: { kind: "lost-reply" } });
    expect(await bed.connector.write([file(ref)])).toMatchObject([{ ok: false, error: { code: "TRANSIENT", uncertain: true } }]);
    const [id] = await bed.connector.locate([{ operation: file(ref), since, known: [] }]);
    expect(bed.simulator.rows("sys_attachment").find(({ sys_created_by }) => sys_created_by === "isobridge")?.sys_id).toBe(id);
  });

  test("and then hidden from us are not said to be missing: that would have them made twice [R]", async () => {
    const ref = await bed.create({ short_description: "seen" });
    const since = now();
    const create = { kind: "create", entityType: "incident", fields: { short_description: "out of sight", category: "network" }, marker: "hidden-1" } as const;
    const note = { kind: "addComment", ref, body: "out of sight", internal: false, marker: "m" } as const;
    await bed.done(create);
    await bed.done(note);
    bed.simulator.setAccess("isobridge", { hiddenRows: { incident: "category=network", sys_journal_field: "valueLIKEsight" } });
    for (const operation of [create, note])
      expect(await caught(bed.connector.locate([{ operation, since, known: [] }]))).toMatchObject({
        code: "PERMISSION",
        advice: expect.stringContaining("read access"),
      });
  });

  test("on an instance whose clock runs two hours behind are found too", async () => {
    bed.simulator.clock.set({ offsetMs: -7_200_000 });
    const ref = await bed.create({ short_description: "skewed" });
    const operation = { kind: "addComment", ref, body: "when?", internal: false, marker: "m" } as const;
    const since = now();
    const id = await bed.done(operation);
    expect(await bed.connect().locate([{ operation, since, known: [] }])).toEqual([id]);
  });
});

describe("health", () => {
  test("tells what the account cannot read", async () => {
    await bed.create({ short_description: "x", comments: "y" });
    bed.simulator.setAccess("isobridge", { dictionaryHidden: true, hiddenRows: { sys_journal_field: "valueISNOTEMPTY" } });
    const { problems } = await bed.connect().check();
    expect(problems).toEqual([expect.stringContaining("sys_dictionary"), expect.stringContaining("sys_journal_field")]);
  });
});

describe("a system that offers less", () => {
  const refused = (status: number, message: string) => ({ kind: "status", status, body: { error: { message, detail: null }, status: "failure" } }) as const;
  const empty = { kind: "status", status: 200, body: { result: [] }, headers: { "x-total-count": "0" } } as const;
  const ways = [
    ["400 Invalid table", refused(400, "Invalid table")],
    ["400 Requested URI", refused(400, "Requested URI does not represent any resource")],
    ["403", refused(403, "User Not Authorized")],
    ["404", refused(404, "Not found")],
    ["405", refused(405, "Method not supported")],
    ["501", refused(501, "Not implemented")],
    ["nothing in it", empty],
  ] as const;
  const without = (table: string, effect: (typeof ways)[number][1]) => bed.simulator.arm({ path: `/table/${table}\\b`, times: 0, effect });
  const asked = (table: string) => bed.tables().filter((name) => name === table).length;
  const typeOf = (schema: EntitySchema, name: string) => schema.fields.find((field) => field.name === name)?.type;

  test.each(ways)("without sys_documentation (%s) the labels are the dictionary's", async (_way, effect) => {
    without("sys_documentation", effect);
    const schema = await bed.connector.describe("incident");
    expect(schema).toMatchObject({ sampled: false, statusField: "state", comments: true });
    expect(schema.fields.find(({ name }) => name === "short_description")?.label).toBe("Short description");
  });

  test.each(ways)(
    "without sys_choice (%s) choices are those that records show and those as shipped, and labels are written all the same",
    async (_way, effect) => {
      without("sys_choice", effect);
      const ref = await bed.create({ short_description: "choices" });
      const schema = await bed.connector.describe("incident");
      expect(schema.sampled).toBe(false);
      expect(schema.fields.find(({ name }) => name === "state")).toMatchObject({
        type: "choice",
        closed: false,
        choices: expect.arrayContaining([{ value: "2", label: "In Progress" }]),
      });
      await bed.done({ kind: "update", ref, fields: { state: "In Progress" } });
      expect(await bed.read(ref)).toMatchObject({ fields: { state: "2" }, display: { state: "In Progress" } });
      expect((await bed.connector.check()).problems).toEqual([expect.stringContaining("sys_choice")]);
    },
  );

  test.each(ways)(
    "without sys_db_object (%s) a shipped task table has task for its parent, and what records show besides is not refused",
    async (_way, effect) => {
      without("sys_db_object", effect);
      const ref = await bed.create({ short_description: "parents" });
      const schema = await bed.connector.describe("incident");
      expect([schema.sampled, schema.statusField, typeOf(schema, "caller_id"), typeOf(schema, "active"), typeOf(schema, "due_date")]).toEqual([
        true,
        "state",
        "reference",
        "boolean",
        "instant",
      ]);
      expect(await bed.connector.describe("core_company")).toMatchObject({ sampled: true });
      await expect(bed.connector.describe("nothing")).rejects.toMatchObject({ code: "BAD_REQUEST" });
      expect((await bed.read(ref)).fields).toMatchObject({ active: true });
      expect((await bed.connector.check()).problems).toEqual([expect.stringContaining("sys_db_object")]);
    },
  );

  test("that answers without dot-walking has its parents looked up by reference", async () => {
    const rows = bed.simulator.rows("sys_db_object");
    const row = (name: string) => {
      const { sys_id, super_class } = rows.find((candidate) => candidate.name === name) ?? {};
      return { sys_id, name, label: name, super_class: super_class === "" ? "" : { link: "x", value: super_class } };
    };
    const answer = (query: string, name: string) =>
      bed.simulator.arm({ path: `sys_db_object.*${query}`, times: 0, effect: { kind: "status", status: 200, body: { result: [row(name)] } } });
    answer("name%3Dincident", "incident");
    answer(`sys_id%3D${row("task").sys_id}`, "task");
    const schema = await bed.connector.describe("incident");
    expect([schema.sampled, typeOf(schema, "active"), typeOf(schema, "caller_id")]).toEqual([false, "boolean", "reference"]);
  });

  test("and gives a table no parent at all has task assumed for incident", async () => {
    const body = { result: [{ name: "incident", label: "Incident", super_class: "" }] };
    bed.simulator.arm({ path: "sys_db_object", times: 0, effect: { kind: "status", status: 200, body } });
    const schema = await bed.connector.describe("incident");
    expect(schema).toMatchObject({ label: "Incident", sampled: true, statusField: "state", comments: true });
    expect(typeOf(schema, "active")).toBe("boolean");
  });

  test.each(ways)("without sys_dictionary (%s) and without a record, fields are created, updated and read, and comments made", async (_way, effect) => {
    without("sys_dictionary", effect);
    without("sys_db_object", effect);
    without("sys_choice", effect);
    const schema = await bed.connector.describe("incident");
    expect(schema).toMatchObject({ sampled: true, statusField: "state", comments: true, internalComments: true });
    await bed.connector.checkQuery({ entityType: "incident", query: "u_not_seen=1^caller_id.u_not_seen=2" });
    const [made] = await bed.connector.write([
      { kind: "create", entityType: "incident", fields: { short_description: "first", urgency: "High", category: "network", state: "New" }, marker: "first-1" },
    ]);
    expect(made).toEqual({ ok: true, id: expect.any(String) });
    const id = made?.ok === true ? made.id : "";
    const ref = { type: "incident", id };
    await bed.done({ kind: "update", ref, fields: { state: "In Progress", subcategory: "dns" } });
    await bed.done({ kind: "addComment", ref, body: "hello", internal: false, marker: "m" });
    expect(await bed.read(ref)).toMatchObject({
      fields: { short_description: "first", urgency: "1", state: "2", category: "network", active: true },
      comments: [{ body: "hello" }],
    });
    const operation = { kind: "create", entityType: "incident", fields: { short_description: "first" }, marker: "first-1" } as const;
    expect(await bed.connector.locate([{ operation, since: new Date(Date.now() - 60_000).toISOString(), known: [] }])).toEqual([id]);
    expect(
      await bed.connector.locate([{ operation: { ...operation, marker: "other" }, since: new Date(Date.now() - 60_000).toISOString(), known: [] }]),
    ).toEqual([undefined]);
    expect((await bed.connector.check()).problems).toEqual([expect.stringContaining("sys_dictionary")]);
  });

  test("is asked again for what it lacks only after a while", async () => {
    without("sys_dictionary", ways[0][1]);
    await bed.connector.describe("incident");
    await bed.connector.describe("task");
    expect(asked("sys_dictionary")).toBe(1);
  });

  test.each([
    ["throttling", refused(429, "Rate limit exceeded"), "THROTTLED"],
    ["an outage", refused(503, "Unavailable"), "TRANSIENT"],
    ["a login page", { kind: "html" }, "PROTOCOL"],
    ["a web page with 404", { kind: "html", status: 404 }, "NOT_FOUND_OR_HIDDEN"],
    ["a web page with 403", { kind: "html", status: 403 }, "PERMISSION"],
    ["a lost session", refused(401, "User Not Authenticated"), "AUTH_CONFIG"],
  ] as const)("is not what %s shows: the schema fails", async (_what, effect, code) => {
    for (const table of ["sys_db_object", "sys_dictionary", "sys_choice", "sys_documentation"]) {
      bed.simulator.clearFaults();
      bed.simulator.arm({ path: `/table/${table}\\b`, times: 0, effect });
      await expect(bed.connect().describe("incident")).rejects.toMatchObject({ code: code === "AUTH_CONFIG" ? expect.stringContaining("AUTH_") : code });
    }
  });

  test.each([
    ["basic", undefined],
    ["oauth-password", { auth: { type: "oauth-password", clientId: "isobridge-client", username: "isobridge" } } as const],
  ])("and does not fill in who asks has its user looked up by the name that signs in (%s), also when it gives just anybody", async (_name, config) => {
    bed.simulator.arm({ path: "gs.getUserID", times: 0, effect: empty });
    expect(await bed.connect(config).check()).toEqual({ account: "isobridge (Isobridge Integration)", problems: [] });
    bed.simulator.clearFaults();
    const anybody = { result: [{ sys_id: "a".repeat(32), user_name: "somebody", name: "Some Body" }] };
    bed.simulator.arm({ path: "gs.getUserID", times: 0, effect: { kind: "status", status: 200, body: anybody } });
    expect(await bed.connect(config).check()).toEqual({ account: "isobridge (Isobridge Integration)", problems: [] });
  });

  test("and does not say who asks is refused where nobody signs in by name", async () => {
    bed.simulator.arm({ path: "gs.getUserID", times: 0, effect: empty });
    const connector = bed.connect({ auth: { type: "client-credentials", clientId: "isobridge-client" } });
    await expect(connector.check()).rejects.toMatchObject({ code: "PERMISSION" });
  });

  test.each(ways)("without sys_user (%s) people are user names", async (_way, effect) => {
    without("sys_user", effect);
    const ref = await bed.create({ short_description: "people" });
    await bed.maya.comment("incident", ref.id, "hello");
    const id = await bed.done({ kind: "addComment", ref, body: "answer", internal: false, marker: "m" });
    const { comments } = await bed.read(ref);
    expect(comments.find((comment) => comment.id === id)?.author).toEqual({ id: "isobridge", username: "isobridge" });
    expect(comments.map(({ author }) => author?.username).toSorted()).toEqual(["isobridge", "maya.lindqvist"]);
    expect(await bed.connector.findUser({ email: "maya@example.com" })).toBeUndefined();
    expect(await bed.connector.check()).toEqual({ account: "isobridge", problems: [expect.stringContaining("sys_user")] });
  });

  test("and hides from the account its own user name is refused: its comments could not be told from others", async () => {
    bed.simulator.setAccess("isobridge", { hiddenFields: { sys_user: ["user_name"] } });
    const connector = bed.connect({ auth: { type: "client-credentials", clientId: "isobridge-client" } });
    await expect(connector.check()).rejects.toMatchObject({ code: "PERMISSION", message: expect.stringContaining("user_name") });
  });

  test("and does not show its users has our comments found however our name was spelt in the settings", async () => {
    without("sys_user", ways[3][1]);
    const ref = await bed.create({ short_description: "spelling" });
    const connector = bed.connect({ auth: { type: "api-key", username: "IsoBridge" } }, { apiKey: seededApiKey });
    const id = await bed.done({ kind: "addComment", ref, body: "mine", internal: false, marker: "m" }, connector);
    expect((await bed.read(ref)).comments).toMatchObject([{ id, body: "mine" }]);
  });

  test("and never had a journal or attachments has its records read without", async () => {
    const ref = await bed.create({ short_description: "bare" });
    without("sys_journal_field", ways[0][1]);
    without("sys_attachment", ways[0][1]);
    bed.simulator.arm({ path: "/attachment\\?", times: 0, effect: ways[0][1] });
    expect(await bed.read(ref)).toMatchObject({ fields: { short_description: "bare" }, comments: [], attachments: [] });
    expect((await bed.connector.check()).problems).toEqual([expect.stringContaining("sys_journal_field"), expect.stringContaining("sys_attachment")]);
  });

  test("and had a journal before is not believed when it has none: comments would look removed", async () => {
    const ref = await bed.create({ short_description: "gone", comments: "kept" });
    expect((await bed.read(ref)).comments).toHaveLength(1);
    without("sys_journal_field", ways[0][1]);
    expect(await bed.connector.read([ref])).toMatchObject([{ ok: false, error: { code: "BAD_REQUEST" } }]);
  });
});

describe("secrets", () => {
  test("are in no error, whatever goes wrong, and not in the connector when it is inspected", async () => {
    const credentials = Buffer.from(`isobridge:${secrets.password}`).toString("base64");
    const echo = { error: { message: `no ${secrets.password} ${secrets.clientSecret}`, detail: Buffer.from(secrets.clientSecret).toString("base64") } };
    const effects = [
      { kind: "html" },
      { kind: "reset" },
      { kind: "truncate" },
      { kind: "status", status: 500, body: echo },
      { kind: "status", status: 500, body: { error: { message: "x", detail: credentials } } },
    ] as const;
    const texts: string[] = [];
    for (const config of [undefined, oauth]) {
      for (const effect of effects) {
        const connector = bed.connect(config);
        bed.simulator.clearFaults();
        bed.simulator.arm({ times: 0, effect });
        const error = await caught(connector.check());
        texts.push(
          inspect(error, { depth: 20, showHidden: true }),
          JSON.stringify(error),
          error.stack ?? "",
          inspect(connector, { depth: 20, showHidden: true }),
          JSON.stringify(connector),
        );
      }
    }
    expect(texts).toHaveLength(50);
    for (const secret of [secrets.password, secrets.clientSecret, Buffer.from(secrets.clientSecret).toString("base64"), credentials])
      expect(texts.filter((text) => text.includes(secret))).toEqual([]);
  });
});
