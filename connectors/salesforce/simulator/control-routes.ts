import { Hono } from "hono";
import { z } from "zod";
import type { SimulatorBindings } from "../../simulation/server.ts";
import type { SimulatorContext } from "./context.ts";
import type { FieldDefinition, ObjectDefinition } from "./definitions.ts";
import type { Row } from "./org.ts";
import { keepField, keepObject } from "./setup.ts";

const value = z.union([z.string(), z.number(), z.boolean(), z.null()]);
const ids = z.strictObject({ ids: z.array(z.string()) });
const locks = z.strictObject({ ids: z.array(z.string()), times: z.int().min(0).default(1) });
const limits = z.strictObject({ used: z.int().optional(), max: z.int().optional(), concurrentRefusals: z.int().optional() });
const field = z.looseObject({ name: z.string(), type: z.string() });
const late = z.strictObject({ ms: z.int().min(0), times: z.int().min(0).default(1) });

/** `/__control` of this platform: sessions, rows past all rules, quotas, locks, hidden records, late commits, validations and automations. */
export function controlRoutes({ accounts, org, usage, pages }: SimulatorContext): Hono<SimulatorBindings> {
  const app = new Hono<SimulatorBindings>();

  app.post("/__control/session/expire", (c) => {
    accounts.revokeAll();
    return c.body(null, 204);
  });
  app.post("/__control/session/lifetime", async (c) => {
    accounts.lifetimeMs = z.strictObject({ ms: z.int().min(0) }).parse(await c.req.json()).ms;
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
  app.post("/__control/locks", async (c) => {
    const wanted = locks.parse(await c.req.json());
    for (const id of wanted.ids) org.rules.locked.set(id, wanted.times);
    return c.body(null, 204);
  });
  app.post("/__control/hidden", async (c) => {
    org.rules.hidden = new Set(ids.parse(await c.req.json()).ids);
    return c.body(null, 204);
  });
  app.post("/__control/read-only", async (c) => {
    org.rules.readOnly = new Set(ids.parse(await c.req.json()).ids);
    return c.body(null, 204);
  });
  app.post("/__control/late-commits", async (c) => {
    org.rules.lateCommits = late.parse(await c.req.json());
    return c.body(null, 204);
  });
  app.post("/__control/validations", async (c) => {
    org.rules.validations = z.array(z.strictObject({ object: z.string(), field: z.string(), equals: value, message: z.string() })).parse(await c.req.json());
    return c.body(null, 204);
  });
  app.post("/__control/automations", async (c) => {
    org.rules.automations = z
      .array(z.strictObject({ object: z.string(), on: z.enum(["create", "update"]), set: z.record(z.string(), value) }))
      .parse(await c.req.json());
    return c.body(null, 204);
  });
  app.post("/__control/options", async (c) => {
    org.rules.commentTouchesCase = z.strictObject({ commentTouchesCase: z.boolean() }).parse(await c.req.json()).commentTouchesCase;
    return c.body(null, 204);
  });
  return app;
}
