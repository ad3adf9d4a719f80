import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, vi } from "vitest";
import type { Connector, Hint, WebhookCall } from "../connector.ts";
import type { Trouble } from "./proxy.ts";
import { expectCode, type Stage, type Suite } from "./stage.ts";
import type { Webhook } from "./testbed.ts";

/** Long enough for a stream to come up on a busy machine. */
const patience = { timeout: 15_000, interval: 60 };

/** What a platform says unasked: hints that hasten a poll, and nothing more. */
export function pushCases(suite: Suite): void {
  const { webhook, events } = suite.facts;
  if (webhook !== undefined) webhookCases(suite, webhook);
  if (events === true) listeningCases(suite);
}

function webhookCases({ it, facts }: Suite, webhook: Webhook): void {
  const receive = async (connector: Connector, call: WebhookCall) => {
    const reading = connector.receive?.(call);
    if (reading === undefined) throw new Error("a connector that is configured for a webhook has no receive");
    return await reading;
  };
  const genuine = async (stage: Stage) => webhook.genuine(await stage.record("hinted"), Date.now());

  describe("a call to its webhook", () => {
    it("that is genuine is a hint at the type that changed, with an answer that the platform takes", async (stage) => {
      const connector = stage.connect({ push: "webhook" });
      const { hints, answer, deliveryId } = await receive(connector, await genuine(stage));
      expect(hints.some(({ entityType }) => entityType === undefined || entityType === facts.entityType)).toBe(true);
      expect([answer.status >= 200 && answer.status < 300, answer.contentType]).toEqual([true, expect.stringContaining("/")]);
      expect(deliveryId).not.toBe("");
    });

    it("that comes again has the same delivery id, and another one another", async (stage) => {
      const connector = stage.connect({ push: "webhook" });
      const [one, other] = [await genuine(stage), await genuine(stage)];
      const ids = [];
      for (const call of [one, one, other]) ids.push((await receive(connector, call)).deliveryId);
      expect(ids[0]).toBe(ids[1]);
      if (ids[0] !== undefined) expect(ids[0]).not.toBe(ids[2]);
    });

    for (const { what, forge } of webhook.forgeries) {
      it(`${what} is PERMISSION`, async (stage) => {
        const connector = stage.connect({ push: "webhook" });
        expectCode(await stage.failure(receive(connector, forge(await genuine(stage)))), ["PERMISSION"], what);
      });
    }

    it("that makes no sense is refused in the words of the closed set, and asks nothing of the platform", async (stage) => {
      const connector = stage.connect({ push: "webhook" });
      const call = await genuine(stage);
      const before = stage.proxy.requests.length;
      const bodies = [
        "",
        "null",
        "[]",
        "{}",
        "<html></html>",
        '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><x>&b;</x>',
        "<a>".repeat(20_000),
        "[".repeat(20_000),
        "\u0000\u0001\u0002",
        call.body.subarray(0, call.body.length / 2).toString(),
        "x".repeat(20_000_000),
      ];
      for (const body of bodies) {
        const error = await stage.failure(receive(connector, { ...call, body: Buffer.from(body) }));
        expectCode(error, ["BAD_REQUEST", "PERMISSION"], body.slice(0, 40));
        expect(error.message.length).toBeLessThan(2000);
      }
      expectCode(await stage.failure(receive(connector, { ...call, headers: {}, body: Buffer.from("{}") })), ["BAD_REQUEST", "PERMISSION"], "no headers");
      expect(stage.proxy.requests.length).toBe(before);
    });

    it(`${webhook.signed ? "of which any byte was changed is refused" : "of which a byte was changed is refused or is no more than a hint"}`, async (stage) => {
      const connector = stage.connect({ push: "webhook" });
      const call = await genuine(stage);
      for (let place = 0; place < call.body.length; place += Math.max(1, Math.floor(call.body.length / 80))) {
        const body = Buffer.from(call.body);
        body[place] = (body[place] ?? 0) ^ 0x01;
        const outcome = await receive(connector, { ...call, body }).catch((error: unknown) => stage.connectorError(error));
        if (webhook.signed || !("hints" in outcome))
          expect(outcome, `byte ${place}`).toMatchObject({ code: expect.stringMatching(/^(PERMISSION|BAD_REQUEST)$/) });
        else expect(outcome.hints.every((hint) => Object.keys(hint).every((key) => ["entityType", "position"].includes(key)))).toBe(true);
      }
    });
  });
}

