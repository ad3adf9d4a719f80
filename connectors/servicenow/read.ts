import type { Attachment, Comment, Condition, Entity, EntityRef, Json, Person, ReadOutcome } from "../connector.ts";
import { ConnectorError } from "../errors.ts";
import { variablesField, variablesOf } from "./catalog-variables.ts";
import { type Children, childKinds, childrenOf, noChildren, versionOf } from "./children.ts";
import { listPath, longestPath, type ServiceNowClient } from "./client.ts";
import { concernsInstance } from "./errors.ts";
import { unknownField } from "./field-names.ts";
import { inChunks, isSysId } from "./ids.ts";
import type { People } from "./people.ts";
import { encodedConditions, term } from "./query.ts";
import type { Schemas } from "./schema.ts";
import { internalJournal, publicJournal, type TableSchema } from "./table-schema.ts";
import { type Column, decoded, displayOf, isoInstant, type RawRow, type RawValue, textOf } from "./values.ts";
import { markerOf } from "./write-plan.ts";

/** Reads records of one instance. */
export class Reader {
  readonly #client: ServiceNowClient;
  readonly #schemas: Schemas;
  readonly #people: People;

  constructor(client: ServiceNowClient, schemas: Schemas, people: People) {
    this.#client = client;
    this.#schemas = schemas;
    this.#people = people;
  }

