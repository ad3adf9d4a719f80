import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Comment, EntitySchema, FieldSchema, FieldType, Json } from "../../connectors/connector.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import { RuleCompiler } from "./compile.ts";
import { type Direction, ruleDeclarations } from "./declarations.ts";
import { startRuleSandbox } from "./rule-sandbox.ts";
import { blankEntityView, type EntityAfter, type EntityView, type IncomingResult, incomingResult, outgoingResult, runInputAsJson } from "./run-input.ts";

type Platform = "salesforce" | "servicenow";

let compiler: RuleCompiler;
let sandbox: Sandbox;
const codes = new Map<string, string>();

beforeAll(async () => {
  [compiler, sandbox] = await Promise.all([RuleCompiler.start(), startRuleSandbox({ children: 1 })]);
  for (const platform of ["salesforce", "servicenow"] as const) {
    for (const direction of ["outgoing", "incoming"] as const) codes.set(`${platform}/${direction}`, await compiled(platform, direction, schemas[platform]));
  }
});

afterAll(async () => {
  await compiler.close();
  await sandbox.close();
});

describe("the default rules", () => {
  test("are free of type errors where the account may read the dictionary", () => {
    expect([...codes.keys()]).toEqual(["salesforce/outgoing", "salesforce/incoming", "servicenow/outgoing", "servicenow/incoming"]);
  });

  test("are free of type errors where fields had to be inferred, or a type is not there", async () => {
    const sampled = (entityType: string): EntitySchema => ({ ...schema(entityType, []), sampled: true });
    for (const direction of ["outgoing", "incoming"] as const) {
      await compiled("servicenow", direction, ["incident", "sn_customerservice_case", "problem", "change_request"].map(sampled));
      await compiled("salesforce", direction, ["Case", "Task"].map(sampled));
    }
  });

  test("carry a Case with its public comments and attachments", async () => {
    const replica = await send("salesforce", aCase());
    expect(replica).toEqual({
      type: "Case",
      key: "00001000",
      summary: "Printer on fire",
      description: "Smoke on floor 3",
      status: "Working",
      priority: "High",
      comments: [aComment("c1", "Please hurry", "Alice Smith")],
      attachments: [attachment],
    });
  });

  test("keep internal comments at home", async () => {
    const replica = await send("salesforce", { ...aCase(), internalComments: [aComment("i1", "customer is difficult", "Alice Smith", true)] });
    expect(JSON.stringify(replica)).not.toContain("difficult");
    const back = await send("servicenow", { ...anIncident(), internalComments: [aComment("w1", "blame the network", "Bob", true)] });
    expect(JSON.stringify(back)).not.toContain("blame");
  });

  test("carry a Task without comments", async () => {
    const replica = await send("salesforce", {
      ...blankEntityView,
      entityType: "Task",
      entityRef: { type: "Task", id: "00T1" },
      key: "00T1",
      Subject: "Call back",
      Description: null,
      Status: "Not Started",
      Priority: "Normal",
    });
    expect(replica).toEqual({ type: "Task", key: "00T1", summary: "Call back", description: null, status: "Not Started", priority: "Normal" });
  });

  test("send nothing of a type that they do not know", async () => {
    expect(await send("salesforce", { ...blankEntityView, entityType: "Account", entityRef: { type: "Account", id: "001" } })).toEqual({});
  });

  test("create an incident from a Case", async () => {
    const result = await receive("servicenow", await send("salesforce", aCase()), blankEntityView, { firstSync: true });
    expect(result.status).toBe("In Progress");
    expect(result.entity).toEqual({
      ...blankEntityView,
      entityType: "incident",
      short_description: "Printer on fire",
      description: "Smoke on floor 3",
      impact: "2",
      urgency: "1",
      comments: [{ remoteId: "c1", body: "[Alice Smith] Please hurry", internal: false }],
      attachments: [{ remoteId: "a1", filename: "photo.jpg", mimetype: "image/jpeg", filesize: 2048 }],
    });
  });

  test("create a Case from an incident", async () => {
    const result = await receive("salesforce", await send("servicenow", anIncident()), blankEntityView, { firstSync: true });
    expect(result.status).toBe("Working");
    expect(result.entity).toMatchObject({ entityType: "Case", Origin: "Web", Subject: "VPN down", Description: "Since this morning", Priority: "Medium" });
  });

  test("close an incident with what ServiceNow wants to know, and leave what a person wrote there", async () => {
    const replica = await send("salesforce", { ...aCase(), Status: "Closed", display: { Status: "Closed" } });
    const open = await receive("servicenow", replica, anIncident());
    expect(open.status).toBe("Resolved");
    expect(open.entity).toMatchObject({ close_code: "Solved (Permanently)", close_notes: "Set to Closed by remote." });
    const annotated = await receive("servicenow", replica, { ...anIncident(), close_code: "User error", close_notes: "Pulled the plug" });
    expect(annotated.entity).toMatchObject({ close_code: "User error", close_notes: "Pulled the plug" });
  });

  test("leave status and priority alone for names that they do not know", async () => {
    for (const name of ["Frobnicated", "constructor", "__proto__", "", null, 7, { name: "nope" }]) {
      const result = await receive(
        "servicenow",
        { summary: "VPN down", description: "Since this morning", status: name, priority: name } as Json,
        anIncident(),
      );
      expect(result.status).toBeUndefined();
      expect(result.entity).toEqual(anIncident());
    }
  });

  test("take over exact names where both sides have the same kind of record", async () => {
    const other = await send("servicenow", { ...anIncident(), state: "3", priority: "1", display: { state: "On Hold", priority: "1 - Critical" } });
    const result = await receive("servicenow", other, anIncident());
    expect(result.status).toBe("On Hold");
    expect(result.entity).toMatchObject({ hold_reason: "1", impact: "1", urgency: "1" });
  });

  test("do not let a text that was cut to fit come back and cut ours", async () => {
    const long = "x".repeat(200);
    const subject = { ...aCase(), Subject: long };
    const there = await receive("servicenow", await send("salesforce", subject), blankEntityView, { firstSync: true });
    const short = there.entity.short_description;
    expect(String(short)).toHaveLength(160);
    const back = await receive("salesforce", await send("servicenow", { ...anIncident(), short_description: short }), subject);
    expect(back.entity.Subject).toBe(long);
  });

  const salesforceStates = ["New", "Working", "Escalated", "Closed"];
  const priorities = ["High", "Medium", "Low"];
  test.each(salesforceStates.flatMap((status) => priorities.map((priority) => [status, priority] as const)))(
    "bring a Case (%s, %s) back to itself by way of an incident",
    async (status, priority) => {
      const before: EntityView = { ...aCase(), Status: status, Priority: priority, display: { Status: status, Priority: priority } };
      const made = await receive("servicenow", await send("salesforce", before), blankEntityView, { firstSync: true });
      const incident = asServiceNowStores(made);
      const back = await receive("salesforce", await send("servicenow", incident), before);
      expect(back.status).toBeUndefined();
      expect(back.entity).toEqual(before);
      const again = await receive("servicenow", await send("salesforce", before), incident, { previous: await send("salesforce", before) });
      expect(again.status).toBeUndefined();
      expect(again.entity).toEqual(incident);
    },
  );

  const serviceNowStates = ["New", "In Progress", "On Hold", "Resolved", "Closed", "Canceled"];
  const levels = ["1 - Critical", "2 - High", "3 - Moderate", "4 - Low", "5 - Planning"];
  test.each(serviceNowStates.flatMap((state) => levels.map((level) => [state, level] as const)))(
    "bring an incident (%s, %s) back to itself by way of a Case",
    async (state, level) => {
      const before: EntityView = { ...anIncident(), display: { state, priority: level } };
      const made = await receive("salesforce", await send("servicenow", before), blankEntityView, { firstSync: true });
      const caseThere: EntityView = {
        ...viewOf(made.entity),
        entityRef: { type: "Case", id: "500" },
        key: "00001001",
        Status: made.status ?? "New",
        display: { Status: made.status ?? "New", Priority: String(made.entity.Priority) },
        comments: [],
        attachments: [],
      };
      const back = await receive("servicenow", await send("salesforce", caseThere), before);
      expect(back.status).toBeUndefined();
      expect(back.entity).toEqual(before);
      const again = await receive("salesforce", await send("servicenow", before), caseThere);
      expect(again.status).toBeUndefined();
      expect(again.entity).toEqual(caseThere);
    },
  );
});

