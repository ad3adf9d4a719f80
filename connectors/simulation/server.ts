import { createServer, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { getRequestListener, type HttpBindings } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { Hono } from "hono";
import { z } from "zod";
import type { Clock } from "./clock.ts";
import { type Fault, Faults, faultSchema } from "./faults.ts";
import { pageOf, type SimulatorPage } from "./page.ts";
import { answered, spoiled } from "./trouble.ts";

export interface LoggedRequest {
  readonly at: string;
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly status: number;
  /** Request body as text, up to 4 KB; empty for binary ones. */
  readonly body: string;
}

export interface SimulatorOptions {
  /** 0 or absent = a free port. */
  readonly port?: number;
  /** Where to keep state; absent = in memory only. */
  readonly folder?: string;
  /** Added to every answer, in milliseconds. */
  readonly latencyMs?: number;
  /** Where to listen; `127.0.0.1` when absent. */
  readonly host?: string;
  /** When given, the control API wants it: `Authorization: Bearer …` or `X-Control-Token: …`. */
  readonly controlToken?: string;
  /** PEM texts: serve https instead of http. */
  readonly tls?: { readonly key: string; readonly cert: string };
}

/** The bindings that platform handlers may read: the raw request and the simulator's own base address. */
export type SimulatorBindings = { Bindings: HttpBindings };

const logLimit = 20_000;

/**
 * One simulated platform: real HTTP, with the control API that every simulator shares under `/__control`
 * (faults, clock, latency, request log) and a page about all that at `/`. The platform's own behaviour is the `app` handed in.
 */
export class SimulatorServer {
  readonly clock: Clock;
  readonly faults = new Faults();
  readonly requests: LoggedRequest[] = [];
  latencyMs: number;
  readonly #server: Server;
  readonly #control: Hono;
  readonly #scheme: "http" | "https";
  readonly #controlToken: string | undefined;

  private constructor(app: Hono<SimulatorBindings>, clock: Clock, options: SimulatorOptions, about: SimulatorPage | undefined) {
    this.clock = clock;
    this.latencyMs = options.latencyMs ?? 0;
    this.#scheme = options.tls === undefined ? "http" : "https";
    this.#controlToken = options.controlToken;
    this.#control = controlApi(this);
    const listener = getRequestListener(async (request, bindings) => {
      const url = new URL(request.url);
      if (url.pathname.startsWith("/__control")) return await this.#controlled(app, request, bindings as HttpBindings);
      if (about !== undefined && url.pathname === "/" && request.method === "GET") return pageOf(about);
      return await this.#serve(app, request, url, bindings as HttpBindings);
    });
    this.#server = options.tls === undefined ? createServer(listener) : createTlsServer(options.tls, listener);
  }

  static async start(app: Hono<SimulatorBindings>, clock: Clock, options: SimulatorOptions, about?: SimulatorPage): Promise<SimulatorServer> {
    const simulator = new SimulatorServer(app, clock, options, about);
    await new Promise<void>((resolve, reject) => {
      simulator.#server.once("error", reject);
      simulator.#server.listen(options.port ?? 0, options.host ?? "127.0.0.1", resolve);
    });
    return simulator;
  }

  /** `http://127.0.0.1:PORT`, without a slash at the end; the loopback address also when it listens everywhere. */
  get url(): string {
    const { address, family, port } = this.#server.address() as AddressInfo;
    const host = address === "0.0.0.0" || address === "::" ? "127.0.0.1" : family === "IPv6" ? `[${address}]` : address;
    return `${this.#scheme}://${host}:${port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #controlled(app: Hono<SimulatorBindings>, request: Request, bindings: HttpBindings): Promise<Response> {
    if (this.#controlToken !== undefined) {
      const given = request.headers.get("x-control-token") ?? request.headers.get("authorization")?.replace(/^Bearer\s+/i, "");
      if (given !== this.#controlToken) return Response.json({ error: "the control API wants its token" }, { status: 401 });
    }
    const answer = await this.#control.fetch(request);
    // What the shared control API does not know may be a control of this platform.
    return answer.status === 404 ? await app.fetch(request, bindings) : answer;
  }

  async #serve(app: Hono<SimulatorBindings>, request: Request, url: URL, bindings: HttpBindings): Promise<Response> {
    const path = url.pathname + url.search;
    const body = await loggableBody(request);
    if (this.latencyMs > 0) await sleep(this.latencyMs);
    const effect = this.faults.next(request.method, path);
    if (effect?.kind === "delay") await sleep(effect.ms);
    if (effect?.kind === "reset") return this.#hangUp(request, path, body, bindings);
    const response = await answered(effect, () => app.fetch(request, bindings));
    if (effect?.kind === "lost-reply") return this.#hangUp(request, path, body, bindings);
    this.#log(request.method, path, response.status, body);
    return effect === undefined ? response : await spoiled(response, effect, bindings);
  }

  #hangUp(request: Request, path: string, body: string, bindings: HttpBindings): Response {
    this.#log(request.method, path, 0, body);
    bindings.incoming.socket.destroy();
    return RESPONSE_ALREADY_SENT;
  }

  #log(method: string, path: string, status: number, body: string): void {
    if (this.requests.length >= logLimit) this.requests.splice(0, logLimit / 2);
    this.requests.push({ at: new Date().toISOString(), method, path, status, body });
  }
}

async function loggableBody(request: Request): Promise<string> {
  if (request.method === "GET" || request.method === "DELETE") return "";
  const type = request.headers.get("content-type") ?? "";
  const length = Number(request.headers.get("content-length") ?? Number.NaN);
  // A body of unknown length is only read ahead where it cannot be a file.
  if (Number.isNaN(length) ? !/json|urlencoded/.test(type) : length > 65_536 || !/json|urlencoded|text|xml/.test(type)) return "";
  return (await request.clone().text()).slice(0, 4096);
}

const clockSchema = z.strictObject({ frozenAt: z.number().nullable().optional(), offsetMs: z.number().optional() });

function controlApi(simulator: SimulatorServer): Hono {
  const control = new Hono();
  control.onError((error, c) => {
    if (error instanceof z.ZodError) return c.json({ error: z.prettifyError(error) }, 400);
    if (error instanceof SyntaxError) return c.json({ error: error.message }, 400);
    throw error;
  });
  control.get("/__control/requests", (c) => {
    const { method, path } = c.req.query();
    const pattern = path === undefined ? undefined : new RegExp(path);
    return c.json(simulator.requests.filter((request) => (method === undefined || request.method === method) && (pattern?.test(request.path) ?? true)));
  });
  control.delete("/__control/requests", (c) => {
    simulator.requests.length = 0;
    return c.body(null, 204);
  });
  control.get("/__control/faults", (c) => c.json(simulator.faults.list()));
  control.post("/__control/faults", async (c) => {
    const fault = faultSchema.safeParse(await c.req.json());
    if (!fault.success) return c.json({ error: z.prettifyError(fault.error) }, 400);
    simulator.faults.arm(fault.data as Fault);
    return c.body(null, 204);
  });
  control.delete("/__control/faults", (c) => {
    simulator.faults.clear();
    return c.body(null, 204);
  });
  control.post("/__control/clock", async (c) => {
    simulator.clock.set(clockSchema.parse(await c.req.json()));
    return c.json({ now: simulator.clock.now().toISOString() });
  });
  control.post("/__control/latency", async (c) => {
    simulator.latencyMs = z.strictObject({ ms: z.number().min(0) }).parse(await c.req.json()).ms;
    return c.body(null, 204);
  });
  return control;
}
