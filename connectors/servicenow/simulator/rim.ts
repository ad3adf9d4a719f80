import { randomBytes } from "node:crypto";
import type { Context, Hono } from "hono";
import type { SimulatorBindings } from "../../simulation/server.ts";
import { htmlAnswer } from "../../simulation/trouble.ts";
import type { Account } from "./accounts.ts";
import type { Instance } from "./instance.ts";
import { Refusal, refusals } from "./refusal.ts";
import { authenticate } from "./sign-in.ts";

/** Longest path and query, in bytes [R]. */
const longestUrl = 8192;
const versions = ["/api/now", "/api/now/v1", "/api/now/v2"] as const;

export type ApiContext = Context<SimulatorBindings>;
type Handler = (c: ApiContext, account: Account, version: "" | "v1" | "v2") => Promise<Response> | Response;

/** Registers a REST handler under all API versions, behind the checks that every call passes. */
export function api(app: Hono<SimulatorBindings>, instance: Instance, methods: readonly string[], path: string, handler: Handler): void {
  apiAt(app, instance, methods, versions, path, handler);
}

/** The same for an application's API, which stands under an address of its own. */
export function apiAt(
  app: Hono<SimulatorBindings>,
  instance: Instance,
  methods: readonly string[],
  prefixes: readonly string[],
  path: string,
  handler: Handler,
): void {
  for (const prefix of prefixes) {
    const version = prefix.endsWith("v1") ? "v1" : prefix.endsWith("v2") ? "v2" : "";
    app.on([...methods], prefix + path, async (c) => dress(c, instance, await answer(c, instance, version, handler)));
  }
}

/** What is asked but not served. */
export function leftovers(app: Hono<SimulatorBindings>, instance: Instance): void {
  app.get("/login.do", () => htmlAnswer("login", 200));
  app.all("/api/now/*", async (c) => {
    const known = versions.some((prefix) => new RegExp(`^${prefix}/(table/\\w+(/\\w+)?|attachment(/\\w+)*|batch|stats/\\w+|import/\\w+)$`).test(c.req.path));
    const refuse = () => {
      throw known ? new Refusal(405, "Method not supported", null) : refusals.noResource();
    };
    return dress(c, instance, await answer(c, instance, "", refuse));
  });
}

export function baseOf(c: ApiContext): string {
  return new URL(c.req.url).origin;
}

/** The JSON body as an object; only the first record of a list counts [D]. */
export async function bodyOf(c: ApiContext): Promise<Record<string, unknown>> {
  const type = c.req.header("content-type");
  if (type === undefined) throw new Refusal(400, "Content-Type header is missing", null);
  if (!type.includes("json")) throw new Refusal(415, "Unsupported media type", `The content type ${type} is not supported`);
  let body: unknown;
  try {
    body = JSON.parse(await c.req.text());
  } catch {
    throw refusals.unreadableRequest();
  }
  const first: unknown = Array.isArray(body) ? body[0] : body;
  if (typeof first !== "object" || first === null) throw refusals.unreadableRequest();
  return first as Record<string, unknown>;
}

async function answer(c: ApiContext, instance: Instance, version: "" | "v1" | "v2", handler: Handler): Promise<Response> {
  if (instance.settings.hibernating) return htmlAnswer("hibernating", 200);
  try {
    const url = new URL(c.req.url);
    if (Buffer.byteLength(url.pathname + url.search) > longestUrl) throw new Refusal(414, "Request-URI Too Long", null);
    const account = authenticate(instance, (name) => c.req.header(name));
    const accept = c.req.header("accept");
    if (accept === undefined) throw new Refusal(400, "Accept header is missing", null);
    if (!/\*\/\*|json/.test(accept) && !url.pathname.endsWith("/file")) throw new Refusal(406, "Not acceptable", `The media type ${accept} is not offered`);
    if (instance.batched.has(c.req.raw)) return await handler(c, account, version);
    const headers = instance.limits.count(instance.settings.rateLimits, account.userName, url.pathname);
    const response = await instance.limits.within(instance.settings.semaphores, async () => await handler(c, account, version));
    for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
    return response;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const { singleSignOn } = instance.settings;
    // An instance behind single sign-on sends whoever is not signed in to its login page [R].
    return error.status === 401 && singleSignOn !== null ? htmlAnswer("login", singleSignOn) : c.json(error.body(), error.status, { ...error.headers });
  }
}

/** Headers that recorded answers carry [R]; the date follows the simulated clock. */
function dress(_c: ApiContext, instance: Instance, response: Response): Response {
  response.headers.set("server", "snow_adc");
  response.headers.set("x-is-logged-in", String(response.status !== 401));
  response.headers.set("x-transaction-id", randomBytes(6).toString("hex"));
  response.headers.set("cache-control", "no-cache,no-store,must-revalidate,max-age=-1");
  response.headers.set("date", instance.clock.now().toUTCString());
  return response;
}
