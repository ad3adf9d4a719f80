import { columnAt, reader } from "./dot-walk.ts";
import { type Alternative, type Condition, type EncodedQuery, type Join, type RelatedList, readEncodedQuery, type Term, textSearch } from "./encoded-query.ts";
import { firstInOrder } from "./order.ts";
import type { Column } from "./schema.ts";
import { scriptedValue } from "./scripted-values.ts";
import { indexedColumns, type Narrowing, orderedColumns, type Row, type Store } from "./store.ts";
import type { Range } from "./store-indexes.ts";
import { apart, datePart, on, relative } from "./time-conditions.ts";

/** Who asks, and when: scripted values depend on it. */
export interface QueryContext {
  readonly store: Store;
  readonly now: Date;
  readonly userId: string;
  readonly userName: string;
  /** `glide.invalid_query.returns_no_rows`: an unknown field then matches nothing instead of everything [D]. */
  readonly invalidMatchesNothing: boolean;
}

export interface QueryResult {
  /** The first rows that match, in the order asked for; without one, in an order that changes from call to call. */
  readonly rows: readonly Row[];
  /** How many match in all. */
  readonly total: number;
  /** Columns that the query reads, dot-walked or not: field rights are checked on them. */
  readonly elements: readonly string[];
}

/** Runs an encoded query over a table; `count` rows are wanted. Terms with unknown fields, and what is no term, are dropped without a word [R]. */
export function runQuery(table: string, text: string, context: QueryContext, count = Number.POSITIVE_INFINITY): QueryResult {
  const query = readEncodedQuery(text);
  const compiled = query.alternatives.map((alternative) => compileAlternative(table, alternative, context));
  const invalid = query.garbage.length > 0 || compiled.some((alternative) => alternative.dropped);
  const elements = [...compiled.flatMap((alternative) => alternative.elements), ...query.order.map(({ field }) => field)];
  if (invalid && context.invalidMatchesNothing) return { rows: [], total: 0, elements };
  const fromIndex = count === Number.POSITIVE_INFINITY ? undefined : readFromIndex(table, compiled, query.order, context.store, count);
  if (fromIndex !== undefined) return { ...fromIndex, elements };
  const rows: Row[] = [];
  const seen = compiled.length > 1 ? new Set<string>() : undefined;
  for (const alternative of compiled) {
    for (const row of context.store.rows(table, alternative.narrowing)) {
      if (!alternative.matches(row) || seen?.has(row.sys_id ?? "") === true) continue;
      seen?.add(row.sys_id ?? "");
      rows.push(row);
    }
  }
  return { rows: firstInOrder(table, rows, query.order, context.store, count), total: rows.length, elements };
}

/** A page whose query asks for nothing but a range, in the order of that range: its rows and how many there are come from the index. */
function readFromIndex(table: string, compiled: readonly Compiled[], order: EncodedQuery["order"], store: Store, count: number) {
  const [only] = compiled;
  if (compiled.length !== 1 || only?.narrowing?.kind !== "range" || !only.narrowedExactly) return undefined;
  const { column, range } = only.narrowing;
  const keys = order.filter(({ field }) => columnAt(table, field, store) !== undefined);
  const asKept = keys[0]?.field === column && keys.slice(1).every(({ field }) => field === "sys_id") && keys.every(({ descending }) => !descending);
  return asKept ? store.firstOf(table, column, range, count) : undefined;
}

/** Whether one record fits: for row rights, policies and business rules. */
export function matchesQuery(table: string, row: Row, text: string, context: QueryContext): boolean {
  return readEncodedQuery(text).alternatives.some((alternative) => compileAlternative(table, alternative, context).matches(row));
}

interface Compiled {
  readonly matches: (row: Row) => boolean;
  readonly narrowing: Narrowing | undefined;
  /** The narrowing says all that the terms do. */
  readonly narrowedExactly: boolean;
  readonly elements: readonly string[];
  readonly dropped: boolean;
}

type Predicate = (row: Row) => boolean;

function compileAlternative(table: string, groups: Alternative, context: QueryContext): Compiled {
  const predicates: Predicate[] = [];
  const elements: string[] = [];
  const narrowings: Narrowing[] = [];
  let dropped = false;
  for (const group of groups) {
    const known: Predicate[] = [];
    for (const written of group) {
      const condition = written.kind === "term" ? { ...written, value: scriptedValue(written.value, context) } : written;
      const predicate = compileCondition(table, condition, context);
      if (predicate === undefined) {
        dropped = true;
        continue;
      }
      known.push(predicate);
      if (condition.kind !== "term") continue;
      if (condition.field !== textSearch) elements.push(condition.field);
      const narrowing = group.length === 1 ? narrowingOf(condition) : undefined;
      if (narrowing !== undefined) narrowings.push(narrowing);
    }
    if (known.length > 0) predicates.push((row) => known.some((predicate) => predicate(row)));
  }
  const narrowing = best(narrowings);
  const narrowedExactly = narrowings.length === predicates.length && narrowings.every((one) => one.kind === "range" && sameColumn(one, narrowing));
  return { matches: (row) => predicates.every((predicate) => predicate(row)), narrowing, narrowedExactly, elements, dropped };
}

