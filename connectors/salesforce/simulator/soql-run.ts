import { salesforceId } from "../id.ts";
import { ApiError } from "./api-error.ts";
import type { Org, Row } from "./org.ts";
import { attributesOf, shownValue } from "./render.ts";
import type { OrgObject } from "./schema.ts";
import { compileCondition, type SubQuery, type Test } from "./soql-conditions.ts";
import { type Expression, type OrderBy, type Path, parseSoql, type Query, type SelectItem } from "./soql-parse.ts";
import { type ResolvedPath, resolvePath } from "./soql-paths.ts";
import { malformed, queryError } from "./soql-text.ts";
import type { Value } from "./values.ts";

/** The rows that a query found; each is shown only when its page is asked for. */
export interface QueryResult {
  readonly totalSize: number;
  readonly rows: readonly (() => Record<string, unknown>)[];
}

export interface QueryOptions {
  /** True for queryAll: with the recycle bin. */
  readonly deletedToo: boolean;
  readonly version: string;
  /** Shows the rows of a child sub-select that do not fit one answer under an address of their own. */
  readonly page: (result: QueryResult) => unknown;
}

/** Runs a statement. Throws MALFORMED_QUERY, INVALID_TYPE, INVALID_FIELD and the like with the platform's words. */
export function runSoql(org: Org, statement: string, options: QueryOptions): QueryResult {
  const query = parseSoql(statement);
  const object = org.schema.object(query.from);
  if (object === undefined) throw unknownType(statement, query);
  assertLinksAreFiltered(object, query);
  return new Run(org, statement, options).result(object, query, undefined);
}

class Run {
  readonly #org: Org;
  readonly #statement: string;
  readonly #options: QueryOptions;
  readonly #columns = new Map<Query, { has(value: Value): boolean }>();

  constructor(org: Org, statement: string, options: QueryOptions) {
    this.#org = org;
    this.#statement = statement;
    this.#options = options;
  }

