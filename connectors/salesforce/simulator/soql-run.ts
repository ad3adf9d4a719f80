import { ApiError } from "./api-error.ts";
import type { Org, Row } from "./org.ts";
import { attributesOf, shownValue } from "./render.ts";
import type { OrgObject } from "./schema.ts";
import { aggregateColumns, aggregateValue } from "./soql-aggregates.ts";
import { candidates, type Within } from "./soql-candidates.ts";
import { compileCondition, type Test } from "./soql-conditions.ts";
import { conjuncts, type OrderBy, type Path, parseSoql, type Query, type SelectItem } from "./soql-parse.ts";
import { type ResolvedPath, resolvePath } from "./soql-paths.ts";
import { assertLength, assertLinksAreFiltered, assertSemiJoins, hasSemiJoin } from "./soql-restrictions.ts";
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
  assertLength(statement);
  const query = parseSoql(statement);
  const object = org.seen(query.from);
  if (object === undefined) throw unknownType(statement, query);
  assertLinksAreFiltered(object, query);
  assertSemiJoins(query, statement);
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

  result(object: OrgObject, query: Query, within: Within | undefined): QueryResult {
    if (query.groupBy.length > 0 || query.select.every(({ kind }) => kind === "count" || kind === "aggregate")) return this.#aggregate(object, query, within);
    const select = query.select.map((item) => this.#shower(object, item, query));
    const rows = this.#rows(object, query, within);
    const show = (row: Row) =>
      select.reduce((record, part) => merge(record, part(row)), { attributes: attributesOf(object.name, row.Id, this.#options.version) } as Record<
        string,
        unknown
      >);
    return { totalSize: rows.length, rows: rows.map((row) => () => show(row)) };
  }

  #rows(object: OrgObject, query: Query, within: Within | undefined): Row[] {
    const subQuery = (sub: Query) => this.#column(sub);
    const test: Test = query.where === undefined ? () => true : compileCondition(this.#org, object, query.where, this.#statement, subQuery);
    const order = query.orderBy.map((entry) => ({ ...entry, resolved: resolvePath(this.#org, object, entry.path, this.#statement) }));
    const byStamp = query.orderBy[0]?.path.parts.join(".").toLowerCase() === "systemmodstamp" && !query.orderBy[0].descending;
    const wanted = query.limit === undefined ? Number.POSITIVE_INFINITY : query.limit + (query.offset ?? 0);
    if (query.offset !== undefined && query.offset > 2000) throw new ApiError(400, "NUMBER_OUTSIDE_VALID_RANGE", "Maximum SOQL offset allowed is 2000");
    const { rows, inStampOrder } = candidates(this.#org, object, query.where, within, subQuery, byStamp);
    const found: Row[] = [];
    const seen = new Set<string>();
    for (const row of rows) {
      this.#org.rowsVisited++;
      if (inStampOrder && byStamp && found.length >= wanted && row.SystemModstamp !== found.at(-1)?.SystemModstamp) break;
      if (seen.has(row.Id) || (row.IsDeleted === true && !this.#options.deletedToo) || !this.#org.shows(object.name, row) || !test(row)) continue;
      seen.add(row.Id);
      found.push(row);
      if (order.length === 0 && found.length >= wanted) break;
    }
    if (order.length > 0) found.sort((a, b) => compareRows(a, b, order));
    return query.offset === undefined && query.limit === undefined ? found : found.slice(query.offset ?? 0, wanted);
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
    const object = this.#org.seen(query.from);
    if (object === undefined) throw unknownType(this.#statement, query);
    const [item] = query.select;
    if (conjuncts(query.where).some((condition) => hasSemiJoin(condition)))
      throw malformed(this.#statement, query.fromAt, "Nesting of semi join sub-selects is not supported");
    if (item?.kind !== "field" || query.select.length !== 1) throw malformed(this.#statement, query.fromAt, "semi join sub-selects can only query one field");
    const path = resolvePath(this.#org, object, item.path, this.#statement);
    if (query.where === undefined && query.limit === undefined && path.field.name === "Id" && path.parents.length === 0) {
      return { has: (value) => this.#org.row(object.name, String(value))?.IsDeleted === false };
    }
    return new Set(this.#rows(object, query, undefined).map((row) => path.read(row)));
  }

  /** COUNT() is the total alone; other functions make one row of all, or one of each group. Without an alias they are called expr0, expr1 … [D]. */
  #aggregate(object: OrgObject, query: Query, within: Within | undefined): QueryResult {
    const { limit: _, offset: __, orderBy, ...plain } = query;
    const rows = this.#rows(object, { ...plain, orderBy: [] }, within);
    if (query.select.length === 1 && query.select[0]?.kind === "count" && query.select[0].path === undefined)
      return { totalSize: query.limit === undefined ? rows.length : Math.min(rows.length, query.limit), rows: [] };
    const resolve = (path: Path) => resolvePath(this.#org, object, path, this.#statement);
    const keys = query.groupBy.map(resolve);
    const columns = aggregateColumns(query, this.#statement);
    const groups = Map.groupBy(rows, (row) => JSON.stringify(keys.map((key) => key.read(row))));
    const found = (keys.length === 0 ? [rows] : [...groups.values()]).map((group) => {
      const values = columns.map(({ name, item }) => [
        name,
        item.kind === "field" ? group[0] && resolve(item.path).read(group[0]) : aggregateValue(item, group, resolve),
      ]);
      return { group, record: { attributes: { type: "AggregateResult" }, ...Object.fromEntries(values) } };
    });
    const order = orderBy.filter(({ path }) => query.groupBy.some(({ parts }) => parts.join(".").toLowerCase() === path.parts.join(".").toLowerCase()));
    const sorting = order.map((entry) => ({ ...entry, resolved: resolve(entry.path) }));
    found.sort((a, b) => (a.group[0] === undefined || b.group[0] === undefined ? 0 : compareRows(a.group[0], b.group[0], sorting)));
    const shown = found.slice(query.offset ?? 0, query.limit === undefined ? undefined : query.limit + (query.offset ?? 0));
    return {
      totalSize: shown.length,
      rows: shown.map(
        ({ record }) =>
          () =>
            record,
      ),
    };
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
    const object = child === undefined ? undefined : this.#org.seen(child.childObject);
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
