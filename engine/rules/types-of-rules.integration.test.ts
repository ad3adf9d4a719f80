import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { EntitySchema } from "../../connectors/connector.ts";
import { RuleCompiler } from "./compile.ts";
import { type Direction, ruleDeclarations } from "./declarations.ts";
import { field, schema } from "./workbench.ts";

let compiler: RuleCompiler;

beforeAll(async () => {
  compiler = await RuleCompiler.start();
});
afterAll(async () => {
  await compiler.close();
});

const user = schema("User", [field("Name", "text", { nullable: false }), field("Email", "text")]);
const ticket = schema("Case", [
  field("Subject", "text"),
  field("OwnerId", "reference", { references: ["User", "Group"] }),
  field("ParentId", "reference", { references: ["Case"] }),
  field("WatcherIds", "references", { references: ["User"] }),
  field("Priority", "choice", { closed: true, choices: ["High", "Low"].map((value) => ({ value, label: value })) }),
  field("Reason", "choice", { closed: false, choices: [{ value: "Other", label: "Other" }] }),
  field("CreatedDate", "instant", { readOnly: true }),
  field("Floor__c", "integer", { custom: true, label: "Floor" }),
]);
const sampled: EntitySchema = { ...schema("u_thing", [field("u_name", "text")]), sampled: true };

/** What the checker says of a text, each as `code at line`. */
async function faults(source: string, direction: Direction = "incoming", schemas: readonly EntitySchema[] = [ticket, user]): Promise<string[]> {
  const compilation = await compiler.compile({ name: "rule.ts", source, declarations: ruleDeclarations(direction, schemas) });
  return compilation.ok ? [] : compilation.diagnostics.map(({ code, line, message }) => `${code} at ${line}: ${message}`);
}

const inCase = (text: string): string => `if (entity.entityType === "Case") {\n${text}\n}`;

describe("look-ups", () => {
  test("know the fields of a type of this side, in what is asked and in what is answered", async () => {
    expect(
      await faults(
        `const one = await lookup.one("User", { Name: "Ada", Email: replica.reporter?.email });
         const text: string = one!.Name; console.log(one?.Email?.length, one?.entityRef.id, one?.key);
         for (const each of await lookup.many("Case", { Priority: "High" }, 3)) console.log(each.OwnerId?.type === "User");
         const got = await lookup.get("Case", one?.id); console.log(got?.Floor__c);`,
      ),
    ).toEqual([]);
    expect(await faults('await lookup.one("User", { Nam: "Ada" })')).toEqual([expect.stringMatching(/^TS2\d+ at 1: .*'Nam' does not exist/) as string]);
    expect(await faults('const one = await lookup.one("User", {});\nconsole.log(one?.Mail)')).toEqual([
      expect.stringMatching(/^TS2\d+ at 2: Property 'Mail' does not exist/) as string,
    ]);
  });

  test("take types and values that nobody knows here", async () => {
    expect(
      await faults(
        'const one = await lookup.one("Account", { Name: "x" }); console.log(one?.Anything.at.all); const other = await lookup.get(replica.custom.type, replica.custom.id); console.log(other?.Name)',
      ),
    ).toEqual([]);
    expect(await faults('const one = await lookup.one("Account", { Name: "x" }); console.log(one?.Anything)', "incoming", [])).toEqual([]);
  });

  test("answer what can be assigned to a reference field", async () => {
    expect(
      await faults(
        inCase(`entity.OwnerId = await lookup.one("User", { Name: "Ada" });
          entity.OwnerId = (await lookup.many("Group", {}))[0];
          entity.OwnerId = await users.byEmail("a@b.c");
          entity.ParentId = await twins.localFor(replica.parent, "Case");
          entity.ParentId = await twins.localFor(replica.parent);
          entity.ParentId = entity.entityRef;
          entity.WatcherIds = await lookup.many("User", {});`),
      ),
    ).toEqual([]);
  });
});

