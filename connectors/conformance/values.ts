import { describe, expect } from "vitest";
import type { Json } from "../connector.ts";
import { expectCode, type Stage, type Suite } from "./stage.ts";

/** Values of each type: empty, odd, too exact, and as rules give them. */
export function valueCases({ it, facts }: Suite): void {
  const { title, longText, choice, reference, boolean, integer, decimal, date, instant } = facts.fields;
  const emptyable: readonly string[] = [longText, reference.name, ...[integer, decimal?.name, date, instant].flatMap((name) => name ?? [])];
  const kept = async (stage: Stage, name: string, value: Json) => {
    const id = await stage.done(stage.createOf("value", { [name]: value }));
    return (await stage.entity({ type: stage.type, id })).fields[name];
  };

  describe("an empty field", () => {
    it("reads as null, is there, and stays so whether it is left out, null or an empty text", async (stage) => {
      const empty = Object.fromEntries(emptyable.map((name) => [name, null]));
      for (const [what, fields] of [
        ["left out", {}],
        ["null", empty],
        ["empty texts", Object.fromEntries(emptyable.map((name) => [name, ""]))],
      ] as const) {
        const [outcome] = await stage.connector.write([stage.createOf(`empty ${what}`, fields)]);
        const ref = { type: stage.type, id: stage.idOf(outcome) };
        expect(outcome, what).not.toHaveProperty("dropped.0");
        const { fields: read } = await stage.entity(ref);
        for (const name of emptyable) expect([name, read[name]], what).toEqual([name, null]);
        const [again] = await stage.connector.write([{ kind: "update", ref, fields: Object.fromEntries(emptyable.map((name) => [name, read[name] ?? null])) }]);
        expect(again, what).not.toHaveProperty("dropped.0");
        expect((await stage.entity(ref)).fields, what).toMatchObject(empty);
      }
    });

    for (const nothing of [null, ""] as const) {
      it(`is what ${JSON.stringify(nothing)} makes of a filled one, and a field that is left out stays filled`, async (stage) => {
        const target = await facts.referenced(stage.bystander);
        const filled: Record<string, Json> = {
          [longText]: "text",
          [reference.name]: target.id,
          ...(integer !== undefined && { [integer]: 7 }),
          ...(decimal !== undefined && { [decimal.name]: 7.5 }),
          ...(date !== undefined && { [date]: "2026-02-28" }),
          ...(instant !== undefined && { [instant]: "2026-02-28T12:00:00Z" }),
        };
        const ref = { type: stage.type, id: await stage.done(stage.createOf("filled", filled)) };
        await stage.done({ kind: "update", ref, fields: { [title]: "still filled" } });
        const before = (await stage.entity(ref)).fields;
        for (const name of emptyable) expect(before[name], name).not.toBeNull();
        const [outcome] = await stage.connector.write([{ kind: "update", ref, fields: Object.fromEntries(emptyable.map((name) => [name, nothing])) }]);
        stage.idOf(outcome);
        expect(outcome).not.toHaveProperty("dropped.0");
        expect((await stage.entity(ref)).fields).toMatchObject(Object.fromEntries(emptyable.map((name) => [name, null])));
      });
    }
  });

  describe("a choice", () => {
    it("is taken by value or by label, read by value, and shown by label", async (stage) => {
      for (const n of [0, 1] as const) {
        for (const given of [choice.values[n], choice.labels[n]]) {
          const id = await stage.done(stage.createOf("choice", { [choice.name]: given }));
          const entity = await stage.entity({ type: stage.type, id });
          expect([entity.fields[choice.name], entity.display[choice.name]]).toEqual([choice.values[n], choice.labels[n]]);
        }
      }
    });
  });

  describe("a reference", () => {
    it("is taken by id or as it was read, and read with id, name and type", async (stage) => {
      const target = await facts.referenced(stage.bystander);
      expect(await kept(stage, reference.name, target.id)).toEqual(target);
      expect(await kept(stage, reference.name, { ...target })).toEqual(target);
    });
  });

  if (boolean !== undefined) {
    describe("yes and no", () => {
      it("are booleans, and no is not empty", async (stage) => {
        for (const value of [true, false]) expect(await kept(stage, boolean, value)).toBe(value);
      });
    });
  }

  describe("a number", () => {
    if (integer !== undefined) {
      it("is a number, whole, negative or zero, and zero is not empty", async (stage) => {
        for (const value of [0, 1, -1, 2_147_483_647]) expect(await kept(stage, integer, value)).toBe(value);
        expect(await kept(stage, integer, "42")).toBe(42);
      });

      it("that is not whole does not become another whole one in silence", async (stage) => {
        await exactOrSaid(stage, integer, 1.5);
        await exactOrSaid(stage, integer, "1.5");
      });

      for (const digits of ["9007199254740993", "-9007199254740993", "123456789012345678"]) {
        it(`of ${digits}, beyond what JavaScript counts exactly, keeps each digit, or is refused, or is reported as dropped`, async (stage) => {
          await exactOrSaid(stage, integer, digits);
        });

        it(`of ${digits} that somebody else entered is read with each digit that the platform holds`, async (stage) => {
          const ref = await stage.record("exact", { [integer]: digits });
          const held = await stage.people.held(ref, integer);
          expect(String(await stage.field(ref, integer))).toBe(String(held));
        });
      }
    }
    if (decimal !== undefined) {
      it(`has its ${decimal.scale} digits after the point, no more and no fewer`, async (stage) => {
        for (const value of [0.5, -3.25, 1234567.75, 0]) expect(await kept(stage, decimal.name, value)).toBe(value);
        for (const value of [0.1, 0.3]) expect(await kept(stage, decimal.name, value)).toBe(value);
        expect(await kept(stage, decimal.name, "12.25")).toBe(12.25);
        await exactOrSaid(stage, decimal.name, 1 / 3);
      });
    }
  });

  if (date !== undefined) {
    describe("a date", () => {
      it("is the day that was given, wherever the account lives", async (stage) => {
        for (const day of ["2026-01-01", "2026-12-31", "2028-02-29", "1999-03-28"]) expect(await kept(stage, date, day)).toBe(day);
      });

      it("that is not in the calendar is refused or reported, never another day", async (stage) => {
        for (const day of ["2026-02-30", "2026-13-01"]) await exactOrSaid(stage, date, day);
      });
    });
  }

  if (instant !== undefined) {
    describe("an instant", () => {
      it("is the same second in UTC, however it was written", async (stage) => {
        for (const [given, utc] of [
          ["2026-07-13T17:28:40Z", "2026-07-13T17:28:40Z"],
          ["2026-07-13T17:28:40.000Z", "2026-07-13T17:28:40Z"],
          ["2026-07-13T17:28:40+02:00", "2026-07-13T15:28:40Z"],
          ["2026-03-29T01:30:00Z", "2026-03-29T01:30:00Z"],
          ["2026-10-25T01:30:00Z", "2026-10-25T01:30:00Z"],
          ["2026-12-31T23:59:59-08:00", "2027-01-01T07:59:59Z"],
        ] as const) {
          const read = await kept(stage, instant, given);
          expect(typeof read === "string" && read.endsWith("Z"), String(read)).toBe(true);
          expect(Date.parse(String(read))).toBe(Date.parse(utc));
        }
      });
    });
  }

  /** A value that cannot be kept must be refused or reported. */
  async function exactOrSaid(stage: Stage, name: string, value: number | string): Promise<void> {
    const [outcome] = await stage.connector.write([stage.createOf("exact", { [name]: value })]);
    if (outcome?.ok === false) {
      expectCode(stage.errorOf(outcome), ["VALIDATION"], String(value));
      return;
    }
    if (outcome?.dropped?.includes(name) === true) return;
    expect(String((await stage.entity({ type: stage.type, id: stage.idOf(outcome) })).fields[name])).toBe(String(value));
  }
}
