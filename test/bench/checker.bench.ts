/** How soon a person who types sees what is wrong: a rule of 200 lines against schemas of 300 fields, each time with another text. */
import type { EntitySchema, FieldSchema } from "../../connectors/connector.ts";
import { RuleCompiler } from "../../engine/rules/compile.ts";
import { ruleDeclarations } from "../../engine/rules/declarations.ts";

const compiler = await RuleCompiler.start();
const rows: object[] = [];
await measure("200 lines, one object of 300 fields", schemasOf(1), 10);
await measure("200 lines, ten objects of 300 fields", schemasOf(10), 40);
console.table(rows);
await compiler.close();

async function measure(what: string, schemas: readonly EntitySchema[], goalMs: number): Promise<void> {
  const declarations = ruleDeclarations("incoming", schemas);
  const check = async (text: string): Promise<number> => {
    const startedAt = performance.now();
    const compilation = await compiler.compile({ name: "bench/incoming.ts", source: `${rule(schemas.length)}\n// ${text}`, declarations });
    if (!compilation.ok) throw new Error(JSON.stringify(compilation.diagnostics.slice(0, 3)));
    return performance.now() - startedAt;
  };
  const first = await check("first");
  for (let time = 0; time < 10; time += 1) await check(`warm ${time}`);
  const times: number[] = [];
  for (let time = 0; time < 100; time += 1) times.push(await check(String(time)));
  times.sort((a, b) => a - b);
  const middle = times[50] ?? Number.NaN;
  rows.push({
    what,
    "KB of declarations": Math.round(declarations.length / 1024),
    "first ms": first.toFixed(1),
    "p50 ms": middle.toFixed(1),
    "p95 ms": times[95]?.toFixed(1),
    goal: `≤ ${goalMs} ms p50`,
    reached: middle <= goalMs ? "yes" : "no",
  });
}

function schemasOf(objects: number): EntitySchema[] {
  const types: readonly FieldSchema["type"][] = ["text", "longText", "integer", "boolean", "choice", "reference", "instant", "decimal"];
  const field = (index: number): FieldSchema => ({
    name: `Field${index}__c`,
    label: `Field ${index}`,
    type: types[index % types.length] ?? "text",
    custom: true,
    nullable: true,
    readOnly: index % 9 === 0,
    requiredOnCreate: false,
    ...(index % types.length === 4 ? { closed: true, choices: ["New", "Working", "Escalated", "Closed"].map((value) => ({ value, label: value })) } : {}),
    ...(index % types.length === 5 ? { references: ["User"] } : {}),
  });
  return Array.from({ length: objects }, (_, index) => ({
    entityType: `Object${index}__c`,
    label: `Object ${index}`,
    fields: Array.from({ length: 300 }, (_each, each) => field(each)),
    sampled: false,
    comments: true,
    internalComments: true,
    attachments: true,
  }));
}

/** Two hundred lines as people write them: branches by type, assignments, a helper call now and then. */
function rule(objects: number): string {
  const lines: string[] = [];
  for (let index = 0; lines.length < 194; index += 1) {
    const object = index % objects;
    const text = `Field${(index % 30) * 8 + (((index % 30) * 8) % 9 === 0 ? 8 : 0)}__c`;
    lines.push(`if (entity.entityType === "Object${object}__c") {`);
    lines.push(`  const value${index} = replica.custom?.value${index} ?? replica.summary;`);
    lines.push(`  if (firstSync) console.log("first", value${index});`);
    lines.push(text === "Field72__c" || text === "Field144__c" || text === "Field216__c" ? `  replica.key;` : `  entity.${text} = value${index};`);
    lines.push(`  if (replica.assignee) { const person = await users.byEmail(replica.assignee.email); entity.Field5__c = person; }`);
    lines.push("}");
  }
  return lines.slice(0, 198).join("\n");
}
