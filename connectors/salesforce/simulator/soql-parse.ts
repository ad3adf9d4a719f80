import { malformed, type Token, tokens } from "./soql-text.ts";

export interface Path {
  readonly parts: readonly string[];
  readonly at: number;
}

export type SelectItem =
  | { readonly kind: "field"; readonly path: Path }
  | { readonly kind: "children"; readonly query: Query; readonly at: number }
  | { readonly kind: "count"; readonly path?: Path; readonly alias?: string; readonly at: number }
  | { readonly kind: "aggregate"; readonly function: "MIN" | "MAX" | "SUM" | "AVG" | "COUNT_DISTINCT"; readonly path: Path; readonly alias?: string }
  | { readonly kind: "allFields"; readonly set: string; readonly at: number };

export type Literal =
  | { readonly kind: "string" | "date" | "word"; readonly text: string; readonly at: number }
  | { readonly kind: "number"; readonly value: number; readonly at: number }
  | { readonly kind: "constant"; readonly value: boolean | null; readonly at: number };

export type Operator = "=" | "!=" | "<" | "<=" | ">" | ">=" | "LIKE" | "IN" | "NOT IN" | "INCLUDES" | "EXCLUDES";

export type Expression =
  | { readonly kind: "and" | "or"; readonly parts: readonly Expression[] }
  | { readonly kind: "not"; readonly part: Expression }
  | { readonly kind: "compare"; readonly path: Path; readonly operator: Operator; readonly values: readonly Literal[] }
  | { readonly kind: "semiJoin"; readonly path: Path; readonly negated: boolean; readonly query: Query };

export interface OrderBy {
  readonly path: Path;
  readonly descending: boolean;
  readonly nullsLast: boolean;
}

export interface Query {
  readonly select: readonly SelectItem[];
  readonly from: string;
  readonly fromAt: number;
  readonly where?: Expression;
  /** The fields that rows are put together by. */
  readonly groupBy: readonly Path[];
  readonly orderBy: readonly OrderBy[];
  readonly limit?: number;
  readonly offset?: number;
}

const comparisons = new Set(["=", "!=", "<>", "<", "<=", ">", ">="]);

/** Parses the part of SOQL that clients of a service desk use. Throws MALFORMED_QUERY with the column, as the platform does. */
export function parseSoql(statement: string): Query {
  const parser = new Parser(statement);
  const query = parser.query(false);
  parser.end();
  return query;
}

class Parser {
  readonly #statement: string;
  readonly #tokens: readonly Token[];
  #position = 0;

  constructor(statement: string) {
    this.#statement = statement;
    this.#tokens = tokens(statement);
  }

