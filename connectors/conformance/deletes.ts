import { describe, expect } from "vitest";
import { follow, followToRest, idsOf, latestStates } from "./follow.ts";
import type { Trouble } from "./proxy.ts";
import { expectCode, type Suite } from "./stage.ts";

/** What was deleted, what came back, and what is only out of sight. */
export function deleteCases({ it, facts, has }: Suite): void {
  const watch = { entityType: facts.entityType, query: "" };
  const since = () => new Date(Date.now() - 600_000).toISOString();

  describe("a deleted record", () => {
    if (facts.deletesInFeed) {
      it("is told of in the feed as deleted, once, and the others are not", async (stage) => {
        const [gone, stays] = [await stage.record("gone"), await stage.record("stays")];
        const first = await follow(stage.connector, watch, { since: since() });
        await stage.people.remove(gone);
        const second = await follow(stage.connector, watch, { cursor: first.cursor });
        expect(second.changes.filter(({ deleted }) => deleted === true).map(({ ref }) => ref)).toEqual([gone]);
        expect(latestStates([...first.changes, ...second.changes]).get(stays.id)).toBe((await stage.entity(stays)).version);
        const third = await follow(stage.connector, watch, { cursor: second.cursor });
        expect(new Set([...second.changes, ...third.changes].filter(({ deleted }) => deleted === true).map(({ version }) => version)).size).toBe(1);
      });

      it("is told of although it never fitted the page, shared its second with edits, or was deleted while pages were read", async (stage) => {
        await stage.administrator.stopClock(Date.now() - 60_000);
        const refs = [];
        for (let n = 0; n < 8; n++) refs.push(await stage.record(`record ${n}`));
        const doomed = [refs[1], refs[4], refs[7]].flatMap((ref) => ref ?? []);
        const changes = [];
        let cursor: string | undefined;
        for (let n = 0; ; n++) {
          const page = await stage.connector.poll(watch, cursor, 2, since());
          changes.push(...page.changes);
          cursor = page.cursor;
          const victim = doomed[n];
          if (victim !== undefined) await stage.people.remove(victim);
          if (!page.more && n >= doomed.length) break;
        }
        changes.push(...(await followToRest(stage.connector, watch, { cursor }, 2)).changes);
        const told = latestStates(changes);
        for (const ref of refs) expect(told.get(ref.id) === "deleted", ref.id).toBe(doomed.includes(ref));
      });

      it("of another query's records is told of too, or not at all, but never as a change", async (stage) => {
        const queried = { entityType: stage.type, query: facts.query.text };
        const [inside, outside] = [await stage.record("inside", facts.query.fits), await stage.record("outside", facts.query.misses)];
        const back = await stage.record("outside and back", facts.query.misses);
        const first = await follow(stage.connector, queried, { since: since() });
        await stage.people.remove(inside);
        await stage.people.remove(outside);
        await stage.people.remove(back);
        await stage.people.restore?.(back);
        const { changes } = await follow(stage.connector, queried, { cursor: first.cursor });
        expect(changes.filter(({ deleted }) => deleted !== true)).toEqual([]);
        expect(idsOf(changes)).toContain(inside.id);
        if (has.restore) expect(idsOf(changes)).not.toContain(back.id);
      });
    } else {
      it("is not told of in the feed, as this platform keeps no trace that the account may see, and is never told of as a change", async (stage) => {
        const gone = await stage.record("gone");
        const first = await follow(stage.connector, watch, { since: since() });
        await stage.people.remove(gone);
        expect((await follow(stage.connector, watch, { cursor: first.cursor })).changes).toEqual([]);
      });
    }

    it("is not told of to an account from which the platform hides such traces, and the feed goes on", async (stage) => {
      const connector = stage.connect({ blindToDeletes: true });
      const [gone, stays] = [await stage.record("gone"), await stage.record("stays")];
      const first = await follow(connector, watch, { since: since() });
      await stage.people.remove(gone);
      await stage.people.edit(stays, { [facts.fields.title]: "still here" });
      const { changes } = await follow(connector, watch, { cursor: first.cursor });
      expect(idsOf(changes)).toContain(stays.id);
      expect(changes.filter(({ ref, deleted }) => ref.id === gone.id && deleted !== true)).toEqual([]);
    });

    it("is DELETED or NOT_FOUND_OR_HIDDEN to reads and writes, and deleting it again harms nothing", async (stage) => {
      const [gone, stays] = [await stage.record("gone"), await stage.record("stays")];
      await stage.done({ kind: "delete", ref: gone });
      const [read, other] = await stage.connector.read([gone, stays]);
      expectCode(stage.errorOf(read), ["DELETED", "NOT_FOUND_OR_HIDDEN"], "read");
      expect(other?.ok).toBe(true);
      const [update, comment, fine] = await stage.connector.write([
        { kind: "update", ref: gone, fields: { [facts.fields.title]: "x" } },
        { kind: "addComment", ref: gone, body: "x", internal: false, marker: "m" },
        { kind: "update", ref: stays, fields: { [facts.fields.title]: "done" } },
      ]);
      for (const outcome of [update, comment]) expectCode(stage.errorOf(outcome), ["DELETED", "NOT_FOUND_OR_HIDDEN"], "write");
      expect(fine?.ok).toBe(true);
      const [again] = await stage.connector.write([{ kind: "delete", ref: gone }]);
      if (again?.ok === false) expectCode(stage.errorOf(again), ["DELETED", "NOT_FOUND_OR_HIDDEN"], "delete again");
      expect(await stage.connector.findByKey(stage.type, gone.id)).toBeUndefined();
    });

    if (has.restore) {
      it("that is restored is an ordinary change, can be read, and can be deleted again", async (stage) => {
        const ref = await stage.record("back");
        let { cursor } = await follow(stage.connector, watch, { since: since() });
        await stage.people.remove(ref);
        ({ cursor } = await follow(stage.connector, watch, { cursor }));
        await stage.people.restore?.(ref);
        const restored = await follow(stage.connector, watch, { cursor });
        expect(latestStates(restored.changes).get(ref.id)).toBe((await stage.entity(ref)).version);
        await stage.people.remove(ref);
        const again = await follow(stage.connector, watch, { cursor: restored.cursor });
        expect(latestStates(again.changes).get(ref.id)).toBe(facts.deletesInFeed ? "deleted" : undefined);
      });

      it("that was restored before anybody looked is no deleted one", async (stage) => {
        const ref = await stage.record("blink");
        const { cursor } = await follow(stage.connector, watch, { since: since() });
        await stage.people.remove(ref);
        await stage.people.restore?.(ref);
        const { changes } = await follow(stage.connector, watch, { cursor });
        expect(latestStates(changes).get(ref.id)).not.toBe("deleted");
        await stage.entity(ref);
      });
    }
  });

  if (has.merge)
    describe("a record that was merged into another one", () => {
      it("is told of as deleted, with the one that it went into, which is told of as changed", async (stage) => {
        const [winner, loser, other] = [await stage.record("winner"), await stage.record("loser"), await stage.record("other")];
        const first = await follow(stage.connector, watch, { since: since() });
        await stage.people.merge?.(winner, loser);
        await stage.people.remove(other);
        const second = await followToRest(stage.connector, watch, { cursor: first.cursor });
        const deleted = second.changes.filter((change) => change.deleted === true);
        expect(new Map(deleted.map(({ ref, mergedInto }) => [ref.id, mergedInto]))).toEqual(
          new Map([
            [loser.id, winner],
            [other.id, undefined],
          ]),
        );
        expect(latestStates(second.changes).get(winner.id)).toBe((await stage.entity(winner)).version);
      });
    });

  if (has.missing)
    describe("asked which records are missing,", () => {
      it("names those that were deleted, and none that is there or only hidden", async (stage) => {
        const [gone, stays, hidden] = [await stage.record("gone"), await stage.record("stays"), await stage.record("hidden")];
        await stage.people.remove(gone);
        await stage.administrator.hide([hidden]);
        const missing = await stage.connector.missing?.([stays, gone, hidden]);
        expect(missing).toEqual([gone]);
        expect(await stage.connector.missing?.([])).toEqual([]);
      });

      it("names none while the platform cannot be asked", async (stage) => {
        const ref = await stage.record("there");
        await stage.connector.read([ref]);
        const ways: readonly Trouble[] = [
          { kind: "reset" },
          { kind: "truncated" },
          { kind: "instead", answer: facts.unavailable },
          { kind: "instead", answer: facts.unauthorized },
          { kind: "instead", answer: { status: 200, headers: { "content-type": "text/html" }, body: "<html></html>" } },
          { kind: "instead", answer: { status: 200, body: "{}" } },
          ...facts.throttled.map(({ answer }): Trouble => ({ kind: "instead", answer })),
        ];
        for (const trouble of ways) {
          const connector = stage.connect();
          await connector.read([ref]);
          stage.spoil(trouble, (request) => !facts.isSignIn(request));
          await stage.failure(connector.missing?.([ref]) ?? Promise.resolve());
          // A read says no more than that either.
          await stage.failure(connector.read([ref]));
          stage.meddle();
        }
      });
    });

  describe("a record that is only hidden", () => {
    it("is never told of as deleted, neither in the feed nor by a read, and comes back when it is shown", async (stage) => {
      const [hidden, seen] = [await stage.record("hidden"), await stage.record("seen")];
      const first = await follow(stage.connector, watch, { since: since() });
      await stage.administrator.hide([hidden]);
      await stage.people.edit(seen, { [facts.fields.title]: "seen again" });
      const second = await follow(stage.connector, watch, { cursor: first.cursor });
      expect(second.changes.filter(({ deleted }) => deleted === true)).toEqual([]);
      expect(idsOf(second.changes)).toContain(seen.id);
      const [read] = await stage.connector.read([hidden]);
      expectCode(stage.errorOf(read), ["NOT_FOUND_OR_HIDDEN", "PERMISSION"], "hidden");
      await stage.administrator.hide([]);
      await stage.people.edit(hidden, { [facts.fields.title]: "shown" });
      const third = await follow(stage.connector, watch, { cursor: second.cursor });
      expect(latestStates(third.changes).get(hidden.id)).toBe((await stage.entity(hidden)).version);
    });
  });
}
