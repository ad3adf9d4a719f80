import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { describe, expect } from "vitest";
import { download, expectCode, fileOf, type Stage, type Suite } from "./stage.ts";

const kept = [
  "plain.txt",
  "no extension",
  "two words.and.dots.tar.gz",
  "żółć 日本語 العربية 😀.txt",
  "e\u0301 combining.txt",
  'it\'s "quoted".txt',
  "a;b=c, d&e#f%20g+h?.txt",
  "100% sure.txt",
  "UPPER.TXT",
  `${"n".repeat(251)}.txt`,
] as const;

/** Names that try to be more than names; what is kept of them must still be the same name to a person. */
const odd = [
  "../../etc/passwd",
  "..\\..\\windows\\system.ini",
  "/absolute.txt",
  "line\nbreak.txt",
  "tab\tin.txt",
  "return\r\nX-Evil: 1.txt",
  " blanks around.txt ",
  ".hidden",
  "trailing dot.",
  "nul\u0000byte.txt",
] as const;

/** Bytes of every size under every name. */
export function attachmentCases({ it, facts, capabilities }: Suite): void {
  const added = async (stage: Stage, ...file: Parameters<typeof fileOf>) => {
    const id = await stage.done(fileOf(...file));
    const [ref] = file;
    const attachment = (await stage.entity(ref)).attachments.find((candidate) => candidate.id === id);
    if (attachment === undefined) throw new Error("the attachment that was added is not read");
    return attachment;
  };

  describe("an attachment", () => {
    for (const size of [0, 1, 65_536, 6_500_001]) {
      it(`of ${size} bytes comes back as it went`, async (stage) => {
        const ref = await stage.record("files");
        const content = bytes(size);
        const attachment = await added(stage, ref, "content.bin", content);
        expect(attachment.filesize).toBe(size);
        const back = await download(stage.connector, ref, attachment.id);
        expect([back.length, digest(back)]).toEqual([size, digest(content)]);
      });
    }

    for (const name of kept) {
      it(`named ${JSON.stringify(name.length > 60 ? `${name.slice(0, 3)}… (${name.length} characters)` : name)} keeps its name and bytes`, async (stage) => {
        const ref = await stage.record("files");
        const attachment = await added(stage, ref, name, Buffer.from(name));
        expect(attachment.filename).toBe(name);
        expect((await download(stage.connector, ref, attachment.id)).toString()).toBe(name);
      });
    }

    for (const name of odd) {
      it(`named ${JSON.stringify(name)} keeps its bytes, its name as far as a person can tell, and reaches nothing else`, async (stage) => {
        const ref = await stage.record("files");
        const operation = fileOf(ref, name, Buffer.from(name));
        const [outcome] = await stage.connector.write([operation]);
        expect(stage.proxy.requests.some(({ headers, path }) => "x-evil" in headers || path.includes("passwd/") || path.startsWith("/etc"))).toBe(false);
        if (outcome?.ok === false) {
          expectCode(stage.errorOf(outcome), ["VALIDATION", "BAD_REQUEST"], name);
          expect((await stage.entity(ref)).attachments).toEqual([]);
          return;
        }
        const [attachment] = (await stage.entity(ref)).attachments;
        expect(recognisable(attachment?.filename ?? "")).toBe(recognisable(name));
        expect((await download(stage.connector, ref, stage.idOf(outcome))).toString()).toBe(name);
      });
    }

    for (const [mimetype, expected] of [
      ["text/plain; charset=utf-8", "text/plain"],
      ['text/plain; charset="utf-8"; name="a;b c.txt"', "text/plain"],
      ["", "text/plain"],
      ["nonsense", "text/plain"],
      ["text/plain\r\nX-Evil: 1", "text/plain"],
      ["text/plain; name=日本", "text/plain"],
    ] as const) {
      it(`of the type ${JSON.stringify(mimetype)} is taken, and the type starts no header of its own`, async (stage) => {
        const ref = await stage.record("files");
        const attachment = await added(stage, ref, "typed.txt", Buffer.from("typed"), mimetype);
        if (mimetype.startsWith("text/")) expect(attachment.mimetype.startsWith(expected), attachment.mimetype).toBe(true);
        expect(stage.proxy.requests.some(({ headers }) => "x-evil" in headers)).toBe(false);
        expect((await download(stage.connector, ref, attachment.id)).toString()).toBe("typed");
      });
    }

    it("among several with the same name keeps its own bytes", async (stage) => {
      const ref = await stage.record("files");
      const outcomes = await stage.connector.write(["one", "two", "three"].map((text) => fileOf(ref, "same.txt", Buffer.from(text))));
      const ids = outcomes.map((outcome) => stage.idOf(outcome));
      expect(new Set(ids).size).toBe(3);
      expect(await Promise.all(ids.map(async (id) => (await download(stage.connector, ref, id)).toString()))).toEqual(["one", "two", "three"]);
    });

    for (const size of [200_000, 6_500_000]) {
      it(`whose ${size} bytes break off before they are sent is not kept as if it were whole`, async (stage) => {
        const ref = await stage.record("files");
        const operation = { ...fileOf(ref, "broken.bin", bytes(size)), open: async () => Readable.from(breaking(size), { objectMode: false }) };
        const error = await stage.refusal(operation);
        const held = (await stage.entity(ref, stage.bystander)).attachments;
        if (held.length > 0) expect(error.uncertain, "half a file is there and nobody says so").toBe(true);
        expect(held.filter(({ filesize }) => filesize === size)).toEqual([]);
      });
    }

    it("whose bytes cannot be opened fails alone, certainly not done", async (stage) => {
      const ref = await stage.record("files");
      const closed = { ...fileOf(ref, "closed.bin", bytes(10)), open: () => Promise.reject(new Error("the other side is away")) };
      const [bad, good] = await stage.connector.write([closed, fileOf(await stage.record("other"), "open.txt", Buffer.from("open"))]);
      expect(stage.errorOf(bad).uncertain).toBe(false);
      expect(good?.ok).toBe(true);
      expect((await stage.entity(ref)).attachments).toEqual([]);
    });

    it("whose download breaks off fails in the stream, and is never taken for a shorter file", async (stage) => {
      const ref = await stage.record("files");
      const content = bytes(300_000);
      const { id } = await added(stage, ref, "long.bin", content);
      let calls = 0;
      stage.meddle(() => {
        calls++;
        return { kind: "truncated" };
      });
      await expect(download(stage.connector, ref, id)).rejects.toThrow();
      expect(calls).toBeGreaterThan(0);
      stage.meddle((request) =>
        request.method === "GET" && !facts.isSignIn(request) && request.path.includes("?") === false ? { kind: "truncated" } : undefined,
      );
      await expect(download(stage.connector, ref, id)).rejects.toThrow();
      stage.meddle();
      expect((await download(stage.connector, ref, id)).equals(content)).toBe(true);
    });

    it("that is not there, or never was one, is NOT_FOUND_OR_HIDDEN or BAD_REQUEST", async (stage) => {
      const ref = await stage.record("files");
      for (const id of [facts.unknownId, "", "../../x", "nothing"])
        expectCode(await stage.failure(download(stage.connector, ref, id)), ["NOT_FOUND_OR_HIDDEN", "BAD_REQUEST", "DELETED"], id);
    });

    if (capabilities.removeAttachment) {
      it("that is removed is gone, the others stay, and removing it again harms nothing", async (stage) => {
        const ref = await stage.record("files");
        const [one, two] = [await added(stage, ref, "one.txt", Buffer.from("1")), await added(stage, ref, "two.txt", Buffer.from("2"))];
        await stage.done({ kind: "removeAttachment", ref, attachmentId: one.id });
        expect((await stage.entity(ref)).attachments.map(({ id }) => id)).toEqual([two.id]);
        const [again] = await stage.connector.write([{ kind: "removeAttachment", ref, attachmentId: one.id }]);
        if (again?.ok === false) expectCode(stage.errorOf(again), ["NOT_FOUND_OR_HIDDEN", "DELETED"], "remove again");
        expect((await stage.entity(ref)).attachments.map(({ id }) => id)).toEqual([two.id]);
      });
    }
  });
}

function bytes(size: number): Buffer {
  const content = Buffer.alloc(size);
  for (let n = 0; n < size; n++) content[n] = (n * 31 + (n >> 8)) & 0xff;
  return content;
}

async function* breaking(size: number): AsyncGenerator<Buffer> {
  yield bytes(Math.floor(size / 2));
  throw new Error("the other side hung up");
}

function digest(content: Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}

/** The last part of a path, with everything that is not shown taken for a blank. */
function recognisable(name: string): string {
  const last = name.split(/[\\/]/).at(-1) ?? "";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what this is about
  return last.replace(/[\u0000-\u001f\u007f_ ]+/g, " ").trim();
}
