import { ApiError } from "./api-error.ts";
import type { OrgObject } from "./schema.ts";
import { conjuncts, type Expression, type Query } from "./soql-parse.ts";
import { malformed } from "./soql-text.ts";

const longestStatement = 100_000;

/** Throws what the platform says of a statement that no org would run, whatever is in it [K]. */
export function assertLength(statement: string): void {
  if (statement.length > longestStatement) throw new ApiError(400, "MALFORMED_QUERY", `SOQL statements cannot be longer than ${longestStatement} characters.`);
}

/** Two semi-joins at most, and none beside an OR [D]. */
export function assertSemiJoins(query: Query, statement: string): void {
  const count = (condition: Expression): number => {
    if (condition.kind === "or" && condition.parts.some(hasSemiJoin))
      throw malformed(statement, query.fromAt, "Semi join sub-selects are not allowed with the 'OR' operator");
    if (condition.kind === "and" || condition.kind === "or") return condition.parts.reduce((total, part) => total + count(part), 0);
    return condition.kind === "not" ? count(condition.part) : condition.kind === "semiJoin" ? 1 : 0;
  };
  if (query.where !== undefined && count(query.where) > 2) throw malformed(statement, query.fromAt, "Maximum 2 semi join sub-selects are allowed");
}

/** Links of files can be listed only by the record or the document [K]. */
export function assertLinksAreFiltered(object: OrgObject, query: Query): void {
  if (object.name !== "ContentDocumentLink") return;
  const filtered = conjuncts(query.where).some((condition) => {
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

export function hasSemiJoin(condition: Expression): boolean {
  if (condition.kind === "and" || condition.kind === "or") return condition.parts.some(hasSemiJoin);
  return condition.kind === "not" ? hasSemiJoin(condition.part) : condition.kind === "semiJoin";
}
