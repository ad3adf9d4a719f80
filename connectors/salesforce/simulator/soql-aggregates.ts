import type { Row } from "./org.ts";
import type { Path, Query, SelectItem } from "./soql-parse.ts";
import type { ResolvedPath } from "./soql-paths.ts";
import { malformed } from "./soql-text.ts";

export interface AggregateColumn {
  readonly name: string;
  readonly item: SelectItem;
}

/** The columns of a grouped query: functions by their alias, or expr0, expr1 … [D]. Throws where a field is neither grouped nor in a function. */
export function aggregateColumns(query: Query, statement: string): AggregateColumn[] {
  let unnamed = 0;
  return query.select.map((item) => {
    if (item.kind === "count" || item.kind === "aggregate") return { name: item.alias ?? `expr${unnamed++}`, item };
    if (item.kind === "field" && query.groupBy.some(({ parts }) => parts.join(".").toLowerCase() === item.path.parts.join(".").toLowerCase()))
      return { name: item.path.parts.at(-1) ?? "", item };
    const at = item.kind === "field" ? item.path.at : item.at;
    throw malformed(statement, at, `Field must be grouped or aggregated: ${item.kind === "field" ? item.path.parts.join(".") : item.kind}`);
  });
}

/** What a function makes of the rows of one group. */
export function aggregateValue(item: SelectItem, rows: readonly Row[], resolve: (path: Path) => ResolvedPath): unknown {
  if (item.kind !== "count" && item.kind !== "aggregate") return null;
  if (item.path === undefined) return rows.length;
  const path = resolve(item.path);
  const values = rows.map((row) => path.read(row)).filter((value) => value !== null);
  if (item.kind === "count") return values.length;
  const sorted = values.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const sum = values.reduce((total: number, value) => total + Number(value), 0);
  switch (item.function) {
    case "MIN":
      return sorted[0] ?? null;
    case "MAX":
      return sorted.at(-1) ?? null;
    case "SUM":
      return sum;
    case "AVG":
      return values.length === 0 ? null : sum / values.length;
    case "COUNT_DISTINCT":
      return new Set(values).size;
  }
}
