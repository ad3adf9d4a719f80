/**
 * The instance reads encoded queries by itself rather than through the connector's reader: were both the same code, a
 * misreading would go unnoticed. A test compares the two.
 */
export interface Term {
  readonly kind: "term";
  /** Column, dot-walked or not; `123TEXTQUERY321` for the full-text search. */
  readonly field: string;
  readonly operator: string;
  readonly value: string;
}

/** `RLQUERYtable.field,>=1^…^ENDRLQUERY`: how many rows of another table point here [D]. */
export interface RelatedList {
  readonly kind: "related";
  readonly table: string;
  readonly field: string;
  readonly operator: string;
  readonly count: number;
  readonly conditions: readonly Alternative[];
}

/** `JOINa.x=b.y!…`: a row of another table with the same value [D]. */
export interface Join {
  readonly kind: "join";
  readonly own: string;
  readonly table: string;
  readonly field: string;
  readonly conditions: readonly Alternative[];
}

export type Condition = Term | RelatedList | Join;

/** Groups that must all hold; a group holds when one of its conditions does. */
export type Alternative = readonly (readonly Condition[])[];

export interface EncodedQuery {
  readonly alternatives: readonly Alternative[];
  readonly order: readonly { readonly field: string; readonly descending: boolean }[];
  /** What is no term: passed over, as the platform does without a word [R]. */
  readonly garbage: readonly string[];
}

export const textSearch = "123TEXTQUERY321";

/** Longest first: `NOT IN` before `IN`, `ISNOTEMPTY` before `IS…`, `>=` before `>` [D]. */
const operators = [
  ["GT_OR_EQUALS_FIELD", "LT_OR_EQUALS_FIELD", "EMPTYSTRING", "CHANGESFROM", "STARTSWITH", "ISNOTEMPTY", "INSTANCEOF", "RELATIVEGT", "RELATIVELT"],
  ["VALCHANGES", "CHANGESTO", "NOT LIKE", "ENDSWITH", "ANYTHING", "GT_FIELD", "LT_FIELD", "DATEPART", "MORETHAN", "LESSTHAN"],
  ["ISEMPTY", "BETWEEN", "NSAMEAS", "DYNAMIC", "SAMEAS", "NOT IN", "NOTON", "LIKE", "ON", "IN", "!=", "<=", ">=", "!*", "=", "<", ">", "*", "%"],
].flat();

/** Reads `term(^term)*` with `^OR`, `^NQ`, `^ORDERBY`, `^ORDERBYDESC`, `^GROUPBY`, `^EQ`, related lists and joins [D]. */
export function readEncodedQuery(text: string): EncodedQuery {
  let query = lately.get(text);
  if (query === undefined) {
    query = parsed(text);
    if (lately.size >= remembered) lately.clear();
    lately.set(text, query);
  }
  return query;
}

/** Row rights and rules are asked of row after row with the same text. */
const lately = new Map<string, EncodedQuery>();
const remembered = 500;

function parsed(text: string): EncodedQuery {
  const order: { field: string; descending: boolean }[] = [];
  const garbage: string[] = [];
  const parts = text.split("^");
  const alternatives = readAlternatives(parts, (part) => {
    if (part.startsWith("ORDERBYDESC")) order.push({ field: part.slice("ORDERBYDESC".length), descending: true });
    else if (part.startsWith("ORDERBY")) order.push({ field: part.slice("ORDERBY".length), descending: false });
    else if (!part.startsWith("GROUPBY")) garbage.push(part);
  });
  return { alternatives, order, garbage };
}

/** Takes parts from the front of the list as long as they belong together. */
function readAlternatives(parts: string[], other: (part: string) => void, isEnd: (part: string) => boolean = () => false): Condition[][][] {
  const alternatives: Condition[][][] = [[]];
  for (let part = parts[0]; part !== undefined && !isEnd(part); part = parts[0]) {
    parts.shift();
    if (part === "" || part === "EQ") continue;
    if (/^(ORDERBY|GROUPBY)/.test(part)) {
      other(part);
      continue;
    }
    if (part.startsWith("NQ")) {
      alternatives.push([]);
      part = part.slice(2);
      if (part === "") continue;
    }
    const groups = alternatives.at(-1) ?? [];
    const either = /^OR(?=[a-z0-9_])/.test(part) && groups.length > 0;
    const condition = readCondition(part.replace(/^OR(?=[a-z0-9_])/, ""), parts, other);
    if (condition === undefined) other(part);
    else if (either) groups.at(-1)?.push(condition);
    else groups.push([condition]);
  }
  return alternatives;
}

function readCondition(part: string, rest: string[], other: (part: string) => void): Condition | undefined {
  const related = /^RLQUERY(\w+)\.(\w+),(>=|<=|!=|=|>|<)(\d+)(?:,m2m)?$/.exec(part);
  if (related !== null) {
    const [, table = "", field = "", operator = "", count = ""] = related;
    const conditions = readAlternatives(rest, other, (next) => next === "ENDRLQUERY");
    rest.shift();
    return { kind: "related", table, field, operator, count: Number(count), conditions };
  }
  const join = /^JOIN\w+\.(\w+)=(\w+)\.(\w+)!(.*)$/.exec(part);
  if (join !== null) {
    const [, own = "", table = "", field = "", first = ""] = join;
    rest.unshift(first);
    // A join has no end of its own: it goes on to the next thing that cannot belong to it.
    return { kind: "join", own, table, field, conditions: readAlternatives(rest, other, (next) => /^(ORDERBY|GROUPBY|JOIN|RLQUERY|NQ)/.test(next)) };
  }
  return readTerm(part);
}

function readTerm(part: string): Term | undefined {
  if (part.startsWith(`${textSearch}=`)) return { kind: "term", field: textSearch, operator: "=", value: part.slice(textSearch.length + 1) };
  // Columns are lower case and operators upper case, which is what tells them apart without a blank between them.
  let end = 0;
  while (/[a-z0-9_.]/.test(part[end] ?? "")) end++;
  const field = part.slice(0, end);
  if (!/^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)*$/.test(field)) return undefined;
  const operator = operators.find((candidate) => part.startsWith(candidate, end));
  return operator === undefined ? undefined : { kind: "term", field, operator, value: part.slice(end + operator.length) };
}
