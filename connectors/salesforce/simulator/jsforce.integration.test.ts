import { createPrivateKey } from "node:crypto";
import { SignJWT } from "jose";
import { Connection, OAuth2 } from "jsforce";
import { StreamingExtension } from "jsforce/lib/api/streaming.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ines, integration, type SimulatedOrg, simulatedOrg } from "./simulated-org.ts";
import { simulatedAccounts } from "./simulator.ts";

let org: SimulatedOrg;
let connection: Connection;

beforeAll(async () => {
  org = await simulatedOrg({
    objects: [
      {
        name: "UpsertTable__c",
        keyPrefix: "a01",
        fields: [
          { name: "Name", type: "string", nameField: true },
          { name: "ExtId__c", type: "string", externalId: true },
        ],
      },
      { name: "Order__e", keyPrefix: "e00", fields: [{ name: "Number__c", type: "string" }] },
    ],
  });
  connection = new Connection({ loginUrl: org.simulator.url, version: "60.0" });
  await connection.login(ines, simulatedAccounts.humans[0].password);
});
afterAll(() => org.close());

/** jsforce is a foreign client that knows real orgs: if it gets along unmodified, the simulator is probably shaped right. */
describe("jsforce", () => {
  it("signs in by SOAP, by OAuth password, by signed assertion and by client credentials", async () => {
    const { clientId, clientSecret } = simulatedAccounts.app;
    const byPassword = new Connection({ oauth2: { loginUrl: org.simulator.url, clientId, clientSecret } });
    expect((await byPassword.login(ines, simulatedAccounts.humans[0].password)).id).toBe(connection.userInfo?.id);
    const assertion = await new SignJWT({})
      .setProtectedHeader({ alg: "RS256" })
      .setIssuer(clientId)
      .setSubject(integration)
      .setAudience("https://login.salesforce.com")
      .setExpirationTime("3m")
      .sign(createPrivateKey(org.keys.privateKey));
    const byAssertion = new Connection({ loginUrl: org.simulator.url });
    await byAssertion.authorize({ grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion });
    expect((await byAssertion.identity()).username).toBe(integration);
    const byClient = new Connection({ loginUrl: org.simulator.url });
    await byClient.authorize({ grant_type: "client_credentials", client_id: clientId, client_secret: clientSecret });
    expect(byClient.instanceUrl).toBe(org.simulator.url);
    await expect(new Connection({ loginUrl: org.simulator.url }).login(ines, "wrong")).rejects.toThrow(/INVALID_LOGIN/);
  });

  it("signs in by the web-server flow with a verifier, refreshes, and is refused once the token is revoked", async () => {
    const { clientId } = simulatedAccounts.app;
    const oauth2 = new OAuth2({ loginUrl: org.simulator.url, clientId, redirectUri: "http://localhost/callback", useVerifier: true });
    org.simulator.accounts.agreeing = ines;
    const sent = await fetch(oauth2.getAuthorizationUrl({ scope: "api refresh_token", state: "s1" }), { redirect: "manual" });
    const back = new URL(sent.headers.get("location") ?? "");
    expect([back.origin + back.pathname, back.searchParams.get("state")]).toEqual(["http://localhost/callback", "s1"]);
    const byCode = new Connection({ oauth2, version: "60.0" });
    await byCode.authorize({ grant_type: "authorization_code", code: back.searchParams.get("code") ?? "", code_verifier: oauth2.codeVerifier ?? "" });
    expect((await byCode.identity()).username).toBe(ines);
    org.simulator.accounts.revoke(byCode.accessToken ?? "");
    // The client refreshes by itself and asks again.
    expect((await byCode.limits()).DailyApiRequests?.Max).toBe(15_000);
    await oauth2.revokeToken(byCode.refreshToken ?? "");
    await expect(byCode.limits()).rejects.toThrow("expired access/refresh token");
    org.simulator.accounts.agreeing = undefined;
  });

  it("describes the org and an object, and again only if it has changed", async () => {
    expect((await connection.describeGlobal()).sobjects.length).toBeGreaterThan(10);
    const description = await connection.describe("Case");
    expect(description.fields.find(({ name }) => name === "CaseNumber")?.autoNumber).toBe(true);
    expect(description.childRelationships.map(({ relationshipName }) => relationshipName)).toContain("CaseComments");
    expect((await connection.limits()).DailyApiRequests?.Max).toBe(15_000);
  });

  it("creates, reads, updates and deletes one record and several", async () => {
    const one = await connection.sobject("Account").create({ Name: "One" });
    expect(one.success).toBe(true);
    expect((await connection.sobject("Account").retrieve(one.id ?? "")).Name).toBe("One");
    expect((await connection.sobject("Account").update({ Id: one.id ?? "", Name: "Uno" })).success).toBe(true);
    expect((await connection.sobject("Account").destroy(one.id ?? "")).success).toBe(true);
    await expect(connection.sobject("Account").retrieve(one.id ?? "")).rejects.toMatchObject({ errorCode: "ENTITY_IS_DELETED" });
    const many = await connection.sobject("Account").create([{ Name: "A" }, { Name: "B" }]);
    const ids = many.map(({ id }) => id ?? "");
    expect((await connection.sobject("Account").retrieve(ids)).map(({ Name }) => Name)).toEqual(["A", "B"]);
    expect((await connection.sobject("Account").update(ids.map((Id) => ({ Id, Phone: "1" })))).every(({ success }) => success)).toBe(true);
    expect((await connection.sobject("Account").destroy(ids)).every(({ success }) => success)).toBe(true);
  });

  it("upserts by external id, one and several", async () => {
    const table = connection.sobject("UpsertTable__c");
    expect(await table.upsert({ ExtId__c: "e1", Name: "n" }, "ExtId__c")).toMatchObject({ success: true, created: true });
    expect(await table.upsert({ ExtId__c: "e1", Name: "m" }, "ExtId__c")).toMatchObject({ success: true, created: false });
    expect(
      await table.upsert(
        [
          { ExtId__c: "e1", Name: "o" },
          { ExtId__c: "e2", Name: "p" },
        ],
        "ExtId__c",
      ),
    ).toMatchObject([{ created: false }, { created: true }]);
    await table.create([{ ExtId__c: "twice" }, { ExtId__c: "twice" }]);
    await expect(table.upsert({ ExtId__c: "twice" }, "ExtId__c")).rejects.toMatchObject({ errorCode: "MULTIPLE_CHOICES" });
  });

  it("reads more than one page of a query", async () => {
    for (let i = 0; i < 11; i++) await connection.sobject("Contact").create(Array.from({ length: 200 }, (_, n) => ({ LastName: `L${i * 200 + n}` })));
    const found = await connection.query<{ LastName: string }>("SELECT LastName FROM Contact ORDER BY Id").run({ autoFetch: true, maxFetch: 5000 });
    expect(found.records.length).toBe(2200);
    expect(new Set(found.records.map(({ LastName }) => LastName)).size).toBe(2200);
  });

  it("uploads a file in JSON and as a form", async () => {
    const json = await connection.sobject("ContentVersion").create({ PathOnClient: "j.txt", VersionData: Buffer.from("json").toString("base64") });
    const form = await connection
      .sobject("ContentVersion")
      .create(
        { PathOnClient: "f.txt", VersionData: Buffer.from("form").toString("base64") },
        { multipartFileFields: { VersionData: { filename: "f.txt", contentType: "text/plain" } } },
      );
    for (const [{ id }, text] of [
      [json, "json"],
      [form, "form"],
    ] as const) {
      expect(await connection.request(`/services/data/v60.0/sobjects/ContentVersion/${id}/VersionData`)).toBe(text);
    }
  });

  it("reads a big file back byte by byte", async () => {
    const bytes = Buffer.alloc(3_000_000, "0123456789abcdef");
    const { id } = await connection
      .sobject("ContentVersion")
      .create(
        { PathOnClient: "big.bin", VersionData: bytes.toString("base64") },
        { multipartFileFields: { VersionData: { filename: "big.bin", contentType: "text/plain" } } },
      );
    const read: Buffer[] = [];
    for await (const chunk of connection
      .sobject("ContentVersion")
      .record(id ?? "")
      .blob("VersionData"))
      read.push(Buffer.from(chunk));
    expect(Buffer.concat(read).equals(bytes)).toBe(true);
  });

  it("learns what was deleted and updated", async () => {
    const { id } = await connection.sobject("Account").create({ Name: "D" });
    const kept = await connection.sobject("Account").create({ Name: "U" });
    await connection.sobject("Account").destroy(id ?? "");
    const span = [new Date(Date.now() - 120_000), new Date(Date.now() + 120_000)] as const;
    expect((await connection.sobject("Account").deleted(...span)).deletedRecords.map((record) => record.id)).toContain(id);
    expect((await connection.sobject("Account").updated(...span)).ids).toContain(kept.id);
  });

  it("merges accounts, and restores and finally removes deleted records, by SOAP", async () => {
    const [master, loser] = await connection.sobject("Account").create([{ Name: "Master" }, { Name: "Loser" }]);
    const contact = await connection.sobject("Contact").create({ LastName: "C", AccountId: loser?.id ?? "" });
    const merged = await connection.soap.merge({ masterRecord: { type: "Account", Id: master?.id ?? "" }, recordToMergeIds: [loser?.id ?? ""] });
    expect(merged).toMatchObject({ success: true, id: master?.id, mergedRecordIds: [loser?.id] });
    expect((await connection.sobject("Contact").retrieve(contact.id ?? "")).AccountId).toBe(master?.id);
    const { records } = await connection.query<{ MasterRecordId: string }>(`SELECT MasterRecordId FROM Account WHERE Id = '${loser?.id}'`).scanAll(true);
    expect(records).toMatchObject([{ MasterRecordId: master?.id }]);
    await connection.sobject("Contact").destroy(contact.id ?? "");
    expect(await connection.soap.undelete([contact.id ?? ""])).toMatchObject([{ success: true }]);
    expect((await connection.sobject("Contact").retrieve(contact.id ?? "")).LastName).toBe("C");
    await connection.sobject("Contact").destroy(contact.id ?? "");
    expect(await connection.soap.emptyRecycleBin([contact.id ?? ""])).toMatchObject([{ success: true }]);
    expect((await connection.query(`SELECT Id FROM Contact WHERE Id = '${contact.id}'`).scanAll(true)).totalSize).toBe(0);
  });

  it("loads and reads many records by Bulk API 2.0, each with an outcome of its own", async () => {
    connection.bulk2.pollInterval = 5;
    const rows = [
      { Name: "Bulk", Phone: "1" },
      { Name: "", Phone: "2" },
    ];
    const loaded = await connection.bulk2.loadAndWaitForResults({ object: "Account", operation: "insert", input: rows });
    expect(loaded.successfulResults).toMatchObject([{ sf__Id: expect.stringMatching(/^001/), sf__Created: "true", Name: "Bulk" }]);
    expect(loaded.failedResults).toMatchObject([{ sf__Error: "REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name--" }]);
    const input = [
      { ExtId__c: "b1", Name: 'with, "comma"' },
      { ExtId__c: "b2", Name: "line\nbreak" },
    ];
    const upserted = await connection.bulk2.loadAndWaitForResults({
      object: "UpsertTable__c",
      operation: "upsert",
      externalIdFieldName: "ExtId__c",
      input,
    });
    expect(upserted.successfulResults.map(({ sf__Created }) => sf__Created)).toEqual(["true", "true"]);
    const stream = await connection.bulk2.query("SELECT ExtId__c, Name FROM UpsertTable__c WHERE ExtId__c IN ('b1', 'b2') ORDER BY ExtId__c");
    expect(await stream.toArray()).toEqual([
      { ExtId__c: "b1", Name: 'with, "comma"' },
      { ExtId__c: "b2", Name: "line\nbreak" },
    ]);
  });
});

