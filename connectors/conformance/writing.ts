import { describe, expect } from "vitest";
import type { WriteOperation } from "../connector.ts";
import type { ConnectorErrorCode } from "../errors.ts";
import { commentOf, expectCode, fileOf, type Suite } from "./stage.ts";

const refusedContent: readonly ConnectorErrorCode[] = ["VALIDATION", "BAD_REQUEST", "PERMISSION"];

/** Writes of every kind, alone and in batches, good and bad. */
export function writingCases({ it, facts, capabilities }: Suite): void {
  const { title, longText, choice } = facts.fields;

  describe("writes", () => {
    it("a new record with its fields and its marker", async (stage) => {
      const marker = crypto.randomUUID();
      const id = await stage.done(stage.createOf("made", { [longText]: "text", [choice.name]: choice.values[1] }, marker));
      const entity = await stage.entity({ type: stage.type, id });
      expect(entity.fields).toMatchObject({ [title]: "made", [longText]: "text", [choice.name]: choice.values[1] });
      expect(entity.display[choice.name]).toBe(choice.labels[1]);
      if (entity.marker !== undefined) expect(entity.marker).toBe(marker);
    });

    it("an update of the fields that are named and of no others", async (stage) => {
      const ref = await stage.record("before", { [longText]: "stays" });
      const before = await stage.entity(ref);
      await stage.done({ kind: "update", ref, fields: { [title]: "after" } });
      const after = await stage.entity(ref);
      expect(after.fields).toMatchObject({ [title]: "after", [longText]: "stays", [choice.name]: before.fields[choice.name] ?? null });
      expect(after.version).not.toBe(before.version);
    });

    it("comments, public and internal, with the id by which they are read", async (stage) => {
      const ref = await stage.record("commented");
      const open = await stage.done(commentOf(ref, "for all"));
      expect((await stage.entity(ref)).comments).toMatchObject([{ id: open, body: "for all", internal: false }]);
      if (!capabilities.internalComments) return;
      const internal = await stage.done(commentOf(ref, "for us", true));
      expect((await stage.entity(ref)).internalComments).toMatchObject([{ id: internal, body: "for us", internal: true }]);
    });

    it(capabilities.editComment ? "another text into a comment" : "no other text into a comment, as this platform cannot, and says so", async (stage) => {
      const ref = await stage.record("commented");
      const commentId = await stage.done(commentOf(ref, "frist"));
      const edit: WriteOperation = { kind: "editComment", ref, commentId, body: "first" };
      if (capabilities.editComment) {
        expect(await stage.done(edit)).toBe(commentId);
        expect((await stage.entity(ref)).comments).toMatchObject([{ id: commentId, body: "first" }]);
      } else {
        const error = await stage.refusal(edit);
        expectCode(error, refusedContent, "edit a comment");
        expect(error.uncertain).toBe(false);
      }
    });

    it(capabilities.removeComment ? "a comment away" : "no comment away, as this platform cannot, and says so", async (stage) => {
      const ref = await stage.record("commented");
      const commentId = await stage.done(commentOf(ref, "regretted"));
      const removal: WriteOperation = { kind: "removeComment", ref, commentId };
      if (capabilities.removeComment) {
        await stage.done(removal);
        expect((await stage.entity(ref)).comments).toEqual([]);
      } else {
        const error = await stage.refusal(removal);
        expectCode(error, refusedContent, "remove a comment");
        expect(error.uncertain).toBe(false);
      }
    });

    if (capabilities.impersonation) {
      it("a comment in the name of somebody else, who is read as its author", async (stage) => {
        const ref = await stage.record("commented");
        await stage.people.comment(ref, "mine", false);
        const author = (await stage.entity(ref)).comments[0]?.author?.id ?? "";
        const id = await stage.done({ ...commentOf(ref, "in your name"), author });
        const own = await stage.done(commentOf(ref, "in my own"));
        const authors = new Map((await stage.entity(ref)).comments.map((comment) => [comment.id, comment.author?.id]));
        expect([authors.get(id), authors.get(own) === author]).toEqual([author, false]);
      });
    }

    it("to one record in the order given, whatever the kinds", async (stage) => {
      const ref = await stage.record("start");
      const outcomes = await stage.connector.write([
        { kind: "update", ref, fields: { [title]: "one", [longText]: "one" } },
        commentOf(ref, "first"),
        { kind: "update", ref, fields: { [title]: "two" } },
        fileOf(ref, "between.txt", Buffer.from("between")),
        commentOf(ref, "second"),
        { kind: "update", ref, fields: { [title]: "three" } },
      ]);
      for (const outcome of outcomes) stage.idOf(outcome);
      const entity = await stage.entity(ref);
      expect([entity.fields[title], entity.fields[longText]]).toEqual(["three", "one"]);
      expect(entity.comments.map(({ body }) => body).toSorted()).toEqual(["first", "second"]);
      expect(outcomes.length).toBe(6);
    });

    it("nothing for an empty batch", async (stage) => {
      expect(await stage.connector.write([])).toEqual([]);
    });

    it("more records than go into one call, each with its own id", async (stage) => {
      const count = capabilities.batchSize + 3;
      const outcomes = await stage.connector.write(Array.from({ length: count }, (_, n) => stage.createOf(`number ${n}`)));
      const refs = outcomes.map((outcome) => ({ type: stage.type, id: stage.idOf(outcome) }));
      expect(new Set(refs.map(({ id }) => id)).size).toBe(count);
      const read = await stage.bystander.read(refs);
      expect(read.map((outcome) => outcome.ok && outcome.entity.fields[title])).toEqual(refs.map((_, n) => `number ${n}`));
    });
  });

  describe("writes a batch", () => {
    it("with good and bad items on the same records: each has its own outcome, and only the good ones are done", async (stage) => {
      const [a, b] = [await stage.record("a"), await stage.record("b")];
      const unknown = { type: stage.type, id: facts.unknownId };
      const [bad] = facts.refusals;
      const operations: readonly WriteOperation[] = [
        { kind: "update", ref: a, fields: { [title]: "a1" } },
        { kind: "update", ref: a, fields: bad?.fields ?? {} },
        commentOf(a, "a comment"),
        { kind: "update", ref: unknown, fields: { [title]: "nobody" } },
        commentOf(unknown, "nobody"),
        fileOf(unknown, "nobody.txt", Buffer.from("x")),
        { kind: "delete", ref: { type: stage.type, id: "not-an-id" } },
        stage.createOf("good new"),
        stage.createOf("bad new", bad?.fields ?? {}),
        { kind: "update", ref: b, fields: { no_such_field_x: "1" } },
        { kind: "update", ref: b, fields: { [title]: "b1" } },
        fileOf(b, "b.txt", Buffer.from("b")),
      ];
      const outcomes = await stage.connector.write(operations);
      expect(outcomes.map(({ ok }) => ok)).toEqual([true, false, true, false, false, false, false, true, false, false, true, true]);
      for (const outcome of outcomes) if (!outcome.ok) expect(stage.connectorError(outcome.error).uncertain).toBe(false);
      expect(outcomes[1]).toMatchObject({ error: { code: "VALIDATION" } });
      for (const n of [3, 4, 5]) expectCode(stage.errorOf(outcomes[n] as { ok: false }), ["NOT_FOUND_OR_HIDDEN"], `item ${n}`);
      const [readA, readB] = [await stage.entity(a, stage.bystander), await stage.entity(b, stage.bystander)];
      expect([readA.fields[title], readA.comments.map(({ body }) => body)]).toEqual(["a1", ["a comment"]]);
      expect([readB.fields[title], readB.attachments.map(({ filename }) => filename)]).toEqual(["b1", ["b.txt"]]);
      expect([(await stage.titled("good new")).length, await stage.titled("bad new")]).toEqual([1, []]);
    });

    it("of many good items and one bad one in any place: the bad one alone fails", async (stage) => {
      const [bad] = facts.refusals;
      for (const place of [0, 7, 14]) {
        const operations = Array.from({ length: 15 }, (_, n) => stage.createOf(`try ${place} item ${n}`, n === place ? (bad?.fields ?? {}) : {}));
        const outcomes = await stage.connector.write(operations);
        expect(outcomes.map(({ ok }) => ok)).toEqual(operations.map((_, n) => n !== place));
      }
    });
  });

  describe("is refused", () => {
    for (const { what, entityType, fields, names } of facts.refusals) {
      it(`${what}: VALIDATION that names ${names.join(" and ")}, nothing written, nothing uncertain`, async (stage) => {
        const error = await stage.refusal(
          entityType === undefined ? stage.createOf("refused", fields) : { kind: "create", entityType, fields, marker: "refused" },
        );
        expect([error.code, error.uncertain]).toEqual(["VALIDATION", false]);
        expect(error.fields).toEqual(expect.arrayContaining([...names]));
        if (entityType !== undefined) return;
        expect(await stage.titled("refused")).toEqual([]);
        const ref = await stage.record("kept");
        expect((await stage.refusal({ kind: "update", ref, fields })).code).toBe("VALIDATION");
      });
    }

    const unkept: readonly (readonly [string, string, string])[] = [
      ["a choice that is none", choice.name, choice.none],
      ["a field that is not there", "no_such_field_x", "1"],
      ["a field that nobody may write", facts.fields.readOnly, "1999-01-01T00:00:00Z"],
      ["a text longer than its field", facts.fields.limited.name, "x".repeat(facts.fields.limited.length + 10)],
      ["a reference to nothing", facts.fields.reference.name, facts.fields.reference.unknownId],
      ...(facts.fields.integer === undefined ? [] : [["words for a number", facts.fields.integer, "many"] as const]),
      ...(facts.fields.date === undefined ? [] : [["words for a date", facts.fields.date, "someday"] as const]),
      ...(facts.fields.instant === undefined ? [] : [["words for an instant", facts.fields.instant, "someday"] as const]),
      ...(facts.fields.boolean === undefined ? [] : [["words for yes or no", facts.fields.boolean, "perhaps"] as const]),
    ];
    for (const [what, field, value] of unkept) {
      it(`or reported as dropped: ${what}, never kept silently as something else`, async (stage) => {
        const ref = await stage.record("kept");
        const [outcome] = await stage.connector.write([{ kind: "update", ref, fields: { [field]: value } }]);
        if (outcome?.ok === true) expect(outcome.dropped).toContain(field);
        else {
          const error = stage.errorOf(outcome);
          expectCode(error, refusedContent, what);
          expect(error.uncertain).toBe(false);
          expect(error.message + error.fields.join()).toContain(field);
        }
      });
    }
  });
}
