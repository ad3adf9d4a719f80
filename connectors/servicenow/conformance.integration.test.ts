import { createHmac } from "node:crypto";
import type { ProxiedRequest } from "../conformance/proxy.ts";
import type { ConnectOptions, Facts, People, Testbed } from "../conformance/testbed.ts";
import { describeConformance } from "../conformance.ts";
import type { Connector, EntityRef, WebhookCall } from "../connector.ts";
import type { ServiceNowConfig } from "./config.ts";
import { servicenowConnector } from "./connector.ts";
import { PersonAtWork } from "./simulator/person.ts";
import { type ServiceNowSimulator, seededAccounts, seededClient, startServiceNowSimulator } from "./simulator/simulator.ts";

/** May see tombstones, which least-privileged accounts may not [R]. */
const auditor = {
  userName: "conformance",
  password: "conformance-password",
  firstName: "Con",
  lastName: "Formance",
  email: "conformance@servicenow.example",
  roles: ["itil", "admin"],
};
const { integration, maya } = seededAccounts;
const { clientId } = seededClient;
const webhookSecret = "conformance-webhook-secret";
const secrets = { password: auditor.password, clientSecret: seededClient.clientSecret };

type Auth = ServiceNowConfig["auth"];
const good: Auth = { type: "oauth-password", clientId, username: auditor.userName };
const wrongSignIns: Readonly<Record<string, { readonly auth: Auth; readonly secrets?: Readonly<Record<string, string>> }>> = {
  "another password": { auth: good, secrets: { password: "not-the-password" } },
  "another password, without OAuth": { auth: { type: "basic", username: auditor.userName }, secrets: { password: "not-the-password" } },
  "a user who is not there": { auth: { ...good, username: "nobody.here" } },
  "a client id that is not known": { auth: { ...good, clientId: "nobody" } },
  "another client secret": { auth: { type: "client-credentials", clientId }, secrets: { clientSecret: "not-the-client-secret" } },
};

describeConformance("servicenow", openTestbed);

async function openTestbed(): Promise<Testbed> {
  const simulator = await startServiceNowSimulator({
    accounts: [auditor],
    tables: [
      {
        name: "incident",
        label: "Incident",
        columns: [
          { element: "u_count", label: "Count", type: "integer" },
          { element: "u_effort", label: "Effort", type: "decimal" },
          { element: "u_due", label: "Due", type: "glide_date" },
          { element: "u_met", label: "Met", type: "glide_date_time" },
          { element: "u_flag", label: "Flag", type: "boolean" },
          { element: "u_short", label: "Short", maxLength: 20 },
        ],
      },
    ],
    businessRules: [{ table: "incident", name: "No pranks", abortWhen: "short_description=prank" }],
  });
  const connect = (url: string, { deadlineMs = 20_000, wrong, blindToDeletes = false, push }: ConnectOptions = {}): Connector => {
    const usual = blindToDeletes ? { auth: { ...good, username: integration.userName }, secrets: { password: integration.password } } : { auth: good };
    const { auth, secrets: given } = (wrong === undefined ? undefined : wrongSignIns[wrong]) ?? usual;
    return servicenowConnector(
      {
        url,
        auth,
        deadlineSeconds: deadlineMs / 1000,
        retry: { tries: 3, baseMs: 1, capMs: 20 },
        ...(push === "webhook" && { push: { type: "business-rule" } }),
      },
      { ...secrets, ...given, webhookSecret },
    );
  };
  return {
    url: simulator.url,
    facts,
    connect,
    account: (url) => ({ config: { url, auth: { type: "oauth-password", clientId, username: auditor.userName } }, secrets }),
    people: peopleOf(simulator),
    administrator: {
      hide: async (refs) => simulator.setAccess(auditor.userName, { hiddenRows: { incident: `sys_idIN${refs.map(({ id }) => id).join(",")}` } }),
      forbidWriting: async (refs) => simulator.setAccess(auditor.userName, { readOnlyTables: [...new Set(refs.map(({ type }) => type))] }),
      endSessions: async () => simulator.expireSessions(true),
      stopClock: async (at) => simulator.clock.set({ frozenAt: at }),
      commitLate: async (ms) => simulator.setCommitDelay(ms),
    },
    close: () => simulator.close(),
  };
}

