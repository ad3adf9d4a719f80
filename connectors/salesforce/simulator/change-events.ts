import { createHash, randomUUID } from "node:crypto";
import type { FieldDefinition } from "./definitions.ts";
import type { EventBus } from "./event-bus.ts";
import type { Org, Row } from "./org.ts";
import type { OrgObject } from "./schema.ts";
import type { RowChange, Transaction } from "./transactions.ts";
import type { Value } from "./values.ts";

export type ChangeType = "CREATE" | "UPDATE" | "DELETE" | "UNDELETE";
export type GapType = `GAP_${ChangeType}` | "GAP_OVERFLOW";

interface RecordChange {
  readonly object: OrgObject;
  readonly kind: ChangeType;
  readonly before: Row | undefined;
  readonly after: Row;
}

/** Objects of which no change events are published [K]. */
const silent = new Set(["FeedItem", "FeedComment", "ContentDocument", "ContentDocumentLink", "ContentVersion", "Attachment", "Group", "RecordType"]);
const stamps = new Set(["SystemModstamp", "LastModifiedDate", "LastModifiedById"]);
/** Fields that an event shows as parts of another: `Name: {FirstName, LastName}` [D]. */
const nameParts = new Set(["FirstName", "LastName"]);
const overflowId = "000000000000000AAA";

/**
 * Publishes what transactions change as Change Data Capture does: one event for a record, or for several that were changed alike, with the
 * header that says what, when, by whom and by which client; CREATE and UNDELETE with all fields that are set, UPDATE with the changed ones,
 * DELETE with none [D].
 */
export class ChangeEvents {
  /** The objects that were selected for change events; all that can be unless set. */
  selected: ReadonlySet<string> | undefined;
  /** The next so many changes are told of as gaps, without field data. */
  gaps = 0;
  readonly #org: Org;
  readonly #bus: EventBus;
  #commits = 10_716_283_339_000;

  constructor(org: Org, bus: EventBus) {
    this.#org = org;
    this.#bus = bus;
    org.transactions.listen((transaction) => this.#tell(transaction));
  }

  /** Whether changes of the object are published. */
  publishes(object: string): boolean {
    if (silent.has(object) || object.endsWith("__e")) return false;
    return this.selected === undefined || this.selected.has(object);
  }

  /** Publishes a gap: that something happened to records, without saying what. An overflow names no record at all [D]. */
  gap(objectName: string, type: GapType, ids: readonly string[]): void {
    const header = { ...this.#header(objectName, type, type === "GAP_OVERFLOW" ? [overflowId] : ids, "", randomUUID(), 1, ""), ...noFields };
    this.#publish(objectName, { ChangeEventHeader: header });
  }

  #tell({ changes, origin }: Transaction): void {
    const transactionKey = randomUUID();
    let sequenceNumber = 0;
    this.#commits += 1 + changes.length;
    for (const alike of groups(this.#recordChanges(changes))) {
      const [{ object, kind, after }] = alike;
      const { payload, nulled, changed } = contentOf(alike[0]);
      const gap = this.gaps > 0;
      if (gap) this.gaps--;
      const ids = alike.map((change) => change.after.Id);
      const header = this.#header(
        object.name,
        gap ? `GAP_${kind}` : kind,
        ids,
        origin.changeOrigin,
        transactionKey,
        ++sequenceNumber,
        String(after.LastModifiedById),
      );
      const fields = gap ? noFields : { changedFields: changed, nulledFields: nulled, diffFields: [] };
      this.#publish(object.name, { ChangeEventHeader: { ...header, ...fields }, ...(!gap && payload) });
    }
  }

  /** What a transaction came to for each record: a row saved twice is one change. */
  #recordChanges(changes: readonly RowChange[]): RecordChange[] {
    const first = new Map<string, RowChange>();
    const last = new Map<string, Row>();
    for (const change of changes) {
      const key = `${change.type}/${(change.after ?? change.before)?.Id}`;
      if (!first.has(key)) first.set(key, change);
      if (change.after !== undefined) last.set(key, change.after);
    }
    return [...first].flatMap(([key, { type, before }]) => {
      const after = last.get(key);
      const object = this.#org.schema.object(type);
      // A row that leaves the recycle bin was told of when it went there.
      if (object === undefined || after === undefined || !this.publishes(object.name)) return [];
      const kind = kindOf(before, after);
      return kind === undefined ? [] : [{ object, kind, before, after }];
    });
  }

