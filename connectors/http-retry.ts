import { ConnectorError } from "./errors.ts";

export interface RetryOptions {
  /** How often a call is made at most; 1 = never repeated. */
  readonly tries?: number;
  /** First waiting time; it doubles, and each wait is drawn evenly between nothing and that (full jitter). */
  readonly baseMs?: number;
  /** Longest wait that is spent here; a longer Retry-After is handed to the caller instead. */
  readonly capMs?: number;
}

const passingStatuses = new Set([408, 429, 502, 503, 504]);

/** How long to wait before the next try; undefined when another try makes no sense. */
export function waitBefore(
  outcome: { readonly status: number; readonly headers: Readonly<Record<string, string>> } | ConnectorError,
  attempt: number,
  baseMs: number,
  capMs: number,
): number | undefined {
  const jittered = Math.random() * Math.min(capMs, baseMs * 2 ** (attempt - 1));
  if (outcome instanceof ConnectorError) return outcome.code === "TRANSIENT" ? jittered : undefined;
  if (!passingStatuses.has(outcome.status)) return undefined;
  const asked = retryAfterMs(outcome.headers);
  if (asked !== undefined && asked > capMs) return undefined;
  return Math.max(asked ?? 0, jittered);
}

/** How long the platform asked to wait, in milliseconds: Retry-After as seconds or as a date. */
export function retryAfterMs(headers: Readonly<Record<string, string>>, now = Date.now()): number | undefined {
  const value = headers["retry-after"]?.trim();
  if (value === undefined || value === "") return undefined;
  if (/^\d+(\.\d+)?$/.test(value)) return Math.ceil(Number(value) * 1000);
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
