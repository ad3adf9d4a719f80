import { ConnectorError, type ConnectorErrorCode } from "../errors.ts";

/** One complaint of the platform: `errorCode` in single calls, `statusCode` in collections [R]. */
export interface Complaint {
  readonly code: string;
  readonly message: string;
  readonly fields: readonly string[];
}

export interface ComplaintContext {
  /** What was asked, in words: `create Case`, `GET /limits`. */
  readonly what: string;
  readonly status?: number;
  /** True for calls that change something. */
  readonly write: boolean;
  readonly retryAfter?: string | null;
  /** True where the answer was a web page: its status is then somebody else's. */
  readonly webPage?: boolean;
}

const codes: Readonly<Record<string, ConnectorErrorCode>> = {
  INVALID_SESSION_ID: "AUTH_EXPIRED",
  API_DISABLED_FOR_ORG: "AUTH_CONFIG",
  API_CURRENTLY_DISABLED: "AUTH_CONFIG",
  INVALID_FIELD_FOR_INSERT_UPDATE: "PERMISSION",
  NOT_FOUND: "NOT_FOUND_OR_HIDDEN",
  INVALID_CROSS_REFERENCE_KEY: "NOT_FOUND_OR_HIDDEN",
  ENTITY_IS_DELETED: "DELETED",
  UNABLE_TO_LOCK_ROW: "CONFLICT",
  PRECONDITION_FAILED: "CONFLICT",
  ALL_OR_NONE_OPERATION_ROLLED_BACK: "CONFLICT",
  DUPLICATE_VALUE: "DUPLICATE",
  DUPLICATES_DETECTED: "DUPLICATE",
  DUPLICATE_EXTERNAL_ID: "DUPLICATE",
  REQUEST_LIMIT_EXCEEDED: "THROTTLED",
  SERVER_UNAVAILABLE: "TRANSIENT",
  UNKNOWN_EXCEPTION: "TRANSIENT",
  QUERY_TIMEOUT: "TRANSIENT",
  EXCEEDED_ID_LIMIT: "TOO_LARGE",
  EXCEEDED_MAX_SIZE_REQUEST: "TOO_LARGE",
  LIMIT_EXCEEDED: "TOO_LARGE",
  QUERY_TOO_COMPLICATED: "TOO_LARGE",
  INVALID_QUERY_LOCATOR: "CURSOR_LOST",
  MALFORMED_QUERY: "BAD_REQUEST",
  INVALID_TYPE: "BAD_REQUEST",
  INVALID_FIELD: "BAD_REQUEST",
  INVALID_QUERY_FILTER_OPERATOR: "BAD_REQUEST",
  INVALID_REPLICATION_DATE: "BAD_REQUEST",
};

const advice: Readonly<Record<string, string>> = {
  INVALID_FIELD_FOR_INSERT_UPDATE: "Give the integration user's profile or permission set edit access to the field.",
  REQUEST_LIMIT_EXCEEDED: "The org has used up its API calls; poll less often or ask Salesforce for more.",
  DUPLICATES_DETECTED: "A duplicate rule of the org stopped the save; link to the record that is there, or change the rule.",
  API_DISABLED_FOR_ORG: "Give the integration user the permission “API Enabled”; the edition of the org must include the API.",
};

/** 401 answers that a new session does not heal [S]. */
const hopelessSessions = /This session is not valid for use with the REST API|Connected app is not attached to Agent/i;
/** The whole day's calls are gone: looking again soon only costs more. */
const dailyPauseMs = 900_000;
const concurrentPauseMs = 10_000;

/** A complaint in the words of the closed set. The code decides, not the status: a locked row was seen as 400 and as 500 [R]. */
export function complaintError({ code, message, fields }: Complaint, context: ComplaintContext): ConnectorError {
  const kind = kindOf(code, message, context);
  const named = fields.filter((field) => !message.includes(field));
  const text = `Salesforce refused to ${context.what}: ${oneLine(message)}${named.length > 0 ? ` [${named.join(", ")}]` : ""} (${code})`;
  const pause = kind === "THROTTLED" ? pauseOf(message, context.retryAfter) : undefined;
  return new ConnectorError(kind, {
    message: text,
    fields,
    platformCode: code,
    uncertain: context.write && kind === "TRANSIENT",
    ...(advice[code] !== undefined && { advice: advice[code] }),
    ...(context.status !== undefined && { status: context.status }),
    ...(pause !== undefined && { retryAfterMs: pause }),
  });
}

/** Reads the complaints of an error answer: an array of them [R]; one object or a text where something else answered. */
export function complaintsOf(body: unknown): Complaint[] {
  const entries = Array.isArray(body) ? body : [body];
  return entries.flatMap((entry: unknown) => {
    if (typeof entry !== "object" || entry === null) return [];
    const { errorCode, statusCode, message, fields } = entry as Record<string, unknown>; // an object by the test above
    const code = errorCode ?? statusCode;
    if (typeof code !== "string") return [];
    return [
      { code, message: typeof message === "string" ? message : code, fields: Array.isArray(fields) ? fields.filter((field) => typeof field === "string") : [] },
    ];
  });
}

/** The error of an HTTP answer with status 300 or more. */
export function answerError(status: number, body: unknown, context: Omit<ComplaintContext, "status">): ConnectorError {
  const [complaint] = complaintsOf(body);
  if (complaint !== undefined) return complaintError(complaint, { ...context, status });
  if (status === 300) return new ConnectorError("DUPLICATE", { message: `Salesforce holds several records where one was meant (${context.what}).`, status });
  return complaintError({ code: `HTTP_${status}`, message: `HTTP status ${status} without an explanation`, fields: [] }, { ...context, status });
}

/** The message of a query error without the statement that it repeats, and the column it points at. */
export function queryComplaint(message: string): { readonly text: string; readonly column: number | undefined } {
  const match = /ERROR at Row:\d+:Column:(\d+)\s*([\s\S]*)$/.exec(message);
  return match === null ? { text: message.trim(), column: undefined } : { text: (match[2] ?? "").trim(), column: Number(match[1]) };
}

function kindOf(code: string, message: string, { status = 0, write, webPage = false }: ComplaintContext): ConnectorErrorCode {
  if (status === 401) return hopelessSessions.test(message) ? "AUTH_CONFIG" : "AUTH_EXPIRED";
  const known = codes[code];
  if (known !== undefined) return known;
  if (/^INSUFFICIENT_ACCESS|^NO_ACCESS|^CANNOT_DELETE|_NOT_ENABLED$/.test(code)) return "PERMISSION";
  if (status === 412) return "CONFLICT";
  if (status === 413 || status === 414 || status === 431) return "TOO_LARGE";
  if (status === 429) return "THROTTLED";
  // Not a way to call this, or not built: the call was not done, and no repeat helps.
  if (status === 405 || (status === 501 && !webPage)) return "BAD_REQUEST";
  if (status >= 500) return "TRANSIENT";
  if (status === 403) return "PERMISSION";
  if (status === 404) return "NOT_FOUND_OR_HIDDEN";
  return write ? "VALIDATION" : "BAD_REQUEST";
}

function pauseOf(message: string, retryAfter: string | null | undefined): number {
  const seconds = Number(retryAfter ?? Number.NaN);
  if (Number.isFinite(seconds) && retryAfter !== "") return seconds * 1000;
  return message.startsWith("TotalRequests") ? dailyPauseMs : concurrentPauseMs;
}

function oneLine(message: string): string {
  const { text, column } = queryComplaint(message);
  return text.replace(/\s+/g, " ") + (column === undefined ? "" : ` at column ${column}`);
}
