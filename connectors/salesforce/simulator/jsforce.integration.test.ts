import { createPrivateKey } from "node:crypto";
import { SignJWT } from "jose";
import { Connection } from "jsforce";
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

  it("describes the org and an object", async () => {
    expect((await connection.describeGlobal()).sobjects.length).toBeGreaterThan(10);
    expect((await connection.describe("Case")).fields.find(({ name }) => name === "CaseNumber")?.autoNumber).toBe(true);
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

  it("learns what was deleted and updated", async () => {
    const { id } = await connection.sobject("Account").create({ Name: "D" });
    await connection.sobject("Account").destroy(id ?? "");
    const { deletedRecords } = await connection.sobject("Account").deleted(new Date(Date.now() - 60_000), new Date(Date.now() + 60_000));
    expect(deletedRecords.map((record) => record.id)).toContain(id);
  });
});
