/** What a child says about the runs of one entry, taken apart; nothing of it is believed yet. */

/** `done` and `calls` as in the header of guest/runs.ts; `gone`: the run is not there any more. */
export type Mark = "done" | "calls" | "gone";

export interface StepText {
  readonly mark: Mark;
  /** JSON, or nothing when there is no more to say than the mark. */
  readonly header: string;
  /** The result or the calls, as JSON. */
  readonly body: string;
}

/**
 * A line with a mark for each run, then two lines for each. Undefined when the bytes are not `count` of those.
 *
 * Each line becomes a text of its own: of slices of one long text V8 puts all that `JSON.parse` makes into the old generation, once the whole is longer
 * than 100 KB [M].
 */
export function readSteps(payload: Buffer, count: number): readonly StepText[] | undefined {
  let at = payload.indexOf(10);
  if (at !== count) return undefined;
  const marks = payload.toString("latin1", 0, at);
  const steps: StepText[] = [];
  for (let index = 0; index < count; index += 1) {
    const mark = markOf(marks[index]);
    const headerEnd = payload.indexOf(10, at + 1);
    if (mark === undefined || headerEnd === -1) return undefined;
    const next = payload.indexOf(10, headerEnd + 1);
    if ((next === -1) !== (index === count - 1)) return undefined;
    const end = next === -1 ? payload.length : next;
    steps.push({
      mark,
      header: headerEnd === at + 1 ? "" : payload.toString("utf8", at + 1, headerEnd),
      body: payload.toString("utf8", headerEnd + 1, end),
    });
    at = end;
  }
  return steps;
}

function markOf(letter: string | undefined): Mark | undefined {
  switch (letter) {
    case "d":
      return "done";
    case "c":
      return "calls";
    case "x":
      return "gone";
    default:
      return undefined;
  }
}
