import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Caller, ines, integration, type SimulatedOrg, simulatedOrg } from "./simulated-org.ts";

// biome-ignore lint/suspicious/noExplicitAny: tests look into messages of every shape
type Message = any;

let org: SimulatedOrg;
let call: Caller;
let token: string;

const start = Date.parse("2026-05-01T10:00:00Z");
const control = async (path: string, body?: unknown, method = "POST") => {
  const response = await fetch(`${org.simulator.url}/__control/${path}`, { method, ...(body !== undefined && { body: JSON.stringify(body) }) });
  expect(response.ok).toBe(true);
};
const newCase = async (fields: object = {}) => (await call("POST", "/sobjects/Case", { Subject: "s", ...fields })).body.id as string;

beforeEach(async () => {
  org = await simulatedOrg();
  call = await org.caller();
  token = org.simulator.accounts.open(org.simulator.org.rowsWith("User", "Username", integration)[0]?.Id ?? "");
  org.simulator.server.clock.set({ frozenAt: start });
});
afterEach(() => org.close());

/** Speaks Bayeux by hand, so that every word of it can be looked at. */
async function say(messages: Message | readonly Message[], authorization = `OAuth ${token}`): Promise<Message[]> {
  const response = await fetch(`${org.simulator.url}/cometd/60.0`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization },
    body: JSON.stringify(messages),
  });
  return (await response.json()) as Message[];
}

async function subscribed(channel: string, replay?: number): Promise<{ clientId: string; answer: Message; poll: () => Promise<Message[]> }> {
  const [{ clientId }] = await say([{ channel: "/meta/handshake", version: "1.0", supportedConnectionTypes: ["long-polling"], id: "1" }]);
  await say([{ channel: "/meta/connect", clientId, connectionType: "long-polling", id: "2" }]);
  const ext = replay === undefined ? {} : { ext: { replay: { [channel]: replay } } };
  const [answer] = await say([{ channel: "/meta/subscribe", clientId, subscription: channel, id: "3", ...ext }]);
  return { clientId, answer, poll: async () => (await say([{ channel: "/meta/connect", clientId, connectionType: "long-polling", id: "4" }])).slice(0, -1) };
}

describe("the Streaming API", () => {
  it("shakes hands with what it can do, answers the first poll at once and advises to go on [D]", async () => {
    const [handshake] = await say([{ channel: "/meta/handshake", version: "1.0", supportedConnectionTypes: ["long-polling"], id: "1" }]);
    expect(handshake).toEqual({
      channel: "/meta/handshake",
      id: "1",
      successful: true,
      version: "1.0",
      minimumVersion: "1.0",
      clientId: expect.any(String),
      supportedConnectionTypes: ["long-polling"],
      ext: { replay: true, "payload.format": true },
    });
    expect(await say({ channel: "/meta/connect", clientId: handshake.clientId, connectionType: "long-polling", id: "2" })).toEqual([
      { channel: "/meta/connect", id: "2", clientId: handshake.clientId, successful: true, advice: { reconnect: "retry", interval: 0, timeout: 110_000 } },
    ]);
    expect(await say([{ channel: "/meta/disconnect", clientId: handshake.clientId, id: "3" }])).toMatchObject([{ successful: true }]);
  });

  it("answers a quiet poll in time, and one that waits as soon as something happens [D]", async () => {
    await control("streaming/timeout", { ms: 30 });
    const { poll } = await subscribed("/data/CaseChangeEvent");
    expect(await poll()).toEqual([]);
    await control("streaming/timeout", { ms: 60_000 });
    const waiting = poll();
    await newCase();
    expect(await waiting).toMatchObject([{ channel: "/data/CaseChangeEvent" }]);
  });

  it("refuses a session that ended: the handshake as denied, a poll that waits as invalid, both without another try [D,S]", async () => {
    const denied = {
      successful: false,
      error: "403::Handshake denied",
      advice: { reconnect: "none" },
      ext: { sfdc: { failureReason: "401::Authentication invalid" }, replay: true },
    };
    expect(await say([{ channel: "/meta/handshake", version: "1.0", id: "1" }], "OAuth x")).toMatchObject([denied]);
    const { clientId } = await subscribed("/data/CaseChangeEvent");
    const waiting = say([{ channel: "/meta/connect", clientId, connectionType: "long-polling", id: "9" }]);
    await expect.poll(() => org.simulator.streams.find(clientId)?.waiting).toBe(true);
    await control("session/expire");
    expect(await waiting).toMatchObject([{ channel: "/meta/connect", successful: false, error: "401::Authentication invalid", advice: { reconnect: "none" } }]);
  });

  it("forgets a client that stays away for 40 seconds, or when told to, and has it shake hands again [D]", async () => {
    const first = await subscribed("/data/CaseChangeEvent");
    org.simulator.server.clock.set({ frozenAt: start + 41_000 });
    const unknown = [{ successful: false, error: "403::Unknown client", advice: { reconnect: "handshake", interval: 0 } }];
    expect(await say([{ channel: "/meta/connect", clientId: first.clientId, id: "5" }])).toMatchObject(unknown);
    const second = await subscribed("/data/CaseChangeEvent");
    await control("streaming/drop");
    expect(await say([{ channel: "/meta/connect", clientId: second.clientId, id: "5" }])).toMatchObject(unknown);
  });

  it.each(["/data/FooChangeEvent", "/event/Foo__e", "/topic/None", "/u/none", "/data/FeedItemChangeEvent"])("knows no channel %s [K]", async (channel) => {
    expect((await subscribed(channel)).answer).toMatchObject({
      successful: false,
      subscription: channel,
      error: expect.stringMatching(/^40[04]::.*does not exist/),
    });
  });

  it("stops telling of a channel that was unsubscribed from [D]", async () => {
    const { clientId, poll } = await subscribed("/data/CaseChangeEvent");
    expect(await say([{ channel: "/meta/unsubscribe", clientId, subscription: "/data/CaseChangeEvent", id: "5" }])).toMatchObject([{ successful: true }]);
    await newCase();
    await control("streaming/timeout", { ms: 20 });
    expect(await poll()).toEqual([]);
  });
});

