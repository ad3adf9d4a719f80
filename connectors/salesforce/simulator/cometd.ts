import { randomBytes } from "node:crypto";
import { Hono } from "hono";
import { z } from "zod";
import type { SimulatorBindings } from "../../simulation/server.ts";
import type { SimulatorContext } from "./context.ts";
import type { BusEvent } from "./event-bus.ts";
import { bearer } from "./sign-in-routes.ts";
import { channelsMatch, type Stream, seenBy } from "./streams.ts";

type Message = z.infer<typeof messageSchema>;
type Reply = Record<string, unknown>;

const messageSchema = z.looseObject({
  channel: z.string(),
  id: z.union([z.string(), z.number()]).optional(),
  clientId: z.string().optional(),
  subscription: z.union([z.string(), z.array(z.string())]).optional(),
  ext: z.looseObject({ replay: z.union([z.boolean(), z.record(z.string(), z.number())]).optional() }).optional(),
});

const again = { reconnect: "handshake", interval: 0 };
const never = { reconnect: "none", interval: 0 };

/**
 * `/cometd/{version}`: the Streaming API over Bayeux long polling, with the replay extension: change events, platform events, push topics and
 * generic channels [D]. A poll is answered when there is something to tell, and after `streams.timeoutMs` at the latest; a client that stays
 * away for `streams.forgetAfterMs` is forgotten and has to shake hands again.
 */
export function cometdRoutes(context: SimulatorContext): Hono<SimulatorBindings> {
  const { accounts, events, streams } = context;
  const app = new Hono<SimulatorBindings>();

  const handle = async (request: Request, leave: AbortSignal): Promise<Response> => {
    const body: unknown = await request.json().catch(() => undefined);
    const messages = z.array(messageSchema).safeParse(Array.isArray(body) ? body : [body]);
    if (!messages.success) return new Response("Invalid JSON", { status: 400 });
    const token = bearer(request.headers.get("authorization") ?? "");
    const replies: Reply[] = [];
    for (const message of messages.data) replies.push(...(await answer(message, token, leave)));
    const headers = {
      "content-type": "application/json;charset=UTF-8",
      "cache-control": "no-cache",
      "set-cookie": `BAYEUX_BROWSER=${randomBytes(8).toString("hex")}; Path=/cometd; HttpOnly`,
    };
    return new Response(JSON.stringify(replies), { headers });
  };
  app.post("/cometd/:version", (c) => handle(c.req.raw, c.req.raw.signal));
  app.post("/cometd/:version/*", (c) => handle(c.req.raw, c.req.raw.signal));
  return app;

  async function answer(message: Message, token: string, leave: AbortSignal): Promise<Reply[]> {
    const reply = (more: Reply): Reply => ({ channel: message.channel, ...(message.id !== undefined && { id: message.id }), ...more });
    const userId = accounts.userOf(token);
    if (message.channel === "/meta/handshake") {
      if (userId === undefined)
        return [
          reply({
            successful: false,
            error: "403::Handshake denied",
            advice: { reconnect: "none" },
            ext: { sfdc: { failureReason: "401::Authentication invalid" }, replay: true },
          }),
        ];
      const clientId = streams.open(userId);
      return [
        reply({
          successful: true,
          version: "1.0",
          minimumVersion: "1.0",
          clientId,
          supportedConnectionTypes: ["long-polling"],
          ext: { replay: true, "payload.format": true },
        }),
      ];
    }
    const clientId = message.clientId ?? "";
    if (userId === undefined) return [reply({ successful: false, clientId, error: "401::Authentication invalid", advice: never })];
    const stream = streams.find(clientId);
    if (stream === undefined) return [reply({ successful: false, clientId, error: "403::Unknown client", advice: again })];
    switch (message.channel) {
      case "/meta/connect": {
        const told = await stream.wait(leave, streams.timeoutMs);
        if (accounts.userOf(token) === undefined) return [reply({ successful: false, clientId, error: "401::Authentication invalid", advice: never })];
        if (streams.find(clientId) === undefined) return [reply({ successful: false, clientId, error: "403::Unknown client", advice: again })];
        return [...told, reply({ successful: true, clientId, advice: { reconnect: "retry", interval: 0, timeout: streams.timeoutMs } })];
      }
      case "/meta/subscribe":
        return names(message).map((subscription) => {
          const refused = subscribe(stream, subscription, message);
          return reply({ successful: refused === undefined, clientId, subscription, ...(refused !== undefined && { error: refused }) });
        });
      case "/meta/unsubscribe":
        return names(message).map((subscription) => {
          stream.channels.delete(subscription);
          return reply({ successful: true, clientId, subscription });
        });
      case "/meta/disconnect":
        streams.forget(clientId);
        return [reply({ successful: true, clientId })];
      default:
        return [reply({ successful: false, clientId, error: "403:denied_by_security_policy:create_denied" })];
    }
  }

  /** Subscribes, with what was missed since the replay id. The error, where that cannot be. */
  function subscribe(stream: Stream, channel: string, message: Message): string | undefined {
    const problem = streams.channelProblem(channel);
    if (problem !== undefined) return problem;
    const given = message.ext?.replay;
    const replayId = typeof given === "object" ? (given[channel] ?? -1) : -1;
    const missed = events.after(replayId, (published: string) => channelsMatch(channel, published));
    if (missed === undefined)
      return `400::The replayId {${replayId}} you provided was invalid.  Please provide a valid ID, -2 to replay all events, or -1 to replay only new events.`;
    stream.channels.add(channel);
    for (const event of missed) stream.tell(deliveryOf(channel, event, stream.userId));
    return undefined;
  }

  function deliveryOf(channel: string, event: BusEvent, userId: string): Reply {
    return { channel, data: seenBy(context.org, event, userId) };
  }
}

function names({ subscription }: Message): string[] {
  return subscription === undefined ? [] : Array.isArray(subscription) ? subscription : [subscription];
}
