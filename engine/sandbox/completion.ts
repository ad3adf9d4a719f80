/** JSON. The sandbox imports nothing of the rest of the project, so it says for itself what that is. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/**
 * Whose fault an unsuccessful run is: `user` the rule's own text, `timeout`, `memory` and `limit` a limit that the rule
 * passed, `crash` the process that ran it died.
 */
export type RuleErrorKind = "user" | "timeout" | "memory" | "crash" | "limit";

/** Why a run ended without a result. Positions are those of the editor, counted from 1. */
export interface RuleError {
  readonly kind: RuleErrorKind;
  /**
   * Stable. `user`: `RULE_ERROR`, `RESULT_INVALID`, `STUCK`, `SYNTAX`, or the code of the helper that failed. `timeout`: `LIMIT_CPU`, `LIMIT_WALL`.
   * `memory`: `LIMIT_MEMORY`. `limit`: `LIMIT_CALLS`, `LIMIT_ARGUMENT`, `LIMIT_RESULT`, `LIMIT_INPUT`, `LIMIT_SOURCE`, `QUARANTINED`. `crash`: `CRASHED`, `CLOSED`.
   */
  readonly code: string;
  /** In words for people; names the limit and its value where there is one. */
  readonly message: string;
  readonly line?: number;
  readonly column?: number;
  /** `name:line:column` of the rule's own frames, innermost first. */
  readonly frames: readonly string[];
}

/** Something that a rule asks of the host. */
export interface HelperCall {
  /** Counts from 1 within its run. */
  readonly id: number;
  /** `users.byEmail`, `lookup.one`, … */
  readonly name: string;
  readonly args: readonly Json[];
}

export type HelperAnswer =
  | { readonly id: number; readonly ok: true; readonly value: Json }
  | { readonly id: number; readonly ok: false; readonly error: { readonly code: string; readonly message: string } };

/** What every run leaves behind, however it ended. */
export interface RunRecord {
  /** What the rule printed, oldest first. */
  readonly console: readonly string[];
  /** Time spent computing inside the isolate, in milliseconds. */
  readonly cpuMs: number;
  /** Time from the start to the end of the run with all waiting, in milliseconds. */
  readonly wallMs: number;
  /** Every call with its answer, in the order asked: enough to replay the run without the platform. */
  readonly calls: readonly { readonly call: HelperCall; readonly answer: HelperAnswer }[];
}

export type Completion = ({ readonly ok: true; readonly value: Json } & RunRecord) | ({ readonly ok: false; readonly error: RuleError } & RunRecord);
