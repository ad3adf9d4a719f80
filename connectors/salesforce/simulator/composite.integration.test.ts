import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Caller, type SimulatedOrg, simulatedOrg } from "./simulated-org.ts";

let org: SimulatedOrg;
let call: Caller;

beforeEach(async () => {
  org = await simulatedOrg();
  call = await org.caller();
});
afterEach(() => org.close());

const api = "/services/data/v60.0";
const count = async (object: string) => (await call("GET", `/query?q=SELECT+COUNT()+FROM+${object}`)).body.totalSize as number;
const statuses = (parts: { httpStatusCode: number }[]) => parts.map(({ httpStatusCode }) => httpStatusCode);
const halted = [{ errorCode: "PROCESSING_HALTED", message: "The transaction was rolled back since another operation in the same transaction failed." }];

describe("a composite", () => {
  const account = { method: "POST", url: `${api}/sobjects/Account`, referenceId: "a", body: { Name: 'Acme "one"' } };
  const wrong = { method: "POST", url: `${api}/sobjects/Case`, referenceId: "w", body: { Priority: "x" } };
  const contact = { method: "POST", url: `${api}/sobjects/Contact`, referenceId: "c", body: { LastName: "C", AccountId: "@{a.id}" } };

  it("all or none takes everything back, and blames only the guilty [D]", async () => {
    const { body } = await call("POST", "/composite", { allOrNone: true, compositeRequest: [account, wrong, contact] });
    expect(statuses(body.compositeResponse)).toEqual([400, 400, 400]);
    expect(body.compositeResponse[0].body).toEqual(halted);
    expect(body.compositeResponse[1].body[0].errorCode).toBe("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST");
    expect(body.compositeResponse[2].body).toEqual(halted);
    expect(await count("Account")).toBe(0);
  });

  it("otherwise goes on, and fails only what refers to a failure [D]", async () => {
    const dependent = { method: "GET", url: `${api}/sobjects/Case/@{w.id}`, referenceId: "d" };
    const quoted = { method: "GET", url: `${api}/sobjects/Account/@{a.id}?fields=Name`, referenceId: "q" };
    const again = { method: "POST", url: `${api}/sobjects/Account`, referenceId: "b", body: { Name: "@{q.Name}!" } };
    const { body } = await call("POST", "/composite", { compositeRequest: [account, wrong, dependent, contact, quoted, again] });
    expect(statuses(body.compositeResponse)).toEqual([201, 400, 400, 201, 200, 201]);
    expect(body.compositeResponse[2].body[0]).toMatchObject({ errorCode: "PROCESSING_HALTED", message: expect.stringContaining("No value for w.id") });
    const { id } = body.compositeResponse[5].body;
    expect((await call("GET", `/sobjects/Account/${id}`)).body.Name).toBe('Acme "one"!');
  });

  it("takes 25 subrequests, five of them queries or collections [D]", async () => {
    const of = (n: number, url: string) => ({ compositeRequest: Array.from({ length: n }, (_, i) => ({ method: "GET", url, referenceId: `r${i}` })) });
    expect((await call("POST", "/composite", of(26, `${api}/limits`))).body[0].errorCode).toBe("LIMIT_EXCEEDED");
    expect((await call("POST", "/composite", of(6, `${api}/query?q=SELECT+Id+FROM+Case`))).body[0].errorCode).toBe("LIMIT_EXCEEDED");
    expect((await call("POST", "/composite", { compositeRequest: "x" })).body[0].errorCode).toBe("JSON_PARSER_ERROR");
  });

  it("in a batch may stop at the first error: the rest is told 412 [D]", async () => {
    const batchRequests = ["limits", "sobjects/Foo", "limits"].map((url) => ({ method: "GET", url: `v60.0/${url}` }));
    const { body } = await call("POST", "/composite/batch", { haltOnError: true, batchRequests });
    expect(body).toMatchObject({ hasErrors: true, results: [{ statusCode: 200 }, { statusCode: 404 }, { statusCode: 412 }] });
    expect(body.results[2].result[0].errorCode).toBe("BATCH_PROCESSING_HALTED");
  });
});

describe("a composite graph", () => {
  it("stands or falls for itself [R]", async () => {
    const node = (referenceId: string, type: string, body: object) => ({ method: "POST", url: `${api}/sobjects/${type}`, referenceId, body });
    const graphs = [
      { graphId: "good", compositeRequest: [node("r", "Account", { Name: "Good" }), node("s", "Contact", { LastName: "S", AccountId: "@{r.id}" })] },
      { graphId: "bad", compositeRequest: [node("r", "Account", { Name: "Bad" }), node("s", "Contact", {})] },
    ];
    const { body } = await call("POST", "/composite/graph", { graphs });
    expect(body.graphs).toMatchObject([
      {
        graphId: "good",
        isSuccessful: true,
        graphResponse: {
          compositeResponse: [
            {
              body: { id: expect.stringMatching(/^001/), success: true, errors: [] },
              httpHeaders: { Location: expect.stringMatching(/^\/services\/data\/v60\.0\/sobjects\/Account\/001/) },
              httpStatusCode: 201,
              referenceId: "r",
            },
            { httpStatusCode: 201 },
          ],
        },
      },
      { graphId: "bad", isSuccessful: false, graphResponse: { compositeResponse: [{ body: halted }, { body: [{ errorCode: "REQUIRED_FIELD_MISSING" }] }] } },
    ]);
    expect(await count("Account")).toBe(1);
  });

  it("has at most 500 nodes together with the others [D]", async () => {
    const compositeRequest = Array.from({ length: 501 }, (_, i) => ({ method: "GET", url: `${api}/limits`, referenceId: `r${i}` }));
    expect((await call("POST", "/composite/graph", { graphs: [{ graphId: "g", compositeRequest }] })).body[0].errorCode).toBe("LIMIT_EXCEEDED");
  });
});

