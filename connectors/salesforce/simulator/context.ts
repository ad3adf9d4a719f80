import type { Hono } from "hono";
import type { SimulatorBindings } from "../../simulation/server.ts";
import type { Accounts } from "./accounts.ts";
import type { ChangeEvents } from "./change-events.ts";
import type { EventBus } from "./event-bus.ts";
import type { Org } from "./org.ts";
import type { OutboundMessages } from "./outbound-messages.ts";
import type { QueryPages } from "./query-pages.ts";
import type { Streams } from "./streams.ts";

/** How many calls the org has used of its daily quota, and how many of the next ones are refused as too many at a time. */
export interface Usage {
  used: number;
  max: number;
  concurrentRefusals: number;
  /** When the day began that `used` counts, in milliseconds. */
  since?: number;
}

/** What the routes of one simulator share. */
export interface SimulatorContext {
  readonly org: Org;
  readonly accounts: Accounts;
  readonly pages: QueryPages;
  readonly usage: Usage;
  readonly events: EventBus;
  readonly changes: ChangeEvents;
  readonly streams: Streams;
  readonly outbound: OutboundMessages;
}

/** The caller and API version of a request under `/services/data/vNN.0`. */
export type ApiEnv = SimulatorBindings & { Variables: { caller: string; version: string } };
export type ApiApp = Hono<ApiEnv>;
