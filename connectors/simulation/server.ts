import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { getRequestListener, type HttpBindings } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { Hono } from "hono";
import { z } from "zod";
import type { Clock } from "./clock.ts";
import { type Fault, type FaultEffect, Faults, faultSchema } from "./faults.ts";

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
}

/** The bindings that platform handlers may read: the raw request and the simulator's own base address. */
export type SimulatorBindings = { Bindings: HttpBindings };

const loginPage = "<!DOCTYPE html><html><head><title>Log in</title></head><body><form>Please log in</form></body></html>";
const logLimit = 20_000;

/**
 * One simulated platform on loopback: real HTTP, with the control API that every simulator shares under `/__control`
 * (faults, clock, latency, request log). The platform's own behaviour is the `app` handed in.
 */
export class SimulatorServer {
  readonly clock: Clock;
  readonly faults = new Faults();
  readonly requests: LoggedRequest[] = [];
  latencyMs: number;
  readonly #server: Server;
  readonly #control: Hono;

  private constructor(app: Hono<SimulatorBindings>, clock: Clock, latencyMs: number) {
    this.clock = clock;
    this.latencyMs = latencyMs;
    this.#control = controlApi(this);
    this.#server = createServer(
      getRequestListener(async (request, bindings) => {
        const url = new URL(request.url);
        if (url.pathname.startsWith("/__control")) {
          const answer = await this.#control.fetch(request);
          // What the shared control API does not know may be a control of this platform.
          return answer.status === 404 ? await app.fetch(request, bindings as HttpBindings) : answer;
        }
        return await this.#serve(app, request, url, bindings as HttpBindings);
      }),
    );
  }

  static async start(app: Hono<SimulatorBindings>, clock: Clock, options: SimulatorOptions): Promise<SimulatorServer> {
    const simulator = new SimulatorServer(app, clock, options.latencyMs ?? 0);
    await new Promise<void>((resolve, reject) => {
      simulator.#server.once("error", reject);
      simulator.#server.listen(options.port ?? 0, "127.0.0.1", resolve);
    });
    return simulator;
  }

  /** `http://127.0.0.1:PORT`, without a slash at the end. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(app: Hono<SimulatorBindings>, request: Request, url: URL, bindings: HttpBindings): Promise<Response> {
    const path = url.pathname + url.search;
    const body = await loggableBody(request);
    if (this.latencyMs > 0) await sleep(this.latencyMs);
    const effect = this.faults.next(request.method, path);
    if (effect?.kind === "delay") await sleep(effect.ms);
    const planned = effect === undefined || effect.kind === "delay" ? undefined : plannedAnswer(effect);
    if (effect?.kind === "reset") {
      this.#log(request.method, path, 0, body);
      bindings.incoming.socket.destroy();
      return new Response(null);
    }
    const response = planned ?? (await app.fetch(request, bindings));
    if (effect?.kind === "lost-reply") {
      this.#log(request.method, path, 0, body);
      bindings.incoming.socket.destroy();
      return new Response(null);
    }
    this.#log(request.method, path, response.status, body);
    if (effect?.kind === "truncate") return await cutShort(response, bindings);
    return response;
  }

  #log(method: string, path: string, status: number, body: string): void {
    if (this.requests.length >= logLimit) this.requests.splice(0, logLimit / 2);
    this.requests.push({ at: new Date().toISOString(), method, path, status, body });
  }
}

function plannedAnswer(effect: FaultEffect): Response | undefined {
  if (effect.kind === "html") return new Response(loginPage, { status: effect.status ?? 200, headers: { "content-type": "text/html;charset=UTF-8" } });
  if (effect.kind !== "status") return undefined;
  const text = typeof effect.body === "string" ? effect.body : effect.body === undefined ? "" : JSON.stringify(effect.body);
  const bodyless = effect.status === 204 || effect.status === 304;
  return new Response(bodyless ? null : text, { status: effect.status, headers: { "content-type": "application/json;charset=UTF-8", ...effect.headers } });
}

/** Announces the whole length, sends half, and drops the connection. */
async function cutShort(response: Response, bindings: HttpBindings): Promise<Response> {
  const bytes = Buffer.from(await response.arrayBuffer());
  bindings.outgoing.writeHead(response.status, { ...Object.fromEntries(response.headers), "content-length": String(bytes.length + 1) });
  await new Promise((resolve) => bindings.outgoing.write(bytes.subarray(0, Math.ceil(bytes.length / 2)), resolve));
  bindings.incoming.socket.destroy();
  return RESPONSE_ALREADY_SENT;
}

async function loggableBody(request: Request): Promise<string> {
  if (request.method === "GET" || request.method === "DELETE") return "";
  const type = request.headers.get("content-type") ?? "";
  const length = Number(request.headers.get("content-length") ?? "0");
  if (length > 65_536 || !/json|urlencoded|text|xml/.test(type)) return "";
  return (await request.clone().text()).slice(0, 4096);
}

const clockSchema = z.strictObject({ frozenAt: z.number().nullable().optional(), offsetMs: z.number().optional() });

function controlApi(simulator: SimulatorServer): Hono {
  const control = new Hono();
  control.get("/__control/requests", (c) => c.json(simulator.requests));
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