describe("a tree", () => {
  const contact = (referenceId: string, fields: object) => ({ attributes: { type: "Contact", referenceId }, ...fields });
  const account = (...records: object[]) => ({ records: [{ attributes: { type: "Account", referenceId: "a" }, Name: "Acme", Contacts: { records } }] });

  it("is created with its children [D]", async () => {
    const { status, body } = await call("POST", "/composite/tree/Account", account(contact("c1", { LastName: "One" }), contact("c2", { LastName: "Two" })));
    expect([status, body.hasErrors, body.results.map(({ referenceId }: { referenceId: string }) => referenceId)]).toEqual([201, false, ["a", "c1", "c2"]]);
    const soql = "SELECT Name, (SELECT LastName FROM Contacts ORDER BY LastName) FROM Account";
    expect((await call("GET", `/query?q=${encodeURIComponent(soql)}`)).body.records).toMatchObject([
      { Name: "Acme", Contacts: { records: [{ LastName: "One" }, { LastName: "Two" }] } },
    ]);
  });

  it("is created whole or not at all, and names the record that was refused [D]", async () => {
    const { status, body } = await call("POST", "/composite/tree/Account", account(contact("c1", { LastName: "One" }), contact("c2", {})));
    expect([status, body]).toMatchObject([400, { hasErrors: true, results: [{ referenceId: "c2", errors: [{ statusCode: "REQUIRED_FIELD_MISSING" }] }] }]);
    expect(await count("Account")).toBe(0);
    expect((await call("POST", "/composite/tree/Account", { records: [{ Name: "no reference" }] })).body[0].errorCode).toBe("INVALID_INPUT");
  });
});

describe("a collection", () => {
  it("is read by GET and by POST, with null where there is nothing [D]", async () => {
    const { id } = (await call("POST", "/sobjects/Case", { Subject: "s" })).body;
    const expected = [{ attributes: { type: "Case" }, Id: id, Subject: "s" }, null];
    expect((await call("GET", `/composite/sobjects/Case?ids=${id},500000000000000AAA&fields=Id,Subject`)).body).toMatchObject(expected);
    expect((await call("POST", "/composite/sobjects/Case", { ids: [id, "500000000000000AAA"], fields: ["Id", "Subject"] })).body).toMatchObject(expected);
    expect((await call("POST", "/composite/sobjects/Case", { ids: ["x"], fields: ["Id"] })).body[0].errorCode).toBe("MALFORMED_ID");
  });

  it("is upserted by external id, each for itself, or all or none [R,D]", async () => {
    const record = (Isobridge_Marker__c: string, fields: object) => ({ attributes: { type: "Case" }, Isobridge_Marker__c, ...fields });
    const path = "/composite/sobjects/Case/Isobridge_Marker__c";
    const first = await call("PATCH", path, { records: [record("m1", { Subject: "a" }), record("m2", { Priority: "x" })] });
    expect(first.body).toMatchObject([
      { success: true, created: true },
      { success: false, errors: [{ statusCode: "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST" }] },
    ]);
    const second = await call("PATCH", path, { allOrNone: true, records: [record("m1", { Subject: "b" }), record("m2", { Priority: "x" })] });
    expect(second.body[0].errors[0].statusCode).toBe("ALL_OR_NONE_OPERATION_ROLLED_BACK");
    expect((await call("GET", `/sobjects/Case/${first.body[0].id}`)).body.Subject).toBe("a");
  });

  it("is deleted all or none: an id that is unknown brings the others back [D]", async () => {
    const { id } = (await call("POST", "/sobjects/Case", { Subject: "s" })).body;
    expect(
      (await call("DELETE", `/composite/sobjects?ids=${id},500000000000000AAA&allOrNone=true`)).body.map(({ success }: { success: boolean }) => success),
    ).toEqual([false, false]);
    expect((await call("GET", `/sobjects/Case/${id}`)).status).toBe(200);
    expect((await call("DELETE", `/composite/sobjects?ids=${id},nonsense`)).body).toMatchObject([
      { success: true },
      { errors: [{ statusCode: "MALFORMED_ID" }] },
    ]);
  });
});
