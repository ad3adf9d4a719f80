import { describe, expect, test } from "vitest";
import { declarationsHash, ruleDeclarations } from "./declarations.ts";
import { ambientNames } from "./names.ts";
import { field, schema } from "./workbench.ts";

describe("the declarations of a side", () => {
  test("make a union of interfaces, told apart by entityType", () => {
    const text = ruleDeclarations("outgoing", [schema("sn_customerservice_case", []), schema("incident", [])]);
    expect(text).toContain("type Entity = IncidentEntity | SnCustomerserviceCaseEntity;");
    expect(text).toContain('interface IncidentEntity extends EntityBase {\n  readonly entityType: "incident";\n}');
    expect(text).toContain('type EntityTypeName = "incident" | "sn_customerservice_case";');
  });

  test("give each field its type, its label and its help", () => {
    const text = ruleDeclarations("outgoing", [
      schema("Case", [
        field("Subject", "text", { label: "Subject line", help: "What it is about", maxLength: 255, nullable: false }),
        field("Score", "decimal"),
        field("state", "choice", {
          closed: true,
          choices: [
            { value: "1", label: "New" },
            { value: "2", label: "2" },
          ],
        }),
        field("tone", "choice", { closed: false, choices: [{ value: "nice", label: "nice" }] }),
        field("days", "choices", { closed: true, choices: [{ value: "Mon", label: "Mon" }] }),
        field("OwnerId", "reference", { references: ["User", "Group"] }),
      ]),
    ]);
    expect(text).toContain("  /** Subject line\n   * What it is about\n   * At most 255 characters. */\n  readonly Subject: string;");
    expect(text).toContain("readonly Score: number | null;");
    expect(text).toContain('  /** state\n   * `1` is New. */\n  readonly state: "1" | "2" | null;');
    expect(text).toContain('readonly tone: "nice" | (string & {}) | null;');
    expect(text).toContain('readonly days: ("Mon")[] | null;');
    expect(text).toContain('Refers to User, Group. */\n  readonly OwnerId: Reference<"Group" | "User"> | null;');
  });

  test("mark what is custom, read-only or required on create, and types that were only sampled", () => {
    const text = ruleDeclarations("incoming", [
      schema("Case", [field("Floor__c", "integer", { label: "Floor", custom: true }), field("Name", "text", { requiredOnCreate: true, readOnly: true })]),
      { ...schema("u_thing", [field("u_name", "text")]), sampled: true },
    ]);
    expect(text).toContain("  /** Floor\n   * Custom field. */\n  get Floor__c(): number | null;");
    expect(text).toContain("  /** Name\n   * Required on create.\n   * Read-only. */\n  readonly Name: string | null;");
    expect(text).toMatch(/\/\*\* u_thing\n \* Its fields were inferred from a few records:.* \*\/\ninterface UThingEntity extends EntityBase/);
    expect(text).toContain("  [field: string]: any;\n}");
    expect(text).toContain('interface EntityTypes {\n  "Case": CaseEntity;\n  "u_thing": UThingEntity;\n}');
  });

  test("say what an incoming rule may assign, and what it may not", () => {
    const text = ruleDeclarations("incoming", [
      schema("Case", [field("OwnerId", "reference"), field("IsClosed", "boolean", { readOnly: true }), field("due", "date", { requiredOnCreate: true })]),
    ]);
    expect(text).toContain("  get OwnerId(): Reference | null;\n  set OwnerId(value: Reference | Person | EntityRef | FoundBase | string | null | undefined);");
    expect(text).toContain("readonly IsClosed: boolean | null;");
    expect(text).toContain("Required on create. */\n  get due(): string | null;\n  set due(value: string | Date | null | undefined);");
  });

  test("do not let the texts of a platform end a comment or break a name", () => {
    const text = ruleDeclarations("outgoing", [
      schema("Weird-Type 1", [field("with space", "text", { label: "*/ declare const evil: 1; /*" }), field('quote"d', "text", { help: "two\nlines */" })]),
      schema("Weird Type-1", []),
      schema("1st", []),
    ]);
    expect(text).not.toMatch(/\*\/ declare const evil/);
    expect(text).toContain('readonly "with space": string | null;');
    expect(text).toContain('readonly "quote\\"d": string | null;');
    expect(text).toContain("interface Type1stEntity");
    expect(new Set(text.match(/interface WeirdType1Entity\d/g)).size).toBe(2);
  });

  test("leave out fields that have the name of something every record has", () => {
    expect(ruleDeclarations("outgoing", [schema("incident", [field("comments", "longText"), field("url", "text")])])).toContain('entityType: "incident";\n}');
  });

  test("are the same for the same schemas in any order, and have another hash for others", () => {
    const one = schema("a", [field("x", "text"), field("y", "text")]);
    const two = schema("b", []);
    const text = ruleDeclarations("incoming", [one, two]);
    expect(ruleDeclarations("incoming", [two, { ...one, fields: [...one.fields].reverse() }])).toBe(text);
    expect(declarationsHash(text)).not.toBe(declarationsHash(ruleDeclarations("incoming", [one])));
    expect(declarationsHash(text)).toMatch(/^[0-9a-f]{64}$/);
  });

  test("say of every name that a rule finds what it is, and of every member of a helper", () => {
    const incomingOnly = new Set(["changes", "comments", "attachments", "worklogs", "status", "linkTo", "commentHelper", "attachmentHelper"]);
    for (const direction of ["outgoing", "incoming"] as const) {
      const lines = ruleDeclarations(direction, [schema("Case", [])]).split("\n");
      for (const name of ambientNames) {
        const at = lines.findIndex((line) => new RegExp(`^declare (const|function) ${name}\\b`).test(line));
        expect([direction, name, at >= 0]).toEqual([direction, name, direction === "incoming" || !incomingOnly.has(name)]);
        if (at < 0) continue;
        expect([name, lines[at - 1]?.endsWith("*/")]).toEqual([name, true]);
        const members = name === "console" || name === "connection" || !lines[at]?.endsWith("{") ? [] : lines.slice(at + 1, lines.indexOf("};", at));
        for (const [index, member] of members.entries())
          if (/^ {2}(readonly )?\w+[(<:]/.test(member)) expect([name, member, members[index - 1]?.endsWith("*/")]).toEqual([name, member, true]);
      }
    }
  });

  test("hold no note of ours to our tools", () => {
    expect(ruleDeclarations("incoming", [])).not.toContain("biome");
  });
});