  /** Records whole: one batch of reads for up to six hundred of one table, and another for authors not yet known. */
  async read(refs: readonly EntityRef[]): Promise<ReadOutcome[]> {
    const found = new Map<string, Entity>();
    const failed = new Map<string, ConnectorError>();
    for (const [type, ofType] of Map.groupBy(refs, (ref) => ref.type)) {
      const ids = [...new Set(ofType.map((ref) => ref.id))].filter(isSysId);
      try {
        for (const entity of await this.#readWhole(type, ids)) found.set(keyOf(entity.ref), entity);
      } catch (error) {
        // A table that is unknown or closed to us says nothing of the others.
        if (!(error instanceof ConnectorError) || concernsInstance(error)) throw error;
        failed.set(type, error);
      }
    }
    const missing = refs.filter((ref) => !found.has(keyOf(ref)) && !failed.has(ref.type));
    const deleted = missing.length === 0 ? new Set<string>() : await this.#deletedAmong(missing);
    return refs.map((ref) => {
      const entity = found.get(keyOf(ref));
      return entity === undefined ? { ok: false, error: failed.get(ref.type) ?? this.#absent(ref, deleted) } : { ok: true, entity };
    });
  }

  /** Records by conditions; hidden rows do not end the search. Versions are those of the records alone, without comments and attachments. */
  async find(type: string, conditions: readonly Condition[], limit: number): Promise<Entity[]> {
    const schema = await this.#schemas.table(type);
    const entities: Entity[] = [];
    const seen = new Set<string>();
    const queries = this.#fittingQueries(schema, conditions);
    // One of none is nothing; a condition without a value could be ignored.
    if (conditions.some(({ operator, value }) => operator === "in" && Array.isArray(value) && value.length === 0)) return [];
    // Hidden rows take up room on a page, so a page of one could mean a call for each of them.
    const pageSize = Math.min(Math.max(limit, 50), 1000);
    for (const query of queries) {
      for (let offset = 0; entities.length < limit; offset += pageSize) {
        const page = await this.#client.list({ table: type, query, display: true, limit: pageSize, offset }, `look up ${type}`);
        requireHonoured(schema, conditions, page.rows);
        for (const row of page.rows) {
          if (entities.length >= limit || seen.has(textOf(row, "sys_id"))) continue;
          seen.add(textOf(row, "sys_id"));
          entities.push(this.#entity(schema, row, noChildren, () => null));
        }
        if (offset + pageSize >= page.total) break;
      }
    }
    return entities;
  }

  /** By number (or whatever names records of the table), or by sys_id. */
  async findByKey(type: string, key: string): Promise<EntityRef | undefined> {
    const schema = await this.#schemas.table(type);
    const wanted = key.trim();
    if (wanted === "") return undefined;
    // People go by more than their full name, which need not be unique.
    const id = type === "sys_user" && !isSysId(wanted) ? await this.#people.idOf(wanted) : undefined;
    if (id !== undefined) return { type, id };
    const column = isSysId(wanted) ? "sys_id" : schema.displayColumn;
    const { rows } = await this.#client.list(
      { table: type, query: `${term(column, "=", wanted)}^ORDERBYsys_created_on^ORDERBYsys_id`, fields: ["sys_id"], limit: 1 },
      `look up ${type} ${wanted}`,
    );
    const [row] = rows;
    return row === undefined ? undefined : { type, id: textOf(row, "sys_id") };
  }

  async #readWhole(type: string, ids: readonly string[]): Promise<Entity[]> {
    const schema = await this.#schemas.table(type);
    const [lists, children] = await Promise.all([
      Promise.all(inChunks(ids).map((chunk) => this.#client.listAll({ table: type, query: `sys_idIN${chunk.join(",")}^ORDERBYsys_id`, display: true }))),
      childrenOf(this.#client, ids, childKinds(schema)),
    ]);
    const authors = [...children.journal.values(), ...children.attachments.values()].flat().map((child) => textOf(child, "sys_created_by"));
    const person = await this.#people.named(authors);
    return lists.flat().map((row) => this.#entity(schema, row, children, person));
  }

  #entity(schema: TableSchema, row: RawRow, children: Children, person: (userName: string) => Person | null): Entity {
    const type = schema.entity.entityType;
    const id = textOf(row, "sys_id");
    const fields: Record<string, Json> = {};
    const display: Record<string, string> = {};
    for (const [name, raw] of Object.entries(row)) {
      if (schema.journals.has(name)) continue;
      const column = schema.columns.get(name);
      // Beyond the schema there are passwords and the like; a sampled schema may lack a column that only some rows show.
      if (column === undefined && !schema.entity.sampled) continue;
      fields[name] = decoded(raw, column);
      if (isLabelled(column, row[name]) && textOf(row, name) !== "") display[name] = displayOf(row, name);
    }
    if (schema.catalogVariables) fields[variablesField] = variablesOf(children.variables.get(id) ?? []);
    const journal = children.journal.get(id) ?? [];
    const marker = markerOf(schema, row);
    return {
      ref: { type, id },
      key: textOf(row, schema.displayColumn) || id,
      url: `${this.#client.url}/nav_to.do?uri=${encodeURIComponent(`${type}.do?sys_id=${id}`)}`,
      version: versionOf(row, children),
      fields,
      display,
      comments: journal.filter((entry) => textOf(entry, "element") === publicJournal).map((entry) => commentOf(entry, person)),
      internalComments: journal.filter((entry) => textOf(entry, "element") === internalJournal).map((entry) => commentOf(entry, person)),
      attachments: (children.attachments.get(id) ?? []).map((file) => attachmentOf(file, person)),
      ...(marker === undefined ? {} : { marker }),
    };
  }

  /** Tombstones, where this account may see them: normally only administrators may [R]. */
  async #deletedAmong(refs: readonly EntityRef[]): Promise<ReadonlySet<string>> {
    const deleted = new Set<string>();
    for (const chunk of inChunks([...new Set(refs.map((ref) => ref.id))].filter(isSysId))) {
      const request = { table: "sys_audit_delete", query: `documentkeyIN${chunk.join(",")}^ORDERBYsys_id`, fields: ["documentkey"] };
      const rows = await this.#client.absences.unlessOutOfReach("sys_audit_delete", () => this.#client.listAll(request));
      for (const row of rows ?? []) deleted.add(textOf(row, "documentkey"));
    }
    return deleted;
  }

  #absent(ref: EntityRef, deleted: ReadonlySet<string>): ConnectorError {
    return deleted.has(ref.id)
      ? this.#client.error("DELETED", { message: `${ref.type} ${ref.id} was deleted in ServiceNow.` })
      : this.#client.error("NOT_FOUND_OR_HIDDEN", { message: `${ref.type} ${ref.id} is not there, or hidden from the integration account.` });
  }

  /** One query, or several when a list of values makes it too long for one address. */
  #fittingQueries(schema: TableSchema, conditions: readonly Condition[]): string[] {
    const type = schema.entity.entityType;
    const whole = encodedConditions(schema, conditions);
    const query = [whole, "ORDERBYsys_id"].filter((part) => part !== "").join("^");
    if (listPath({ table: type, query, display: true, limit: 10_000, offset: 1_000_000 }).length <= longestPath) return [query];
    const position = conditions.findIndex(({ operator, value }) => operator === "in" && Array.isArray(value) && value.length > 1);
    const condition = conditions[position];
    if (condition === undefined || !Array.isArray(condition.value)) {
      throw this.#client.error("TOO_LARGE", { message: `The look-up in ${type} is too long for one call.`, fields: conditions.map(({ field }) => field) });
    }
    const values = condition.value as readonly Json[];
    const half = Math.ceil(values.length / 2);
    return [values.slice(0, half), values.slice(half)].flatMap((part) =>
      this.#fittingQueries(schema, conditions.with(position, { ...condition, value: part })),
    );
  }
}

/** Whether the display text is a label. Of a column that nobody has seen before, one that differs from the value and is no reference's. */
function isLabelled(column: Column | undefined, raw: RawValue | undefined): boolean {
  if (column !== undefined) return column.choices !== undefined || column.type === "choice";
  return typeof raw === "object" && raw.link === undefined && raw.display_value !== raw.value;
}

const holdsWhatItFinds: ReadonlySet<Condition["operator"]> = new Set(["=", "in", "contains", "startsWith"]);

/** The platform ignores conditions on columns that do not exist [R]: a record that matches such a condition without having the column gives it away. */
function requireHonoured(schema: TableSchema, conditions: readonly Condition[], rows: readonly RawRow[]): void {
  for (const { field, operator, value } of conditions) {
    if (schema.columns.has(field) || value === null || value === "" || !holdsWhatItFinds.has(operator)) continue;
    if (rows.some((row) => row[field] === undefined)) throw unknownField(field, schema);
  }
}

function keyOf(ref: EntityRef): string {
  return `${ref.type}/${ref.id}`;
}

function commentOf(entry: RawRow, person: (userName: string) => Person | null): Comment {
  const created = isoInstant(textOf(entry, "sys_created_on"));
  return {
    id: textOf(entry, "sys_id"),
    body: textOf(entry, "value"),
    internal: textOf(entry, "element") === internalJournal,
    author: person(textOf(entry, "sys_created_by")),
    created,
    // Journal entries cannot be edited.
    updated: created,
  };
}

function attachmentOf(file: RawRow, person: (userName: string) => Person | null): Attachment {
  return {
    id: textOf(file, "sys_id"),
    filename: textOf(file, "file_name"),
    mimetype: textOf(file, "content_type"),
    filesize: Number(textOf(file, "size_bytes")),
    author: person(textOf(file, "sys_created_by")),
    created: isoInstant(textOf(file, "sys_created_on")),
  };
}
