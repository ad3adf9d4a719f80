import { createPrivateKey, type KeyObject, randomUUID } from "node:crypto";
import { SignJWT } from "jose";
import { ConnectorError } from "../errors.ts";

/** How long an assertion counts, in seconds; each is used once. */
const lifeSeconds = 300;

/**
 * What the instance trades for a session: a token signed with our key. Issuer and audience are both the client id, every `jti`
 * counts once, and clocks have no tolerance, so the time is the instance's own [D].
 */
export async function jwtAssertion(
  auth: { readonly clientId: string; readonly username: string; readonly kid?: string | undefined },
  privateKey: string,
  now: Date,
): Promise<string> {
  const seconds = Math.floor(now.getTime() / 1000);
  return await new SignJWT({})
    .setProtectedHeader({ alg: "RS256", typ: "JWT", ...(auth.kid === undefined ? {} : { kid: auth.kid }) })
    .setIssuer(auth.clientId)
    .setAudience(auth.clientId)
    .setSubject(auth.username)
    .setJti(randomUUID())
    // The instance's time is known to the second only.
    .setIssuedAt(seconds - 2)
    .setExpirationTime(seconds + lifeSeconds)
    .sign(keyOf(privateKey));
}

function keyOf(pem: string): KeyObject {
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType === "rsa") return key;
  } catch {
    // The reason could hold parts of the key.
  }
  throw new ConnectorError("AUTH_CONFIG", {
    message: "The secret “privateKey” of the ServiceNow account is not an RSA private key.",
    advice: "Give the whole PEM text, “-----BEGIN PRIVATE KEY-----” and line breaks included, without a passphrase.",
  });
}
