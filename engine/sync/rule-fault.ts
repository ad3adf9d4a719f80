import type { Json } from "../replica/json.ts";
import type { RunId } from "../store/schema.ts";

/** A rule cannot be carried out: it erred, said `fail`, or asks for what can never be written. The lane parks until a person acts. */
export class RuleFault extends Error {
  override readonly name = "RuleFault";
  readonly code: string;
  /** Rule, version, line, column, fields: where to look. */
  readonly detail: Readonly<Record<string, Json>>;
  readonly runId: RunId | null;

  constructor(code: string, message: string, detail: Readonly<Record<string, Json>> = {}, runId: RunId | null = null) {
    super(message);
    this.code = code;
    this.detail = detail;
    this.runId = runId;
  }
}
