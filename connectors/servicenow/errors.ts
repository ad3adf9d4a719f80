import { z } from "zod";
import type { EntitySchema, Json } from "../connector.ts";
import type { ConnectorError, ConnectorErrorCode } from "../errors.ts";
import type { HttpAnswer, HttpClient } from "../http.ts";
import { retryAfterMs } from "../http-retry.ts";
import { resetAt } from "./rate-window.ts";
import { shippedLabels } from "./status-field.ts";

/** What was being done, for the message and for what the answer means. */
export interface Attempt {
  /** "update incident 9d38…": reads well after "ServiceNow refused to". */
  readonly what: string;
  readonly write: boolean;
  /** To turn the labels that policies speak of back into element names. */
  readonly schema?: EntitySchema | undefined;
}

const envelope = z.looseObject({ error: z.union([z.looseObject({ message: z.string().nullish(), detail: z.string().nullish() }), z.string()]) });

/** True when an answer is none: an error status, or an error object in spite of 200 [R]. */
export function isRefused(answer: HttpAnswer): boolean {
  return answer.status >= 400 || envelope.safeParse(answer.body).success;
}

/** The platform's refusal in the words of the closed set. 401 is the client's business and does not come here. */
export function refusalOf(http: HttpClient, answer: HttpAnswer, attempt: Attempt): ConnectorError {
  const { message, detail } = wordsOf(answer.body);
  const words = [message, detail].filter((text) => text !== "").join(": ") || `HTTP status ${answer.status}`;
  const code = codeOf(answer.status, words, attempt.write);
  const labels = mandatoryLabels(words);
  const fields = labels.map((label) => fieldNamed(label, attempt.schema));
  const named = attempt.schema !== undefined && fields.length > 0 ? ` (${fields.join(", ")})` : "";
  const advice = adviceFor(code, answer.status, words);
  const wait = code === "THROTTLED" ? waitMs(http, answer) : undefined;
  return http.error(code, {
    message: `ServiceNow refused to ${attempt.what}: ${words}${named}`,
    ...(advice === undefined ? {} : { advice }),
    fields,
    ...(wait === undefined ? {} : { retryAfterMs: wait }),
    uncertain: code === "TRANSIENT" && attempt.write,
    status: answer.status,
    ...(/html/i.test(answer.headers["content-type"] ?? "") ? { cause: new WebPage() } : {}),
    ...(message === "" ? {} : { platformCode: http.redact(message) }),
  });
}

/** Until the time that the platform names, or until its hour of counting ends. */
function waitMs(http: HttpClient, answer: HttpAnswer): number | undefined {
  const asked = retryAfterMs(answer.headers);
  const reset = resetAt(answer.headers);
  if (asked !== undefined || reset === undefined) return asked;
  return Math.min(Math.max(reset - http.now().getTime(), 0), 3_600_000);
}

/** The cause of refusals that are web pages: something stood between us and the platform, so they say nothing of what it has. */
export class WebPage extends Error {
  override readonly name = "WebPage";
  constructor() {
    super("The answer is a web page.");
  }
}

const instanceCodes: ReadonlySet<ConnectorErrorCode> = new Set(["AUTH_EXPIRED", "AUTH_CONFIG", "TRANSIENT", "THROTTLED", "PROTOCOL"]);

/** Errors of the instance or the way to it, which every other record would meet too. */
export function concernsInstance(error: ConnectorError): boolean {
  return instanceCodes.has(error.code);
}

/** What the platform says in its error envelope; empty where there is none. */
export function wordsOf(body: Json | undefined): { readonly message: string; readonly detail: string } {
  const parsed = envelope.safeParse(body);
  if (!parsed.success) return { message: "", detail: "" };
  const { error } = parsed.data;
  return typeof error === "string" ? { message: error, detail: "" } : { message: error.message?.trim() ?? "", detail: error.detail?.trim() ?? "" };
}

function codeOf(status: number, words: string, write: boolean): ConnectorErrorCode {
  if (/Transaction cancelled|maximum execution time/i.test(words)) return "TRANSIENT";
  if (/Data Policy Exception|aborted by Business Rule/i.test(words)) return "VALIDATION";
  if (/Invalid table|does not represent any resource|Exception while reading request|Method not supported/i.test(words)) return "BAD_REQUEST";
  switch (status) {
    case 401:
      return "AUTH_EXPIRED";
    case 403:
      return "PERMISSION";
    case 404:
      return "NOT_FOUND_OR_HIDDEN";
    case 409:
    case 412:
      return "CONFLICT";
    case 413:
    case 414:
      return "TOO_LARGE";
    case 429:
      return "THROTTLED";
    case 400:
      return write ? "VALIDATION" : "BAD_REQUEST";
    default:
      // 408, 5xx, and an error that came with 200.
      return status === 408 || status >= 500 || status < 400 ? "TRANSIENT" : "BAD_REQUEST";
  }
}

/** `Data Policy Exception: The following fields are mandatory: Resolution code, Resolution notes`: labels, not names [R]. */
function mandatoryLabels(words: string): string[] {
  const list = /fields are mandatory:\s*(.+?)\s*$/s.exec(words)?.[1];
  return list === undefined
    ? []
    : list
        .split(",")
        .map((label) => label.trim().replace(/\.$/, ""))
        .filter((label) => label !== "");
}

function fieldNamed(label: string, schema: EntitySchema | undefined): string {
  const named = schema?.fields.find((field) => field.label === label)?.name;
  if (named !== undefined) return named;
  const shipped = shippedLabels[label];
  return shipped !== undefined && (schema === undefined || schema.sampled || schema.fields.some(({ name }) => name === shipped)) ? shipped : label;
}

function adviceFor(code: ConnectorErrorCode, status: number, words: string): string | undefined {
  if (/fields are mandatory/.test(words)) return "Set these fields in the rule together with the ones that make them mandatory.";
  const rule = /aborted by Business Rule\s*'?([^'^]*)/i.exec(words);
  if (rule !== null) {
    const name = rule[1]?.trim() ?? "";
    return `${name === "" ? "A business rule" : `The business rule “${name}”`} of the instance forbids this; its administrator can say why.`;
  }
  if (/maximum execution time/i.test(words)) return "The instance gave up on a slow query: narrow the trigger's query, or ask for an index.";
  if (code === "PERMISSION") return "Give the integration account the rights for it (roles or access controls).";
  if (code === "THROTTLED") return "Raise the rate limit rule that covers the integration account, or let fewer triggers watch the instance.";
  if (status >= 502 && status <= 504) return "The instance is too busy (its pool for API calls is taken) or restarting: this is tried again by itself.";
  if (status === 414) return "The query is too long for one call.";
  return undefined;
}
