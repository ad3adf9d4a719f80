import type { Context } from "hono";
import type { z } from "zod";

/** A request that cannot be served, as it is told to the caller. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: 400 | 401 | 403 | 404 | 409 | 413 | 422 | 502;
  readonly code: string;
  readonly diagnostics:
    | readonly { readonly code: string; readonly message: string; readonly line: number; readonly column: number; readonly suggestion?: string }[]
    | undefined;

  /** What the caller needs to go on from here, as data. */
  readonly detail: Readonly<Record<string, unknown>> | undefined;

  constructor(status: ApiError["status"], code: string, message: string, diagnostics?: ApiError["diagnostics"], detail?: ApiError["detail"]) {
    super(message);
    this.detail = detail;
    this.status = status;
    this.code = code;
    this.diagnostics = diagnostics;
  }
}

/** Bytes that a request body may have. A rule's text is at most 256 KB. */
export const bodyLimit = 1024 * 1024;

/**
 * Reads a JSON body and checks it, whatever the content type says: a check that an odd content type can switch off is none.
 * Counts the bytes as they come, since the announced length may be missing or wrong.
 */
export async function readBody<Schema extends z.ZodType>(c: Context, schema: Schema): Promise<z.infer<Schema>> {
  const bytes = await readBytes(c);
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString("utf8"));
  } catch {
    throw new ApiError(400, "BAD_JSON", "The request body is not JSON.");
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new ApiError(400, "BAD_REQUEST", parsed.error.issues.map((issue) => `${issue.path.join(".") || "the body"}: ${issue.message}`).join("; "));
}

/** Reads a body of any kind, whole; 413 beyond {@link bodyLimit}. */
export async function readBytes(c: Context): Promise<Buffer> {
  const stream = c.req.raw.body;
  const parts: Uint8Array[] = [];
  let length = 0;
  if (stream !== null) {
    for await (const part of stream as unknown as AsyncIterable<Uint8Array>) {
      length += part.byteLength;
      if (length > bodyLimit) throw new ApiError(413, "TOO_LARGE", `The request body is longer than ${bodyLimit} bytes.`);
      parts.push(part);
    }
  }
  return Buffer.concat(parts);
}
