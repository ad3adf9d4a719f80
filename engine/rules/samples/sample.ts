import { readFile } from "node:fs/promises";
import { z } from "zod";
import type { Attachment, Comment, Person } from "../../../connectors/connector.ts";
import { isJsonObject, type Json, type JsonObject } from "../../replica/json.ts";
import { blankEntityView, type EntityView, entityViewNames, type MappingTable, type RunInput } from "../run-input.ts";
import { type Outcome, outcomeSchema } from "./outcome.ts";
import { jsonError, placeOf } from "./place.ts";

/** One answer of the platform that a run of the sample is given instead of asking. */
export type RecordedAnswer = { readonly call: RecordedCall } & (
  | { readonly value: Json }
  | { readonly error: { readonly code: string; readonly message: string } }
);

export interface RecordedCall {
  /** `users.byEmail`, `lookup.one`, … */
  readonly name: string;
  readonly args: readonly Json[];
}

interface SampleBase {
  readonly note?: string;
  /** A pinned sample must pass before its rule is published. True unless said otherwise. */
  readonly pinned?: boolean;
  readonly previous?: JsonObject;
  /** If not given: outgoing, true without `previous`; incoming, true without `entity`. */
  readonly firstSync?: boolean;
  readonly mappings?: Readonly<Record<string, MappingTable>>;
  /** What the rule sees as `connection`; the folder's names if not given. */
  readonly connection?: { readonly name: string; readonly local: string; readonly remote: string };
  /** The clock of the run: milliseconds, or ISO 8601. */
  readonly now?: number | string;
  /** What `Math.random()` starts from. */
  readonly seed?: string;
  readonly answers?: readonly RecordedAnswer[];
  readonly expected?: Outcome;
}

export interface OutgoingSample extends SampleBase {
  readonly direction: "outgoing";
  readonly entity: SampleEntity;
}

export interface IncomingSample extends SampleBase {
  readonly direction: "incoming";
  readonly replica: JsonObject;
  /** The local record; left out on a first sync. */
  readonly entity?: SampleEntity;
  /** The local id of each remote comment or attachment: `{"comments": {"r1": "l1"}}`. */
  readonly traces?: { readonly comments?: SampleTraces; readonly attachments?: SampleTraces };
}

/** What a rule is run on, as it stands in a sample file. */
export type Sample = OutgoingSample | IncomingSample;

/** Fields beside the names that every entity has; of those, all but `entityType` may be left out. */
export type SampleEntity = { readonly entityType: string } & JsonObject;
export type SampleTraces = Readonly<Record<string, string | { readonly localId: string }>>;

/** A sample that cannot be read: each line says file, line, column, place and what is wrong. */
export class SampleError extends Error {
  override readonly name = "SampleError";
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}

export async function readSample(path: string): Promise<Sample> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw new SampleError([`${path}: cannot be read (${error.code ?? error.message})`]);
  });
  return parseSample(text, path);
}

/** `path` stands in errors. */
export function parseSample(text: string, path: string): Sample {
  let value: unknown;
  try {
    // Files of some editors begin with a byte order mark, which JSON does not know.
    value = JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (error) {
    throw new SampleError([jsonError(path, text, error)]);
  }
  const parsed = sampleSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new SampleError(parsed.error.issues.flatMap((issue) => sayIssue(issue, (where) => `${path}${placeOf(text, where)}`)));
}

/** Checks a sample that is no file: one given to `runRule`, or kept elsewhere. `name` stands in errors. */
export function sampleOf(value: unknown, name: string): Sample {
  const parsed = sampleSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new SampleError(parsed.error.issues.flatMap((issue) => sayIssue(issue, () => name)));
}

function sayIssue(issue: z.core.$ZodIssue, at: (where: readonly PropertyKey[]) => string): string[] {
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => `${at([...issue.path, key])}: ${[...issue.path, key].map(String).join(".")}: is not a known key here`);
  }
  const place = issue.path.map(String).join(".");
  return [
    `${at(issue.path)}: ${place === "" ? "the sample" : place}: ${issue.message.replace(/^Invalid input: expected (.*), received undefined$/, "is missing: $1 expected")}`,
  ];
}

/** The names that a rule sees as `connection`, where the sample does not say. */
export interface Surroundings {
  readonly connection: { readonly name: string; readonly local: string; readonly remote: string };
  readonly mappings: Readonly<Record<string, MappingTable>>;
}

const noSurroundings: Surroundings = { connection: { name: "connection", local: "local", remote: "remote" }, mappings: {} };

/** What the rule is given: the sample with everything that it leaves out. */
export function inputOf(sample: Sample, surroundings: Surroundings = noSurroundings): RunInput {
  const now = sample.now === undefined ? defaultNow : typeof sample.now === "number" ? sample.now : Date.parse(sample.now);
  const base = {
    previous: sample.previous ?? null,
    connection: sample.connection ?? surroundings.connection,
    mappings: { ...surroundings.mappings, ...sample.mappings },
    now,
    seed: sample.seed ?? "sample",
  };
  if (sample.direction === "outgoing") {
    return { direction: "outgoing", ...base, firstSync: sample.firstSync ?? sample.previous === undefined, entity: viewOf(sample.entity, now) };
  }
  return {
    direction: "incoming",
    ...base,
    firstSync: sample.firstSync ?? sample.entity === undefined,
    replica: sample.replica,
    entity: sample.entity === undefined ? blankEntityView : viewOf(sample.entity, now),
    traces: { comments: tracesOf(sample.traces?.comments), attachments: tracesOf(sample.traces?.attachments) },
  };
}

