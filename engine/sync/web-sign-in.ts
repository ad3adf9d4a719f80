import { createHash, randomBytes } from "node:crypto";
import { ConnectorError } from "../../connectors/errors.ts";
import { platforms, type WebSignIn } from "../../connectors/platforms.ts";
import { type InstanceRow, keepSecret, listInstances, openedSecrets, sealedSecretsOf, setInstanceStopped } from "../store/configuration.ts";
import { transact } from "../store/database.ts";
import { pollAtOnce } from "../store/hints.ts";
import { Secret } from "../store/secrets.ts";
import { beginSignIn, takeSignIn } from "../store/sign-ins.ts";
import type { SyncContext } from "./context.ts";
import { instanceNamed } from "./operations.ts";

type Means = Pick<SyncContext, "db" | "vault">;

/**
 * Begins a sign-in by a browser and gives the address to open. The answer comes to `redirectUri`, which must be registered with the
 * platform's app and lead to {@link finishWebSignIn}. Throws UnknownName, or BAD_REQUEST where the instance signs in otherwise.
 */
export async function beginWebSignIn(means: Means, instanceName: string, redirectUri: string, author: string): Promise<{ readonly url: string }> {
  const instance = await instanceNamed(means.db, instanceName);
  const signIn = webSignInOf(instance);
  const [state, verifier] = [randomBytes(32).toString("base64url"), randomBytes(48).toString("base64url")];
  await beginSignIn(means.db, state, {
    instanceId: instance.id,
    verifier: means.vault.seal(new Secret(verifier), placeOf(instance)),
    redirectUri,
    author,
  });
  const challenge = createHash("sha256").update(verifier).digest("base64url");
  return { url: signIn.authorizeUrl({ redirectUri, state, challenge }) };
}

/** Ends a sign-in with what the browser brought back, keeps the secrets and lets the instance work again. Gives the instance's name. */
export async function finishWebSignIn(means: Means, answer: { readonly state: string; readonly code: string }): Promise<string> {
  const begun = await takeSignIn(means.db, answer.state);
  const instance = begun === undefined ? undefined : (await listInstances(means.db)).find((row) => row.id === begun.instanceId);
  if (begun === undefined || instance === undefined)
    throw new ConnectorError("BAD_REQUEST", { message: "This sign-in is not known, was finished before, or took longer than ten minutes. Begin again." });
  const signIn = webSignInOf(instance);
  const { db, vault } = means;
  const secrets = openedSecrets(vault, instance.name, await sealedSecretsOf(db, instance.id));
  const verifier = vault.open(begun.verifier, placeOf(instance)).reveal();
  const kept = await signIn.exchange({ secrets, code: answer.code, verifier, redirectUri: begun.redirectUri });
  await transact(db, async (tx) => {
    for (const [name, value] of Object.entries(kept)) await keepSecret(tx, vault, instance, name, value);
    await setInstanceStopped(tx, instance.id, null);
    await pollAtOnce(tx, instance.id);
  });
  return instance.name;
}

function webSignInOf(instance: InstanceRow): WebSignIn {
  const signIn = platforms[instance.platform]?.webSignIn?.(instance.config);
  if (signIn === undefined)
    throw new ConnectorError("BAD_REQUEST", {
      message: `The instance ${instance.name} is not configured to sign in with a browser; see its auth in the configuration.`,
    });
  return signIn;
}

function placeOf(instance: InstanceRow): string {
  return `${instance.name}/a sign-in under way`;
}
