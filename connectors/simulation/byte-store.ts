import { createHash } from "node:crypto";
import { createReadStream, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";

/** Bytes that have arrived and are not kept under a name yet. */
export interface ArrivedBytes {
  readonly size: number;
  readonly md5: string;
  /** In hex. */
  readonly sha256: string;
  readonly held: { readonly kind: "memory"; readonly bytes: Buffer } | { readonly kind: "file"; readonly path: string };
}

/** More than this is written to a file while it arrives. */
const inMemory = 1_000_000;

/**
 * The bytes of files of a simulated platform, by id. With a folder they are kept in it; without, small ones stay in memory and big ones go to a
 * temporary folder, so that a file of a gigabyte takes little memory.
 */
export class ByteStore {
  readonly #folder: string | undefined;
  readonly #small = new Map<string, Buffer>();
  #temporary: string | undefined;
  #arrivals = 0;

  constructor(folder?: string) {
    this.#folder = folder === undefined ? undefined : join(folder, "blobs");
    if (this.#folder !== undefined) mkdirSync(this.#folder, { recursive: true });
  }

  /** Takes bytes as they arrive. */
  async arrive(chunks: AsyncIterable<Uint8Array>): Promise<ArrivedBytes> {
    const md5 = createHash("md5");
    const sha256 = createHash("sha256");
    let size = 0;
    let held: Buffer[] = [];
    let file: { readonly path: string; readonly handle: FileHandle } | undefined;
    try {
      for await (const chunk of chunks) {
        md5.update(chunk);
        sha256.update(chunk);
        size += chunk.length;
        if (file !== undefined) await file.handle.write(chunk);
        else {
          held.push(Buffer.from(chunk));
          if (size <= inMemory) continue;
          const path = join(this.#place(), `arriving-${++this.#arrivals}.part`);
          file = { path, handle: await open(path, "w") };
          for (const part of held) await file.handle.write(part);
          held = [];
        }
      }
    } catch (error) {
      if (file !== undefined) rmSync(file.path, { force: true });
      throw error;
    } finally {
      await file?.handle.close();
    }
    const hashes = { md5: md5.digest("hex"), sha256: sha256.digest("hex") };
    return { size, ...hashes, held: file === undefined ? { kind: "memory", bytes: Buffer.concat(held) } : { kind: "file", path: file.path } };
  }

  /** Bytes that came at once. */
  whole(bytes: Buffer): ArrivedBytes {
    const hex = (algorithm: string) => createHash(algorithm).update(bytes).digest("hex");
    return { size: bytes.length, md5: hex("md5"), sha256: hex("sha256"), held: { kind: "memory", bytes } };
  }

  keep(id: string, { held }: ArrivedBytes): void {
    if (held.kind === "memory" && this.#folder === undefined) {
      this.#small.set(id, held.bytes);
      return;
    }
    const path = this.#path(id);
    if (held.kind === "file") renameSync(held.path, path);
    else {
      writeFileSync(`${path}.part`, held.bytes);
      renameSync(`${path}.part`, path);
    }
  }

  /** Forgets bytes that arrived and are kept under no id. */
  drop({ held }: ArrivedBytes): void {
    if (held.kind === "file") rmSync(held.path, { force: true });
  }

  delete(id: string): void {
    this.#small.delete(id);
    if (this.#folder !== undefined || this.#temporary !== undefined) rmSync(this.#path(id), { force: true });
  }

  /** The bytes kept under an id; none for an id that has none. */
  read(id: string): { readonly size: number; readonly open: () => Readable } {
    const small = this.#small.get(id);
    if (small !== undefined) return { size: small.length, open: () => Readable.from(small.length === 0 ? [] : [small]) };
    const path = this.#folder === undefined && this.#temporary === undefined ? undefined : this.#path(id);
    if (path === undefined || !existsSync(path)) return { size: 0, open: () => Readable.from([]) };
    return { size: statSync(path).size, open: () => createReadStream(path) };
  }

  /** Throws away what was only kept for this run. */
  close(): void {
    if (this.#temporary !== undefined) rmSync(this.#temporary, { recursive: true, force: true });
    this.#temporary = undefined;
  }

  #path(id: string): string {
    return join(this.#place(), encodeURIComponent(id));
  }

  #place(): string {
    if (this.#folder !== undefined) return this.#folder;
    this.#temporary ??= mkdtempSync(join(tmpdir(), "simulated-files-"));
    return this.#temporary;
  }
}