async function compiled(platform: Platform, direction: Direction, entitySchemas: readonly EntitySchema[]): Promise<string> {
  const source = readFileSync(new URL(`../../rules/${platform}/${direction}.ts`, import.meta.url), "utf8");
  const result = await compiler.compile({ name: `${platform}/${direction}.ts`, source, declarations: ruleDeclarations(direction, entitySchemas) });
  if (!result.ok) throw new Error(JSON.stringify(result.diagnostics, null, 2));
  return result.code;
}

const surroundings = { previous: null, connection: { name: "support", local: "local", remote: "remote" }, mappings: {}, now: 1_700_000_000_000, seed: "seed" };

async function run(platform: Platform, input: Parameters<typeof runInputAsJson>[0]): Promise<Json> {
  const name = `${platform}/${input.direction}`;
  const completion = await sandbox.run({ versionId: name, name: `${name}.ts`, code: codes.get(name) ?? "" }, runInputAsJson(input), async () => []);
  if (!completion.ok) throw new Error(JSON.stringify(completion.error));
  return completion.value;
}

async function send(platform: Platform, entity: EntityView): Promise<Json> {
  const result = outgoingResult.parse(await run(platform, { direction: "outgoing", ...surroundings, firstSync: true, entity }));
  if (result.kind !== "replica") throw new Error(result.kind);
  return result.replica;
}

