import type { Clock } from "../../simulation/clock.ts";
import type { Tables } from "../../simulation/tables.ts";
import type { Row } from "./org.ts";

/** Something to be told on a channel. */
export interface BusMessage {
  /** `/data/CaseChangeEvent`, `/event/Foo__e`, `/topic/Cases`, `/u/Bar`. */
  readonly channel: string;
  /** What subscribers get as `data`; the replay id is put into its `event`. */
  readonly data: Readonly<Record<string, unknown>>;
}

export interface BusEvent extends BusMessage {
  readonly replayId: number;
  /** Milliseconds by the simulator's clock. */
  readonly at: number;
}

/**
 * What happens to the next `times` events. `lose`: nobody connected gets it, a replay does; `vanish`: nobody ever does; `duplicate`: delivered
 * twice under one replay id; `delay`: published `ms` later; `reorder`: delivered after the one that follows it.
 */
export interface EventFault {
  readonly kind: "lose" | "vanish" | "duplicate" | "delay" | "reorder";
  times: number;
  /** By the simulator's clock. */
  readonly ms?: number;
  /** Only on this channel. */
  readonly channel?: string;
}

/** Events are kept for three days [D]; topics and generic channels for one [K]. */
const retentionMs = 72 * 3_600_000;
/** A simulator that runs for long keeps no more than this; the oldest go early, as at an org's limits. */
const mostKept = 50_000;
const topicRetentionMs = 24 * 3_600_000;
const table = "__events";

/**
 * Events by replay id: numbers that grow, but not one by one [D]. They are kept for three days by the simulator's clock, and through a
 * restart where the simulator has a folder.
 */
export class EventBus {
  /** Armed by the control API. */
  readonly faults: EventFault[] = [];
  readonly #clock: Clock;
  readonly #tables: Tables<Row>;
  readonly #listeners: ((event: BusEvent) => void)[] = [];
  #delayed: { readonly at: number; readonly message: BusMessage }[] = [];
  #heldBack: BusEvent | undefined;
  #last = 0;

  constructor(clock: Clock, tables: Tables<Row>) {
    this.#clock = clock;
    this.#tables = tables;
    for (const { Id } of tables.rows(table)) this.#last = Math.max(this.#last, Number(Id));
  }

  listen(listener: (event: BusEvent) => void): void {
    this.#listeners.push(listener);
  }

  publish(message: BusMessage): void {
    const fault = this.#nextFault(message.channel);
    if (fault?.kind === "vanish") return;
    if (fault?.kind === "delay") {
      this.#delayed.push({ at: this.#clock.now().getTime() + (fault.ms ?? 0), message });
      return;
    }
    const event = this.#keep(message);
    if (fault?.kind === "lose") return;
    if (fault?.kind === "reorder" && this.#heldBack === undefined) {
      this.#heldBack = event;
      return;
    }
    this.#deliver(event);
    if (fault?.kind === "duplicate") this.#deliver(event);
    if (this.#heldBack === undefined) return;
    this.#deliver(this.#heldBack);
    this.#heldBack = undefined;
  }

  /** Publishes what was delayed long enough. */
  release(): void {
    if (this.#delayed.length === 0) return;
    const now = this.#clock.now().getTime();
    const due = this.#delayed.filter(({ at }) => at <= now);
    this.#delayed = this.#delayed.filter(({ at }) => at > now);
    for (const { message } of due) this.#deliver(this.#keep(message));
  }

  /** The events after a replay id (-2: all that are kept, -1: none), or undefined where the id is none that is kept: too old, or never given out. */
  after(replayId: number, concerns: (channel: string) => boolean): BusEvent[] | undefined {
    if (replayId === -1) return [];
    const kept = this.#kept();
    if (replayId !== -2 && !kept.some((event) => event.replayId === replayId && concerns(event.channel))) return undefined;
    return kept.filter((event) => event.replayId > replayId && concerns(event.channel));
  }

  #keep(message: BusMessage): BusEvent {
    this.#last += 1 + (this.#last % 3);
    const event = { ...message, replayId: this.#last, at: this.#clock.now().getTime() };
    this.#tables.put(table, String(event.replayId), { Id: String(event.replayId), at: event.at, channel: event.channel, data: JSON.stringify(event.data) });
    this.#forgetOld();
    return event;
  }

  #kept(): BusEvent[] {
    const now = this.#clock.now().getTime();
    return [...this.#tables.rows(table)]
      .filter(({ at, channel }) => Number(at) > now - retentionOf(String(channel)))
      .map(({ Id, at, channel, data }) => ({ replayId: Number(Id), at: Number(at), channel: String(channel), data: JSON.parse(String(data)) }))
      .sort((a, b) => a.replayId - b.replayId);
  }

  #forgetOld(): void {
    const oldest = this.#clock.now().getTime() - retentionMs;
    for (const { Id, at } of this.#tables.rows(table)) {
      if (Number(at) > oldest && this.#tables.count(table) <= mostKept) return;
      this.#tables.delete(table, Id);
    }
  }

  #deliver(event: BusEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  #nextFault(channel: string): EventFault | undefined {
    const fault = this.faults.find((armed) => armed.times > 0 && (armed.channel === undefined || armed.channel === channel));
    if (fault !== undefined) fault.times--;
    return fault;
  }
}

function retentionOf(channel: string): number {
  return /^\/(topic|u)\//.test(channel) ? topicRetentionMs : retentionMs;
}
