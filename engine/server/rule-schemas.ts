import { z } from "@hono/zod-openapi";
import { anyJson, direction, instant, jsonObject, problem } from "./schemas.ts";

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

export const ruleVersionSchema = ruleSchema
  .extend({
    source: z.string(),
    declarationsHash: z.string(),
    report: anyJson,
    libraries: z
      .array(z.object({ name: z.string(), number: z.number(), id: z.string() }))
      .openapi({ description: "The versions of shared libraries that are part of what this version runs" }),
  })
  .openapi("RuleVersionWithSource");

export const libraryVersionSchema = z
  .object({
    id: z.string(),
    library: z.string(),
    number: z.number(),
    source: z.string(),
    hash: z.string(),
    note: z.string(),
    author: z.string(),
    createdAt: instant,
    active: z.boolean(),
  })
  .openapi("LibraryVersion");

const usingRule = z.object({ connection: z.string(), side: z.string(), direction, number: z.number(), id: z.string() });
export const librarySchema = libraryVersionSchema
  .extend({ usedBy: z.array(usingRule).openapi({ description: "Active rules that use it, themselves or through another library" }) })
  .openapi("Library");
export const libraryListSchema = z
  .object({ items: z.array(libraryVersionSchema.omit({ source: true })), drafts: z.array(z.object({ name: z.string(), revision: z.number() })) })
  .openapi("Libraries");
export const publishedLibrarySchema = z
  .object({ id: z.string(), number: z.number(), rules: z.array(usingRule).openapi({ description: "The new versions of rules that use it" }) })
  .openapi("PublishedLibrary");
export const libraryCheckSchema = z
  .object({
    ok: z.boolean(),
    diagnostics: z.array(
      z.object({
        code: z.string(),
        message: z.string(),
        line: z.number(),
        column: z.number(),
        suggestion: z.string().optional(),
        file: z.string().optional().openapi({ description: "The library that the place is in; otherwise it is in the rule" }),
        rule: z.string().optional().openapi({ description: "The rule that the library was checked with" }),
      }),
    ),
    checkedWith: z.array(z.string()),
  })
  .openapi("LibraryCheck");

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
    description:
      "`overNewer` publishes over a version that the draft does not take into account; `despite`, an admin's alone, says why to publish although pinned samples fail.",
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
        file: z.string().optional().openapi({ description: "`lib/status` when the place is in a shared library" }),
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
    breaks: z.array(
      z.object({
        code: z.string(),
        message: z.string(),
        line: z.number(),
        column: z.number(),
        suggestion: z.string().optional(),
        file: z.string().optional(),
      }),
    ),
    problem: problem.nullable(),
  })
  .openapi("Drift");
export const driftQuery = z.object({ connection: z.string().optional(), side: z.string().optional() });
export const mappingsSchema = z.object({ tables: anyJson }).openapi("Mappings");

export const publishBody = z
  .strictObject({ source, note, basedOn: z.int().positive().nullable().optional(), despite: note.optional() })
  .openapi("PublishRequest", {
    description: "With `basedOn` it is refused when another version is active. `despite`, an admin's alone, says why to publish although pinned samples fail.",
  });
export const publishedSchema = z.object({ id: z.string(), number: z.number() }).openapi("Published");
