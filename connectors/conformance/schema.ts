import { describe, expect } from "vitest";
import type { FieldType } from "../connector.ts";
import { expectCode, type Suite } from "./stage.ts";

/** What the connector says of an entity type. */
export function schemaCases({ it, facts }: Suite): void {
  const { fields } = facts;
  const roles: readonly (readonly [string | undefined, readonly FieldType[]])[] = [
    [fields.title, ["text", "longText"]],
    [fields.longText, ["text", "longText", "richText"]],
    [fields.choice.name, ["choice"]],
    [fields.boolean, ["boolean"]],
    [fields.integer, ["integer", "decimal"]],
    [fields.decimal?.name, ["decimal"]],
    [fields.date, ["date"]],
    [fields.instant, ["instant"]],
    [fields.reference.name, ["reference"]],
    [fields.limited.name, ["text", "longText"]],
  ];

  describe("describes an entity type", () => {
    it("with each field once, under its name, with a label and its type", async ({ connector }) => {
      const schema = await connector.describe(facts.entityType);
      expect([schema.entityType, schema.sampled]).toEqual([facts.entityType, false]);
      const names = schema.fields.map(({ name }) => name);
      expect(new Set(names).size).toBe(names.length);
      for (const [name, types] of roles) {
        if (name === undefined) continue;
        const field = schema.fields.find((candidate) => candidate.name === name);
        expect(field?.label.trim(), name).not.toBe("");
        expect(types, name).toContain(field?.type);
        expect(field?.readOnly, name).toBe(false);
      }
    });

    it("with the choices of a choice, the target of a reference, the limit of a text, and what nobody may write", async ({ connector }) => {
      const schema = await connector.describe(facts.entityType);
      const field = (name: string) => schema.fields.find((candidate) => candidate.name === name);
      const [value, other] = fields.choice.values;
      const [label, otherLabel] = fields.choice.labels;
      expect(field(fields.choice.name)?.choices).toEqual(
        expect.arrayContaining([
          { value, label },
          { value: other, label: otherLabel },
        ]),
      );
      expect(field(fields.choice.name)?.choices?.map((choice) => choice.value)).not.toContain(fields.choice.none);
      expect(field(fields.reference.name)?.references).toContain(fields.reference.type);
      expect(field(fields.limited.name)?.maxLength).toBe(fields.limited.length);
      expect(field(fields.readOnly)?.readOnly).toBe(true);
      expect(field(schema.statusField ?? "")?.type).toBe("choice");
    });

    it("so that each field of a record that was read is described", async (stage) => {
      const { fields: read } = await stage.entity(await stage.record("described"));
      const names = (await stage.connector.describe(stage.type)).fields.map(({ name }) => name);
      expect(Object.keys(read).filter((name) => !names.includes(name))).toEqual([]);
    });

    it("without asking again at once", async (stage) => {
      await stage.connector.describe(stage.type);
      const before = stage.connector.calls();
      await Promise.all([stage.connector.describe(stage.type), stage.connector.describe(stage.type)]);
      expect(stage.connector.calls()).toBe(before);
    });

    for (const unknown of ["", "NoSuchThing__x", "../../etc/passwd", "a b", "Case'; --", "incident^ORx=1", "\u0000", "日本", "constructor", "__proto__"]) {
      it(`and refuses ${JSON.stringify(unknown)}, which is none, as BAD_REQUEST`, async (stage) => {
        const error = await stage.failure(stage.connector.describe(unknown));
        expectCode(error, ["BAD_REQUEST"], unknown);
        expectCode(await stage.failure(stage.connector.poll({ entityType: unknown, query: "" }, undefined, 10)), ["BAD_REQUEST"], "poll");
        expectCode(await stage.failure(stage.connector.find(unknown, [], 1)), ["BAD_REQUEST"], "find");
        const write = await stage.refusal({ kind: "create", entityType: unknown, fields: { x: "y" }, marker: "m" });
        expectCode(write, ["BAD_REQUEST"], "create");
        expect(write.uncertain).toBe(false);
      });
    }
  });
}
