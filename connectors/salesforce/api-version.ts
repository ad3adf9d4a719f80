import { ConnectorError } from "../errors.ts";
import type { SalesforceClient } from "./client.ts";

/** Throws AUTH_CONFIG where the org does not offer the version of the API that is asked for: every call is then answered as if nothing were there. */
export async function assertVersion(client: SalesforceClient): Promise<void> {
  const versions = (await client.versions()).toSorted((a, b) => Number(a) - Number(b));
  if (versions.length === 0 || versions.includes(client.version)) return;
  throw new ConnectorError("AUTH_CONFIG", {
    message: `The org does not offer version ${client.version} of the API; its oldest is ${versions[0]}, its newest ${versions.at(-1)}.`,
    advice: "Set `apiVersion` to one of them.",
  });
}
