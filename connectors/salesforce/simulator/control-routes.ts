import { Hono } from "hono";
import { z } from "zod";
import type { SimulatorBindings } from "../../simulation/server.ts";
import type { SimulatorContext } from "./context.ts";
import type { FieldDefinition, ObjectDefinition } from "./definitions.ts";
import { mergeRecords } from "./merge.ts";
import type { Row } from "./org.ts";
import { seedRows } from "./seed.ts";
import { keepField, keepObject } from "./setup.ts";

const value = z.union([z.string(), z.number(), z.boolean(), z.null()]);
const merging = z.strictObject({ object: z.string(), master: z.string(), losers: z.array(z.string()).min(1).max(2), by: z.string().optional() });
const seeding = z.strictObject({ object: z.string(), count: z.int().min(1), fields: z.record(z.string(), value).default({}), by: z.string().optional() });
const limits = z.strictObject({ used: z.int().optional(), max: z.int().optional(), concurrentRefusals: z.int().optional() });
const field = z.looseObject({ name: z.string(), type: z.string() });

/**
 * `/__control` of this platform, beside faults, clock, latency and the request log that every simulator has:
 * `POST session/expire`, `POST session/lifetime` `{ms}`; `POST oauth` `{agreeing, rotate}` names the user who agrees to the web-server flow without
 * being asked and has refresh tokens rotated, `POST oauth/revoke` ends every refresh token; `GET tables`, `GET tables/{object}`, `PATCH tables/{object}/{id}` past all rules and stamps,
 * `DELETE tables/{object}/{id}` for ever, `POST tables/{object}/{id}/undelete`; `POST merge` `{object, master, losers}`;
 * `POST seed` `{object, count, fields}` makes rows that share one second; `POST objects`, `POST fields/{object}`, `DELETE fields/{object}/{field}`;
 * `POST limits` `{used, max, concurrentRefusals}`; `POST query-batch` `{size}`; `POST replication` `{lagMs, idLimit}`, `POST replication/purge`.
 */
export function controlRoutes({ accounts, org, usage, pages, streams }: SimulatorContext): Hono<SimulatorBindings> {
  const app = new Hono<SimulatorBindings>();

  app.post("/__control/session/expire", (c) => {
    accounts.revokeAll();
    streams.interruptAll();
    return c.body(null, 204);
  });
  app.post("/__control/session/lifetime", async (c) => {
    accounts.lifetimeMs = z.strictObject({ ms: z.int().min(0) }).parse(await c.req.json()).ms;
    return c.body(null, 204);
  });

  app.post("/__control/oauth", async (c) => {
    const { agreeing, rotate } = z.strictObject({ agreeing: z.string().nullable().optional(), rotate: z.boolean().optional() }).parse(await c.req.json());
    if (agreeing !== undefined) accounts.agreeing = agreeing ?? undefined;
    if (rotate !== undefined) accounts.web.rotate = rotate;
    return c.body(null, 204);
  });
  app.post("/__control/oauth/revoke", (c) => {
    accounts.web.revokeAll();
    return c.body(null, 204);
  });

  app.get("/__control/tables", (c) => c.json(Object.fromEntries(org.schema.objects().map(({ name }) => [name, org.tables.count(name)]))));
  app.get("/__control/tables/:object", (c) => c.json([...org.rows(c.req.param("object"))]));
  app.patch("/__control/tables/:object/:id", async (c) => {
    const row = org.tables.get(c.req.param("object"), c.req.param("id"));
    if (row === undefined) return c.json({ error: "no such row" }, 404);
    const changes = z.record(z.string(), value).parse(await c.req.json());
    org.put(c.req.param("object"), { ...row, ...changes } as Row); // the id stays
    return c.body(null, 204);
  });
  app.post("/__control/tables/:object/:id/undelete", (c) => {
    const row = org.tables.get(c.req.param("object"), c.req.param("id"));
    if (row !== undefined) org.undelete(c.req.param("object"), row.Id, String(row.LastModifiedById));
    return c.body(null, 204);
  });

  app.delete("/__control/tables/:object/:id", (c) => {
    org.purge(c.req.param("object"), [c.req.param("id")]);
    return c.body(null, 204);
  });
  app.post("/__control/merge", async (c) => {
    const { object, master, losers, by } = merging.parse(await c.req.json());
    mergeRecords(org, object, master, losers, {}, by ?? String(org.tables.get(object, master)?.LastModifiedById));
    return c.body(null, 204);
  });
  app.post("/__control/seed", async (c) => {
    const { object, count, fields, by } = seeding.parse(await c.req.json());
    return c.json({ ids: seedRows(org, object, count, fields, by) });
  });
  app.post("/__control/replication", async (c) => {
    const { lagMs, idLimit } = z.strictObject({ lagMs: z.int().min(0).optional(), idLimit: z.int().min(1).optional() }).parse(await c.req.json());
    if (lagMs !== undefined) org.rules.replicationLagMs = lagMs;
    if (idLimit !== undefined) org.rules.replicationIdLimit = idLimit;
    return c.body(null, 204);
  });
  app.post("/__control/replication/purge", (c) => {
    org.deletions.forget();
    return c.body(null, 204);
  });

  app.post("/__control/objects", async (c) => {
    keepObject(
      org,
      z.looseObject({ name: z.string(), keyPrefix: z.string().length(3), fields: z.array(field) }).parse(await c.req.json()) as unknown as ObjectDefinition,
    ); // names and kinds are checked, the rest is optional
    return c.body(null, 204);
  });
  app.post("/__control/fields/:object", async (c) => {
    keepField(org, c.req.param("object"), field.parse(await c.req.json()) as unknown as FieldDefinition); // as above
    return c.body(null, 204);
  });
  app.delete("/__control/fields/:object/:field", (c) => {
    org.schema.removeField(c.req.param("object"), c.req.param("field"));
    return c.body(null, 204);
  });

  app.post("/__control/limits", async (c) => {
    Object.assign(usage, limits.parse(await c.req.json()));
    return c.json(usage);
  });
  app.post("/__control/query-batch", async (c) => {
    pages.batchSize = z.strictObject({ size: z.int().min(1).max(2000) }).parse(await c.req.json()).size;
    return c.body(null, 204);
  });
  return app;
}
