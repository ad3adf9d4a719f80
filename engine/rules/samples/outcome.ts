import { z } from "zod";
import type { EntityRef } from "../../../connectors/connector.ts";
import { canonicalText } from "../../replica/canonical.ts";
import type { Json, JsonObject } from "../../replica/json.ts";
import {
  type CommentAfter,
  type Effects,
  type EntityAfter,
  type EntityView,
  entityViewNames,
  incomingResult,
  outgoingResult,
  type RunInput,
} from "../run-input.ts";

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
  readonly attachments?: { readonly added?: readonly AddedAttachment[]; readonly removed?: readonly string[] };
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

export interface AddedAttachment {
  readonly remoteId: string;
  readonly filename: string;
  readonly mimetype: string;
  /** Bytes. */
  readonly filesize: number;
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
  const fields = changedFields(before, after);
  const comments = changedComments(before, after);
  const attachments = changedAttachments(before, after);
  const change: ChangeOutcome = {
    ...(isNew && after.entityType !== "" ? { entityType: after.entityType } : {}),
    ...part("fields", fields),
    ...part("comments", comments),
    ...part("attachments", attachments),
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

const ownNames: ReadonlySet<string> = new Set(entityViewNames);

function changedFields(before: EntityView, after: EntityAfter): Record<string, Json> {
  const changed: [string, Json][] = [];
  for (const [name, value] of Object.entries(after)) {
    if (ownNames.has(name) || value === undefined) continue;
    // Fields of both views are JSON: one comes from the sample or the platform, the other has passed the result's schema.
    const [earlier, later] = [(own(before, name) ?? null) as Json, value as Json];
    if (!meansTheSame(earlier, later, own(before.display, name))) changed.push([name, later]);
  }
  return Object.fromEntries(changed);
}

/** A field such as `toString` is there only if the record has it. */
function own<Value>(record: { readonly [name: string]: Value }, name: string): Value | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

function meansTheSame(earlier: Json, later: Json, label: string | undefined): boolean {
  return comparable(earlier) === comparable(later) || (label !== undefined && later === label);
}

function comparable(value: Json): string {
  if (value === null || value === "" || (Array.isArray(value) && value.length === 0)) return "";
  if (typeof value !== "object") return String(value);
  if ("id" in value && typeof value["id"] === "string") return value["id"];
  return canonicalText(value);
}

function changedComments(before: EntityView, after: EntityAfter): ChangeOutcome["comments"] {
  const earlier = new Map([...before.comments, ...before.internalComments].map((comment) => [comment.id, comment.body]));
  const kept = new Set<string>();
  const added: AddedComment[] = [];
  const edited: { id: string; body: string }[] = [];
  for (const comment of [...after.comments, ...after.internalComments]) {
    if (!hasId(comment)) {
      added.push(addedComment(comment));
      continue;
    }
    kept.add(comment.id);
    const body = earlier.get(comment.id);
    if (body !== undefined && body !== comment.body) edited.push({ id: comment.id, body: comment.body });
  }
  const removed = [...earlier.keys()].filter((id) => !kept.has(id));
  return { ...part("added", added), ...part("edited", edited), ...part("removed", removed) };
}

function addedComment(comment: CommentAfter): AddedComment {
  const { body, internal, remoteId, author, track } = comment as { body: string; internal?: boolean; remoteId?: string; author?: Json; track?: boolean };
  return {
    body,
    ...(internal === true ? { internal } : {}),
    ...(remoteId === undefined ? {} : { remoteId }),
    ...(author === undefined ? {} : { author }),
    ...(track === true ? { track } : {}),
  };
}

function changedAttachments(before: EntityView, after: EntityAfter): ChangeOutcome["attachments"] {
  const kept = new Set<string>();
  const added: AddedAttachment[] = [];
  for (const attachment of after.attachments) {
    if (hasId(attachment)) kept.add(attachment.id);
    // What has no id has passed the schema of those that are to be added.
    else added.push(attachment as AddedAttachment);
  }
  const removed = before.attachments.map((attachment) => attachment.id).filter((id) => !kept.has(id));
  return { ...part("added", added), ...part("removed", removed) };
}

function hasId<Item extends object>(item: Item): item is Item & { readonly id: string } {
  return "id" in item && typeof item.id === "string";
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