  #header(
    entityName: string,
    changeType: ChangeType | GapType,
    recordIds: readonly string[],
    changeOrigin: string,
    transactionKey: string,
    sequenceNumber: number,
    commitUser: string,
  ) {
    const commitTimestamp = this.#org.clock.now().getTime();
    return { entityName, recordIds, changeType, changeOrigin, transactionKey, sequenceNumber, commitTimestamp, commitNumber: this.#commits, commitUser };
  }

  #publish(objectName: string, payload: Readonly<Record<string, unknown>>): void {
    this.#bus.publish({ channel: `/data/${changeEventName(objectName)}`, data: { schema: schemaId(objectName), payload } });
  }
}

const noFields = { changedFields: [], nulledFields: [], diffFields: [] };

/** `CaseChangeEvent`, and `Device__ChangeEvent` for a custom object [D]. */
export function changeEventName(object: string): string {
  return object.endsWith("__c") ? `${object.slice(0, -3)}__ChangeEvent` : `${object}ChangeEvent`;
}

/** An opaque id that stays the same for an object. */
export function schemaId(name: string): string {
  return createHash("sha256").update(name).digest("base64url").slice(0, 22);
}

function kindOf(before: Row | undefined, after: Row): ChangeType | undefined {
  if (before === undefined) return after.IsDeleted === true ? undefined : "CREATE";
  if (before.IsDeleted !== true && after.IsDeleted === true) return "DELETE";
  if (before.IsDeleted === true) return after.IsDeleted === true ? undefined : "UNDELETE";
  return Object.keys(after).some((name) => !stamps.has(name) && before[name] !== after[name]) ? "UPDATE" : undefined;
}

function contentOf({ object, kind, before, after }: RecordChange): { payload: Record<string, unknown>; nulled: string[]; changed: string[] } {
  if (kind === "DELETE") return { payload: {}, nulled: [], changed: [] };
  const told = [...object.fields.values()].filter(
    ({ name, type }) => name !== "Id" && name !== "IsDeleted" && type !== "address" && type !== "base64" && name !== "SystemModstamp",
  );
  if (kind !== "UPDATE")
    return {
      payload: shown(
        told.filter(({ name }) => (after[name] ?? null) !== null),
        after,
      ),
      nulled: [],
      changed: [],
    };
  const changed = told.filter(({ name, calculated }) => !calculated && (name === "LastModifiedDate" || (before?.[name] ?? null) !== (after[name] ?? null)));
  const names = changed.map((field) => pathOf(object, field));
  const nulled = changed.filter(({ name }) => (after[name] ?? null) === null).map((field) => pathOf(object, field));
  return { payload: shown(changed, after), nulled, changed: names };
}

function shown(fields: readonly FieldDefinition[], row: Row): Record<string, unknown> {
  const payload: Record<string, unknown> = {};
  const whole = typeof row.LastName === "string";
  for (const field of fields) {
    const value = eventValue(field, row[field.name] ?? null);
    if (whole && field.name === "Name") continue;
    if (whole && nameParts.has(field.name)) payload.Name = { ...(payload.Name as object | undefined), [field.name]: value };
    else payload[field.name] = value;
  }
  return payload;
}

function pathOf(object: OrgObject, { name }: FieldDefinition): string {
  return object.fields.has("lastname") && nameParts.has(name) ? `Name.${name}` : name;
}

/** Instants are written with `Z` in events [D]. */
function eventValue(field: FieldDefinition, value: Value): Value {
  return field.type === "datetime" && typeof value === "string" ? value.replace("+0000", "Z") : value;
}

/** Changes that one event can tell of: the same of everything but the record. */
function groups(changes: readonly RecordChange[]): [RecordChange, ...RecordChange[]][] {
  const found = new Map<string, [RecordChange, ...RecordChange[]]>();
  for (const change of changes) {
    const key = JSON.stringify([change.object.name, change.kind, contentOf(change).payload]);
    const group = found.get(key);
    if (group === undefined) found.set(key, [change]);
    else group.push(change);
  }
  return [...found.values()];
}
