import { createHash } from "node:crypto";

const blockBytes = 65_536;

/** So many bytes that are the same each time, without ever being held at once. Each block carries its number, so that blocks lost or swapped change the hash. */
export function* generatedBytes(total: number): Generator<Buffer> {
  const pattern = Buffer.alloc(blockBytes);
  for (let at = 0; at < blockBytes; at++) pattern[at] = (at * 31 + (at >> 8)) & 0xff;
  for (let sent = 0; sent < total; sent += blockBytes) {
    const block = Buffer.from(pattern.subarray(0, Math.min(blockBytes, total - sent)));
    if (block.length >= 8) block.writeBigUInt64BE(BigInt(sent / blockBytes));
    yield block;
  }
}

/** SHA-256 of {@link generatedBytes}, in hex: what a copy of them must have. */
export function generatedHash(total: number): string {
  const hash = createHash("sha256");
  for (const block of generatedBytes(total)) hash.update(block);
  return hash.digest("hex");
}
