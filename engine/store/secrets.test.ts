import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { expect, test } from "vitest";
import { nodeKey, Secret, Vault } from "./secrets.ts";

const text = "s3cr3t-π";

test("a sealed secret opens at its own place with its own key, and nowhere else", () => {
  const vault = new Vault(randomBytes(32));
  const sealed = vault.seal(new Secret(text), "helpdesk/password");
  expect(JSON.stringify(sealed)).not.toContain(text);
  expect(vault.open(sealed, "helpdesk/password").reveal()).toBe(text);
  expect(() => vault.open(sealed, "other/password")).toThrow();
  expect(() => vault.open({ ...sealed, text: Buffer.from("changed").toString("base64") }, "helpdesk/password")).toThrow();
  expect(() => new Vault(randomBytes(32)).open(sealed, "helpdesk/password")).toThrow(/sealed with another key/);
});

test("sealing twice gives different texts, while the fingerprint tells that the secret is the same", () => {
  const vault = new Vault(randomBytes(32));
  const place = "helpdesk/password";
  expect(vault.seal(new Secret(text), place)).not.toEqual(vault.seal(new Secret(text), place));
  expect(vault.fingerprint(new Secret(text), place)).toBe(vault.fingerprint(new Secret(text), place));
  expect(vault.fingerprint(new Secret(`${text}!`), place)).not.toBe(vault.fingerprint(new Secret(text), place));
});

test("a secret does not show itself when it is printed, logged or turned into JSON", () => {
  const secret = new Secret(text);
  expect(`${String(secret)} ${JSON.stringify({ secret })} ${inspect({ deep: { secret } })}`).toBe(
    '[secret] {"secret":"[secret]"} { deep: { secret: [secret] } }',
  );
});

test("the node's key is made once, readable by its owner alone, and can be given instead", async () => {
  const folder = await mkdtemp(join(tmpdir(), "isobridge-key-"));
  try {
    const file = join(folder, "data", "key");
    const key = await nodeKey(file, undefined);
    expect(await nodeKey(file, undefined)).toEqual(key);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await nodeKey(file, key.toString("hex"))).toEqual(key);
    expect(await nodeKey(file, (await readFile(file, "utf8")).trim())).toEqual(key);
    await expect(nodeKey(file, "short")).rejects.toThrow(/ISOBRIDGE_KEY must hold 32 bytes/);
    await writeFile(file, "damaged");
    await expect(nodeKey(file, undefined)).rejects.toThrow(/does not hold a key of 32 bytes/);
  } finally {
    await rm(folder, { recursive: true });
  }
});
