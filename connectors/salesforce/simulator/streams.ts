import { randomBytes } from "node:crypto";
import { type ChangeEvents, changeEventName } from "./change-events.ts";
import type { BusEvent, EventBus } from "./event-bus.ts";
import type { Org, Row } from "./org.ts";

type Message = Record<string, unknown>;

/** One client of the Streaming API: its subscriptions, and what it was not told yet. */
export class Stream {
  readonly clientId = randomBytes(14).toString("base64url");
  readonly userId: string;
  readonly channels = new Set<string>();
  readonly #now: () => number;
  #lastSeen: number;
  #queue: Message[] = [];
  #connects = 0;
  #wake: (() => void) | undefined;

  constructor(userId: string, now: () => number) {
    this.userId = userId;
    this.#now = now;
    this.#lastSeen = now();
  }

  get waiting(): boolean {
    return this.#wake !== undefined;
  }

  /** How long nothing was heard of the client; nothing while a poll of it waits. */
  get awayMs(): number {
    return this.waiting ? 0 : this.#now() - this.#lastSeen;
  }

  seen(): void {
    this.#lastSeen = this.#now();
  }

  tell(message: Message): void {
    this.#queue.push(message);
    // Once the present work is done: what one transaction publishes goes out together.
    setImmediate(() => this.#wake?.());
  }

  /** Answers a poll: at once when there is something to tell, or on the first one; otherwise when there is, or in time. */
  async wait(leave: AbortSignal, timeoutMs: number): Promise<Message[]> {
    this.#wake?.();
    if (this.#queue.length === 0 && this.#connects++ > 0) await this.#woken(leave, timeoutMs);
    this.seen();
    return leave.aborted ? [] : this.#queue.splice(0);
  }

  interrupt(): void {
    this.#wake?.();
  }

  async #woken(leave: AbortSignal, timeoutMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        // Another poll may wait by now.
        if (this.#wake === wake) this.#wake = undefined;
        resolve();
      };
      const timer = setTimeout(wake, timeoutMs);
      this.#wake = wake;
      leave.addEventListener("abort", wake, { once: true });
    });
  }
}

/** The clients of the Streaming API. */
export class Streams {
  /** How long a poll waits; real ones wait 110 s [D]. */
  timeoutMs = 110_000;
  /** How long a client may stay away between polls, by the simulator's clock; 40 s on the platform [D]. */
  forgetAfterMs = 40_000;
  readonly #org: Org;
  readonly #changes: ChangeEvents;
  readonly #streams = new Map<string, Stream>();

  constructor(org: Org, changes: ChangeEvents, bus: EventBus) {
    this.#org = org;
    this.#changes = changes;
    bus.listen((event) => {
      for (const stream of this.#streams.values())
        for (const channel of stream.channels) if (channelsMatch(channel, event.channel)) stream.tell({ channel, data: seenBy(org, event, stream.userId) });
    });
  }

  open(userId: string): string {
    const stream = new Stream(userId, () => this.#org.clock.now().getTime());
    this.#streams.set(stream.clientId, stream);
    return stream.clientId;
  }

  /** The client that stands under an id, unless it stayed away too long. */
  find(clientId: string): Stream | undefined {
    const stream = this.#streams.get(clientId);
    if (stream === undefined) return undefined;
    if (stream.awayMs > this.forgetAfterMs) {
      this.forget(clientId);
      return undefined;
    }
    stream.seen();
    return stream;
  }

  forget(clientId: string): void {
    this.#streams.get(clientId)?.interrupt();
    this.#streams.delete(clientId);
  }

  /** Forgets every client, as when the server it talked to went away. */
  forgetAll(): void {
    for (const clientId of [...this.#streams.keys()]) this.forget(clientId);
  }

  /** Answers every poll that waits: sessions may have ended. */
  interruptAll(): void {
    for (const stream of this.#streams.values()) stream.interrupt();
  }

  /** Why nobody can subscribe to a channel, as far as it is known not to exist. */
  channelProblem(channel: string): string | undefined {
    const unknown = `404::The channel you requested to subscribe to does not exist {${channel}}`;
    const [, kind = "", name = ""] = /^\/([a-z]+)\/(.+)$/.exec(channel) ?? [];
    const named = (type: string, value: string) => [...this.#org.rows(type)].some((row: Row) => row.Name === value && row.IsDeleted === false);
    switch (kind) {
      case "data":
        if (name === "ChangeEvents") return undefined;
        return this.#org.schema.objects().some((object) => changeEventName(object.name) === name && this.#changes.publishes(object.name)) ? undefined : unknown;
      case "event":
        return name.endsWith("__e") && this.#org.schema.object(name) !== undefined ? undefined : unknown;
      case "topic":
        return named("PushTopic", name.replace(/\?.*$/, "")) ? undefined : `400::The topic you requested to subscribe to does not exist {${channel}}`;
      case "u":
        return named("StreamingChannel", channel) ? undefined : unknown;
      default:
        return unknown;
    }
  }
}

/** Whether a subscription covers what is published on a channel; `/data/ChangeEvents` covers every object's changes. */
export function channelsMatch(subscribed: string, published: string): boolean {
  if (subscribed === published) return true;
  if (subscribed === "/data/ChangeEvents") return published.startsWith("/data/");
  return subscribed.startsWith(`${published}?`);
}

/** An event as a user gets it: without the fields that the user may not see [D]. */
export function seenBy(org: Org, { data, replayId, channel }: BusEvent, userId: string): Message {
  const event = { ...(data.event as object | undefined), replayId };
  const header = (data.payload as { ChangeEventHeader?: { entityName?: string } } | undefined)?.ChangeEventHeader; // written by ChangeEvents alone
  if (!channel.startsWith("/data/") || header?.entityName === undefined) return { ...data, event };
  const hidden = org.access.hiddenFields(header.entityName, userId);
  const payload = Object.fromEntries(Object.entries(data.payload as object).filter(([name]) => !hidden.has(name)));
  return { ...data, payload, event };
}
