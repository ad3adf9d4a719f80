import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { caseOf, comesToRest, openFailures } from "./facts.ts";
import { openSyncWorld } from "./harness.ts";
import { seededRandom, seedOfThisRun } from "./seed.ts";

const pairs = 4;
const rounds = 5;
const editsPerRound = 24;

interface Pair {
  readonly name: string;
  readonly incident: string;
  readonly caseId: string;
  /** What each field held when the round began, and what each side wrote since. */
  readonly fields: Record<"summary" | "description", { readonly value: string; readonly desk: string[]; readonly sales: string[] }>;
  readonly comments: string[];
}

test("people who edit and comment on both sides at random, while two runners sync, lose nothing and end with the same records", async () => {
  const seed = seedOfThisRun();
  console.log(`seed ${seed}`);
  const random = seededRandom(seed);
  const world = await openSyncWorld({ left: random() < 0.5 ? "SF" : "SN", runners: 2 });
  try {
    const { desk, sales } = world;
    const all: Pair[] = [];
    for (let n = 0; n < pairs; n++) {
      const name = `Pair ${n}`;
      const incident = await desk.open({ short_description: name, description: "new", urgency: "1" });
      all.push({ name, incident, caseId: await caseOf(world, incident), fields: { summary: untouched(name), description: untouched("new") }, comments: [] });
    }
    await world.settled();
    for (let round = 0; round < rounds; round++) {
      for (let n = 0; n < editsPerRound; n++) {
        const pair = all[Math.floor(random() * all.length)];
        if (pair === undefined) continue;
        const side = random() < 0.5 ? "desk" : "sales";
        const what = (["summary", "description", "comment"] as const)[Math.floor(random() * 3)] ?? "comment";
        const text = `${pair.name} ${what} ${round}.${n} of ${side}`;
        if (what === "comment") {
          pair.comments.push(text);
          await (side === "desk" ? desk.change(pair.incident, { comments: text }) : sales.comment(pair.caseId, text));
        } else {
          pair.fields[what][side].push(text);
          if (side === "desk") await desk.change(pair.incident, what === "summary" ? { short_description: text } : { description: text });
          else await sales.change(pair.caseId, what === "summary" ? { Subject: text } : { Description: text });
        }
        if (random() < 0.4) await sleep(random() * 150);
      }
      await world.settled();
      for (const pair of all) {
        const incident = await desk.incident(pair.incident);
        const record = await sales.case(pair.caseId);
        for (const [name, there, here] of [
          ["summary", record["Subject"], incident["short_description"]],
          ["description", record["Description"], incident["description"]],
        ] as const) {
          const field = pair.fields[name];
          // Where both wrote the same field, one of their values stands. A field that one side alone wrote holds the last that it wrote.
          const mayBe =
            field.desk.length > 0 && field.sales.length > 0 ? [...field.desk, ...field.sales] : [[field.value, ...field.desk, ...field.sales].at(-1)];
          expect(there, `${pair.name}, round ${round}, ${name}`).toBe(here);
          expect(mayBe, `${pair.name}, round ${round}, ${name}`).toContain(here);
          pair.fields[name] = untouched(String(here));
        }
        for (const comments of [await desk.comments(pair.incident), await sales.comments(pair.caseId)]) {
          for (const comment of pair.comments)
            expect(
              comments.filter((text) => text.endsWith(comment)),
              comment,
            ).toHaveLength(1);
          expect(comments).toHaveLength(pair.comments.length);
        }
      }
    }
    expect(await openFailures(world)).toEqual([]);
    for (const pair of all) await comesToRest(world, pair.incident, pair.caseId);
  } finally {
    await world.close();
  }
});

function untouched(value: string): Pair["fields"]["summary"] {
  return { value, desk: [], sales: [] };
}
