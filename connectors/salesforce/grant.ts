import { createPrivateKey, type KeyObject } from "node:crypto";
import { SignJWT } from "jose";
import { ConnectorError } from "../errors.ts";
import type { SalesforceConfig } from "./config.ts";

export type Grant = { grant_type: string; [name: string]: string };
export type Secrets = Readonly<Record<string, string>>;

/** What to ask the token endpoint with; `key` is the place of the private key to sign with, where there are several. */
export async function grantOf({ auth, url }: SalesforceConfig, secrets: Secrets, key: number): Promise<Grant> {
  switch (auth.type) {
    case "jwt-bearer": {
      const pem = privateKeys(secretOf(secrets, "privateKey"))[key] ?? "";
      const jwt = new SignJWT({}).setProtectedHeader({ alg: "RS256" }).setIssuer(auth.clientId).setSubject(auth.username);
      // Salesforce takes assertions that end within five minutes [D]; three leave room for clocks that differ.
      const assertion = await jwt
        .setAudience(auth.audience ?? url)
        .setExpirationTime("3m")
        .sign(keyOf(pem));
      return { grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion };
    }
    case "web-server":
      if (!secrets["refreshToken"])
        throw new ConnectorError("AUTH_CONFIG", {
          message: "Nobody has signed in to this org yet.",
          advice: "Open the instance in the console and sign in to Salesforce.",
        });
      return { grant_type: "refresh_token", client_id: auth.clientId, refresh_token: secrets["refreshToken"], ...clientSecret(secrets) };
    case "client-credentials":
      return { grant_type: "client_credentials", client_id: auth.clientId, client_secret: secretOf(secrets, "clientSecret") };
    case "password":
      return {
        grant_type: "password",
        client_id: auth.clientId ?? "",
        client_secret: secretOf(secrets, "clientSecret"),
        username: auth.username,
        password: secretOf(secrets, "password"),
      };
  }
}

/** The app's secret, where it has one. */
export function clientSecret(secrets: Secrets): Record<string, string> {
  return secrets["clientSecret"] ? { client_secret: secrets["clientSecret"] } : {};
}

/**
 * The keys of a secret that may hold several, one below the other: while the app's certificate is exchanged, the old key and the new one
 * stand there together, and the one that the app knows is used.
 */
export function privateKeys(text: string): string[] {
  const keys = text.match(/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?-----END [A-Z ]*PRIVATE KEY-----/g);
  return keys ?? [text];
}

/** Throws AUTH_CONFIG that names the secret where it is not set. */
export function secretOf(secrets: Secrets, name: string): string {
  const secret = secrets[name];
  if (secret !== undefined && secret !== "") return secret;
  throw new ConnectorError("AUTH_CONFIG", { message: `The secret “${name}” of the Salesforce account is not set.` });
}

function keyOf(pem: string): KeyObject {
  let key: KeyObject | undefined;
  try {
    key = createPrivateKey(pem);
  } catch {
    // The parser's own message may quote the key; the one below says enough.
  }
  if (key?.asymmetricKeyType === "rsa") return key;
  throw new ConnectorError("AUTH_CONFIG", {
    message: "The private key of the Salesforce account is not an RSA key in PEM form.",
    advice: "Give the whole key, from -----BEGIN to END-----, without a passphrase.",
  });
}