const defaultNow = Date.UTC(2026, 0, 1);

function viewOf(entity: SampleEntity, now: number): EntityView {
  const time = new Date(now).toISOString();
  const items = (name: string): readonly JsonObject[] => (entity[name] ?? []) as readonly JsonObject[];
  // The sample's schema has seen every member that is spread here.
  const comment =
    (internal: boolean) =>
    (item: JsonObject): Comment =>
      ({ internal, created: time, updated: item["created"] ?? time, ...item, author: personOf(item["author"]) }) as unknown as Comment;
  const attachment = (item: JsonObject): Attachment =>
    ({ mimetype: "application/octet-stream", filesize: 0, created: time, ...item, author: personOf(item["author"]) }) as unknown as Attachment;
  return {
    ...blankEntityView,
    ...entity,
    comments: items("comments").map(comment(false)),
    internalComments: items("internalComments").map(comment(true)),
    attachments: items("attachments").map(attachment),
  };
}

function personOf(author: Json | undefined): Person | null {
  return isJsonObject(author) ? ({ id: "", ...author } as Person) : null;
}

function tracesOf(traces: SampleTraces | undefined): Record<string, { localId: string }> {
  return Object.fromEntries(Object.entries(traces ?? {}).map(([remoteId, local]) => [remoteId, typeof local === "string" ? { localId: local } : local]));
}

const json: z.ZodType<Json> = z.json() as z.ZodType<Json>;
const jsonObject = z.record(z.string(), json);
const person = z.strictObject({ id: z.string().optional(), displayName: z.string().optional(), email: z.string().optional(), username: z.string().optional() });
const comment = z.strictObject({
  id: z.string(),
  body: z.string(),
  internal: z.boolean().optional(),
  author: person.nullish(),
  created: z.string().optional(),
  updated: z.string().optional(),
});
const attachment = z.strictObject({
  id: z.string(),
  filename: z.string(),
  mimetype: z.string().optional(),
  filesize: z.number().optional(),
  hash: z.string().optional(),
  author: person.nullish(),
  created: z.string().optional(),
});
const entityRef = z.strictObject({ type: z.string(), id: z.string() });

const entity = z
  .object({
    entityType: z.string(),
    entityRef: entityRef.nullish(),
    key: z.string().optional(),
    url: z.string().optional(),
    display: z.record(z.string(), z.string()).optional(),
    comments: z.array(comment).optional(),
    internalComments: z.array(comment).optional(),
    attachments: z.array(attachment).optional(),
  })
  .catchall(json);

const call = z.strictObject({ name: z.string().min(1), args: z.array(json) });
const answer = z
  .strictObject({ call, value: json.optional(), error: z.strictObject({ code: z.string(), message: z.string() }).optional() })
  .refine((given) => (given.value === undefined) !== (given.error === undefined), "needs a value (null for nothing found) or an error, and not both");

const table = z.strictObject({
  outgoing: z.record(z.string(), json).default({}),
  incoming: z.record(z.string(), json).default({}),
  otherwise: json.optional(),
});

export const mappingTables = z.record(z.string(), table);

const shared = {
  note: z.string().optional(),
  pinned: z.boolean().optional(),
  previous: jsonObject.optional(),
  firstSync: z.boolean().optional(),
  mappings: mappingTables.optional(),
  connection: z.strictObject({ name: z.string(), local: z.string(), remote: z.string() }).optional(),
  now: z
    .union([z.number(), z.string()])
    .refine((now) => !Number.isNaN(new Date(now).getTime()), "must be milliseconds or a time as 2026-01-31T12:00:00Z")
    .optional(),
  seed: z.string().optional(),
  answers: z.array(answer).optional(),
  expected: outcomeSchema.optional(),
};

const trace = z.record(z.string(), z.union([z.string(), z.strictObject({ localId: z.string() })]));

const directions = z.discriminatedUnion(
  "direction",
  [
    z.strictObject({ direction: z.literal("outgoing"), ...shared, entity }),
    z.strictObject({
      direction: z.literal("incoming"),
      ...shared,
      replica: jsonObject,
      entity: entity.optional(),
      traces: z.strictObject({ comments: trace.optional(), attachments: trace.optional() }).optional(),
    }),
  ],
  { error: (issue) => (issue.code === "invalid_union" ? 'must be "outgoing" or "incoming"' : undefined) },
);

const outgoingOnly = ["replica"] as const;
const incomingOnly = ["entityType", "fields", "comments", "attachments", "status", "linkTo", "nothing"] as const;

/** A sample as it stands in a file. */
const sampleSchema: z.ZodType<Sample> = directions.superRefine((sample, check) => {
  const { expected, direction } = sample;
  if (expected === undefined) return;
  for (const key of direction === "outgoing" ? incomingOnly : outgoingOnly) {
    if (key in expected) check.addIssue({ code: "custom", path: ["expected", key], message: `is no result of an ${direction} rule` });
  }
  // Zod's optional members are `| undefined`, which in a value from JSON is the same as absent.
}) as unknown as z.ZodType<Sample>;

/** Keys of an entity in a sample file that are left out when they say nothing, so that recorded samples are as short as written ones. */
export function shortEntity(view: EntityView): SampleEntity {
  const own: ReadonlySet<string> = new Set(entityViewNames.filter((name) => name !== "entityType"));
  const kept = Object.entries(view).filter(
    ([name, value]) => value !== undefined && !(own.has(name) && JSON.stringify(value) === JSON.stringify(blankEntityView[name])),
  );
  return { ...Object.fromEntries(kept), entityType: view.entityType } as SampleEntity;
}
