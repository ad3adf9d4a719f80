import { AxiosError } from "axios";
import { ConnectorError } from "./errors.ts";

export interface FailedCall {
  /** `GET /path`. */
  readonly what: string;
  readonly platform: string;
  readonly origin: string;
  readonly changes: boolean;
  /** Set when our own deadline ended the call. */
  readonly timedOutAfterMs: number | undefined;
  readonly redact: (text: string) => string;
}

/** Turns a failure below HTTP into an error of the closed set. The library's own error holds the headers, so it is never kept as a cause. */
export function networkError(error: unknown, call: FailedCall): ConnectorError {
  const code = codeOf(error);
  if (error instanceof AxiosError && code === AxiosError.ERR_BAD_RESPONSE && /maxContentLength/.test(error.message)) {
    return new ConnectorError("TOO_LARGE", { message: `${call.platform} answered ${call.what} with more than this node takes in at once.` });
  }
  const neverSent = neverSentReasons[code];
  const certificate = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ERR_TLS/.test(code);
  if (certificate) {
    return new ConnectorError("AUTH_CONFIG", {
      message: `The certificate of ${call.origin} is not trusted (${code}).`,
      advice: "Check the address; for a certificate authority of your own, start the node with NODE_EXTRA_CA_CERTS.",
    });
  }
  const reason =
    neverSent ?? (call.timedOutAfterMs === undefined ? (sentReasons[code] ?? "the connection failed") : `no answer within ${call.timedOutAfterMs} ms`);
  const text = call.redact(error instanceof Error ? error.message : String(error));
  return new ConnectorError("TRANSIENT", {
    message: call.redact(`${call.platform} at ${call.origin} could not be asked (${call.what}): ${reason}.`),
    ...(neverSent === undefined ? {} : { advice: "Check that the address is right and that this node may reach it." }),
    uncertain: neverSent === undefined && call.changes,
    cause: new Error(code === "" ? text : `${code}: ${text}`),
  });
}

/** Failures that end a call before its first byte has left. */
const neverSentReasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: "the connection was refused",
  ENOTFOUND: "its name is unknown",
  EAI_AGAIN: "its name could not be looked up",
  EHOSTUNREACH: "there is no way to the host",
  ENETUNREACH: "there is no way to the network",
};

const sentReasons: Readonly<Record<string, string>> = {
  ECONNRESET: "the connection was dropped",
  EPIPE: "the connection was dropped",
  ECONNABORTED: "the answer was cut off",
  ERR_BAD_RESPONSE: "the answer was cut off",
  ETIMEDOUT: "the connection timed out",
};

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return "";
  if ("code" in error && typeof error.code === "string") return error.code;
  return error.cause === undefined ? "" : codeOf(error.cause);
}
