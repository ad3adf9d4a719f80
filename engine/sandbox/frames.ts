/** Frames on a pipe: four bytes of length, a header line, a payload. */

export function encodeFrame(header: object, payload = ""): Buffer {
  const text = `${JSON.stringify(header)}\n${payload}`;
  const length = Buffer.byteLength(text);
  const frame = Buffer.allocUnsafe(length + 4);
  frame.writeUInt32LE(length);
  frame.write(text, 4, "utf8");
  return frame;
}

/**
 * Frames that leave in one write. Each piece of text is encoded where it is to lie: made into one text first, 2 KB would be copied twice more, and the 140 KB of
 * a batch be allocated and thrown away [M].
 */
export class FrameWriter {
  readonly #spare: Buffer[] = [];
  #buffer: Buffer = Buffer.allocUnsafeSlow(bufferBytes);
  #used = 0;
  #start = 0;

  get isEmpty(): boolean {
    return this.#used === 0;
  }

  /** Opens a frame with its header. */
  open(header: object): void {
    this.#start = this.#used;
    this.#used += 4;
    this.add(JSON.stringify(header));
    this.addLineFeed();
  }

  add(text: string): void {
    // Three bytes are the most that a UTF-16 unit takes; one more for a line feed.
    this.#reserve(text.length * 3 + 1);
    this.#used += this.#buffer.write(text, this.#used, "utf8");
  }

  addLineFeed(): void {
    this.#buffer[this.#used] = 10;
    this.#used += 1;
  }

  close(): void {
    this.#buffer.writeUInt32LE(this.#used - this.#start - 4, this.#start);
  }

  /** All bytes so far; they may be given back by `recycle` once they are written. */
  take(): Buffer {
    const bytes = this.#buffer.subarray(0, this.#used);
    this.#buffer = this.#spare.pop() ?? Buffer.allocUnsafeSlow(bufferBytes);
    this.#used = 0;
    return bytes;
  }

  recycle(bytes: Buffer): void {
    if (this.#spare.length < mostSpare && bytes.buffer.byteLength === bufferBytes) this.#spare.push(Buffer.from(bytes.buffer));
  }

  #reserve(bytes: number): void {
    const needed = this.#used + bytes;
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#buffer.length));
    this.#buffer.copy(larger, 0, 0, this.#used);
    this.#buffer = larger;
  }
}

const bufferBytes = 1024 * 1024;
const mostSpare = 2;

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
    return this.pushBytes(chunk, (header, payload) => onFrame(header, payload.toString("utf8")));
  }

  /** The same with payloads as bytes, for who takes them apart. */
  pushBytes(chunk: Buffer, onFrame: (header: string, payload: Buffer) => void): boolean {
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
      onFrame(bytes.toString("utf8", offset + 4, cut), bytes.subarray(cut + 1, end));
      offset = end;
    }
    this.#chunks = offset === bytes.length ? [] : [bytes.subarray(offset)];
    this.#size = bytes.length - offset;
    return true;
  }
}
