import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Connector, Hint } from "../connector.ts";
import type { SalesforceConfig } from "./config.ts";
import { type Caller, type SimulatedOrg, simulatedOrg } from "./simulator/simulated-org.ts";

let org: SimulatedOrg;
let human: Caller;
let stops: (() => Promise<unknown>)[];

beforeEach(async () => {
  org = await simulatedOrg();
  human = await org.caller();
  stops = [];
});
afterEach(async () => {
  for (const stop of stops) await stop();
  await org.close();
});

const cdc: SalesforceConfig["push"] = { type: "cdc" };
const newCase = async () => (await human("POST", "/sobjects/Case", { Subject: "s" })).body.id as string;
const control = async (path: string, body: unknown = {}) => {
  const response = await fetch(`${org.simulator.url}/__control/${path}`, { method: "POST", body: JSON.stringify(body) });
  expect(response.ok).toBe(true);
};
const asked = (channel: string) => org.simulator.server.requests.filter(({ path, body }) => path.startsWith("/cometd") && body.includes(channel)).length;
const positionOf = (hint: Hint | undefined) => JSON.parse(hint?.position ?? "{}") as Record<string, number>;

interface Listening {
  readonly hints: Hint[];
  /** The hints once there are so many. */
  reach(count: number): Promise<readonly Hint[]>;
  /** Why it ended; undefined where it was stopped. */
  readonly ended: Promise<unknown>;
  stop(): Promise<unknown>;
}

/** Listens as the engine does; returns once the platform was asked for the subscription and is being polled. */
async function listen(connector: Connector, position?: string, types = ["Case"], onHint?: (hint: Hint) => Promise<void>): Promise<Listening> {
  const hints: Hint[] = [];
  const stopper = new AbortController();
  const before = { subscribed: asked("/meta/subscribe"), polled: asked("/meta/connect") };
  const keep = async (hint: Hint) => {
    // Said once all channels are subscribed to; what these tests are about comes from events.
    if (hint.entityType === undefined && hint.position === undefined) return;
    await onHint?.(hint);
    hints.push(hint);
  };
  const listening = connector.listen?.(position, types, keep, stopper.signal);
  if (listening === undefined) throw new Error("does not listen");
  const ended = listening.then(
    () => undefined,
    (error: unknown) => error,
  );
  const stop = async () => {
    stopper.abort();
    return await ended;
  };
  stops.push(stop);
  const stands = expect
    .poll(() => [asked("/meta/subscribe") > before.subscribed, asked("/meta/connect") > before.polled], { timeout: 5000 })
    .toEqual([true, true]);
  await Promise.race([stands, ended]);
  const reach = async (count: number) => {
    await expect.poll(() => hints.length, { timeout: 5000 }).toBeGreaterThanOrEqual(count);
    return hints;
  };
  return { hints, reach, ended, stop };
}

