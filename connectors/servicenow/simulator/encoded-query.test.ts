import fc from "fast-check";
import { expect, test } from "vitest";
import { parseEncodedQuery } from "../encoded-query.ts";
import { type Condition, readEncodedQuery } from "./encoded-query.ts";

const field = fc.constantFrom("state", "number", "caller_id.email", "u_in", "sys_updated_on", "or_else", "nq_1");
const operator = fc.constantFrom(
  ..."= != < <= > >= LIKE * NOT LIKE !* STARTSWITH ENDSWITH % IN ISEMPTY ISNOTEMPTY EMPTYSTRING ANYTHING BETWEEN SAMEAS".split(" "),
  "NOT IN",
  "ONToday@",
  "NOTON",
);
const value = fc.constantFrom("", "1", "1,2", "LIKE", "IN", "NOT IN", "EQ", "=", "ORDERBYx", "ü", "a b", "javascript:gs.now()");
const term = fc.tuple(field, operator, value).map((parts) => parts.join(""));
const part = fc.oneof(
  { weight: 6, arbitrary: term },
  { weight: 3, arbitrary: term.map((text) => `OR${text}`) },
  { weight: 1, arbitrary: term.map((text) => `NQ${text}`) },
  { weight: 1, arbitrary: fc.constantFrom("NQ", "EQ", "", "ORDERBYnumber", "ORDERBYDESCstate", "GROUPBYstate", "?!", "State=1", "nothing") },
);

test("the instance and the connector read every encoded query alike", () => {
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
      const text = parts.join("^");
      const own = readEncodedQuery(text);
      const theirs = parseEncodedQuery(text);
      const plain = (condition: Condition) => (condition.kind === "term" ? [condition.field, condition.operator, condition.value] : [condition.kind]);
      expect(own.alternatives.map((groups) => groups.map((group) => group.map(plain)))).toEqual(
        theirs.alternatives.map(({ groups }) => groups.map((group) => group.map((one) => [one.field, one.operator, one.value]))),
      );
      expect(own.order).toEqual(theirs.order);
      expect(own.garbage.length).toBe(theirs.malformed.length);
    }),
    { numRuns: 2000 },
  );
});

test("a related list ends where it says so, a join where something else begins [D]", () => {
  expect(readEncodedQuery("active=true^RLQUERYincident.caller_id,>=2,m2m^state=1^ORstate=2^ENDRLQUERY^name=x")).toMatchObject({
    alternatives: [
      [
        [{ field: "active" }],
        [{ kind: "related", table: "incident", field: "caller_id", operator: ">=", count: 2, conditions: [[[{ value: "1" }, { value: "2" }]]] }],
        [{ field: "name" }],
      ],
    ],
  });
  expect(readEncodedQuery("JOINincident.sys_id=sys_attachment.table_sys_id!file_name=a^size_bytes>1^ORDERBYnumber")).toMatchObject({
    alternatives: [
      [[{ kind: "join", own: "sys_id", table: "sys_attachment", field: "table_sys_id", conditions: [[[{ field: "file_name" }], [{ field: "size_bytes" }]]] }]],
    ],
    order: [{ field: "number" }],
  });
});
