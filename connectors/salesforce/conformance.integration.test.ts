import { generateKeyPairSync } from "node:crypto";
import type { ProxiedRequest } from "../conformance/proxy.ts";
import type { ConnectOptions, Facts, People, Testbed } from "../conformance/testbed.ts";
import { describeConformance } from "../conformance.ts";
import type { Connector, EntityRef, WebhookCall } from "../connector.ts";
import { type SalesforceConfig, salesforceConfig, salesforceConnector } from "./connector.ts";
import { organizationId } from "./simulator/accounts.ts";
import { mergeRecords } from "./simulator/merge.ts";
import { type Caller, callerOf } from "./simulator/simulated-org.ts";
import { type SalesforceSimulator, simulatedAccounts, startSalesforceSimulator } from "./simulator/simulator.ts";

const { app, integration, humans } = simulatedAccounts;
const human = humans[0];
const keyPair = () =>
  generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
const [ours, theirs] = [keyPair(), keyPair()];
const secrets = { clientSecret: app.clientSecret, privateKey: ours.privateKey, password: integration.password };

type Auth = SalesforceConfig["auth"];
const good: Auth = { type: "client-credentials", clientId: app.clientId };
const signed = { type: "jwt-bearer", clientId: app.clientId, username: integration.username } as const;
const byPassword = { type: "password", clientId: app.clientId, username: integration.username } as const;
const wrongSignIns: Readonly<Record<string, { readonly auth: Auth; readonly secrets?: Readonly<Record<string, string>> }>> = {
  "a client id that is not known": { auth: { ...good, clientId: "nobody" } },
  "another client secret": { auth: good, secrets: { clientSecret: "not-the-client-secret" } },
  "no client secret": { auth: good, secrets: { clientSecret: "" } },
  "another private key": { auth: signed, secrets: { privateKey: theirs.privateKey } },
  "a private key that is none": { auth: signed, secrets: { privateKey: "-----BEGIN PRIVATE KEY-----\nbm90LWEta2V5LWF0LWFsbA==\n-----END PRIVATE KEY-----" } },
  "a user who did not approve the app": { auth: { ...signed, username: human.username } },
  "an assertion for another audience": { auth: { ...signed, audience: "https://elsewhere.example" } },
  "another password": { auth: byPassword, secrets: { password: "not-the-password" } },
  "another password, without an app": { auth: { type: "password", username: integration.username }, secrets: { password: "not-the-password" } },
};

const pushes = { events: { type: "cdc" }, webhook: { type: "outbound-message", organizationId } } as const;

describeConformance("salesforce", openTestbed);

async function openTestbed(): Promise<Testbed> {
  const simulator = await startSalesforceSimulator({
    apps: [{ ...app, publicKey: ours.publicKey, approved: [integration.username] }],
    fields: {
      Case: [
        { name: "Count__c", label: "Count", type: "double", scale: 0 },
        { name: "Effort__c", label: "Effort", type: "double", scale: 2 },
        { name: "Due__c", label: "Due", type: "date" },
        { name: "Met__c", label: "Met", type: "datetime" },
        // As in orgs where cases can be merged [K].
        { name: "MasterRecordId", label: "Master Record ID", type: "reference", referenceTo: ["Case"], createable: false, updateable: false },
      ],
    },
  });
  simulator.org.rules.validations = [{ object: "Case", field: "Reason", equals: "Breakdown", message: "Breakdowns go to another team." }];
  const connect = (url: string, { deadlineMs = 20_000, wrong, push }: ConnectOptions = {}): Connector => {
    const { auth, secrets: given } = (wrong === undefined ? undefined : wrongSignIns[wrong]) ?? { auth: good };
    return salesforceConnector(
      salesforceConfig.parse({ url, auth, ...(push !== undefined && { push: pushes[push] }) }),
      { ...secrets, ...given },
      { sleep: async () => {}, timeoutMs: deadlineMs },
    );
  };
  return {
    url: simulator.url,
    facts,
    connect,
    account: (url) => ({
      config: { url, auth: { type: "client-credentials", clientId: app.clientId }, push: pushes.events },
      secrets: { clientSecret: app.clientSecret },
    }),
    people: await peopleOf(simulator),
    administrator: {
      hide: async (refs) => {
        simulator.org.rules.hidden = new Set(refs.map(({ id }) => id));
      },
      forbidWriting: async (refs) => {
        simulator.org.rules.readOnly = new Set(refs.map(({ id }) => id));
      },
      endSessions: async () => simulator.accounts.revokeAll(),
      stopClock: async (at) => simulator.server.clock.set({ frozenAt: at }),
      commitLate: async (ms) => {
        simulator.org.rules.lateCommits = { ms, times: ms === 0 ? 0 : Number.MAX_SAFE_INTEGER };
      },
    },
    close: () => simulator.close(),
  };
}