describe("listening", () => {
  it("is not there where the instance is not configured for it", () => {
    const connector = org.connector();
    expect([connector.listen, connector.receive]).toEqual([undefined, undefined]);
  });

  it("to change events gives a hint for each change, with where to go on", async () => {
    const { reach, stop } = await listen(org.connector({ push: cdc }));
    await newCase();
    const [hint] = await reach(1);
    expect(hint).toEqual({ entityType: "Case", position: expect.any(String) });
    expect(positionOf(hint)).toEqual({ "/data/CaseChangeEvent": expect.any(Number) });
    expect(await stop()).toBeUndefined();
  });

  it("again gives what happened meanwhile, from a position that another connector left", async () => {
    const first = await listen(org.connector({ push: cdc }));
    await newCase();
    const [hint] = await first.reach(1);
    await first.stop();
    await newCase();
    const second = await listen(org.connector({ push: cdc }), hint?.position);
    const [missed] = await second.reach(1);
    expect(positionOf(missed)["/data/CaseChangeEvent"]).toBeGreaterThan(positionOf(hint)["/data/CaseChangeEvent"] ?? Number.POSITIVE_INFINITY);
  });

  it("without a position tells of nothing that was before", async () => {
    await newCase();
    const { hints, reach } = await listen(org.connector({ push: cdc }));
    await human("POST", "/sobjects/Account", { Name: "not listened to" });
    await newCase();
    await reach(1);
    expect(hints).toHaveLength(1);
  });

  it("tells our own saves by the name that every call gives [D]", async () => {
    const [outcome] = await org.connector().write([{ kind: "create", entityType: "Case", fields: { Subject: "ours" }, marker: "ours" }]);
    expect(outcome?.ok).toBe(true);
    const origins = JSON.stringify(await (await fetch(`${org.simulator.url}/__control/events`)).json());
    expect(origins).toContain("client=isobridge");
  });

  it("from a position too old is CURSOR_LOST", async () => {
    org.simulator.server.clock.set({ offsetMs: 0 });
    const first = await listen(org.connector({ push: cdc }));
    await newCase();
    const [hint] = await first.reach(1);
    await first.stop();
    await newCase();
    org.simulator.server.clock.set({ offsetMs: 80 * 3_600_000 });
    const connector = org.connector({ push: cdc });
    org.simulator.accounts.lifetimeMs = 1000 * 3_600_000;
    const { ended } = await listen(connector, hint?.position);
    expect(await ended).toMatchObject({ code: "CURSOR_LOST", message: expect.stringContaining("replayId") });
    const unreadable = await listen(connector, "nonsense");
    expect(await unreadable.ended).toMatchObject({ code: "CURSOR_LOST" });
  });

  it("believes a gap no more than an event, and an overflow means that anything may have changed", async () => {
    const id = await newCase();
    const { reach } = await listen(org.connector({ push: cdc }));
    await control("events/gap", { object: "Case", type: "GAP_UPDATE", ids: [id] });
    expect((await reach(1))[0]).toMatchObject({ entityType: "Case" });
    await control("events/gap", { object: "Case", type: "GAP_OVERFLOW" });
    expect((await reach(2))[1]).toEqual({ position: expect.any(String) });
  });

  it("hears events that came twice, late and out of order as what they are: reasons to look", async () => {
    const { reach } = await listen(org.connector({ push: cdc }));
    for (const fault of [{ kind: "duplicate" }, { kind: "delay", ms: 30 }, { kind: "reorder" }]) await control("events/faults", fault);
    for (let i = 0; i < 4; i++) await newCase();
    expect((await reach(1)).every(({ entityType }) => entityType === "Case")).toBe(true);
  });

  it("to several objects keeps the position of each", async () => {
    const first = await listen(org.connector({ push: cdc }), undefined, ["Case", "Account"]);
    await newCase();
    await first.reach(1);
    await human("POST", "/sobjects/Account", { Name: "Acme" });
    const hints = await first.reach(2);
    expect(hints.map(({ entityType }) => entityType)).toEqual(["Case", "Account"]);
    expect(Object.keys(positionOf(hints[1])).toSorted()).toEqual(["/data/AccountChangeEvent", "/data/CaseChangeEvent"]);
    await first.stop();
    await newCase();
    await human("POST", "/sobjects/Account", { Name: "Acme" });
    const again = await listen(org.connector({ push: cdc }), hints[1]?.position, ["Case", "Account"]);
    await expect.poll(() => new Set(again.hints.map(({ entityType }) => entityType)), { timeout: 5000 }).toEqual(new Set(["Case", "Account"]));
  });

  it("to the channel of all objects tells of what is not watched itself without naming it", async () => {
    const { reach } = await listen(org.connector({ push: { type: "cdc", channel: "/data/ChangeEvents" } }));
    await human("POST", "/sobjects/Contact", { LastName: "x" });
    expect((await reach(1))[0]).toEqual({ position: expect.any(String) });
  });

  it("goes on with the other objects where one sends no events, and says so where none does", async () => {
    const connector = org.connector({ push: cdc });
    const { reach } = await listen(connector, undefined, ["FeedItem", "Case"]);
    await newCase();
    expect((await reach(1))[0]).toMatchObject({ entityType: "Case" });
    const { ended } = await listen(connector, undefined, ["FeedItem"]);
    expect(await ended).toMatchObject({ code: "BAD_REQUEST", message: expect.stringContaining("/data/FeedItemChangeEvent") });
  });

  it("hands hints on one after another, and makes few of many", async () => {
    let atOnce = 0;
    let most = 0;
    let open = () => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const { hints, reach } = await listen(org.connector({ push: cdc }), undefined, ["Case"], async () => {
      most = Math.max(most, ++atOnce);
      await gate;
      atOnce--;
    });
    const ids = await Promise.all(Array.from({ length: 30 }, newCase));
    expect(ids).toHaveLength(30);
    await expect.poll(() => atOnce).toBe(1);
    open();
    await reach(2);
    await newCase();
    await reach(3);
    expect(most).toBe(1);
    expect(hints.length).toBeLessThan(30);
  });

  it("ends with an error when a hint could not be stored", async () => {
    const { ended } = await listen(org.connector({ push: cdc }), undefined, ["Case"], async () => {
      throw new Error("the database is away");
    });
    await newCase();
    expect(await ended).toMatchObject({ message: "the database is away" });
  });

  it("goes on by itself when the platform forgets the client", async () => {
    const { reach } = await listen(org.connector({ push: cdc }));
    await newCase();
    await reach(1);
    const before = asked("/meta/handshake");
    await control("streaming/drop");
    await expect.poll(() => asked("/meta/handshake"), { timeout: 5000 }).toBeGreaterThan(before);
    await newCase();
    await reach(2);
  });

  it("whose session ends breaks off, and finds a new session when it starts again", async () => {
    const connector = org.connector({ push: cdc });
    const first = await listen(connector);
    await control("session/expire");
    expect(await first.ended).toMatchObject({ code: "TRANSIENT", message: expect.stringContaining("session") });
    const second = await listen(connector);
    human = await org.caller();
    await newCase();
    await second.reach(1);
  });

  it("whose every session is refused ends with AUTH_EXPIRED", async () => {
    const denied = [{ channel: "/meta/handshake", successful: false, error: "403::Handshake denied", advice: { reconnect: "none" }, id: "1" }];
    const answer = [{ ...denied[0], ext: { sfdc: { failureReason: "401::Authentication invalid" } } }];
    org.simulator.server.faults.arm({ path: "/cometd", times: 0, effect: { kind: "status", status: 200, body: answer } });
    const connector = org.connector({ push: cdc });
    expect(await (await listen(connector)).ended).toMatchObject({ code: "AUTH_EXPIRED" });
  });

  it.each([
    ["is dropped", { kind: "reset" }],
    ["is a web page", { kind: "html" }],
    ["is an outage", { kind: "status", status: 503, body: "" }],
  ] as const)("that %s breaks off with TRANSIENT, and asks no more", async (_, effect) => {
    const { ended } = await listen(org.connector({ push: cdc }));
    org.simulator.server.faults.arm({ path: "/cometd", times: 0, effect });
    await control("streaming/drop");
    expect(await ended).toMatchObject({ code: "TRANSIENT" });
  });

  it("ends when the connector is closed", async () => {
    const connector = org.connector({ push: cdc });
    const { ended } = await listen(connector);
    await connector.close();
    expect(await ended).toBeUndefined();
  });
});
