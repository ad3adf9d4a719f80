import type { Connector, Json } from "../../connectors/connector.ts";
import { ConnectorError } from "../../connectors/errors.ts";
import { isJsonObject } from "../replica/json.ts";
import { allowedWrites, type SideRow } from "../store/configuration.ts";
import { whyNotAllowed, whyNotRead } from "./allowed-paths.ts";
import type { SyncContext } from "./context.ts";

/**
 * A rule's own call of the platform's REST API. Reading is free; anything else needs an allowance of its side for that method and path. Throws a
 * ConnectorError: PERMISSION with what an administrator would have to add, or what the platform answered.
 */
export async function platformRequest(
  context: SyncContext,
  side: SideRow,
  connector: Connector,
  { method, path, body }: { readonly method: string; readonly path: string; readonly body?: Json | undefined },
): Promise<Json> {
  const verb = method.toUpperCase();
  const refused = verb === "GET" ? whyNotRead(path) : whyNotAllowed(await allowedWrites(context.db, side.id), verb, path);
  if (refused !== undefined) throw new ConnectorError("PERMISSION", { message: `platform.request: ${refused}` });
  return verb === "GET" ? await connector.request("GET", path) : await connector.request(verb, path, body);
}

/** What a previewed rule would have sent to the platform, a line each. */
export function requestsInWords(calls: unknown): string[] {
  if (!Array.isArray(calls)) return [];
  return calls.flatMap((each: { readonly call?: Json; readonly answer?: Json }) => {
    if (!isJsonObject(each.call) || !isJsonObject(each.answer) || each.call["name"] !== "platform.request" || each.answer["ok"] !== true) return [];
    const [method, path, body] = Array.isArray(each.call["args"]) ? each.call["args"] : [];
    if (typeof method !== "string" || typeof path !== "string" || method.toUpperCase() === "GET") return [];
    const sent = body === undefined || body === null ? "" : ` ${JSON.stringify(body)}`;
    return [`Send ${method.toUpperCase()} ${path}${sent.length > 200 ? `${sent.slice(0, 199)}…` : sent}; the preview answered null`];
  });
}
