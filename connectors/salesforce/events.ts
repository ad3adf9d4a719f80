import { z } from "zod";
import type { Hint } from "../connector.ts";
import { ConnectorError } from "../errors.ts";
import { type BayeuxExtension, type BayeuxMessage, stop } from "./bayeux.ts";
import type { SalesforceClient } from "./client.ts";
import type { SalesforceConfig } from "./config.ts";
import { HintQueue } from "./hint-queue.ts";

type EventPush = Exclude<NonNullable<SalesforceConfig["push"]>, { type: "outbound-message" }>;

/** Replay id by channel. The platform keeps events for 72 hours [D]. */
const positionSchema = z.record(z.string(), z.int());
/** Only what happens from now on. */
const newEventsOnly = -1;

const changeEvent = z.looseObject({
  event: z.looseObject({ replayId: z.int() }),
  payload: z.looseObject({ ChangeEventHeader: z.looseObject({ entityName: z.string(), changeType: z.string() }).optional() }).optional(),
});

/**
 * Listens to change events or a platform event until `signal` aborts. Every event, be it for many records, without data (`GAP_CREATE`…) or
 * for a whole object (`GAP_OVERFLOW`), says no more than: look again. Rejects when listening breaks off, with CURSOR_LOST where the
 * platform no longer holds the events after `position`.
 */
export async function listenToEvents(
  client: SalesforceClient,
  push: EventPush,
  position: string | undefined,
  entityTypes: readonly string[],
  onHint: (hint: Hint) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const channels = channelsOf(push, entityTypes);
  const positions = parsedPosition(position);
  const { promise: broken, reject: fail } = Promise.withResolvers<never>();
  // Where listening ends for another reason first, nobody waits for this one.
  broken.catch(() => {});
  const hints = new HintQueue(positions, onHint, fail);
  const refused = new Map<string, ConnectorError>();
  const refuse = (error: ConnectorError, channel: string | undefined) => {
    if (channel === undefined || error.code === "CURSOR_LOST") return fail(error);
    refused.set(channel, error);
    // One object that sends no events must not silence the others; polls watch it all the same.
    if (refused.size === channels.length) fail(error);
  };
  const { stream, token } = await client.eventStream([replayExtension(positions, refuse, () => client.sessionWorked())]);
  stream.on("transport:down", () => fail(new ConnectorError("TRANSIENT", { message: "The stream of Salesforce's events broke off." })));
  const aborted = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
  try {
    const subscribed = channels.map((channel) =>
      stream.subscribe(channel, (data) => {
        const event = changeEvent.safeParse(data);
        if (event.success) hints.add(entityTypeOf(event.data, entityTypes), channel, event.data.event.replayId);
      }),
    );
    // What happened on a channel before it was subscribed to is in no event, unless it is replayed from a position.
    const unheard = channels.some((channel) => !positions.has(channel));
    void Promise.allSettled(subscribed).then(() => (unheard ? hints.addUnknown() : undefined));
    await Promise.race([broken, aborted]);
  } catch (error) {
    if (error instanceof ConnectorError && error.code === "AUTH_EXPIRED") throw await renewed(client, token);
    throw error;
  } finally {
    stop(stream);
    await hints.end();
  }
}

/** A new session, and the word that listening has to start again with it; AUTH_EXPIRED where a new one is refused too. */
async function renewed(client: SalesforceClient, token: string): Promise<ConnectorError> {
  await client.renewSession(token);
  return new ConnectorError("TRANSIENT", { message: "The session ended while listening to Salesforce's events; there is a new one." });
}

function channelsOf(push: EventPush, entityTypes: readonly string[]): readonly string[] {
  if (push.channel !== undefined) return [push.channel];
  if (entityTypes.length === 0) return ["/data/ChangeEvents"];
  return [...new Set(entityTypes.map((type) => `/data/${type.replace(/__c$/, "__")}ChangeEvent`))];
}