describe("a change event", () => {
  it("of a new record has the documented header and every field that is set [D]", async () => {
    const { poll } = await subscribed("/data/CaseChangeEvent");
    const id = (await call("POST", "/sobjects/Case", { Subject: "new", Priority: "High" }, { "sforce-call-options": "client=isobridge" })).body.id;
    const [message] = await poll();
    expect(message).toEqual({
      channel: "/data/CaseChangeEvent",
      data: {
        schema: expect.any(String),
        payload: {
          ChangeEventHeader: {
            entityName: "Case",
            recordIds: [id],
            changeType: "CREATE",
            changeOrigin: "com/salesforce/api/rest/60.0;client=isobridge",
            transactionKey: expect.stringMatching(/^[0-9a-f-]{36}$/),
            sequenceNumber: 1,
            commitTimestamp: start,
            commitNumber: expect.any(Number),
            commitUser: org.simulator.org.rowsWith("User", "Username", ines)[0]?.Id,
            changedFields: [],
            nulledFields: [],
            diffFields: [],
          },
          Subject: "new",
          Priority: "High",
          Status: "New",
          CaseNumber: "00001000",
          IsEscalated: false,
          IsClosed: false,
          OwnerId: expect.any(String),
          CreatedDate: "2026-05-01T10:00:00.000Z",
          CreatedById: expect.any(String),
          LastModifiedDate: "2026-05-01T10:00:00.000Z",
          LastModifiedById: expect.any(String),
        },
        event: { replayId: expect.any(Number) },
      },
    });
  });

  it("of an update names the changed and the emptied fields, and shows only those; a save that changes nothing makes none [D]", async () => {
    const id = await newCase({ SuppliedName: "x" });
    const { poll } = await subscribed("/data/CaseChangeEvent");
    org.simulator.server.clock.set({ frozenAt: start + 5000 });
    await call("PATCH", `/sobjects/Case/${id}`, { Subject: "s" });
    await call("PATCH", `/sobjects/Case/${id}`, { Subject: "t", SuppliedName: "" });
    const messages = await poll();
    expect(messages).toHaveLength(1);
    const { ChangeEventHeader, ...fields } = messages[0].data.payload;
    expect(ChangeEventHeader).toMatchObject({
      changeType: "UPDATE",
      changeOrigin: "com/salesforce/api/rest/60.0",
      changedFields: ["LastModifiedDate", "Subject", "SuppliedName"],
      nulledFields: ["SuppliedName"],
    });
    expect(fields).toEqual({ LastModifiedDate: "2026-05-01T10:00:05.000Z", Subject: "t", SuppliedName: null });
  });

  it("of a deletion and of a restoring follow each other, and children go with their record [D]", async () => {
    const id = await newCase();
    await call("POST", "/sobjects/CaseComment", { ParentId: id, CommentBody: "c" });
    const { poll } = await subscribed("/data/ChangeEvents");
    await call("DELETE", `/sobjects/Case/${id}`);
    await control(`tables/Case/${id}/undelete`);
    const headers = [...(await poll())].map(({ channel, data }) => [
      channel,
      data.payload.ChangeEventHeader.entityName,
      data.payload.ChangeEventHeader.changeType,
    ]);
    expect(headers).toEqual([
      ["/data/ChangeEvents", "Case", "DELETE"],
      ["/data/ChangeEvents", "CaseComment", "DELETE"],
      ["/data/ChangeEvents", "Case", "UNDELETE"],
    ]);
  });

  it("may tell of several records that one transaction changed alike, and numbers the events of a transaction [D]", async () => {
    const ids = [await newCase(), await newCase(), await newCase()];
    const { poll } = await subscribed("/data/CaseChangeEvent");
    const record = (id: string | undefined, Subject: string) => ({ attributes: { type: "Case" }, id, Subject });
    await call("PATCH", "/composite/sobjects", { records: [record(ids[0], "same"), record(ids[1], "same"), record(ids[2], "other")] });
    const headers = (await poll()).map(({ data }) => data.payload.ChangeEventHeader);
    expect(headers.map(({ recordIds, sequenceNumber }) => [recordIds, sequenceNumber])).toEqual([
      [[ids[0], ids[1]], 1],
      [[ids[2]], 2],
    ]);
    expect(headers[0].transactionKey).toBe(headers[1].transactionKey);
  });

  it("comes after the transaction: of a collection that is taken back there is none [D]", async () => {
    const { poll } = await subscribed("/data/CaseChangeEvent");
    const records = [{ Subject: "a" }, { Priority: "x" }].map((fields) => ({ attributes: { type: "Case" }, ...fields }));
    await call("POST", "/composite/sobjects", { allOrNone: true, records });
    await newCase({ Subject: "after" });
    expect((await poll()).map(({ data }) => data.payload.Subject)).toEqual(["after"]);
  });

  it("of a record that commits late comes late [D]", async () => {
    const { poll } = await subscribed("/data/CaseChangeEvent");
    await control("late-commits", { ms: 5000, times: 1 });
    await newCase({ Subject: "late" });
    await newCase({ Subject: "soon" });
    expect((await poll()).map(({ data }) => data.payload.Subject)).toEqual(["soon"]);
    org.simulator.server.clock.set({ frozenAt: start + 5000 });
    expect((await poll()).map(({ data }) => data.payload.Subject)).toEqual(["late"]);
  });

  it("leaves out fields that the subscriber may not see [D]", async () => {
    await control("security", [{ object: "Case", profile: "API Only", hiddenFields: ["Description"] }]);
    const { poll } = await subscribed("/data/CaseChangeEvent");
    await newCase({ Description: "secret" });
    const [message] = await poll();
    expect(message.data.payload).not.toHaveProperty("Description");
    expect(message.data.payload).toHaveProperty("Subject");
  });

  it("is published only of objects that were selected [D]", async () => {
    await control("events/selected", ["Account"], "PUT");
    expect((await subscribed("/data/CaseChangeEvent")).answer.successful).toBe(false);
    const { poll } = await subscribed("/data/ChangeEvents");
    await newCase();
    await call("POST", "/sobjects/Account", { Name: "a" });
    expect((await poll()).map(({ data }) => data.payload.ChangeEventHeader.entityName)).toEqual(["Account"]);
  });
});

