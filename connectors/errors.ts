/**
 * The one closed set of errors that a connector may raise. The engine decides by `code` alone what happens next
 * (retry, park, stop the instance), so a platform's own words never steer it; they travel in `message` for people.
 */
export const connectorErrorCodes = [
  /** The session ended and one fresh sign-in did not help. */
  "AUTH_EXPIRED",
  /** The credentials, the app or the address are wrong: nothing works until an administrator acts. */
  "AUTH_CONFIG",
  /** This account may not do that: the record is parked. */
  "PERMISSION",
  /** Not there, or hidden from this account. Never treated as a delete by itself. */
  "NOT_FOUND_OR_HIDDEN",
  /** The platform says that the record was deleted. */
  "DELETED",
  /** The platform refuses the content: required field, bad choice, business rule, validation rule. */
  "VALIDATION",
  /** Somebody else changed or locked the record: read again and retry. */
  "CONFLICT",
  /** The platform holds such a record already. */
  "DUPLICATE",
  /** Too many calls: wait for `retryAfterMs`. */
  "THROTTLED",
  /** The platform or the way to it is down for now. After a write its outcome is unknown: see `uncertain`. */
  "TRANSIENT",
  /** Too much for one call: split. */
  "TOO_LARGE",
  /** A paging position or replay id is no longer valid: start its window again. */
  "CURSOR_LOST",
  /** What was asked makes no sense to this platform: unknown object, field, malformed query. */
  "BAD_REQUEST",
  /** The answer is not what this platform sends: HTML, broken JSON, a missing field. */
  "PROTOCOL",
] as const;

export type ConnectorErrorCode = (typeof connectorErrorCodes)[number];

export interface ConnectorErrorDetails {
  /** What happened, in one sentence that names the thing: shown to people as it is. Never holds a secret. */
  readonly message: string;
  /** What a person can do about it. */
  readonly advice?: string;
  /** The fields that the platform complains about, by their API names. */
  readonly fields?: readonly string[];
  /** How long the platform asked us to wait, in milliseconds. */
  readonly retryAfterMs?: number;
  /** True when a write was sent and its answer never came: it may or may not have happened. */
  readonly uncertain?: boolean;
  /** HTTP status, where there was one. */
  readonly status?: number;
  /** The platform's own error code, where it has one. */
  readonly platformCode?: string;
  readonly cause?: unknown;
}

/** An error of a platform, in the words of the closed set. */
export class ConnectorError extends Error {
  override readonly name = "ConnectorError";
  readonly code: ConnectorErrorCode;
  readonly advice: string | undefined;
  readonly fields: readonly string[];
  readonly retryAfterMs: number | undefined;
  readonly uncertain: boolean;
  readonly status: number | undefined;
  readonly platformCode: string | undefined;

  constructor(code: ConnectorErrorCode, details: ConnectorErrorDetails) {
    super(details.message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.advice = details.advice;
    this.fields = details.fields ?? [];
    this.retryAfterMs = details.retryAfterMs;
    this.uncertain = details.uncertain ?? false;
    this.status = details.status;
    this.platformCode = details.platformCode;
  }
}

/** What the engine does about each code. One table, so that every platform behaves the same. */
export const reactionTo: Readonly<Record<ConnectorErrorCode, "retry" | "park" | "stop-instance">> = {
  AUTH_EXPIRED: "stop-instance",
  AUTH_CONFIG: "stop-instance",
  PERMISSION: "park",
  NOT_FOUND_OR_HIDDEN: "park",
  DELETED: "park",
  VALIDATION: "park",
  CONFLICT: "retry",
  DUPLICATE: "park",
  THROTTLED: "retry",
  TRANSIENT: "retry",
  TOO_LARGE: "park",
  CURSOR_LOST: "retry",
  BAD_REQUEST: "park",
  PROTOCOL: "retry",
};