function narrowingOf({ field, operator, value }: Term): Narrowing | undefined {
  const list = operator === "IN" ? value.split(",").map((one) => one.trim()) : operator === "=" ? [value] : undefined;
  if (list !== undefined && field === "sys_id") return { kind: "ids", ids: [...new Set(list)] };
  if (list !== undefined && indexedColumns.includes(field) && !list.includes("")) return { kind: "values", column: field, values: list };
  const column = orderedColumns.find((one) => one === field);
  const range = value === "" ? undefined : rangeOf(operator, value);
  return column === undefined || range === undefined ? undefined : { kind: "range", column, range };
}

function rangeOf(operator: string, value: string): Range | undefined {
  switch (operator) {
    case "=":
      return { from: value, to: value };
    case ">":
    case ">=":
      return { from: value, fromExcluded: operator === ">" };
    case "<":
    case "<=":
      // Nothing is before the empty text, and what is empty is in no range.
      return { from: "", fromExcluded: true, to: value, toExcluded: operator === "<" };
    default:
      return undefined;
  }
}

function sameColumn(a: Narrowing, b: Narrowing | undefined): boolean {
  return a.kind === "range" && b?.kind === "range" && a.column === b.column;
}

/** Ids before values before ranges; ranges of one column are narrowed together. */
function best(narrowings: readonly Narrowing[]): Narrowing | undefined {
  const exact = narrowings.find(({ kind }) => kind === "ids") ?? narrowings.find(({ kind }) => kind === "values");
  const [first] = narrowings;
  if (exact !== undefined || first?.kind !== "range") return exact;
  let { range } = first;
  for (const other of narrowings) if (other.kind === "range" && other.column === first.column) range = intersection(range, other.range);
  return { kind: "range", column: first.column, range };
}

function intersection(a: Range, b: Range): Range {
  const lower = b.from === undefined || (a.from !== undefined && (a.from > b.from || (a.from === b.from && a.fromExcluded === true))) ? a : b;
  const upper = b.to === undefined || (a.to !== undefined && (a.to < b.to || (a.to === b.to && a.toExcluded === true))) ? a : b;
  return {
    ...(lower.from === undefined ? {} : { from: lower.from, fromExcluded: lower.fromExcluded === true }),
    ...(upper.to === undefined ? {} : { to: upper.to, toExcluded: upper.toExcluded === true }),
  };
}

function compileCondition(table: string, condition: Condition, context: QueryContext): Predicate | undefined {
  switch (condition.kind) {
    case "term":
      return compileTerm(table, condition, context);
    case "related":
      return compileRelated(condition, context);
    case "join":
      return compileJoin(condition, context);
  }
}

function compileRelated({ table, field, operator, count, conditions }: RelatedList, context: QueryContext): Predicate | undefined {
  if (context.store.schema.column(table, field) === undefined) return undefined;
  const counts = new Map<string, number>();
  for (const row of matchingRows(table, conditions, context)) counts.set(row[field] ?? "", (counts.get(row[field] ?? "") ?? 0) + 1);
  const test = comparisons[operator];
  return test === undefined ? undefined : (row) => test((counts.get(row.sys_id ?? "") ?? 0) - count);
}

function compileJoin({ own, table, field, conditions }: Join, context: QueryContext): Predicate | undefined {
  if (context.store.schema.column(table, field) === undefined) return undefined;
  const values = new Set(matchingRows(table, conditions, context).map((row) => row[field] ?? ""));
  values.delete("");
  return (row) => values.has(row[own] ?? "");
}

function matchingRows(table: string, alternatives: readonly Alternative[], context: QueryContext): Row[] {
  const compiled = alternatives.map((alternative) => compileAlternative(table, alternative, context));
  return [...context.store.rows(table)].filter((row) => compiled.some(({ matches }) => matches(row)));
}

/** Of a difference. */
const comparisons: Readonly<Record<string, (difference: number) => boolean>> = {
  "=": (difference) => difference === 0,
  "!=": (difference) => difference !== 0,
  "<": (difference) => difference < 0,
  "<=": (difference) => difference <= 0,
  ">": (difference) => difference > 0,
  ">=": (difference) => difference >= 0,
};

