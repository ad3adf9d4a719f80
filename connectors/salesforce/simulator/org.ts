import type { Clock } from "../../simulation/clock.ts";
import type { Tables } from "../../simulation/tables.ts";
import { salesforceId } from "../id.ts";
import { ApiError } from "./api-error.ts";
import { afterSave, beforeSave } from "./behaviour.ts";
import { assertValid, inputValues } from "./checks.ts";
import type { FieldDefinition } from "./definitions.ts";
import { IdSequence } from "./id-sequence.ts";
import { RowIndex } from "./row-index.ts";
import type { OrgObject, OrgSchema } from "./schema.ts";
import { instantText, type Value } from "./values.ts";

export type Row = { Id: string } & Record<string, Value>;
export type Input = Readonly<Record<string, unknown>>;

/** What an administrator set up beside the schema; each is switched by the control API. */
export interface OrgRules {
  /** Whether a new comment touches its case: real orgs differ, so it can be either. */
  commentTouchesCase: boolean;
  /** Rejects a save whose field has this value. */
  validations: { readonly object: string; readonly field: string; readonly equals: Value; readonly message: string }[];
  /** Sets fields after a save, as a flow would. */
  automations: { readonly object: string; readonly on: "create" | "update"; readonly set: Input }[];
  /** Records that are hidden from API users, may not be written, or are locked for the next so many writes. */
  hidden: Set<string>;
  readOnly: Set<string>;
  locked: Map<string, number>;
  /** The next `times` saves are stamped now but seen only `ms` later, as a long transaction would be. */
  lateCommits: { ms: number; times: number };
}

export function noRules(commentTouchesCase: boolean): OrgRules {
  return { commentTouchesCase, validations: [], automations: [], hidden: new Set(), readOnly: new Set(), locked: new Map(), lateCommits: { ms: 0, times: 0 } };
}

/** The records of one simulated org and the rules by which they are saved: stamps, required fields, choices, references, soft deletes. */
export class Org {
  readonly schema: OrgSchema;
  readonly rules: OrgRules;
  readonly clock: Clock;
  readonly tables: Tables<Row>;
  readonly #indexes = new Map<string, RowIndex>();
  readonly #ids: IdSequence;
  #undo: (() => void)[] | undefined;
  #uncommitted: { readonly type: string; readonly row: Row }[] | undefined;
  #late: { readonly at: number; readonly puts: readonly { readonly type: string; readonly row: Row }[] }[] = [];

  constructor(schema: OrgSchema, tables: Tables<Row>, clock: Clock, rules: OrgRules) {
    this.schema = schema;
    this.tables = tables;
    this.clock = clock;
    this.rules = rules;
    this.#ids = new IdSequence(tables, schema);
    for (const object of schema.objects()) for (const row of tables.rows(object.name)) this.index(object.name).replace(undefined, row);
  }

