import type { Hono } from "hono";
import { z } from "zod";
import type { SimulatorBindings } from "../../simulation/server.ts";
import { accessSchema, accountSchema } from "./accounts.ts";
import { type Instance, newSysId } from "./instance.ts";
import type { TableDefinition } from "./schema.ts";
import { endSessions } from "./sign-in.ts";
import type { Row } from "./store.ts";

const settingsSchema = z.strictObject({
  batchServes: z.int().min(0).nullable().optional(),
  invalidQueryMatchesNothing: z.boolean().optional(),
  basicAuthRestricted: z.boolean().optional(),
  clientCredentialsEnabled: z.boolean().optional(),
  accessTokenSeconds: z.int().min(1).optional(),
  attachmentLimitBytes: z.int().min(0).optional(),
  /** What is written from now on becomes visible so much later: rows that commit late. */
  commitDelayMs: z.int().min(0).optional(),
});

const columnSchema = z.looseObject({ element: z.string(), label: z.string() });
const tableSchema = z.looseObject({ name: z.string(), label: z.string(), columns: z.array(columnSchema).default([]) });
const ruleSchema = z.strictObject({ table: z.string(), name: z.string(), abortWhen: z.string() });

/** The controls that only this platform has; faults, clock, latency and the request log are those of every simulator. */
export function controlRoutes(app: Hono<SimulatorBindings>, instance: Instance): void {
  app.post("/__control/settings", async (c) => {
    const { commitDelayMs, ...settings } = settingsSchema.parse(await c.req.json());
    Object.assign(instance.settings, settings);
    if (commitDelayMs !== undefined) instance.store.commitDelayMs = commitDelayMs;
    return c.json({ ...instance.settings, commitDelayMs: instance.store.commitDelayMs });
  });
  app.post("/__control/session/expire", async (c) => {
    const text = await c.req.text();
    endSessions(instance, text !== "" && z.object({ refresh: z.boolean().default(false) }).parse(JSON.parse(text)).refresh);
    return c.body(null, 204);
  });
  app.post("/__control/accounts", async (c) => {
    const account = instance.addAccount(accountSchema.parse(await c.req.json()));
    return c.json({ userName: account.userName, userId: account.userId }, 201);
  });
  app.post("/__control/accounts/:userName/access", async (c) => {
    const account = instance.accounts.get(c.req.param("userName"));
    if (account === undefined) return c.json({ error: "no such account" }, 404);
    instance.accounts.put({ ...account, access: accessSchema.parse(await c.req.json()) });
    return c.body(null, 204);
  });
  app.post("/__control/schema", async (c) => {
    // The schema above checks what the simulator relies on; further keys are the optional ones of the type.
    instance.define(tableSchema.parse(await c.req.json()) as TableDefinition);
    return c.body(null, 204);
  });
  app.post("/__control/rules", async (c) => {
    instance.businessRules.push(ruleSchema.parse(await c.req.json()));
    return c.body(null, 204);
  });
  app.get("/__control/tables/:table", (c) => {
    const table = c.req.param("table");
    return instance.schema.table(table) === undefined ? c.json({ error: "no such table" }, 404) : c.json([...instance.store.rows(table)]);
  });
  app.post("/__control/tables/:table", async (c) => {
    const rows = z.array(z.record(z.string(), z.string())).parse(await c.req.json());
    return c.json(
      rows.map((row) => plant(instance, c.req.param("table"), row)),
      201,
    );
  });
  app.patch("/__control/tables/:table/:id", async (c) => {
    const found = instance.store.find(c.req.param("table"), c.req.param("id"));
    if (found === undefined) return c.json({ error: "no such record" }, 404);
    instance.store.put(found.table, { ...found.row, ...z.record(z.string(), z.string()).parse(await c.req.json()) });
    return c.body(null, 204);
  });
}

/** Puts a row straight into the database, without rights, rules or stamps of now: for large or odd beginnings. Gives its sys_id. */
export function plant(instance: Instance, table: string, given: Readonly<Record<string, string>>): string {
  const row: Record<string, string> = {};
  const stamp = instance.stamp();
  for (const column of instance.schema.columns(table).values()) row[column.element] = column.default ?? "";
  Object.assign(row, {
    sys_id: newSysId(),
    sys_created_on: stamp,
    sys_created_by: "system",
    sys_updated_on: stamp,
    sys_updated_by: "system",
    sys_mod_count: "0",
  });
  if ("sys_class_name" in row) row.sys_class_name = table;
  Object.assign(row, given);
  if ("number" in row && row.number === "") row.number = instance.nextNumber(table) ?? "";
  if (table === "incident" && given.incident_state === undefined) row.incident_state = row.state ?? "";
  const frozen: Row = row;
  instance.store.put(table, frozen);
  return row.sys_id ?? "";
}
