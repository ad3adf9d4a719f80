/** One part of a form while it arrives. Its bytes have to be read before the next part comes; what is left of it is passed over. */
export interface FormPart {
  readonly name: string;
  /** Absent for a plain field. */
  readonly filename: string | undefined;
  readonly contentType: string;
  readonly bytes: AsyncIterable<Buffer>;
}

const blankLine = Buffer.from("\r\n\r\n");

/** Reads a `multipart/form-data` body part by part, without ever holding a file whole. Throws {@link SyntaxError} for a body that is none, or ends in the middle of a part. */
export async function* readForm(body: AsyncIterable<Uint8Array>, contentType: string): AsyncGenerator<FormPart> {
  const [, quoted, plain] = /boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(contentType) ?? [];
  if (quoted === undefined && plain === undefined) throw new SyntaxError("the form names no boundary");
  const boundary = Buffer.from(`\r\n--${quoted ?? plain}`);
  const chunks = body[Symbol.asyncIterator]();
  // The first boundary stands at the very start, without a line before it.
  let held: Buffer = Buffer.from("\r\n");
  const more = async (): Promise<void> => {
    const { value, done } = await chunks.next();
    if (done) throw new SyntaxError("the form ends in the middle of a part");
    held = held.length === 0 ? Buffer.from(value) : Buffer.concat([held, value]);
  };
  const upTo = async (mark: Buffer): Promise<Buffer> => {
    let at = held.indexOf(mark);
    while (at < 0) {
      await more();
      at = held.indexOf(mark);
    }
    const found = held.subarray(0, at);
    held = held.subarray(at + mark.length);
    return found;
  };
  /** The bytes up to the next boundary; a tail that may be the start of one waits for more. */
  const untilBoundary = async function* (): AsyncGenerator<Buffer> {
    for (;;) {
      const at = held.indexOf(boundary);
      if (at >= 0) {
        const last = held.subarray(0, at);
        held = held.subarray(at + boundary.length);
        if (last.length > 0) yield last;
        return;
      }
      const sure = held.length - boundary.length;
      if (sure > 0) {
        const piece = held.subarray(0, sure);
        held = held.subarray(sure);
        yield piece;
      }
      await more();
    }
  };

  await upTo(boundary);
  for (;;) {
    while (held.length < 2) await more();
    if (held.subarray(0, 2).toString("latin1") === "--") return;
    const headers = (await upTo(blankLine)).toString("utf8");
    const disposition = /^content-disposition:(.*)$/im.exec(headers)?.[1] ?? "";
    const pieces = untilBoundary();
    let finished = false;
    // A reader that stops early ends its loop, not the part: the rest is passed over below.
    const bytes = {
      async *[Symbol.asyncIterator]() {
        for (let next = await pieces.next(); !next.done; next = await pieces.next()) yield next.value;
        finished = true;
      },
    };
    yield {
      name: parameter(disposition, "name") ?? "",
      filename: parameter(disposition, "filename"),
      contentType: /^content-type:\s*([^\r\n]+)/im.exec(headers)?.[1]?.trim() ?? "text/plain",
      bytes,
    };
    if (!finished) for (let next = await pieces.next(); !next.done; ) next = await pieces.next();
  }
}

function parameter(disposition: string, name: string): string | undefined {
  const [, quoted, plain] = new RegExp(`[;\\s]${name}=(?:"((?:[^"\\\\]|\\\\.)*)"|([^;\\s]+))`, "i").exec(disposition) ?? [];
  return quoted?.replace(/\\(.)/g, "$1") ?? plain;
}
