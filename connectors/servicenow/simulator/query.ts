import { parseEncodedQuery, type Term, textSearchField } from "../encoded-query.ts";
import { columnAt, reader } from "./dot-walk.ts";
import { firstInOrder } from "./order.ts";
import type { Column } from "./schema.ts";
import { scriptedValue } from "./scripted-values.ts";
import { indexedColumns, type Narrowing, type Row, type Store } from "./store.ts";

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
  /** Elements of the table itself that the query reads: field rights are checked on them. */
  readonly elements: readonly string[];
}

/** Runs an encoded query over a table; `count` rows are wanted. Terms with unknown fields, and what is no term, are dropped without a word [R]. */
export function runQuery(table: string, text: string, context: QueryContext, count = Number.POSITIVE_INFINITY): QueryResult {
  const query = parseEncodedQuery(text);
  const compiled = query.alternatives.map((alternative) => compileAlternative(table, alternative.groups, context));
  const invalid = query.malformed.length > 0 || compiled.some((alternative) => alternative.dropped);
  const elements = [...compiled.flatMap((alternative) => alternative.elements), ...query.order.map(({ field }) => field.split(".", 1)[0] ?? "")];
  if (invalid && context.invalidMatchesNothing) return { rows: [], total: 0, elements };
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

/** Whether one record fits: for row rights, policies and business rules. */
export function matchesQuery(table: string, row: Row, text: string, context: QueryContext): boolean {
  return parseEncodedQuery(text).alternatives.some((alternative) => compileAlternative(table, alternative.groups, context).matches(row));
}

interface Compiled {
  readonly matches: (row: Row) => boolean;
  readonly narrowing: Narrowing | undefined;
  readonly elements: readonly string[];
  readonly dropped: boolean;
}

type Predicate = (row: Row) => boolean;

function compileAlternative(table: string, groups: readonly (readonly Term[])[], context: QueryContext): Compiled {
  const predicates: Predicate[] = [];
  const elements: string[] = [];
  let narrowing: Narrowing | undefined;
  let dropped = false;
  for (const group of groups) {
    const known: Predicate[] = [];
    for (const written of group) {
      const term = { ...written, value: scriptedValue(written.value, context) };
      const predicate = compileTerm(table, term, context);
      if (predicate === undefined) {
        dropped = true;
        continue;
      }
      known.push(predicate);
      elements.push(term.field.split(".", 1)[0] ?? "");
      if (group.length === 1) narrowing = better(narrowing, narrowingOf(term));
    }
    if (known.length > 0) predicates.push((row) => known.some((predicate) => predicate(row)));
  }
  return { matches: (row) => predicates.every((predicate) => predicate(row)), narrowing, elements, dropped };
}

const narrowingRank = { ids: 3, values: 2, time: 1 } as const;

function narrowingOf(term: Term): Narrowing | undefined {
  const list = term.operator === "IN" ? term.value.split(",").map((value) => value.trim()) : term.operator === "=" ? [term.value] : undefined;
  if (list !== undefined && term.field === "sys_id") return { kind: "ids", ids: [...new Set(list)] };
  if (list !== undefined && indexedColumns.includes(term.field) && !list.includes("")) return { kind: "values", column: term.field, values: list };
  const stamp = term.field === "sys_updated_on" || term.field === "sys_created_on" ? term.field : undefined;
  if (stamp === undefined) return undefined;
  if (term.operator !== ">=" && term.operator !== ">" && term.operator !== "=") return undefined;
  return { kind: "time", column: stamp, from: term.value, to: term.operator === "=" ? term.value : undefined };
}

function better(a: Narrowing | undefined, b: Narrowing | undefined): Narrowing | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return narrowingRank[b.kind] > narrowingRank[a.kind] ? b : a;
}

function compileTerm(table: string, term: Term, context: QueryContext): Predicate | undefined {
  if (term.field === textSearchField) return textSearch(term.value);
  const column = columnAt(table, term.field, context.store);
  if (column === undefined) return undefined;
  const read = reader(table, term.field, context.store);
  const test = comparison(term, column, table, context);
  return test === undefined ? undefined : (row) => test(read(row), row);
}

function textSearch(value: string): Predicate {
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
  switch (term.operator) {
    case "=":
      return (value) => value.toLowerCase() === wanted;
    case "!=":
      // On booleans `!=` finds the empty ones too [D]; for the rest the same falls out of comparing text.
      return (value) => value.toLowerCase() !== wanted;
    case "<":
      return ordering(
        (difference) => difference < 0,
        () => wanted,
      );
    case "<=":
      return ordering(
        (difference) => difference <= 0,
        () => wanted,
      );
    case ">":
      return ordering(
        (difference) => difference > 0,
        () => wanted,
      );
    case ">=":
      return ordering(
        (difference) => difference >= 0,
        () => wanted,
      );
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
      return within(term, context);
    case "RELATIVEGT":
    case "RELATIVELT":
      return relative(term, context);
    default:
      // DATEPART, MORETHAN, LESSTHAN and the change operators are read but not evaluated here: dropped, like anything unknown.
      return undefined;
  }
}

const dynamicMe = "90d1921e5f510100a9ad2572f2b477fe";

/** `ONToday@start@end`: the name is for people, the two instants count [D]. */
function within(term: Term, context: QueryContext): Test | undefined {
  const [, start, end] = term.value.split("@");
  if (start === undefined || end === undefined) return undefined;
  const from = scriptedValue(start, context);
  const to = scriptedValue(end, context);
  return term.operator === "ON" ? (value) => value >= from && value <= to : (value) => value !== "" && (value < from || value > to);
}

const unitMs: Readonly<Record<string, number>> = {
  minute: 60_000,
  hour: 3_600_000,
  dayofweek: 86_400_000,
  day: 86_400_000,
  week: 604_800_000,
  month: 2_592_000_000,
};

/** `RELATIVEGT@hour@ago@1`: later than an hour ago [D]. */
function relative(term: Term, context: QueryContext): Test | undefined {
  const [, unit = "", direction, count = ""] = term.value.split("@");
  const size = unitMs[unit];
  if (size === undefined || !/^\d+$/.test(count)) return undefined;
  const shift = Number(count) * size * (direction === "ahead" ? 1 : -1);
  const edge = new Date(context.now.getTime() + shift).toISOString().slice(0, 19).replace("T", " ");
  return term.operator === "RELATIVEGT" ? (value) => value !== "" && value > edge : (value) => value !== "" && value < edge;
}