  result(object: OrgObject, query: Query, within: { field: string; id: string } | undefined): QueryResult {
    const select = query.select.map((item) => this.#shower(object, item, query));
    const aggregate = query.select.every(({ kind }) => kind === "count" || kind === "aggregate");
    const rows = this.#rows(object, query, within);
    if (aggregate) return this.#aggregate(object, query, rows);
    const show = (row: Row) =>
      select.reduce((record, part) => merge(record, part(row)), { attributes: attributesOf(object.name, row.Id, this.#options.version) } as Record<
        string,
        unknown
      >);
    return { totalSize: rows.length, rows: rows.map((row) => () => show(row)) };
  }

  #rows(object: OrgObject, query: Query, within: { field: string; id: string } | undefined): Row[] {
    const subQuery = (sub: Query) => this.#column(sub);
    const test: Test = query.where === undefined ? () => true : compileCondition(this.#org, object, query.where, this.#statement, subQuery);
    const order = query.orderBy.map((entry) => ({ ...entry, resolved: resolvePath(this.#org, object, entry.path, this.#statement) }));
    const byStamp = query.orderBy[0]?.path.parts.join(".").toLowerCase() === "systemmodstamp" && !query.orderBy[0].descending;
    const wanted = query.limit === undefined ? Number.POSITIVE_INFINITY : query.limit + (query.offset ?? 0);
    if (query.offset !== undefined && query.offset > 2000) throw new ApiError(400, "NUMBER_OUTSIDE_VALID_RANGE", "Maximum SOQL offset allowed is 2000");
    const { rows, inStampOrder } = this.#candidates(object, query.where, within, subQuery, byStamp);
    const found: Row[] = [];
    const seen = new Set<string>();
    for (const row of rows) {
      if (inStampOrder && byStamp && found.length >= wanted && row.SystemModstamp !== found.at(-1)?.SystemModstamp) break;
      if (seen.has(row.Id) || (row.IsDeleted === true && !this.#options.deletedToo) || this.#org.rules.hidden.has(row.Id) || !test(row)) continue;
      seen.add(row.Id);
      found.push(row);
      if (order.length === 0 && found.length >= wanted) break;
    }
    if (order.length > 0) found.sort((a, b) => compareRows(a, b, order));
    return query.offset === undefined && query.limit === undefined ? found : found.slice(query.offset ?? 0, wanted);
  }

  #candidates(
    object: OrgObject,
    where: Expression | undefined,
    within: { field: string; id: string } | undefined,
    subQuery: SubQuery,
    byStamp: boolean,
  ): { rows: Iterable<Row>; inStampOrder: boolean } {
    const { tables } = this.#org;
    const type = object.name;
    const byIds = (ids: Iterable<unknown>) => ({ rows: [...ids].flatMap((id) => tables.get(type, String(id)) ?? []), inStampOrder: false });
    const index = this.#org.index(type);
    if (within !== undefined) return byIds(index.idsWith(within.field, [within.id]));
    const conditions = where === undefined ? [] : where.kind === "and" ? where.parts : [where];
    for (const condition of conditions) {
      const found = condition.kind === "compare" ? this.#indexed(object, condition) : undefined;
      if (found !== undefined) return byIds(found);
    }
    for (const condition of conditions) {
      if (condition.kind !== "compare" || condition.path.parts.join(".").toLowerCase() !== "systemmodstamp" || !/^>=?$/.test(condition.operator)) continue;
      const literal = condition.values[0];
      if (literal?.kind !== "date") continue;
      return {
        rows: this.#fromStamp(type, `${new Date(literal.text.replace(/([+-]\d{2})(\d{2})$/, "$1:$2")).toISOString().slice(0, 19)}.000+0000`),
        inStampOrder: true,
      };
    }
    for (const condition of conditions) {
      if (condition.kind !== "semiJoin" || condition.negated) continue;
      const name = condition.path.parts.length === 1 ? object.fields.get(condition.path.parts[0]?.toLowerCase() ?? "")?.name : undefined;
      const values = name === "Id" || (name !== undefined && index.has(name)) ? subQuery(condition.query) : undefined;
      if (values instanceof Set && name !== undefined)
        return byIds(
          name === "Id"
            ? values
            : index.idsWith(
                name,
                [...values].filter((value) => value !== null),
              ),
        );
    }
    return byStamp ? { rows: this.#fromStamp(type, ""), inStampOrder: true } : { rows: tables.rows(type), inStampOrder: false };
  }

  *#fromStamp(type: string, stamp: string): Generator<Row> {
    const { tables } = this.#org;
    for (const id of this.#org.index(type).idsFrom(stamp, (id) => tables.get(type, id)?.SystemModstamp)) {
      const row = tables.get(type, id);
      if (row !== undefined) yield row;
    }
  }

  /** Ids that a condition on an indexed field leaves, or undefined where it is no such condition. */
  #indexed(object: OrgObject, { path, operator, values: literals }: Extract<Expression, { kind: "compare" }>): Iterable<unknown> | undefined {
    const field = path.parts.length === 1 ? object.fields.get(path.parts[0]?.toLowerCase() ?? "") : undefined;
    if (field === undefined || (field.name !== "Id" && !this.#org.index(object.name).has(field.name))) return undefined;
    if ((operator !== "=" && operator !== "IN") || literals.some(({ kind }) => kind !== "string")) return undefined;
    const values = literals.map((literal) => (literal.kind === "string" ? (salesforceId(literal.text) ?? literal.text) : ""));
    return field.name === "Id" ? values : this.#org.index(object.name).idsWith(field.name, values);
  }

  /** The values of a sub-select, found once per statement; a sub-select of all rows is asked row by row instead. */
  #column(query: Query): { has(value: Value): boolean } {
    const known = this.#columns.get(query);
    if (known !== undefined) return known;
    const column = this.#newColumn(query);
    this.#columns.set(query, column);
    return column;
  }

  #newColumn(query: Query): { has(value: Value): boolean } {
    const object = this.#org.schema.object(query.from);
    if (object === undefined) throw unknownType(this.#statement, query);
    const [item] = query.select;
    if (item?.kind !== "field" || query.select.length !== 1) throw malformed(this.#statement, query.fromAt, "semi join sub-selects can only query one field");
    const path = resolvePath(this.#org, object, item.path, this.#statement);
    if (query.where === undefined && query.limit === undefined && path.field.name === "Id" && path.parents.length === 0) {
      return { has: (value) => this.#org.row(object.name, String(value))?.IsDeleted === false };
    }
    return new Set(this.#rows(object, query, undefined).map((row) => path.read(row)));
  }

  #aggregate(object: OrgObject, query: Query, rows: readonly Row[]): QueryResult {
    if (query.select.length === 1 && query.select[0]?.kind === "count" && query.select[0].path === undefined) return { totalSize: rows.length, rows: [] };
    const values = query.select.map((item, i) => [`expr${i}`, aggregateValue(item, rows, (path) => resolvePath(this.#org, object, path, this.#statement))]);
    return { totalSize: 1, rows: [() => ({ attributes: { type: "AggregateResult" }, ...Object.fromEntries(values) })] };
  }

  #shower(object: OrgObject, item: SelectItem, query: Query): (row: Row) => Record<string, unknown> {
    const { version } = this.#options;
    if (item.kind === "children") return this.#childrenShower(object, item.query);
    if (item.kind === "allFields") {
      if (query.limit === undefined || query.limit > 200)
        throw malformed(this.#statement, item.at, "The SOQL FIELDS function must have a LIMIT of at most 200");
      const fields = [...object.fields.values()].filter((field) => item.set === "ALL" || field.name.endsWith("__c") === (item.set === "CUSTOM"));
      return (row) => Object.fromEntries(fields.map((field) => [field.name, shownValue(object, field, row, version)]));
    }
    if (item.kind !== "field") return () => ({});
    const resolved = resolvePath(this.#org, object, item.path, this.#statement);
    if (resolved.parents.length === 0) return (row) => ({ [resolved.field.name]: shownValue(object, resolved.field, row, version) });
    return (row) => this.#nested(object, row, resolved);
  }

  /** `Account.Owner.Name` is shown as objects in objects, each with its attributes; siblings are put together by {@link merge}. */
  #nested(object: OrgObject, row: Row, resolved: ResolvedPath): Record<string, unknown> {
    const top: Record<string, unknown> = {};
    let at = top;
    let holder: { object: OrgObject; row: Row } | undefined = { object, row };
    for (const parent of resolved.parents) {
      const relationship = parent.relationshipName ?? parent.name;
      const id: Value | undefined = holder?.row[parent.name];
      const type: string | undefined = typeof id === "string" ? this.#org.schema.typeOfId(id) : undefined;
      const next: Row | undefined = type === undefined ? undefined : this.#org.tables.get(type, String(id));
      if (type === undefined || next === undefined) {
        at[relationship] = null;
        return top;
      }
      holder = { object: this.#org.object(type), row: next };
      const shown = { attributes: attributesOf(parent.referenceTo?.length === 1 ? type : "Name", next.Id, this.#options.version) };
      at[relationship] = shown;
      at = shown;
    }
    at[resolved.field.name] = resolved.read(row);
    return top;
  }

  #childrenShower(parent: OrgObject, query: Query): (row: Row) => Record<string, unknown> {
    const wanted = query.from.toLowerCase();
    const child = this.#org.schema.children(parent.name).find(({ relationshipName }) => relationshipName?.toLowerCase() === wanted);
    const object = child === undefined ? undefined : this.#org.schema.object(child.childObject);
    if (child?.relationshipName === undefined || object === undefined) {
      const message = `Didn't understand relationship '${query.from}' in FROM part of query call. If you are attempting to use a custom relationship, be sure to append the '__r' after the custom relationship name. Please reference your WSDL or the describe call for the appropriate names.`;
      throw queryError("INVALID_TYPE", this.#statement, query.fromAt, message);
    }
    const name = child.relationshipName;
    return (row) => {
      const result = this.result(object, query, { field: child.field, id: row.Id });
      return { [name]: result.totalSize === 0 ? null : this.#options.page(result) };
    };
  }
}

/** Puts what two paths show of the same parent into one object. */
function merge(record: Record<string, unknown>, part: Record<string, unknown>): Record<string, unknown> {
  for (const [name, value] of Object.entries(part)) {
    const held = record[name];
    record[name] = isPlain(held) && isPlain(value) && name !== "attributes" ? merge(held, value) : value;
  }
  return record;
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function aggregateValue(item: SelectItem, rows: readonly Row[], resolve: (path: Path) => ResolvedPath): unknown {
  if (item.kind !== "count" && item.kind !== "aggregate") return null;
  if (item.path === undefined) return rows.length;
  const path = resolve(item.path);
  const values = rows.map((row) => path.read(row)).filter((value) => value !== null);
  if (item.kind === "count") return values.length;
  const sorted = values.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const sum = values.reduce((total: number, value) => total + Number(value), 0);
  switch (item.function) {
    case "MIN":
      return sorted[0] ?? null;
    case "MAX":
      return sorted.at(-1) ?? null;
    case "SUM":
      return sum;
    case "AVG":
      return values.length === 0 ? null : sum / values.length;
    case "COUNT_DISTINCT":
      return new Set(values).size;
  }
}

function compareRows(a: Row, b: Row, order: readonly (OrderBy & { readonly resolved: ResolvedPath })[]): number {
  for (const { resolved, descending, nullsLast } of order) {
    const left = resolved.read(a);
    const right = resolved.read(b);
    if (left === right) continue;
    if (left === null || right === null) return (left === null) === nullsLast ? 1 : -1;
    const folded = resolved.field.type !== "id" && resolved.field.type !== "reference" && typeof left === "string" && typeof right === "string";
    const [x, y] = folded ? [left.toLowerCase(), right.toLowerCase()] : [left, right];
    if (x === y) continue;
    return x < y === descending ? 1 : -1;
  }
  return 0;
}

function unknownType(statement: string, query: Query): ApiError {
  const message = `sObject type '${query.from}' is not supported. If you are attempting to use a custom object, be sure to append the '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names.`;
  return queryError("INVALID_TYPE", statement, query.fromAt, message);
}

/** Links of files can be listed only by the record or the document [K]. */
function assertLinksAreFiltered(object: OrgObject, query: Query): void {
  if (object.name !== "ContentDocumentLink") return;
  const conditions = query.where === undefined ? [] : query.where.kind === "and" ? query.where.parts : [query.where];
  const filtered = conditions.some((condition) => {
    if (condition.kind !== "semiJoin" && (condition.kind !== "compare" || (condition.operator !== "=" && condition.operator !== "IN"))) return false;
    return /^(linkedentityid|contentdocumentid)$/i.test(condition.path.parts.join("."));
  });
  if (filtered) return;
  throw new ApiError(
    400,
    "MALFORMED_QUERY",
    "Implementation restriction: ContentDocumentLink requires a filter by a single Id on ContentDocumentId or LinkedEntityId using the equals operator or multiple Id's using the IN operator.",
  );
}
