import { z } from "zod";
import type { Attachment, Comment, EntityRef, Json } from "../../connectors/connector.ts";

/** A table kept as data beside the rules: one column a side, one row a pair. `mapping("priority", value)` reads it in the direction of the run. */
export interface MappingTable {
  /** From this side's value to the other side's: read by outgoing rules. */
  readonly outgoing: Readonly<Record<string, Json>>;
  /** From the other side's value to this side's: read by incoming rules. */
  readonly incoming: Readonly<Record<string, Json>>;
  /** What to answer for a value that has no row. */
  readonly otherwise?: Json;
}

/** The record as a rule sees it: fields beside the names that every entity has. */
export interface EntityView {
  readonly entityType: string;
  readonly entityRef: EntityRef | null;
  readonly key: string;
  readonly url: string;
  readonly display: Readonly<Record<string, string>>;
  readonly comments: readonly Comment[];
  readonly internalComments: readonly Comment[];
  readonly attachments: readonly Attachment[];
  readonly [field: string]: unknown;
}

/** The names of an entity view that are not fields of the platform. */
export const entityViewNames = ["entityType", "entityRef", "key", "url", "display", "comments", "internalComments", "attachments"] as const;

/** What an incoming rule is given on the first sync; a result equal to it means that the rule left it untouched. */
export const blankEntityView: EntityView = {
  entityType: "",
  entityRef: null,
  key: "",
  url: "",
  display: {},
  comments: [],
  internalComments: [],
  attachments: [],
};

/** The local id of each remote comment or attachment that has a trace. */
export type TraceTable = Readonly<Record<string, { readonly localId: string }>>;

interface RunInputBase {
  readonly previous: Json | null;
  readonly firstSync: boolean;
  readonly connection: { readonly name: string; readonly local: string; readonly remote: string };
  readonly mappings: Readonly<Record<string, MappingTable>>;
  /** What `Date.now()` says, in milliseconds. */
  readonly now: number;
  /** What `Math.random()` starts from. */
  readonly seed: string;
}

export interface OutgoingRunInput extends RunInputBase {
  readonly direction: "outgoing";
  readonly entity: EntityView;
}

export interface IncomingRunInput extends RunInputBase {
  readonly direction: "incoming";
  readonly replica: Json;
  readonly entity: EntityView;
  readonly traces: { readonly comments: TraceTable; readonly attachments: TraceTable };
  /** The local platform; samples leave it out, and mean one that can do neither. */
  readonly platform?: RulePlatform;
}

/** What an incoming rule's helpers have to know of the local platform. */
export interface RulePlatform {
  /** As people call it: `Salesforce`. */
  readonly name: string;
  /** Comments can be written in another user's name. */
  readonly impersonation: boolean;
}

export type RunInput = OutgoingRunInput | IncomingRunInput;

/** The JSON that goes over the bridge. */
export function runInputAsJson(input: RunInput): Json {
  // An EntityView's fields are Json by construction: they come from `Entity.fields`.
  return input as unknown as Json;
}

/**
 * What comes here has been measured and parsed by the sandbox's gate, so it is JSON, and not too deep. Looking through it once more with `z.json()`
 * took 17 µs for a replica of 2 KB, as much as the run itself.
 */
const json = z.custom<Json>((value) => value !== undefined);
const entityRef = z.strictObject({ type: z.string().min(1).max(200), id: z.string().min(1).max(200) });
const why = z.string().max(10_000);

/** What a rule asked for beside its result. */
const effects = z.strictObject({
  linkTo: entityRef.optional(),
  startSync: z.array(entityRef).max(1_000),
  syncBack: z.boolean(),
  unlink: z.boolean(),
});
export type Effects = z.infer<typeof effects>;

const ended = [
  z.strictObject({ kind: z.literal("skipped"), why }),
  z.strictObject({ kind: z.literal("failed"), why }),
  z.strictObject({ kind: z.literal("waiting"), remoteKey: z.string().max(1_000) }),
] as const;

/** A comment after the rule: one that was there (has `id`), one merged from the other side (has `remoteId`), or one of the rule's own. */
const commentAfter = z.union([
  z.looseObject({ id: z.string(), body: z.string(), internal: z.boolean().optional() }),
  z.strictObject({ remoteId: z.string(), body: z.string(), internal: z.boolean(), author: json.optional() }),
  z.strictObject({ body: z.string(), internal: z.boolean(), track: z.boolean() }),
]);

const attachmentAfter = z.union([
  z.looseObject({ id: z.string() }),
  z.strictObject({ remoteId: z.string(), filename: z.string().max(1_000), mimetype: z.string().max(300), filesize: z.number().int().nonnegative() }),
]);

const entityAfter = z
  .object({
    entityType: z.string().max(200),
    entityRef: entityRef.nullable(),
    key: z.string(),
    url: z.string(),
    display: z.record(z.string(), z.string()),
    comments: z.array(commentAfter),
    internalComments: z.array(commentAfter),
    attachments: z.array(attachmentAfter),
  })
  .catchall(json);
export type EntityAfter = z.infer<typeof entityAfter>;

/** What an outgoing run gives back. The child that says so is hostile until it has passed this. */
export const outgoingResult = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("replica"), replica: z.record(z.string(), json), effects }),
  ...ended,
]);
export type OutgoingResult = z.infer<typeof outgoingResult>;

/** What an incoming run gives back. `status` is the name given to `status(name)`. */
export const incomingResult = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("changed"), entity: entityAfter, status: z.string().max(1_000).optional(), effects }),
  ...ended,
]);
export type IncomingResult = z.infer<typeof incomingResult>;