function parsedPosition(position: string | undefined): Map<string, number> {
  if (position === undefined) return new Map();
  try {
    return new Map(Object.entries(positionSchema.parse(JSON.parse(position))));
  } catch {
    throw new ConnectorError("CURSOR_LOST", { message: "The position among Salesforce's events cannot be read; listening has to start anew." });
  }
}

/** The object that an event tells of; none where it is not watched itself (it may be a comment of what is) or where events were lost by the platform. */
function entityTypeOf({ payload }: z.infer<typeof changeEvent>, entityTypes: readonly string[]): string | undefined {
  const header = payload?.ChangeEventHeader;
  if (header === undefined || header.changeType === "GAP_OVERFLOW") return undefined;
  return entityTypes.find((type) => type.toLowerCase() === header.entityName.toLowerCase());
}

/** Asks for what was missed, for each of several channels (jsforce's own extension knows one), and tells of what is refused. */
function replayExtension(
  positions: ReadonlyMap<string, number>,
  refuse: (error: ConnectorError, channel: string | undefined) => void,
  welcomed: () => void,
): BayeuxExtension {
  return {
    outgoing(message, pass) {
      if (message.channel === "/meta/handshake") message.ext = { ...message.ext, replay: true };
      if (message.channel === "/meta/subscribe") {
        const replay = Object.fromEntries([message.subscription ?? []].flat().map((channel) => [channel, positions.get(channel) ?? newEventsOnly]));
        message.ext = { ...message.ext, replay };
      }
      pass(message);
    },
    incoming(message, pass) {
      const { channel, successful, subscription } = message;
      if (channel === "/meta/handshake" && successful) welcomed();
      // A client that the platform forgot shakes hands again by itself; every other refusal ends listening.
      const forgotten = channel === "/meta/connect" && message.advice?.reconnect === "handshake";
      const known = typeof subscription === "string" ? subscription : undefined;
      if (message.errorCode !== undefined || (successful === false && !forgotten && channel !== "/meta/disconnect")) refuse(refusalOf(message), known);
      if (message.errorCode === undefined && (successful !== false || forgotten || known !== undefined)) pass(message);
    },
  };
}

function refusalOf(message: BayeuxMessage): ConnectorError {
  const { sfdc } = (message.ext ?? {}) as { sfdc?: { failureReason?: unknown } }; // looked at next
  const text = [sfdc?.failureReason, message.error, message.errorCode].filter((part) => typeof part === "string").join(" ");
  const where = typeof message.subscription === "string" ? ` on ${message.subscription}` : "";
  const known = refusals.find(({ sign }) => sign.test(text));
  const said = text === "" ? "no reason was given" : text.replace(/\s+/g, " ").slice(0, 300);
  return new ConnectorError(known?.code ?? "TRANSIENT", {
    message: `Salesforce does not let this account listen${where}: ${said}.`,
    ...(known?.advice !== undefined && { advice: known.advice }),
    ...(known?.code === "THROTTLED" && { retryAfterMs: 900_000 }),
  });
}

interface EventRefusal {
  readonly sign: RegExp;
  readonly code: ConstructorParameters<typeof ConnectorError>[0];
  readonly advice?: string;
}

const refusals: readonly EventRefusal[] = [
  { sign: /replayId.*invalid/i, code: "CURSOR_LOST" },
  { sign: /\b401\b|Authentication invalid|INVALID_SESSION_ID/, code: "AUTH_EXPIRED" },
  { sign: /limit exceeded|limit was exceeded/i, code: "THROTTLED", advice: "The org's allowance of event deliveries or of clients is used up; polls go on." },
  {
    sign: /\b403\b|denied|insufficient/i,
    code: "PERMISSION",
    advice: "Select the object under Change Data Capture in Setup, and give the user “View All” on it, or read access to the platform event.",
  },
  {
    sign: /\b400\b|\b404\b|unknown channel|invalid channel/i,
    code: "BAD_REQUEST",
    advice: "Check the channel, and that the object sends change events: not every standard object does.",
  },
];
