import { z } from "@hono/zod-openapi";

const instant = z.string().openapi({ format: "date-time" });
const problem = z.object({ code: z.string(), message: z.string(), advice: z.string().optional() });
const anyJson = z.unknown().openapi({ description: "Any JSON" });
/** Read from JSON already: the members are, whatever they are. */
const jsonObject = z.record(z.string(), anyJson);

export const errorSchema = z
  .object({
    error: z.object({
      code: z.string(),
      message: z.string(),
      diagnostics: z
        .array(z.object({ code: z.string(), message: z.string(), line: z.number(), column: z.number(), suggestion: z.string().optional() }))
        .optional(),
      detail: anyJson.optional(),
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
    drift: z
      .object({ checkedAt: instant, changed: z.boolean(), breaks: z.number(), problem: problem.nullable() })
      .nullable()
      .openapi({ description: "What the last look at the live schema found, for the active version" }),
  })
  .openapi("RuleVersion");

export const ruleVersionSchema = ruleSchema.extend({ source: z.string(), declarationsHash: z.string(), report: anyJson }).openapi("RuleVersionWithSource");

const comparedLine = z.object({ op: z.enum(["=", "-", "+"]), text: z.string(), from: z.number().optional(), to: z.number().optional() });
export const comparisonSchema = z.object({ from: z.string(), to: z.string(), lines: z.array(comparedLine) }).openapi("Comparison");

export const draftSchema = z
  .object({
    source: z.string(),
    basedOn: z.number().nullable(),
    revision: z.number(),
    author: z.string(),
    createdAt: instant,
    updatedAt: instant,
  })
  .openapi("Draft");

const source = z.string().max(262_144);
export const draftBody = z
  .strictObject({ source, revision: z.int().positive().nullable(), basedOn: z.int().positive().nullable().optional() })
  .openapi("DraftSave", { description: "`revision` is that of the draft that the editor has; null begins one." });
export const revisionQuery = z.object({ revision: z.coerce.number().int().positive() });
const note = z.string().min(1).max(2_000);
export const publishDraftBody = z
  .strictObject({ revision: z.int().positive(), note, overNewer: z.boolean().default(false), despite: note.optional() })
  .openapi("PublishDraft", {
    description: "`overNewer` publishes over a version that the draft does not take into account; `despite` says why to publish although pinned samples fail.",
  });
export const activateBody = z.strictObject({ note: note.optional(), despite: note.optional() }).openapi("ActivateVersion");
export const sourceBody = z.strictObject({ source }).openapi("RuleText");
export const diagnosticsSchema = z
  .object({
    ok: z.boolean(),
    declarationsHash: z.string(),
    diagnostics: z.array(
      z.object({
        code: z.string(),
        message: z.string(),
        line: z.number(),
        column: z.number(),
        endLine: z.number(),
        endColumn: z.number(),
        suggestion: z.string().optional(),
      }),
    ),
  })
  .openapi("Diagnostics");
export const declarationsSchema = z.object({ hash: z.string(), text: z.string() }).openapi("Declarations");

const sampleName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}$/, "must be 1 to 100 letters, digits, blanks, ., - or _");
export const sampleSchema = z
  .object({ name: z.string(), pinned: z.boolean(), content: anyJson, runId: z.string().nullable(), author: z.string(), updatedAt: instant })
  .openapi("Sample");
export const newSampleBody = z
  .strictObject({ name: sampleName, pinned: z.boolean().default(true), content: jsonObject.optional(), run: z.uuid().optional() })
  .refine((body) => (body.content === undefined) !== (body.run === undefined), "give the sample's content, or the id of the run that it is to be made of")
  .openapi("NewSample");
export const sampleBody = z.strictObject({ pinned: z.boolean(), content: jsonObject }).openapi("SampleChange");

/** Which text is meant: one that is given, a published version, or else the draft, or what runs now. */
const which = { source: source.optional(), version: z.uuid().optional() };
export const trySamplesBody = z
  .strictObject({ ...which, names: z.array(sampleName).max(1_000).optional(), pinnedOnly: z.boolean().default(false) })
  .openapi("TrySamples");
export const triedSamplesSchema = z
  .object({
    text: z.string(),
    passed: z.number(),
    failed: z.number(),
    results: z.array(
      z.object({
        name: z.string(),
        pinned: z.boolean(),
        passed: z.boolean(),
        outcome: anyJson,
        differences: z.array(anyJson),
        console: z.array(z.string()),
        cpuMs: z.number(),
      }),
    ),
  })
  .openapi("TriedSamples");
export const previewBody = z
  .strictObject({
    ...which,
    entityType: z.string().min(1).max(200).optional(),
    key: z.string().min(1).max(200).optional(),
    replica: jsonObject.optional(),
  })
  .refine((body) => (body.entityType === undefined) === (body.key === undefined), "entityType and key go together")
  .openapi("PreviewRequest");
export const previewSchema = z
  .object({
    text: z.string(),
    record: z.object({ entityType: z.string(), id: z.string(), key: z.string(), url: z.string() }).nullable(),
    firstSync: z.boolean(),
    outcome: z.enum(["would", "nothing", "skipped", "waiting", "error"]),
    words: z.array(z.string()),
    replica: anyJson.optional(),
    lastSent: anyJson.optional(),
    differences: z.array(anyJson).optional(),
    change: anyJson.optional(),
    error: anyJson.optional(),
    console: z.array(z.string()),
    calls: anyJson,
    cpuMs: z.number(),
    wallMs: z.number(),
  })
  .openapi("Preview", { description: "What a rule would do now. Nothing of it was done." });
export const shadowBody = z.strictObject({ ...which, runs: z.int().min(1).max(1_000).default(100) }).openapi("ShadowRequest");
export const replayBody = z.strictObject(which).openapi("ReplayRequest");
export const shadowSchema = z
  .object({
    text: z.string(),
    compared: z.number(),
    same: z.number(),
    different: z.array(
      z.object({
        run: z.string(),
        number: z.number(),
        version: z.number(),
        key: z.string().nullable(),
        before: anyJson,
        after: anyJson,
        differences: z.array(anyJson),
        redacted: z.boolean(),
      }),
    ),
    notReplayable: z.array(z.object({ run: z.string(), number: z.number(), why: z.string() })),
    tookMs: z.number(),
  })
  .openapi("Shadow");
export const driftSchema = z
  .object({
    connection: z.string(),
    side: z.string(),
    direction,
    version: z.number(),
    versionId: z.string(),
    checkedAt: instant,
    changed: z.boolean(),
    changes: z.array(z.object({ op: z.enum(["-", "+"]), text: z.string() })),
    breaks: z.array(z.object({ code: z.string(), message: z.string(), line: z.number(), column: z.number(), suggestion: z.string().optional() })),
    problem: problem.nullable(),
  })
  .openapi("Drift");
export const driftQuery = z.object({ connection: z.string().optional(), side: z.string().optional() });
export const mappingsSchema = z.object({ tables: anyJson }).openapi("Mappings");

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

export const publishBody = z
  .strictObject({ source, note, basedOn: z.int().positive().nullable().optional(), despite: note.optional() })
  .openapi("PublishRequest", {
    description: "With `basedOn` it is refused when another version is active. `despite` says why to publish although pinned samples fail.",
  });
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