interface Circumstances {
  readonly firstSync?: boolean;
  readonly previous?: Json;
  readonly traces?: { readonly comments: Record<string, { localId: string }>; readonly attachments: Record<string, { localId: string }> };
}

async function receive(
  platform: Platform,
  replica: Json,
  entity: EntityView,
  circumstances: Circumstances = {},
): Promise<Extract<IncomingResult, { kind: "changed" }>> {
  const { firstSync = false, previous = null, traces = { comments: { c1: { localId: "j1" } }, attachments: { a1: { localId: "f1" } } } } = circumstances;
  const known = firstSync ? { comments: {}, attachments: {} } : traces;
  const result = incomingResult.parse(await run(platform, { direction: "incoming", ...surroundings, firstSync, previous, replica, entity, traces: known }));
  if (result.kind !== "changed") throw new Error(result.kind);
  return result;
}

/** What a read gives after the create was written. */
function asServiceNowStores(made: Extract<IncomingResult, { kind: "changed" }>): EntityView {
  const { impact, urgency } = made.entity as { impact?: string; urgency?: string };
  const priority = { "11": "1 - Critical", "21": "2 - High", "22": "3 - Moderate", "32": "4 - Low" }[`${impact}${urgency}`] ?? "5 - Planning";
  return {
    ...viewOf(made.entity),
    entityRef: { type: "incident", id: "9d38" },
    key: "INC0010001",
    number: "INC0010001",
    display: { state: made.status ?? "New", priority },
    // What came from the other side is not sent back to it.
    comments: [],
    attachments: [],
  };
}

function viewOf(entity: EntityAfter): EntityView {
  return entity as unknown as EntityView;
}

const attachment = { id: "a1", filename: "photo.jpg", mimetype: "image/jpeg", filesize: 2048, author: null, created: "2026-01-02T03:04:05Z" };

function aComment(id: string, body: string, displayName: string, internal = false): Comment {
  return { id, body, internal, author: { id: `u-${displayName}`, displayName }, created: "2026-01-02T03:04:05Z", updated: "2026-01-02T03:04:05Z" };
}

