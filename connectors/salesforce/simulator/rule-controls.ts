import { Hono } from "hono";
import { z } from "zod";
import type { SimulatorBindings } from "../../simulation/server.ts";
import type { Restriction } from "./access.ts";
import type { SimulatorContext } from "./context.ts";
import type { Automation, ValidationRule } from "./rules.ts";

const value = z.union([z.string(), z.number(), z.boolean(), z.null()]);
const values = z.record(z.string(), value);
const ids = z.strictObject({ ids: z.array(z.string()) });
const names = z.array(z.string());
const locks = z.strictObject({ ids: names, times: z.int().min(0).default(1), status: z.union([z.literal(400), z.literal(500)]).default(400) });
const late = z.strictObject({ ms: z.int().min(0), times: z.int().min(0).default(1) });
const validation = z.strictObject({
  object: z.string(),
  field: z.string(),
  equals: value.optional(),
  when: values.optional(),
  required: z.boolean().optional(),
  message: z.string(),
  errorCode: z.string().optional(),
});
const automation = z.strictObject({
  object: z.string(),
  on: z.enum(["create", "update"]),
  when: values.optional(),
  set: values.optional(),
  comment: z.strictObject({ body: z.string(), published: z.boolean().optional() }).optional(),
  before: z.boolean().optional(),
  afterMs: z.int().min(0).optional(),
});
const duplicate = z.strictObject({ name: z.string(), object: z.string(), fields: names.min(1), allowSave: z.boolean().default(true) });
const assignment = z.strictObject({ object: z.string(), when: values.optional(), ownerId: z.string() });
const restriction = z.strictObject({
  object: z.string(),
  profile: z.string().optional(),
  hiddenFields: names.optional(),
  readOnlyFields: names.optional(),
  denied: z.array(z.enum(["read", "create", "update", "delete"])).optional(),
  rows: z.enum(["own", "readAllWriteOwn"]).optional(),
});

/**
 * `/__control` of what an administrator sets up; each call replaces what its kind had before:
 * `POST validations` (validation rules, refusing triggers), `POST automations` (flows before and after a save), `POST duplicate-rules`,
 * `POST assignment-rules`, `POST security` (field-, object- and row-level, by profile), `POST hidden` and `POST read-only` `{ids}` (single
 * records), `POST locks` `{ids, times, status}`, `POST late-commits` `{ms, times}`, `POST options` `{commentTouchesCase, extensionsMislead}`.
 */
export function ruleControls({ org }: SimulatorContext): Hono<SimulatorBindings> {
  const app = new Hono<SimulatorBindings>();
  const { rules } = org;
  const control = <Schema extends z.ZodType>(name: string, schema: Schema, set: (given: z.infer<Schema>) => void) => {
    app.post(`/__control/${name}`, async (c) => {
      const given = schema.safeParse(await c.req.json());
      if (!given.success) return c.json({ error: z.prettifyError(given.error) }, 400);
      set(given.data);
      return c.body(null, 204);
    });
  };
  // Optional properties that are `undefined` cannot come from JSON, which is all that the assertions leave out.
  control("validations", z.array(validation), (given) => {
    rules.validations = given as ValidationRule[];
  });
  control("automations", z.array(automation), (given) => {
    rules.automations = given as Automation[];
  });
  control("duplicate-rules", z.array(duplicate), (given) => {
    rules.duplicates = given;
  });
  control("assignment-rules", z.array(assignment), (given) => {
    rules.assignments = given as typeof rules.assignments;
  });
  control("security", z.array(restriction), (given) => {
    org.access.restrictions = given as Restriction[];
  });
  control("hidden", ids, (given) => {
    rules.hidden = new Set(given.ids);
  });
  control("read-only", ids, (given) => {
    rules.readOnly = new Set(given.ids);
  });
  control("locks", locks, (given) => {
    for (const id of given.ids) rules.locked.set(id, given.times);
    rules.lockStatus = given.status;
  });
  control("late-commits", late, (given) => {
    rules.lateCommits = given;
  });
  control("options", z.strictObject({ commentTouchesCase: z.boolean().optional(), extensionsMislead: z.boolean().optional() }), (given) => {
    rules.commentTouchesCase = given.commentTouchesCase ?? rules.commentTouchesCase;
    rules.extensionsMislead = given.extensionsMislead ?? rules.extensionsMislead;
  });
  return app;
}
