import type { Account } from "./accounts.ts";
import type { Instance } from "./instance.ts";
import { Refusal, refusals } from "./refusal.ts";

/** Who calls, by API key, basic authentication or bearer token; thrown is the 401 that others get. */
export function authenticate(instance: Instance, header: (name: string) => string | undefined): Account {
  const [scheme = "", credentials = ""] = (header("authorization") ?? "").split(" ");
  const apiKey = header("x-sn-apikey");
  const account =
    apiKey !== undefined
      ? instance.accounts.get(instance.tables.get("__api_key", apiKey)?.userName ?? "")
      : scheme.toLowerCase() === "basic"
        ? basicAccount(instance, credentials)
        : scheme.toLowerCase() === "bearer"
          ? bearerAccount(instance, credentials)
          : undefined;
  if (account === undefined || !mayEnter(instance, account.userName)) throw refusals.notAuthenticated();
  return account;
}

/** Whether a user is active and not locked out. */
export function mayEnter(instance: Instance, userName: string): boolean {
  const account = instance.accounts.get(userName);
  const row = account === undefined ? undefined : instance.store.find("sys_user", account.userId)?.row;
  return account !== undefined && row?.active !== "false" && row?.locked_out !== "true";
}

function basicAccount(instance: Instance, credentials: string): Account | undefined {
  const decoded = Buffer.from(credentials, "base64").toString("utf8");
  const colon = decoded.indexOf(":");
  const account = colon < 0 ? undefined : instance.accounts.get(decoded.slice(0, colon));
  if (account === undefined || account.password !== decoded.slice(colon + 1)) return undefined;
  // The second factor cannot be given here; a header says that it is what is missing [D].
  if (account.multiFactor) throw new Refusal(401, "User Not Authenticated", "Required to provide Auth information", { "x-mfa_token": "invalid" });
  // Restriction of basic authentication: only accounts with the role get through, and the answer does not say why [R].
  return instance.settings.basicAuthRestricted && !account.roles.includes("snc_basic_auth_api_access") ? undefined : account;
}

function bearerAccount(instance: Instance, token: string): Account | undefined {
  const row = instance.tables.get("__token", token);
  if (row?.kind !== "access" || Number(row.expires) <= instance.clock.now().getTime()) return undefined;
  return instance.accounts.get(row.userName ?? "");
}
