import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from "node:crypto";
import { chmod, mkdir, open, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { inspect } from "node:util";
import type { Db } from "./database.ts";
import { jsonText } from "./database.ts";
import type { SealedSecret } from "./schema.ts";

/** Text that must not be printed: every way of turning it into text says `[secret]`, only `reveal` gives it. */
export class Secret {
  readonly #text: string;
  constructor(text: string) {
    this.#text = text;
  }
  reveal(): string {
    return this.#text;
  }
  toString(): string {
    return "[secret]";
  }
  toJSON(): string {
    return "[secret]";
  }
  [inspect.custom](): string {
    return "[secret]";
  }
}

/**
 * Seals secrets with the node's key. Each text gets a key of its own (AES-256-GCM, used once), which is wrapped by the node's
 * key; the place (instance and name) is authenticated with it, so that a sealed text cannot be moved to another place.
 */
export class Vault {
  readonly #key: Buffer;
  readonly keyId: string;

  constructor(key: Buffer) {
    if (key.length !== 32) throw new Error("The node's key must be 32 bytes long.");
    this.#key = key;
    this.keyId = createHash("sha256").update("isobridge key id").update(key).digest("hex").slice(0, 16);
  }

  seal(secret: Secret, place: string): SealedSecret {
    const once = randomBytes(32);
    const text = encrypt(once, Buffer.from(secret.reveal(), "utf8"), place);
    const wrapped = encrypt(this.#key, once, place);
    return {
      version: 1,
      keyId: this.keyId,
      nonce: text.nonce,
      tag: text.tag,
      text: text.bytes,
      keyNonce: wrapped.nonce,
      keyTag: wrapped.tag,
      wrappedKey: wrapped.bytes,
    };
  }

  /** Throws when the node's key is another one, or when the sealed text was changed or moved. */
  open(sealed: SealedSecret, place: string): Secret {
    if (sealed.keyId !== this.keyId) throw new Error(`The secret ${place} was sealed with another key (${sealed.keyId}); this node has ${this.keyId}.`);
    const once = decrypt(this.#key, sealed.keyNonce, sealed.keyTag, sealed.wrappedKey, place);
    return new Secret(decrypt(once, sealed.nonce, sealed.tag, sealed.text, place).toString("utf8"));
  }

  /** Tells whether a text changed without keeping the text. */
  fingerprint(secret: Secret, place: string): string {
    return createHmac("sha256", this.#key).update(place).update("\0").update(secret.reveal()).digest("hex");
  }
}

/**
 * The node's key: from `ISOBRIDGE_KEY` (32 bytes in base64 or hex), else from the file, which is made with a fresh key (mode 600)
 * when it does not exist. Several machines on one database need the same key, hence the variable.
 */
export async function nodeKey(file: string, variable: string | undefined): Promise<Buffer> {
  if (variable !== undefined && variable !== "") {
    const key = /^[0-9a-f]{64}$/i.test(variable) ? Buffer.from(variable, "hex") : Buffer.from(variable, "base64");
    if (key.length !== 32) throw new Error("ISOBRIDGE_KEY must hold 32 bytes in base64 or hex. Make one with: openssl rand -base64 32");
    return key;
  }
  await mkdir(dirname(file), { recursive: true });
  try {
    const handle = await open(file, "wx", 0o600);
    const key = randomBytes(32);
    await handle.writeFile(`${key.toString("base64")}\n`);
    await handle.sync();
    await handle.close();
    await chmod(file, 0o600);
    return key;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  const key = Buffer.from((await readFile(file, "utf8")).trim(), "base64");
  if (key.length !== 32) throw new Error(`${file} does not hold a key of 32 bytes. Restore it from a backup: without it the stored secrets cannot be read.`);
  return key;
}

/**
 * Remembers in the database which key it was sealed with, and refuses another one at the start rather than at the first
 * sign-in. Throws with what to do.
 */
export async function confirmKey(db: Db, vault: Vault): Promise<void> {
  await db
    .insertInto("setting")
    .values({ key: "key-id", value: jsonText(vault.keyId) })
    .onConflict((conflict) => conflict.column("key").doNothing())
    .execute();
  const stored = await db.selectFrom("setting").select("value").where("key", "=", "key-id").executeTakeFirstOrThrow();
  if (stored.value !== vault.keyId) {
    throw new Error(
      `This database's secrets were sealed with the key ${String(stored.value)}, but this node has the key ${vault.keyId}. ` +
        "Set ISOBRIDGE_KEY to the key of the node that made the database, or copy its key file.",
    );
  }
}

function encrypt(key: Buffer, bytes: Buffer, place: string): { nonce: string; tag: string; bytes: string } {
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(place, "utf8"));
  const sealed = Buffer.concat([cipher.update(bytes), cipher.final()]);
  return { nonce: nonce.toString("base64"), tag: cipher.getAuthTag().toString("base64"), bytes: sealed.toString("base64") };
}

function decrypt(key: Buffer, nonce: string, tag: string, bytes: string, place: string): Buffer {
  const decipher = createDecipheriv("aes-256-gcm", key, Buffer.from(nonce, "base64")).setAAD(Buffer.from(place, "utf8")).setAuthTag(Buffer.from(tag, "base64"));
  return Buffer.concat([decipher.update(Buffer.from(bytes, "base64")), decipher.final()]);
}
