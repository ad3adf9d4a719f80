/** One comparison of an encoded query. */
export interface Term {
  /** Element name, dot-walked or not; `123TEXTQUERY321` for the full-text search. */
  readonly field: string;
  readonly operator: string;
  readonly value: string;
  /** As it was written. */
  readonly text: string;
}

export interface Alternative {
  /** As it was written, without orders and groupings. */
  readonly text: string;
  /** All groups must hold; a group holds when one of its terms does. */
  readonly groups: readonly (readonly Term[])[];
}

export interface EncodedQuery {
  /** One of them must hold; a query without terms has one alternative without groups. */
  readonly alternatives: readonly Alternative[];
  readonly order: readonly { readonly field: string; readonly descending: boolean }[];
  readonly groupBy: readonly string[];
  /** Parts that are no term of this grammar. The platform ignores such parts without a word [R]. */
  readonly malformed: readonly string[];
  /** Parts that the platform understands but that name other tables in their own way: related-list queries and joins. */
  readonly opaque: readonly string[];
}

export const textSearchField = "123TEXTQUERY321";

/**
 * Operators stand between field and value without blanks and are case-sensitive [D]. Field names are lower case, which
 * is what makes `stateNOT IN1,2` readable at all; of several operators that fit, the longest is meant.
 */
const operators = [
  "=",
  "!=",
  "<",
  "<=",
  ">",
  ">=",
  "LIKE",
  "*",
  "NOT LIKE",
  "!*",
  "STARTSWITH",
  "ENDSWITH",
  "%",
  "IN",
  "NOT IN",
  "ISEMPTY",
  "ISNOTEMPTY",
  "EMPTYSTRING",
  "ANYTHING",
  "BETWEEN",
  "SAMEAS",
  "NSAMEAS",
  "GT_FIELD",
  "LT_FIELD",
  "GT_OR_EQUALS_FIELD",
  "LT_OR_EQUALS_FIELD",
  "INSTANCEOF",
  "DYNAMIC",
  "ON",
  "NOTON",
  "DATEPART",
  "RELATIVEGT",
  "RELATIVELT",
  "MORETHAN",
  "LESSTHAN",
  "VALCHANGES",
  "CHANGESTO",
  "CHANGESFROM",
].toSorted((a, b) => b.length - a.length);

/**
 * Reads an encoded query: `term(^term)*`, `^OR` binds to the term before it, `^NQ` starts a new alternative for the whole,
 * `^ORDERBY`, `^ORDERBYDESC`, `^GROUPBY`, `^EQ` ends [D]. `^` cannot be escaped, so every one of them separates.
 */
export function parseEncodedQuery(text: string): EncodedQuery {
  const reading: Reading = { alternatives: [{ parts: [], groups: [] }], order: [], groupBy: [], malformed: [], opaque: [], inRelatedList: false };
  for (const part of text.split("^")) readPart(part, reading);
  return {
    alternatives: reading.alternatives.map(({ parts, groups }) => ({ text: parts.join("^"), groups })),
    order: reading.order,
    groupBy: reading.groupBy,
    malformed: reading.malformed,
    opaque: reading.opaque,
  };
}

/** Reads a single term; undefined when it is none. */
export function parseTerm(text: string): Term | undefined {
  if (text.startsWith(`${textSearchField}=`)) return { field: textSearchField, operator: "=", value: text.slice(textSearchField.length + 1), text };
  const field = /^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)*/.exec(text)?.[0];
  if (field === undefined) return undefined;
  const rest = text.slice(field.length);
  const operator = operators.find((candidate) => rest.startsWith(candidate));
  return operator === undefined ? undefined : { field, operator, value: rest.slice(operator.length), text };
}

interface Reading {
  readonly alternatives: { readonly parts: string[]; readonly groups: Term[][] }[];
  readonly order: { readonly field: string; readonly descending: boolean }[];
  readonly groupBy: string[];
  readonly malformed: string[];
  readonly opaque: string[];
  inRelatedList: boolean;
}

function readPart(part: string, reading: Reading): void {
  if (part === "" || part === "EQ") return;
  if (part.startsWith("ORDERBYDESC")) reading.order.push({ field: part.slice(11), descending: true });
  else if (part.startsWith("ORDERBY")) reading.order.push({ field: part.slice(7), descending: false });
  else if (part.startsWith("GROUPBY")) reading.groupBy.push(part.slice(7));
  else readCondition(part, reading);
}

function readCondition(part: string, reading: Reading): void {
  const starts = part.startsWith("NQ");
  if (starts) reading.alternatives.push({ parts: [], groups: [] });
  const current = reading.alternatives.at(-1);
  if (current === undefined) return;
  const condition = starts ? part.slice(2) : part;
  if (condition === "") return;
  current.parts.push(condition);
  if (condition.startsWith("RLQUERY")) reading.inRelatedList = true;
  if (reading.inRelatedList || condition.startsWith("JOIN")) {
    reading.opaque.push(condition);
    if (condition === "ENDRLQUERY") reading.inRelatedList = false;
    return;
  }
  const either = condition.startsWith("OR");
  const term = parseTerm(either ? condition.slice(2) : condition);
  if (term === undefined) reading.malformed.push(condition);
  else if (either && current.groups.length > 0) current.groups.at(-1)?.push(term);
  else current.groups.push([term]);
}
