import { describe, expect, test } from "vitest";
import { mappingOf } from "../rules/prelude/mapping.ts";
import { sampleOf } from "../rules/samples/sample.ts";
import { parseConfiguration } from "./file.ts";
import { parseMappings, turned } from "./mappings.ts";

describe("a mappings.yaml", () => {
  test("is read in both directions, one-way rows in their own alone", () => {
    const { tables, problems } = parseMappings(
      `priority:
  rows: { "1": High, 2: Medium, 3: Low }
  outgoing: { "4": Low }
  incoming: { Urgent: "1" }
  otherwise: Medium
flags: { rows: { yes: true, no: false } }
`,
      "mappings.yaml",
    );
    expect(problems).toEqual([]);
    expect(tables).toEqual({
      priority: {
        outgoing: { "1": "High", "2": "Medium", "3": "Low", "4": "Low" },
        incoming: { High: "1", Medium: "2", Low: "3", Urgent: "1" },
        otherwise: "Medium",
      },
      flags: { outgoing: { yes: true, no: false }, incoming: { true: "yes", false: "no" } },
    });
    expect(turned(tables)["priority"]?.outgoing).toEqual(tables["priority"]?.incoming);
  });

  test("answers any JSON; what a row answers with a name is read back by that name", () => {
    const text = `team:
  rows: { a: { name: Alpha, id: 7 }, b: Beta }
  outgoing: { c: [1, { x: null }], d: null }
  otherwise: { name: Nobody }
`;
    const { tables, problems } = parseMappings(text, "mappings.yaml");
    expect(problems).toEqual([]);
    expect(tables["team"]).toEqual({
      outgoing: { a: { name: "Alpha", id: 7 }, b: "Beta", c: [1, { x: null }], d: null },
      incoming: { Alpha: "a", Beta: "b" },
      otherwise: { name: "Nobody" },
    });
    const sample = { direction: "outgoing", entity: { entityType: "incident" }, mappings: tables };
    expect(sampleOf(sample, "sample").mappings).toEqual(tables);
    // The rule finds what the table was made for, in both directions.
    expect(mappingOf("outgoing", tables)("team", "a")).toEqual({ name: "Alpha", id: 7 });
    expect(mappingOf("incoming", tables)("team", { name: "Alpha", id: 8 })).toBe("a");
    expect(mappingOf("incoming", tables)("team", "Gamma")).toEqual({ name: "Nobody" });
  });

  test.each<[string, string, RegExp]>([
    ["a value that stands twice", "p:\n  rows:\n    a: x\n    a: y\n", /^m\.yaml:4:5: this key stands here twice$/],
    ["a table that stands twice", "p: {}\np: {}\n", /^m\.yaml:2:1: this key stands here twice$/],
    [
      "two values with one partner",
      "p:\n  rows:\n    a: x\n    b: x\n",
      /^m\.yaml:4:5: p\.rows\.b: "x" is the partner of "a" already.*put this row under outgoing/,
    ],
    ["two values whose partners differ in type alone", "p:\n  rows:\n    a: 1\n    b: '1'\n", /^m\.yaml:4:5: p\.rows\.b: "1" is the partner of "a" already/],
    [
      "an outgoing row for a value of rows",
      "p:\n  rows: { a: x }\n  outgoing:\n    a: y\n",
      /^m\.yaml:4:5: p\.outgoing\.a: "a" has an answer in rows already: "x"$/,
    ],
    ["an incoming row for a value of rows", "p:\n  rows: { a: x }\n  incoming: { x: b }\n", /^m\.yaml:3:15: p\.incoming\.x: "x" has an answer in rows already/],
    ["an unknown key", "p:\n  rowz: {}\n", /^m\.yaml:2:3: p\.rowz: is not a known key here/],
    ["a row that could not be read back", "p:\n  rows:\n    a: [1]\n", /^m\.yaml:3:5: p\.rows\.a: \[1\] could not be read back.*put this row under outgoing$/],
    ["a row whose partner is nothing", "p:\n  rows:\n    a: null\n", /^m\.yaml:3:5: p\.rows\.a: null could not be read back/],
    ["two partners of one name", "p:\n  rows:\n    a: { name: x, id: 1 }\n    b: x\n", /^m\.yaml:4:5: p\.rows\.b: "x" is the partner of "a" already/],
    [
      "a value that is no JSON",
      "p:\n  outgoing:\n    a: .inf\n",
      /^m\.yaml:3:5: p\.outgoing\.a: must be text, a number, true, false, null, a list or an object/,
    ],
    ["broken YAML", "p: [", /^m\.yaml:\d+:\d+: this is not valid YAML/],
  ])("with %s is refused with file, line, column and why", (_what, text, expected) => {
    expect(parseMappings(text, "m.yaml").problems.join("\n")).toMatch(expected);
  });
});

const file = (mappings: string, side = ""): string => `version: 1
instances:
  desk: { platform: servicenow, url: "https://acme.service-now.com", auth: { type: basic, username: sync }, secrets: { password: { env: P } } }
connections:
  support:
    mappings: ${mappings}
    runs: { keepDays: 7, keep: 500 }
    left: { instance: desk, name: A, redact: [ssn, salary, ssn]${side} }
    right: { instance: desk, name: B }
`;

test("a connection's tables are written left to right, and each side reads them from where it stands", () => {
  const [connection] = parseConfiguration(file("{ priority: { rows: { a: b } } }", ", mappings: { own: { rows: { x: y } } }"), "isobridge.yaml").connections;
  expect(connection?.left.mappings).toEqual({ priority: { outgoing: { a: "b" }, incoming: { b: "a" } }, own: { outgoing: { x: "y" }, incoming: { y: "x" } } });
  expect(connection?.right.mappings).toEqual({ priority: { outgoing: { b: "a" }, incoming: { a: "b" } } });
  expect(connection).toMatchObject({ keepRunsDays: 7, keepRuns: 500, left: { redact: ["salary", "ssn"] }, right: { redact: [] } });
});

test("tables in the configuration file that cannot be read back, or have one name twice, are refused with their place", () => {
  expect(() => parseConfiguration(file("{ priority: { rows: { a: x, b: x } } }"), "isobridge.yaml")).toThrow(
    /isobridge\.yaml:6:\d+: connections\.support\.mappings\.priority\.rows\.b: "x" is the partner of "a" already/,
  );
  expect(() => parseConfiguration(file("{ priority: {} }", ", mappings: { priority: {} }"), "isobridge.yaml")).toThrow(
    /connections\.support\.left\.mappings\.priority: is a table of the connection already/,
  );
});
