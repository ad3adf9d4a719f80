import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A key pair of the simulated app, in PEM. */
export interface AppKey {
  readonly privateKey: string;
  readonly publicKey: string;
  /** Where the private key lies, if it was kept. */
  readonly privateKeyFile: string | undefined;
}

/** The key that assertions of the app are signed with; with a folder it lies there and stays the same. */
export function appKey(folder: string | undefined): AppKey {
  const file = folder === undefined ? undefined : join(folder, "integration.key");
  const privateKey = file !== undefined && existsSync(file) ? readFileSync(file, "utf8") : newKey();
  if (file !== undefined && !existsSync(file)) writeFileSync(file, privateKey, { mode: 0o600 });
  return { privateKey, publicKey: createPublicKey(privateKey).export({ type: "spki", format: "pem" }).toString(), privateKeyFile: file };
}

function newKey(): string {
  return generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  }).privateKey;
}