function compileTerm(table: string, term: Term, context: QueryContext): Predicate | undefined {
  if (term.field === textSearch) return searched(term.value);
  const column = columnAt(table, term.field, context.store);
  if (column === undefined) return undefined;
  const read = reader(table, term.field, context.store);
  const test = comparison(term, column, table, context);
  return test === undefined ? undefined : (row) => test(read(row), row);
}

function searched(value: string): Predicate {
  const words = value
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== "");
  return (row) => {
    const text = `${row.number ?? ""} ${row.short_description ?? ""} ${row.description ?? ""} ${row.name ?? ""}`.toLowerCase();
    return words.every((word) => text.includes(word));
  };
}

type Test = (value: string, row: Row) => boolean;

function comparison(term: Term, column: Column, table: string, context: QueryContext): Test | undefined {
  const wanted = term.value.toLowerCase();
  const numeric = column.type === "integer" || column.type === "decimal" || column.type === "longint" || column.type === "float";
  const compare = numeric ? (a: string, b: string) => Number(a) - Number(b) : (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
  const set = new Set(wanted.split(",").map((value) => value.trim()));
  const field = (row: Row) => reader(table, term.value, context.store)(row);
  const ordering =
    (test: (difference: number) => boolean, other: (row: Row) => string): Test =>
    (value, row) =>
      value !== "" && test(compare(value.toLowerCase(), other(row).toLowerCase()));
  const [from = "", to = ""] = wanted.split("@");
  // A user has several roles, and is found by any: `assigned_to.roles=itil` [D].
  if (column.type === "user_roles" && (term.operator === "=" || term.operator === "IN"))
    return (value) =>
      value
        .toLowerCase()
        .split(",")
        .some((role) => set.has(role));
  switch (term.operator) {
    case "=":
      return (value) => value.toLowerCase() === wanted;
    case "!=":
      // On booleans `!=` finds the empty ones too [D]; for the rest the same falls out of comparing text.
      return (value) => value.toLowerCase() !== wanted;
    case "<":
    case "<=":
    case ">":
    case ">=":
      return ordering(comparisons[term.operator] ?? (() => false), () => wanted);
    case "LIKE":
    case "*":
      return (value) => value.toLowerCase().includes(wanted);
    case "NOT LIKE":
    case "!*":
      return (value) => !value.toLowerCase().includes(wanted);
    case "STARTSWITH":
      return (value) => value.toLowerCase().startsWith(wanted);
    case "ENDSWITH":
    case "%":
      return (value) => value.toLowerCase().endsWith(wanted);
    case "IN":
      return (value) => set.has(value.toLowerCase());
    case "NOT IN":
      return (value) => !set.has(value.toLowerCase());
    case "ISEMPTY":
    case "EMPTYSTRING":
      return (value) => value === "";
    case "ISNOTEMPTY":
      return (value) => value !== "";
    case "ANYTHING":
      return () => true;
    case "BETWEEN":
      return (value) => value !== "" && compare(value.toLowerCase(), from) >= 0 && compare(value.toLowerCase(), to) <= 0;
    case "SAMEAS":
      return (value, row) => value === field(row);
    case "NSAMEAS":
      return (value, row) => value !== field(row);
    case "GT_FIELD":
      return ordering((difference) => difference > 0, field);
    case "LT_FIELD":
      return ordering((difference) => difference < 0, field);
    case "GT_OR_EQUALS_FIELD":
      return ordering((difference) => difference >= 0, field);
    case "LT_OR_EQUALS_FIELD":
      return ordering((difference) => difference <= 0, field);
    case "INSTANCEOF":
      return (value) => context.store.schema.ancestry(value).includes(term.value);
    case "DYNAMIC":
      // The shipped "Me" filter is the only dynamic one that every instance has [K].
      return term.value === dynamicMe ? (value) => value === context.userId : undefined;
    case "ON":
    case "NOTON":
      return on(term.operator, term.value, context);
    case "RELATIVEGT":
    case "RELATIVELT":
      return relative(term.operator, term.value, context);
    case "DATEPART":
      return datePart(term.value);
    case "MORETHAN":
    case "LESSTHAN": {
      const distance = apart(term.operator, term.value);
      if (distance === undefined || columnAt(table, distance.other, context.store) === undefined) return undefined;
      const other = reader(table, distance.other, context.store);
      return (value, row) => distance.test(value, other(row));
    }
    default:
      // What changed is only known while a record is saved: in a list the change operators are dropped, like anything unknown.
      return undefined;
  }
}

const dynamicMe = "90d1921e5f510100a9ad2572f2b477fe";
