import type { ByteStore } from "../../simulation/byte-store.ts";
import type { Clock } from "../../simulation/clock.ts";
import type { Tables } from "../../simulation/tables.ts";
import { salesforceId } from "../id.ts";
import { Access } from "./access.ts";
import { ApiError } from "./api-error.ts";
import { automate, computeFormulas, rewrite } from "./automation.ts";
import { afterSave, beforeSave, type SaveContext } from "./behaviour.ts";
import { assertValid, inputValues } from "./checks.ts";
import type { FieldDefinition } from "./definitions.ts";
import { Deletions } from "./deletions.ts";
import { assertNoDuplicate } from "./duplicates.ts";
import { IdSequence } from "./id-sequence.ts";
import { Later } from "./later.ts";
import { RowIndex } from "./row-index.ts";
import type { OrgRules } from "./rules.ts";
import type { OrgObject, OrgSchema } from "./schema.ts";
import { Transactions } from "./transactions.ts";
import { instantText, type Value } from "./values.ts";
import { assertMay, assertUnlocked, assertWritable, ownersOf } from "./write-rights.ts";

export type Row = { Id: string } & Record<string, Value>;
export type Input = Readonly<Record<string, unknown>>;

/** The records of one simulated org and the rules by which they are saved: stamps, required fields, choices, references, soft deletes. */
export class Org {
  readonly schema: OrgSchema;
  readonly rules: OrgRules;
  readonly clock: Clock;
  readonly tables: Tables<Row>;
  readonly #indexes = new Map<string, RowIndex>();
  readonly #ids: IdSequence;
  /** What is saved together, and who hears of it. */
  readonly transactions = new Transactions();
  /** The bytes of files. */
  readonly bytes: ByteStore;
  /** What was deleted and when. */
  readonly deletions: Deletions;
  /** What profiles may see and write. */
  readonly access = new Access(this);
  /** How many rows queries have looked at: the measure of what they cost. */
  rowsVisited = 0;
  #uncommitted: { readonly type: string; readonly row: Row }[] | undefined;
  readonly #later: Later;

  constructor(schema: OrgSchema, tables: Tables<Row>, clock: Clock, rules: OrgRules, bytes: ByteStore) {
    this.bytes = bytes;
    this.schema = schema;
    this.tables = tables;
    this.clock = clock;
    this.rules = rules;
    this.deletions = new Deletions(tables, clock);
    this.#later = new Later(clock);
    this.#ids = new IdSequence(tables, schema);
    for (const object of schema.objects()) for (const row of tables.rows(object.name)) this.index(object.name).replace(undefined, row);
  }

  /** Does something when the clock has come so far. */
  later(ms: number, work: () => void): void {
    this.#later.plan(ms, () => this.transactions.save(work));
  }