describe("jsforce's streaming client", () => {
  /** The types of the client leave this out. */
  const close = (client: object) => (client as { disconnect(): void }).disconnect();
  /** Listens until so many messages have come. */
  // biome-ignore lint/suspicious/noExplicitAny: messages of every shape
  const listen = (channel: string, count: number, replayId?: number): { ready: Promise<unknown>; messages: Promise<any[]> } => {
    const extensions = replayId === undefined ? [] : [new StreamingExtension.Replay(channel, replayId)];
    const client = connection.streaming.createClient(extensions);
    const got: unknown[] = [];
    let subscription: { then: unknown; cancel(): void } | undefined;
    const messages = new Promise<unknown[]>((resolve, reject) => {
      subscription = client.subscribe(channel, (message: unknown) => {
        got.push(message);
        if (got.length < count) return;
        close(client);
        resolve(got);
      }) as unknown as typeof subscription; // faye's subscription is a promise too
      Promise.resolve(subscription).catch(reject);
    });
    return { ready: Promise.resolve(subscription), messages };
  };

  it("hears of changes, and replays those that it missed", async () => {
    const live = listen("/data/CaseChangeEvent", 2);
    await live.ready;
    const made = await connection.sobject("Case").create({ Subject: "streamed" });
    await connection.sobject("Case").update({ Id: made.id ?? "", Subject: "changed" });
    const [first, second] = await live.messages;
    expect([first, second].map(({ payload }) => [payload.ChangeEventHeader.changeType, payload.ChangeEventHeader.recordIds, payload.Subject])).toEqual([
      ["CREATE", [made.id], "streamed"],
      ["UPDATE", [made.id], "changed"],
    ]);
    const missed = await connection.sobject("Case").create({ Subject: "missed" });
    const [again, last] = await listen("/data/CaseChangeEvent", 2, first.event.replayId).messages;
    expect(again).toEqual(second);
    expect(last.payload.ChangeEventHeader.recordIds).toEqual([missed.id]);
    const everything = await listen("/data/CaseChangeEvent", 3, -2).messages;
    expect(everything.map(({ payload }) => payload.Subject)).toEqual(["streamed", "changed", "missed"]);
  });

  it("is refused a replay id that was never given out", async () => {
    const client = connection.streaming.createClient([new StreamingExtension.Replay("/data/CaseChangeEvent", 123_456_789)]);
    await expect(client.subscribe("/data/CaseChangeEvent", () => {})).rejects.toMatchObject({
      message: expect.stringMatching(/^400::The replayId \{123456789\} you provided was invalid/),
    });
    close(client);
  });

  it("hears platform events, topics and generic channels", async () => {
    const events = listen("/event/Order__e", 1);
    await connection.sobject("PushTopic").create({ Name: "Devices", Query: "SELECT Id, Name FROM UpsertTable__c", ApiVersion: 60 });
    const topic = listen("/topic/Devices", 1);
    await connection.sobject("StreamingChannel").create({ Name: "/u/news" });
    const generic = listen("/u/news", 1);
    await Promise.all([events.ready, topic.ready, generic.ready]);
    await connection.sobject("Order__e").create({ Number__c: "7" });
    await connection.sobject("UpsertTable__c").create({ Name: "told" });
    await connection.streaming.channel("/u/news").push({ payload: "hello", userIds: [] });
    expect((await events.messages)[0].payload.Number__c).toBe("7");
    expect((await topic.messages)[0]).toMatchObject({ event: { type: "created" }, sobject: { Name: "told" } });
    expect((await generic.messages)[0]).toMatchObject({ payload: "hello", event: { createdDate: expect.any(String) } });
  });
});