describe("fields", () => {
  test("that refer to records say to which types", async () => {
    expect(await faults(inCase('const type: "User" | "Group" | undefined = entity.OwnerId?.type; console.log(type, entity.WatcherIds?.[0]?.display)'))).toEqual(
      [],
    );
    expect(await faults(inCase('if (entity.OwnerId?.type === "Account") {}'))).toEqual([expect.stringContaining("TS2367 at 2") as string]);
  });

  test("cannot be set when they are read-only, nor to what is no choice", async () => {
    expect(await faults(inCase('entity.CreatedDate = "2026-01-01T00:00:00Z"'))).toEqual([expect.stringContaining("TS2540 at 2") as string]);
    expect(await faults(inCase('entity.Priority = "Urgent"'))).toEqual([expect.stringContaining("TS2322 at 2") as string]);
    expect(await faults(inCase('entity.Reason = "Whatever"; entity.Priority = replica.priority; entity.Floor__c = 3'))).toEqual([]);
  });

  test("of a schema that was only sampled are known as far as they were seen", async () => {
    const inThing = (text: string): string => `if (entity.entityType === "u_thing") { ${text} }`;
    expect(await faults(inThing("entity.u_name = 'x'; entity.u_never_seen = 5"), "incoming", [sampled, ticket])).toEqual([]);
    expect(await faults(inThing("entity.u_name = 5"), "incoming", [sampled, ticket])).toEqual([expect.stringContaining("TS2322") as string]);
    expect(await faults('await lookup.one("u_thing", { u_other: 1 })', "incoming", [sampled])).toEqual([]);
  });
});

describe("names that are not there", () => {
  test("are red lines: Intl as a value, worklogs of a platform without", async () => {
    for (const use of [
      'new Intl.NumberFormat("de")',
      'Intl.DateTimeFormat("de")',
      "Intl.Collator",
      "Intl.Segmenter",
      "Intl.supportedValuesOf",
      "const all = Intl",
    ])
      expect([use, await faults(use)]).toEqual([use, [expect.stringMatching(/^TS2\d+ at 1: .*Intl/) as string]]);
    expect(await faults("worklogs.merge(entity, replica)")).toEqual(["TS2339 at 1: Property 'merge' does not exist on type 'PlatformWithoutWorklogs'."]);
    expect(await faults("worklogs", "outgoing")).toEqual([expect.stringContaining("TS2304") as string]);
    expect(await faults("for (const each of replica.worklogs) console.log(each.seconds, each.author?.displayName)")).toEqual([]);
  });

  test("leave numbers and dates their own words for people", async () => {
    expect(
      await faults(
        'console.log((5).toLocaleString("de-DE", { style: "percent" }), new Date().toLocaleDateString("fr", { timeZone: "Europe/Paris", month: "long" }))',
      ),
    ).toEqual([]);
    expect(await faults('console.log((5).toLocaleString("de-DE", { style: "per cent" }))')).toHaveLength(1);
  });
});

test("the author of a comment on its way in may be set to whoever stands for him here, and to nothing else", async () => {
  expect(
    await faults(`const bot = await users.byUsername("bot"); const found = await lookup.one("User", { Email: "a@b.c" });
      comments.merge(entity, replica, (comment) => { comment.author = found ?? bot ?? "005"; return comment; });
      comments.merge(entity, replica, (comment) => ({ ...comment, author: bot }));
      comments.merge(entity, replica, (comment) => ({ body: comment.author?.displayName + ": " + comment.body }));`),
  ).toEqual([]);
  expect(await faults("comments.merge(entity, replica, (comment) => { comment.author = 5; return comment; })")).toHaveLength(1);
});

test("texts of a platform stay inside the comments that they stand in", async () => {
  const hostile = [
    "*/ declare const evil: 1; /*",
    "two\nlines\r\nand\u2028more",
    "`ticks` {@link evil}",
    "@deprecated",
    "\u202Eright to left",
    "*",
    "/",
    "\0\ud800",
    "//",
  ];
  const fields = hostile.flatMap((label, index) => [
    field(`Field${index}`, "choice", { label, help: label, closed: true, choices: [{ value: label, label: `${label}!` }] }),
    field(label, "text", { label }),
  ]);
  const text = ruleDeclarations("incoming", [{ ...schema("Case", fields), label: "*/ declare const worse: 1; /*" }]);
  expect(text).not.toMatch(/^\s*\/?\*+\s*@/m);
  expect(text).not.toMatch(/\p{Cs}|[\u202a-\u202e]/u);
  expect(text).not.toContain("\0");
  for (const name of ["evil", "worse"])
    expect((await faults(`console.log(${name})`, "incoming", [{ ...schema("Case", fields), label: "*/ declare const worse: 1; /*" }]))[0]).toContain("TS2304");
  expect(await faults('if (entity.entityType === "Case") entity.Field0 = "*/ declare const evil: 1; /*"', "incoming", [schema("Case", fields)])).toEqual([]);
});
