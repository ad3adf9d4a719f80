import { salesforceId } from "../id.ts";
import type { Org, Row } from "./org.ts";
import type { OrgObject } from "./schema.ts";
import type { SubQuery } from "./soql-conditions.ts";
import { conjuncts, type Expression } from "./soql-parse.ts";

/** Rows of one parent, for a child sub-select. */
export interface Within {
  readonly field: string;
  readonly id: string;
}

/** The rows that a query has to look at: those that the most selective index leaves, or all. `byStamp` says that they are wanted in the order of their stamps. */
export function candidates(
  org: Org,
  object: OrgObject,
  where: Expression | undefined,
  within: Within | undefined,
  subQuery: SubQuery,
  byStamp: boolean,
): { readonly rows: Iterable<Row>; readonly inStampOrder: boolean } {
  const { tables } = org;
  const type = object.name;
  const byIds = (ids: Iterable<unknown>) => ({ rows: [...ids].flatMap((id) => tables.get(type, String(id)) ?? []), inStampOrder: false });
  const index = org.index(type);
  if (within !== undefined) return byIds(index.idsWith(within.field, [within.id]));
  const conditions = conjuncts(where);
  const [fewest] = conditions
    .flatMap((condition) => (condition.kind === "compare" ? [indexed(org, object, condition)] : []))
    .filter((ids) => ids !== undefined)
    .toSorted((a, b) => a.length - b.length);
  const from = stampBound(conditions);
  if (fewest !== undefined && (from === undefined || fewest.length <= index.countFrom(from))) return byIds(fewest);
  if (from !== undefined) return { rows: fromStamp(org, type, from), inStampOrder: true };
  for (const condition of conditions) {
    if (condition.kind !== "semiJoin" || condition.negated) continue;
    const name = condition.path.parts.length === 1 ? object.fields.get(condition.path.parts[0]?.toLowerCase() ?? "")?.name : undefined;
    const values = name === "Id" || (name !== undefined && index.has(name)) ? subQuery(condition.query) : undefined;
    if (!(values instanceof Set) || name === undefined) continue;
    const set = [...values].filter((value) => value !== null);
    return byIds(name === "Id" ? set : index.idsWith(name, set));
  }
  return byStamp ? { rows: fromStamp(org, type, ""), inStampOrder: true } : { rows: tables.rows(type), inStampOrder: false };
}

function* fromStamp(org: Org, type: string, stamp: string): Generator<Row> {
  const { tables } = org;
  for (const id of org.index(type).idsFrom(stamp, (id) => tables.get(type, id)?.SystemModstamp)) {
    const row = tables.get(type, id);
    if (row !== undefined) yield row;
  }
}

/** Ids that a condition on an indexed field leaves, or undefined where it is no such condition. */
function indexed(org: Org, object: OrgObject, { path, operator, values: literals }: Extract<Expression, { kind: "compare" }>): string[] | undefined {
  const field = path.parts.length === 1 ? object.fields.get(path.parts[0]?.toLowerCase() ?? "") : undefined;
  if (field === undefined || (field.name !== "Id" && !org.index(object.name).has(field.name))) return undefined;
  if ((operator !== "=" && operator !== "IN") || literals.some(({ kind }) => kind !== "string")) return undefined;
  const values = literals.map((literal) => (literal.kind === "string" ? (salesforceId(literal.text) ?? literal.text) : ""));
  return field.name === "Id" ? values : org.index(object.name).idsWith(field.name, values);
}

/** Since when rows can meet the conditions; an OR leaves the earliest that all its parts leave. */
function stampBound(conditions: readonly Expression[]): string | undefined {
  return conditions
    .flatMap((condition) => lowerBound(condition) ?? [])
    .toSorted()
    .at(-1);
}

function lowerBound(condition: Expression): string | undefined {
  if (condition.kind === "and") return stampBound(condition.parts);
  if (condition.kind === "or") {
    const bounds = condition.parts.map(lowerBound);
    return bounds.includes(undefined) ? undefined : bounds.toSorted()[0];
  }
  if (condition.kind !== "compare" || condition.path.parts.join(".").toLowerCase() !== "systemmodstamp" || !/^(>=?|=)$/.test(condition.operator))
    return undefined;
  const literal = condition.values[0];
  if (literal?.kind !== "date") return undefined;
  const time = Date.parse(literal.text.replace(/([+-]\d{2})(\d{2})$/, "$1:$2"));
  return Number.isNaN(time) ? undefined : `${new Date(time).toISOString().slice(0, 19)}.000+0000`;
}
