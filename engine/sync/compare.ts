/** One line of a comparison: the same in both, only in the first, only in the second. Numbers count from 1. */
export interface ComparedLine {
  readonly op: "=" | "-" | "+";
  readonly text: string;
  readonly from?: number;
  readonly to?: number;
}

/** Beyond so many differing lines a comparison tells people nothing; the rest is then said to be replaced as a whole. */
const mostEdits = 1_000;

/** Compares two texts line by line by the shortest way from one to the other (Myers, An O(ND) Difference Algorithm, 1986). */
export function compareLines(before: string, after: string): ComparedLine[] {
  const a = before.split("\n");
  const b = after.split("\n");
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end += 1;
  const same = (from: number, to: number, count: number): ComparedLine[] =>
    Array.from({ length: count }, (_, index) => ({ op: "=", text: a[from + index] ?? "", from: from + index + 1, to: to + index + 1 }));
  return [
    ...same(0, 0, start),
    ...middle(a.slice(start, a.length - end), b.slice(start, b.length - end)).map((line) => ({
      ...line,
      ...(line.from === undefined ? {} : { from: line.from + start }),
      ...(line.to === undefined ? {} : { to: line.to + start }),
    })),
    ...same(a.length - end, b.length - end, end),
  ];
}

/** Only what differs. */
export function changedLines(before: string, after: string): ComparedLine[] {
  return compareLines(before, after).filter((line) => line.op !== "=");
}

function middle(a: readonly string[], b: readonly string[]): ComparedLine[] {
  const removed = (index: number): ComparedLine => ({ op: "-", text: a[index] ?? "", from: index + 1 });
  const added = (index: number): ComparedLine => ({ op: "+", text: b[index] ?? "", to: index + 1 });
  const trail = furthest(a, b);
  if (trail === undefined) return [...a.map((_, index) => removed(index)), ...b.map((_, index) => added(index))];
  // Walked backwards from the end of both.
  const lines: ComparedLine[] = [];
  let x = a.length;
  let y = b.length;
  for (let edits = trail.length - 1; edits >= 0; edits--) {
    const reach = trail[edits];
    const diagonal = x - y;
    const down = edits > 0 && (diagonal === -edits || (diagonal !== edits && (reach?.get(diagonal - 1) ?? -1) < (reach?.get(diagonal + 1) ?? -1)));
    const from = down ? diagonal + 1 : diagonal - 1;
    const previousX = edits === 0 ? 0 : (reach?.get(from) ?? 0);
    const previousY = edits === 0 ? 0 : previousX - from;
    while (x > previousX && y > previousY) {
      x -= 1;
      y -= 1;
      lines.push({ op: "=", text: a[x] ?? "", from: x + 1, to: y + 1 });
    }
    if (edits === 0) break;
    lines.push(down ? added(previousY) : removed(previousX));
    x = previousX;
    y = previousY;
  }
  return lines.reverse();
}

/** For each number of edits, how far along each diagonal one came with one edit less; undefined when there are too many. */
function furthest(a: readonly string[], b: readonly string[]): ReadonlyMap<number, number>[] | undefined {
  const reach = new Map<number, number>([[1, 0]]);
  const trail: ReadonlyMap<number, number>[] = [];
  for (let edits = 0; edits <= Math.min(a.length + b.length, mostEdits); edits++) {
    trail.push(new Map(reach));
    for (let diagonal = -edits; diagonal <= edits; diagonal += 2) {
      const down = diagonal === -edits || (diagonal !== edits && (reach.get(diagonal - 1) ?? -1) < (reach.get(diagonal + 1) ?? -1));
      let x = down ? (reach.get(diagonal + 1) ?? 0) : (reach.get(diagonal - 1) ?? 0) + 1;
      while (x < a.length && x - diagonal < b.length && a[x] === b[x - diagonal]) x += 1;
      reach.set(diagonal, x);
      if (x >= a.length && x - diagonal >= b.length) return trail;
    }
  }
  return undefined;
}
