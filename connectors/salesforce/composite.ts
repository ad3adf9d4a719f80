import { ConnectorError } from "../errors.ts";
import type { Call } from "./client.ts";

/** One request inside a composite; `url` begins with `/services/data/`. */
export interface Part {
  readonly method: Call["method"];
  readonly url: string;
  readonly body?: unknown;
}

/** What one request inside a composite was answered. */
export interface PartAnswer {
  readonly httpStatusCode: number;
  readonly body: unknown;
}

/** The body that carries parts. They are carried out in their order, each on its own [D]. */
export function compositeBody(parts: readonly Part[]): object {
  return { allOrNone: false, compositeRequest: parts.map((part, n) => ({ ...part, referenceId: `part${n}` })) };
}

/** The answers to the parts, in order. Throws PROTOCOL where one is missing: what the others did is then unknown too. */
export function compositeAnswers(answer: unknown, size: number, what: string, write: boolean): readonly PartAnswer[] {
  const { compositeResponse } = (answer ?? {}) as { compositeResponse?: unknown }; // looked at next
  const parts: readonly unknown[] = Array.isArray(compositeResponse) ? compositeResponse : [];
  if (parts.length !== size || !parts.every(isPartAnswer))
    throw new ConnectorError("PROTOCOL", { message: `Salesforce did not answer each part of a composite (${what}).`, uncertain: write });
  return parts;
}

function isPartAnswer(part: unknown): part is PartAnswer {
  return typeof part === "object" && part !== null && "httpStatusCode" in part && typeof part.httpStatusCode === "number" && "body" in part;
}
