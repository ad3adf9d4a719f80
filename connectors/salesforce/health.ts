import type { HealthReport } from "../connector.ts";
import { ConnectorError } from "../errors.ts";
import type { Reader } from "./read.ts";
import { quoted } from "./soql.ts";

/** Below this part of the daily calls a report warns. */
const lowQuota = 0.1;

/** Signs in and says who we are there, and what will give trouble. */
export async function checkHealth({ client, schemas, config }: Reader): Promise<HealthReport> {
  const me = await client.userId();
  const [user] = await client.query(`SELECT Name, Username FROM User WHERE Id = ${quoted(me)}`, "read the own user");
  const problems = [...(await quotaProblems(client)), ...(await markerProblems(schemas, config.markerField))];
  return { account: user === undefined ? me : `${String(user.Name)} (${String(user.Username)})`, problems };
}

async function quotaProblems(client: Reader["client"]): Promise<string[]> {
  const limits = (await client.data({ method: "GET", path: "/limits", what: "read the limits", write: false, repeatable: true })) as {
    DailyApiRequests?: { Max?: unknown; Remaining?: unknown };
  }; // each is looked at
  const { Max, Remaining } = limits.DailyApiRequests ?? {};
  if (typeof Max !== "number" || typeof Remaining !== "number" || Remaining >= Max * lowQuota) return [];
  return [`Only ${Remaining} of ${Max} API calls are left for the next 24 hours.`];
}

async function markerProblems(schemas: Reader["schemas"], marker: string): Promise<string[]> {
  try {
    // Somebody who has just added the field wants to see it.
    schemas.forget("Case");
    const field = (await schemas.object("Case")).byName.get(marker);
    if (field?.createable && field.filterable) return [];
    return [
      `Case has no field ${marker} that this account may write: a create whose answer is lost is then looked for by its content. Add it as a unique external id of type text (255).`,
    ];
  } catch (error) {
    // An org without Service Cloud has no cases; what it does have is found out when it is used.
    if (error instanceof ConnectorError && error.code === "BAD_REQUEST") return [];
    throw error;
  }
}
