import { describe, expect } from "vitest";
import type { Condition, Entity } from "../connector.ts";
import { ConnectorError } from "../errors.ts";
import { expectCode, type Stage, type Suite } from "./stage.ts";

/** Texts that break out of a query language where nobody escapes them. */
const hostile = [
  "it's",
  'say "so"',
  "back\\slash",
  "end\\",
  "\\'",
  "100%",
  "a_b",
  "*",
  "a^b",
  "a,b",
  "a@b",
  "' OR Id != '",
  "^ORsys_idISNOTEMPTY",
  "javascript:1",
  "a&b=c#d+e",
  "two\nlines",
  "ünï 日本 😀",
];

/** Records and people looked up by what they hold. */
export function lookupCases({ it, facts }: Suite): void {
  const { title } = facts.fields;
  const titles = (found: readonly Entity[]) => found.map(({ fields }) => fields[title]).toSorted();

  describe("looks up", () => {
    const cases: readonly (readonly [Condition["operator"], Condition["value"], readonly string[]])[] = [
      ["=", "beta", ["beta"]],
      ["!=", "beta", ["alpha", "alphabet", "gamma"]],
      ["in", ["alpha", "gamma", "delta"], ["alpha", "gamma"]],
      ["contains", "phab", ["alphabet"]],
      ["startsWith", "alph", ["alpha", "alphabet"]],
      [">", "beta", ["gamma"]],
      [">=", "beta", ["beta", "gamma"]],
      ["<", "alphabet", ["alpha"]],
      ["<=", "alphabet", ["alpha", "alphabet"]],
    ];
    it("records by each kind of condition", async (stage) => {
      for (const text of ["alpha", "alphabet", "beta", "gamma"]) await stage.record(text);
      for (const [operator, value, expected] of cases)
        expect(titles(await stage.connector.find(stage.type, [{ field: title, operator, value }], 50)), operator).toEqual(expected);
    });

    it("records that meet all conditions, and no more than wanted", async (stage) => {
      const [value, other] = facts.fields.choice.values;
      for (const [text, choice] of [
        ["one", value],
        ["two", value],
        ["three", other],
      ] as const)
        await stage.record(text, { [facts.fields.choice.name]: choice });
      const found = await stage.connector.find(
        stage.type,
        [
          { field: facts.fields.choice.name, operator: "=", value },
          { field: title, operator: "!=", value: "one" },
        ],
        50,
      );
      expect(titles(found)).toEqual(["two"]);
      expect(await stage.connector.find(stage.type, [], 2)).toHaveLength(2);
    });

    it("records whose field is empty, and those whose is not", async (stage) => {
      const { name } = facts.fields.reference;
      const { id } = await facts.referenced(stage.bystander);
      await stage.record("empty");
      await stage.record("filled", { [name]: id });
      for (const [operator, expected] of [
        ["=", "empty"],
        ["!=", "filled"],
      ] as const)
        expect(titles(await stage.connector.find(stage.type, [{ field: name, operator, value: null }], 50)), operator).toEqual([expected]);
    });

    it("nothing for an empty list, never everything", async (stage) => {
      await stage.record("one");
      expect(await stage.connector.find(stage.type, [{ field: title, operator: "in", value: [] }], 50)).toEqual([]);
    });

    it("nothing by a field that is not there: BAD_REQUEST, never everything", async (stage) => {
      await stage.record("one");
      for (const field of ["no_such_field", "NoSuch__c", "a=b", "constructor"])
        expectCode(await stage.failure(stage.connector.find(stage.type, [{ field, operator: "=", value: "one" }], 50)), ["BAD_REQUEST"], field);
    });

    for (const text of hostile) {
      it(`exactly ${JSON.stringify(text)}, or says that it cannot, and nothing else`, async (stage) => {
        for (const other of ["innocent", "ab", "axb", "100", "its", "a", "b"]) await stage.record(other);
        await stage.record(text);
        for (const operator of ["=", "in", "contains", "startsWith"] as const) {
          const found = await orRefused(
            stage,
            stage.connector.find(stage.type, [{ field: title, operator, value: operator === "in" ? [text, "nothing"] : text }], 50),
          );
          if (found !== undefined) expect(titles(found), operator).toEqual([facts.keeps(text)]);
        }
        expect(await orRefused(stage, stage.connector.findByKey(stage.type, text))).toBeUndefined();
        expect(await orRefused(stage, stage.connector.findUser({ email: text }))).toBeUndefined();
        expect(await orRefused(stage, stage.connector.findUser({ username: text }))).toBeUndefined();
      });
    }

    it("a record by the key that people use and by its id, and none by another", async (stage) => {
      const ref = await stage.record("keyed");
      const { key } = await stage.entity(ref);
      expect(await stage.connector.findByKey(stage.type, key)).toEqual(ref);
      expect(await stage.connector.findByKey(stage.type, ref.id)).toEqual(ref);
      for (const nothing of ["", " ", "nothing-like-this", facts.unknownId]) expect(await stage.connector.findByKey(stage.type, nothing)).toBeUndefined();
    });

    it("a person by e-mail and by user name, as comments name them, and nobody by another", async (stage) => {
      const ref = await stage.record("written");
      await stage.people.comment(ref, "me", false);
      const author = (await stage.entity(ref)).comments[0]?.author;
      const { email = "", username = "" } = (author?.email === undefined ? undefined : await stage.connector.findUser({ email: author.email })) ?? {};
      expect(await stage.connector.findUser({ email })).toMatchObject({ id: author?.id });
      expect(await stage.connector.findUser({ email: email.toUpperCase() })).toMatchObject({ id: author?.id });
      expect(await stage.connector.findUser({ username })).toMatchObject({ id: author?.id });
      for (const nobody of ["", "nobody@nowhere.example", email.slice(1)]) {
        expect(await stage.connector.findUser({ email: nobody })).toBeUndefined();
        expect(await stage.connector.findUser({ username: nobody })).toBeUndefined();
      }
    });
  });

  /** What cannot be said in the platform's language may be refused, but only in so many words. */
  async function orRefused<Value>(stage: Stage, work: Promise<Value>): Promise<Value | undefined> {
    try {
      return await work;
    } catch (error) {
      expectCode(stage.connectorError(error), ["BAD_REQUEST", "VALIDATION"], "a text that cannot be asked for");
      expect(error instanceof ConnectorError && error.uncertain).toBe(false);
      return undefined;
    }
  }
}
