import { z } from "zod";
import type { EntityRef } from "../../../connectors/connector.ts";
import type { Json, JsonObject } from "../../replica/json.ts";
import { type CommentDifference, entityDifference, type NewAttachment } from "../entity-difference.ts";
import { type Effects, type EntityAfter, type EntityView, incomingResult, outgoingResult, type RunInput } from "../run-input.ts";

/** What a rule asked for beside its result. */
interface AlsoAsked {
  readonly startSync?: readonly EntityRef[];
  readonly syncBack?: true;
  readonly unlink?: true;
}

export interface ReplicaOutcome extends AlsoAsked {
  readonly replica: JsonObject;
}

/** What an incoming rule changed: only what differs, only parts that are not empty. */
export interface ChangeOutcome extends AlsoAsked {
  /** On a create: what is made. */
  readonly entityType?: string;
  readonly fields?: Readonly<Record<string, Json>>;
  readonly comments?: {
    readonly added?: readonly AddedComment[];
    readonly edited?: readonly { readonly id: string; readonly body: string }[];
    /** Ids. */
    readonly removed?: readonly string[];
  };
  readonly attachments?: { readonly added?: readonly NewAttachment[]; readonly removed?: readonly string[] };
  /** The name given to `status`. */
  readonly status?: string;
  readonly linkTo?: EntityRef;
}

export interface AddedComment {
  readonly body: string;
  readonly internal?: true;
  /** The remote comment that it mirrors; absent on a comment of the rule's own. */
  readonly remoteId?: string;
  readonly author?: Json;
  readonly track?: true;
}

export type EndedOutcome = { readonly skipped: string } | { readonly failed: string } | { readonly waiting: string };

export interface ErrorOutcome {
  /** Positions are those of the rule's text, counted from 1. */
  readonly error: { readonly code: string; readonly message: string; readonly line?: number; readonly column?: number };
}

/** What a run of a rule comes to, condensed for people and files. `{nothing: true}`: an incoming rule that changed nothing. */
export type Outcome = ReplicaOutcome | ChangeOutcome | { readonly nothing: true } | EndedOutcome | ErrorOutcome;

/** How a run ended: `value` is what the rule gave back, as the sandbox hands it over or as it stands in the run's record. */
export type Ending = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: ErrorOutcome["error"] };

/** Condenses what a rule made of its input. Never throws: a result that cannot be used is an error like those of the rule. */
export function outcomeOf(input: RunInput, ending: Ending): Outcome {
  if (!ending.ok) return errorOutcome(ending.error);
  if (input.direction === "outgoing") {
    const parsed = outgoingResult.safeParse(ending.value);
    if (!parsed.success) return badResult(parsed.error);
    const result = parsed.data;
    if (result.kind === "replica") return { replica: result.replica, ...alsoAsked(result.effects) };
    return ended(result);
  }
  const parsed = incomingResult.safeParse(ending.value);
  if (!parsed.success) return badResult(parsed.error);
  const result = parsed.data;
  if (result.kind !== "changed") return ended(result);
  return changeBetween(input.entity, result.entity, result.status, result.effects);
}

function errorOutcome({ code, message, line, column }: ErrorOutcome["error"]): ErrorOutcome {
  return { error: { code, message, ...(line === undefined ? {} : { line }), ...(column === undefined ? {} : { column }) } };
}

function badResult(error: z.ZodError): ErrorOutcome {
  return errorOutcome({ code: "BAD_RESULT", message: `the rule's result cannot be used: ${z.prettifyError(error)}` });
}

function ended(
  result:
    | { readonly kind: "skipped"; readonly why: string }
    | { readonly kind: "failed"; readonly why: string }
    | { readonly kind: "waiting"; readonly remoteKey: string },
): EndedOutcome {
  switch (result.kind) {
    case "skipped":
      return { skipped: result.why };
    case "failed":
      return { failed: result.why };
    case "waiting":
      return { waiting: result.remoteKey };
  }
}

function alsoAsked(effects: Effects): AlsoAsked {
  return {
    ...(effects.startSync.length > 0 ? { startSync: effects.startSync } : {}),
    ...(effects.syncBack ? { syncBack: true } : {}),
    ...(effects.unlink ? { unlink: true } : {}),
  };
}

