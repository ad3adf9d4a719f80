import { salesforceId } from "../id.ts";
import { ApiError } from "./api-error.ts";
import type { Org, Row } from "./org.ts";
import type { OrgObject } from "./schema.ts";
import { dateSpan } from "./soql-dates.ts";
import type { Expression, Literal, Operator, Query } from "./soql-parse.ts";
import { type ResolvedPath, resolvePath } from "./soql-paths.ts";
import { escapedWildcards, queryError } from "./soql-text.ts";
import type { Value } from "./values.ts";

export type Test = (row: Row) => boolean;

/** Finds the values of a sub-query's one column. */
export type SubQuery = (query: Query) => { has(value: Value): boolean };

type Comparable = { readonly kind: "value"; readonly value: Value } | { readonly kind: "span"; readonly start: string; readonly end: string };

/** Turns a WHERE into a test of rows. Throws what the platform says of fields and values that do not fit. */
export function compileCondition(org: Org, object: OrgObject, expression: Expression, statement: string, subQuery: SubQuery): Test {
  const compile = (part: Expression) => compileCondition(org, object, part, statement, subQuery);
  switch (expression.kind) {
    case "and": {
      const tests = expression.parts.map(compile);
      return (row) => tests.every((test) => test(row));
    }
    case "or": {
      const tests = expression.parts.map(compile);
      return (row) => tests.some((test) => test(row));
    }
    case "not": {
      const test = compile(expression.part);
      return (row) => !test(row);
    }
    case "semiJoin": {
      const path = filterPath(org, object, expression.path, statement);
      const values = subQuery(expression.query);
      return (row) => values.has(path.read(row)) !== expression.negated;
    }
    case "compare": {
      const path = filterPath(org, object, expression.path, statement);
      const values = expression.values.map((literal) => comparable(path, literal, statement, org.clock.now(), expression.operator === "LIKE"));
      return comparison(path, expression.operator, values);
    }
  }
}

function filterPath(org: Org, object: OrgObject, path: Parameters<typeof resolvePath>[2], statement: string): ResolvedPath {
  const resolved = resolvePath(org, object, path, statement);
  if (resolved.field.filterable === false)
    throw queryError("INVALID_FIELD", statement, path.at, `field '${resolved.field.name}' can not be filtered in a query call`);
  return resolved;
}

function comparison(path: ResolvedPath, operator: Operator, values: readonly Comparable[]): Test {
  const first = values[0] ?? { kind: "value", value: null };
  switch (operator) {
    case "=":
    case "IN":
      return (row) => values.some((value) => equals(path.read(row), value));
    case "!=":
    case "NOT IN":
      return (row) => !values.some((value) => equals(path.read(row), value));
    case "LIKE": {
      const pattern = likePattern(first.kind === "value" ? String(first.value ?? "") : "");
      return (row) => pattern.test(String(path.read(row) ?? ""));
    }
    case "INCLUDES":
    case "EXCLUDES":
      return (row) => values.some((value) => includesAll(path.read(row), value)) === (operator === "INCLUDES");
    default:
      return (row) => ordered(path.read(row), operator, first);
  }
}

function equals(actual: Value, wanted: Comparable): boolean {
  if (wanted.kind === "span") return typeof actual === "string" && actual >= wanted.start && actual < wanted.end;
  if (typeof actual === "string" && typeof wanted.value === "string") return actual.toLowerCase() === wanted.value.toLowerCase();
  return actual === wanted.value;
}

function ordered(actual: Value, operator: "<" | "<=" | ">" | ">=", wanted: Comparable): boolean {
  if (actual === null) return false;
  if (wanted.kind === "span") {
    const text = String(actual);
    if (operator === "<") return text < wanted.start;
    if (operator === "<=") return text < wanted.end;
    return operator === ">" ? text >= wanted.end : text >= wanted.start;
  }
  if (wanted.value === null) return false;
  const order = actual === wanted.value ? 0 : actual < wanted.value ? -1 : 1;
  if (operator === "<") return order < 0;
  if (operator === "<=") return order <= 0;
  return operator === ">" ? order > 0 : order >= 0;
}

function includesAll(actual: Value, wanted: Comparable): boolean {
  if (actual === null || wanted.kind === "span") return false;
  const held = String(actual).split(";");
  return String(wanted.value)
    .split(";")
    .every((value) => held.includes(value));
}

function likePattern(text: string): RegExp {
  const source = text.replace(/[\uE000\uE001%_.*+?^${}()|[\]\\/-]/g, (character) => {
    if (character === "%") return "[\\s\\S]*";
    if (character === "_") return "[\\s\\S]";
    return escapedWildcards[character] ?? `\\${character}`;
  });
  return new RegExp(`^${source}$`, "i");
}

function comparable(path: ResolvedPath, literal: Literal, statement: string, now: Date, like: boolean): Comparable {
  const { field } = path;
  const value = (value: Value): Comparable => ({ kind: "value", value });
  if (literal.kind === "constant" && literal.value === null) return value(null);
  switch (field.type) {
    case "datetime":
    case "date":
      return dateComparable(field.name, field.type, literal, statement, now);
    case "boolean":
      if (literal.kind === "constant") return value(literal.value);
      throw wrongType(statement, literal, field.name, "boolean", literal.kind === "string");
    case "int":
    case "double":
    case "currency":
    case "percent":
      if (literal.kind === "number") return value(literal.value);
      throw wrongType(statement, literal, field.name, field.type === "int" ? "int" : "double", literal.kind === "string");
    case "id":
    case "reference": {
      if (literal.kind !== "string") throw wrongType(statement, literal, field.name, "ID", false);
      if (literal.text === "") return value(null);
      const id = salesforceId(literal.text);
      if (id === undefined) throw new ApiError(400, "INVALID_QUERY_FILTER_OPERATOR", `invalid ID field: ${literal.text}`);
      return value(id);
    }
    default:
      if (literal.kind === "string")
        return value(
          literal.text === "" ? null : like ? literal.text : literal.text.replace(/[\uE000\uE001]/g, (character) => escapedWildcards[character] ?? ""),
        );
      throw wrongType(statement, literal, field.name, "string", false);
  }
}

function dateComparable(name: string, type: "date" | "datetime", literal: Literal, statement: string, now: Date): Comparable {
  if (literal.kind === "word") {
    const span = dateSpan(literal.text, now);
    if (span === undefined) throw wrongType(statement, literal, name, type === "date" ? "date" : "dateTime", false);
    return { kind: "span", start: dateText(span.start, type), end: dateText(span.end, type) };
  }
  const hasTime = literal.kind === "date" && literal.text.includes("T");
  if (literal.kind !== "date" || hasTime !== (type === "datetime"))
    throw wrongType(statement, literal, name, type === "date" ? "date" : "dateTime", literal.kind === "string");
  return { kind: "value", value: type === "date" ? literal.text : dateText(new Date(literal.text.replace(/([+-]\d{2})(\d{2})$/, "$1:$2")), type) };
}

function dateText(date: Date, type: "date" | "datetime"): string {
  return type === "date" ? date.toISOString().slice(0, 10) : date.toISOString().replace("Z", "+0000");
}

function wrongType(statement: string, literal: Literal, field: string, type: string, quoted: boolean): ApiError {
  return queryError(
    "INVALID_FIELD",
    statement,
    literal.at,
    `value of filter criterion for field '${field}' must be of type ${type} and should ${quoted || type !== "string" ? "not " : ""}be enclosed in quotes`,
  );
}
