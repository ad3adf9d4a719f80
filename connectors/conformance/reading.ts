import { describe, expect } from "vitest";
import { commentOf, download, expectCode, fileOf, type Suite } from "./stage.ts";

const iso = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

/** Records read whole, many at a time. */
export function readingCases({ it, facts, capabilities }: Suite): void {
  describe("reads", () => {
    it("a record whole: key, address, fields, comments oldest first, attachments, and who made them", async (stage) => {
      const ref = await stage.record("whole");
      const now = Date.now();
      for (const [n, text] of ["first", "second", "third"].entries()) {
        // Stamps may be whole seconds: within one there is no older and newer.
        await stage.administrator.stopClock(now + n * 2000);
        await stage.people.comment(ref, text, false);
      }
      if (capabilities.internalComments) await stage.people.comment(ref, "between us", true);
      await stage.people.attach(ref, "notes.txt", Buffer.from("hello"));
      const entity = await stage.entity(ref);
      expect(entity.ref).toEqual(ref);
      expect(entity.fields[facts.fields.title]).toBe("whole");
      expect(entity.key.trim()).not.toBe("");
      expect(URL.canParse(entity.url)).toBe(true);
      expect(entity.version).not.toBe("");
      expect(entity.comments.map(({ body, internal }) => [body, internal])).toEqual([
        ["first", false],
        ["second", false],
        ["third", false],
      ]);
      expect(entity.internalComments.map(({ body, internal }) => [body, internal])).toEqual(capabilities.internalComments ? [["between us", true]] : []);
      for (const { author, created, updated } of [...entity.comments, ...entity.internalComments]) {
        expect(author?.id ?? "").not.toBe("");
        expect([created, updated].every((stamp) => iso.test(stamp))).toBe(true);
      }
      expect(entity.attachments).toMatchObject([{ filename: "notes.txt", filesize: 5, created: expect.stringMatching(iso) }]);
      expect((await download(stage.connector, ref, entity.attachments[0]?.id ?? "")).toString()).toBe("hello");
    });

    it("what was asked, in the order of asking, the same record as often as it is named", async (stage) => {
      const [a, b] = [await stage.record("a"), await stage.record("b")];
      const gone = { type: stage.type, id: facts.unknownId };
      const outcomes = await stage.connector.read([b, gone, a, b, gone]);
      expect(outcomes.map((outcome) => (outcome.ok ? outcome.entity.fields[facts.fields.title] : outcome.error.code))).toEqual([
        "b",
        "NOT_FOUND_OR_HIDDEN",
        "a",
        "b",
        "NOT_FOUND_OR_HIDDEN",
      ]);
      expect(await stage.connector.read([])).toEqual([]);
    });

    for (const id of ["", "x", "../../x", "a,b", "'; DROP", "^ORsys_idISNOTEMPTY", "%", "日本語", `${facts.unknownId}0`, "\u0000"]) {
      it(`nothing for ${JSON.stringify(id)}, which cannot be an id, and the others all the same`, async (stage) => {
        const good = await stage.record("good");
        const [bad, read] = await stage.connector.read([{ type: stage.type, id }, good]);
        expectCode(stage.errorOf(bad), ["BAD_REQUEST", "NOT_FOUND_OR_HIDDEN"], id);
        expect(read).toMatchObject({ ok: true, entity: { ref: good } });
      });
    }

    it("more records than go into one call, each with its own content", async (stage) => {
      const count = capabilities.batchSize + 5;
      const created = await stage.bystander.write(Array.from({ length: count }, (_, n) => stage.createOf(`number ${n}`)));
      const refs = created.map((outcome) => ({ type: stage.type, id: stage.idOf(outcome) }));
      const outcomes = await stage.connector.read(refs);
      expect(outcomes.map((outcome) => outcome.ok && outcome.entity.fields[facts.fields.title])).toEqual(refs.map((_, n) => `number ${n}`));
    });

    it("the same version of a record until something of it changes: a field, a comment, an attachment", async (stage) => {
      const ref = await stage.record("versions");
      const versions = [await stage.entity(ref), await stage.entity(ref), await stage.entity(ref, stage.connect())].map(({ version }) => version);
      expect(new Set(versions).size).toBe(1);
      const seen = new Set(versions);
      const changes = [
        () => stage.people.edit(ref, { [facts.fields.title]: "versions changed" }),
        () => stage.people.comment(ref, "changed", false),
        () => stage.people.attach(ref, "changed.txt", Buffer.from("x")),
      ];
      for (const change of changes) {
        await change();
        const { version } = await stage.entity(ref);
        expect(seen.has(version), "a version of an earlier state").toBe(false);
        seen.add(version);
      }
    });

    it("two edits in the same second as two versions", async (stage) => {
      await stage.administrator.stopClock(Date.now());
      const ref = await stage.record("tie");
      const versions = new Set([(await stage.entity(ref)).version]);
      for (const title of ["tie 1", "tie 2"]) {
        await stage.people.edit(ref, { [facts.fields.title]: title });
        versions.add((await stage.entity(ref)).version);
      }
      expect(versions.size).toBe(3);
    });

    it("many comments and attachments of one record, all of them", async (stage) => {
      const ref = await stage.record("crowded");
      const comments = Array.from({ length: 40 }, (_, n) => `comment ${n}`);
      for (const outcome of await stage.bystander.write(comments.map((body) => commentOf(ref, body)))) stage.idOf(outcome);
      for (const outcome of await stage.bystander.write(Array.from({ length: 12 }, (_, n) => fileOf(ref, `file ${n}.txt`, Buffer.from(`${n}`)))))
        stage.idOf(outcome);
      const entity = await stage.entity(ref);
      expect(entity.comments.map(({ body }) => body).toSorted()).toEqual(comments.toSorted());
      expect(new Set(entity.comments.map(({ id }) => id)).size).toBe(40);
      expect(entity.attachments.map(({ filename }) => filename).toSorted()).toEqual(Array.from({ length: 12 }, (_, n) => `file ${n}.txt`).toSorted());
    });

    it("a path of the platform's own interface for rules that need more", async (stage) => {
      const answer = await stage.connector.request("GET", facts.freePath);
      expect(typeof answer === "object" && answer !== null).toBe(true);
    });
  });
}