  /** Makes visible what was committed late; called before each request. */
  settle(): void {
    if (this.#late.length === 0) return;
    const now = this.clock.now().getTime();
    const due = this.#late.filter(({ at }) => at <= now);
    this.#late = this.#late.filter(({ at }) => at > now);
    for (const { puts } of due) for (const { type, row } of puts) this.#commit(type, row);
  }

  index(type: string): RowIndex {
    let index = this.#indexes.get(type);
    if (index === undefined) {
      const fields = [...(this.schema.object(type)?.fields.values() ?? [])];
      const wanted = fields.filter(
        ({ type, unique, externalId, idLookup, name }) => name !== "Id" && (type === "reference" || unique || externalId || idLookup),
      );
      index = new RowIndex(wanted.map(({ name }) => name));
      this.#indexes.set(type, index);
    }
    return index;
  }

  /** Forgets what was indexed: a new field may have to be. */
  reindex(type: string): void {
    this.#indexes.delete(type);
    for (const row of this.tables.rows(type)) this.index(type).replace(undefined, row);
  }

  object(name: string): OrgObject {
    const object = this.schema.object(name);
    if (object === undefined) throw new ApiError(404, "NOT_FOUND", "The requested resource does not exist");
    return object;
  }

  /** A row that this API may see, deleted or not. */
  row(type: string, id: string): Row | undefined {
    return this.rules.hidden.has(id) ? undefined : this.tables.get(type, id);
  }

  /** The row that an id names. Throws what the platform says of ids that are malformed, unknown or deleted. */
  existing(type: string, id: string, unknown: ApiError = new ApiError(404, "NOT_FOUND", "The requested resource does not exist")): Row {
    const known = salesforceId(id);
    const row = known === undefined ? undefined : this.row(type, known);
    if (row === undefined) throw unknown;
    if (row.IsDeleted === true) throw new ApiError(404, "ENTITY_IS_DELETED", "entity is deleted");
    return row;
  }

  create(type: string, input: Input, caller: string): Row {
    const object = this.object(type);
    if (object.definition.createable === false)
      throw new ApiError(400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", `entity type cannot be inserted: ${object.definition.label ?? type}`);
    return this.#save(() => {
      const values = inputValues(object, input, "createable");
      this.#assertUnlocked(this.#parentsOf(object, values));
      const now = instantText(this.clock.now());
      const row: Row = {
        Id: this.#ids.next(object),
        IsDeleted: false,
        CreatedDate: now,
        CreatedById: caller,
        LastModifiedDate: now,
        LastModifiedById: caller,
        SystemModstamp: now,
      };
      for (const field of object.fields.values())
        if (!(field.name in row) && field.type !== "address" && field.type !== "base64") row[field.name] = defaultOf(field);
      Object.assign(row, values.fields);
      beforeSave(this, object, row, undefined, { caller, base64: values.base64 });
      assertValid(this, object, row, Object.keys(values.fields), values.base64);
      this.put(object.name, row);
      afterSave(this, object, row, undefined, { caller, base64: values.base64 });
      return this.#automate(object, row, "create");
    });
  }

