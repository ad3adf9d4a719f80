import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseEncodedQuery, parseTerm } from "./encoded-query.ts";

describe("terms", () => {
  test.each([
    ["stateNOT IN1,2", "state", "NOT IN", "1,2"],
    ["nameISNOTEMPTY", "name", "ISNOTEMPTY", ""],
    ["xENDSWITHLIKE", "x", "ENDSWITH", "LIKE"],
    ["impact<=2", "impact", "<=", "2"],
    ["caller_id.email=a@b.c", "caller_id.email", "=", "a@b.c"],
    [
      "sys_created_onONToday@javascript:gs.beginningOfToday()@javascript:gs.endOfToday()",
      "sys_created_on",
      "ON",
      "Today@javascript:gs.beginningOfToday()@javascript:gs.endOfToday()",
    ],
    ["sys_class_nameINSTANCEOFtask", "sys_class_name", "INSTANCEOF", "task"],
    ["short_descriptionNOT LIKEx", "short_description", "NOT LIKE", "x"],
    ["u_a=", "u_a", "=", ""],
    ["123TEXTQUERY321=mail down", "123TEXTQUERY321", "=", "mail down"],
  ])("%s is read with its longest operator", (text, field, operator, value) => {
    expect(parseTerm(text)).toEqual({ field, operator, value, text });
  });

  test.each([["State=1"], ["state"], ["=1"], [""], ["state like x"], ["a b=1"]])("“%s” is no term", (text) => {
    expect(parseTerm(text)).toBeUndefined();
  });
});

describe("queries", () => {
  const shape = (text: string) => parseEncodedQuery(text).alternatives.map(({ groups }) => groups.map((group) => group.map(({ text: term }) => term)));

  test("OR binds to the term before it", () => expect(shape("a=1^ORb=2^c=3")).toEqual([[["a=1", "b=2"], ["c=3"]]]));
  test("NQ starts another alternative", () =>
    expect(shape("a=1^b=2^NQc=3^d=4")).toEqual([
      [["a=1"], ["b=2"]],
      [["c=3"], ["d=4"]],
    ]));
  test("an empty query has one alternative without terms", () => expect(shape("")).toEqual([[]]));

  test("orders and groupings are no conditions, and are left out of the alternatives' text", () => {
    const query = parseEncodedQuery("a=1^ORDERBYDESCsys_updated_on^ORDERBYnumber^GROUPBYstate^EQ");
    expect(query.order).toEqual([
      { field: "sys_updated_on", descending: true },
      { field: "number", descending: false },
    ]);
    expect([query.groupBy, query.alternatives.map(({ text }) => text)]).toEqual([["state"], ["a=1"]]);
  });

  test("related lists and joins are passed over", () => {
    const query = parseEncodedQuery("a=1^RLQUERYtask_sla.task,>=1^stage=x^ENDRLQUERY^JOINincident.caller_id=sys_user.sys_id!active=true");
    expect(query.opaque).toHaveLength(4);
    expect([query.malformed, query.alternatives[0]?.groups.length]).toEqual([[], 1]);
  });

  test("garbage is named", () => expect(parseEncodedQuery("a=1^what?^b=2").malformed).toEqual(["what?"]));

  test("the text of the alternatives, joined again, means the same", () => {
    const term = fc.constantFrom("a=1", "bISEMPTY", "cNOT IN1,2", "d.eLIKEx y", "OrderLIKE", "f=NQ", "g=OR1");
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom("^", "^OR", "^NQ"), term), { minLength: 1 }), (parts) => {
        const text = parts.map(([joint, part]) => joint + part).join("");
        const once = parseEncodedQuery(text);
        expect(parseEncodedQuery(once.alternatives.map((alternative) => alternative.text).join("^NQ")).alternatives).toEqual(once.alternatives);
      }),
    );
  });
});
