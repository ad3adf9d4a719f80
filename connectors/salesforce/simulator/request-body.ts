import { Readable } from "node:stream";
import type { ReadableStream as NodeReadableStream } from "node:stream/web";
import type { ArrivedBytes, ByteStore } from "../../simulation/byte-store.ts";
import { readForm } from "../../simulation/multipart.ts";
import { ApiError } from "./api-error.ts";
import type { Input } from "./org.ts";

/** The most text of a JSON request: 37.5 MB of bytes in base64 [D]. */
const jsonLimit = 52_428_800;
/** The most bytes of a file in a form: 2 GB for ContentVersion, 500 MB for others [D]. */
const formLimits = { VersionData: 2_147_483_648, Body: 524_288_000 } as const;

/** The record in a request's body, from JSON or from a multipart form whose parts may come in any order under any name [D,X]. */
export async function recordIn(store: ByteStore, request: Request): Promise<Input> {
  const type = request.headers.get("content-type") ?? "";
  if (Number(request.headers.get("content-length")) > (type.startsWith("multipart/form-data") ? formLimits.VersionData : jsonLimit)) throw tooLarge(jsonLimit);
  if (!type.startsWith("multipart/form-data")) return recordOf(await request.text());
  let record: Input = {};
  const files: Record<string, ArrivedBytes> = {};
  try {
    for await (const part of readForm(contentOf(request), type)) {
      const isFile = part.name === "VersionData" || part.name === "Body" || !(part.contentType.startsWith("application/json") || part.filename === undefined);
      if (isFile) files[part.name] = await store.arrive(limited(part.bytes, part.name === "Body" ? formLimits.Body : formLimits.VersionData));
      else record = { ...record, ...recordOf(await textOf(part.bytes)) };
    }
  } catch (error) {
    if (error instanceof SyntaxError) throw new ApiError(400, "INVALID_MULTIPART_REQUEST", error.message);
    throw error;
  }
  return { ...record, ...files };
}

function contentOf({ body }: Request): Readable {
  // The two kinds of web streams, that of Node and that of the DOM, differ in their types only.
  return body === null ? Readable.from([]) : Readable.fromWeb(body as unknown as NodeReadableStream<Uint8Array>);
}

async function* limited(bytes: AsyncIterable<Uint8Array>, limit: number): AsyncGenerator<Uint8Array> {
  let size = 0;
  for await (const chunk of bytes) {
    size += chunk.length;
    if (size > limit) throw tooLarge(limit);
    yield chunk;
  }
}

async function textOf(bytes: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of limited(bytes, jsonLimit)) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

function recordOf(text: string): Input {
  if (text === "") throw new ApiError(400, "JSON_PARSER_ERROR", "The HTTP entity body is required, but this request has no entity body.");
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Input; // an object by the three tests
  } catch {
    throw new ApiError(400, "JSON_PARSER_ERROR", "Unexpected character at [line:1, column:1]");
  }
  throw new ApiError(400, "JSON_PARSER_ERROR", "Can not deserialize instance of a record out of this value at [line:1, column:1]");
}

function tooLarge(limit: number): ApiError {
  return new ApiError(413, "REQUEST_TOO_LARGE", `Maximum size of request reached. Maximum size of request is ${limit} bytes.`);
}