/** The same difference that the engine writes: references are equal by id, empty text is nothing, a choice may be named by its label. */
function changeBetween(before: EntityView, after: EntityAfter, status: string | undefined, effects: Effects): Outcome {
  const isNew = before.entityType === "";
  if (!isNew && after.entityType !== before.entityType) {
    return errorOutcome({
      code: "ENTITY_TYPE_CHANGED",
      message: `the rule turns the ${before.entityType} ${before.key} into a ${after.entityType}; a record keeps its type`,
    });
  }
  const { fields, comments, attachments } = entityDifference(before, after);
  const change: ChangeOutcome = {
    ...(isNew && after.entityType !== "" ? { entityType: after.entityType } : {}),
    ...part("fields", fields),
    ...part("comments", shownComments(comments)),
    ...part("attachments", { ...part("added", attachments.added), ...part("removed", attachments.removed) }),
    ...(status === undefined ? {} : { status }),
    ...(effects.linkTo === undefined ? {} : { linkTo: effects.linkTo }),
    ...alsoAsked(effects),
  };
  const isWritten = change.fields !== undefined || change.comments !== undefined || change.attachments !== undefined || status !== undefined;
  if (isNew && after.entityType === "" && effects.linkTo === undefined && isWritten) {
    return errorOutcome({ code: "NO_ENTITY_TYPE", message: "the rule sets fields of a new entity but no entity.entityType" });
  }
  return Object.keys(change).length === 0 ? { nothing: true } : change;
}

/** Only what says something: what is false or nobody is left out. */
function shownComments({ added, edited, removed }: CommentDifference): ChangeOutcome["comments"] {
  const shown = added.map(
    ({ remoteId, body, internal, author, track }): AddedComment => ({
      body,
      ...(internal ? { internal } : {}),
      ...(remoteId === null ? {} : { remoteId }),
      ...(author === undefined ? {} : { author }),
      ...(track ? { track } : {}),
    }),
  );
  return { ...part("added", shown), ...part("edited", edited), ...part("removed", removed) };
}

/** `{name: value}` unless the value has nothing in it. */
function part<Name extends string, Value extends object>(name: Name, value: Value | undefined): { readonly [key in Name]?: Value } {
  // A computed key is typed as `string`; it is `name`.
  return (value === undefined || Object.keys(value).length === 0 ? {} : { [name]: value }) as { readonly [key in Name]?: Value };
}

const json: z.ZodType<Json> = z.json() as z.ZodType<Json>;
const ref = z.strictObject({ type: z.string().min(1), id: z.string().min(1) });
const onlyTrue = z.literal(true, { error: "must be true; leave it out where it is not" });

const outcomeKeys = z.strictObject({
  replica: z.record(z.string(), json).optional(),
  entityType: z.string().min(1).optional(),
  fields: z.record(z.string(), json).optional(),
  comments: z
    .strictObject({
      added: z
        .array(
          z.strictObject({
            body: z.string(),
            internal: onlyTrue.optional(),
            remoteId: z.string().optional(),
            author: json.optional(),
            track: onlyTrue.optional(),
          }),
        )
        .optional(),
      edited: z.array(z.strictObject({ id: z.string(), body: z.string() })).optional(),
      removed: z.array(z.string()).optional(),
    })
    .optional(),
  attachments: z
    .strictObject({
      added: z.array(z.strictObject({ remoteId: z.string(), filename: z.string(), mimetype: z.string(), filesize: z.number() })).optional(),
      removed: z.array(z.string()).optional(),
    })
    .optional(),
  status: z.string().optional(),
  linkTo: ref.optional(),
  startSync: z.array(ref).optional(),
  syncBack: onlyTrue.optional(),
  unlink: onlyTrue.optional(),
  nothing: onlyTrue.optional(),
  skipped: z.string().optional(),
  failed: z.string().optional(),
  waiting: z.string().optional(),
  error: z.strictObject({ code: z.string(), message: z.string(), line: z.int().optional(), column: z.int().optional() }).optional(),
});

const alone = ["nothing", "skipped", "failed", "waiting", "error"] as const;
const besideReplica: ReadonlySet<string> = new Set(["replica", "startSync", "syncBack", "unlink"]);

/** An outcome as it stands in a file. One object with rules for what goes together, because a union's errors would say nothing. */
export const outcomeSchema: z.ZodType<Outcome> = outcomeKeys.superRefine((outcome, check) => {
  const keys = Object.keys(outcome);
  const refuse = (message: string): void => check.addIssue({ code: "custom", message });
  const single = alone.find((key) => outcome[key] !== undefined);
  if (keys.length === 0) refuse('says nothing: write {"nothing": true} for an incoming rule that changes nothing');
  else if (single !== undefined && keys.length > 1) refuse(`${single} stands alone; here are ${keys.join(", ")}`);
  else if (outcome.replica !== undefined && keys.some((key) => !besideReplica.has(key)))
    refuse(`replica is of an outgoing rule; ${keys.filter((key) => !besideReplica.has(key)).join(", ")} of an incoming one`);
  // The rules above are those of the union.
}) as unknown as z.ZodType<Outcome>;