const facts: Facts = {
  entityType: "incident",
  fields: {
    title: "short_description",
    longText: "description",
    choice: { name: "category", values: ["software", "hardware"], labels: ["Software", "Hardware"], none: "sideways" },
    boolean: "u_flag",
    integer: "u_count",
    decimal: { name: "u_effort", scale: 2 },
    date: "u_due",
    instant: "u_met",
    // Any sys_id is taken, whether it is there or not [K]; a name that is not there is not.
    reference: { name: "company", type: "core_company", unknownId: "No Such Company" },
    limited: { name: "u_short", length: 20 },
    readOnly: "sys_created_on",
  },
  unknownId: "0123456789abcdef0123456789abcdef",
  query: {
    text: "category=software^state!=7",
    fits: { category: "software" },
    misses: { category: "hardware" },
    malformed: [
      "no_such_field=1",
      "category=software^ORno_such_field=1",
      "caller_id.no_such_field=1",
      "categorysoftware",
      "category=software^NQno_such_field=1",
    ],
  },
  refusals: [
    { what: "a state without what a data policy makes mandatory", fields: { state: "6" }, names: ["close_code", "close_notes"] },
    { what: "a choice that its closed list has not", fields: { category: "sideways" }, names: ["category"] },
    { what: "words for a number", fields: { u_count: "many" }, names: ["u_count"] },
  ],
  keeps: (text) => text,
  referenced: async (connector) => {
    const [company] = await connector.find("core_company", [{ field: "name", operator: "=", value: "Northwind Ferries" }], 1);
    if (company === undefined) throw new Error("The company is not there.");
    return { id: company.ref.id, display: "Northwind Ferries", type: "core_company" };
  },
  wrongCredentials: Object.keys(wrongSignIns),
  secrets: [auditor.password, integration.password, seededClient.clientSecret, "not-the-password", "not-the-client-secret", webhookSecret],
  deletesInFeed: true,
  isWrite,
  isSignIn: ({ path }) => path.startsWith("/oauth_token.do"),
  unauthorized: failure(401, "User Not Authenticated", "Required to provide Auth information"),
  unavailable: failure(503, "Service unavailable", ""),
  throttled: [
    {
      what: "429 with a Retry-After of two minutes",
      answer: { ...failure(429, "Rate limit exceeded", "Rate limit of 100 requests per hour for Table API exceeded"), headers: { "retry-after": "120" } },
      retryAfterMs: 120_000,
    },
    { what: "429 without a Retry-After", answer: failure(429, "Rate limit exceeded", "Rate limit of 100 requests per hour for Table API exceeded") },
  ],
  earlierCursors: (at) => {
    const start = { at: at.slice(0, 19).replace("T", " "), id: "", seen: {} };
    return [JSON.stringify({ v: 1, records: start, journal: start, attachments: start })];
  },
  freePath: "/api/now/table/incident?sysparm_limit=1",
  webhook: {
    genuine: (ref, at) => signedHint(webhookSecret, ref, at),
    signed: true,
    forgeries: [
      {
        what: "signed with another secret",
        forge: (call) => ({ ...call, headers: { ...call.headers, ...signature("another-secret", call.body, call.receivedAt) } }),
      },
      { what: "signed with no secret", forge: (call) => ({ ...call, headers: { ...call.headers, ...signature("", call.body, call.receivedAt) } }) },
      { what: "without a signature", forge: ({ headers: { "x-isobridge-signature": _, ...headers }, ...call }) => ({ ...call, headers }) },
      { what: "without a time", forge: ({ headers: { "x-isobridge-timestamp": _, ...headers }, ...call }) => ({ ...call, headers }) },
      { what: "that was caught and is played again an hour later", forge: (call) => ({ ...call, receivedAt: call.receivedAt + 3_600_000 }) },
      { what: "that was signed for a time to come", forge: (call) => ({ ...call, receivedAt: call.receivedAt - 3_600_000 }) },
      {
        what: "that was caught and is played again with a fresh time",
        forge: (call) => ({
          ...call,
          receivedAt: call.receivedAt + 3_600_000,
          headers: { ...call.headers, "x-isobridge-timestamp": String(Math.floor(call.receivedAt / 1000) + 3600) },
        }),
      },
      {
        what: "signed with less than a whole signature",
        forge: (call) => ({ ...call, headers: { ...call.headers, "x-isobridge-signature": call.headers["x-isobridge-signature"]?.slice(0, 20) ?? "" } }),
      },
    ],
  },
};