  update(type: string, id: string, input: Input, caller: string): Row {
    const object = this.object(type);
    if ("Id" in input || "id" in input) throw new ApiError(400, "INVALID_FIELD", "The Id field should not be specified in the sobject data.", ["Id"]);
    const before = this.existing(type, id, unknownTarget());
    return this.#save(() => {
      const values = inputValues(object, input, "updateable");
      this.#assertUnlocked([before.Id]);
      if (this.rules.readOnly.has(before.Id)) throw new ApiError(403, "INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id");
      const now = instantText(this.clock.now());
      const row: Row = { ...before, ...values.fields, LastModifiedDate: now, LastModifiedById: caller, SystemModstamp: now };
      beforeSave(this, object, row, before, { caller, base64: values.base64 });
      assertValid(this, object, row, Object.keys(values.fields), values.base64);
      this.put(object.name, row);
      afterSave(this, object, row, before, { caller, base64: values.base64 });
      return this.#automate(object, row, "update");
    });
  }

  delete(type: string, id: string, caller: string): void {
    const object = this.object(type);
    const row = this.existing(type, id, unknownTarget());
    if (object.definition.deletable === false) throw new ApiError(400, "INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id");
    if (this.rules.readOnly.has(row.Id)) throw new ApiError(403, "INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id");
    this.#save(() => {
      this.#assertUnlocked([row.Id]);
      this.#remove(object.name, row, caller);
    });
  }

  /** Brings a row back from the recycle bin. */
  undelete(type: string, id: string, caller: string): void {
    const row = this.tables.get(type, id);
    if (row !== undefined) this.touch(type, row, { IsDeleted: false }, caller);
  }

  /** Changes a row past the rules of users, with new stamps. */
  touch(type: string, row: Row, changes: Record<string, Value>, caller: string): void {
    const now = instantText(this.clock.now());
    this.put(type, { ...row, ...changes, LastModifiedDate: now, LastModifiedById: caller, SystemModstamp: now });
  }

  /** Stores a row exactly as given. */
  put(type: string, row: Row): void {
    if (this.#uncommitted !== undefined) this.#uncommitted.push({ type, row });
    else this.#commit(type, row);
  }

  nextId(type: string): string {
    return this.#ids.next(this.object(type));
  }

  nextNumber(type: string, field: string): number {
    return this.#ids.nextNumber(type, field);
  }

  rows(type: string): IterableIterator<Row> {
    return this.tables.rows(type);
  }

  rowsWith(type: string, field: string, value: Value): Row[] {
    return this.index(type)
      .idsWith(field, [value])
      .flatMap((id) => this.tables.get(type, id) ?? []);
  }

  /** Runs saves that succeed together or not at all. */
  together<T>(work: () => T, failed: (result: T) => boolean): T {
    this.#undo = [];
    try {
      const result = work();
      if (failed(result)) for (const undo of this.#undo.reverse()) undo();
      return result;
    } finally {
      this.#undo = undefined;
    }
  }

  #save<T>(work: () => T): T {
    const { lateCommits } = this.rules;
    if (lateCommits.times <= 0 || this.#uncommitted !== undefined) return work();
    lateCommits.times--;
    this.#uncommitted = [];
    try {
      const result = work();
      this.#late.push({ at: this.clock.now().getTime() + lateCommits.ms, puts: this.#uncommitted });
      return result;
    } finally {
      this.#uncommitted = undefined;
    }
  }

  #commit(type: string, row: Row): void {
    const before = this.tables.get(type, row.Id);
    this.tables.put(type, row.Id, row);
    const index = this.index(type);
    index.replace(before, row);
    index.clean((id) => this.tables.get(type, id)?.SystemModstamp);
    this.#undo?.push(() => {
      if (before !== undefined) {
        this.tables.put(type, before.Id, before);
        index.replace(row, before);
      } else {
        this.tables.delete(type, row.Id);
        index.remove(row);
      }
    });
  }

  #remove(type: string, row: Row, caller: string): void {
    this.touch(type, row, { IsDeleted: true }, caller);
    for (const child of this.schema.children(type)) {
      const owned = child.cascadeDelete || (type === "ContentDocument" && child.childObject === "ContentVersion");
      if (!owned) continue;
      for (const childRow of this.rowsWith(child.childObject, child.field, row.Id))
        if (childRow.IsDeleted === false) this.#remove(child.childObject, childRow, caller);
    }
  }

  #parentsOf(object: OrgObject, values: { fields: Record<string, Value> }): string[] {
    return [...object.fields.values()].flatMap((field) =>
      field.cascadeDelete && typeof values.fields[field.name] === "string" ? [String(values.fields[field.name])] : [],
    );
  }

  #assertUnlocked(ids: readonly string[]): void {
    for (const id of ids) {
      const times = this.rules.locked.get(id) ?? 0;
      if (times <= 0) continue;
      this.rules.locked.set(id, times - 1);
      throw new ApiError(400, "UNABLE_TO_LOCK_ROW", `unable to obtain exclusive access to this record or 1 records: ${id}`, []);
    }
  }

  #automate(object: OrgObject, row: Row, on: "create" | "update"): Row {
    const set = this.rules.automations.filter((rule) => rule.object === object.name && rule.on === on).map(({ set }) => set);
    if (set.length === 0) return row;
    const changed: Row = { ...row, ...inputValues(object, Object.assign({}, ...set), "updateable").fields };
    this.put(object.name, changed);
    return changed;
  }
}

/** Writes call an unknown id a bad cross reference, reads call it not found [R]. */
function unknownTarget(): ApiError {
  return new ApiError(404, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id");
}

function defaultOf(field: FieldDefinition): Value {
  if (field.defaultValue !== undefined) return field.defaultValue;
  if (field.type === "boolean") return false;
  return field.picklist?.find(({ isDefault }) => isDefault)?.value ?? null;
}
