import { isMissingEndpoint } from "./absence.ts";
import { salesforceId } from "./id.ts";
import type { Reader } from "./read.ts";
import { quoted } from "./soql.ts";

const what = "say who signed in";

/** The user that this account is: as the sign-in said, or else as can be found out; undefined where nothing tells. */
export async function ownUserId(reader: Reader): Promise<string | undefined> {
  const { client } = reader;
  const ask = async () => await userInfo(client);
  return (
    (await client.signedInUser()) ?? (await client.absences.orElse("userinfo", isMissingEndpoint, ask, async () => undefined)) ?? (await byUsername(reader))
  );
}

async function userInfo(client: Reader["client"]): Promise<string | undefined> {
  const answer = await client.data({ method: "GET", path: "/services/oauth2/userinfo", what, write: false, repeatable: true });
  const { user_id, sub } = answer as { user_id?: unknown; sub?: unknown }; // each is looked at
  const id = typeof user_id === "string" ? user_id : typeof sub === "string" ? sub.split("/").at(-1) : undefined;
  return salesforceId(id ?? "");
}

async function byUsername({ client, config }: Reader): Promise<string | undefined> {
  if (!("username" in config.auth)) return undefined;
  const soql = `SELECT Id FROM User WHERE Username = ${quoted(config.auth.username)}`;
  const [[user] = []] = await client.queries([{ soql, optional: "User" }], what);
  return typeof user?.Id === "string" ? user.Id : undefined;
}