describe("a gap", () => {
  it("names the records and carries no field; an overflow names none [D]", async () => {
    const id = await newCase();
    const { poll } = await subscribed("/data/CaseChangeEvent");
    await control("events/gaps", { times: 1 });
    await call("PATCH", `/sobjects/Case/${id}`, { Subject: "t" });
    await control("events/gap", { object: "Case", type: "GAP_OVERFLOW" });
    await control("events/gap", { object: "Case", type: "GAP_DELETE", ids: [id] });
    const payloads = (await poll()).map(({ data }) => data.payload);
    expect(payloads.map(({ ChangeEventHeader }) => [ChangeEventHeader.changeType, ChangeEventHeader.recordIds])).toEqual([
      ["GAP_UPDATE", [id]],
      ["GAP_OVERFLOW", ["000000000000000AAA"]],
      ["GAP_DELETE", [id]],
    ]);
    expect(payloads.map((payload) => Object.keys(payload))).toEqual([["ChangeEventHeader"], ["ChangeEventHeader"], ["ChangeEventHeader"]]);
  });
});

describe("a replay", () => {
  it("gives what came after an id, everything with -2, and only what is new with -1 [D]", async () => {
    const subjects = (messages: Message[]) => messages.map(({ data }) => data.payload.Subject);
    for (const Subject of ["a", "b", "c"]) await newCase({ Subject });
    const all = await (await subscribed("/data/CaseChangeEvent", -2)).poll();
    expect(subjects(all)).toEqual(["a", "b", "c"]);
    const replayIds = all.map(({ data }) => data.event.replayId);
    expect(replayIds).toEqual(replayIds.toSorted((a, b) => a - b));
    expect(subjects(await (await subscribed("/data/CaseChangeEvent", replayIds[0])).poll())).toEqual(["b", "c"]);
    await control("streaming/timeout", { ms: 20 });
    expect(await (await subscribed("/data/CaseChangeEvent", -1)).poll()).toEqual([]);
  });

  it("from an id that is older than three days, or was never given out, is refused with 400 [D]", async () => {
    await newCase();
    const [message] = await (await subscribed("/data/CaseChangeEvent", -2)).poll();
    const { replayId } = message.data.event;
    const refusal = (id: number) => ({
      successful: false,
      error: `400::The replayId {${id}} you provided was invalid.  Please provide a valid ID, -2 to replay all events, or -1 to replay only new events.`,
    });
    expect((await subscribed("/data/CaseChangeEvent", replayId + 1000)).answer).toMatchObject(refusal(replayId + 1000));
    org.simulator.server.clock.set({ frozenAt: start + 71 * 3_600_000 });
    expect((await subscribed("/data/CaseChangeEvent", replayId)).answer.successful).toBe(true);
    org.simulator.server.clock.set({ frozenAt: start + 72 * 3_600_000 });
    expect((await subscribed("/data/CaseChangeEvent", replayId)).answer).toMatchObject(refusal(replayId));
  });
});

