import { canonicalText } from "../../replica/canonical.ts";
import type { Json } from "../../replica/json.ts";
import type { HelperAnswer, HelperCall } from "../../sandbox/completion.ts";
import type { RecordedAnswer, RecordedCall } from "./sample.ts";

/** Answers the calls of one run from what was recorded: by name and arguments, and where the same was asked more than once, in order. */
export class RecordedAnswers {
  readonly #answers = new Map<string, RecordedAnswer[]>();
  /** What was asked and has no answer. A rule may catch the error that it got; the run is worth nothing all the same. */
  readonly missing: RecordedCall[] = [];

  constructor(answers: readonly RecordedAnswer[]) {
    for (const answer of answers) {
      const key = keyOf(answer.call);
      const known = this.#answers.get(key);
      if (known === undefined) this.#answers.set(key, [answer]);
      else known.push(answer);
    }
  }

  readonly answer = async (calls: readonly HelperCall[]): Promise<HelperAnswer[]> => calls.map((call) => this.#one(call));

  #one(call: HelperCall): HelperAnswer {
    const recorded = this.#answers.get(keyOf(call));
    // The last one stays: who asks again is told the same again.
    const next = recorded !== undefined && recorded.length > 1 ? recorded.shift() : recorded?.[0];
    if (next === undefined) {
      this.missing.push({ name: call.name, args: call.args });
      return { id: call.id, ok: false, error: { code: noAnswer, message: missingInWords(call) } };
    }
    return "error" in next ? { id: call.id, ok: false, error: next.error } : { id: call.id, ok: true, value: next.value };
  }
}

/** The code of a run that asked what its sample or record has no answer for. */
export const noAnswer = "NO_ANSWER";

export function missingInWords(call: RecordedCall): string {
  const shown = `${call.name}(${call.args.map((arg) => JSON.stringify(arg)).join(", ")})`;
  const entry = JSON.stringify({ call: { name: call.name, args: call.args }, value: null });
  return `${shown} has no recorded answer; add it to "answers" of the sample, with what the platform would say instead of null: ${entry}`;
}

function keyOf(call: RecordedCall): string {
  // Arguments that a rule leaves out and those it gives as null are different calls, as they are for the platform.
  return `${call.name} ${canonicalText(call.args as Json)}`;
}
