import { Hono } from "hono";
import type { SimulatorBindings } from "../../simulation/server.ts";
import { organizationId, TokenError } from "./accounts.ts";
import type { SimulatorContext } from "./context.ts";

/** Sign-in: the OAuth token endpoint with its grants, revocation, who am I, and the SOAP login that old clients use. */
export function signInRoutes({ accounts, org }: SimulatorContext): Hono<SimulatorBindings> {
  const app = new Hono<SimulatorBindings>();

  app.post("/services/oauth2/token", async (c) => {
    try {
      return c.json(await accounts.grant(new URLSearchParams(await c.req.text()), new URL(c.req.url).origin));
    } catch (error) {
      if (error instanceof TokenError) return c.json({ error: error.error, error_description: error.message }, 400);
      throw error;
    }
  });

  app.post("/services/oauth2/revoke", async (c) => {
    const token = new URLSearchParams(await c.req.text()).get("token") ?? "";
    return accounts.revoke(token) ? c.body(null, 200) : c.json({ error: "invalid_token", error_description: "invalid token" }, 400);
  });

  app.post("/services/Soap/u/:version", async (c) => {
    const body = await c.req.text();
    const username = unescaped(/<username>([\s\S]*?)<\/username>/.exec(body)?.[1] ?? "");
    const password = unescaped(/<password>([\s\S]*?)<\/password>/.exec(body)?.[1] ?? "");
    try {
      const userId = accounts.byPassword(username, password);
      const origin = new URL(c.req.url).origin;
      const result = `<passwordExpired>false</passwordExpired><serverUrl>${origin}/services/Soap/u/${c.req.param("version")}/${organizationId}</serverUrl><sessionId>${accounts.open(userId)}</sessionId><userId>${userId}</userId><userInfo><organizationId>${organizationId}</organizationId></userInfo>`;
      return xml(200, `<loginResponse><result>${result}</result></loginResponse>`);
    } catch (error) {
      if (!(error instanceof TokenError)) throw error;
      const message = "INVALID_LOGIN: Invalid username, password, security token; or user locked out.";
      return xml(500, `<soapenv:Fault><faultcode>INVALID_LOGIN</faultcode><faultstring>${message}</faultstring></soapenv:Fault>`);
    }
  });

  app.get("/services/oauth2/userinfo", (c) => {
    const user = org.tables.get("User", accounts.userOf(bearer(c.req.header("authorization"))) ?? "");
    if (user === undefined) return c.text("Bad_OAuth_Token", 403);
    return c.json({
      sub: `${new URL(c.req.url).origin}/id/${organizationId}/${user.Id}`,
      user_id: user.Id,
      organization_id: organizationId,
      preferred_username: user.Username,
      name: user.Name,
      email: user.Email,
    });
  });

  app.get("/id/:organization/:user", (c) => {
    const user = org.tables.get("User", c.req.param("user"));
    if (user === undefined || accounts.userOf(bearer(c.req.header("authorization"))) === undefined) return c.text("Bad_OAuth_Token", 403);
    return c.json({
      id: c.req.url,
      user_id: user.Id,
      organization_id: organizationId,
      username: user.Username,
      display_name: user.Name,
      email: user.Email,
      active: user.IsActive,
    });
  });

  return app;
}

export function bearer(header: string | undefined): string {
  return /^(?:Bearer|OAuth) (.+)$/i.exec(header ?? "")?.[1] ?? "";
}

function xml(status: 200 | 500, body: string): Response {
  const text = `<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>${body}</soapenv:Body></soapenv:Envelope>`;
  return new Response(text, { status, headers: { "content-type": "text/xml;charset=UTF-8" } });
}

function unescaped(text: string): string {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&quot;", '"').replaceAll("&apos;", "'").replaceAll("&amp;", "&");
}
