import type { EntitySchema, FieldSchema, Json } from "../../connectors/connector.ts";
import { isJsonObject } from "../replica/json.ts";
import { entityDifference, fieldsOf, meansTheSame, memberOf } from "../rules/entity-difference.ts";
import { blankEntityView, type EntityView, type IncomingResult } from "../rules/run-input.ts";
import { inDialectOf, saysTheSame } from "./dialects.ts";
import { RuleFault } from "./rule-fault.ts";

/** What an incoming rule wants done to one local record. */
export interface Change {
  readonly entityType: string;
  readonly fields: Readonly<Record<string, Json>>;
  /** `track` is for comments of the rule's own: true for one that is to travel. `author` is in whose name the rule wants it written. */
  readonly addComments: readonly {
    readonly body: string;
    readonly internal: boolean;
    readonly remoteId: string | null;
    readonly track?: boolean;
    readonly author?: Json;
  }[];
  readonly editComments: readonly { readonly commentId: string; readonly body: string }[];
  readonly removeComments: readonly string[];
  readonly addAttachments: readonly { readonly remoteId: string; readonly filename: string; readonly mimetype: string; readonly filesize: number }[];
  readonly removeAttachments: readonly string[];
}

type Changed = Extract<IncomingResult, { kind: "changed" }>;

/** True when the rule left the blank record of a first sync as it was: nothing is to be created. */
export function isUntouched(result: Changed): boolean {
  const after = result.entity;
  return (
    after.entityType === blankEntityView.entityType &&
    result.status === undefined &&
    Object.keys(fieldsOf(after)).length === 0 &&
    after.comments.length + after.internalComments.length + after.attachments.length === 0
  );
}

/**
 * The difference that an incoming rule made. Throws {@link RuleFault} for what can never be written: another entity type on a
 * tied record, none on a new one, a field that the type does not have or that is read-only. `rich` are the texts of the replica that
 * came from rich fields.
 */
export function changeMade(before: EntityView, result: Changed, schema: EntitySchema, rich: ReadonlySet<string> = new Set()): Change {
  const { fields: set, comments, attachments } = entityDifference(before, result.entity);
  const known = new Map(schema.fields.map((field) => [field.name, field]));
  const fields = new Map(
    Object.entries(set)
      .map(([name, value]): [string, Json] => [name, inDialectOf(known.get(name), plainValue(value, known.get(name)), rich)])
      .filter(([name, value]) => !isThere(before, name, value) && !saysTheSame(known.get(name), before[name], value, set[name])),
  );
  if (result.status !== undefined) {
    const { statusField } = schema;
    if (statusField === undefined)
      throw new RuleFault("NO_STATUS", `${schema.entityType} has no status that status(${JSON.stringify(result.status)}) could set.`);
    if (isThere(before, statusField, result.status)) fields.delete(statusField);
    else fields.set(statusField, result.status);
  }
  refuseUnwritable([...fields.keys()], schema, known);
  return {
    entityType: result.entity.entityType,
    fields: Object.fromEntries(fields),
    addComments: comments.added.map(({ track, ...comment }) => ({ ...comment, ...(track ? { track } : {}) })),
    editComments: comments.edited.map(({ id, body }) => ({ commentId: id, body })),
    removeComments: comments.removed,
    addAttachments: attachments.added,
    removeAttachments: attachments.removed,
  };
}

/**
 * Statuses, priorities and types travel as text or as `{name}`: a choice of that name is meant. A record that a look-up found stands for a
 * reference to it: what else is known of it need not be written down.
 */
function plainValue(value: Json, field: FieldSchema | undefined): Json {
  if (!isJsonObject(value)) return value;
  if (field?.type === "choice" && typeof value["name"] === "string") return value["name"];
  if (field?.type === "reference" && Object.hasOwn(value, "entityRef") && typeof value["id"] === "string") {
    const { id, key, entityType } = value;
    return { id, ...(typeof key === "string" ? { display: key } : {}), ...(typeof entityType === "string" ? { type: entityType } : {}) };
  }
  return value;
}

function isThere(before: EntityView, name: string, value: Json): boolean {
  return meansTheSame((memberOf(before, name) ?? null) as Json, value, memberOf(before.display, name));
}

export function isEmpty(change: Change): boolean {
  return (
    Object.keys(change.fields).length === 0 &&
    change.addComments.length + change.editComments.length + change.removeComments.length + change.addAttachments.length + change.removeAttachments.length === 0
  );
}

/**
 * Leaves in `change` only what the remote side's latest edit brought about: a field for which the same rule gives the same value
 * from the replica before is not news, and writing it would undo an edit made here at the same time.
 */
export function onlyNews(change: Change, fromPrevious: Change): Change {
  const fields = Object.fromEntries(
    Object.entries(change.fields).filter(
      ([name, value]) => !(Object.hasOwn(fromPrevious.fields, name) && meansTheSame(memberOf(fromPrevious.fields, name) ?? null, value)),
    ),
  );
  return { ...change, fields };
}

function refuseUnwritable(names: readonly string[], schema: EntitySchema, known: ReadonlyMap<string, FieldSchema>): void {
  for (const name of names) {
    const field = known.get(name);
    if (field === undefined && !schema.sampled) {
      throw new RuleFault("UNKNOWN_FIELD", `${schema.entityType} has no field ${JSON.stringify(name)}, which the incoming rule sets.`, { fields: [name] });
    }
    if (field?.readOnly === true) {
      throw new RuleFault("READ_ONLY_FIELD", `The field ${name} (${field.label}) of ${schema.entityType} cannot be written; the incoming rule sets it.`, {
        fields: [name],
      });
    }
  }
}
