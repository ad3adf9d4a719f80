import { ConnectorError } from "../errors.ts";
import type { Call } from "./client.ts";
import { complaintError, complaintsOf } from "./platform-errors.ts";

/** The id of a record that was saved or deleted, or why it was not. */
export type SavedItem = { readonly id: string } | ConnectorError;

/** After these the next call would fail alike: what was not sent yet is left alone. */
const ending = new Set(["AUTH_EXPIRED", "AUTH_CONFIG", "THROTTLED", "TRANSIENT"]);

/** The outcomes of a collection, one for each record, in order [R]. */
export function savedItems(answer: unknown, size: number, call: Call): readonly SavedItem[] {
  if (Array.isArray(answer) && answer.length === size) return answer.map((item: unknown) => savedItem(item, call));
  throw new ConnectorError("PROTOCOL", { message: `Salesforce did not answer for each of the ${size} records when asked to ${call.what}.`, uncertain: true });
}

function savedItem(item: unknown, call: Call): SavedItem {
  const { success, id, errors } = (item ?? {}) as { success?: unknown; id?: unknown; errors?: unknown }; // each is looked at
  if (success === true && typeof id === "string") return { id };
  const [complaint] = complaintsOf(errors);
  if (complaint !== undefined) return complaintError(complaint, { what: call.what, write: true });
  return new ConnectorError("PROTOCOL", { message: `Salesforce gave no outcome for a record when asked to ${call.what}.`, uncertain: true });
}

/** Makes calls for one record each, in their order: comments are dated by it. An update or a delete is answered with nothing [D]; its id is in its path. */
export async function oneByOne(calls: readonly Call[], send: (call: Call) => Promise<unknown>): Promise<SavedItem[]> {
  const outcomes: SavedItem[] = [];
  let end: ConnectorError | undefined;
  for (const call of calls) {
    if (end !== undefined) {
      outcomes.push(unsent(end));
      continue;
    }
    try {
      const answer = await send(call);
      outcomes.push(answer === null && call.repeatable ? { id: decodeURIComponent(call.path.split("/").at(-1) ?? "") } : savedItem(answer, call));
    } catch (error) {
      if (!(error instanceof ConnectorError)) throw error;
      outcomes.push(error);
      if (ending.has(error.code)) end = error;
    }
  }
  return outcomes;
}

function unsent({ code, message, advice, retryAfterMs, status, platformCode }: ConnectorError): ConnectorError {
  return new ConnectorError(code, {
    message,
    ...(advice !== undefined && { advice }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    ...(status !== undefined && { status }),
    ...(platformCode !== undefined && { platformCode }),
  });
}