  /** Makes visible what was committed late, and does what was put off until now; called before each request. */
  settle(): void {
    for (const { type, id } of this.deletions.leavingTheBin()) {
      const row = this.tables.get(type, id);
      if (row?.IsDeleted === true) this.#forget(type, row);
    }
    for (const work of this.#later.due()) work();
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

  /** An object as the present caller sees it. */
  seen(name: string): OrgObject | undefined {
    const object = this.schema.object(name);
    const { caller } = this.transactions.origin;
    return object === undefined || caller === undefined ? object : this.access.view(object, caller);
  }

  /** The same; throws where it does not exist, or is hidden. */
  object(name: string): OrgObject {
    const object = this.seen(name);
    if (object === undefined) throw new ApiError(404, "NOT_FOUND", "The requested resource does not exist");
    return object;
  }

  /** Whether the present caller may see a row. */
  shows(type: string, row: Row): boolean {
    const { caller } = this.transactions.origin;
    return !this.rules.hidden.has(row.Id) && (caller === undefined || this.access.sees(type, row, caller));
  }

  /** A row that the present caller may see, deleted or not. */
  row(type: string, id: string): Row | undefined {
    const row = this.tables.get(type, id);
    return row !== undefined && this.shows(type, row) ? row : undefined;
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
    const seen = this.object(type);
    const object = this.#whole(seen);
    if (object.definition.createable === false)
      throw new ApiError(400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", `entity type cannot be inserted: ${object.definition.label ?? type}`);
    assertMay(this, "create", object.name);
    return this.#save(() => {
      const values = inputValues(this.bytes, seen, input, "createable");
      assertUnlocked(this, ownersOf(object, values.fields));
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
      return this.#keep(object, row, undefined, { caller, bytes: values.bytes }, Object.keys(values.fields));
    });
  }

  update(type: string, id: string, input: Input, caller: string): Row {
    const seen = this.object(type);
    const object = this.#whole(seen);
    if ("Id" in input || "id" in input) throw new ApiError(400, "INVALID_FIELD", "The Id field should not be specified in the sobject data.", ["Id"]);
    const before = this.existing(type, id, unknownTarget());
    assertMay(this, "update", object.name);
    return this.#save(() => {
      const values = inputValues(this.bytes, seen, input, "updateable");
      assertUnlocked(this, [before.Id]);
      assertWritable(this, object.name, before);
      const now = instantText(this.clock.now());
      const row: Row = { ...before, ...values.fields, LastModifiedDate: now, LastModifiedById: caller, SystemModstamp: now };
      return this.#keep(object, row, before, { caller, bytes: values.bytes }, Object.keys(values.fields));
    });
  }

  delete(type: string, id: string, caller: string): void {
    const object = this.object(type);
    const row = this.existing(type, id, unknownTarget());
    if (this.#whole(object).definition.deletable === false)
      throw new ApiError(400, "INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id");
    assertMay(this, "delete", object.name);
    assertWritable(this, object.name, row);
    this.#save(() => {
      assertUnlocked(this, [row.Id]);
      this.#remove(object.name, row, caller);
    });
  }

  /** Brings a row back from the recycle bin. */
  undelete(type: string, id: string, caller: string): void {
    const row = this.tables.get(type, id);
    if (row?.IsDeleted === true) this.touch(type, row, { IsDeleted: false, ...("MasterRecordId" in row && { MasterRecordId: null }) }, caller);
  }

  /** Takes rows out of the recycle bin, or away at once: nobody gets them back. */
  purge(type: string, ids: readonly string[]): void {
    this.transactions.save(() => {
      for (const id of ids) {
        const row = this.tables.get(type, id);
        if (row === undefined) continue;
        if (row.IsDeleted === false) this.#remove(type, row, String(row.LastModifiedById));
        const before = this.tables.get(type, id) ?? row;
        this.#forget(type, before);
        this.transactions.record({ type, before, after: undefined, undo: () => this.#store(type, before) });
      }
    });
  }

  /** Changes a row past the rules of users, with new stamps. */
  touch(type: string, row: Row, changes: Record<string, Value>, caller: string): Row {
    const now = instantText(this.clock.now());
    const touched: Row = { ...row, ...changes, LastModifiedDate: now, LastModifiedById: caller, SystemModstamp: now };
    this.put(type, touched);
    return touched;
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

  /** A save that throws leaves nothing behind; one that commits late is put by until then. */
  #save<T>(work: () => T): T {
    const { lateCommits } = this.rules;
    if (lateCommits.times <= 0 || this.#uncommitted !== undefined) return this.transactions.save(work);
    lateCommits.times--;
    this.#uncommitted = [];
    try {
      const result = work();
      const { origin } = this.transactions;
      const puts = this.#uncommitted;
      const commit = () => {
        for (const { type, row } of puts) this.#commit(type, row);
      };
      this.#later.plan(lateCommits.ms, () => this.transactions.save(commit, origin));
      return result;
    } finally {
      this.#uncommitted = undefined;
    }
  }

  #commit(type: string, row: Row): void {
    const before = this.tables.get(type, row.Id);
    this.#store(type, row);
    this.transactions.record({
      type,
      before,
      after: row,
      undo: () => {
        if (before !== undefined) this.#store(type, before);
        else this.#forget(type, row);
      },
    });
  }

  #store(type: string, row: Row): void {
    const before = this.tables.get(type, row.Id);
    if ((before?.IsDeleted === true) !== (row.IsDeleted === true)) this.deletions.note(type, row);
    this.tables.put(type, row.Id, row);
    const index = this.index(type);
    index.replace(before, row);
    index.clean((id) => this.tables.get(type, id)?.SystemModstamp);
  }

  #forget(type: string, row: Row): void {
    this.tables.delete(type, row.Id);
    this.index(type).remove(row);
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

  #keep(object: OrgObject, row: Row, before: Row | undefined, context: SaveContext, given: readonly string[]): Row {
    beforeSave(this, object, row, before, context);
    const rewritten = rewrite(this, object, row, before);
    assertValid(this, object, row, [...given, ...rewritten], context.bytes);
    assertNoDuplicate(this, object, row, before);
    computeFormulas(object, row);
    this.put(object.name, row);
    afterSave(this, object, row, before, context);
    return automate(this, object, row, before, context.caller);
  }

  #whole(object: OrgObject): OrgObject {
    return this.schema.object(object.name) ?? object;
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