function aCase(): EntityView {
  return {
    ...blankEntityView,
    entityType: "Case",
    entityRef: { type: "Case", id: "5001" },
    key: "00001000",
    url: "https://org.example/5001",
    Subject: "Printer on fire",
    Description: "Smoke on floor 3",
    Status: "Working",
    Priority: "High",
    display: { Status: "Working", Priority: "High" },
    comments: [aComment("c1", "Please hurry", "Alice Smith")],
    attachments: [attachment],
  };
}

function anIncident(): EntityView {
  return {
    ...blankEntityView,
    entityType: "incident",
    entityRef: { type: "incident", id: "9d38" },
    key: "INC0010001",
    url: "https://sn.example/9d38",
    number: "INC0010001",
    short_description: "VPN down",
    description: "Since this morning",
    state: "2",
    priority: "3",
    impact: "2",
    urgency: "2",
    close_code: null,
    close_notes: null,
    hold_reason: null,
    display: { state: "In Progress", priority: "3 - Moderate" },
  };
}

function field(name: string, type: FieldType, more: Partial<FieldSchema> = {}): FieldSchema {
  return { name, label: name, type, custom: false, nullable: true, readOnly: false, requiredOnCreate: false, ...more };
}

function choice(name: string, choices: readonly (readonly [string, string])[], more: Partial<FieldSchema> = {}): FieldSchema {
  return field(name, "choice", { choices: choices.map(([value, label]) => ({ value, label })), closed: true, ...more });
}

function schema(entityType: string, fields: readonly FieldSchema[]): EntitySchema {
  return { entityType, label: entityType, fields, sampled: false, comments: true, internalComments: true, attachments: true };
}

const same = (...names: string[]): [string, string][] => names.map((name) => [name, name]);
const three: [string, string][] = [
  ["1", "1 - High"],
  ["2", "2 - Medium"],
  ["3", "3 - Low"],
];

const taskFields = [
  field("number", "text"),
  field("short_description", "text", { maxLength: 160 }),
  field("description", "longText", { maxLength: 4000 }),
  choice("state", [
    ["1", "New"],
    ["2", "In Progress"],
    ["3", "On Hold"],
    ["6", "Resolved"],
    ["7", "Closed"],
    ["8", "Canceled"],
  ]),
  choice("impact", three),
  choice("urgency", three),
  choice(
    "priority",
    [
      ["1", "1 - Critical"],
      ["2", "2 - High"],
      ["3", "3 - Moderate"],
      ["4", "4 - Low"],
      ["5", "5 - Planning"],
    ],
    { readOnly: true },
  ),
];

const schemas: Readonly<Record<Platform, readonly EntitySchema[]>> = {
  salesforce: [
    schema("Case", [
      field("CaseNumber", "text", { readOnly: true }),
      field("Subject", "text", { maxLength: 255 }),
      field("Description", "longText"),
      choice("Status", same("New", "Working", "Escalated", "Closed")),
      choice("Priority", same("High", "Medium", "Low")),
      choice("Origin", same("Phone", "Email", "Web")),
      field("OwnerId", "reference", { references: ["User", "Group"] }),
    ]),
    schema("Task", [
      field("Subject", "text"),
      field("Description", "longText"),
      choice("Status", same("Not Started", "In Progress", "Completed"), { nullable: false }),
      choice("Priority", same("High", "Normal", "Low"), { nullable: false }),
    ]),
  ],
  servicenow: [
    schema("incident", [
      ...taskFields,
      choice("close_code", same("Solved (Permanently)", "User error")),
      field("close_notes", "longText"),
      choice("hold_reason", [
        ["1", "Awaiting Caller"],
        ["3", "Awaiting Problem"],
      ]),
    ]),
    schema("sn_customerservice_case", taskFields),
    schema("problem", taskFields),
    schema("change_request", taskFields),
  ],
};
