import { Hono } from "hono";
import type { SimulatorBindings } from "../../simulation/server.ts";
import { salesforceId } from "../id.ts";
import { organizationId, TokenError } from "./accounts.ts";
import { ApiError } from "./api-error.ts";
import type { SimulatorContext } from "./context.ts";
import { mergeRecords } from "./merge.ts";
import type { Org, Row } from "./org.ts";
import { type Element, escaped, find, readXml, texts } from "./xml.ts";

/**
 * `/services/Soap/u/{version}`: the calls of the SOAP API that have no counterpart in REST: login (for old clients), merge, undelete,
 * emptyRecycleBin, and who am I [D].
 */
export function soapRoutes({ accounts, org }: SimulatorContext): Hono<SimulatorBindings> {
  const app = new Hono<SimulatorBindings>();

  const handle = async (request: Request, version: string): Promise<Response> => {
    const envelope = readXml(await request.text());
    const call = find(envelope, "Body")?.children[0];
    if (call === undefined) return fault("soapenv:Client", "The request is no SOAP envelope");
    const origin = new URL(request.url).origin;
    if (call.name === "login") {
      try {
        const userId = accounts.byPassword(texts(call, "username")[0] ?? "", texts(call, "password")[0] ?? "");
        return answer(
          "login",
          `<passwordExpired>false</passwordExpired><serverUrl>${origin}/services/Soap/u/${version}/${organizationId}</serverUrl><sessionId>${accounts.open(userId)}</sessionId><userId>${userId}</userId><userInfo><organizationId>${organizationId}</organizationId></userInfo>`,
        );
      } catch (error) {
        if (error instanceof TokenError) return fault("INVALID_LOGIN", "INVALID_LOGIN: Invalid username, password, security token; or user locked out.");
        throw error;
      }
    }
    const caller = accounts.userOf(find(envelope, "sessionId")?.text.trim() ?? "");
    if (caller === undefined) return fault("sf:INVALID_SESSION_ID", "INVALID_SESSION_ID: Invalid Session ID found in SessionHeader: Illegal Session");
    org.settle();
    const client = find(envelope, "CallOptions")?.children.find(({ name }) => name === "client")?.text;
    const changeOrigin = `com/salesforce/api/soap/${version}${client === undefined ? "" : `;client=${client}`}`;
    return await org.transactions.run({ changeOrigin, allowDuplicates: false, autoAssign: true, caller }, async () => resultOf(org, call, caller));
  };
  app.post("/services/Soap/u/:version", (c) => handle(c.req.raw, c.req.param("version")));
  app.post("/services/Soap/u/:version/:organization", (c) => handle(c.req.raw, c.req.param("version")));
  return app;
}

function resultOf(org: Org, call: Element, caller: string): Response {
  switch (call.name) {
    case "merge":
      return answer("merge", ...call.children.filter(({ name }) => name === "mergeRequests").map((request) => merged(org, request, caller)));
    case "undelete":
      return answer("undelete", ...texts(call, "ids").map((id) => saved(id, () => restore(org, id, caller))));
    case "emptyRecycleBin":
      return answer("emptyRecycleBin", ...texts(call, "ids").map((id) => saved(id, () => empty(org, id))));
    case "getServerTimestamp":
      return answer("getServerTimestamp", `<timestamp>${org.clock.now().toISOString()}</timestamp>`);
    case "getUserInfo": {
      const row: Partial<Row> = org.tables.get("User", caller) ?? {};
      const { Username, Name, Email } = row;
      const element = (name: string, value: unknown) => `<${name}>${escaped(String(value ?? ""))}</${name}>`;
      return answer(
        "getUserInfo",
        `${element("organizationId", organizationId)}${element("userId", caller)}${element("userName", Username)}${element("userFullName", Name)}${element("userEmail", Email)}`,
      );
    }
    default:
      return fault("soapenv:Client", `No operation available for request ${call.name}`);
  }
}

function merged(org: Org, request: Element, caller: string): string {
  const master = request.children.find(({ name }) => name === "masterRecord");
  const fields = Object.fromEntries((master?.children ?? []).filter(({ name }) => !/^(type|Id|attributes)$/.test(name)).map(({ name, text }) => [name, text]));
  const losers = texts(request, "recordToMergeIds");
  const id = texts(master ?? request, "Id")[0] ?? "";
  return saved(id, () => {
    const row = mergeRecords(org, texts(master ?? request, "type")[0] ?? org.schema.typeOfId(id) ?? "", id, losers, fields, caller);
    return `<id>${row.Id}</id>${losers.map((loser) => `<mergedRecordIds>${salesforceId(loser)}</mergedRecordIds>`).join("")}`;
  });
}

function restore(org: Org, id: string, caller: string): string {
  const known = salesforceId(id) ?? "";
  const type = org.schema.typeOfId(known);
  const row = type === undefined ? undefined : org.row(type, known);
  if (type === undefined || row === undefined) throw new ApiError(404, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id");
  if (row.IsDeleted !== true) throw new ApiError(400, "UNDELETE_FAILED", "Entity is not in the recycle bin");
  org.undelete(type, known, caller);
  return `<id>${known}</id>`;
}

function empty(org: Org, id: string): string {
  const known = salesforceId(id) ?? "";
  const type = org.schema.typeOfId(known);
  const row = type === undefined ? undefined : org.row(type, known);
  if (type === undefined || row?.IsDeleted !== true) throw new ApiError(400, "INVALID_ID_FIELD", "The record is not in the recycle bin");
  org.purge(type, [known]);
  return `<id>${known}</id>`;
}

/** The result of one item: its outcome, or what the platform says against it. */
function saved(id: string, work: () => string): string {
  try {
    return `${work()}<success>true</success>`;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return `<errors><message>${escaped(error.message)}</message><statusCode>${error.errorCode}</statusCode></errors><id>${escaped(id)}</id><success>false</success>`;
  }
}

function answer(call: string, ...results: string[]): Response {
  return xml(200, `<${call}Response>${results.map((result) => `<result>${result}</result>`).join("")}</${call}Response>`);
}

function fault(code: string, message: string): Response {
  return xml(500, `<soapenv:Fault><faultcode>${code}</faultcode><faultstring>${escaped(message)}</faultstring></soapenv:Fault>`);
}

function xml(status: 200 | 500, body: string): Response {
  const text = `<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>${body}</soapenv:Body></soapenv:Envelope>`;
  return new Response(text, { status, headers: { "content-type": "text/xml;charset=UTF-8" } });
}
