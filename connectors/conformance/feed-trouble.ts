import { describe, expect } from "vitest";
import { follow, idsOf, latestStates } from "./follow.ts";
import type { Trouble } from "./proxy.ts";
import type { Suite } from "./stage.ts";

const page: Trouble = { kind: "instead", answer: { status: 200, headers: { "content-type": "text/html" }, body: "<html><body>Log in</body></html>" } };

/** A poll that breaks off must leave the cursor where it was. */
export function feedTroubleCases({ it, facts }: Suite): void {
  const watch = { entityType: facts.entityType, query: "" };
  const since = () => new Date(Date.now() - 600_000).toISOString();
  const troubles: readonly (readonly [string, Trouble])[] = [
    ["the connection ends before each call", { kind: "reset" }],
    ["each answer is lost", { kind: "lost" }],
    ["each answer is cut off", { kind: "truncated" }],
    ["a web page answers", page],
    ["the platform is down", { kind: "instead", answer: facts.unavailable }],
  ];

  describe("when a poll breaks off", () => {
    for (const [what, trouble] of troubles) {
      it(`because ${what} from its n-th call on, for each n, it fails whole and the same cursor gives everything later`, async (stage) => {
        const first = await follow(stage.connector, watch, { since: since() });
        const ref = await stage.record("one");
        await stage.people.comment(ref, "hello", false);
        await stage.people.attach(ref, "file.txt", Buffer.from("file"));
        const other = await stage.record("two");
        let failed = 0;
        for (let n = 0; ; n++) {
          let calls = 0;
          stage.meddle(() => (calls++ >= n ? trouble : undefined));
          try {
            const whole = await follow(stage.connector, watch, { cursor: first.cursor });
            // All went through before the trouble began: now it must be all.
            expect(idsOf(whole.changes).toSorted()).toEqual([ref.id, other.id].toSorted());
            break;
          } catch (error) {
            stage.connectorError(error);
            failed++;
          }
        }
        expect(failed).toBeGreaterThan(0);
        stage.meddle();
        const whole = await follow(stage.connector, watch, { cursor: first.cursor });
        expect(latestStates(whole.changes).get(ref.id)).toBe((await stage.entity(ref)).version);
      });
    }

    it("because it is throttled, it says so and the same cursor gives everything later", async (stage) => {
      const first = await follow(stage.connector, watch, { since: since() });
      const ref = await stage.record("one");
      for (const { what, answer } of facts.throttled) {
        stage.spoil({ kind: "instead", answer }, () => true);
        expect((await stage.failure(stage.connector.poll(watch, first.cursor, 10))).code, what).toBe("THROTTLED");
      }
      stage.meddle();
      expect(idsOf((await follow(stage.connector, watch, { cursor: first.cursor })).changes)).toEqual([ref.id]);
    });
  });
}