  query(inside: boolean): Query {
    this.#keyword("SELECT");
    const select = this.#list(() => this.#selectItem(inside));
    this.#keyword("FROM");
    const from = this.#word("entity name");
    if (this.#peek().kind === "word" && !/^(WHERE|ORDER|LIMIT|OFFSET|FOR|USING|WITH|GROUP|HAVING|ALL)$/i.test(this.#peek().text)) this.#next();
    const where = this.#accept("WHERE") ? this.#expression() : undefined;
    const groupBy = this.#accept("GROUP") ? this.#groupBy() : [];
    const orderBy = this.#accept("ORDER") ? this.#orderBy() : [];
    const limit = this.#accept("LIMIT") ? this.#wholeNumber() : undefined;
    const offset = this.#accept("OFFSET") ? this.#wholeNumber() : undefined;
    while (this.#accept("FOR")) this.#word("VIEW, REFERENCE or UPDATE");
    return {
      select,
      from: from.text,
      fromAt: from.at,
      groupBy,
      orderBy,
      ...(where && { where }),
      ...(limit !== undefined && { limit }),
      ...(offset !== undefined && { offset }),
    };
  }

  end(): void {
    if (this.#peek().kind !== "end") throw this.#unexpected();
  }

  #selectItem(inside: boolean): SelectItem {
    if (this.#symbol("(")) {
      if (inside) throw this.#unexpected();
      const at = this.#peek().at;
      const query = this.query(true);
      this.#expect(")");
      return { kind: "children", query, at };
    }
    const word = this.#word("field name");
    if (!this.#symbol("(")) return { kind: "field", path: pathOf(word) };
    const name = word.text.toUpperCase();
    if (name === "COUNT" && this.#symbol(")")) return { kind: "count", at: word.at };
    const argument = this.#word("field name");
    this.#expect(")");
    if (name === "FIELDS") return { kind: "allFields", set: argument.text.toUpperCase(), at: word.at };
    const alias = this.#peek().kind === "word" && !/^FROM$/i.test(this.#peek().text) ? { alias: this.#next().text } : {};
    if (name === "COUNT") return { kind: "count", path: pathOf(argument), at: word.at, ...alias };
    if (name === "MIN" || name === "MAX" || name === "SUM" || name === "AVG" || name === "COUNT_DISTINCT")
      return { kind: "aggregate", function: name, path: pathOf(argument), ...alias };
    throw malformed(this.#statement, word.at, `unexpected token: '${word.text}'`);
  }

  /** One level of conditions; AND and OR may not be mixed on it without parentheses. */
  #expression(): Expression {
    const parts = [this.#condition()];
    const operator = /^(AND|OR)$/i.exec(this.#peek().text)?.[0].toLowerCase();
    if (this.#peek().kind !== "word" || operator === undefined) return parts[0] as Expression; // one part was pushed above
    while (this.#accept(operator)) parts.push(this.#condition());
    if (this.#peek().kind === "word" && /^(AND|OR)$/i.test(this.#peek().text)) throw this.#unexpected();
    return { kind: operator === "and" ? "and" : "or", parts };
  }

  #condition(): Expression {
    if (this.#accept("NOT")) return { kind: "not", part: this.#condition() };
    if (this.#symbol("(")) {
      const inner = this.#expression();
      this.#expect(")");
      return inner;
    }
    const path = pathOf(this.#word("field name"));
    const token = this.#next();
    const text = token.text.toUpperCase();
    if (token.kind === "symbol" && comparisons.has(text))
      return { kind: "compare", path, operator: (text === "<>" ? "!=" : text) as Operator, values: [this.#literal()] }; // one of `comparisons`
    if (text === "LIKE") return { kind: "compare", path, operator: "LIKE", values: [this.#literal()] };
    if (text === "INCLUDES" || text === "EXCLUDES") return { kind: "compare", path, operator: text, values: this.#literals() };
    const negated = text === "NOT" && this.#accept("IN");
    if (text !== "IN" && !negated) throw malformed(this.#statement, token.at, `unexpected token: '${token.text}'`);
    if (this.#tokens[this.#position + 1]?.text.toUpperCase() !== "SELECT")
      return { kind: "compare", path, operator: negated ? "NOT IN" : "IN", values: this.#literals() };
    this.#expect("(");
    const query = this.query(true);
    this.#expect(")");
    return { kind: "semiJoin", path, negated, query };
  }

  #literals(): Literal[] {
    this.#expect("(");
    const values = this.#list(() => this.#literal());
    this.#expect(")");
    return values;
  }

  #literal(): Literal {
    const { kind, text, at } = this.#next();
    if (kind === "string" || kind === "date") return { kind, text, at };
    if (kind === "number") return { kind, value: Number(text), at };
    if (kind === "word" && /^(true|false|null)$/i.test(text)) return { kind: "constant", value: /^null$/i.test(text) ? null : /^true$/i.test(text), at };
    if (kind === "word") return { kind, text: text.toUpperCase(), at };
    throw malformed(this.#statement, at, `unexpected token: '${text}'`);
  }

  #groupBy(): Path[] {
    this.#keyword("BY");
    return this.#list(() => pathOf(this.#word("field name")));
  }

  #orderBy(): OrderBy[] {
    this.#keyword("BY");
    return this.#list(() => {
      const path = pathOf(this.#word("field name"));
      const descending = this.#accept("DESC");
      if (!descending) this.#accept("ASC");
      const nullsLast = this.#accept("NULLS") ? this.#word("FIRST or LAST").text.toUpperCase() === "LAST" : descending;
      return { path, descending, nullsLast };
    });
  }

  #list<T>(item: () => T): T[] {
    const items = [item()];
    while (this.#symbol(",")) items.push(item());
    return items;
  }

  #wholeNumber(): number {
    const token = this.#next();
    const number = Number(token.text);
    if (token.kind !== "number" || !Number.isInteger(number) || number < 0) throw malformed(this.#statement, token.at, `unexpected token: '${token.text}'`);
    return number;
  }

  #word(wanted: string): Token {
    const token = this.#next();
    if (token.kind !== "word") throw malformed(this.#statement, token.at, `unexpected token: '${token.text}' (expecting ${wanted})`);
    return token;
  }

  #keyword(keyword: string): void {
    if (!this.#accept(keyword)) throw this.#unexpected();
  }

  #accept(keyword: string): boolean {
    const { kind, text } = this.#peek();
    if (kind !== "word" || text.toUpperCase() !== keyword.toUpperCase()) return false;
    this.#position++;
    return true;
  }

  #symbol(text: string): boolean {
    if (this.#peek().kind !== "symbol" || this.#peek().text !== text) return false;
    this.#position++;
    return true;
  }

  #expect(text: string): void {
    if (!this.#symbol(text)) throw this.#unexpected();
  }

  #peek(): Token {
    return this.#tokens[this.#position] as Token; // the end token is never passed
  }

  #next(): Token {
    const token = this.#peek();
    if (token.kind !== "end") this.#position++;
    return token;
  }

  #unexpected(): Error {
    const { text, at } = this.#peek();
    return malformed(this.#statement, at, `unexpected token: '${text}'`);
  }
}

function pathOf(token: Token): Path {
  return { parts: token.text.split("."), at: token.at };
}

/** The conditions that all have to be met. */
export function conjuncts(where: Expression | undefined): readonly Expression[] {
  if (where === undefined) return [];
  return where.kind === "and" ? where.parts.flatMap(conjuncts) : [where];
}
