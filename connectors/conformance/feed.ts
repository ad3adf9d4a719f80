import { describe, expect } from "vitest";
import type { EntityRef } from "../connector.ts";
import { follow, followToRest, idsOf, latestStates } from "./follow.ts";
import { expectCode, type Stage, type Suite } from "./stage.ts";

const minute = 60_000;

/** The change feed: what is new since a cursor, whatever the clock and the database do to it. */
export function feedCases({ it, facts }: Suite): void {
  const watch = { entityType: facts.entityType, query: "" };
  const { title } = facts.fields;
  const records = async (stage: Stage, count: number, name = "record") => {
    const refs: EntityRef[] = [];
    for (let n = 0; n < count; n++) refs.push(await stage.record(`${name} ${n}`));
    return refs;
  };
  const past = () => new Date(Date.now() - 10 * minute).toISOString();
  const ids = (refs: readonly EntityRef[]) => refs.map(({ id }) => id).toSorted();

  describe("watches", () => {
    it("from now on where no start is given, and each change after that", async (stage) => {
      const now = Date.now();
      await stage.administrator.stopClock(now - minute);
      const [before] = await records(stage, 1);
      await stage.administrator.stopClock(now);
      const { cursor } = await follow(stage.connector, watch, {});
      await stage.administrator.stopClock(now + 5000);
      const after = await records(stage, 2);
      const first = await follow(stage.connector, watch, { cursor });
      expect(idsOf(first.changes).toSorted()).toEqual(ids(after));
      await stage.administrator.stopClock(now + 9000);
      await stage.people.edit(before as EntityRef, { [title]: "changed" });
      const second = await follow(stage.connector, watch, { cursor: first.cursor });
      expect(idsOf(second.changes)).toContain(before?.id);
    });

    it("from an instant in the past, and nothing from one in the future", async (stage) => {
      const refs = await records(stage, 3);
      expect(idsOf((await follow(stage.connector, watch, { since: past() })).changes).toSorted()).toEqual(ids(refs));
      const future = new Date(Date.now() + 60 * minute).toISOString();
      expect((await follow(stage.connector, watch, { since: future })).changes).toEqual([]);
    });

    it("with the version that read gives, and oldest first", async (stage) => {
      const now = Date.now() - minute;
      const refs: EntityRef[] = [];
      for (let n = 0; n < 4; n++) {
        await stage.administrator.stopClock(now + n * 2000);
        refs.push(await stage.record(`record ${n}`));
      }
      const { changes } = await follow(stage.connector, watch, { since: past() });
      expect(changes.map(({ ref }) => ref)).toEqual(refs);
      for (const { ref, version } of changes) expect((await stage.entity(ref)).version).toBe(version);
    });

    for (const limit of [1, 7]) {
      it(`23 records that share one second, by pages of ${limit}`, async (stage) => {
        await stage.administrator.stopClock(Date.now() - minute);
        const refs = await records(stage, 23);
        await stage.administrator.stopClock(null);
        const { changes } = await follow(stage.connector, watch, { since: past() }, limit);
        expect(idsOf(changes).toSorted()).toEqual(ids(refs));
      });
    }

    it("records of one second of which some were made after the first were told of", async (stage) => {
      await stage.administrator.stopClock(Date.now() - minute);
      const early = await records(stage, 5, "early");
      const first = await follow(stage.connector, watch, { since: past() }, 2);
      const late = await records(stage, 5, "late");
      await stage.people.edit(early[0] as EntityRef, { [title]: "again" });
      const second = await follow(stage.connector, watch, { cursor: first.cursor }, 2);
      const all = [...first.changes, ...second.changes];
      expect(idsOf(all).toSorted()).toEqual(ids([...early, ...late]));
      expect(latestStates(all).get(early[0]?.id ?? "")).toBe((await stage.entity(early[0] as EntityRef)).version);
    });

    it("a record that was stamped before others and committed after them", async (stage) => {
      const now = Date.now() - minute;
      await stage.administrator.stopClock(now);
      const { cursor } = await follow(stage.connector, watch, { since: past() });
      await stage.administrator.commitLate(6000);
      const late = await stage.record("late");
      await stage.administrator.commitLate(0);
      await stage.administrator.stopClock(now + 2000);
      const punctual = await stage.record("punctual");
      await stage.administrator.stopClock(now + 4000);
      const first = await follow(stage.connector, watch, { cursor });
      expect(idsOf(first.changes)).toEqual([punctual.id]);
      // Polls come often, and each may move on by the clock.
      const idle = await follow(stage.connector, watch, { cursor: first.cursor });
      await stage.administrator.stopClock(now + 7000);
      const second = await follow(stage.connector, watch, { cursor: idle.cursor });
      expect(idsOf(second.changes)).toContain(late.id);
    });

    it("an edit that was stamped before others and committed after them", async (stage) => {
      const now = Date.now() - minute;
      await stage.administrator.stopClock(now);
      const [ref] = await records(stage, 1);
      const first = await follow(stage.connector, watch, { since: past() });
      await stage.administrator.stopClock(now + 1000);
      await stage.administrator.commitLate(6000);
      await stage.people.edit(ref as EntityRef, { [title]: "late" });
      await stage.administrator.commitLate(0);
      await stage.administrator.stopClock(now + 3000);
      await stage.record("punctual");
      const second = await follow(stage.connector, watch, { cursor: first.cursor });
      const idle = await follow(stage.connector, watch, { cursor: second.cursor });
      await stage.administrator.stopClock(now + 8000);
      const third = await follow(stage.connector, watch, { cursor: idle.cursor });
      expect(latestStates([...first.changes, ...second.changes, ...third.changes]).get(ref?.id ?? "")).toBe((await stage.entity(ref as EntityRef)).version);
    });

    it("a comment alone and an attachment alone, of a record that nobody edited", async (stage) => {
      const now = Date.now() - minute;
      await stage.administrator.stopClock(now);
      const [commented, attached, quiet] = await records(stage, 3);
      const first = await follow(stage.connector, watch, { since: past() });
      await stage.administrator.stopClock(now + 30_000);
      await stage.people.comment(commented as EntityRef, "new", false);
      await stage.people.attach(attached as EntityRef, "new.txt", Buffer.from("new"));
      const second = await follow(stage.connector, watch, { cursor: first.cursor });
      expect(idsOf(second.changes).toSorted()).toEqual(ids([commented as EntityRef, attached as EntityRef]));
      expect(idsOf(second.changes)).not.toContain(quiet?.id);
    });

    it("and is silent when nothing happened, however often and however late it is asked", async (stage) => {
      const now = Date.now() - minute;
      await stage.administrator.stopClock(now);
      const refs = await records(stage, 4);
      await stage.people.comment(refs[0] as EntityRef, "hello", false);
      let { changes, cursor } = await follow(stage.connector, watch, { since: past() });
      const told = latestStates(changes);
      for (const later of [0, 500, 2000, 15_000, 45_000]) {
        await stage.administrator.stopClock(now + later);
        ({ changes, cursor } = await follow(stage.connector, watch, { cursor }));
        for (const { ref, version } of changes) expect(version, "a state that was told already").toBe(told.get(ref.id));
        if (later >= 15_000) expect(changes, "repeated long after").toEqual([]);
      }
    });

    it("a clock that jumps back, and loses nothing that is edited after the jump", async (stage) => {
      const now = Date.now();
      await stage.administrator.stopClock(now);
      const [ref] = await records(stage, 1);
      const first = await follow(stage.connector, watch, { since: past() });
      await stage.administrator.stopClock(now - 2000);
      await stage.people.edit(ref as EntityRef, { [title]: "earlier than before" });
      const second = await follow(stage.connector, watch, { cursor: first.cursor });
      expect(latestStates(second.changes).get(ref?.id ?? "")).toBe((await stage.entity(ref as EntityRef)).version);
    });

    it("only what fits the query, and a record from the moment when it begins to fit", async (stage) => {
      const { text, fits, misses } = facts.query;
      const queried = { entityType: stage.type, query: text };
      await stage.connector.checkQuery(queried);
      const [inside, outside] = [await stage.record("inside", fits), await stage.record("outside", misses)];
      await stage.people.comment(outside, "not for us", false);
      const first = await follow(stage.connector, queried, { since: past() });
      expect(idsOf(first.changes)).toEqual([inside.id]);
      await stage.people.edit(outside, fits);
      const second = await follow(stage.connector, queried, { cursor: first.cursor });
      expect(idsOf(second.changes)).toContain(outside.id);
    });

    for (const malformed of facts.query.malformed) {
      it(`nothing by ${JSON.stringify(malformed)}, which is no query: BAD_REQUEST, never everything`, async (stage) => {
        await stage.record("innocent");
        const queried = { entityType: stage.type, query: malformed };
        const error = await stage.failure(stage.connector.checkQuery(queried));
        expectCode(error, ["BAD_REQUEST"], malformed);
        expectCode(await stage.failure(stage.connector.poll(queried, undefined, 10, past())), ["BAD_REQUEST"], "poll");
      });
    }

    for (const cursor of ["", "garbage", "{}", "null", '{"v":99}', "[1]", '{"version":1,"floor":"x"}', "\u0000"]) {
      it(`not from the cursor ${JSON.stringify(cursor)}, which is none of its own: CURSOR_LOST`, async (stage) => {
        await stage.record("innocent");
        expectCode(await stage.failure(stage.connector.poll(watch, cursor, 10)), ["CURSOR_LOST"], cursor);
      });
    }
  });

  describe("resumes", () => {
    it("from every cursor that it ever gave, after a restart, without losing a change or making one up", async (stage) => {
      const now = Date.now() - 5 * minute;
      let at = now;
      const pass = async (ms: number) => {
        at += ms;
        await stage.administrator.stopClock(at);
      };
      await pass(0);
      const refs = await records(stage, 3, "old");
      const told: { readonly cursor: string; readonly states: ReadonlyMap<string, string> }[] = [];
      const states = new Map<string, string>();
      let cursor: string | undefined;
      const poll = async (limit: number) => {
        for (;;) {
          const page = await stage.connector.poll(watch, cursor, limit, new Date(now - minute).toISOString());
          for (const [id, state] of latestStates(page.changes)) states.set(id, state);
          cursor = page.cursor;
          told.push({ cursor, states: new Map(states) });
          if (!page.more) return;
        }
      };
      const steps: readonly (() => Promise<unknown>)[] = [
        () => stage.people.edit(refs[0] as EntityRef, { [title]: "edited" }),
        async () => refs.push(...(await records(stage, 4, "burst"))),
        () => stage.people.comment(refs[1] as EntityRef, "comment", false),
        () => stage.people.attach(refs[2] as EntityRef, "a.txt", Buffer.from("a")),
        async () => refs.push(await stage.record("lone")),
        () => stage.people.edit(refs[3] as EntityRef, { [title]: "edited too" }),
      ];
      await poll(2);
      for (const [n, step] of steps.entries()) {
        // Now within the second of the last step, now long after it.
        await pass(n % 2 === 0 ? 0 : 20_000);
        await step();
        await poll(2);
      }
      await pass(30_000);
      const known = new Set(refs.map(({ id }) => id));
      const final = new Map(await Promise.all(refs.map(async (ref) => [ref.id, (await stage.entity(ref)).version] as const)));
      expect(states).toEqual(final);
      // Knows nothing but the cursors, as after a restart.
      const restarted = stage.connect();
      for (const [n, from] of told.entries()) {
        const replayed = await followToRest(restarted, watch, { cursor: from.cursor }, 3);
        expect(idsOf(replayed.changes).filter((id) => !known.has(id))).toEqual([]);
        expect(new Map([...from.states, ...latestStates(replayed.changes)]), `from cursor ${n} of ${told.length}`).toEqual(final);
      }
    });

    it("twice from the same cursor with the same changes, as after a crash between poll and record", async (stage) => {
      await records(stage, 5);
      const page = await stage.connector.poll(watch, undefined, 2, past());
      const [one, two] = [await follow(stage.connect(), watch, { cursor: page.cursor }, 2), await follow(stage.connect(), watch, { cursor: page.cursor }, 2)];
      expect(latestStates(one.changes)).toEqual(latestStates(two.changes));
      expect(idsOf([...page.changes, ...one.changes])).toHaveLength(5);
    });

    it("from the cursors that earlier versions of it left behind", async (stage) => {
      const refs = await records(stage, 3);
      const cursors = facts.earlierCursors(past());
      expect(cursors.length).toBeGreaterThan(0);
      for (const cursor of cursors) {
        const { changes } = await follow(stage.connect(), watch, { cursor }, 2);
        expect(idsOf(changes).toSorted()).toEqual(ids(refs));
      }
    });

    it("with a cursor that stays small, whatever went through it", async (stage) => {
      await stage.administrator.stopClock(Date.now() - minute);
      for (const outcome of await stage.bystander.write(Array.from({ length: 150 }, (_, n) => stage.createOf(`bulk ${n}`)))) stage.idOf(outcome);
      await stage.administrator.stopClock(null);
      const first = await follow(stage.connector, watch, { since: past() }, 50);
      expect(idsOf(first.changes)).toHaveLength(150);
      const { cursor } = await follow(stage.connector, watch, { cursor: first.cursor }, 50);
      expect(cursor.length).toBeLessThan(5000);
    });
  });

  describe("while pages are read, it", () => {
    it("loses no record that is edited, made or commented on between two pages", async (stage) => {
      await stage.administrator.stopClock(Date.now() - minute);
      const refs = await records(stage, 9);
      const all = [...refs];
      const changes = [];
      let cursor: string | undefined;
      for (let n = 0; ; n++) {
        const page = await stage.connector.poll(watch, cursor, 2, past());
        changes.push(...page.changes);
        cursor = page.cursor;
        if (n < 3) {
          await stage.people.edit(refs[n] as EntityRef, { [title]: `edited ${n}` });
          await stage.people.edit(refs[8 - n] as EntityRef, { [title]: `edited ${8 - n}` });
          await stage.people.comment(refs[4] as EntityRef, `comment ${n}`, false);
          all.push(await stage.record(`new ${n}`));
        }
        if (!page.more && n >= 3) break;
      }
      changes.push(...(await followToRest(stage.connector, watch, { cursor }, 2)).changes);
      const told = latestStates(changes);
      for (const ref of all) expect(told.get(ref.id)).toBe((await stage.entity(ref)).version);
    });

    it("loses no record that is edited between two calls of one page", async (stage) => {
      await stage.administrator.stopClock(Date.now() - minute);
      const refs = await records(stage, 6);
      await stage.connector.describe(stage.type);
      let edits = 0;
      stage.meddle(async () => {
        const ref = refs[edits % refs.length] as EntityRef;
        if (edits < 12) await stage.people.edit(ref, { [title]: `edit ${edits++}` });
        return undefined;
      });
      const first = await follow(stage.connector, watch, { since: past() }, 2);
      stage.meddle();
      const second = await followToRest(stage.connector, watch, { cursor: first.cursor }, 2);
      expect(edits).toBeGreaterThan(2);
      const told = latestStates([...first.changes, ...second.changes]);
      for (const ref of refs) expect(told.get(ref.id)).toBe((await stage.entity(ref)).version);
    });
  });
}