describe("events on their way", () => {
  const seen = async (channel = "/data/CaseChangeEvent", replay = -1) => {
    const stream = await subscribed(channel, replay);
    await control("streaming/timeout", { ms: 20 });
    return async () => (await stream.poll()).map(({ data }) => data.payload.Subject);
  };

  it.each([
    ["lose", ["b", "c"], ["a", "b", "c"]],
    ["vanish", ["b", "c"], ["b", "c"]],
    ["duplicate", ["a", "a", "b", "c"], ["a", "b", "c"]],
    ["reorder", ["b", "a", "c"], ["a", "b", "c"]],
  ])("may be met by %s, then arrive as %j and replay as %j", async (kind, arrived, replayed) => {
    const poll = await seen();
    await control("events/faults", { kind });
    for (const Subject of ["a", "b", "c"]) await newCase({ Subject });
    expect(await poll()).toEqual(arrived);
    expect(await (await seen("/data/CaseChangeEvent", -2))()).toEqual(replayed);
  });

  it("may be delayed by the simulator's clock", async () => {
    const poll = await seen();
    await control("events/faults", { kind: "delay", ms: 60_000, channel: "/data/CaseChangeEvent" });
    for (const Subject of ["a", "b"]) await newCase({ Subject });
    expect(await poll()).toEqual(["b"]);
    org.simulator.server.clock.set({ frozenAt: start + 60_000 });
    org.simulator.streams.forgetAfterMs = 120_000;
    await control("streaming/timeout", { ms: 60_000 });
    expect(await poll()).toEqual(["a"]);
  });
});