const facts: Facts = {
  entityType: "Case",
  fields: {
    title: "Subject",
    longText: "Description",
    choice: { name: "Priority", values: ["High", "Low"], labels: ["High", "Low"], none: "Sideways" },
    boolean: "IsEscalated",
    integer: "Count__c",
    decimal: { name: "Effort__c", scale: 2 },
    date: "Due__c",
    instant: "Met__c",
    reference: { name: "AccountId", type: "Account", unknownId: "001000000000123AAA" },
    limited: { name: "SuppliedName", length: 80 },
    readOnly: "CreatedDate",
  },
  unknownId: "500000000000123AAA",
  query: {
    text: "Priority = 'High' AND IsClosed = false",
    fits: { Priority: "High" },
    misses: { Priority: "Low" },
    malformed: ["Priority =", "NoSuch__c = 'x'", "Priority = 'High' AND", "Priority = 'High') OR (Id != null", "Id != null LIMIT 1", "DELETE FROM Case"],
  },
  refusals: [
    { what: "a choice that its closed list has not", fields: { Status: "Sideways" }, names: ["Status"] },
    { what: "a required field that is left out", entityType: "Contact", fields: { FirstName: "Nobody" }, names: ["LastName"] },
    { what: "a text that is too long", fields: { SuppliedName: "x".repeat(81) }, names: ["SuppliedName"] },
    { what: "an e-mail address that is none", fields: { SuppliedEmail: "nobody at nowhere" }, names: ["SuppliedEmail"] },
    { what: "what a validation rule forbids", fields: { Reason: "Breakdown" }, names: ["Reason"] },
  ],
  // Blanks around a text go [K].
  keeps: (text) => text.trim(),
  referenced: async (connector) => {
    const [made] = await connector.write([{ kind: "create", entityType: "Account", fields: { Name: "Northwind Ferries" }, marker: crypto.randomUUID() }]);
    if (made?.ok !== true) throw new Error("The account was not made.");
    return { id: made.id, display: "Northwind Ferries", type: "Account" };
  },
  wrongCredentials: Object.keys(wrongSignIns),
  secrets: [
    app.clientSecret,
    integration.password,
    ...[ours.privateKey, theirs.privateKey].flatMap((key) => key.split("\n").slice(1, 4)),
    "not-the-client-secret",
    "not-the-password",
    "bm90LWEta2V5LWF0LWFsbA==",
  ],
  deletesInFeed: true,
  isWrite,
  isSignIn: ({ path }) => path.startsWith("/services/oauth2/") || path.startsWith("/services/Soap/"),
  unauthorized: complaint(401, "INVALID_SESSION_ID", "Session expired or invalid"),
  unavailable: complaint(503, "SERVER_UNAVAILABLE", "The service is unavailable"),
  throttled: [
    {
      what: "429 with a Retry-After of two minutes, as from a gateway",
      answer: { ...complaint(429, "REQUEST_LIMIT_EXCEEDED", "Too many requests"), headers: { "retry-after": "120" } },
      retryAfterMs: 120_000,
    },
    { what: "too many long calls at a time", answer: complaint(403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded.") },
    { what: "the calls of a whole day used up", answer: complaint(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.") },
  ],
  earlierCursors: (at) => {
    const instant = `${at.slice(0, 19)}Z`;
    const begun = new Date(Date.parse(instant) + 1000).toISOString().replace(".000", "");
    return [
      JSON.stringify({ version: 1, floor: instant, at: {}, reported: [] }),
      JSON.stringify({ version: 1, floor: instant, at: { records: { stamp: instant, id: "500000000000000AAA" } }, begun, reported: [] }),
    ];
  },
  freePath: "/services/data/v60.0/limits",
  events: true,
  webhook: {
    genuine: (ref, at) => outboundMessage(organizationId, ref, at),
    // SOAP calls that nothing vouches for but the id of the org [K].
    signed: false,
    forgeries: [
      {
        what: "from another org",
        forge: ({ body, ...call }) => ({ ...call, body: Buffer.from(body.toString().replaceAll(organizationId, "00D000000000123EAA")) }),
      },
      {
        what: "without the id of an org",
        forge: ({ body, ...call }) => ({ ...call, body: Buffer.from(body.toString().replace(/<OrganizationId>.*?<.OrganizationId>/, "")) }),
      },
    ],
  },
};

/** Queries travel in composites too; only parts that change something make those a write. */
function isWrite({ method, path, body }: ProxiedRequest): boolean {
  if (method === "GET" || facts.isSignIn({ method, path, headers: {}, body })) return false;
  if (!/\/composite(\/batch|\/sobjects\/\w+)?$/.test(path)) return true;
  const asked = JSON.parse(body.toString()) as {
    readonly ids?: unknown;
    readonly compositeRequest?: readonly { readonly method: string }[];
    readonly batchRequests?: readonly { readonly method: string }[];
  }; // the documented shapes
  return (
    method !== "POST" || (asked.ids === undefined && [...(asked.compositeRequest ?? []), ...(asked.batchRequests ?? [])].some((part) => part.method !== "GET"))
  );
}

function outboundMessage(org: string, { type, id }: EntityRef, at: number): WebhookCall {
  const notification = `<Notification><Id>04l${id.slice(3)}</Id><sObject xsi:type="sf:${type}" xmlns:sf="urn:sobject.enterprise.soap.sforce.com"><sf:Id>${id}</sf:Id></sObject></Notification>`;
  const told = `<OrganizationId>${org}</OrganizationId><ActionId>04k000000000001AAA</ActionId><SessionId xsi:nil="true"/><EnterpriseUrl>https://x</EnterpriseUrl><PartnerUrl>https://x</PartnerUrl>`;
  const envelope = `<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body><notifications xmlns="http://soap.sforce.com/2005/09/outbound">${told}${notification}</notifications></soapenv:Body></soapenv:Envelope>`;
  return { method: "POST", headers: { "content-type": "text/xml; charset=utf-8", soapaction: '""' }, body: Buffer.from(envelope), receivedAt: at };
}

function complaint(status: number, errorCode: string, message: string) {
  return { status, body: JSON.stringify([{ message, errorCode }]) };
}

async function peopleOf(simulator: SalesforceSimulator): Promise<People> {
  const session = simulator.accounts.open(simulator.accounts.byPassword(human.username, human.password));
  let call: Caller = callerOf(simulator.url, session);
  const done = async (method: string, path: string, body?: unknown) => {
    let answer = await call(method, path, body);
    if (answer.status === 401) {
      call = callerOf(simulator.url, simulator.accounts.open(simulator.accounts.byPassword(human.username, human.password)));
      answer = await call(method, path, body);
    }
    if (answer.status >= 300) throw new Error(`Salesforce answered ${answer.status}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  };
  const at = ({ type, id }: EntityRef) => `/sobjects/${type}/${id}`;
  return {
    create: async (fields) => ({ type: "Case", id: (await done("POST", "/sobjects/Case", fields)).id }),
    edit: async (ref, fields) => await done("PATCH", at(ref), fields),
    remove: async (ref) => await done("DELETE", at(ref)),
    restore: async ({ type, id }) => simulator.org.undelete(type, id, ""),
    merge: async (winner, loser) => {
      mergeRecords(simulator.org, winner.type, winner.id, [loser.id], {}, "");
    },
    comment: async ({ id }, text, internal) => await done("POST", "/sobjects/CaseComment", { ParentId: id, CommentBody: text, IsPublished: !internal }),
    attach: async ({ id }, name, bytes) =>
      await done("POST", "/sobjects/ContentVersion", { PathOnClient: name, VersionData: bytes.toString("base64"), FirstPublishLocationId: id }),
    held: async ({ type, id }, field) => {
      const value = simulator.org.tables.get(type, id)?.[field] ?? null;
      return value === null ? null : String(value);
    },
  };
}
