import type { Comment, Entity, EntitySchema, Json } from "../../connectors/connector.ts";
import { meansTheSame, memberOf } from "../rules/entity-difference.ts";
import { type EntityView, entityViewNames } from "../rules/run-input.ts";

const ownNames: ReadonlySet<string> = new Set(entityViewNames);

/** The record as rules see it. A platform field that has the name of something every entity has is left out: that name means the latter. */
export function entityView(entity: Entity): EntityView {
  const fields = Object.fromEntries(Object.entries(entity.fields).filter(([name]) => !ownNames.has(name)));
  return {
    ...fields,
    entityType: entity.ref.type,
    entityRef: entity.ref,
    key: entity.key,
    url: entity.url,
    display: entity.display,
    comments: entity.comments,
    internalComments: entity.internalComments,
    attachments: entity.attachments,
  };
}

/** A record as it is kept: JSON by its fields, though interfaces are not assignable to an index signature. */
export function entityJson(entity: Entity): Json {
  return JSON.parse(JSON.stringify(entity)) as Json;
}

/** What our write did to a record that was read before and after it. */
export interface OwnWrite {
  /** The record before the write; null when the write created it. */
  readonly before: Entity | null;
  readonly fields: Readonly<Record<string, Json>>;
  /** Ids of comments and attachments that we added, edited or removed. */
  readonly touched: ReadonlySet<string>;
}

/**
 * The record as it would be after our write if nobody else had touched it: everything from the reading after the write, except
 * fields and comments that changed without our doing, which stay as they were. Where it differs from the reading, somebody
 * (a person, an automation of the platform) changed something that the other side does not know yet.
 */
export function expectedAfter(read: Entity, own: OwnWrite, schema: EntitySchema): Entity {
  const readOnly = new Set(schema.fields.filter((field) => field.readOnly || field.type === "computed").map((field) => field.name));
  const fields: Record<string, Json> = { ...read.fields };
  const display: Record<string, string> = { ...read.display };
  for (const [name, value] of Object.entries(own.fields)) {
    if (!meansTheSame(memberOf(read.fields, name) ?? null, value, memberOf(read.display, name))) {
      fields[name] = value;
      delete display[name];
    }
  }
  if (own.before !== null) {
    for (const name of Object.keys(read.fields)) {
      // A read-only field cannot have been edited: its new value is the platform's answer to our write.
      if (Object.hasOwn(own.fields, name) || readOnly.has(name)) continue;
      fields[name] = memberOf(own.before.fields, name) ?? null;
      const label = memberOf(own.before.display, name);
      if (label === undefined) delete display[name];
      else display[name] = label;
    }
  }
  return {
    ...read,
    fields,
    display,
    comments: expectedItems(own.before?.comments ?? [], read.comments, own.touched),
    internalComments: expectedItems(own.before?.internalComments ?? [], read.internalComments, own.touched),
    attachments: expectedItems(own.before?.attachments ?? [], read.attachments, own.touched),
  };
}

function expectedItems<Item extends Pick<Comment, "id">>(before: readonly Item[], read: readonly Item[], touched: ReadonlySet<string>): Item[] {
  const earlier = before.filter((item) => !touched.has(item.id));
  return [...earlier, ...read.filter((item) => touched.has(item.id))];
}
