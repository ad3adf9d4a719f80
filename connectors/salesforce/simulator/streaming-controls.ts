import { Hono } from "hono";
import { z } from "zod";
import type { SimulatorBindings } from "../../simulation/server.ts";
import type { SimulatorContext } from "./context.ts";
import type { EventFault } from "./event-bus.ts";
import type { OutboundMessage } from "./outbound-messages.ts";

const fault = z.strictObject({
  kind: z.enum(["lose", "vanish", "duplicate", "delay", "reorder"]),
  times: z.int().min(1).default(1),
  ms: z.int().min(0).optional(),
  channel: z.string().optional(),
});
const gap = z.strictObject({
  object: z.string(),
  type: z.enum(["GAP_CREATE", "GAP_UPDATE", "GAP_DELETE", "GAP_UNDELETE", "GAP_OVERFLOW"]),
  ids: z.array(z.string()).default([]),
});
const outboundMessage = z.strictObject({
  name: z.string(),
  object: z.string(),
  url: z.url(),
  fields: z.array(z.string()).default([]),
  on: z.array(z.enum(["create", "update"])).default(["create", "update"]),
  when: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])).optional(),
  sessionOf: z.string().optional(),
});

/**
 * `/__control` of what is told unasked:
 * `POST events/faults` `{kind, times, ms?, channel?}` arms a fault of the next events (lost, vanished, doubled, delayed, out of order), `DELETE` clears;
 * `POST events/gap` `{object, type, ids}` publishes a gap; `POST events/gaps` `{times}` turns the next changes into gaps;
 * `PUT events/selected` `["Case"]` selects the objects that change events are published of, `null` all;
 * `GET events` lists what was published and is kept;
 * `POST streaming/timeout` `{ms}` and `POST streaming/forget-after` `{ms}` set how long polls wait and clients may stay away;
 * `POST streaming/drop` ends every poll and forgets every client;
 * `PUT outbound-messages` sets where records are posted to, `GET` lists what waits, `POST outbound-messages/faults` `{kind, times}` and
 * `POST outbound-messages/retry` `{ms}` disturb and hasten them.
 */
export function streamingControls({ events, changes, streams, outbound }: SimulatorContext): Hono<SimulatorBindings> {
  const app = new Hono<SimulatorBindings>();
  const ms = z.strictObject({ ms: z.int().min(0) });

  app.get("/__control/events", (c) => c.json(events.after(-2, () => true) ?? []));
  app.post("/__control/events/faults", async (c) => {
    events.faults.push(fault.parse(await c.req.json()) as EventFault); // the same but for `undefined`, which JSON has not
    return c.body(null, 204);
  });
  app.delete("/__control/events/faults", (c) => {
    events.faults.length = 0;
    return c.body(null, 204);
  });
  app.post("/__control/events/gap", async (c) => {
    const { object, type, ids } = gap.parse(await c.req.json());
    changes.gap(object, type, ids);
    return c.body(null, 204);
  });
  app.post("/__control/events/gaps", async (c) => {
    changes.gaps = z.strictObject({ times: z.int().min(0) }).parse(await c.req.json()).times;
    return c.body(null, 204);
  });
  app.put("/__control/events/selected", async (c) => {
    const objects = z
      .array(z.string())
      .nullable()
      .parse(await c.req.json());
    changes.selected = objects === null ? undefined : new Set(objects);
    return c.body(null, 204);
  });
  app.post("/__control/streaming/timeout", async (c) => {
    streams.timeoutMs = ms.parse(await c.req.json()).ms;
    return c.body(null, 204);
  });
  app.post("/__control/streaming/forget-after", async (c) => {
    streams.forgetAfterMs = ms.parse(await c.req.json()).ms;
    return c.body(null, 204);
  });
  app.put("/__control/outbound-messages", async (c) => {
    outbound.messages = z.array(outboundMessage).parse(await c.req.json()) as OutboundMessage[]; // the same but for `undefined`, which JSON has not
    return c.body(null, 204);
  });
  app.get("/__control/outbound-messages", (c) => c.json(outbound.pending()));
  app.post("/__control/outbound-messages/faults", async (c) => {
    outbound.faults.push(
      z.strictObject({ kind: z.enum(["lose", "duplicate", "reorder", "stranger"]), times: z.int().min(1).default(1) }).parse(await c.req.json()),
    );
    return c.body(null, 204);
  });
  app.post("/__control/outbound-messages/retry", async (c) => {
    outbound.retryMs = ms.parse(await c.req.json()).ms;
    return c.body(null, 204);
  });
  app.post("/__control/streaming/drop", (c) => {
    streams.forgetAll();
    return c.body(null, 204);
  });
  return app;
}
