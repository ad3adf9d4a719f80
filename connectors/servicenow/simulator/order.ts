import { columnAt, reader } from "./dot-walk.ts";
import type { EncodedQuery } from "./encoded-query.ts";
import type { Row, Store } from "./store.ts";

/** How often an unordered query was answered: each time another row comes first. */
let unorderedAnswers = 0;

/** The first `count` rows in the order asked for. Unknown fields order nothing. */
export function firstInOrder(table: string, rows: Row[], order: EncodedQuery["order"], store: Store, count: number): Row[] {
  const keys = order.filter(({ field }) => columnAt(table, field, store) !== undefined);
  if (keys.length === 0) {
    // Paging without an order repeats and skips rows [R]: each answer starts somewhere else.
    const start = rows.length === 0 ? 0 : (unorderedAnswers++ * 7) % rows.length;
    return [...rows.slice(start), ...rows.slice(0, start)];
  }
  const readers = keys.map(({ field, descending }) => {
    const numeric = columnAt(table, field, store)?.type === "integer";
    return { read: reader(table, field, store), sign: descending ? -1 : 1, numeric };
  });
  const compare = (a: Row, b: Row) => {
    for (const { read, sign, numeric } of readers) {
      const left = read(a);
      const right = read(b);
      if (left !== right) return (numeric ? Number(left) - Number(right) : left < right ? -1 : 1) * sign;
    }
    return 0;
  };
  return count * 4 < rows.length ? smallest(rows, count, compare) : rows.sort(compare);
}

/** A page of a large table without sorting all of it: what comes after the worst of the best so far is passed over. */
function smallest(rows: readonly Row[], count: number, compare: (a: Row, b: Row) => number): Row[] {
  let best: Row[] = [];
  let waiting: Row[] = [];
  const merge = () => {
    best = [...best, ...waiting].sort(compare).slice(0, count);
    waiting = [];
  };
  for (const row of rows) {
    const worst = best.length < count ? undefined : best.at(-1);
    if (worst !== undefined && compare(row, worst) >= 0) continue;
    waiting.push(row);
    if (waiting.length >= Math.max(count, 1000)) merge();
  }
  merge();
  return best;
}
