import { Hono } from "hono";
import type { SimulatorBindings } from "../../simulation/server.ts";
import { organizationId, TokenError } from "./accounts.ts";
import type { SimulatorContext } from "./context.ts";
import type { AuthorizationRequest } from "./web-server-flow.ts";

/** Sign-in: the OAuth token endpoint with its grants, revocation, the web-server flow, and who am I. */
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

  const askedFor = (query: Record<string, string>): AuthorizationRequest => ({
    clientId: query.client_id ?? "",
    redirectUri: query.redirect_uri ?? "",
    scope: query.scope ?? "api refresh_token",
    challenge: query.code_challenge,
  });
  /** Sends the browser back, with a code or with what was wrong. */
  const back = (query: Record<string, string>, answer: Record<string, string>): Response => {
    const to = new URL(query.redirect_uri ?? "");
    for (const [name, value] of Object.entries({ ...answer, ...(query.state !== undefined && { state: query.state }) })) to.searchParams.set(name, value);
    return new Response(null, { status: 302, headers: { location: to.href } });
  };

  app.get("/services/oauth2/authorize", (c) => {
    const query = c.req.query();
    const request = askedFor(query);
    try {
      accounts.appFor(request.clientId, request.redirectUri);
    } catch (error) {
      if (!(error instanceof TokenError)) throw error;
      return c.html(`<h1>OAuth Error</h1><p>error=${error.error}&amp;error_description=${error.message}</p>`, 400);
    }
    if (query.response_type !== "code") return back(query, { error: "unsupported_response_type", error_description: "response type not supported" });
    if (query.code_challenge_method !== undefined && query.code_challenge_method !== "S256")
      return back(query, { error: "invalid_request", error_description: "invalid code challenge method" });
    const userId = accounts.agreeing === undefined ? undefined : accounts.idOf(accounts.agreeing);
    if (userId !== undefined) return back(query, { code: accounts.web.code(userId, request) });
    return c.html(agreement);
  });
  app.post("/services/oauth2/authorize", async (c) => {
    const query = c.req.query();
    const form = new URLSearchParams(await c.req.text());
    const request = askedFor(query);
    accounts.appFor(request.clientId, request.redirectUri);
    if (form.has("deny")) return back(query, { error: "access_denied", error_description: "end-user denied authorization" });
    try {
      return back(query, { code: accounts.web.code(accounts.byPassword(form.get("username") ?? "", form.get("password") ?? ""), request) });
    } catch (error) {
      if (error instanceof TokenError) return c.html(agreement, 401);
      throw error;
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

/** Posts to where it was asked for, with the same query. */
const agreement = `<!DOCTYPE html><html lang="en"><head><title>Simulated Salesforce: allow access?</title></head><body><h1>Allow access?</h1>
<form method="post"><label>Username <input name="username" autocomplete="username"></label> <label>Password <input name="password" type="password" autocomplete="current-password"></label>
<button>Allow</button> <button name="deny" value="1">Deny</button></form></body></html>`;

export function bearer(header: string | undefined): string {
  return /^(?:Bearer|OAuth) (.+)$/i.exec(header ?? "")?.[1] ?? "";
}
