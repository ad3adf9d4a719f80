import type { Clock } from "../../simulation/clock.ts";
import type { Tables } from "../../simulation/tables.ts";
import type { SimulatedUser } from "./accounts.ts";
import type { FieldDefinition, ObjectDefinition } from "./definitions.ts";
import { markerField, standardObjects } from "./objects.ts";
import { noRules, Org, type Row } from "./org.ts";
import { OrgSchema } from "./schema.ts";

export interface OrgSetup {
  /** False leaves the marker field of Case out, as in an org whose administrator has not added it. */
  readonly marker?: boolean;
  readonly objects?: readonly ObjectDefinition[];
  /** More fields, by object. */
  readonly fields?: Readonly<Record<string, readonly FieldDefinition[]>>;
  /** Whether a new comment touches its case; no unless said. */
  readonly commentTouchesCase?: boolean;
}

/** Puts an org together: standard objects, what was asked for, what was added by control before a restart, and the users. */
export function setUpOrg(tables: Tables<Row>, clock: Clock, setup: OrgSetup, users: readonly SimulatedUser[]): Org {
  const schema = new OrgSchema();
  for (const object of [...standardObjects, ...(setup.objects ?? [])]) schema.addObject(object);
  if (setup.marker !== false) schema.addField("Case", markerField);
  for (const [object, fields] of Object.entries(setup.fields ?? {})) for (const field of fields) schema.addField(object, field);
  for (const { definition } of tables.rows("__objects")) schema.addObject(JSON.parse(String(definition)) as ObjectDefinition); // written by keepObject
  for (const { object, definition } of tables.rows("__fields")) schema.addField(String(object), JSON.parse(String(definition)) as FieldDefinition); // written by keepField
  const org = new Org(schema, tables, clock, noRules(setup.commentTouchesCase ?? false));
  for (const user of users) {
    if (org.rowsWith("User", "Username", user.username).length > 0) continue;
    const alias = user.username.slice(0, 8);
    org.create(
      "User",
      { Username: user.username, LastName: user.lastName, FirstName: user.firstName ?? null, Email: user.email, Alias: alias },
      "005000000000000AAA",
    );
  }
  return org;
}

/** Adds an object now and after every restart. */
export function keepObject(org: Org, definition: ObjectDefinition): void {
  org.schema.addObject(definition);
  org.tables.put("__objects", definition.name, { Id: definition.name, definition: JSON.stringify(definition) });
  org.reindex(definition.name);
}

/** Adds or changes a field now and after every restart. */
export function keepField(org: Org, object: string, definition: FieldDefinition): void {
  org.schema.addField(object, definition);
  org.tables.put("__fields", `${object}.${definition.name}`, { Id: `${object}.${definition.name}`, object, definition: JSON.stringify(definition) });
  org.reindex(object);
}
