import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect } from "vitest";
import type { EntityRef, WatchedChange } from "../connector.ts";
import { follow, followToRest, idsOf, latestStates } from "./follow.ts";
import type { Stage, Suite } from "./stage.ts";

const writers = 3;
const changesEach = 18;

/**
 * Several people edit at once while the feed is read. A history is kept of every change that was acknowledged; at the end nothing of it
 * may be missing from what the feed told, and the feed may not have told of more states than were made.
 */
export function feedWriterCases({ it, facts, has }: Suite): void {
  const watch = { entityType: facts.entityType, query: "" };
  const seeds = [seedOf("CONFORMANCE_SEED"), 1, 20_260_713];

  describe("while several people write, the feed", () => {
    for (const seed of seeds) {
      it(`misses no acknowledged change and invents none (CONFORMANCE_SEED=${seed})`, async (stage) => {
        const random = randomFrom(seed);
        const history = new Map<string, number>();
        const deleted = new Set<string>();
        const refs: EntityRef[] = [];
        const acknowledged = (ref: EntityRef) => history.set(ref.id, (history.get(ref.id) ?? 0) + 1);
        const { cursor: start } = await follow(stage.connector, watch, { since: new Date(Date.now() - 60_000).toISOString() });

        const write = async (writer: number) => {
          for (let change = 0; change < changesEach; change++) {
            await sleep(random() * 6);
            const ref = refs.length === 0 || random() < 0.3 ? undefined : refs[Math.floor(random() * refs.length)];
            if (ref === undefined || deleted.has(ref.id)) {
              const made = await stage.record(`writer ${writer} change ${change}`);
              acknowledged(made);
              refs.push(made);
            } else
              await changeOf(stage, ref, `writer ${writer} change ${change}`, random(), deleted, has.restore).then((times) =>
                history.set(ref.id, (history.get(ref.id) ?? 0) + times),
              );
          }
        };
        const changes: WatchedChange[] = [];
        let cursor = start;
        let writing = true;
        const watchAll = async () => {
          while (writing) {
            const page = await stage.connector.poll(watch, cursor, 1 + Math.floor(random() * 5));
            changes.push(...page.changes);
            cursor = page.cursor;
          }
        };
        const written = Promise.all(Array.from({ length: writers }, (_, writer) => write(writer))).finally(() => {
          writing = false;
        });
        await Promise.all([watchAll(), written]);
        changes.push(...(await followToRest(stage.connector, watch, { cursor }, 5)).changes);

        const message = `seed ${seed}`;
        const told = latestStates(changes);
        expect(
          idsOf(changes).filter((id) => !history.has(id)),
          `${message}: records that nobody made`,
        ).toEqual([]);
        for (const ref of refs) {
          const [outcome] = await stage.bystander.read([ref]);
          if (outcome?.ok === true) expect(told.get(ref.id), `${message}: the last state of ${ref.id}`).toBe(outcome.entity.version);
          else {
            expect(deleted.has(ref.id), `${message}: ${ref.id} cannot be read`).toBe(true);
            if (facts.deletesInFeed) expect(told.get(ref.id), `${message}: the end of ${ref.id}`).toBe("deleted");
          }
          const states = new Set(
            changes.filter((change) => change.ref.id === ref.id).map(({ version, deleted: gone }) => (gone === true ? "deleted" : version)),
          );
          expect(states.size, `${message}: states told of ${ref.id}`).toBeLessThanOrEqual(history.get(ref.id) ?? 0);
          if (!facts.deletesInFeed) expect(states.has("deleted")).toBe(false);
        }
      });
    }
  });
}

/** Makes one change that is drawn; gives how many states that made. */
async function changeOf(stage: Stage, ref: EntityRef, text: string, drawn: number, deleted: Set<string>, canRestore: boolean): Promise<number> {
  // Whoever writes to what somebody else deletes meanwhile would fail, as a person would.
  if (drawn < 0.06) {
    deleted.add(ref.id);
    await stage.people.remove(ref).catch(() => undefined);
    if (!canRestore || drawn < 0.03) return 1;
    await stage.people.restore?.(ref);
    return 2;
  }
  const change =
    drawn < 0.6
      ? stage.people.edit(ref, { [stage.facts.fields.title]: text })
      : drawn < 0.85
        ? stage.people.comment(ref, text, drawn < 0.7 && stage.connector.capabilities.internalComments)
        : stage.people.attach(ref, `${text}.txt`, Buffer.from(text));
  try {
    await change;
    return 1;
  } catch (error) {
    if (!deleted.has(ref.id)) throw error;
    return 1;
  }
}

function seedOf(variable: string): number {
  const given = Number(process.env[variable]);
  return Number.isInteger(given) && given > 0 ? given : Math.floor(Math.random() * 2 ** 31);
}

/** Mulberry32: small, and good enough to draw what people do next. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
