/** Describes whatever a rule threw, as plain data, whatever it is. */

export interface ThrownError {
  /** The code of the helper that failed, if that is what was thrown. */
  readonly code?: string;
  readonly message: string;
  /** The engine's stack text, to be searched for frames of the rule. */
  readonly stack: string;
}

const messageLength = 2_000;
const stackLength = 8_000;

/** Never throws. A getter that loops runs into the rule's own time limit. */
export function describeThrown(thrown: unknown): ThrownError {
  try {
    return { message: messageOf(thrown, 0), stack: stackOf(thrown) };
  } catch {
    return { message: "the rule threw something that cannot be read", stack: "" };
  }
}

function messageOf(thrown: unknown, depth: number): string {
  if (typeof thrown === "string") return cut(thrown);
  if (typeof thrown === "function") return "the rule threw a function";
  if (typeof thrown !== "object" || thrown === null) return `the rule threw ${typeof thrown === "bigint" ? `${cut(String(thrown))}n` : cut(String(thrown))}`;
  const { name, message, cause, errors } = thrown as Record<string, unknown>;
  if (typeof message !== "string") return "the rule threw an object that is not an error";
  const own = typeof name === "string" && name !== "" && name !== "Error" ? `${cut(name)}: ${cut(message)}` : cut(message);
  if (depth >= 3) return own;
  const inner: unknown = cause ?? (Array.isArray(errors) ? errors[0] : undefined);
  return cut(inner === undefined || inner === null ? own : `${own} (caused by: ${messageOf(inner, depth + 1)})`);
}

function stackOf(thrown: unknown): string {
  if (typeof thrown !== "object" || thrown === null) return "";
  const { stack } = thrown as { stack?: unknown };
  if (typeof stack !== "string") return "";
  // A long message stands before the frames: keep the end of it.
  return stack.length > stackLength ? stack.slice(-stackLength) : stack;
}

function cut(text: string): string {
  return text.length > messageLength ? `${text.slice(0, messageLength)}…` : text;
}
