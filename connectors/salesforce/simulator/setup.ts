import type { ByteStore } from "../../simulation/byte-store.ts";
import type { Clock } from "../../simulation/clock.ts";
import type { Tables } from "../../simulation/tables.ts";
import type { SimulatedUser } from "./accounts.ts";
import type { FieldDefinition, ObjectDefinition } from "./definitions.ts";
import { moreObjects } from "./more-objects.ts";
import { markerField, standardObjects } from "./objects.ts";
import { Org, type Row } from "./org.ts";
import { noRules } from "./rules.ts";
import { OrgSchema } from "./schema.ts";
import { instantText } from "./values.ts";

export interface OrgSetup {
  /** False leaves the marker field of Case out, as in an org whose administrator has not added it. */
  readonly marker?: boolean;
  readonly objects?: readonly ObjectDefinition[];
  /** More fields, by object. */
  readonly fields?: Readonly<Record<string, readonly FieldDefinition[]>>;
  /** Of an org with several currencies, the first its own: every record then has a `CurrencyIsoCode` [D]. */
  readonly currencies?: readonly [string, ...string[]];
  /** Whether a new comment touches its case; no unless said. */
  readonly commentTouchesCase?: boolean;
}

/** Puts an org together: standard objects, what was asked for, what was added by control before a restart, and the users. */
export function setUpOrg(tables: Tables<Row>, bytes: ByteStore, clock: Clock, setup: OrgSetup, users: readonly SimulatedUser[]): Org {
  const schema = new OrgSchema(() => clock.now().getTime());
  for (const object of [...standardObjects, ...moreObjects, ...(setup.objects ?? [])]) schema.addObject(object);
  if (setup.marker !== false) schema.addField("Case", markerField);
  for (const [object, fields] of Object.entries(setup.fields ?? {})) for (const field of fields) schema.addField(object, field);
  const [own, ...others] = setup.currencies ?? [];
  if (own !== undefined)
    for (const { name, definition } of schema.objects()) if (definition.createable !== false) schema.addField(name, currencyField(own, others));
  for (const { definition } of tables.rows("__objects")) schema.addObject(JSON.parse(String(definition)) as ObjectDefinition); // written by keepObject
  for (const { object, definition } of tables.rows("__fields")) schema.addField(String(object), JSON.parse(String(definition)) as FieldDefinition); // written by keepField
  const org = new Org(schema, tables, clock, noRules(setup.commentTouchesCase ?? false), bytes);
  for (const Name of profiles) if (![...org.rows("Profile")].some((row) => row.Name === Name)) org.put("Profile", profileRow(org, Name));
  for (const user of users) {
    if (org.rowsWith("User", "Username", user.username).length > 0) continue;
    const alias = user.username.slice(0, 8);
    org.create(
      "User",
      {
        Username: user.username,
        LastName: user.lastName,
        FirstName: user.firstName ?? null,
        Email: user.email,
        Alias: alias,
        ProfileId: [...org.rows("Profile")].find(({ Name }) => Name === (user.profile ?? "Standard User"))?.Id ?? null,
      },
      "005000000000000AAA",
    );
  }
  return org;
}

function currencyField(own: string, others: readonly string[]): FieldDefinition {
  const picklist = [{ value: own, isDefault: true }, ...others.map((value) => ({ value }))];
  return { name: "CurrencyIsoCode", label: "Currency ISO Code", type: "picklist", length: 3, picklist, restricted: true, defaultedOnCreate: true };
}

const profiles = ["System Administrator", "Standard User", "API Only"];

function profileRow(org: Org, Name: string): Row {
  const now = instantText(org.clock.now());
  const by = "005000000000000AAA";
  return {
    Id: org.nextId("Profile"),
    IsDeleted: false,
    CreatedDate: now,
    CreatedById: by,
    LastModifiedDate: now,
    LastModifiedById: by,
    SystemModstamp: now,
    Name,
  };
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