function listeningCases({ it, facts }: Suite): void {
  describe("listening", () => {
    it("hears of a change by somebody else, one hint at a time, and ends when it is told to", async (stage) => {
      const ears = listen(stage);
      await untilHeard(stage, ears);
      expect(ears.atOnce).toBe(1);
      expect(ears.hints.every(({ entityType }) => entityType === undefined || entityType === stage.type)).toBe(true);
      for (let n = 0; n < 5; n++) await stage.record(`more ${n}`);
      ears.stop.abort();
      await ears.ended;
      expect(ears.failure).toBeUndefined();
      const heard = ears.hints.length;
      await stage.record("after the end");
      await sleep(100);
      expect(ears.hints.length).toBe(heard);
    });

    it("says once, before anything happens, that it hears everything from now on", async (stage) => {
      const ears = listen(stage);
      await vi.waitFor(() => expect(ears.hints.length).toBeGreaterThan(0), patience);
      expect(ears.hints[0]?.entityType).toBeUndefined();
      ears.stop.abort();
      await ears.ended;
    });

    it("goes on where it stopped: what happened while nobody listened is heard of", async (stage) => {
      const first = listen(stage);
      const position = await untilHeard(stage, first);
      first.stop.abort();
      await first.ended;
      await stage.record("meanwhile");
      const second = listen(stage, position);
      await vi.waitFor(() => expect(second.hints.length).toBeGreaterThan(0), patience);
      second.stop.abort();
      await second.ended;
    });

    it("hears again of what was not stored, when storing it failed", async (stage) => {
      const first = listen(stage);
      const position = await untilHeard(stage, first);
      first.stop.abort();
      await first.ended;
      let tries = 0;
      const broken = listen(stage, position, async () => {
        if (tries++ === 0) throw new Error("the database is away");
      });
      for (let n = 0; n < 5; n++) await stage.record(`not stored ${n}`);
      await broken.ended;
      expect(String(broken.failure)).toContain("the database is away");
      // A later hint would have carried the position past the one that was lost.
      expect(broken.hints).toEqual([]);
      const again = listen(stage, position);
      await vi.waitFor(() => expect(again.hints.length).toBeGreaterThan(0), patience);
      again.stop.abort();
      await again.ended;
    });

    for (const position of ["", "garbage", "[]", '{"x":"y"}']) {
      it(`from the position ${JSON.stringify(position)}, which is none of its own, is CURSOR_LOST`, async (stage) => {
        const ears = listen(stage, position);
        await ears.ended;
        expectCode(stage.connectorError(ears.failure), ["CURSOR_LOST"], position);
      });
    }

    it("outlives the end of its session, or breaks off with an error of the closed set and can begin again", async (stage) => {
      let ears = listen(stage);
      const position = await untilHeard(stage, ears);
      await stage.administrator.endSessions();
      const heard = ears.hints.length;
      await vi.waitFor(async () => {
        if (ears.failure !== undefined) {
          stage.connectorError(ears.failure);
          ears = listen(stage, position);
        }
        await stage.record("after the session");
        expect(ears.hints.length).toBeGreaterThan(ears.began === position ? 0 : heard);
      }, patience);
      ears.stop.abort();
      await ears.ended;
    });

    const ways: readonly (readonly [string, Trouble])[] = [
      ["the way is cut", { kind: "reset" }],
      ["a web page answers", { kind: "instead", answer: { status: 200, headers: { "content-type": "text/html" }, body: "<html>Log in</html>" } }],
      ["the platform is down", { kind: "instead", answer: facts.unavailable }],
      ["every session is refused", { kind: "instead", answer: facts.unauthorized }],
    ];
    for (const [what, trouble] of ways) {
      it(`breaks off with an error of the closed set when ${what}, and neither hangs nor storms`, async (stage) => {
        await stage.connector.check();
        const ears = listen(stage);
        await untilHeard(stage, ears);
        const spoiled = stage.spoil(trouble, (request) => !facts.isSignIn(request));
        await vi.waitFor(() => expect(ears.failure).toBeDefined(), patience);
        stage.connectorError(ears.failure);
        expect(spoiled.length).toBeLessThan(30);
        stage.meddle();
        const again = listen(stage);
        await untilHeard(stage, again);
        again.stop.abort();
        await again.ended;
      });
    }

    it("is over at once when it was told to end before it began, and when the connector is closed", async (stage) => {
      const stop = new AbortController();
      stop.abort();
      await listen(stage, undefined, undefined, stop).ended;
      const connector = stage.connect({ push: "events" });
      const ears = listen(stage, undefined, undefined, undefined, connector);
      await untilHeard(stage, ears);
      await connector.close();
      await ears.ended;
    });
  });
}

interface Ears {
  readonly hints: Hint[];
  readonly stop: AbortController;
  readonly began: string | undefined;
  /** Settles when listening is over, however it ended. */
  readonly ended: Promise<void>;
  failure: unknown;
  /** Most hints that were being stored at the same time. */
  atOnce: number;
}

function listen(
  stage: Stage,
  position?: string,
  store: (hint: Hint) => Promise<void> = async () => await sleep(3),
  stop: AbortController = new AbortController(),
  connector: Connector = stage.connect({ push: "events" }),
): Ears {
  if (connector.listen === undefined) throw new Error("a connector that is configured for events has no listen");
  let storing = 0;
  const ears: Ears = { hints: [], stop, began: position, ended: Promise.resolve(), failure: undefined, atOnce: 0 };
  const onHint = async (hint: Hint) => {
    storing++;
    ears.atOnce = Math.max(ears.atOnce, storing);
    try {
      await store(hint);
      ears.hints.push(hint);
    } finally {
      storing--;
    }
  };
  const ended = connector.listen(position, [stage.type], onHint, stop.signal).catch((error: unknown) => {
    ears.failure = error;
  });
  return Object.assign(ears, { ended });
}

/** Lets something happen until it is heard of: nothing says when a stream is up. Gives the position after it. */
async function untilHeard(stage: Stage, ears: Ears): Promise<string> {
  return await vi.waitFor(async () => {
    if (ears.failure !== undefined) throw ears.failure;
    await stage.record("listen");
    const position = ears.hints.findLast((hint) => hint.position !== undefined)?.position;
    expect(position, "a hint with a position").toBeDefined();
    return position ?? "";
  }, patience);
}
