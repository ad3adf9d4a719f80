import type { Condition, Json } from "../connector.ts";
import { ConnectorError } from "../errors.ts";
import { isOutOfReach } from "./absence.ts";
import { type EncodedQuery, parseEncodedQuery, parseTerm, textSearchField } from "./encoded-query.ts";
import { encoded } from "./encoding.ts";
import { unknownField } from "./field-names.ts";
import type { Schemas } from "./schema.ts";
import type { TableSchema } from "./table-schema.ts";
import type { Column } from "./values.ts";

const operatorOf = {
  "=": "=",
  "!=": "!=",
  "<": "<",
  "<=": "<=",
  ">": ">",
  ">=": ">=",
  in: "IN",
  contains: "LIKE",
  startsWith: "STARTSWITH",
} as const satisfies Record<Condition["operator"], string>;

/** Conditions as an encoded query, joined by "and". Unknown fields and values that cannot be written are BAD_REQUEST. */
export function encodedConditions(schema: TableSchema, conditions: readonly Condition[]): string {
  return conditions.map((condition) => encodedCondition(schema, condition)).join("^");
}

/**
 * One term. `^` has no dependable escape, and a scripted value would be run by the instance, so what is written is read
 * again: a term that does not come back as it was meant is refused rather than sent.
 */
export function term(field: string, operator: string, value: string): string {
  const text = `${field}${operator}${value}`;
  const read = parseTerm(text);
  const same = read?.field === field && read.operator === operator && read.value === value;
  if (same && !value.includes("^") && !/^\s*javascript:/i.test(value)) return text;
  throw new ConnectorError("BAD_REQUEST", {
    message: `ServiceNow cannot look for ${field} ${operator} “${value.length > 60 ? `${value.slice(0, 60)}…` : value}”: a query cannot hold this value.`,
    advice: "Values with “^” and scripted values cannot be part of a query; look the record up by another field, or by its sys_id.",
    fields: [field],
  });
}

/** `fieldIN a,b`; a comma inside a value would make two of it. */
export function termIn(field: string, values: readonly string[]): string {
  for (const value of values)
    if (value.includes(","))
      throw new ConnectorError("BAD_REQUEST", { message: `ServiceNow cannot look for “${value}” in a list: it holds a comma.`, fields: [field] });
  return term(field, "IN", values.join(","));
}

/** A person's query with one more condition. `^NQ` starts over, so the condition goes to each alternative. */
export function narrowed(query: string, ...conditions: readonly string[]): string {
  const alternatives = parseEncodedQuery(query).alternatives.map(({ text }) => text);
  const whole = alternatives.some((text) => text === "") ? [""] : alternatives;
  return whole.flatMap((text) => conditions.map((condition) => [text, condition].filter((part) => part !== "").join("^"))).join("^NQ");
}

/**
 * Checks a person's query against the schema: the platform ignores unknown fields and garbage without a word, and would
 * answer with the whole table [R].
 */
export async function checkedQuery(schemas: Schemas, table: string, text: string): Promise<EncodedQuery> {
  const query = parseEncodedQuery(text);
  const [garbage] = query.malformed;
  if (garbage !== undefined) {
    throw new ConnectorError("BAD_REQUEST", {
      message: `“${garbage}” in the query on ${table} is not a condition that ServiceNow understands; it would be ignored without a word.`,
      advice: "Build the list filter in ServiceNow and use “Copy query”.",
    });
  }
  const terms = query.alternatives.flatMap(({ groups }) => groups.flat());
  const plain = terms.filter(({ field }) => field !== textSearchField);
  const others = plain.flatMap(({ operator, value }) => (fieldOperators.has(operator) ? [value.split("@", 1)[0] ?? ""] : []));
  const paths = [...plain.map(({ field }) => field), ...others, ...query.order.map(({ field }) => field), ...query.groupBy];
  for (const path of new Set(paths)) await requireField(schemas, table, path);
  const { columns } = await schemas.table(table);
  for (const { field, operator, value } of plain) {
    if (operator === "=" || operator === "!=" || operator === "IN" || operator === "NOT IN") requireChoiceValues(table, columns.get(field), value);
  }
  return query;
}

/** What they compare with is another field; of stamps, `@day` and the like may follow [K]. */
const fieldOperators: ReadonlySet<string> = new Set(["SAMEAS", "NSAMEAS", "GT_FIELD", "LT_FIELD", "GT_OR_EQUALS_FIELD", "LT_OR_EQUALS_FIELD"]);

async function requireField(schemas: Schemas, table: string, path: string): Promise<void> {
  let current: string | undefined = table;
  for (const element of path.split(".")) {
    if (current === undefined)
      throw new ConnectorError("BAD_REQUEST", { message: `“${path}” in the query on ${table} goes on where there is no reference.`, fields: [path] });
    const schema: TableSchema | undefined = await reachable(schemas, current, current === table);
    // The table referred to is closed to us or not there: what lies behind cannot be checked.
    if (schema === undefined) return;
    const column = schema.columns.get(element);
    // A sample may be without columns that exist, and where a column leads shows only in filled ones.
    if (schema.entity.sampled && column?.reference === undefined) return;
    if (column === undefined && !schema.journals.has(element)) throw unknownField(element, schema, path === element ? undefined : path);
    current = column?.reference;
  }
}

async function reachable(schemas: Schemas, table: string, own: boolean): Promise<TableSchema | undefined> {
  try {
    return await schemas.table(table);
  } catch (error) {
    if (own || !(isOutOfReach(error) || (error instanceof ConnectorError && error.code === "BAD_REQUEST"))) throw error;
    return undefined;
  }
}

/** `state=Resolved` compares with the value, finds nothing and says nothing [R]: the label gives the mistake away. */
function requireChoiceValues(table: string, column: Column | undefined, value: string): void {
  if (column?.choices === undefined || !column.closed || value.startsWith("javascript:")) return;
  for (const given of value.split(",").map((part) => part.trim())) {
    if (given === "" || column.choices.some((choice) => choice.value.toLowerCase() === given.toLowerCase())) continue;
    const meant = column.choices.find(({ label }) => label.toLowerCase() === given.toLowerCase());
    if (meant === undefined) continue;
    throw new ConnectorError("BAD_REQUEST", {
      message: `The query on ${table} compares ${column.name} with the label “${given}”; queries take the value: ${column.name}=${meant.value}.`,
      fields: [column.name],
    });
  }
}

function encodedCondition(schema: TableSchema, condition: Condition): string {
  const { field, operator, value } = condition;
  const column = schema.columns.get(field);
  if (column === undefined && !schema.entity.sampled) throw unknownField(field, schema);
  if (operator === "in") {
    const values = (Array.isArray(value) ? value : [value]).map((item: Json) => lookedUp(item, column, schema, operator));
    return termIn(field, values);
  }
  const text = lookedUp(value, column, schema, operator);
  if (text === "" && operator === "=") return `${field}ISEMPTY`;
  if (text === "" && operator === "!=") return `${field}ISNOTEMPTY`;
  return term(field, operatorOf[operator], text);
}

/** Parts of texts are looked for as they are; everything else as it would be written. */
function lookedUp(value: Json, column: Column | undefined, schema: TableSchema, operator: Condition["operator"]): string {
  if (operator === "contains" || operator === "startsWith") return value === null ? "" : String(value);
  try {
    return encoded(value, column, schema.entity.entityType);
  } catch (error) {
    if (error instanceof ConnectorError && error.code === "VALIDATION")
      throw new ConnectorError("BAD_REQUEST", { message: error.message, fields: error.fields });
    throw error;
  }
}
