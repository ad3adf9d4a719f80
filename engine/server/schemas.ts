import { z } from "@hono/zod-openapi";

export const instant = z.string().openapi({ format: "date-time" });
export const problem = z.object({ code: z.string(), message: z.string(), advice: z.string().optional() });
export const anyJson = z.unknown().openapi({ description: "Any JSON" });
/** Read from JSON already: the members are, whatever they are. */
export const jsonObject = z.record(z.string(), anyJson);

export const errorSchema = z
  .object({
    error: z.object({
      code: z.string(),
      message: z.string(),
      diagnostics: z
        .array(
          z.object({
            code: z.string(),
            message: z.string(),
            line: z.number(),
            column: z.number(),
            suggestion: z.string().optional(),
            file: z.string().optional(),
            rule: z.string().optional(),
          }),
        )
        .optional(),
      detail: anyJson.optional(),
    }),
  })
  .openapi("Error");

export const instanceSchema = z
  .object({ name: z.string(), platform: z.string(), config: anyJson, pollIntervalMs: z.number(), stopped: problem.nullable(), createdAt: instant })
  .openapi("Instance", { description: "An account on a platform. Secrets are never shown." });

export const instanceDetailSchema = instanceSchema
  .extend({
    webhook: z.string().nullable().openapi({ description: "The path to which the platform's calls go, where the instance takes any; told to admins" }),
    events: z
      .object({ heardAt: instant.nullable(), problem: problem.nullable() })
      .nullable()
      .openapi({ description: "Where the node listens to the platform's events: when it last heard one, and why it does not listen" }),
  })
  .openapi("InstanceDetail");

export const instanceCheckSchema = z
  .object({ account: z.string(), problems: z.array(z.string()) })
  .openapi("InstanceCheck", { description: "problems: what the account may not or the instance cannot, in words; empty when all is there" });

export const connectionSchema = z
  .object({
    name: z.string(),
    active: z.boolean(),
    createdAt: instant,
    limits: z.record(z.string(), z.number()).openapi({ description: "What runs of its rules may use, where it is not what the node allows" }),
    sides: z
      .array(
        z.object({
          position: z.enum(["left", "right"]),
          name: z.string(),
          instance: z.string(),
          allow: z
            .array(z.object({ method: z.enum(["POST", "PUT", "PATCH", "DELETE"]), path: z.string() }))
            .openapi({ description: "What rules of the side may write to by platform.request" }),
        }),
      )
      .nullable(),
    twins: z.number().nullable(),
    openFailures: z.number().nullable(),
  })
  .openapi("Connection");

export const direction = z.enum(["outgoing", "incoming"]);

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
        shared: z.boolean().openapi({ description: "True when other twins are tied to the same record" }),
        sentSequence: z.number(),
        receivedSequence: z.number(),
      }),
    ),
    waitingFor: z
      .object({ side: z.string(), remoteKey: z.string() })
      .nullable()
      .openapi({ description: "What a rule of this side waits for: the twin of the other side's record with this key" }),
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
  .extend({
    withheld: z
      .object({ fields: z.array(z.string()), secrets: z.boolean(), cut: z.array(z.string()) })
      .nullable()
      .openapi({ description: "What the record does not show as it was; null when it is whole" }),
    input: anyJson,
    calls: anyJson,
    output: anyJson,
    console: z.array(z.string()),
    error: anyJson,
  })
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

export const syncBody = z.strictObject({ entityType: z.string().min(1).max(200), key: z.string().min(1).max(200) }).openapi("SyncRequest");
export const signInBody = z
  .strictObject({
    redirectUri: z
      .url({ protocol: /^https?$/ })
      .max(2000)
      .optional(),
  })
  .openapi("SignInRequest", { description: "redirectUri: where the platform sends the browser back; this node's address unless it is reached by another one" });
export const signInSchema = z
  .object({ url: z.string(), redirectUri: z.string() })
  .openapi("SignIn", { description: "Open url in a browser within ten minutes" });
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
