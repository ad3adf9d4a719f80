import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ambientNames } from "../../engine/rules/names.ts";
import { differences } from "../../engine/rules/samples/difference.ts";
import type { Outcome } from "../../engine/rules/samples/outcome.ts";
import { runSample } from "../../engine/rules/samples/run-sample.ts";
import { sampleOf } from "../../engine/rules/samples/sample.ts";
import { exampleLibraries, examplesIn, mappingsIn, readExampleRecords } from "./examples.ts";
import { Kitchen } from "./kitchen.ts";

const docs = fileURLToPath(new URL("../../docs/", import.meta.url));
const records = readExampleRecords(readFileSync(join(docs, "rules.md"), "utf8"));
/** What the examples speak of beside the types of the default rules. */
const entityTypes = { salesforce: ["Account", "Contact", "Group", "User"], servicenow: ["sc_task", "sys_user", "sys_user_group"] };
let kitchen: Kitchen;

beforeAll(async () => {
  kitchen = await Kitchen.open();
});
afterAll(async () => {
  await kitchen.close();
});

describe.each([
  { file: "rules.md", least: 25 },
  { file: "from-exalate.md", least: 15 },
])("docs/$file", ({ file, least }) => {
  const text = readFileSync(join(docs, file), "utf8");
  const examples = examplesIn(text);
  const mappings = mappingsIn(text);
  const libraries = exampleLibraries(text);

  test("has examples, most of them with a result", () => {
    expect(examples.length).toBeGreaterThanOrEqual(least);
    expect(examples.filter(({ result }) => result !== undefined).length).toBeGreaterThan(examples.length / 2);
  });

  test.each(examples)("line $line: the $direction example for $platform is right", async ({ line, direction, platform, source, given, result }) => {
    const tables = Object.keys(mappings).length === 0 ? {} : { mappings };
    const program = await kitchen.compiled(`${file}:${line}`, source, { direction, platform, entityTypes: entityTypes[platform], ...tables }, libraries);
    expect(program).toHaveProperty("code");
    if (!("code" in program) || result === undefined) return;
    const sample = sampleOf(records.sample(direction, platform, given), `${file}:${line}`);
    const names = { salesforce: "SF", servicenow: "SN" };
    const connection = { name: "support", local: names[platform], remote: platform === "salesforce" ? names.servicenow : names.salesforce };
    const { outcome } = await runSample(kitchen.sandbox, program, sample, { connection, mappings });
    // An example's result is an outcome as it stands in sample files; what it is compared with has passed the schema of outcomes.
    expect(differences(result as unknown as Outcome, outcome).map((difference) => difference.text)).toEqual([]);
  });

  test("links to pages and headings that are there", () => {
    const broken = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target ?? "").filter((target) => !leadsSomewhere(file, target));
    expect(broken.filter((target) => !target.startsWith("https://"))).toEqual([]);
  });
});

test("the examples of docs/rules.md use every name that a rule finds, and every helper", () => {
  const sources = examplesIn(readFileSync(join(docs, "rules.md"), "utf8")).map(({ source }) => source);
  const helpers = [
    ...["comments.merge", "comments.add", "attachments.merge", "users.byEmail", "users.byUsername", "lookup.one", "lookup.many", "lookup.get"],
    ...["platform.get", "platform.request", "twins.localFor", "twins.isSynced", "text.toHtml", "text.toMarkdown", "text.toPlain", "changes.has"],
    ...["changes.comments.added", "changes.comments.edited", "changes.comments.removed", "changes.attachments", "replica.worklogs", "entity.internalComments"],
    ...["nodeHelper.getUserByEmail", "nodeHelper.getUserByUsername", "syncHelper.getLocalIssueKeyFromRemoteId", "syncHelper.syncBackAfterProcessing"],
    ...["httpClient.get", "commentHelper.mergeComments", "attachmentHelper.mergeAttachments", "console.log", "connection.local", "connection.remote"],
  ];
  // Worklogs can be read but not merged on the platforms that there are.
  for (const name of [...helpers, ...ambientNames.filter((each) => each !== "worklogs")]) {
    expect([name, sources.some((source) => new RegExp(`\\b${name.replaceAll(".", "\\.")}\\b`).test(source))]).toEqual([name, true]);
  }
});

function leadsSomewhere(file: string, target: string): boolean {
  const [path = "", heading] = target.split("#");
  const page = path === "" ? join(docs, file) : join(dirname(join(docs, file)), path);
  if (!existsSync(page)) return false;
  if (heading === undefined) return true;
  const headings = [...readFileSync(page, "utf8").matchAll(/^#+ (.+)$/gm)].map(([, title = ""]) =>
    title
      .toLowerCase()
      .replace(/[^\w -]/g, "")
      .replaceAll(" ", "-"),
  );
  return headings.includes(heading);
}
