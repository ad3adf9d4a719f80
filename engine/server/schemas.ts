import { z } from "@hono/zod-openapi";

const instant = z.string().openapi({ format: "date-time" });
const problem = z.object({ code: z.string(), message: z.string(), advice: z.string().optional() });
const anyJson = z.unknown().openapi({ description: "Any JSON" });

export const errorSchema = z
  .object({
    error: z.object({
      code: z.string(),
      message: z.string(),
      diagnostics: z
        .array(z.object({ code: z.string(), message: z.string(), line: z.number(), column: z.number(), suggestion: z.string().optional() }))
        .optional(),
    }),
  })
  .openapi("Error");

export const instanceSchema = z
  .object({ name: z.string(), platform: z.string(), config: anyJson, pollIntervalMs: z.number(), stopped: problem.nullable(), createdAt: instant })
  .openapi("Instance", { description: "An account on a platform. Secrets are never shown." });

export const connectionSchema = z
  .object({
    name: z.string(),
    active: z.boolean(),
    createdAt: instant,
    sides: z.array(z.object({ position: z.enum(["left", "right"]), name: z.string(), instance: z.string() })).nullable(),
    twins: z.number().nullable(),
    openFailures: z.number().nullable(),
  })
  .openapi("Connection");

const direction = z.enum(["outgoing", "incoming"]);

export const ruleSchema = z
  .object({
    id: z.string(),
    connection: z.string(),
    side: z.string(),
    direction,
    number: z.number(),
    note: z.string(),
    author: z.string(),
    createdAt: instant,
    active: z.boolean(),
  })
  .openapi("RuleVersion");

export const ruleVersionSchema = ruleSchema.extend({ source: z.string(), declarationsHash: z.string() }).openapi("RuleVersionWithSource");

export const triggerSchema = z
  .object({
    id: z.string(),
    connection: z.string(),
    side: z.string(),
    entityType: z.string(),
    query: z.string(),
    active: z.boolean(),
    nextPoll: instant,
    problem: problem.nullable(),
  })
  .openapi("Trigger");

export const twinSchema = z
  .object({
    id: z.string(),
    number: z.number(),
    connection: z.string(),
    state: z.enum(["candidate", "tied", "ended"]),
    createdAt: instant,
    sides: z.array(
      z.object({
        side: z.string(),
        entityType: z.string().nullable(),
        entityId: z.string().nullable(),
        key: z.string().nullable(),
        url: z.string().nullable(),
        sentSequence: z.number(),
        receivedSequence: z.number(),
      }),
    ),
  })
  .openapi("Twin");

export const twinWithReplicasSchema = twinSchema
  .extend({ replicas: z.array(z.object({ side: z.string(), sent: anyJson, received: anyJson })) })
  .openapi("TwinWithReplicas");

export const messageSchema = z
  .object({
    id: z.number(),
    connection: z.string(),
    twin: z.string(),
    from: z.string(),
    to: z.string(),
    sequence: z.number(),
    kind: z.enum(["replica", "ack"]),
    state: z.enum(["received", "applied", "skipped"]),
    reason: z.string().nullable(),
    createdAt: instant,
    settledAt: instant.nullable(),
  })
  .openapi("Message");

export const messageWithBodySchema = messageSchema.extend({ body: anyJson }).openapi("MessageWithBody");

export const runSchema = z
  .object({
    id: z.string(),
    number: z.number(),
    connection: z.string(),
    side: z.string(),
    direction,
    version: z.number(),
    versionId: z.string(),
    twin: z.string().nullable(),
    outcome: z.enum(["ok", "skipped", "failed", "waiting", "error"]),
    reason: z.string().nullable(),
    cpuMs: z.number(),
    wallMs: z.number(),
    createdAt: instant,
  })
  .openapi("Run");

export const runRecordSchema = runSchema
  .extend({ input: anyJson, calls: anyJson, output: anyJson, console: z.array(z.string()), error: anyJson })
  .openapi("RunRecord");

export const failureSchema = z
  .object({
    id: z.number(),
    connection: z.string(),
    side: z.string().nullable(),
    twin: z.string().nullable(),
    run: z.string().nullable(),
    code: z.string(),
    fault: z.enum(["rule", "platform", "operator", "isobridge"]),
    message: z.string(),
    advice: z.string().nullable(),
    detail: anyJson,
    createdAt: instant,
    resolvedAt: instant.nullable(),
    resolution: z.enum(["retried", "skipped"]).nullable(),
  })
  .openapi("Failure");

export const publishBody = z.strictObject({ source: z.string().max(262_144), note: z.string().min(1).max(2_000) }).openapi("PublishRequest");
export const syncBody = z.strictObject({ entityType: z.string().min(1).max(200), key: z.string().min(1).max(200) }).openapi("SyncRequest");
export const publishedSchema = z.object({ id: z.string(), number: z.number() }).openapi("Published");
export const syncQueuedSchema = z.object({ twin: z.string() }).openapi("SyncQueued");
export const resolvedSchema = z.object({ id: z.number(), resolution: z.enum(["retried", "skipped"]) }).openapi("Resolved");

/** A page of a list. `next` is given as `after` to get the next one. */
export function pageOf<Item extends z.ZodType>(item: Item) {
  return z.object({ items: z.array(item), next: z.string().nullable() });
}

export const pageQuery = z.object({
  limit: z.coerce.number().int().min(1).max(200).default(50).openapi({ description: "Items per page, 1 to 200" }),
  after: z.string().optional().openapi({ description: "`next` of the page before" }),
});
/** For lists whose position is a number. */
export const numberedQuery = pageQuery.extend({
  after: z
    .string()
    .regex(/^\d{1,15}$/, "must be the `next` of a page")
    .optional(),
});
/** For lists whose position is an id. */
export const identifiedQuery = pageQuery.extend({ after: z.uuid().optional() });
