import { describe, expect } from "vitest";
import { commentOf, expectCode, type Suite } from "./stage.ts";

const texts: readonly (readonly [string, string])[] = [
  ["four-byte characters and joined emoji", "😀 👩‍👩‍👧‍👦 🏴󠁧󠁢󠁳󠁣󠁴󠁿 𝒳 end"],
  ["right-to-left text and its marks", "שלום \u202eabc\u202c العربية \u200f end"],
  ["combining characters, not composed", "e\u0301 a\u030a n\u0303 end"],
  ["composed characters, not decomposed", "é å ñ end"],
  ["CJK, Cyrillic, Thai", "日本語 中文 한국어 Кириллица ไทย end"],
  ["quotes, backslashes and brackets of every language", 'it\'s "q" `b` \\ \\\\ \\n #{x} {{x}} <b>&amp;</b> <script> %20 %s ; -- /* end'],
  ["texts that look like values", "null"],
  ["a zero", "0"],
  ["a word for no", "false"],
  ["something like JSON", '{"a":[1,"b"]}'],
  ["separators of lines that are not line ends", "a\u2028b\u2029c\u0085d end"],
  ["a soft hyphen, a zero-width blank, a byte order mark", "a\u00adb\u200bc\ufeffd end"],
  ["non-breaking blanks inside", "a\u00a0b\u3000c end"],
  ["tabs", "a\tb end"],
];
const longer: readonly (readonly [string, string])[] = [
  ["line feeds", "one\ntwo\n\nthree"],
  ["carriage returns with line feeds", "one\r\ntwo\r\n\r\nthree"],
  ["blanks at both ends", "  in the middle  "],
  ["line ends at both ends", "\n\nin the middle\n\n"],
  ["nearly four thousand characters", `${"0123456789 äöü ".repeat(180)}end`],
];

/** Texts come back as they went, but for what the platform itself is known to change. */
export function textCases({ it, facts }: Suite): void {
  const { title, longText } = facts.fields;
  describe("a text with", () => {
    for (const [what, text] of [...texts, ...longer]) {
      it(`${what} comes back as it went from a field, a comment and somebody else's hand, and writing it again changes nothing`, async (stage) => {
        const fields = { [longText]: text, ...(text.includes("\n") || text.length > 100 ? {} : { [title]: text }) };
        const kept = Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, facts.keeps(value)]));
        const [outcome] = await stage.connector.write([stage.createOf("text", fields)]);
        const ref = { type: stage.type, id: stage.idOf(outcome) };
        expect(outcome).not.toHaveProperty("dropped.0");
        expect((await stage.entity(ref)).fields).toMatchObject(kept);

        await stage.done(commentOf(ref, text));
        const theirs = await stage.record("theirs", fields);
        await stage.people.comment(theirs, text, false);
        const read = await stage.entity(theirs);
        expect(read.fields).toMatchObject(kept);
        for (const { comments } of [read, await stage.entity(ref)]) expect(comments.map(({ body }) => normal(body))).toEqual([normal(facts.keeps(text))]);

        const [again] = await stage.connector.write([
          { kind: "update", ref: theirs, fields: Object.fromEntries(Object.keys(fields).map((name) => [name, read.fields[name] ?? null])) },
        ]);
        stage.idOf(again);
        expect(again).not.toHaveProperty("dropped.0");
        expect((await stage.entity(theirs)).fields).toMatchObject(kept);
      });
    }

    for (const [what, character] of [
      ["a NUL", "\u0000"],
      ["half of a surrogate pair", "\ud83d"],
    ] as const) {
      it(`${what} in it is refused, or kept but for that character, and never cut off there`, async (stage) => {
        const text = `before${character}after`;
        const [outcome] = await stage.connector.write([stage.createOf("odd", { [longText]: text })]);
        if (outcome?.ok === false) {
          expectCode(stage.errorOf(outcome), ["VALIDATION", "BAD_REQUEST"], what);
          expect(await stage.titled("odd")).toEqual([]);
          return;
        }
        const entity = await stage.entity({ type: stage.type, id: stage.idOf(outcome) });
        // What stands for a character that cannot be kept is the platform's affair.
        const standIns = [character, "\ufffd", "?"];
        expect(standIns.reduce((rest, standIn) => rest.replaceAll(standIn, ""), String(entity.fields[longText]))).toBe("beforeafter");
      });
    }
  });
}

/** Journals and feeds may hold either kind of line end. */
function normal(text: string): string {
  return text.replaceAll("\r\n", "\n");
}