describe("a connection", () => {
  it("is kept while a poll waits for longer than a client may stay away, and a second poll takes over from the first [D]", async () => {
    const { clientId } = await subscribed("/data/CaseChangeEvent");
    const first = poll(clientId);
    await expect.poll(() => org.simulator.streams.find(clientId)?.waiting).toBe(true);
    org.simulator.server.clock.set({ frozenAt: start + 100_000 });
    const second = poll(clientId);
    expect(await first).toMatchObject([{ channel: "/meta/connect", successful: true }]);
    await newCase({ Subject: "told" });
    expect((await second).map(({ data }) => data?.payload.Subject)).toEqual(["told", undefined]);
    org.simulator.server.clock.set({ frozenAt: start + 130_000 });
    await control("streaming/timeout", { ms: 20 });
    expect(await poll(clientId)).toMatchObject([{ successful: true }]);
  });

  const poll = (clientId: string) => say([{ channel: "/meta/connect", clientId, connectionType: "long-polling", id: "7" }]);

  it("may break while a poll waits; what its lost answer told is only found by a replay [D]", async () => {
    await newCase({ Subject: "first" });
    const [first] = await (await subscribed("/data/CaseChangeEvent", -2)).poll();
    const { clientId } = await subscribed("/data/CaseChangeEvent");
    await control("faults", { method: "POST", path: "^/cometd", effect: { kind: "lost-reply" } });
    const broken = poll(clientId);
    await newCase({ Subject: "lost" });
    await expect(broken).rejects.toThrow();
    await control("streaming/timeout", { ms: 20 });
    expect(await poll(clientId)).toMatchObject([{ channel: "/meta/connect", successful: true }]);
    const again = await (await subscribed("/data/CaseChangeEvent", first.data.event.replayId)).poll();
    expect(again.map(({ data }) => data.payload.Subject)).toEqual(["lost"]);
  });

  it("may be answered with 401, 503 or a login page, as any other call [K]", async () => {
    const { clientId } = await subscribed("/data/CaseChangeEvent");
    for (const effect of [
      { kind: "status", status: 401, body: [{ errorCode: "INVALID_SESSION_ID" }] },
      { kind: "status", status: 503, body: "" },
      { kind: "html" },
    ]) {
      await control("faults", { path: "^/cometd", effect });
      const response = await fetch(`${org.simulator.url}/cometd/60.0`, {
        method: "POST",
        headers: { authorization: `OAuth ${token}` },
        body: JSON.stringify([{ channel: "/meta/connect", clientId }]),
      });
      expect([response.status, response.headers.get("content-type")?.startsWith("text/html")]).toEqual([effect.status ?? 200, effect.kind === "html"]);
    }
  });
});

describe("channels of other kinds", () => {
  it("carry platform events, which are enqueued, told and not kept as records [D]", async () => {
    await control("objects", { name: "Order__e", keyPrefix: "e00", fields: [{ name: "Number__c", type: "string", nillable: false }] });
    const { poll } = await subscribed("/event/Order__e");
    const made = await call("POST", "/sobjects/Order__e", { Number__c: "7" });
    expect(made).toMatchObject({
      status: 201,
      body: { id: expect.stringMatching(/^e00/), success: true, errors: [{ statusCode: "OPERATION_ENQUEUED", fields: [] }] },
    });
    expect((await call("POST", "/sobjects/Order__e", {})).body[0].errorCode).toBe("REQUIRED_FIELD_MISSING");
    expect((await poll()).map(({ data }) => data)).toEqual([
      {
        schema: expect.any(String),
        payload: { CreatedDate: "2026-05-01T10:00:00.000Z", CreatedById: expect.any(String), Number__c: "7" },
        event: { replayId: expect.any(Number), EventUuid: made.body.errors[0].message },
      },
    ]);
    expect((await call("GET", `/sobjects/Order__e/${made.body.id}`)).status).toBe(404);
  });

  it("carry what the query of a push topic shows of changed records [D]", async () => {
    const topic = { Name: "HighCases", Query: "SELECT Id, Subject FROM Case WHERE Priority = 'High'", ApiVersion: 60 };
    expect((await call("POST", "/sobjects/PushTopic", topic)).status).toBe(201);
    expect((await call("POST", "/sobjects/PushTopic", { ...topic, Name: "NoId", Query: "SELECT Subject FROM Case" })).body[0].errorCode).toBe("INVALID_FIELD");
    const { poll } = await subscribed("/topic/HighCases");
    const id = await newCase({ Priority: "High" });
    await newCase({ Priority: "Low" });
    await call("PATCH", `/sobjects/Case/${id}`, { Description: "not referenced" });
    await call("PATCH", `/sobjects/Case/${id}`, { Subject: "t" });
    await call("DELETE", `/sobjects/Case/${id}`);
    expect((await poll()).map(({ data }) => data)).toMatchObject([
      { event: { type: "created", replayId: expect.any(Number), createdDate: "2026-05-01T10:00:00.000Z" }, sobject: { Id: id, Subject: "s" } },
      { event: { type: "updated" }, sobject: { Id: id, Subject: "t" } },
      { event: { type: "deleted" }, sobject: { Id: id } },
    ]);
  });
});
