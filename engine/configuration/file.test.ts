import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ConfigurationError, parseConfiguration } from "./file.ts";

const good = `version: 1
instances:
  sales:
    platform: salesforce
    url: https://acme.my.salesforce.com
    auth: { type: client-credentials, clientId: abc }
    secrets:
      clientSecret: { env: SALES_SECRET }
  helpdesk:
    platform: servicenow
    url: https://acme.service-now.com
    auth: { type: basic, username: sync }
    secrets:
      password: { file: secrets/helpdesk }
    poll: 30s
connections:
  support:
    left: { instance: sales, name: SF }
    right:
      instance: helpdesk
      name: SN
      triggers:
        - entityType: incident
          query: urgency=1
`;

function problemsOf(text: string): readonly string[] {
  try {
    parseConfiguration(text, "isobridge.yaml");
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems;
    throw error;
  }
  return [];
}

describe("a configuration file", () => {
  test("that is right says instances, connections and triggers", () => {
    const configuration = parseConfiguration(good, "/etc/isobridge/isobridge.yaml");
    expect(configuration.rulesFolder).toBe("/etc/isobridge/rules");
    expect(configuration.instances.map(({ name, platform, pollIntervalMs }) => ({ name, platform, pollIntervalMs }))).toEqual([
      { name: "sales", platform: "salesforce", pollIntervalMs: 15_000 },
      { name: "helpdesk", platform: "servicenow", pollIntervalMs: 30_000 },
    ]);
    expect(configuration.connections[0]).toMatchObject({
      name: "support",
      active: true,
      right: { name: "SN", triggers: [{ entityType: "incident", query: "urgency=1", active: true }] },
    });
  });

  test.each<[string, string, string, RegExp]>([
    ["an unknown key at the top", "connections:", "conections:", /^isobridge\.yaml:16:1: conections: is not a known key here/],
    [
      "an unknown key of an instance",
      "    url: https://acme.service-now.com",
      "    url: https://acme.service-now.com\n    usr: x",
      /^isobridge\.yaml:12:5: instances\.helpdesk\.usr: is not a known key here/,
    ],
    ["an unknown key of a sign-in", "username: sync }", "usrname: sync }", /isobridge\.yaml:12:\d+: instances\.helpdesk\.auth/],
    ["an unknown platform", "platform: servicenow", "platform: jira", /^isobridge\.yaml:10:5: instances\.helpdesk\.platform: .*salesforce.*servicenow/],
    [
      "a secret that stands in the file",
      "{ env: SALES_SECRET }",
      "hunter2",
      /^isobridge\.yaml:8:7: instances\.sales\.secrets\.clientSecret: must be \{env: NAME\} or \{file: path\}/,
    ],
    ["a missing secret", "      clientSecret: { env: SALES_SECRET }", "      {}", /instances\.sales\.secrets: the secret clientSecret is missing/],
    [
      "an instance that is not there",
      "instance: helpdesk",
      "instance: helpdeks",
      /^isobridge\.yaml:20:7: connections\.support\.right\.instance: there is no instance "helpdeks" in this file; did you mean "helpdesk"\?/,
    ],
    ["two sides of one name", "name: SN", "name: SF", /both sides are called "SF"/],
    ["a duration without a unit", "poll: 30s", "poll: 30", /isobridge\.yaml:15:5: instances\.helpdesk\.poll/],
    ["broken YAML", "version: 1", "version: [1", /^isobridge\.yaml:\d+:\d+: this is not valid YAML/],
    ["another version of the format", "version: 1", "version: 2", /^isobridge\.yaml:1:1: version: /],
    ["plain http to another machine", "https://acme.service-now.com", "http://acme.service-now.com", /instances\.helpdesk\.url: must be https/],
  ])("with %s is refused with file, line, column and what to do", (_what, from, to, expected) => {
    expect(good).toContain(from);
    const problems = problemsOf(good.replace(from, to));
    expect(problems.length).toBeGreaterThan(0);
    expect(problems.join("\n")).toMatch(new RegExp(expected.source, "m"));
  });

  test("that is empty says what is missing", () => {
    expect(problemsOf("").join("\n")).toMatch(/version/);
  });

  test("takes the tables that an administrator describes from a file, and says where that file is wrong", () => {
    const folder = mkdtempSync(join(tmpdir(), "isobridge-file-"));
    const path = join(folder, "isobridge.yaml");
    const text = good.replace("    poll: 30s", "    schema: { file: tables.yaml }");
    const said = (content?: string): unknown => {
      if (content !== undefined) writeFileSync(join(folder, "tables.yaml"), content);
      try {
        return parseConfiguration(text, path).instances.find(({ name }) => name === "helpdesk")?.config["schema"];
      } catch (error) {
        return error instanceof ConfigurationError ? error.problems.join() : error;
      }
    };
    expect(said()).toMatch(/isobridge\.yaml:15:5: instances\.helpdesk\.schema: the file .*tables\.yaml cannot be read \(ENOENT\)$/);
    expect(said("u_shipment:\n  fields:\n    u_code: { type: text }\n")).toEqual({ u_shipment: { fields: { u_code: { type: "text" } } } });
    expect(said("u_shipment: [\n")).toMatch(/tables\.yaml is not valid YAML: .*line/s);
    expect(said("u_shipment:\n  fields:\n    u_code: { type: colour }\n")).toMatch(/schema.*u_code/);
    rmSync(folder, { recursive: true });
  });

  test("never shows a secret that somebody wrote into it", () => {
    expect(problemsOf(good.replace("{ env: SALES_SECRET }", "hunter2")).join("\n")).not.toContain("hunter2");
  });
});
