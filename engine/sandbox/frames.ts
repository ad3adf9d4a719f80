/** Frames on a pipe: four bytes of length, a header line, a payload. */

export function encodeFrame(header: object, payload = ""): Buffer {
  const text = `${JSON.stringify(header)}\n${payload}`;
  const length = Buffer.byteLength(text);
  const frame = Buffer.allocUnsafe(length + 4);
  frame.writeUInt32LE(length);
  frame.write(text, 4, "utf8");
  return frame;
}

/** Largest frame that a child may send: a result of 2 MB in the widest encoding, or eight calls with their arguments, and its console. */
export const longestFrame = 16 * 1024 * 1024;

/** Cuts a stream of bytes into frames. */
export class FrameReader {
  readonly #longest: number;
  #chunks: Buffer[] = [];
  #size = 0;
  #needed = 4;

  constructor(longest = longestFrame) {
    this.#longest = longest;
  }

  /** Calls `onFrame` for each whole frame; false when the stream is not made of frames that we accept. */
  push(chunk: Buffer, onFrame: (header: string, payload: string) => void): boolean {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    if (this.#size < this.#needed) return true;
    const bytes = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks, this.#size);
    let offset = 0;
    this.#needed = 4;
    while (bytes.length - offset >= 4) {
      const length = bytes.readUInt32LE(offset);
      if (length > this.#longest) return false;
      if (bytes.length - offset - 4 < length) {
        this.#needed = length + 4;
        break;
      }
      const end = offset + 4 + length;
      const cut = bytes.indexOf(10, offset + 4);
      if (cut === -1 || cut >= end) return false;
      onFrame(bytes.toString("utf8", offset + 4, cut), bytes.toString("utf8", cut + 1, end));
      offset = end;
    }
    this.#chunks = offset === bytes.length ? [] : [bytes.subarray(offset)];
    this.#size = bytes.length - offset;
    return true;
  }
}