/** A batch is a write when one of its parts is. */
function isWrite({ method, path, body }: ProxiedRequest): boolean {
  if (method === "GET" || path.startsWith("/oauth_token.do")) return false;
  if (!/\/batch$/.test(path)) return true;
  const { rest_requests: parts } = JSON.parse(body.toString()) as { readonly rest_requests: readonly { readonly method: string }[] }; // the documented shape
  return parts.some((part) => part.method !== "GET");
}

/** What the business rule of docs/servicenow sends. */
function signedHint(secret: string, { type, id }: EntityRef, at: number): WebhookCall {
  const hint = {
    event_id: crypto.randomUUID(),
    table: type,
    sys_id: id,
    op: "update",
    sys_mod_count: "1",
    sys_updated_on: "2026-07-13 17:28:40",
    sys_updated_by: "maya",
  };
  const body = Buffer.from(JSON.stringify(hint));
  return { method: "POST", headers: { "content-type": "application/json", ...signature(secret, body, at) }, body, receivedAt: at };
}

function signature(secret: string, body: Buffer, at: number): Record<string, string> {
  const timestamp = String(Math.floor(at / 1000));
  const hash = createHmac("sha256", secret).update(`${timestamp}.`).update(body).digest("hex");
  return { "x-isobridge-timestamp": timestamp, "x-isobridge-signature": `sha256=${hash}` };
}

function failure(status: number, message: string, detail: string) {
  return { status, body: JSON.stringify({ error: { message, detail }, status: "failure" }) };
}

function peopleOf(simulator: ServiceNowSimulator): People {
  const person = new PersonAtWork(simulator.url, maya);
  const removed = new Map<string, Readonly<Record<string, string>>>();
  return {
    create: async (fields) => ({ type: "incident", id: await person.create("incident", fields) }),
    edit: async ({ type, id }, fields) => await person.change(type, id, fields),
    remove: async ({ type, id }) => {
      const row = simulator.rows(type).find(({ sys_id }) => sys_id === id);
      await person.remove(type, id);
      if (row !== undefined) removed.set(id, row);
    },
    // As from the list of deleted records: the same sys_id, saved anew.
    restore: async ({ type, id }) => {
      const row = removed.get(id) ?? {};
      const stamp = simulator.clock.now().toISOString().slice(0, 19).replace("T", " ");
      simulator.plant(type, { ...row, sys_updated_on: stamp, sys_mod_count: String(Number(row.sys_mod_count ?? "0") + 1) });
    },
    comment: async ({ type, id }, text, internal) => await (internal ? person.workNote(type, id, text) : person.comment(type, id, text)),
    attach: async ({ type, id }, name, bytes) => {
      await person.attach(type, id, name, bytes);
    },
    held: async ({ type, id }, field) => simulator.rows(type).find(({ sys_id }) => sys_id === id)?.[field] || null,
  };
}
